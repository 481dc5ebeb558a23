// The gradient of the scores of one query: each weight times what its value is better than the mean.
Unrolled.figures["score-slopes"] = {
  softmax_backward(d_weights, weights) {
    const mean = d_weights.reduce((sum, slope, s) => sum + slope * weights[s], 0);
    return d_weights.map((slope, s) => weights[s] * (slope - mean));
  },

  // Output and gradient of the scores where the loss is the output: the gradient of a weight is then its value.
  attend(scores, values) {
    const weights = Unrolled.softmax(scores);
    const output = weights.reduce((sum, weight, s) => sum + weight * values[s], 0);
    return { weights, output, d_scores: this.softmax_backward(values, weights) };
  },

  show(stage, say) {
    const { element, signed, slider, switches } = Unrolled;
    const colours = ["output", "forget", "input"].map((gate) => `var(--gate-${gate})`);
    const W = 640, H = 330, left = 30, right = 610, line = 100;
    const x = (value) => left + (value + 2) * (right - left) / 10;
    const text = (x, y, words, anchor = "middle", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const columns = [96, 240, 400, 600], row = (s) => 252 + 36 * s;
    const frame = [
      element("line", { x1: left, x2: right, y1: line, y2: line, class: "axis" }),
      ...[-2, 0, 2, 4, 6, 8].map((value) => text(x(value), line + 76, signed(value))),
      ...["key", "weight a", "v − mean", "gradient"].map((name, n) => text(columns[n], 214, name, "end"))];
    const moving = element("g"), values = [4, 0, 2];
    let ratio = 3, third = false, added = 0;
    const draw = () => {
      const n = third ? 3 : 2, scores = [Math.log(ratio), 0, 0].slice(0, n).map((score) => score + added);
      const { weights, output, d_scores } = this.attend(scores, values.slice(0, n));
      moving.replaceChildren(
        element("line", { x1: x(output), x2: x(output), y1: line - 26, y2: line + 26, class: "half" }),
        text(Math.min(Math.max(x(output), 70), 560), 22, `mean ${signed(output, 2)}`, "middle", "ink"),
        ...weights.flatMap((weight, s) => {
          const at = x(values[s]), slope = d_scores[s], tip = line - 38 * Math.max(-1, Math.min(1, slope));
          const radius = 4 + 16 * Math.sqrt(weight), colour = colours[s];
          return [
            element("circle", { cx: at, cy: line, r: radius, "fill-opacity": 0.4,
              style: `fill: ${colour}; stroke: ${colour}` }),
            ...(Math.abs(slope) < 0.005 ? [] : [
              element("line", { x1: at, x2: at, y1: line, y2: tip, style: `stroke: ${colour}; stroke-width: 5` }),
              element("path", { d: slope > 0 ? "M-10 0L10 0L0 -14Z" : "M-10 0L10 0L0 14Z",
                transform: `translate(${at} ${tip})`, style: `fill: ${colour}` })]),
            element("circle", { cx: 12, cy: row(s) - 6, r: 9, style: `fill: ${colour}` }),
            text(columns[0], row(s), String(s + 1), "end"), text(columns[1], row(s), weight.toFixed(3), "end"),
            text(columns[2], row(s), signed(values[s] - output, 2), "end"),
            text(columns[3], row(s), signed(slope, 3), "end", "ink")];
        }));
      const each = weights.map((weight, s) =>
        `key ${s + 1}: weight ${weight.toFixed(3)}, value ${signed(values[s])}, ` +
        `${Math.abs(values[s] - output).toFixed(2)} ${values[s] < output ? "below" : "above"} the mean, gradient of ` +
        `its score ${signed(d_scores[s], 3)}`);
      say(`Mean ${signed(output, 2)}${added ? `, with ${added} added to every score, which changes nothing` : ""}. ` +
        `For ${each.join("; ")}. The gradients add up to ` +
        `${signed(d_scores.reduce((sum, slope) => sum + slope, 0), 3)}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, moving),
      slider({ label: "weight, key 1 : key 2", min: 1, max: 40, step: 1, value: ratio,
        says: (now) => `${now} : 1` }, (now) => { ratio = now; draw(); }),
      slider({ label: "value of key 2", gate: "forget", min: -2, max: 8, step: 0.5, value: values[1],
        says: (now) => signed(now) }, (now) => { values[1] = now; draw(); }),
      slider({ label: "added to all scores", min: 0, max: 100, step: 10, value: 0 },
        (now) => { added = now; draw(); }),
      switches("a third key", ["of value 2"], [], ([on]) => { third = on; draw(); }));
    draw();
  },
};
