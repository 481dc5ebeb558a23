// A GRU of one unit as a counter, h_t = tanh(u h_{t-1} + e x_t): it climbs on every a and comes down on every b.
Unrolled.figures["gru-counter"] = {
  LAST: 4,                          // after n times a, at most so many times n times b

  // The states after n times a and then as many b, in units of the input weight e.
  counts(u, e, n, b) {
    const found = [];
    for (let t = 0, h = 0; t < n + b; t++) found.push((h = Math.tanh(u * h + (t < n ? e : -e))) / e);
    return found;
  },

  // At which b the state turns negative; null if it does not.
  turnsAt(u, e, n) {
    const at = this.counts(u, e, n, this.LAST * n).findIndex((count, t) => t >= n && count < 0);
    return at < 0 ? null : at - n + 1;
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled;
    const W = 640, H = 304, left = 70, right = 16, top = 40, bottom = 46;
    const text = (x, y, words, anchor = "middle") => element("text", { x, y, "text-anchor": anchor }, words);
    let u = 1, power = 40, n = 12;
    const marks = element("g");
    const draw = () => {
      const e = 2 ** -power, after = n + Math.ceil(n / 3) + 2, counts = this.counts(u, e, n, after);
      const ideal = counts.map((_, t) => (t < n ? t + 1 : 2 * n - t - 1)), most = Math.max(n, ...counts);
      const least = Math.min(...ideal, ...counts);
      const x = (t) => left + (t + 1) * (W - left - right) / counts.length;
      const y = (count) => top + (most - count) * (H - top - bottom) / (most - least);
      const point = (value, t) => `L${x(t).toFixed(1)} ${y(value).toFixed(1)}`;
      const line = (values) => `M${left} ${y(0)}${values.map(point).join("")}`;
      const turn = this.turnsAt(u, e, n), drawn = turn !== null && turn <= after;
      marks.replaceChildren(
        element("line", { x1: left, x2: W - right, y1: y(0), y2: y(0), class: "axis" }),
        text(left - 8, y(0) + 6, "0", "end"),
        text(left - 8, y(most) + 6, String(Number(most.toPrecision(3))), "end"),
        element("line", { x1: x(n - 1), x2: x(n - 1), y1: top, y2: H - bottom, class: "grid" }),
        text((left + x(n - 1)) / 2, H - 12, `${n} times a`), text((x(n - 1) + W - right) / 2, H - 12, "then b"),
        element("path", { d: line(ideal), class: "dotted" }),
        element("path", { d: line(counts), class: "solid", style: "fill: none" }),
        ...(drawn ? [element("circle", { cx: x(n + turn - 1), cy: y(counts[n + turn - 1]), r: 8, class: "solid" })]
          : []),
        text(left, 20, "state / ε", "start"), element("line", { x1: 250, x2: 290, y1: 14, y2: 14, class: "dotted" }),
        text(298, 20, "right", "start"), element("line", { x1: 420, x2: 460, y1: 14, y2: 14, class: "solid" }),
        text(468, 20, "this unit", "start"));
      const reached = counts[n - 1], fate = turn === null ? `has not turned negative after ${this.LAST * n} b`
        : `turns negative at b number ${turn}`;
      const judged = turn === n || turn === n + 1 ? "right" : "wrong";
      say(`Recurrent weight ${u.toFixed(2)}, input weight ε = 2 to the power ${signed(-power)}. After ${n} times a ` +
        `the state is ${Number(reached.toPrecision(4))} ε, and it should be ${n} ε. It ${fate}: ${judged}, ` +
        `since it should be number ${n + 1} (or ${n}, where the letters are tied).`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, marks),
      slider({ label: "recurrent weight u", min: 0.8, max: 1.2, step: 0.01, value: u, says: (now) => now.toFixed(2) },
        (now) => { u = now; draw(); }),
      slider({ label: "ε = 2 to the power", min: -44, max: -1, step: 1, value: -power, says: (now) => signed(now) },
        (now) => { power = -now; draw(); }),
      slider({ label: "n, how often a", min: 1, max: 64, step: 1, value: n }, (now) => { n = now; draw(); }));
    draw();
  },
};
