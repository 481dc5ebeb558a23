// What one more step computes with a cache and without: new keys and values, and comparisons of a query with a key.
Unrolled.figures["kv-cache"] = {
  STEPS: 12,
  WINDOWS: [13, 8, 6, 4, 3, 2],                          // the first holds them all

  // Step n: how many steps go through the matrices, how many pairs are compared, how many keys stay for the next
  step(n, window, cached) {
    const sees = (t) => Math.min(t, window);
    if (cached) return { read: 1, pairs: sees(n), kept: Math.min(n, window - 1) };
    return { read: n, pairs: Array.from({ length: n }, (_, t) => sees(t + 1)).reduce((a, b) => a + b), kept: 0 };
  },

  total(n, window, cached) {
    const steps = Array.from({ length: n }, (_, t) => this.step(t + 1, window, cached));
    const sum = (what) => steps.reduce((sum, step) => sum + step[what], 0);
    return { read: sum("read"), pairs: sum("pairs") };
  },

  show(stage, say) {
    const { element, slider, menu } = Unrolled, { STEPS: most, WINDOWS: windows } = this;
    const W = 640, H = 386, side = 20, top = 38, lefts = [50, 400], below = top + most * side + 10;
    const text = (x, y, words, anchor = "start", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const cell = (x, y, look) =>
      element("rect", { x: x + 1.5, y: y + 1.5, width: side - 3, height: side - 3, class: look });
    const frame = lefts.flatMap((left, panel) => [text(left, 22, panel ? "without a cache" : "with a cache"),
      text(left - 8, below + 16, "k, v", "end")]);
    const moving = element("g");
    let n = 3, window = windows[0];
    const draw = () => {
      const now = [true, false].map((cached) => this.step(n, window, cached));
      const all = [true, false].map((cached) => this.total(n, window, cached));
      moving.replaceChildren(...lefts.flatMap((left, panel) => [
        ...Array.from({ length: n }, (_, t) => t).flatMap((t) => [
          ...Array.from({ length: t + 1 }, (_, s) => s).filter((s) => s > t - window).map((s) =>
            cell(left + s * side, top + t * side, panel || t === n - 1 ? "bar gate-output" : "box")),
          // Keys and values: new ones full, kept ones pale, dropped ones empty
          cell(left + t * side, below, panel || t === n - 1 ? "bar gate-forget" :
            t > n - 1 - window ? "bar open gate-forget" : "box")]),
        text(left, below + 56, `now: ${now[panel].pairs} pair${now[panel].pairs > 1 ? "s" : ""}`, "start", "ink"),
        text(left, below + 90, `so far: ${all[panel].pairs}`, "start", "ink")]));
      const [cached, again] = now, counted = (count, name) => `${count} ${name}${count === 1 ? "" : "s"}`;
      say(`Step ${n}${window > most ? "" : `, and each step sees the last ${window}`}. With a cache one step goes ` +
        `through the matrices, for ${counted(cached.pairs, "pair")}; keys and values of ` +
        `${counted(cached.kept, "step")} stay for the next. Without it ${counted(again.read, "step")} must go ` +
        `through them, for ${counted(again.pairs, "pair")}. Over all steps so far: ${all[0].read} and ` +
        `${all[0].pairs} with a cache, ${all[1].read} and ${all[1].pairs} without.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, moving),
      slider({ label: "step n", min: 1, max: most, step: 1, value: n }, (value) => { n = value; draw(); }),
      menu("window", windows.map((size) => (size > most ? "all steps before" : `the last ${size} steps`)), 0,
        (place) => { window = windows[place]; draw(); }));
    draw();
  },
};
