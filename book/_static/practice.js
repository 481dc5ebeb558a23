// The handbook is complete without this script. With it, the page draws a question, counts down two minutes when it is
// told to, shows the answer, and this browser keeps what you knew. Nothing moves before a button is pressed.
{
  const place = document.getElementById("practice"), KEPT = "unrolled-practice", TIME = 120;
  const text = (node) => node.textContent.trim();
  const questions = [...document.querySelectorAll("section.interview")].map((section) => ({
    section, key: section.id, topic: text(section.parentElement.querySelector("h2")).replace(/#$/, ""),
    level: text(section.querySelector(".level")), round: text(section.querySelector(".round")),
  }));
  let marks = {}, now = null, left = TIME, clock = null;
  try { marks = JSON.parse(localStorage.getItem(KEPT)) ?? {}; } catch { /* nothing kept: it still practises */ }

  // Build
  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };
  const button = (words, act) => {
    const node = make("button", { type: "button", textContent: words });
    node.addEventListener("click", act);
    return node;
  };
  const choice = (name, values) => {
    const select = make("select", { name });
    for (const value of ["all", ...new Set(values)]) select.append(make("option", { value, textContent: value }));
    select.addEventListener("change", count);
    return make("label", {}, `${name} `, select);
  };
  const filters = [
    choice("Topic", questions.map((one) => one.topic)), choice("Level", questions.map((one) => one.level)),
    choice("Round", questions.map((one) => one.round)), choice("Mark", ["never asked", "not yet", "knew it"]),
  ];
  const [topic, level, round, mark] = filters.map((label) => label.querySelector("select"));
  const words = make("p", { className: "progress-line" }), shown = make("div", { className: "shown" });
  words.setAttribute("role", "status");
  const draw = button("Draw a question", ask), forget = button("Forget all marks", () => { marks = {}; keep(); });
  place.append(make("div", { className: "filters" }, ...filters), make("p", {}, draw, " ", forget), words, shown);

  // Choose
  function open() {
    const fits = (select, value) => select.value === "all" || select.value === value;
    return questions.filter((one) => fits(topic, one.topic) && fits(level, one.level) && fits(round, one.round) &&
      fits(mark, marks[one.key] ?? "never asked"));
  }
  function count() {
    const known = questions.filter((one) => marks[one.key] === "knew it").length;
    const again = questions.filter((one) => marks[one.key] === "not yet").length, number = open().length;
    words.textContent = `${number} ${number === 1 ? "question fits" : "questions fit"}. ` +
      `Of all ${questions.length} you knew ${known}, and ${again} not yet.`;
    draw.disabled = number === 0;
  }
  function keep() {
    try { localStorage.setItem(KEPT, JSON.stringify(marks)); } catch { /* nothing is lost but the marks */ }
    count();
  }

  // Ask. A copy has no ids, for the original keeps its own.
  function copy(node) {
    const twin = node.cloneNode(true);
    for (const one of [twin, ...twin.querySelectorAll("[id]")]) one.removeAttribute("id");
    for (const one of twin.querySelectorAll(".headerlink")) one.remove();
    return twin;
  }
  function ask() {
    const fitting = open(), others = fitting.filter((one) => one !== now);
    const from = others.length ? others : fitting;
    now = from[Math.floor(Math.random() * from.length)];
    stop();
    left = TIME;
    const asked = copy(now.section.querySelector("h3")).childNodes;
    const question = make("p", { className: "question", tabIndex: -1 }, ...asked);
    const time = make("span", { className: "time" }), start = button("Start the clock", () => (clock ? stop() : run()));
    time.setAttribute("role", "timer");
    const answer = button("Show the answer", () => reveal(answer));
    const facts = copy(now.section.querySelector(".facts"));
    shown.replaceChildren(question, facts, make("p", {}, time, " ", start, " ", answer));
    tick();
    question.focus();
  }
  function reveal(pressed) {
    stop();
    const answer = make("div", { className: "told", tabIndex: -1 });
    answer.append(...copy(now.section.querySelector("details.answer > div")).childNodes);
    const follow = [...now.section.querySelectorAll("details:not(.answer)")].map(copy);
    const said = make("span");
    said.setAttribute("role", "status");
    const verdict = (words) => button(words, () => {
      marks[now.key] = words.toLowerCase();
      keep();
      said.textContent = ` Marked "${words.toLowerCase()}".`;
      draw.focus();
    });
    const link = make("a", { href: `#${now.key}`, textContent: "Its place on this page" });
    pressed.parentElement.remove();                     // the clock goes with its buttons
    shown.append(answer, ...follow, make("p", {}, verdict("Knew it"), " ", verdict("Not yet"), " ", link, said));
    answer.focus();
  }

  // The clock
  function tick() {
    const time = shown.querySelector(".time");
    if (!time) return;
    time.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}${left ? "" : " Time is up."}`;
    time.nextElementSibling.textContent = clock ? "Pause the clock" : left === TIME ? "Start the clock" : "Go on";
    time.nextElementSibling.disabled = left === 0;
  }
  function run() {
    clock = setInterval(() => { left -= 1; if (left === 0) stop(); else tick(); }, 1000);
    tick();
  }
  function stop() {
    clearInterval(clock);
    clock = null;
    tick();
  }
  count();

  // On paper everything lies open, and is as it was afterwards.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".interview details:not([open])")];
    for (const one of opened) one.open = true;
  });
  window.addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
}
