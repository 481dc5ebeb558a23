// Parts since the last change of the tool, counted in one cell: c_t = f c_{t-1} + g_t, where f is less than 1 at a
// change.
Unrolled.figures.counting = {
  LOG: "ppTp.p..pp..p.pp.Tp.p.p.",      // p a part, T a change of the tool, one letter a second, over and over
  CELLS: [["1997, no forget gate", 1], ["2000, f = 0 at a change", 0], ["2000, f = 0.5 at a change", 0.5]],
  ADDS: [["1", 1], ["a half", 0.5], ["a tenth", 0.1]],

  // The cell after every second. A part adds its candidate, and a change takes away: 1, or nothing if there is a gate.
  cell(log, f, add) {
    let c = 0;
    return [...log].map((event) => (c = (event === "T" ? f * c : c) + ({ p: add, T: f < 1 ? 0 : -1 }[event] ?? 0)));
  },

  wanted(log) {
    let count = 0;
    return [...log].map((event) => (count = event === "T" ? 0 : count + Number(event === "p")));
  },

  show(stage, say) {
    const { element, signed, slider, menu } = Unrolled;
    const W = 640, H = 320, left = 62, right = 14, top = 48, bottom = 70;
    const text = (x, y, words, anchor = "start") => element("text", { x, y, "text-anchor": anchor }, words);
    let kind = 0, size = 0, seconds = 4;
    const marks = element("g"), key = [
      element("line", { x1: left, x2: left + 44, y1: 20, y2: 20, class: "dashed" }),
      text(left + 52, 26, "count wanted"),
      element("line", { x1: left + 270, x2: left + 314, y1: 20, y2: 20, class: "solid" }),
      text(left + 322, 26, "count in the cell")];
    const draw = () => {
      const log = this.LOG.repeat(4).slice(0, seconds), [name, f] = this.CELLS[kind], [words, add] = this.ADDS[size];
      const c = this.cell(log, f, add), counts = c.map((value) => value / add), wanted = this.wanted(log);
      const most = [4, 8, 16, 32, 64].find((value) => [...counts, ...wanted].every((count) => count <= value));
      const least = counts.every((count) => count > -1e-9) ? 0
        : -[4, 8, 16, 32, 64].find((value) => counts.every((count) => count >= -value));
      const x = (t) => left + t * (W - left - right) / seconds;
      const y = (count) => H - bottom - (count - least) * (H - top - bottom) / (most - least);
      const stairs = (values) => values.map((value, t) => `V${y(value).toFixed(1)} H${x(t + 1).toFixed(1)}`).join(" ");
      const steps = (values, style) => element("path", { class: style, style: "fill: none",
        d: `M${x(0)},${y(0)} ${stairs(values)}` });
      const every = [1, 2, 4, 8, 16].find((value) => seconds / value <= 13);
      marks.replaceChildren(
        ...[least, 0, most].filter((count, at, all) => all.indexOf(count) === at).flatMap((count) => [
          element("line", { x1: left, x2: W - right, y1: y(count), y2: y(count), class: count ? "grid" : "axis" }),
          text(left - 8, y(count) + 6, signed(count), "end")]),
        ...[...log].flatMap((event, t) => [
          ...(event === "T" ? [element("line", { x1: x(t), x2: x(t), y1: top, y2: H - bottom, class: "grid" })] : []),
          ...(seconds <= 8 ? [text(x(t + 0.5), H - bottom + 26, { p: "part", T: "tool" }[event] ?? "–",
            "middle")] : []),
          ...((t + 1) % every ? [] : [text(x(t + 0.5), H - 14, String(t + 1), "middle")])]),
        ...(seconds > 8 ? [text(left, H - bottom + 26, "thin lines: the tool is changed")] : []),
        steps(counts, "solid"), steps(wanted, "dashed"));
      const now = seconds - 1, off = Math.abs(counts[now] - wanted[now]), count = (value) => signed(+value.toFixed(2));
      say(`The cell of ${name}; a part adds ${words}. After ${seconds} seconds it stands for a count of ` +
        `${count(counts[now])}, and ${wanted[now]} is wanted: ${off < 1e-9 ? "right" : `off by ${count(off)}`}. ` +
        `It shows tanh(${count(c[now])}) = ${signed(Math.tanh(c[now]), 3)}; the right count would show ` +
        `${signed(Math.tanh(add * wanted[now]), 3)}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...key, marks),
      slider({ label: "seconds of the log", min: 4, max: 96, step: 4, value: seconds },
        (value) => { seconds = value; draw(); }),
      menu("the cell of", this.CELLS.map(([name]) => name), 0, (at) => { kind = at; draw(); }),
      menu("a part adds", this.ADDS.map(([words]) => words), 0, (at) => { size = at; draw(); }));
    draw();
  },
};
