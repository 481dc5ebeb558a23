// What nn.GRU returns: which states `output` holds, which `h_n` holds, and how many steps each of them has taken.
Unrolled.figures["gru-returns"] = {
  T: 4, B: 5, H: 3,

  shapes(layers, directions, batchFirst) {
    const { T, B, H } = this;
    return { output: [...(batchFirst ? [B, T] : [T, B]), directions * H], h_n: [layers * directions, B, H] };
  },

  // The first and the last step, from 1, of its layer's input that a state at step t has read.
  read(backwards, t) {
    return backwards ? [t, this.T] : [1, t];
  },

  // The entries of h_n in their order: of which layer, in which direction, and at which step it stands.
  held(layers, directions) {
    return Array.from({ length: layers * directions }, (_, at) => {
      const backwards = at % directions === 1;
      return { layer: 1 + Math.floor(at / directions), backwards, step: backwards ? 1 : this.T };
    });
  },

  show(stage, say) {
    const { element, slider, switches } = Unrolled, { T } = this;
    const W = 640, tall = 310, left = 150, wide = 94, high = 50, top = 44;
    const text = (x, y, words, anchor = "middle") => element("text", { x, y, "text-anchor": anchor }, words);
    const heads = [text(left - 12, 24, "step", "end"),
      ...Array.from({ length: T }, (_, at) => text(left + (at + 0.5) * wide, 24, String(at + 1)))];
    let t = 1, layers = 1, directions = 1, batchFirst = false;
    const marks = element("g");
    const draw = () => {
      const held = this.held(layers, directions), rows = held.length;
      const shapes = this.shapes(layers, directions, batchFirst);
      const line = (at) => top + (rows - 1 - at) * (high + 6);                    // the last layer on top
      const span = ([from, to]) => (from === to ? String(from) : `${from}–${to}`);
      marks.replaceChildren(...held.flatMap(({ layer, backwards, step }, at) => [
        text(left - 12, line(at) + high / 2 + 7, `layer ${layer} ${backwards ? "←" : "→"}`, "end"),
        text(left + T * wide + 12, line(at) + high / 2 + 7, `h_n[${at}]`, "start"),
        ...Array.from({ length: T }, (_, place) => [
          element("rect", { x: left + place * wide + 3, y: line(at), width: wide - 6, height: high,
            class: layer === layers ? "area" : "box" }),
          ...(place + 1 === step ? [element("rect", { x: left + place * wide + 8, y: line(at) + 5, width: wide - 16,
            height: high - 10, class: "box", style: "stroke: var(--pst-color-text-base); stroke-width: 3" })] : []),
          text(left + (place + 0.5) * wide, line(at) + high / 2 + 7, span(this.read(backwards, place + 1)))]).flat()]),
      element("rect", { x: left + (t - 1) * wide - 2, y: top - 5, width: wide + 4, height: directions * (high + 6) + 4,
        class: "half", fill: "none" }),
      ...[["area", "in output", 10], ["box", "in h_n", 250]].flatMap(([kind, words, x]) => [
        element("rect", { x, y: tall - 26, width: 34, height: 24, class: kind, style: kind === "box" ?
          "stroke: var(--pst-color-text-base); stroke-width: 3" : "" }), text(x + 46, tall - 7, words, "start")]));
      const shape = (sizes) => `(${sizes.join(", ")})`, steps = (count) => `${count} step${count > 1 ? "s" : ""}`;
      const entry = batchFirst ? `output[:, ${t - 1}]` : `output[${t - 1}]`;
      const [mine, back] = [false, true].map((backwards) => this.read(backwards, t)).map(([from, to]) => to - from + 1);
      const joined = directions === 1 ? `${entry} is the state after ${steps(mine)}` :
        `${entry} joins the forward state after ${steps(mine)} and the backward state after ${steps(back)}`;
      const names = held.slice(-directions).map((_, at) => `h_n[${rows - directions + at}]`);
      const same = directions === 1
        ? (t === T ? `It is the same as ${names[0]}` : `${names[0]} is the one at step ${T}`)
        : `${names[0]} is the forward state at step ${T}, ${names[1]} the backward one at step 1`;
      const lower = layers > 1 ? " The first layer's states appear in output nowhere, only its last ones in h_n." : "";
      say(`output has the shape ${shape(shapes.output)} and h_n ${shape(shapes.h_n)}. ${joined}. ${same}.${lower}`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${tall}`, "aria-hidden": "true" }, ...heads, marks),
      slider({ label: "step of output", min: 1, max: T, step: 1, value: t }, (now) => { t = now; draw(); }),
      switches("options", ["num_layers=2", "bidirectional", "batch_first"], [], ([deep, both, first]) => {
        [layers, directions, batchFirst] = [deep ? 2 : 1, both ? 2 : 1, first];
        draw();
      }));
    draw();
  },
};
