// Which loss's gradient reaches which use of the weight: the page's table, and what few uses miss.
Unrolled.figures.shares = {
  // Row t, column s: whether that loss counts that use, if each loss counts so many uses, the latest first
  counted(T, uses) {
    return Array.from({ length: T }, (_, t) => Array.from({ length: T }, (_, s) => s <= t && t - s < uses));
  },

  show(stage, say, { shares, losses, uses, errors }) {
    const { element, slider } = Unrolled, T = shares.length, steps = Array.from({ length: T }, (_, at) => at + 1);
    const W = 640, left = 56, wide = 80, top = 62, tall = 40, H = top + (T + 1) * tall + 14;
    const x = (s) => left + (s - 0.5) * wide + (s > T ? 20 : 0), y = (t) => top + (t - 0.5) * tall + (t > T ? 10 : 0);
    const text = (x, y, words, attributes) => element("text", { x, y, ...attributes }, words);
    const middle = { "text-anchor": "middle" }, end = { "text-anchor": "end" };
    const most = Math.max(...shares.flat()), length = (value) => (value ? value.toFixed(3) : "0");
    const cell = (t, s, attributes) => element("rect", { x: x(s) - wide / 2 + 2, y: y(t) - tall / 2 + 2,
      width: wide - 4, height: tall - 4, rx: 4, ...attributes });
    const frame = [
      text(x(T / 2 + 0.5), 22, "use of U in step", middle), text(2, 48, "loss"),
      text(x(T + 1), 22, "all", middle), text(x(T + 1), 48, "uses", middle),
      text(left - 8, y(T + 1) + 6, "all", end),
      ...steps.flatMap((step) => [text(x(step), 48, String(step), middle),
        text(left - 8, y(step) + 6, String(step), end)]),
      ...shares.flatMap((row, at) => row.map((value, use) =>
        cell(at + 1, use + 1, { class: "ground", "fill-opacity": 0.4 * value / most })))];
    let loss = 5, use = 3, counted = 1;
    const marks = element("g");
    const draw = () => {
      const mask = this.counted(T, counted), counts = (t, s) => mask[t - 1][s - 1];
      const value = shares[loss - 1][use - 1], far = loss - use;
      const number = (inked) => ({ class: inked ? "in-box ink" : "in-box" });
      marks.replaceChildren(
        element("rect", { x: x(1) - wide / 2, y: y(loss) - tall / 2, width: T * wide, height: tall, class: "half",
          fill: "none" }),
        element("rect", { x: x(use) - wide / 2, y: y(1) - tall / 2, width: wide, height: T * tall, class: "half",
          fill: "none" }),
        ...steps.flatMap((t) => steps.filter((s) => s > 1 && s <= t && !counts(t, s)).map((s) =>
          element("line", { x1: x(s) - 30, x2: x(s) + 30, y1: y(t) + 13, y2: y(t) - 13, class: "dashed" }))),
        cell(loss, use, { class: "solid", "fill-opacity": 0.15 }),
        ...steps.flatMap((t) => steps.map((s) => text(x(s), y(t) + 1, length(shares[t - 1][s - 1]),
          number(shares[t - 1][s - 1] && counts(t, s))))),
        ...steps.map((t) => text(x(T + 1), y(t) + 1, length(losses[t - 1]), number(t === loss))),
        ...steps.map((s) => text(x(s), y(T + 1) + 1, length(uses[s - 1]), number(s === use))));
      const back = `${far} step${far === 1 ? "" : "s"} back`;
      const found = far < 0 ? "The loss does not depend on a use that comes after it: no share."
        : use === 1 ? "That use multiplied a state of zero: no share."
        : `Its share has the length ${length(value)}, ${far ? back : "from its own step"}, and is ` +
          `${counts(loss, use) ? "counted" : "left out"}.`;
      const missing = errors[counted - 1] < 1e-6 ? "is exact" : `is off by ${(100 * errors[counted - 1]).toFixed(0)}%`;
      const which = counted === 1 ? "only the use in its own step" : counted < T ? `its latest ${counted} uses`
        : "all its uses";
      say(`Loss of step ${loss}, use in step ${use}. ${found} All uses for this loss: length ` +
        `${length(losses[loss - 1])}; all losses for this use: ${length(uses[use - 1])}. If each loss counts ` +
        `${which}, the gradient of U ${missing}.`);
    };
    const pick = (label, value, set) => slider({ label, min: 1, max: T, step: 1, value },
      (step) => { set(step); draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      pick("loss of step", loss, (step) => { loss = step; }), pick("use in step", use, (step) => { use = step; }),
      pick("uses that a loss counts", counted, (step) => { counted = step; }));
    draw();
  },
};
