// The page's one unit after a part: c_t = f c_{t-1} + i g_t and h_t = o tanh(c_t), its gates pulled by the reader.
Unrolled.figures.gates = {
  SECONDS: 12,
  OPEN: 1 / (1 + Math.exp(-2)),     // the input gate while the part is there, sigma(4x - 2) at x = 1

  // One step with given gates; the candidate is the page's, tanh(2x + h).
  step(x, h, c, i, f, o) {
    const kept = f * c, written = i * Math.tanh(2 * x + h);
    return { kept, written, c: kept + written, h: o * Math.tanh(kept + written) };
  },

  // A part in second 1 and quiet seconds after it, in which the input gate is i.
  run(i, f, o, seconds) {
    const steps = [];
    for (let t = 0, h = 0, c = 0; t < seconds; t++) {
      steps.push(t ? this.step(0, h, c, i, f, o) : this.step(1, h, c, this.OPEN, f, o));
      ({ h, c } = steps[t]);
    }
    return steps;
  },

  // Quiet seconds until half of what the part left is left, or less; null if that does not come about.
  halfLife(i, f, o) {
    const [first] = this.run(i, f, o, 1);
    let { h, c } = first;
    for (let t = 1; t <= 10000; t++) {
      ({ h, c } = this.step(0, h, c, i, f, o));
      if (c <= first.c / 2) return t;
    }
    return null;
  },

  show(stage, say) {
    const { element, slider } = Unrolled, seconds = this.SECONDS;
    const W = 640, H = 408, left = 44, right = 64, cell = { top: 44, bottom: 206 }, shown = { top: 264, bottom: 334 };
    const width = (W - left - right) / seconds, middle = (t) => left + (t + 0.5) * width;
    const gates = { f: 0.88, i: 0.12, o: 0.73 };                    // those of the page's table, in hundredths
    const text = (x, y, words, anchor = "start") => element("text", { x, y, "text-anchor": anchor }, words);
    const level = (y, kind) => element("line", { x1: left, x2: W - right, y1: y, y2: y, class: kind });
    const box = (x, y, high, kind) => element("rect", { x, y, width: 22, height: high, class: kind });
    const legend = [text(left, 22, "cell c"), box(left + 100, 4, 20, "bar gate-forget"),
      text(left + 130, 22, "kept, f × old c"), box(left + 346, 4, 20, "bar open gate-input"),
      text(left + 376, 22, "written, i × g"), text(left, 252, "shown, h")];
    const ticks = Array.from({ length: seconds }, (_, t) => text(middle(t), 364, String(t + 1), "middle"));
    const axes = [shown.top, shown.bottom].flatMap((y, k) => [level(y, k ? "axis" : "grid"),
      text(left - 8, y + 7, String(1 - k), "end")]);
    const days = [text(middle(0), 396, "part", "middle"),
      text(middle((seconds + 0.4) / 2), 396, "quiet seconds", "middle")];
    const marks = element("g");
    const draw = () => {
      const { f, i, o } = gates, steps = this.run(i, f, o, seconds), last = steps[seconds - 1];
      const ceiling = [1, 2, 4, 6, 8, 10].find((most) => steps.every(({ c }) => c <= most));
      const high = (c) => c / ceiling * (cell.bottom - cell.top), half = cell.bottom - high(steps[0].c / 2);
      marks.replaceChildren(
        level(cell.top, "grid"), level(cell.bottom, "axis"),
        text(left - 8, cell.top + 7, String(ceiling), "end"), text(left - 8, cell.bottom + 7, "0", "end"),
        ...steps.flatMap(({ kept, written, h }, t) => {
          const y = shown.bottom - h * (shown.bottom - shown.top);
          return [
            box(middle(t) - 11, cell.bottom - high(kept), high(kept), "bar gate-forget"),
            box(middle(t) - 11, cell.bottom - high(kept + written), high(written), "bar open gate-input"),
            element("line", { x1: middle(t), x2: middle(t), y1: shown.bottom, y2: y, class: "stem" }),
            element("circle", { cx: middle(t), cy: y, r: 6, class: "dot" })];
        }),
        level(half, "half"), text(W - right + 6, half + 7, "half"));
      const n = (value) => value.toFixed(3), life = this.halfLife(i, f, o), change = steps[1].c - steps[0].c;
      const fate = life ? `It falls to half in ${life} quiet second${life > 1 ? "s" : ""}.`
        : change > 0 ? "More is written than is lost: the cell grows, and never falls to half."
        : change < 0 ? "It shrinks, but never to half."
        : "Nothing is lost and nothing is written: the cell holds it for ever.";
      say(`Forget gate ${f.toFixed(2)}, input gate ${i.toFixed(2)}, output gate ${o.toFixed(2)}. ` +
        `The part leaves ${n(steps[0].c)} in the cell. ${fate} In second ${seconds} the unit keeps ${n(last.kept)} ` +
        `and writes ${n(last.written)}, which makes c = ${n(last.c)}, and it shows h = ${n(last.h)}.`);
    };
    const pull = (gate, name, label) => slider({ label, gate: name, min: 0, max: 1, step: 0.01, value: gates[gate],
      says: (value) => value.toFixed(2) }, (value) => { gates[gate] = value; draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...legend, ...axes, ...ticks, ...days, marks),
      pull("f", "forget", "forget gate f"), pull("i", "input", "input gate i, when quiet"),
      pull("o", "output", "output gate o"));
    draw();
  },
};
