// Where every head of a trained model looks from one character of a line, and one head's weights in full.
Unrolled.figures["head-maps"] = {
  // What a query looks at, most first, and how many places back on average
  looks(weights) {
    const own = weights.length - 1;
    const order = weights.map((weight, s) => [s, weight]).sort(([, a], [, b]) => b - a);
    return { order, back: weights.reduce((sum, weight, s) => sum + weight * (own - s), 0) };
  },

  show(stage, say, { letters, weights }) {
    const { element, slider, menu } = Unrolled, line = [...letters], count = line.length;
    const names = weights.flatMap((heads, block) => heads.map((_, head) => `block ${block + 1}, head ${head + 1}`));
    const maps = weights.flat(), side = 31, left = 62, at = (s) => left + (s + 0.5) * side;
    const W = 640, floor = 150, tall = 116, row = (head) => 194 + 30 * head, H = row(maps.length) + 4;
    const text = (x, y, words, anchor = "middle", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const rect = (x, y, width, height, look, more = {}) =>
      element("rect", { x, y, width, height, class: look, ...more });
    const frame = [
      ...[0, 1].flatMap((level) => [
        element("line", { x1: left, x2: left + count * side, y1: floor - tall * level, y2: floor - tall * level,
          class: level ? "grid" : "axis" }),
        text(left - 10, floor - tall * level + 6, String(level), "end")]),
      ...names.map((_, head) => text(left - 10, row(head) + 20,
        `${Math.floor(head / weights[0].length) + 1}.${head % weights[0].length + 1}`, "end"))];
    const moving = element("g");
    let head = 0, t = Math.min(12, count - 2);
    const draw = () => {
      const seen = maps.map((map) => map[t].slice(0, t + 1)), { order, back } = this.looks(seen[head]);
      const [[most, share]] = order;
      moving.replaceChildren(
        rect(at(t) - side / 2, floor + 4, side, 32, "box", { rx: 4, "stroke-width": 3 }),
        ...line.map((letter, s) => text(at(s), floor + 27, letter, "middle", s > t ? "" : "ink")),
        ...seen[head].map((weight, s) => rect(at(s) - 11, floor - tall * weight, 22, tall * weight, "bar gate-output")),
        text(Math.min(at(most), W - 30), floor - tall * share - 10, share.toFixed(2), "middle", "ink"),
        ...seen.flatMap((given, j) => given.map((weight, s) => rect(at(s) - side / 2 + 1, row(j) + 2, side - 2, 26,
          "bar gate-output", { "fill-opacity": weight, "stroke-opacity": 0.25 }))),
        rect(left - 3, row(head) - 1, count * side + 6, 32, "box", { rx: 4, "stroke-width": 3 }));
      const place = ([s, weight]) =>
        `“${line[s]}” in place ${s + 1}${s === t ? ", itself," : ""} with ${weight.toFixed(2)}`;
      const listed = order.slice(0, 3).map(place);
      say(`${names[head][0].toUpperCase()}${names[head].slice(1)}: “${line[t]}” in place ${t + 1} looks at ` +
        `${listed.length > 1 ? `${listed.slice(0, -1).join(", ")} and ${listed.at(-1)}` : listed[0]}. ` +
        `On average it looks ${back.toFixed(1)} places back.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, moving),
      slider({ label: "character that asks", min: 1, max: count, step: 1, value: t + 1,
        says: (value) => `${value} ${line[value - 1]}` }, (value) => { t = value - 1; draw(); }),
      menu("head", names, head, (chosen) => { head = chosen; draw(); }));
    draw();
  },
};
