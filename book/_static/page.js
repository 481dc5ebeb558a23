// Small services of every page. Without this script nothing is lost but the convenience.

// A link to a verdict opens the code that computed it, and a link to something that is folded opens the fold.
function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (const folded of target?.classList.contains("cell") ? target.querySelectorAll("details") : []) folded.open = true;
  for (let folded = target?.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
}
window.addEventListener("hashchange", openTarget);
openTarget();

// On a telephone the contents lie over the page: following one of their links uncovers it.
document.addEventListener("click", (event) => {
  const dialog = event.target.closest?.("dialog[open]");
  if (dialog && event.target.closest("a[href*='#']")) dialog.close();
});

// The list of the page's sections marks the one that is read: the last whose heading has passed the upper third.
{
  const entries = [...document.querySelectorAll("#on-this-page a[href^='#']")].map((link) =>
    ({ link, section: document.getElementById(decodeURIComponent(link.hash.slice(1))) })).filter(({ section }) => section);
  let waiting = false;
  const mark = () => {
    waiting = false;
    const bottom = innerHeight + scrollY >= document.documentElement.scrollHeight - 2 && scrollY > 0;
    const read = bottom ? entries.at(-1)
      : entries.findLast(({ section }) => section.getBoundingClientRect().top <= innerHeight / 3);
    for (const { link } of entries) {
      if (link === read?.link) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current");
    }
    for (const entry of document.querySelectorAll("#on-this-page .toc-entry")) {
      entry.classList.toggle("active", Boolean(read) && entry.contains(read.link));
    }
  };
  const ask = () => { if (!waiting) { waiting = true; requestAnimationFrame(mark); } };
  if (entries.length) {
    for (const event of ["scroll", "resize"]) window.addEventListener(event, ask, { passive: true });
    ask();
  }
}

// On paper everything that folds is open.
{
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open])")];
    for (const folded of opened) folded.open = true;
  });
  window.addEventListener("afterprint", () => { for (const folded of opened) folded.open = false; });
}

// Where the reader was: this browser alone remembers the last page of a chapter, and the front page leads there.
{
  const key = "unrolled-last", path = location.pathname.match(/book\/([^/]+\/[^/]+)\.html$/)?.[1];
  try {
    const title = document.querySelector("h1")?.firstChild?.textContent.trim();
    if (path) localStorage.setItem(key, JSON.stringify({ path, title }));
    const last = JSON.parse(localStorage.getItem(key)), start = document.querySelector(".start");
    if (last && start) {
      const link = document.createElement("a"), line = document.createElement("p");
      link.href = `${last.path}.html`;
      link.textContent = last.title;
      line.className = "resume";
      line.append("You were reading ", link, ".");
      start.append(line);
    }
  } catch { /* a browser that keeps nothing begins at the beginning */ }
}
