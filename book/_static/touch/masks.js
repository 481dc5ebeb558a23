// The example of the first page with padding behind it: what the padding takes, and what a mask must add to its scores.
Unrolled.figures.masks = {
  WORDS: ["17", "March", "2026"],
  KEYS: [[1, 0], [0, 2], [2, 0]],
  VALUES: [7, 3, 6],
  ADDED: [0, -1, -2, -5, -10, -20, null],                // null: minus infinity, for which JSON has no number

  // Weights and context; `added` goes on each score. Where nothing but -∞ is left all weights are 0, as in the package
  attend(query, keys, values, added) {
    const scores = keys.map((key, s) =>
      (added[s] === null ? -Infinity : key[0] * query[0] + key[1] * query[1] + added[s]));
    const weights = Math.max(...scores) > -Infinity ? Unrolled.softmax(scores) : scores.map(() => 0);
    return [weights, weights.reduce((sum, weight, s) => sum + weight * values[s], 0)];
  },

  show(stage, say) {
    const { element, signed, slider, switches } = Unrolled, { WORDS: words, ADDED } = this;
    const W = 640, H = 344, gates = ["output", "forget", "input"], bar = [360, 180], line = 272;
    const text = (x, y, words, anchor = "start", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const row = (s) => 62 + 42 * s, at = (value) => 20 + value * 85;
    const number = (value) => (value === null ? "−∞" : signed(Number(value.toFixed(2))));
    let name = 1, padded = 1, place = 0, swapped = false;
    const fixed = [
      text(230, 24, "score", "end"), text(340, 24, "votes", "end"), text(bar[0], 24, "weight"),
      ...words.map((word, s) => text(0, row(s), word)),
      element("line", { x1: at(0), x2: at(7), y1: line, y2: line, class: "axis" }),
      ...[0, 3, 6, 7].map((value) => text(at(value), line + 30, String(value), "middle"))];
    const moving = element("g");
    const draw = () => {
      const keys = [...this.KEYS, ...Array(padded).fill([0, 0])], values = [...this.VALUES, ...Array(padded).fill(0)];
      const added = keys.map((_, s) => (s < 3 === swapped ? ADDED[place] : 0)), query = [0, name];
      const [weights, context] = this.attend(query, keys, values, added);
      const [, alone] = this.attend(query, this.KEYS, this.VALUES, [0, 0, 0]);
      const nothing = weights.slice(3).reduce((sum, weight) => sum + weight, 0);
      const scores = keys.map((key, s) => (added[s] === null ? null : key[1] * name + added[s]));
      const votes = (score) => {
        const count = score === null ? 0 : Math.exp(score);
        return count && count < 0.001 ? "< 0.001" : String(Number(count.toFixed(count < 100 ? 3 : 0)));
      };
      const share = (weight) => (weight && weight < 0.0005 ? "< 0.001" : weight.toFixed(3));
      const bars = [...weights.slice(0, 3), nothing];
      moving.replaceChildren(
        text(0, row(3), padded > 1 ? `${padded} × padding` : "padding"),
        ...[0, 1, 2, 3].flatMap((s) => (s < 3 || padded ? [
          text(230, row(s), number(scores[s]), "end"), text(340, row(s), votes(scores[s]), "end")] : [])),
        ...bars.flatMap((weight, s) => [
          element("rect", { x: bar[0], y: row(s) - 20, width: Math.max(1, bar[1] * weight), height: 27,
            class: s < 3 ? `bar open gate-${gates[s]}` : "box" }),
          text(bar[0] + 8 + bar[1] * weight, row(s), share(weight), "start", "ink")]),
        element("circle", { cx: at(alone), cy: line, r: 11, class: "box" }),
        element("circle", { cx: at(context), cy: line, r: 7, class: "thick" }),
        text(Math.min(Math.max(at(context), 90), W - 100), line - 22, `context ${context.toFixed(3)}`, "middle", "ink"),
        text(W / 2, H - 6, `alone ${alone.toFixed(3)} (ring)`, "middle"));
      const mask = ADDED[place] === 0 ? "No mask" : `${number(ADDED[place])} added to the scores of the ` +
        `${swapped ? "words, the mask the wrong way round" : "padding"}`;
      const most = Math.abs(context - alone), off = most < 5e-4 ? "as it would be without the padding"
        : `${most.toFixed(3)} away from the ${alone.toFixed(3)} without padding`;
      say(`${mask}${swapped && ADDED[place] === 0 ? ", neither way round" : ""}. Query (0, ${number(name)}), ` +
        `${padded} position${padded === 1 ? "" : "s"} of padding. Weights: ${words.map((word, s) =>
          `${word}: ${share(weights[s])}`).join(", ").replaceAll("<", "below")}; all padding together ` +
        `${share(nothing).replace("<", "below")}. The context is ${context.toFixed(3)}, ${off}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...fixed, moving),
      slider({ label: "positions of padding", min: 0, max: 60, step: 1, value: padded },
        (value) => { padded = value; draw(); }),
      slider({ label: "the mask adds", min: 0, max: ADDED.length - 1, step: 1, value: place,
        says: (at) => number(ADDED[at]) },
        (value) => { place = value; draw(); }),
      slider({ label: "query: wants a name", min: 0, max: 4, step: 0.25, value: name, says: number },
        (value) => { name = value; draw(); }),
      switches("convention", ["mixed up"], [], ([on]) => { swapped = on; draw(); }));
    draw();
  },
};
