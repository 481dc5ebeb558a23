// Other weights with the same answer: what the values leave free, exactly or to within a tolerance.
Unrolled.figures.others = {
  WORDS: ["17", "March", "2026"],
  VALUES: [7, 3, 6],
  SCORES: [0, 2, 0],

  answer(weights, values) {
    return weights.reduce((sum, weight, s) => sum + weight * values[s], 0);
  },

  // The corners of the set of all weights, none negative, one in sum, whose answer is at most `tolerance` from `answer`
  corners(values, answer, tolerance) {
    const found = [], unit = (s) => values.map((_, at) => Number(at === s));
    values.forEach((value, s) => {
      if (Math.abs(value - answer) <= tolerance) found.push(unit(s));
      for (let other = s + 1; other < values.length; other++) {
        for (const wanted of tolerance ? [answer - tolerance, answer + tolerance] : [answer]) {
          const share = (wanted - values[other]) / (value - values[other]);        // of s, the rest to the other
          const corner = unit(s).map((whole, at) => (at === other ? 1 - share : whole && share));
          if (share >= 0 && share <= 1) found.push(corner);
        }
      }
    });
    return found;
  },

  // Half the sum of the absolute differences
  variation(a, b) {
    return a.reduce((sum, weight, s) => sum + Math.abs(weight - b[s]), 0) / 2;
  },

  // Those of them that are farthest from a; the distance is convex, so they are at a corner
  farthest(a, values, tolerance) {
    return this.corners(values, this.answer(a, values), tolerance)
      .reduce((best, corner) => (this.variation(a, corner) > this.variation(a, best) + 1e-12 ? corner : best), a);
  },

  show(stage, say) {
    const { element, slider, softmax } = Unrolled, { WORDS: words } = this, own = softmax(this.SCORES);
    const values = [...this.VALUES];
    const W = 640, H = 344, bar = [130, 330], gates = ["output", "forget", "input"], line = 262;
    const at = (value) => 20 + (value - 3) * 150;
    const text = (x, y, words, anchor = "start", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const row = (s) => 62 + 54 * s;
    let tolerance = 0, far = 0;
    const fixed = [
      text(bar[0], 24, "own weight dashed"), text(W, 24, "other", "end"),
      ...words.map((word, s) => text(0, row(s) + 6, word)),
      element("line", { x1: at(3), x2: at(7), y1: line, y2: line, class: "axis" })];
    const moving = element("g");
    const draw = () => {
      const answer = this.answer(own, values);
      const aim = this.farthest(own, values, tolerance);
      const b = own.map((weight, s) => weight + far * (aim[s] - weight)), other = this.answer(b, values);
      moving.replaceChildren(
        ...values.flatMap((value, s) => [
          text(at(value), line + (s < 2 ? 40 : 72), `${words[s]}: ${value}`,
            value < 3.5 ? "start" : value > 6.5 ? "end" : "middle"),
          element("line", { x1: at(value), x2: at(value), y1: line - 8, y2: line + 8, class: "axis" })]),
        ...b.flatMap((weight, s) => [
          element("rect", { x: bar[0], y: row(s) - 20, width: bar[1] * weight, height: 40,
            class: `bar open gate-${gates[s]}` }),
          element("path", { d: `M${bar[0] + bar[1] * own[s]},${row(s) - 24} V${row(s) + 24}`, class: "half" }),
          text(W, row(s) + 6, weight.toFixed(3), "end", "ink")]),
        element("path", { class: "thick",
          d: `M${at(Math.max(3, answer - tolerance))},${line} H${at(answer + tolerance)}` }),
        element("circle", { cx: at(other), cy: line, r: 8, class: "thick" }),
        text(at(other) + 14, line - 16, `answer ${other.toFixed(3)}`, "start", "ink"));
      const moved = Math.abs(other - answer);
      say(`Values ${values.join(", ")}. The answer may move by ${tolerance.toFixed(2)}. ` +
        `${(100 * far).toFixed(0)}% of the way to the farthest weights: ` +
        `${words.map((word, s) => `${word}: ${b[s].toFixed(3)} instead of ${own[s].toFixed(3)}`).join(", ")}. ` +
        `${(100 * this.variation(own, b)).toFixed(0)}% of the weight lies elsewhere, and the answer ` +
        `${moved < 5e-4 ? `is still ${other.toFixed(3)}` : `moves by ${moved.toFixed(3)} to ${other.toFixed(3)}`}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...fixed, moving),
      slider({ label: "way to the farthest weights", min: 0, max: 1, step: 0.1, value: far,
        says: (share) => `${Math.round(100 * share)}%` },
        (value) => { far = value; draw(); }),
      slider({ label: "the answer may move by", min: 0, max: 1, step: 0.05, value: tolerance,
        says: (value) => value.toFixed(2) },
        (value) => { tolerance = value; draw(); }),
      slider({ label: "value of 2026", min: 3, max: 7, step: 0.5, value: values[2] },
        (value) => { values[2] = value; draw(); }));
    draw();
  },
};
