// The ledger is complete without this script. With it a reader searches, filters, and bets before looking.
{
  const sections = [...document.querySelectorAll("table.claims")].map((table) => table.closest("section"));
  const rows = [...document.querySelectorAll('table.claims tr[id^="row-"]')];
  const kept = "unrolled-bets";
  let bets = {};                                        // by the row's id: the verdict that the reader expected
  try { bets = JSON.parse(localStorage.getItem(kept)) ?? {}; } catch { /* a browser that keeps nothing still bets */ }

  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const inWords = (text) => text.replaceAll("-", " ");
  const choice = (label, prefix) => {                   // the values that occur, in the order of the page
    const values = new Set(rows.flatMap((row) => [...row.classList]).filter((name) => name.startsWith(`${prefix}-`)));
    const select = make("select", {}, make("option", { value: "" }, "any"),
      ...[...values].sort().map((value) => make("option", { value }, inWords(value.slice(prefix.length + 1)))));
    return { label: make("label", {}, label, select), select };
  };
  const chapters = make("select", {}, make("option", { value: "" }, "any"),
    ...sections.map((section) =>
      make("option", { value: section.id }, section.querySelector("h2").firstChild.textContent)));
  const filters = [choice("verdict", "verdict"), choice("kind", "kind"), choice("source", "source")];
  const search = make("input", { type: "search", placeholder: "forget gate, vanish, memory …" });
  const bet = make("button", { type: "button", "aria-pressed": "false" }, "Bet before you look");
  const again = make("button", { type: "button" }, "Forget my bets");
  const count = make("p", { role: "status" });

  const wordOf = (row) => [...row.classList].find((name) => name.startsWith("verdict-")).slice("verdict-".length);
  const bettable = (row) => ["holds", "holds-if", "does-not-hold"].includes(wordOf(row));
  const betting = () => bet.getAttribute("aria-pressed") === "true";

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !(words.every((word) => text.includes(word)) &&
        (!chapters.value || row.closest("section").id === chapters.value) &&
        filters.every(({ select }) => !select.value || row.classList.contains(select.value)));
      const veiled = betting() && bettable(row) && !(row.id in bets);
      row.classList.toggle("veiled", veiled);
      row.querySelector(".bet")?.toggleAttribute("hidden", !veiled);
      const said = row.querySelector(".said");
      if (said) {
        said.hidden = !(betting() && row.id in bets);
        const how = bets[row.id] === wordOf(row) ? "right" : "otherwise";
        said.textContent = `You bet: ${inWords(bets[row.id] ?? "")}, ${how}.`;
      }
    }
    for (const section of sections) section.hidden = !section.querySelector('tr[id^="row-"]:not([hidden])');
    const shown = rows.filter((row) => !row.hidden).length, placed = rows.filter((row) => row.id in bets);
    const right = placed.filter((row) => bets[row.id] === wordOf(row)).length;
    count.textContent = `${shown} of ${rows.length} sentences shown.` +
      (betting() ? ` ${placed.length} bets, ${right} right. Verdicts stay hidden until you bet.` : "");
    again.hidden = !(betting() && placed.length);
  }
  function keep() {
    try { localStorage.setItem(kept, JSON.stringify(bets)); } catch { /* nothing is lost but the count */ }
    show();
  }
  for (const row of rows.filter(bettable)) {
    const verdicts = [["holds", "holds"], ["holds-if", "under a condition"], ["does-not-hold", "does not hold"]];
    const buttons = verdicts.map(([word, text]) => {
      const button = make("button", { type: "button" }, text);
      button.addEventListener("click", () => {
        bets[row.id] = word;
        keep();
        row.querySelector(".verdict a").focus();        // the button is gone: what it uncovered takes its place
      });
      return button;
    });
    row.cells[1].append(
      make("div", { class: "bet", role: "group", "aria-label": "Your bet", hidden: "" }, ...buttons),
      make("p", { class: "said", hidden: "" }));
  }
  bet.addEventListener("click", () => { bet.setAttribute("aria-pressed", !betting()); show(); });
  again.addEventListener("click", () => { bets = {}; keep(); bet.focus(); });
  for (const field of [search, chapters, ...filters.map(({ select }) => select)]) field.addEventListener("input", show);

  const bar = make("form", { class: "ledger-bar", role: "search", "aria-label": "Sentences of the ledger" },
    make("label", {}, "search", search), make("label", {}, "chapter", chapters), ...filters.map(({ label }) => label),
    make("div", {}, bet, again), count);
  bar.addEventListener("submit", (event) => event.preventDefault());
  sections[0].before(bar);
  show();
  if (location.hash.startsWith("#row-")) document.querySelector(`[id="${location.hash.slice(1)}"]`)?.scrollIntoView();
}
