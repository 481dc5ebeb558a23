// Three words that ask: attention is a mean of values at one end and a look-up at the other, and stays between values.
Unrolled.figures.lookup = {
  WORDS: ["cats", "chase", "mice"],
  QUERIES: [[0, 2], [2, 0], [0, 2]],
  KEYS: [[2, 0], [0, 2], [1, 0]],
  VALUES: [[4, 1], [0, 6], [2, 2]],

  // Row t of scaled dot-product attention: the scores (−∞ where the mask hides a key), their weights and the output
  scaled_dot_product(t, factor, is_causal) {
    const query = this.QUERIES[t].map((number) => factor * number);
    const scores = this.KEYS.map((key, s) =>
      (is_causal && s > t ? -Infinity : (query[0] * key[0] + query[1] * key[1]) / Math.sqrt(query.length)));
    const weights = Unrolled.softmax(scores);
    const output = [0, 1].map((n) => weights.reduce((sum, weight, s) => sum + weight * this.VALUES[s][n], 0));
    return { scores, weights, output };
  },

  show(stage, say) {
    const { element, signed, slider, menu, switches } = Unrolled, { WORDS: words, VALUES: values } = this;
    const colours = ["output", "forget", "input"].map((gate) => `var(--gate-${gate})`);
    const W = 640, H = 312, row = (s) => 88 + 58 * s, bar = [216, 100];
    const x = (first) => 438 + 43 * first, y = (second) => 266 - 40 * second;
    const text = (x, y, words, anchor = "start", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const spot = ([first, second], colour, seen) => element("circle", { cx: x(first), cy: y(second), r: 9,
      style: `fill: ${seen ? colour : "none"}; stroke: ${colour}; stroke-width: 2` });
    const frame = [
      text(196, 34, "score/√2", "end"), text(bar[0], 34, "weight"), text(W - 4, 34, "values", "end"),
      ...words.map((word, s) => text(0, row(s), word)),
      element("line", { x1: x(0), x2: x(4.4), y1: y(0), y2: y(0), class: "axis" }),
      element("line", { x1: x(0), x2: x(0), y1: y(0), y2: y(6), class: "axis" }),
      ...[0, 2, 4].map((first) => text(x(first), y(0) + 28, String(first), "middle")),
      ...[2, 4, 6].map((second) => text(x(0) - 14, y(second) + 6, String(second), "end")),
      element("path", { d: `M${values.map(([a, b]) => `${x(a)} ${y(b)}`).join("L")}Z`, class: "box" }),
      text(x(4), y(1) + 30, words[0], "middle"), text(x(0) + 18, y(6) + 8, words[1]),
      text(x(2), y(2) + 34, words[2], "middle")];
    const moving = element("g");
    let t = 1, factor = 1, causal = false;
    const share = (weight) => (weight && weight < 0.0005 ? "< 0.001" : weight > 0.9995 && weight < 1 ? "> 0.999" :
      weight.toFixed(3));
    const draw = () => {
      const { scores, weights, output } = this.scaled_dot_product(t, factor, causal);
      const score = (s) => (scores[s] === -Infinity ? "−∞" : signed(scores[s], 2));
      moving.replaceChildren(
        ...words.flatMap((_, s) => [
          text(196, row(s), score(s), "end"),
          element("rect", { x: bar[0], y: row(s) + 8, width: Math.max(1, bar[1] * weights[s]), height: 14,
            style: `fill: ${colours[s]}` }),
          text(bar[0], row(s), share(weights[s]), "start", "ink"),
          spot(values[s], colours[s], scores[s] !== -Infinity)]),
        element("circle", { cx: x(output[0]), cy: y(output[1]), r: 7, class: "thick" }),
        text(0, H - 26, `output (${output.map((number) => signed(number, 2)).join(", ")})`, "start", "ink"));
      const each = words.map((word, s) => (scores[s] === -Infinity ? `${word} hidden` :
        `${word} ${share(weights[s])}`.replace("<", "below").replace(">", "above")));
      const most = Math.max(...weights), best = words[weights.indexOf(most)];
      const seen = scores.filter((e) => e > -Infinity), level = seen.every((e) => e === seen[0]);
      const where = seen.length === 1 ? `It sees itself alone, so this is its own value.` :
        level ? `All scores are equal, so this is the plain mean of the values that it sees.` :
        most > 0.999 ? `This is a look-up: almost the value of “${best}” alone.` :
        `It is a mean of the values, with most of the weight on “${best}”.`;
      const asks = `asks with ${factor === 1 ? "" : `${factor} times `}its query`;
      say(`“${words[t]}” ${asks}${causal ? ", under the causal mask" : ""}. ` +
        `Weights: ${each.join(", ")}. Output (${output.map((number) => signed(number, 2)).join(", ")}). ${where}`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, moving),
      slider({ label: "query, times", min: 0, max: 10, step: 0.5, value: factor },
        (value) => { factor = value; draw(); }),
      menu("who asks", words, t, (place) => { t = place; draw(); }),
      switches("causal mask", ["no looking ahead"], [], ([on]) => { causal = on; draw(); }));
    draw();
  },
};
