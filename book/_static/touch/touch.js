// What the figures to touch share: they register themselves by name, and are drawn where the page has a stage for them.
const Unrolled = { figures: {} };

// An element of HTML or SVG with attributes and children.
Unrolled.element = (name, attributes = {}, ...children) => {
  const drawn = /^(svg|g|path|line|rect|circle|text|title)$/.test(name);
  const element = drawn ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

// A number with so many digits, or with those it has; a minus sign that is one, and none before zero.
Unrolled.signed = (value, digits) => {
  const text = digits === undefined ? String(value) : value.toFixed(digits);
  return text.replace(/^-(?=.*[1-9])/, "−").replace(/^-/, "");
};

// Shares that add up to one, as in `unrolled.numpy.attention`; the highest score taken off changes none, and exp cannot
// overflow.
Unrolled.softmax = (scores) => {
  const highest = Math.max(...scores), powers = scores.map((score) => Math.exp(score - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
};

// A range with its name and its value; `changed` is called with the number. `says` writes it; `gate` colours it.
Unrolled.slider = ({ label, min, max, step, value, says = String, gate }, changed) => {
  const { element } = Unrolled;
  const input = element("input", { type: "range", min, max, step, value });
  const output = element("output", {}, says(value));
  input.addEventListener("input", () => { output.textContent = says(+input.value); changed(+input.value); });
  return element("label", { class: gate ? `slider gate-${gate}` : "slider" },
    element("span", {}, label), input, output);
};

// A choice of one among several, as a menu; `changed` is called with its place in the list.
Unrolled.menu = (label, names, at, changed) => {
  const { element } = Unrolled;
  const options = names.map((name, value) =>
    element("option", value === at ? { value, selected: "" } : { value }, name));
  const select = element("select", {}, ...options);
  select.addEventListener("change", () => changed(+select.value));
  return element("label", { class: "slider" }, element("span", {}, label), select);
};

// A range over a list, which tells the entry and not its place; `changed` is called with the entry.
Unrolled.among = ({ label, list, value, says = String, gate }, changed) => {
  const range = { label, gate, min: 0, max: list.length - 1, step: 1, value: list.indexOf(value) };
  const control = Unrolled.slider({ ...range, says: (at) => says(list[at]) },
    (at) => { tell(list[at]); changed(list[at]); });
  const tell = (entry) => control.querySelector("input").setAttribute("aria-valuetext", says(entry));
  tell(value);
  return control;
};

// Buttons that are on or off; `changed` is called with the list of what is on.
Unrolled.switches = (legend, names, on, changed) => {
  const { element } = Unrolled, state = names.map((_, at) => on.includes(at));
  const buttons = names.map((name, at) => {
    const button = element("button", { type: "button", "aria-pressed": state[at] }, name);
    button.addEventListener("click", () => {
      state[at] = !state[at];
      button.setAttribute("aria-pressed", state[at]);
      changed(state);
    });
    return button;
  });
  return element("div", { class: "switches", role: "group", "aria-label": legend },
    element("span", { "aria-hidden": "true" }, legend), element("div", {}, ...buttons));
};

document.addEventListener("DOMContentLoaded", () => {
  for (const stage of document.querySelectorAll("[data-touch]")) {
    const words = Unrolled.element("p", { role: "status", class: "words" });
    const handed = stage.querySelector("script")?.textContent;        // what a cell of the page computed
    stage.replaceChildren();
    const say = (text) => { words.textContent = text; };
    Unrolled.figures[stage.dataset.touch].show(stage, say, handed && JSON.parse(handed));
    stage.append(words);
  }
});
