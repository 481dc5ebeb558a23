// One query, three keys: scores q . k_s, weights softmax(scores), and the context, the mean of the values so weighted.
Unrolled.figures.query = {
  WORDS: ["17", "March", "2026"],
  KEYS: [[1, 0], [0, 2], [2, 0]],
  VALUES: [7, 3, 6],

  softmax: Unrolled.softmax,

  // The context and the weights of one query; `scale` is what the package has in place of 1 / sqrt(k), 1 on this page.
  scaled_dot_product(q, keys, values, scale) {
    const dot = (a, b) => a.reduce((sum, number, at) => sum + number * b[at], 0);
    const weights = this.softmax(keys.map((key) => scale * dot(q, key)));
    return [dot(weights, values), weights];
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled, { WORDS: words, KEYS: keys, VALUES: values } = this;
    const colours = ["output", "forget", "input"].map((gate) => `var(--gate-${gate})`);    // as in the plot of the page
    const ink = "var(--pst-color-text-base)";
    const filled = (name, attributes, colour) => element(name, { ...attributes, style: `fill: ${colour}` });
    const drawn = (x1, y1, x2, y2, width) =>
      element("line", { x1, y1, x2, y2, style: `stroke: ${ink}; stroke-width: ${width}` });
    const W = 640, H = 316, low = -2, high = 4, unit = 42;
    const x = (number) => 30 + (number - low) * unit, y = (number) => 18 + (high - number) * unit;
    const share = (weight) => (weight < 0.0005 ? "< 0.001" : weight.toFixed(3));            // small, but never zero
    const text = (x, y, words, anchor = "start", style = "") =>
      element("text", { x, y, "text-anchor": anchor, style }, words);

    // The plane, with the keys where their two numbers put them
    const counts = Array.from({ length: high - low + 1 }, (_, at) => low + at);
    const plane = counts.flatMap((number) => [
      element("line", { x1: x(number), x2: x(number), y1: y(low), y2: y(high), class: number ? "grid" : "axis" }),
      element("line", { x1: x(low), x2: x(high), y1: y(number), y2: y(number), class: number ? "grid" : "axis" })]);
    plane.push(text(x(high) - 4, y(low) - 10, "number →", "end"), text(x(0) + 8, y(high) + 18, "↑ name"),
      ...[-2, 0, 2, 4].map((number) => text(x(number), y(low) + 24, signed(number), "middle")),
      ...[0, 2, 4].map((number) => text(x(low) - 4, y(number) + 6, signed(number), "end")));
    const shown = keys.flatMap(([first, second], s) => [
      filled("circle", { cx: x(first), cy: y(second), r: 8 }, colours[s]),
      second ? text(x(first) - 10, y(second) - 14, words[s], "end") : text(x(first) - 10, y(second) + 28, words[s])]);

    // Rows of word, score and weight, and below them the values on a line, in balance at the context
    const row = (s) => 62 + 38 * s, bar = [426, 136], line = 226;
    const at = (value) => 318 + (value - 3) * 73;
    const rows = words.map((word, s) => text(292, row(s), word));
    rows.push(text(416, 24, "score", "end"), text(bar[0], 24, "weight"),
      element("line", { x1: at(3) - 24, x2: at(7) + 24, y1: line, y2: line, class: "axis" }),
      ...values.map((value, s) => text(at(value), line - 26, words[s], "middle")),
      ...[3, 4, 5, 6, 7].map((value) => text(at(value), line + 36, String(value), "middle")));

    const query = [0, 1], arrow = element("g"), moving = element("g");
    const draw = () => {
      const [context, weights] = this.scaled_dot_product(query, keys, values, 1);
      const scores = keys.map((key) => query[0] * key[0] + query[1] * key[1]);
      const length = Math.hypot(...query), [across, up] = length ? [query[0] / length, -query[1] / length] : [0, 0];
      const [tipX, tipY] = [x(query[0]), y(query[1])];
      const corner = (back, side) => `${tipX - back * across - side * up},${tipY - back * up + side * across}`;
      arrow.replaceChildren(
        drawn(x(0), y(0), tipX - 6 * across, tipY - 6 * up, 4),
        length ? filled("path", { d: `M${tipX},${tipY} L${corner(16, 8)} L${corner(16, -8)} Z` }, ink)
          : filled("circle", { cx: tipX, cy: tipY, r: 5 }, ink));
      moving.replaceChildren(
        ...scores.map((score, s) => text(416, row(s), signed(score), "end")),
        ...weights.flatMap((weight, s) => [
          filled("rect", { x: bar[0], y: row(s) - 18, width: Math.max(1, bar[1] * weight), height: 24 }, colours[s]),
          text(bar[0] + bar[1] * weight + 6, row(s), share(weight), "start", `fill: ${ink}`),
          filled("circle", { cx: at(values[s]), cy: line, r: 18 * Math.sqrt(weight) }, colours[s])]),
        drawn(at(context), line - 20, at(context), line + 16, 3),
        text(Math.min(Math.max(at(context), 396), 540), line + 78, `context ${context.toFixed(3)}`, "middle",
          `fill: ${ink}; font-weight: 700`));
      const each = words.map((word, s) => `${word}: score ${signed(scores[s])}, weight ${share(weights[s])}`);
      say(`Query (${query.map((number) => signed(number)).join(", ")}). ${each.join("; ").replaceAll("<", "below")}` +
        `. The context, the mean of the values ${values.join(", ")} with these weights, is ${context.toFixed(3)}.`);
    };
    const number = (name, place) => slider(
      { label: `query: wants a ${name}`, min: low, max: high, step: 0.25, value: query[place],
        says: (number) => signed(number) },
      (value) => { query[place] = value; draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...plane, arrow, ...shown, ...rows, moving),
      number("number", 0), number("name", 1));
    draw();
  },
};
