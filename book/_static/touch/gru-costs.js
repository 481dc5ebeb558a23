// A GRU against an LSTM, counted: weights, products, numbers carried and kept, at widths that the reader sets.
Unrolled.figures["gru-costs"] = {
  BLOCKS: { GRU: 3, LSTM: 4 },

  // As the page counts a layer: weights with two biases a block; products, numbers carried and, at least, kept for the
  // backward pass in one step of one sequence.
  counts(kind, D, H) {
    const blocks = this.BLOCKS[kind], [carried, kept] = { GRU: [1, 5], LSTM: [2, 6] }[kind];
    return { weights: blocks * (H * D + H * H + 2 * H), products: blocks * (H * D + H * H), carried: carried * H,
      kept: kept * H };
  },

  // The width at which a GRU has as nearly as possible as many weights.
  equalWidth(D, H) {
    const wanted = this.counts("LSTM", D, H).weights;
    const off = (width) => Math.abs(this.counts("GRU", D, width).weights - wanted);
    let width = H;
    while (off(width + 1) < off(width)) width++;
    return width;
  },

  show(stage, say) {
    const { element, slider } = Unrolled;
    const W = 640, H = 268, left = 150, right = 90, top = 44, high = 46, most = 2;
    const x = (ratio) => left + Math.min(ratio, most) * (W - left - right) / most;
    const text = (x, y, words, anchor = "middle") => element("text", { x, y, "text-anchor": anchor }, words);
    const whole = (number) => number.toLocaleString("en-GB");
    const rows = { weights: "weights", products: "products", carried: "carried", kept: "kept" };
    const line = (ratio, kind) => element("line",
      { x1: x(ratio), x2: x(ratio), y1: top - 6, y2: top + 4 * high, class: kind });
    const frame = [text(left - 14, 24, "ratio", "end"), line(0.75, "half"), line(1, "axis"), line(0, "axis"),
      text(x(0.75), 24, "¾"), text(x(1), 24, "1"), text(x(0), 24, "0"), text(x(1.5), 24, "1.5"), line(1.5, "grid"),
      ...Object.values(rows).map((name, at) => text(left - 14, top + at * high + 27, name, "end"))];
    let D = 32, lstm = 96, gru = 96;
    const marks = element("g");
    const draw = () => {
      const ours = this.counts("GRU", D, gru), theirs = this.counts("LSTM", D, lstm);
      const ratio = Object.fromEntries(Object.keys(rows).map((name) => [name, ours[name] / theirs[name]]));
      marks.replaceChildren(...Object.values(ratio).flatMap((value, at) => [
        element("rect", { x: left, y: top + at * high + 6, width: x(value) - left, height: 30,
          class: "bar open gate-input" }),
        text(W - 4, top + at * high + 27, value.toFixed(2), "end")]));
      const pair = (name) => `${whole(ours[name])} against ${whole(theirs[name])} (${ratio[name].toFixed(2)})`;
      say(`${D} input${D > 1 ? "s" : ""}, a GRU of ${gru} units and an LSTM of ${lstm}: weights ${pair("weights")}; ` +
        `products a step ${pair("products")}; numbers carried ${pair("carried")}; kept for the backward pass, at ` +
        `least ${pair("kept")}. A GRU of ${this.equalWidth(D, lstm)} units comes nearest to this LSTM's weights.`);
    };
    const pull = (label, most, value, set) => slider({ label, min: 1, max: most, step: 1, value },
      (now) => { set(now); draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H - 32}`, "aria-hidden": "true" }, marks, ...frame),
      pull("inputs, D", 512, D, (now) => { D = now; }),
      pull("units of the LSTM", 256, lstm, (now) => { lstm = now; }),
      pull("units of the GRU", 256, gru, (now) => { gru = now; }));
    draw();
  },
};
