// The straight road of a gradient from c_1 to c_{1+k} and all roads together, in the page's one unit with h_1 held.
Unrolled.figures.roads = {
  STEPS: 60,
  sigma: (a) => 1 / (1 + Math.exp(-a)),

  // After 1, 2, … steps: the product of the forget gates, and the derivative on all roads. `u` is the weight of h in g.
  reach(forgetBias, inputBias, u, steps) {
    const f = this.sigma(forgetBias), o = this.sigma(1), straight = [], whole = [];
    let h = 0, c = 0, shown = 0;
    for (let t = 0; t <= steps; t++) {
      const x = Number(t === 0), i = this.sigma(4 * x + inputBias), g = Math.tanh(2 * x + u * h);
      const up = i * (1 - g ** 2) * u;
      if (t) {
        straight.push(f ** t);
        whole.push(t === 1 ? f : whole[t - 2] * (f + shown * up));      // h_1 is held: the first step has one road
      }
      c = f * c + i * g;
      h = o * Math.tanh(c);
      shown = o * (1 - Math.tanh(c) ** 2);
    }
    return { straight, whole };
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled, steps = this.STEPS;
    const W = 640, H = 330, left = 84, right = 20, top = 46, bottom = 44, lowest = -6, highest = 1;
    const x = (k) => left + k * (W - left - right) / steps;
    const y = (value) => top + (highest - Math.min(highest, Math.max(lowest, Math.log10(Math.abs(value))))) *
      (H - top - bottom) / (highest - lowest);
    const text = (x, y, words, anchor = "start") => element("text", { x, y, "text-anchor": anchor }, words);
    const number = (value) => {
      if (Math.abs(value) >= 0.001 || value === 0) return signed(value, 3);
      const [digits, power] = value.toExponential(1).split("e-");
      const raised = [..."-" + power].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("");
      return `${signed(+digits, 1)} · 10${raised}`;
    };
    const path = (values, kind) => element("path", { class: kind, style: "fill: none",
      d: `M${values.map((value, at) => `${x(at + 1).toFixed(1)},${y(value).toFixed(1)}`).join(" L")}` });
    const axes = [
      ...[[1, "1"], [0.01, "0.01"], [1e-4, "10⁻⁴"], [1e-6, "10⁻⁶"]].flatMap(([value, words]) => [
        element("line", { x1: left, x2: W - right, y1: y(value), y2: y(value), class: value > 1e-6 ? "grid" : "axis" }),
        text(left - 8, y(value) + 6, words, "end")]),
      ...[0, 20, 40, 60].map((k) => text(x(k), H - bottom + 28, k === 40 ? "40 steps" : String(k), "middle")),
      element("line", { x1: left, x2: left + 44, y1: 20, y2: 20, class: "dashed" }), text(left + 52, 26, "straight"),
      element("line", { x1: left + 210, x2: left + 254, y1: 20, y2: 20, class: "solid" }),
      text(left + 262, 26, "all roads")];
    const marks = element("g"), biases = { forget: 2, input: -2 };
    let u = 1, k = 2;
    const draw = () => {
      const { straight, whole } = this.reach(biases.forget, biases.input, u, steps);
      const [direct, all] = [straight[k - 1], whole[k - 1]];
      marks.replaceChildren(
        element("line", { x1: x(k), x2: x(k), y1: top, y2: H - bottom, class: "half" }),
        path(whole, "solid"), path(straight, "dashed"),
        element("circle", { cx: x(k), cy: y(all), r: 7, class: "dot" }),
        element("circle", { cx: x(k), cy: y(direct), r: 6, class: "dot dashed" }));
      const gate = (bias, digits = 3) => this.sigma(bias).toFixed(digits);
      say(`Forget gate ${gate(biases.forget)}, input gate in quiet seconds ${gate(biases.input)}, weight of h ` +
        `${signed(u, 1)}. After ${k} steps the straight road brings ${number(direct)} and all other roads together ` +
        `${number(all - direct)}: ${number(all)} in all. ` + (Math.abs(all - direct) > Math.abs(direct)
          ? "Most of it did not come straight." : "The straight road is the main one."));
    };
    const bias = (gate) => slider({ label: `bias of the ${gate} gate`, gate, min: -6, max: 6, step: 0.5,
      value: biases[gate], says: (value) => signed(value, 1) }, (value) => { biases[gate] = value; draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...axes, marks),
      slider({ label: "steps back k", min: 1, max: steps, step: 1, value: k }, (value) => { k = value; draw(); }),
      bias("forget"), bias("input"),
      slider({ label: "weight of h in g", gate: "candidate", min: -3, max: 8, step: 0.5, value: u,
        says: (value) => signed(value, 1) }, (value) => { u = value; draw(); }));
    draw();
  },
};
