// The loss of an answer of four symbols under teacher forcing, from the probability of each right symbol.
Unrolled.figures.forced = {
  SYMBOLS: ["2", "0", "2", "6"],
  START: [0.5, 0.8, 0.9, 0.5],

  // The loss of each step, and their mean
  nats(p) {
    const losses = p.map((probability) => -Math.log(probability));
    return [losses, losses.reduce((sum, loss) => sum + loss, 0) / p.length];
  },

  whole(p) {
    return p.reduce((product, probability) => product * probability, 1);
  },

  show(stage, say) {
    const { element, slider } = Unrolled, symbols = this.SYMBOLS, p = [...this.START];
    const W = 640, H = 306, top = 44, bottom = 204, unit = (bottom - top) / 3.2;
    const x = (t) => 90 + 106 * t, y = (loss) => bottom - loss * unit;
    const text = (x, y, words, anchor = "middle", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const fixed = [
      text(0, 24, "loss, nats", "start"), text(0, bottom + 30, "reads", "start"),
      text(0, bottom + 62, "writes", "start"),
      text(0, bottom + 94, "loss", "start"), text(W, bottom + 62, "mean", "end"),
      ...[0, 1, 2, 3].flatMap((loss) => [
        element("line", { x1: 32, x2: W, y1: y(loss), y2: y(loss), class: loss ? "grid" : "axis" }),
        text(22, y(loss) + 6, String(loss), "end")]),
      ...symbols.flatMap((symbol, t) => [
        text(x(t) + 50, bottom + 30, t ? symbols[t - 1] : "end"),
        text(x(t) + 50, bottom + 62, symbol, "middle", "ink")])];
    const moving = element("g");
    const draw = () => {
      const [losses, mean] = this.nats(p), whole = this.whole(p);
      moving.replaceChildren(
        ...losses.flatMap((loss, t) => [
          element("rect", { x: x(t) + 14, y: y(loss), width: 72, height: loss * unit, class: "bar open gate-output" }),
          text(x(t) + 50, bottom + 94, loss.toFixed(3))]),
        element("line", { x1: 32, x2: W, y1: y(mean), y2: y(mean), class: "half" }),
        text(W, bottom + 94, mean.toFixed(3), "end", "ink"),
        text(W, 24, `whole answer ${whole.toPrecision(2)}`, "end", "ink"));
      const worst = losses.indexOf(Math.max(...losses)), sum = mean * p.length;
      const share = sum ? `Step ${worst + 1} makes ${(100 * losses[worst] / sum).toFixed(0)}% of the loss.`
        : "Nothing is left to learn.";
      say(`Probabilities of the right symbols: ${p.map((one) => one.toFixed(2)).join(", ")}. Losses: ` +
        `${losses.map((loss) => loss.toFixed(3)).join(", ")}; their mean is ${mean.toFixed(3)}. ` +
        `${share} The whole answer has probability ${whole.toPrecision(2)}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...fixed, moving),
      ...symbols.map((symbol, t) => slider({ label: `step ${t + 1}: probability of ${symbol}`, min: 0.05, max: 1,
        step: 0.05, value: p[t], says: (one) => one.toFixed(2) }, (value) => { p[t] = value; draw(); })));
    draw();
  },
};
