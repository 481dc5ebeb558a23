// What a step still counts at later ones: in an LSTM's cell, in its state, and in attention. The page hands over the
// gates (T, H) of its layer and the weights (T, S) of its head.
Unrolled.figures.sums = {
  // The shares in the cell and in the state of a unit at each step t >= s, for s from 0
  of(gates, unit, s) {
    const { i, f, g, o } = gates, share = [], shown = [];
    let c = 0;
    for (let t = 0, left; t < f.length; t++) {
      c = f[t][unit] * c + i[t][unit] * g[t][unit];
      left = t < s ? 0 : t === s ? i[t][unit] : left * f[t][unit];
      if (t >= s) {
        share.push(left);
        shown.push(o[t][unit] * Math.tanh(c) / c * left);
      }
    }
    return [share, shown];
  },

  // At how many later steps a share is greater than at the step before
  rises(share) {
    return share.slice(1).filter((value, at) => value > share[at]).length;
  },

  show(stage, say, data) {
    const { element, slider } = Unrolled, steps = data.f.length, units = data.f[0].length;
    const W = 640, H = 340, left = 96, right = 18, top = 44, bottom = 44, floor = 1e-4;
    const looks = [["cell", "forget", ""], ["state", "output", "9 5"], ["attention", "update", "2 4"]];
    const x = (t) => left + (W - left - right) * t / (steps - 1);
    const y = (share) => top + (H - top - bottom) * Math.log10(Math.max(share, floor)) / Math.log10(floor);
    const text = (x, y, words, anchor = "start") =>
      element("text", { x, y, "text-anchor": anchor }, words);
    const stroke = ([, colour, dashes]) =>
      `fill: none; stroke: var(--gate-${colour}); stroke-width: 3; stroke-dasharray: ${dashes || "none"}`;
    const frame = [
      ...[1, 0.1, 0.01, 0.001, floor].flatMap((share) => [
        element("line", { x1: left, x2: W - right, y1: y(share), y2: y(share),
          class: share > floor ? "grid" : "axis" }),
        text(left - 8, y(share) + 7, share > floor ? String(share) : "less", "end")]),
      ...[1, 10, 20, steps].map((t) => text(x(t - 1), H - 12, String(t), "middle")),
      text(x(14), H - 12, "step t", "middle"), text(0, 26, "share"),
      ...looks.flatMap((look, at) => [
        element("line", { x1: 90 + 180 * at, x2: 130 + 180 * at, y1: 20, y2: 20, style: stroke(look) }),
        text(138 + 180 * at, 26, look[0])])];
    const moving = element("g");
    let s = 5, unit = 0;
    const draw = () => {
      const found = [...this.of(data, unit, s - 1), data.attention.slice(s - 1).map((row) => row[s - 1])];
      moving.replaceChildren(...found.flatMap((share, at) => [
        element("path", { d: `M${share.map((value, k) => `${x(s - 1 + k)},${y(value)}`).join("L")}`,
          style: stroke(looks[at]) }),
        element("circle", { cx: x(s - 1), cy: y(share[0]), r: 6, style: `fill: var(--gate-${looks[at][1]})` })]));
      const n = (value) => (value < floor ? "less than 0.0001" : value.toPrecision(2));
      const later = steps - s, [share, shown, weight] = found;
      const best = weight.indexOf(Math.max(...weight));
      say(`Step ${s} has a share of ${n(share[0])} in the cell of unit ${unit + 1} when it is written, and ` +
        `${n(share.at(-1))} after step ${steps}. From step to step the share rises at ${this.rises(share)} of the ` +
        `${later} later ones in the cell, at ${this.rises(shown)} in the state and at ${this.rises(weight)} in ` +
        `attention, where the greatest, ${n(weight[best])}, comes ` +
        `${best ? `${best} step${best > 1 ? "s" : ""} later` : "at once"}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, moving),
      slider({ label: "a step s of the past", min: 1, max: steps - 1, step: 1, value: s },
        (value) => { s = value; draw(); }),
      slider({ label: "unit of the LSTM", min: 1, max: units, step: 1, value: 1 },
        (value) => { unit = value - 1; draw(); }));
    draw();
  },
};
