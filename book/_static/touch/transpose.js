// Two units, one step forward along the rows of U and back down its columns, one number at a time.
Unrolled.figures.transpose = {
  STATE: [0.5, -0.8],

  // Every number in its order: where it stands, and the entries of U that made it; the loss is h₁² + h₂²
  moments(U, old) {
    const found = [];
    const put = (node, unit, value, entries = []) => { found.push({ node, unit, value, entries }); return value; };
    const a = U.map((row, i) => put("a", i, row[0] * old[0] + row[1] * old[1], [[i, 0], [i, 1]]));
    const h = a.map((value, i) => put("h", i, Math.tanh(value)));
    const g = h.map((value, i) => put("g", i, 2 * value));
    const delta = g.map((value, i) => put("delta", i, (1 - h[i] ** 2) * value));
    old.forEach((_, j) => put("back", j, U[0][j] * delta[0] + U[1][j] * delta[1], [[0, j], [1, j]]));
    return found;
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled, old = this.STATE;
    const W = 640, H = 268, wide = 104, tall = 34, sub = ["₁", "₂"];
    const columns = { old: 60, back: 60, a: 396, delta: 396, h: 580, g: 580 }, lines = [64, 186];
    const lower = (node) => ["back", "delta", "g"].includes(node);
    const place = (node, unit) => [columns[node], lines[unit] + (lower(node) ? tall + 6 : 0)];
    const text = (x, y, words, look = "") => element("text", { x, y, "text-anchor": "middle", class: look }, words);
    const number = (value) => signed(value, 3), entry = (value) => signed(value, 1);
    const frame = [text(60, 26, "old state"), text(396, 26, "sum a"), text(580, 26, "state h")];
    let cross = 2, back = 0, shown = 8;
    const marks = element("g");
    const draw = () => {
      const U = [[0.5, cross], [back, 0.5]], moments = this.moments(U, old), known = moments.slice(0, shown);
      const now = known[shown - 1];
      const value = (node, unit) => known.find((one) => one.node === node && one.unit === unit).value;
      const used = ([i, j]) => now.entries.some(([row, column]) => row === i && column === j);
      const box = (node, unit, look) => element("rect", { x: place(node, unit)[0] - wide / 2, width: wide, height: tall,
        y: place(node, unit)[1] - tall / 2, rx: 5, class: look, ...(look === "area" ? {} : { fill: "none" }) });
      const wires = [[0, 0], [0, 1], [1, 0], [1, 1]].flatMap(([i, j]) => {
        const x1 = columns.old + wide / 2 + 6, x2 = columns.a - wide / 2 - 6, [y1, y2] = [lines[j] + 20, lines[i] + 20];
        const at = i === j ? 0.3 : 0.68, look = used([i, j]) ? "ink" : "";
        return [element("line", { x1, x2, y1, y2, class: look ? "thick" : "axis" }),
          text(x1 + at * (x2 - x1), y2 + (j ? 24 : -8), entry(U[i][j]), look)];
      });
      marks.replaceChildren(...wires,
        ...old.flatMap((value, unit) => [box("old", unit, "grid"),
          text(...place("old", unit), number(value), "in-box ink")]),
        ...moments.map(({ node, unit }) => box(node, unit, "grid")), box(now.node, now.unit, "area"),
        ...known.map(({ node, unit, value }) => text(...place(node, unit), number(value), "in-box ink")));
      const i = now.unit, k = sub[i];
      const held = (part) => part.replace(/^−.*/, "($&)");
      const terms = (pairs) => pairs.map(([weight, part], at) =>
        `${at ? held(entry(weight)) : entry(weight)} · ${held(part)}`).join(" + ");
      const how = {
        a: () => `a${k} = ${terms(U[i].map((weight, j) => [weight, number(old[j])]))}, with row ${i + 1} of U`,
        h: () => `h${k} = tanh(${number(value("a", i))})`,
        g: () => `g${k} = 2 · ${number(value("h", i))}, from the loss h₁² + h₂²`,
        delta: () => `δ${k} = (1 − h${k}²) · ${held(number(value("g", i)))}`,
        back: () => `old state ${i + 1} gets ${terms(U.map((row, of) => [row[i], number(value("delta", of))]))}, ` +
          `with column ${i + 1} of U`,
      }[now.node]();
      say(`U has the rows (0.5, ${entry(cross)}) and (${entry(back)}, 0.5). ` +
        `${lower(now.node) ? "Backward" : "Forward"}, number ${shown} of ${moments.length}: ${how}. ` +
        `That is ${number(now.value)}.`);
    };
    const weight = (label, value, set) => slider({ label, min: -2, max: 3, step: 0.5, value, says: entry },
      (changed) => { set(changed); draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      slider({ label: "numbers computed", min: 1, max: 10, step: 1, value: shown },
        (value) => { shown = value; draw(); }),
      weight("U₁₂, from unit 2 to unit 1", cross, (value) => { cross = value; }),
      weight("U₂₁, from unit 1 to unit 2", back, (value) => { back = value; }));
    draw();
  },
};
