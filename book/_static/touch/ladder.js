// What each idea bought, from the record of a machine: the reader takes one after the other, for few sequences or many.
Unrolled.figures.ladder = {
  show(stage, say, { names, sizes, start }) {
    const { element, slider, menu } = Unrolled, W = 640, row = 52, top = 40, wide = 520;
    const H = top + row * names.length + 8;
    const text = (x, y, words, kind = "", anchor = "start") =>
      element("text", { x, y, class: kind, "text-anchor": anchor }, words);
    const marks = element("g");
    let ideas = start.ideas, which = start.size;
    const draw = () => {
      const { sequences, milliseconds, against, before, textbook } = sizes[which], most = Math.max(...against);
      const x = (times) => wide * times / most, rounded = (time) => time.toPrecision(3);
      marks.replaceChildren(
        element("line", { x1: x(1), x2: x(1), y1: 8, y2: 30, class: "half" }),
        text(Math.min(x(1) + 8, 500), 22, "nn.LSTM"),
        ...names.flatMap((name, at) => {
          const y = top + row * at;
          return [
            element("rect", { x: 0, y: y + 26, width: x(against[at]), height: 18,
              class: at === ideas ? "bar gate-output" : "bar open gate-output",
              visibility: at > ideas ? "hidden" : "visible" }),
            element("line", { x1: x(1), x2: x(1), y1: y + 23, y2: y + 47, class: "half" }),
            text(0, y + 18, name, at === ideas ? "ink" : ""),
            ...(at <= ideas ? [text(x(against[at]) + 8, y + 41, `${against[at].toFixed(2)} ×`, "ink")] : [])];
        }));
      const each = sequences > 1 ? `, ${rounded(milliseconds[ideas] / sequences)} a sequence` : "";
      const gain = before[ideas], word = gain < 1 ? "slower" : "faster", factor = gain < 1 ? 1 / gain : gain;
      say(`${sequences} sequence${sequences > 1 ? "s" : ""} at once, ${ideas} of ${names.length - 1} ideas: ` +
        `${rounded(milliseconds[ideas])} milliseconds${each}, ${against[ideas].toFixed(2)} times nn.LSTM's time. ` +
        (ideas ? `“${names[ideas]}” makes it ${word} by a factor of ${factor.toFixed(2)}; in all it is ` +
          `${textbook[ideas].toFixed(2)} times as fast as the textbook's loop.` : "This is the textbook's loop."));
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, marks),
      slider({ label: "ideas taken", min: 0, max: names.length - 1, step: 1, value: ideas },
        (value) => { ideas = value; draw(); }),
      menu("sequences at once", sizes.map(({ sequences }) => String(sequences)), which,
        (at) => { which = at; draw(); }));
    draw();
  },
};
