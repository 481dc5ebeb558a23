// One number that remembers: h_t = tanh(x_t + w h_{t-1}), with a weight and alarms that the reader sets.
Unrolled.figures.memory = {
  HOURS: 12,

  states(weight, alarms) {
    const found = [];
    let h = 0;
    for (const x of alarms) found.push(h = Math.tanh(x + weight * h));
    return found;
  },

  show(stage, say) {
    const { element, signed, slider, switches } = Unrolled, hours = this.HOURS;
    const W = 640, H = 260, left = 44, bottom = 40, top = 14;
    const at = (t) => left + (t - 0.5) * (W - left - 10) / hours;
    const height = (h) => top + (1 - h) * (H - top - bottom) / 2;
    let weight = 0.5, alarms = Array.from({ length: hours }, (_, t) => Number(t === 0));
    const marks = element("g");
    const axis = [-1, 0, 1].flatMap((h) => [
      element("line", { x1: left, x2: W - 6, y1: height(h), y2: height(h), class: h ? "grid" : "axis" }),
      element("text", { x: left - 8, y: height(h) + (h < 0 ? -3 : 5), "text-anchor": "end" }, signed(h))]);
    const days = alarms.map((_, t) => element("text", { x: at(t + 1), y: H - 14, "text-anchor": "middle" },
      String(t + 1)));
    const named = element("text", { x: 0, y: H - 14 }, "hour");
    const draw = () => {
      const h = this.states(weight, alarms);
      marks.replaceChildren(...h.flatMap((value, t) => [
        element("line", { x1: at(t + 1), x2: at(t + 1), y1: height(0), y2: height(value),
          class: alarms[t] ? "stem alarm" : "stem" }),
        element("circle", { cx: at(t + 1), cy: height(value), r: alarms[t] ? 8 : 5,
          class: alarms[t] ? "dot alarm" : "dot" })]));
      const rang = alarms.flatMap((x, t) => (x ? [t + 1] : []));
      say(`Weight ${signed(weight, 2)}, ${rang.length ? `alarm in hour ${rang.join(", ")}` : "no alarm"}. ` +
        `The memory is ${signed(h[0], 3)} after hour 1, ${signed(h[1], 3)} after hour 2 and ` +
        `${signed(h[hours - 1], 3)} after hour ${hours}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...axis, ...days, named, marks),
      slider({ label: "weight on the old memory", min: -2, max: 2.5, step: 0.05, value: weight,
        says: (w) => signed(w, 2) }, (value) => { weight = value; draw(); }),
      switches("alarm in hour", alarms.map((_, t) => String(t + 1)), [0],
        (on) => { alarms = on.map(Number); draw(); }));
    draw();
  },
};
