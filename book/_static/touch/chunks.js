// The 32 steps of an update, cut into chunks: which answers share a chunk with their bit, and which terms stay.
Unrolled.figures.chunks = {
  STEPS: 32,

  // For each answer, step 1 to `steps`: whether the step so far back lies in the same chunk
  credited(steps, chunk, lag) {
    return Array.from({ length: steps }, (_, at) => at % chunk >= lag);
  },

  // Terms (loss t, use s) with s ≤ t: all of them, and those within a chunk
  terms(steps, chunk) {
    const all = (n) => n * (n + 1) / 2;
    return { all: all(steps), kept: Math.floor(steps / chunk) * all(chunk) + all(steps % chunk) };
  },

  show(stage, say) {
    const { element, slider } = Unrolled, steps = this.STEPS;
    const W = 640, H = 236, left = 14, each = (W - 2 * left) / steps, line = 160;
    const x = (t) => left + (t - 0.5) * each;
    const text = (x, y, words, anchor) => element("text", { x, y, "text-anchor": anchor }, words);
    const frame = [
      ...[["solid", "answer and bit in one chunk", 40], ["dashed", "cut apart", 476]].flatMap(([look, words, from]) => [
        element("path", { d: `M${from - 30} 22A14 14 0 0 1 ${from - 2} 22`, class: look, style: "fill: none" }),
        text(from + 8, 22, words, "start")]),
      text(x(1), 228, "step 1", "start"), text(x(16), 228, "16", "middle"), text(x(32), 228, "32", "end")];
    let chunk = 8, lag = 8;
    const marks = element("g");
    const draw = () => {
      const credit = this.credited(steps, chunk, lag), reached = credit.filter(Boolean).length;
      const number = Math.ceil(steps / chunk), high = Math.min(100, lag * each / 2);
      marks.replaceChildren(
        ...credit.flatMap((inside, at) => (at < lag ? [] : [element("path", {
          d: `M${x(at + 1 - lag)} ${line - 22}A${lag * each / 2} ${high} 0 0 1 ${x(at + 1)} ${line - 22}`,
          class: inside ? "solid" : "dashed", style: `fill: none; ${inside ? "" : "stroke-width: 1.5"}`,
          opacity: inside ? 1 : 0.5 })])),
        ...Array.from({ length: number }, (_, at) => {
          const from = at * chunk, to = Math.min(steps, from + chunk);
          return element("rect", { x: left + from * each + 1.5, y: line - 16, width: (to - from) * each - 3, height: 44,
            rx: 5, class: "box" });
        }),
        ...credit.map((inside, at) => element("circle", { cx: x(at + 1), cy: line + 6, r: inside ? 7 : 4,
          class: inside ? "solid" : "dashed dot" })));
      const { all, kept } = this.terms(steps, chunk), end = steps % chunk;
      say(`Chunks of ${chunk}: ${number} of them${end && number > 1 ? `, the last of ${end}` : ""}. Lag ${lag}: ` +
        `${reached || "none"} of the ${steps} answers ha${reached === 1 ? "s" : "ve"} the bit of ` +
        `${lag} step${lag > 1 ? "s" : ""} ago in the same chunk${reached ? "" : ", so no credit reaches any bit"}. ` +
        `Of all ${all} terms of the gradient, ${kept} are kept and ${all - kept} dropped.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      slider({ label: "chunk length", min: 2, max: steps, step: 1, value: chunk },
        (value) => { chunk = value; draw(); }),
      slider({ label: "lag of the answer", min: 1, max: 16, step: 1, value: lag },
        (value) => { lag = value; draw(); }));
    draw();
  },
};
