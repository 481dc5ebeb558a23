// Where a trained network looks: point at a symbol of the answer, and see its weights over the source.
// Each map has a name, the letters of its source, what the decoder read and what it wrote in each step, the positions
// of the source that decide this, and the weights, a row for each step.
Unrolled.figures.look = {
  largest(weights) {
    return weights.indexOf(Math.max(...weights));
  },

  // Mass and hits over the steps that some position decides, as in `unrolled.studies.bottleneck`
  agreement(weights, alignment) {
    const known = weights.map((_, t) => t).filter((t) => alignment[t].length);
    const mean = (value) => known.reduce((sum, t) => sum + value(t), 0) / known.length;
    return [
      mean((t) => alignment[t].reduce((sum, s) => sum + weights[t][s], 0)),
      mean((t) => Number(alignment[t].includes(this.largest(weights[t]))))];
  },

  show(stage, say, { maps, start }) {
    const { element, menu, slider } = Unrolled, W = 640, H = 338, high = 100, source = 150, answer = 290;
    const shown = (letter) => (letter === " " ? "␣" : letter);
    const spoken = (letter) => (letter === " " ? "a space" : letter.length > 1 ? letter : `“${letter}”`);
    let map = maps[0], step = start - 1;
    const drawing = element("g");
    const centre = (at, of) => (at + 0.5) * W / Math.max(of, 10) + Math.max(0, 10 - of) * W / 20;
    const letter = (at, of, y, words, look) => element("text", { x: centre(at, of), y, class: look }, shown(words));
    const choose = (t) => {
      step = t;
      range.value = t + 1;
      control.querySelector("output").textContent = t + 1;
      draw();
    };
    const draw = () => {
      const { letters, reads, writes, alignment, weights } = map, S = letters.length, T = writes.length;
      const row = weights[step], most = this.largest(row), deciding = alignment[step];
      const wide = W / Math.max(S, 10), target = W / Math.max(T, 10);
      const heads = writes.map((written, t) => {
        const head = element("g", { style: "cursor: pointer" },
          element("rect", { x: centre(t, T) - target / 2, y: answer - 26, width: target, height: 56,
            style: "fill: transparent" }),
          letter(t, T, answer, written, t === step ? "in-box ink" : "in-box"));
        if (t === step) {
          head.append(element("rect", { x: centre(t, T) - 15, y: answer - 22, width: 30, height: 42, class: "box" }));
        }
        head.addEventListener("pointerenter", () => { if (t !== step) choose(t); });
        return head;
      });
      drawing.replaceChildren(
        element("text", { x: 0, y: 24 }, "weights"), element("text", { x: 0, y: H - 4 }, "answer: point at a symbol"),
        element("line", { x1: 0, x2: W, y1: source - 24, y2: source - 24, class: "axis" }),
        ...row.flatMap((weight, s) => [
          element("rect", { x: centre(s, S) - wide * 0.3, y: source - 24 - high * weight, width: wide * 0.6,
            height: high * weight, class: deciding.includes(s) ? "bar gate-forget" : "bar open gate-output" }),
          ...(weight > 0.01 ? [element("path", { class: "stem",
            d: `M${centre(step, T)},${answer - 22} L${centre(s, S)},${source + 20}`,
            style: `stroke-width: ${(8 * weight).toFixed(2)}` })] : []),
          letter(s, S, source, letters[s], s === most ? "in-box ink" : "in-box"),
          ...(deciding.includes(s) ? [element("rect", { x: centre(s, S) - Math.min(14, wide / 2), y: source - 19,
            width: Math.min(28, wide), height: 38, class: "stem alarm", "fill-opacity": 0 })] : [])]),
        ...heads);
      const [mass, hits] = this.agreement(weights, alignment);
      const known = alignment.filter((places) => places.length).length;
      const on = deciding.reduce((sum, s) => sum + row[s], 0).toFixed(2);
      const places = deciding.map((s) => s + 1);
      const where = places.length > 2 ? `positions ${places[0]} to ${places.at(-1)}`
        : `position${places.length > 1 ? "s" : ""} ${places.join(" and ")}`;
      const hit = !deciding.length ? "No position decides this symbol." : deciding.includes(most)
        ? `That position decides the symbol, and ${on} of the weight lies on positions that do.`
        : `The symbol is decided by ${where}, with ${on} of the weight.`;
      say(`Step ${step + 1}: having read ${spoken(reads[step])}, the decoder writes ${spoken(writes[step])}. ` +
        `The largest weight, ${row[most].toFixed(2)}, lies on position ${most + 1}, ${spoken(letters[most])}. ${hit} ` +
        `In the whole answer the largest weight is on a deciding position in ${Math.round(hits * known)} of ${known} ` +
        `steps; the mass, the mean weight on such positions, is ${mass.toFixed(2)}.`);
    };
    const control = slider({ label: "step of the answer", min: 1, max: map.writes.length, step: 1, value: start },
      (value) => { step = value - 1; draw(); });
    const range = control.querySelector("input");
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, drawing),
      ...(maps.length > 1 ? [menu("map", maps.map((one) => one.name), 0, (place) => {
        map = maps[place];
        range.max = map.writes.length;
        choose(Math.min(step, map.writes.length - 1));
      })] : []), control);
    draw();
  },
};
