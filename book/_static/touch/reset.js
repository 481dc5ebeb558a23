// The reset gate before the matrix U and after it, for two units with the old state (1, -1).
Unrolled.figures.reset = {
  STATE: [1, -1],

  // The old state's road to the candidate: h, the numbers after the first of gate and matrix, after the second, and n.
  road(h, r, U, resetAfter) {
    const gate = (v) => v.map((value, k) => r[k] * value);
    const matrix = (v) => U.map((row) => row.reduce((sum, weight, k) => sum + weight * v[k], 0));
    const first = resetAfter ? matrix(h) : gate(h), second = resetAfter ? gate(first) : matrix(first);
    return [h, first, second, second.map(Math.tanh)];
  },

  show(stage, say) {
    const { element, slider, switches } = Unrolled, h = this.STATE;
    const W = 640, H = 376, columns = [60, 233, 406, 579], side = 84, tall = 36;
    const start = columns[0] - side / 2, end = columns[3] + side / 2;
    const number = (value) => Unrolled.signed(Number(value.toFixed(2)));
    const pair = (values) => `(${values.map(number).join(", ")})`;
    const text = (x, y, words, anchor = "middle") => element("text", { x, y, "text-anchor": anchor }, words);
    let r2 = 0, shared = false, own = false, other = true;
    const marks = element("g");
    // A wire is as thick as the number on it is large, and dashed where nothing passes.
    const wire = (column, y1, y2, value, kind) => element("line", { y1, y2, x1: columns[column] + side / 2,
      x2: columns[column + 1] - side / 2, class: value ? kind : "axis",
      "stroke-width": 1 + 4 * Math.abs(value), "stroke-dasharray": value ? "none" : "3 6" });
    const drawn = (road, top, r, resetAfter) => {
      const lines = [top, top + 62], gateAt = Number(resetAfter), matrixAt = 1 - gateAt;
      const middle = (column) => (columns[column] + columns[column + 1]) / 2;
      return [
        ...lines.flatMap((y, k) => [
          wire(gateAt, y, y, road[gateAt + 1][k], "bar gate-reset"), text(middle(gateAt), y - 9, `× ${number(r[k])}`),
          ...(own ? [wire(matrixAt, y, y, road[matrixAt][k], "axis")] : []),
          ...(other ? [wire(matrixAt, lines[1 - k], y, road[matrixAt][1 - k], "axis")] : []),
          wire(2, y, y, road[3][k], "axis")]),
        text(middle(matrixAt), top - 9, "U"), text(middle(2), top - 9, "tanh"),
        ...road.flatMap((values, column) => values.flatMap((value, k) => [
          element("rect", { x: columns[column] - side / 2, y: lines[k] - tall / 2, width: side, height: tall, rx: 5,
            class: column === 3 ? "bar open gate-candidate" : "box" }),
          element("text", { x: columns[column], y: lines[k] + 1, class: "in-box" }, number(value))]))];
    };
    const draw = () => {
      const r = [shared ? r2 : 1, r2], U = [[Number(own), Number(other)], [Number(other), Number(own)]];
      const before = this.road(h, r, U, false), after = this.road(h, r, U, true);
      const apart = Math.max(...before[3].map((value, k) => Math.abs(value - after[3][k])));
      marks.replaceChildren(...drawn(before, 76, r, false), ...drawn(after, 252, r, true),
        text(end, 204, apart > 1e-12 ? "candidates differ" : "candidates agree", "end"));
      const reads = own && other ? "both memories" : own ? "its own memory" : other ? "the other's memory" : "nothing";
      const reason = !own && !other ? "because nothing is read" : r[0] === r[1] ? "because the two gates are equal"
        : "because no unit reads the other's memory";
      say(`${shared ? "One reset gate for both units" : "Reset gates"}, r = ${pair(r)}; each unit reads ${reads}. ` +
        `The candidate n is ${pair(before[3])} with the reset before the matrix and ${pair(after[3])} with the reset ` +
        `after it. ${apart > 1e-12 ? `The two differ by up to ${number(apart)}.` : `The two agree, ${reason}.`}`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" },
        text(start, 28, "reset before U", "start"), text(start, 204, "reset after U", "start"),
        text(start, 364, "old state h", "start"), text(end, 364, "candidate n", "end"), marks),
      slider({ label: "reset gate of unit 2", gate: "reset", min: 0, max: 1, step: 0.05, value: r2,
        says: (value) => value.toFixed(2) }, (value) => { r2 = value; draw(); }),
      switches("reset gate of unit 1", ["the same"], [], ([on]) => { shared = on; draw(); }),
      switches("each unit reads", ["its own memory", "the other's memory"], [1],
        (on) => { [own, other] = on; draw(); }));
    draw();
  },
};
