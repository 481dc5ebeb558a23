// Which seeds have solved a task after so many updates: from a record, beside the gradient that arrives before
// training.
Unrolled.figures.budget = {
  // Of the updates that each seed needed, null where it never solved the task: how many are within the budget.
  solved(needed, budget) {
    return needed.filter((updates) => updates !== null && updates <= budget).length;
  },

  show(stage, say, { lags, budgets, networks, start }) {
    const { element, signed, slider, menu } = Unrolled, count = networks[0].needed[0].length;
    const W = 640, row = 37, top = 40, H = top + row * networks.length + 6, dots = 276, apart = 37;
    const text = (x, y, words, anchor = "start", kind = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind }, words);
    const power = (value) => {
      const [digits, exponent] = value.toExponential(0).split("e");
      if (Math.abs(exponent) < 2) return signed(+value.toPrecision(1));
      const raised = [...exponent.replace("+", "")].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]);
      return `${digits} · 10${raised.join("")}`;
    };
    const named = (updates) => updates.toLocaleString("en-GB");
    const marks = element("g");
    let lag = lags.indexOf(start.lag), budget = start.budget;
    const draw = () => {
      const sorted = [...networks].sort((one, other) => other.left[lag] - one.left[lag]);
      marks.replaceChildren(...sorted.flatMap(({ name, needed, left }, at) => {
        const y = top + row * (at + 0.5), done = this.solved(needed[lag], budget);
        return [text(0, y + 6, name, "start", "ink"), text(W, y + 6, power(left[lag]), "end"),
          ...Array.from({ length: count }, (_, k) => element("circle", { cx: dots + k * apart, cy: y, r: 11,
            class: k < done ? "dot" : "box" }))];
      }));
      const by = (wanted) => sorted.filter(({ needed }) => wanted(this.solved(needed[lag], budget)));
      const list = (found) => found.map(({ name }) => name).join(", ") || "no network";
      const some = by((done) => done > 0 && done < count).map(({ name, needed }) =>
        `${name} (${this.solved(needed[lag], budget)})`).join(", ") || "no network";
      say(`Lag ${lags[lag]}, at most ${named(budget)} updates. With all ${count} seeds: ` +
        `${list(by((done) => done === count))}. With some: ${some}. With none: ${list(by((done) => done === 0))}.`);
    };
    const at = budgets.indexOf(start.budget);
    const control = slider({ label: "updates, at most", min: 0, max: budgets.length - 1, step: 1, value: at,
      says: (place) => named(budgets[place]) }, (place) => { budget = budgets[place]; tell(); draw(); });
    const tell = () => control.querySelector("input").setAttribute("aria-valuetext", named(budget));
    tell();
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" },
        text(dots - 11, 24, "seeds so far"), text(W, 24, "gradient left", "end"), marks),
      control, menu("lag", lags.map(String), lag, (place) => { lag = place; draw(); }));
    draw();
  },
};
