// Which of the chapter's numbers decide a case: what is kept is counted here, what was recorded the page hands over.
Unrolled.figures.choose = {
  READINGS: [60, 1000, 3600, 86400, 259200, 604800],
  WIDTH: 64,
  WINDOW: 256,

  // Bytes that a layer of width 64 keeps after n steps, in single precision; a TCN sees all of them
  carried(name, n) {
    let field = 1;
    for (let gap = 1; field < n || gap === 1; gap *= 2) field += 4 * gap;      // a block: two convolutions, three taps
    const numbers = { RNN: 1, GRU: 1, LSTM: 2, TCN: field - 1, Transformer: 2 * n,
      window: 2 * Math.min(n, this.WINDOW - 1) }[name];
    return 4 * this.WIDTH * numbers;
  },

  // Where the decision at the top of the page ends
  verdict([endless, byContent, oneCore]) {
    if (endless) return "LSTM or GRU, or attention in a window";
    return byContent ? "Transformer" : oneCore ? "LSTM" : "try all five on your data";
  },

  show(stage, say, data) {
    const { among, element, switches } = Unrolled, names = ["RNN", "LSTM", "GRU", "TCN", "Transformer", "window"];
    const W = 640, columns = [276, 400, 526, 634], row = (at) => 66 + 38 * at, H = row(names.length) + 32;
    const text = (x, y, words, anchor, kind = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind }, words);
    const grouped = (number) => number.toLocaleString("en-GB");
    const size = (bytes) => (bytes < 1e3 ? `${bytes} B` : bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB`
      : `${Math.round(bytes / 1e6)} MB`);
    const moving = element("g");
    let on = [true, false, false], n = 86400;
    const draw = () => {
      const kept = (name) => this.carried(name, n), lit = [on[0], on[1], !on[1], on[2]];
      const cells = [
        names.map((name) => [size(kept(name)), kept(name) <= kept("LSTM") || name === "window"]),
        names.map((name) => [data.pairs[name]?.toFixed(2), name === "Transformer"]),
        names.map((name) => [data.solved[name], data.solved[name] === Math.max(...Object.values(data.solved))]),
        names.map((name) => [data.speed[name] && `${Math.round(data.speed[name])}`,
          data.speed[name] === Math.max(...Object.values(data.speed))])];
      moving.replaceChildren(
        ...["kept", "16 pairs", "1 symbol", "speed"].map((head, at) =>
          text(columns[at], 24, head, "end", lit[at] ? "ink" : "")),
        ...cells.flatMap((column, at) => column.flatMap(([cell, ahead], place) => [
          ...(lit[at] && ahead ? [element("rect", { x: columns[at] - 100, y: row(place) - 25, width: 106, height: 34,
            rx: 4, class: "box" })] : []),
          text(columns[at], row(place), cell === undefined ? "—" : String(cell), "end", lit[at] ? "ink" : "")])),
        text(W / 2, H - 10, `→ ${this.verdict(on)}`, "middle", "ink"));
      const speeds = Object.entries(data.speed).sort(([, one], [, other]) => other - one);
      const all = Object.entries(data.solved).filter(([, seeds]) => seeds === Math.max(...Object.values(data.solved)));
      const [first, second] = speeds.map(([name, speed]) => `${name}, ${Math.round(speed)} thousand steps a second`);
      say([
        `After ${grouped(n)} readings an LSTM keeps ${size(kept("LSTM"))}, a whole cache ${size(kept("Transformer"))}.`,
        on[0] ? `The cache grows without end; cut to a window of ${this.WINDOW} it keeps ${size(kept("window"))}.` : "",
        on[1] ? `Asked for one of 16 pairs, attention has an accuracy of ${data.pairs.Transformer.toFixed(2)} after ` +
          `${grouped(data.updates)} updates, and an LSTM ${data.pairs.LSTM.toFixed(2)}.`
          : `One symbol, 100 steps ago: learned by ${all.map(([name]) => name).join(" and ")} in ` +
            `${all[0][1]} of 20 seeds.`,
        on[2] ? `Fastest in training on one core: ${first}; then ${second}.` : "",
        `The decision ends at: ${this.verdict(on)}.`].filter(Boolean).join(" "));
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" },
        ...names.map((name, at) => text(0, row(at), name, "start")), moving),
      switches("your case", ["no end", "many things, by content", "one core, little time"], [0],
        (state) => { on = [...state]; draw(); }),
      among({ label: "readings so far", list: this.READINGS, value: n, says: grouped },
        (value) => { n = value; draw(); }));
    draw();
  },
};
