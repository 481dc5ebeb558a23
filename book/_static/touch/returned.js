// What an expression takes from nn.LSTM, and what that has read: padded steps, layers and directions as the reader
// sets.
Unrolled.figures.returned = {
  STEPS: 6,
  TAKES: ["output[-1]", "output[0]", "h_n[-1]", "h_n[0]", "cat([h_n[-2], h_n[-1]])"],

  // The steps from first to last that the state of one layer, direction and step has read; `end` is the last there is.
  read(layer, direction, step, directions, end) {
    const [from, to] = direction ? [step, end] : [1, step];
    if (layer === 1) return [from, to];
    const below = [];
    for (let s = from; s <= to; s++) {
      for (let d = 0; d < directions; d++) below.push(...this.read(layer - 1, d, s, directions, end));
    }
    return [Math.min(...below), Math.max(...below)];
  },

  // The states taken, each with its place and what it has read; beyond a packed sequence's end there are zeros instead.
  taken(expression, layers, directions, padding, packed) {
    const last = packed ? this.STEPS - padding : this.STEPS;
    const state = (layer, direction, step) => ({ layer, direction, step,
      read: step > last ? null : this.read(layer, direction, step, directions, last) });
    const output = (step) => Array.from({ length: directions }, (_, d) => state(layers, d, step));
    const entry = (place) => {
      const at = place < 0 ? layers * directions + place : place;
      const direction = at % directions;
      return at < 0 ? null : state(1 + Math.floor(at / directions), direction, direction ? 1 : last);
    };
    return [() => output(this.STEPS), () => output(1), () => [entry(-1)], () => [entry(0)],
      () => [entry(-2), entry(-1)]][this.TAKES.indexOf(expression)]();
  },

  show(stage, say) {
    const { element, slider, switches, menu } = Unrolled, steps = this.STEPS;
    const W = 640, left = 128, wide = (W - left) / steps, row = 52, x = (step) => left + (step - 0.5) * wide;
    const text = (x, y, words, kind = "") => element("text", { x, y, class: kind }, words);
    let expression = this.TAKES[0], two = false, both = true, packed = false, padding = 0;
    const drawing = element("svg", { "aria-hidden": "true" });
    const draw = () => {
      const layers = two ? 2 : 1, directions = both ? 2 : 1, length = steps - padding;
      const taken = this.taken(expression, layers, directions, padding, packed), exists = taken.every((state) => state);
      const found = exists ? taken : [];
      const rows = [];
      for (let layer = layers; layer >= 1; layer--) for (let d = directions - 1; d >= 0; d--) rows.push([layer, d]);
      const y = (at) => 30 + at * row, inputs = rows.length, H = y(inputs + 2) + 20;
      const box = (step, at, kind, words) => [
        element("rect", { x: x(step) - wide / 2 + 5, y: y(at) - 20, width: wide - 10, height: 40, rx: 5, class: kind }),
        text(x(step), y(at) + 1, words, "in-box ink")];
      const all = Array.from({ length: steps }, (_, at) => at + 1);
      drawing.setAttribute("viewBox", `0 0 ${W} ${H}`);
      drawing.replaceChildren(
        ...rows.flatMap(([layer, d], at) => [text(0, y(at) + 6, `layer ${layer} ${d ? "←" : "→"}`),
          ...all.flatMap((step) => {
            const is = found.some((state) => state.layer === layer && state.direction === d && state.step === step);
            const gone = packed && step > length;
            return box(step, at, is ? "bar open gate-output" : "box", gone ? "0" : is ? "h ✓" : "");
          })]),
        text(0, y(inputs) + 6, "input"),
        ...all.flatMap((step) => box(step, inputs, "box", step > length ? "pad" : `x${"₁₂₃₄₅₆"[step - 1]}`)),
        ...found.flatMap(({ direction, read }, half) => {
          const line = y(inputs + 1) + half * 36 - 2;
          if (!read) return [text(0, line + 6, "read"), text(left, line + 6, "nothing: zeros")];
          return [text(0, line + 6, `read by ${direction ? "←" : "→"}`),
            element("line", { x1: x(read[0]) - 22, x2: x(read[1]) + 22, y1: line, y2: line,
              class: direction ? "dashed" : "solid" }),
            ...all.filter((step) => step >= read[0] && step <= read[1]).map((step) =>
              element("circle", { cx: x(step), cy: line, r: 7, class: direction ? "dot dashed" : "dot" }))];
        }));
      const span = ([from, to]) => (from === to ? `step ${from} alone` : `steps ${from} to ${to}`);
      const padded = ([from, to]) => Math.max(0, to - Math.max(from - 1, length));
      const told = found.map(({ layer, direction, step, read }) => (!read
        ? `zeros, since step ${step} lies beyond the end`
        : `the ${both ? (direction ? "backward " : "forward ") : ""}state of layer ${layer} at step ${step}, which ` +
          `has read ${span(read)}${padded(read) ? ` (padding: ${padded(read)})` : ""}`));
      const whole = found.length > 0 && found.every(({ read }) => read && read[0] === 1 && read[1] === length);
      say(`${two ? "Two layers" : "One layer"}, ${both ? "two directions" : "one direction"}, ${length} steps and ` +
        `${padding} of padding${packed ? ", packed" : ""}. ${expression} ` + (exists
          ? `is ${[...new Set(told)].join("; and ")}. ${whole ? "All of it has read the whole sequence and no padding."
            : "It is not a summary of exactly the whole sequence."}`
          : "is an error: h_n has one entry."));
    };
    stage.append(drawing,
      menu("you take", this.TAKES, 0, (at) => { expression = this.TAKES[at]; draw(); }),
      slider({ label: "steps of padding", min: 0, max: 4, step: 1, value: padding },
        (value) => { padding = value; draw(); }),
      switches("the layer", ["two layers", "two directions", "packed"], [1],
        (on) => { [two, both, packed] = on; draw(); }));
    draw();
  },
};
