// What the error of the answer asks of each score: its weight, times how far its value is from the context, times it.
Unrolled.figures.push = {
  WORDS: ["17", "March", "2026"],
  KEYS: [[1, 0], [0, 2], [2, 0]],
  VALUES: [7, 3, 6],
  QUERIES: [[0, 1], [3, 0], [6, 0]],

  forward(query, keys, values) {
    const a = Unrolled.softmax(keys.map((key) => key[0] * query[0] + key[1] * query[1]));
    return [a, a.reduce((sum, weight, s) => sum + weight * values[s], 0)];
  },

  // The derivatives of half the squared error for the scores
  d_e(query, keys, values, target) {
    const [a, c] = this.forward(query, keys, values);
    return a.map((weight, s) => weight * (values[s] - c) * (c - target));
  },

  // The query after some steps of gradient descent
  descend(query, keys, values, target, steps, rate = 0.2) {
    for (let step = 0; step < steps; step++) {
      const d = this.d_e(query, keys, values, target);
      query = query.map((number, at) => number - rate * d.reduce((sum, slope, s) => sum + slope * keys[s][at], 0));
    }
    return query;
  },

  show(stage, say) {
    const { element, menu, signed, slider } = Unrolled, { WORDS: words, KEYS: keys, VALUES: values } = this;
    const W = 640, H = 316, middle = 320, unit = 42, gates = ["output", "forget", "input"];
    const pair = (numbers) => `(${numbers.map((number) => signed(Number(number.toFixed(3)))).join(", ")})`;
    const text = (x, y, words, anchor = "start", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const row = (s) => 84 + 76 * s;
    let start = 0, steps = 0, target = 3;
    const fixed = [
      text(0, 24, "weight"), text(middle, 24, "value − context", "middle"), text(W, 24, "for the score", "end"),
      element("line", { x1: middle, x2: middle, y1: 44, y2: row(2) + 36, class: "axis" }),
      ...words.map((word, s) => text(0, row(s) - 4, word, "start", "ink"))];
    const moving = element("g");
    const draw = () => {
      const query = this.descend(this.QUERIES[start], keys, values, target, steps);
      const [a, c] = this.forward(query, keys, values), d = this.d_e(query, keys, values, target), error = c - target;
      const small = (slope) => (slope && Math.abs(slope) < 0.0005 ? `${slope < 0 ? "above −" : "below "}0.001`
        : signed(slope, 3));
      const way = (slope) => (Math.abs(slope) < 0.0005 ? "hardly moves" : slope > 0 ? "falls" : "rises");
      moving.replaceChildren(
        ...words.flatMap((_, s) => {
          const off = values[s] - c, thick = Math.max(1.5, 64 * a[s]);
          return [
            text(0, row(s) + 24, a[s] < 0.0005 ? "< 0.001" : a[s].toFixed(3)),
            element("rect", { x: middle + Math.min(0, off * unit), y: row(s) - thick / 2, width: Math.abs(off * unit),
              height: thick, class: `bar open gate-${gates[s]}` }),
            text(middle + (off > 0 ? -10 : 10), row(s) + 6, signed(off, 3), off > 0 ? "end" : "start"),
            text(W, row(s) - 4, signed(d[s], 3), "end", "ink"), text(W, row(s) + 24, way(d[s]), "end")];
        }),
        text(W / 2, H - 6, `context ${c.toFixed(3)}, error ${signed(error, 3)}`, "middle", "ink"));
      const each = words.map((word, s) => `${word} has ${a[s] < 0.0005 ? "less than 0.001" : a[s].toFixed(3)} of the ` +
        `weight and gets ${small(d[s])}`);
      const moves = words.filter((_, s) => d[s] < -0.0005), done = `${steps} step${steps === 1 ? "" : "s"}`;
      say(`After ${done} the query is ${pair(query)} and the context ${c.toFixed(3)}; the right answer is ` +
        `${target}, the error ${signed(error, 3)}. Derivatives for the scores: ${each.join("; ")}. ` +
        (moves.length ? `Descent raises the score of ${moves.join(" and ")}.` : "Descent raises no score by much."));
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...fixed, moving),
      menu("query at the start", this.QUERIES.map(pair), start, (place) => { start = place; draw(); }),
      slider({ label: "steps of gradient descent", min: 0, max: 50, step: 1, value: steps },
        (value) => { steps = value; draw(); }),
      slider({ label: "right answer", min: 3, max: 7, step: 0.5, value: target },
        (value) => { target = value; draw(); }));
    draw();
  },
};
