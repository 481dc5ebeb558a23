// Checkpoints on a hundred steps: the states in memory while the backward pass goes back, and the most of them.
Unrolled.figures.segments = {
  STEPS: 100,

  // The most states at once, as the page counts: a checkpoint a segment, and the states of one that is run again
  states(steps, segment) {
    return Math.ceil(steps / segment) + segment;
  },

  // When the backward pass arrives at a step, 1 to `steps`: the checkpoints left, and what its segment's run made again
  held(steps, segment, at) {
    const before = Math.floor((at - 1) / segment), range = (n, of) => Array.from({ length: n }, (_, i) => of(i));
    return { checkpoints: range(before + 1, (i) => Math.min(steps, (i + 1) * segment)),
      again: range(Math.min(segment, steps - before * segment), (i) => before * segment + i + 1) };
  },

  show(stage, say) {
    const { element, slider } = Unrolled, steps = this.STEPS, columns = 20;
    const W = 640, H = 400, wide = W / columns, tall = 30, left = 62, right = W - 14, top = 240, bottom = 364;
    const text = (x, y, words, anchor = "start") => element("text", { x, y, "text-anchor": anchor }, words);
    const cell = (t, attributes) => element("rect", { x: (t - 1) % columns * wide + 2, width: wide - 4,
      height: tall - 4, y: 38 + Math.floor((t - 1) / columns) * tall, rx: 4, ...attributes });
    const x = (s) => left + Math.log10(s) / 2 * (right - left), y = (states) => bottom - states / 105 * (bottom - top);
    const most = (segment) => this.states(steps, segment);
    const lengths = Array.from({ length: steps }, (_, at) => at + 1);
    const frame = [
      element("rect", { x: 2, y: 6, width: 20, height: 18, rx: 4, class: "bar gate-forget" }),
      text(30, 22, "checkpoint"),
      element("rect", { x: 218, y: 6, width: 20, height: 18, rx: 4, class: "area" }), text(246, 22, "run again"),
      element("rect", { x: 412, y: 6, width: 20, height: 18, rx: 4, class: "half", fill: "none" }),
      text(440, 22, "backward pass"),
      text(left, top - 16, "most states in memory"),
      ...[0, 50, 100].flatMap((states) => [text(left - 8, y(states) + 6, String(states), "end"),
        element("line", { x1: left, x2: right, y1: y(states), y2: y(states), class: states ? "grid" : "axis" })]),
      ...[1, 10, 100].map((s) => text(x(s), bottom + 28, s === 1 ? "segments of 1" : String(s),
        { 1: "start", 10: "middle", 100: "end" }[s])),
      element("path", { d: `M${lengths.map((s) => `${x(s).toFixed(1)} ${y(most(s)).toFixed(1)}`).join("L")}`,
        class: "solid", style: "fill: none" })];
    let segment = 20, back = 30;
    const marks = element("g");
    const draw = () => {
      const at = steps - back, { checkpoints, again } = this.held(steps, segment, at);
      marks.replaceChildren(
        ...lengths.map((t) => cell(t, { class: "grid", fill: "none" })),
        ...again.map((t) => cell(t, { class: "area" })),
        ...checkpoints.map((t) => cell(t, { class: "bar gate-forget", "fill-opacity": again.includes(t) ? 0.45 : 1 })),
        cell(at, { class: "half", fill: "none" }),
        element("circle", { cx: x(segment), cy: y(most(segment)), r: 8, class: "solid" }));
      const least = most(segment) === Math.min(...lengths.map(most)) ? ", the least that any length needs" : "";
      say(`Segments of ${segment}. When the backward pass arrives at step ${at}, ${checkpoints.length} ` +
        `checkpoint${checkpoints.length > 1 ? "s are" : " is"} left and ${again.length} ` +
        `state${again.length > 1 ? "s have" : " has"} been computed again: ${checkpoints.length + again.length} in ` +
        `memory, at most ${most(segment)} on the way${least}. So far ${steps - again[0] + 1} of the ${steps} steps ` +
        "have been run a second time; in the end all have.");
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      slider({ label: "segment length", min: 1, max: 50, step: 1, value: segment },
        (value) => { segment = value; draw(); }),
      slider({ label: "steps back from the end", min: 0, max: steps - 1, step: 1, value: back },
        (value) => { back = value; draw(); }));
    draw();
  },
};
