// Layer normalisation of the page's step: what is added to all its numbers or multiplies them leaves no trace.
Unrolled.figures.norm = {
  STEP: [1, 3, 5, 7],

  standardised(x, eps = 1e-5) {
    const mean = x.reduce((sum, number) => sum + number, 0) / x.length;
    const variance = x.reduce((sum, number) => sum + (number - mean) ** 2, 0) / x.length;
    const output = x.map((number) => (number - mean) / Math.sqrt(variance + eps));
    return { mean, deviation: Math.sqrt(variance), output };
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled, { STEP: step } = this;
    const W = 640, H = 320, left = 122, wide = 92, middle = (n) => left + (n + 0.5) * wide;
    const height = (number) => 222 - number * 44;
    const text = (x, y, words, anchor = "middle", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const frame = [
      text(0, 34, "step x", "start"), text(0, 84, "x − mean", "start"), text(0, height(0) + 6, "LN(x)", "start"),
      ...[-1, 0, 1].flatMap((number) => [element("line", { x1: left, x2: left + 4 * wide, y1: height(number),
        y2: height(number), class: number ? "grid" : "axis" }),
        text(left + 4 * wide + 10, height(number) + 6, signed(number), "start")])];
    const moving = element("g");
    let last = step[3], added = 0, times = 1;
    const plain = (number) => signed(Number(number.toFixed(2)));
    const row = (numbers) => `(${numbers.map(plain).join(", ")})`;
    const draw = () => {
      const x = [...step.slice(0, 3), last].map((number) => times * number + added);
      const { mean, deviation, output } = this.standardised(x);
      moving.replaceChildren(
        ...x.flatMap((number, n) => [
          text(middle(n), 34, plain(number), "middle", "ink"), text(middle(n), 84, plain(number - mean)),
          element("line", { x1: middle(n), x2: middle(n), y1: height(0), y2: height(output[n]), class: "stem" }),
          element("circle", { cx: middle(n), cy: height(output[n]), r: 8, class: "dot" }),
          text(middle(n), H - 8, signed(output[n], 2), "middle", "ink")]),
        text(W, 34, `μ ${plain(mean)}`, "end"), text(W, 84, `σ ${plain(deviation)}`, "end"));
      const apart = (numbers) => Math.abs(numbers[2] - numbers[0]).toFixed(2), page = this.standardised(step).output;
      const why = !times ? "All numbers are equal: only ε keeps this from being 0/0." :
        last !== step[3] ? `The first three now span ${apart(output)}, and ${apart(page)} with a last number of 7.` :
        times === 1 && !added ? "This is the step of the page." : times > 0 ?
          "What was added to all and what multiplies all has left no trace." : "Only the signs have turned.";
      say(`Step ${row(x)}: mean ${plain(mean)}, deviation ${plain(deviation)}. After layer normalisation: ` +
        `(${output.map((number) => signed(number, 2)).join(", ")}). ${why}`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, moving),
      slider({ label: "all numbers, times", min: -2, max: 4, step: 0.5, value: times, says: (value) => signed(value) },
        (value) => { times = value; draw(); }),
      slider({ label: "added to all", min: -10, max: 20, step: 1, value: added, says: (value) => signed(value) },
        (value) => { added = value; draw(); }),
      slider({ label: "the last number", min: -7, max: 40, step: 1, value: last, says: (value) => signed(value) },
        (value) => { last = value; draw(); }));
    draw();
  },
};
