// Three logits, their softmax, and what the prediction costs if one class came: -log of its probability.
Unrolled.figures["cross-entropy"] = {
  softmax(logits) {
    const highest = Math.max(...logits);                 // changes no probability, and exp cannot overflow
    const powers = logits.map((logit) => Math.exp(logit - highest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers.map((power) => power / total);
  },

  // The loss for each class that may come
  losses(logits) {
    return this.softmax(logits).map((p) => -Math.log(p));
  },

  show(stage, say) {
    const { element, menu, signed, slider } = Unrolled;
    const W = 640, H = 268, left = 404, right = W - 14, top = 40, bottom = 226, most = 6;
    const x = (p) => left + p * (right - left), y = (loss) => bottom - Math.min(loss, most) * (bottom - top) / most;
    const text = (x, y, words, anchor = "start", kind = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind }, words);
    const row = (k) => 66 + 70 * k, bar = 148, wide = 108;
    const logits = [2, 1, 0];
    let came = 0;
    const curve = Array.from({ length: 101 }, (_, at) => Math.exp(-most * (1 - at / 100)));    // even steps of loss
    const frame = [
      text(0, 22, "class"), text(128, 22, "logit", "end"), text(bar, 22, "probability"),
      text(left - 20, 22, "loss, −log p"), text((left + right) / 2, H - 8, "probability p", "middle"),
      ...[0, 2, 4, 6].flatMap((loss) => [
        element("line", { x1: left, x2: right, y1: y(loss), y2: y(loss), class: loss ? "grid" : "axis" }),
        text(left - 8, y(loss) + 6, String(loss), "end")]),
      text(left, H - 12, "0", "middle"), text(right, H - 12, "1", "middle"),
      element("path", {
        d: curve.map((p, at) => `${at ? "L" : "M"}${x(p).toFixed(1)} ${y(-Math.log(p)).toFixed(1)}`).join(""),
        fill: "none", stroke: "var(--pst-color-text-muted)", "stroke-width": 2 })];
    const marks = element("g");
    const draw = () => {
      const p = this.softmax(logits), losses = this.losses(logits);
      const [px, py] = [x(p[came]), y(losses[came])];
      marks.replaceChildren(
        ...p.flatMap((share, k) => {
          const kind = k === came ? "bar gate-output" : "bar open gate-output";
          return [
            text(26, row(k) + 6, String(k + 1), "middle", "ink"),
            ...(k === came ? [element("circle", { cx: 26, cy: row(k), r: 20, class: "box" })] : []),
            text(124, row(k) + 6, signed(logits[k]), "end", "ink"),
            element("rect", { x: bar, y: row(k) - 14, width: Math.max(1, share * wide), height: 28, class: kind }),
            text(bar + share * wide + 8, row(k) + 6, share < 0.0005 ? "< 0.001" : share.toFixed(3))];
        }),
        element("line", { x1: px, x2: px, y1: bottom, y2: py, class: "stem" }),
        element("line", { x1: left, x2: px, y1: py, y2: py, class: "stem" }),
        element("circle", { cx: px, cy: py, r: 8, class: "dot" }),
        text(Math.min(px + 12, right - 60), py - 14, losses[came].toFixed(3), "start", "ink"));
      say(`Logits ${logits.map((logit) => signed(logit)).join(", ")}. The probabilities are ` +
        `${p.map((share) => (share < 0.0005 ? "below 0.001" : share.toFixed(3))).join(", ")}. ` +
        `Class ${came + 1} came: the loss is ${losses[came].toFixed(3)}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      ...logits.map((logit, k) => slider({ label: `logit of class ${k + 1}`, min: -4, max: 6, step: 0.5, value: logit,
        says: (value) => signed(value) }, (value) => { logits[k] = value; draw(); })),
      menu("the class that came", ["1", "2", "3"], came, (value) => { came = value; draw(); }));
    draw();
  },
};
