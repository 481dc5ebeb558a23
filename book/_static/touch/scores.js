// One query and three keys under three scores: dot, general with a matrix that swaps, additive with one hidden unit.
Unrolled.figures.scores = {
  WORDS: ["17", "March", "2026"],
  KEYS: [[1, 0], [0, 2], [2, 0]],

  dot(q, k) {
    return q.reduce((sum, number, at) => sum + number * k[at], 0);
  },

  general(q, k, W) {
    return this.dot(q, W.map((row) => this.dot(row, k)));
  },

  // v: the output weight of each hidden unit; W and U: a row of weights on the query and on the key for each
  additive(q, k, W, U, v) {
    return v.reduce((sum, weight, unit) => sum + weight * Math.tanh(this.dot(W[unit], q) + this.dot(U[unit], k)), 0);
  },

  show(stage, say) {
    const { element, signed, slider, softmax } = Unrolled, { WORDS: words, KEYS: keys } = this;
    const W = 640, H = 286, lefts = [96, 284, 472], wide = 76, gates = ["output", "forget", "input"];
    const text = (x, y, words, anchor = "start", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const row = (s) => 84 + 78 * s, names = ["dot", "general", "additive"];
    const number = (value) => signed(Number(value.toFixed(3)));
    const query = [0, 1];
    let u = 1;
    const moving = element("g");
    const draw = () => {
      const scores = [
        keys.map((k) => this.dot(query, k)), keys.map((k) => this.general(query, k, [[0, 1], [1, 0]])),
        keys.map((k) => this.additive(query, k, [[1, 1]], [[1, u]], [2]))];
      const weights = scores.map(softmax), share = (a) => (a < 0.0005 ? "< 0.001" : a.toFixed(3));
      const beside = (kind, s) => lefts[kind] + 8 + wide * weights[kind][s];
      moving.replaceChildren(...lefts.flatMap((left, kind) => words.flatMap((_, s) => [
        element("rect", { x: left, y: row(s) - 28, width: Math.max(1.5, wide * weights[kind][s]), height: 56,
          class: `bar open gate-${gates[s]}` }),
        text(beside(kind, s), row(s) - 6, number(scores[kind][s])),
        text(beside(kind, s), row(s) + 21, share(weights[kind][s]), "start", "ink")])));
      const first = (kind) => {
        const most = Math.max(...scores[kind]);
        const best = words.filter((_, s) => most - scores[kind][s] < 5e-4);                 // three digits tell no more
        return best.length === 3 ? "no word first" : `${best.join(" and ")} first`;
      };
      const each = names.map((name, kind) => `${name}${
        kind === 2 ? `, with weight ${number(u)} on the key's name` : ""}: scores ` +
        `${scores[kind].map(number).join(", ")}, weights ` +
        `${weights[kind].map(share).join(", ").replaceAll("<", "below")}, ${first(kind)}`);
      say(`Query (${query.map(number).join(", ")}); words 17, March, 2026. ${each.map((part) =>
        part[0].toUpperCase() + part.slice(1)).join(". ")}; its scores cannot leave −2 to 2.`);
    };
    const control = (label, value, changed) => slider({ label, min: -2, max: 4, step: 0.25, value, says: number },
      (value) => { changed(value); draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" },
        ...names.map((name, kind) => text(lefts[kind], 24, name, "start", "ink")),
        ...lefts.map((x) => element("line", { x1: x, x2: x, y1: 44, y2: H - 8, class: "axis" })),
        ...words.map((word, s) => text(0, row(s) + 6, word)), moving),
      control("query: wants a number", 0, (value) => { query[0] = value; }),
      control("query: wants a name", 1, (value) => { query[1] = value; }),
      control("additive: weight on the key's name", u, (value) => { u = value; }));
    draw();
  },
};
