// Two questions at once: one softmax over all four numbers mixes the answers, and heads answer side by side.
Unrolled.figures.heads = {
  KEYS: [[2, 0, 0, 0], [0, 0, 0, 2]],
  VALUES: [[8, 8, 8, 8], [2, 2, 2, 2]],
  HEADS: [1, 2, 4],

  // Each head attends to its part of query, keys and values; what they found stands side by side.
  attend(query, keys, values, num_heads) {
    const wide = query.length / num_heads, heads = Array.from({ length: num_heads }, (_, j) => j);
    const part = (vector, j) => vector.slice(j * wide, (j + 1) * wide);
    const dot = (a, b) => a.reduce((sum, number, n) => sum + number * b[n], 0);
    const weights = heads.map((j) =>
      Unrolled.softmax(keys.map((key) => dot(part(query, j), part(key, j)) / Math.sqrt(wide))));
    const output = heads.flatMap((j) =>
      part(values[0], j).map((_, n) => dot(weights[j], values.map((value) => part(value, j)[n]))));
    return { weights, output };
  },

  show(stage, say) {
    const { element, signed, slider, menu } = Unrolled, { KEYS: keys, VALUES: values, HEADS: counts } = this;
    const W = 640, H = 366, left = 136, wide = (W - left) / 4, middle = (n) => left + (n + 0.5) * wide;
    const rows = { query: 30, "key A": 70, "key B": 110, "weights": 166 }, bottom = 350, top = 248;
    const height = (number) => bottom - (bottom - top) * number / 8;
    const text = (x, y, words, anchor = "middle", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const line = (x1, y1, x2, y2, look) => element("line", { x1, y1, x2, y2, class: look });
    const frame = [
      ...Object.entries(rows).map(([name, y]) => text(0, y, name, "start")),
      ...keys.flatMap((key, s) => key.map((number, n) => text(middle(n), rows[`key ${"AB"[s]}`], signed(number)))),
      ...[[8, "A gives 8"], [2, "B gives 2"], [0, ""]].flatMap(([number, words]) => [
        line(left, height(number), W, height(number), number ? "grid" : "axis"),
        text(0, height(number) + 6, words, "start")])];
    const moving = element("g"), query = [2, 0, 0, 2];
    let at = 0;
    const draw = () => {
      const h = counts[at], { weights, output } = this.attend(query, keys, values, h), span = 4 * wide / h;
      moving.replaceChildren(
        ...query.map((number, n) => text(middle(n), rows.query, signed(number), "middle", "ink")),
        ...weights.flatMap(([a, b], j) => {
          const x = left + j * span + 5, size = span - 10;
          return [
            element("rect", { x: x - 3, y: 4, width: size + 6, height: 202, rx: 6, class: "box" }),
            element("rect", { x, y: 180, width: size * a, height: 20, class: "bar gate-output" }),
            element("rect", { x: x + size * a, y: 180, width: size * b, height: 20, class: "bar open gate-forget" }),
            text(x + size / 2, rows.weights, h < 4 ? `A ${a.toFixed(2)}, B ${b.toFixed(2)}` : `A ${a.toFixed(2)}`)];
        }),
        ...output.flatMap((number, n) => [
          line(middle(n) - 26, height(number), middle(n) + 26, height(number), "thick"),
          line(middle(n), bottom, middle(n), height(number), "thick"),
          text(middle(n), height(number) - 8, number.toFixed(2), "middle", "ink")]));
      const each = weights.map(([a], j) => 
        `A has the weight ${a.toFixed(3)}${h > 1 ? ` in head ${j + 1}` : ""}`);
      const read = output[0] > 7 && output[3] < 3;
      const both = query[0] && query[3];
      say(`Query (${query.map((number) => signed(number)).join(", ")}), ${h} head${h > 1 ? "s" : ""} of ${4 / h} ` +
        `number${h < 4 ? "s" : ""}: ${each.join(", ")}. ` +
        `Output (${output.map((number) => number.toFixed(2)).join(", ")}). ` +
        (read ? "Both answers stand side by side: the first number is nearly A's, the last nearly B's." :
          h === 1 ? `All four numbers are the same mixture${both ? ", so neither answer can be read by itself" : ""}.` :
          "A head that asks weakly mixes A and B.") +
        (h === 4 ? " The middle heads have nothing to compare and take the plain mean." : ""));
    };
    const asks = (name, n) => slider({ label: `asks for ${name}`, min: 0, max: 6, step: 0.5, value: query[n],
      gate: n ? "forget" : "output", says: (number) => signed(number) }, (value) => { query[n] = value; draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, moving),
      menu("heads", counts.map((h) => `${h} head${h > 1 ? "s" : ""} of ${4 / h}`), at,
        (place) => { at = place; draw(); }),
      asks("A", 0), asks("B", 3));
    draw();
  },
};
