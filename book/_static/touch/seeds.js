// What so many seeds say of a gain: their mean and its interval, as the page computed it, while seeds come in one by
// one.
Unrolled.figures.seeds = {
  show(stage, say, { gains, start }) {
    const { element, signed, slider, menu } = Unrolled, all = gains[0].values.length;
    const W = 640, H = 300, left = 66, right = 14, top = 16, bottom = 62, lowest = -1, highest = 1.2;
    const x = (count) => left + (count - 0.5) * (W - left - right) / all;
    const drawn = (gain) => Math.max(lowest, Math.min(highest, gain));
    const y = (gain) => top + (highest - drawn(gain)) * (H - top - bottom) / (highest - lowest);
    const text = (x, y, words, anchor = "middle") => element("text", { x, y, "text-anchor": anchor }, words);
    const axes = [...[-1, 0, 1].flatMap((gain) => [
      element("line", { x1: left, x2: W - right, y1: y(gain), y2: y(gain), class: gain ? "grid" : "axis" }),
      text(left - 8, y(gain) + 6, signed(gain), "end")]),
      ...Array.from({ length: all / 5 }, (_, at) => text(x(5 * (at + 1)), H - bottom + 28, String(5 * (at + 1)))),
      text(left, H - 6, "● one seed   ┃ the interval of all so far", "start")];
    const marks = element("g");
    let count = start, which = 0;
    const draw = () => {
      const { name, values, intervals } = gains[which];        // the first interval is that of two seeds
      marks.replaceChildren(...values.slice(0, count).flatMap((value, at) => {
        const [mean, half] = intervals[at - 1] ?? [value, 0];
        return [
          ...(at ? [element("line", { x1: x(at + 1), x2: x(at + 1), y1: y(mean - half), y2: y(mean + half),
            class: "solid", style: `stroke-width: ${at + 1 === count ? 6 : 2}` })] : []),
          element("circle", { cx: x(at + 1), cy: y(value), r: 5, class: "dot dashed" })];
      }));
      const [mean, half] = intervals[count - 2];
      const verdict = mean - half > 0 ? "The interval lies above 0: these seeds show a gain."
        : mean + half < 0 ? "The interval lies below 0: these seeds show a loss."
        : "The interval contains 0: undecided.";
      say(`${name}, ${count} seeds: a mean of ${signed(mean, 2)} ± ${half.toFixed(2)}; seed ${count} has ` +
        `${signed(values[count - 1], 2)}. ${verdict}`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...axes, marks),
      slider({ label: "seeds", min: 2, max: all, step: 1, value: count }, (value) => { count = value; draw(); }),
      menu("gain by peepholes", gains.map(({ name }) => name), 0, (at) => { which = at; draw(); }));
    draw();
  },
};
