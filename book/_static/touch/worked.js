// One unit, three steps: forward to the loss and back to the weight, one number at a time.
Unrolled.figures.worked = {
  INPUTS: [1, 0, 0],
  TARGET: 1,

  // Every number in the order in which it is computed: its row, its step, and where its factors or terms stand
  moments(u, inputs, target) {
    const found = [], last = inputs.length;
    const put = (row, t, value, ...from) => { found.push({ row, t, value, from }); return value; };
    const h = [0], shares = [];
    inputs.forEach((x, at) => {
      const t = at + 1, carried = put("carried", t, u * h[at], ["h", at]);
      h.push(put("h", t, Math.tanh(put("a", t, x + carried, ["x", t], ["carried", t])), ["a", t]));
    });
    put("loss", last, (h[last] - target) ** 2 / 2, ["h", last]);
    let g = put("g", last, h[last] - target, ["h", last]);
    for (let t = last; t > 0; t--) {
      const slope = put("slope", t, 1 - h[t] ** 2, ["h", t]);
      const delta = put("delta", t, slope * g, ["slope", t], ["g", t]);
      shares.push(put("share", t, delta * h[t - 1] + 0, ["delta", t], ["h", t - 1]));
      if (t > 1) g = put("g", t - 1, u * delta, ["delta", t]);
    }
    put("sum", last, shares.reduce((sum, share) => sum + share, 0), ...inputs.map((_, at) => ["share", at + 1]));
    return found;
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled, { INPUTS: inputs, TARGET: target } = this, steps = inputs.length;
    const W = 640, H = 392, wide = 104, tall = 34, sub = ["₀", "₁", "₂", "₃"];
    const rows = { x: 58, carried: 98, a: 138, h: 178, g: 246, slope: 286, delta: 326, share: 366 };
    const labels = { x: "input x", carried: "u · old h", a: "sum a", h: "state h", g: "g", slope: "slope", delta: "δ",
      share: "share" };
    const place = (row, t) => [row === "loss" || row === "sum" ? 582 : 60 + 130 * t,
      rows[{ loss: "h", sum: "share" }[row] ?? row]];
    const number = (value) => signed(value, 3);
    const text = (x, y, words, attributes = {}) => element("text", { x, y, ...attributes }, words);
    const frame = [...Object.entries(rows).map(([row, y]) => text(6, y + 6, labels[row])),
      ...inputs.map((_, at) => text(place("x", at + 1)[0], 26, `step ${at + 1}`, { "text-anchor": "middle" })),
      text(582, rows.a + 6, "loss", { "text-anchor": "middle" }),
      text(582, rows.delta + 6, "dL/du", { "text-anchor": "middle" }),
      text(6, 26, "forward →"), text(6, 218, "← backward")];
    const plus = (terms) => terms.join(" + ").replaceAll("+ −", "− "), held = (value) => value.replace(/^−.*/, "($&)");
    const how = {
      carried: (t, h) => `u · h${sub[t - 1]} = ${signed(u, 2)} · ${h}`,
      a: (t, ...terms) => `a${sub[t]} = x${sub[t]} + u · h${sub[t - 1]} = ${plus(terms)}`,
      h: (t, a) => `h${sub[t]} = tanh(a${sub[t]}) = tanh(${a})`,
      loss: (t, h) => `Loss = ½ (h${sub[t]} − ${target})² = ½ (${h} − ${target})²`,
      slope: (t, h) => `Slope of step ${t} = 1 − h${sub[t]}² = 1 − ${held(h)}²`,
      g: (t, from) => (t === steps ? `g${sub[t]} = h${sub[t]} − ${target} = ${from} − ${target}`
        : `g${sub[t]} = u · δ${sub[t + 1]} = ${signed(u, 2)} · ${from}`),
      delta: (t, ...factors) => `δ${sub[t]} = slope · g${sub[t]} = ${factors.join(" · ")}`,
      share: (t, ...factors) => `Share of use ${t} = δ${sub[t]} · h${sub[t - 1]} = ${factors.join(" · ")}`,
      sum: (t, ...shares) => `dL/du = sum of the shares = ${plus(shares.reverse())}`,
    };
    let u = 0.5, shown = 10;
    const marks = element("g");
    const draw = () => {
      const moments = this.moments(u, inputs, target), known = moments.slice(0, shown), now = known[shown - 1];
      const box = ([row, t], look) => {
        const [x, y] = place(row, t);
        return element("rect", { x: x - wide / 2, y: y - tall / 2, width: wide, height: tall, rx: 5, class: look,
          ...(look === "area" ? {} : { fill: "none" }) });
      };
      const write = ({ row, t, value }) => {
        const [x, y] = place(row, t);
        return text(x, y + 1, row === "x" ? String(value) : number(value), { class: "in-box ink" });
      };
      const given = inputs.map((value, at) => ({ row: "x", t: at + 1, value }));
      const value = ([row, t]) => {
        const found = [...given, ...known].find((one) => one.row === row && one.t === t);
        return found ? row === "x" ? String(found.value) : number(found.value) : "0";        // h₀
      };
      marks.replaceChildren(
        ...[...given, ...moments].map(({ row, t }) => box([row, t], "grid")),
        ...now.from.filter(([, t]) => t).map((from) => box(from, "half")),
        box([now.row, now.t], "area"), ...[...given, ...known].map(write));
      const direction = shown <= 3 * steps + 1 ? "Forward" : "Backward";
      say(`${direction}, number ${shown} of ${moments.length}, u = ${signed(u, 2)}. ` +
        `${how[now.row](now.t, ...now.from.map(value))} = ${number(now.value)}.` +
        (now.row !== "sum" ? "" : now.value < -0.0005 ? " A larger u makes the loss smaller."
          : now.value > 0.0005 ? " A smaller u makes the loss smaller." : " Here the loss hardly depends on u."));
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      slider({ label: "numbers computed", min: 1, max: this.moments(u, inputs, target).length, step: 1, value: shown },
        (value) => { shown = value; draw(); }),
      slider({ label: "weight u", min: -1, max: 2, step: 0.25, value: u, says: (value) => signed(value, 2) },
        (value) => { u = value; draw(); }));
    draw();
  },
};
