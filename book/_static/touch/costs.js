// What a layer of width d costs on n steps: the operations of its products of matrices, forward, as the page counts.
Unrolled.figures.costs = {
  LENGTHS: [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000],
  WIDTHS: [64, 128, 256, 512, 768, 1024, 2048, 4096],

  // An RNN has 2 d² entries and an LSTM four times as many; each takes a product and a sum in every step.
  recurrent(architecture, n, d) {
    return { RNN: 4, LSTM: 16 }[architecture] * n * d ** 2;
  },

  // A Transformer's layer: its matrices in every step, and scores and means for every pair of steps.
  transformer(n, d) {
    return { matrices: 24 * n * d ** 2, pairs: 4 * n ** 2 * d };
  },

  // The numbers that it takes to go on after n steps: a state, or the keys and values of all steps.
  carried(architecture, n, d) {
    return { RNN: d, LSTM: 2 * d, Transformer: 2 * n * d }[architecture];
  },

  show(stage, say) {
    const { among, element } = Unrolled;
    const ink = "var(--pst-color-text-base)", layer = "var(--gate-forget)", cell = "var(--gate-output)";
    const W = 640, H = 356, left = 80, right = 12, top = 40, bottom = 36;
    const percent = (share) => (share < 0.01 ? "under 1%" : `${(100 * share).toFixed(0)}%`);
    const names = [[1e12, " trillion"], [1e9, " billion"], [1e6, " million"]];
    const named = (number) => {
      const [size, name] = names.find(([size]) => number >= size) ?? [];
      return size ? Number((number / size).toPrecision(3)) + name : grouped(number);
    };
    const grouped = (number) => number.toLocaleString("en-GB");
    const x = (n) => left + (Math.log10(n) - 1) * (W - left - right) / 4;             // 10 to 100,000 steps
    const y = (cost) => H - bottom - Math.log10(cost) * (H - top - bottom) / 4;       // 1 to 10,000 times n d²
    const text = (x, y, words, anchor = "start", style = "") =>
      element("text", { x, y, "text-anchor": anchor, style }, words);
    const halo = "paint-order: stroke; stroke: var(--pst-color-background); stroke-width: 6";   // for words on lines
    const label = (x, y, words, anchor, colour) => text(x, y, words, anchor, `fill: ${colour}; ${halo}`);
    const curve = (lengths, cost, style) => {
      const points = lengths.map((n) => `${x(n).toFixed(1)},${y(cost(n)).toFixed(1)}`);
      return element("path", { d: `M${points.join(" L")}`, style: `fill: none; ${style}` });
    };
    const ticks = [10, 100, 1000, 10000];
    const axes = [
      text(0, 22, "operations, in multiples of n d²"), text(W, H - bottom + 26, "steps n", "end"),
      ...ticks.map((n) => text(x(n), H - bottom + 26, grouped(n), n > 10 ? "middle" : "start")),
      ...[1, ...ticks.slice(0, 3)].flatMap((cost) => [
        element("line", { x1: left, x2: W - right, y1: y(cost), y2: y(cost), class: cost > 1 ? "grid" : "axis" }),
        text(left - 8, y(cost) + 5, grouped(cost), "end")])];

    const moving = element("g"), ends = [10, 100000];
    let n = 1000, d = 768;
    const draw = () => {
      const unit = (n) => n * d ** 2, crossing = 6 * d;
      const rnn = (n) => this.recurrent("RNN", n, d) / unit(n), lstm = (n) => this.recurrent("LSTM", n, d) / unit(n);
      const matrices = (n) => this.transformer(n, d).matrices / unit(n);
      const pairs = (n) => this.transformer(n, d).pairs / unit(n), whole = (n) => matrices(n) + pairs(n);
      const fine = Array.from({ length: 41 }, (_, at) => 10 ** (1 + at / 10));
      const from = Math.max(10, d / 4);                               // where the pairs cost 1 times n d²
      moving.replaceChildren(
        curve(ends, rnn, `stroke: ${cell}; stroke-width: 2; stroke-dasharray: 10 5`),
        curve(ends, lstm, `stroke: ${cell}; stroke-width: 2`),
        curve(ends, matrices, `stroke: ${layer}; stroke-width: 2; stroke-dasharray: 10 5`),
        curve([from, 100000], pairs, `stroke: ${layer}; stroke-width: 2; stroke-dasharray: 3 4`),
        curve(fine, whole, `stroke: ${layer}; stroke-width: 4`),
        element("path", { d: `M${x(n)},${y(1)} V${y(10000)}`, style: `stroke: ${ink}; stroke-width: 2` }),
        element("path", { d: `M${x(crossing)},${y(24)} V${y(180)}`, style: `stroke: ${ink}; stroke-dasharray: 3 4` }),
        element("circle", { cx: x(crossing), cy: y(24), r: 7, style: `fill: none; stroke: ${ink}; stroke-width: 2` }),
        label(left + 6, y(24) - 15, "matrices 24", "start", layer),
        label(left + 6, y(16) + 24, "LSTM 16", "start", cell),
        label(W - right, y(4) + 24, "RNN 4", "end", cell),
        label(x(d * 0.6) + 8, y(1) - 8, "pairs 4n/d", "start", layer),
        label(W - right, y(whole(100000)) - 12, "layer", "end", layer),
        label(x(crossing) + 8, y(180) - 6, `6 d = ${grouped(crossing)}`, "end", ink),
        element("circle", { cx: x(n), cy: y(whole(n)), r: 7, style: `fill: ${layer}` }),
        ...[rnn, lstm].map((cost) => element("circle", { cx: x(n), cy: y(cost(n)), r: 5, style: `fill: ${cell}` })));
      const { matrices: linear, pairs: square } = this.transformer(n, d), share = square / (linear + square);
      const [rnns, lstms] = ["RNN", "LSTM"].map((architecture) => this.recurrent(architecture, n, d));
      const [keeps, state] = ["Transformer", "LSTM"].map((architecture) => this.carried(architecture, n, d));
      const times = ((linear + square) / lstms).toFixed(2), half = `6\u00a0d\u00a0=\u00a0${grouped(crossing)}`;
      say(`${grouped(n)} steps, width ${grouped(d)}. The Transformer's layer takes ${named(linear)} operations for ` +
        `its matrices and ${named(square)} for the pairs of steps. The pairs are ${percent(share)} of it, and half ` +
        `from ${half} steps on. In all it takes ${times} times the ${named(lstms)} of an LSTM; an RNN takes ` +
        `${named(rnns)}. To go on, the layer keeps ${grouped(keeps)} numbers, the LSTM ${grouped(state)}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...axes, moving),
      among({ label: "steps n", list: this.LENGTHS, value: n, says: grouped }, (value) => { n = value; draw(); }),
      among({ label: "width d", list: this.WIDTHS, value: d, says: grouped }, (value) => { d = value; draw(); }));
    draw();
  },
};
