// The gradient of the page's one unit after a part and two quiet seconds, L = h_3, one node after the other.
Unrolled.figures.blame = {
  INPUTS: [1, 0, 0],
  sigma: (a) => 1 / (1 + Math.exp(-a)),

  // Gates, cell and state of every second; `u` is the weight of h in the candidate, `bias` that of the forget gate.
  forward(x, bias, u) {
    const steps = [];
    for (let t = 0, h = 0, c = 0; t < x.length; t++) {
      const i = this.sigma(4 * x[t] - 2), f = this.sigma(bias), g = Math.tanh(2 * x[t] + u * h), o = this.sigma(1);
      c = f * c + i * g;
      h = o * Math.tanh(c);
      steps.push({ i, f, g, o, c, h });
    }
    return steps;
  },

  // Of every second: the derivative of h_T by h and by c, the latter in its two parts, and the three factors.
  backward(steps, u) {
    const found = [];
    let dh = 1, along = 0;
    for (let t = steps.length - 1; t >= 0; t--) {
      const { i, f, g, o, c } = steps[t], shown = o * (1 - Math.tanh(c) ** 2), up = i * (1 - g ** 2) * u;
      const through = dh * shown, dc = through + along;
      found.unshift({ dh, along, through, dc, f, shown, up });
      [dh, along] = [up * dc, f * dc];
    }
    return found;
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled, n = (value) => signed(value, 3), low = ["₁", "₂", "₃"];
    const W = 640, H = 316, x = [76, 320, 564], top = 76, bottom = 244, wide = 116, tall = 46;
    let at = 4, bias = 2, u = 1;
    const text = (x, y, words, kind = "", anchor = "middle") =>
      element("text", { x, y, class: kind, "text-anchor": anchor }, words);
    const marks = element("g");
    const draw = () => {
      const steps = this.forward(this.INPUTS, bias, u), back = this.backward(steps, u), last = steps.length - 1;
      // In the order of the calculation: h3, c3, h2, c2, h1, c1
      const order = back.flatMap((_, k) => [["h", last - k], ["c", last - k]]);
      const done = (node, t) => order.slice(0, at).some(([name, when]) => name === node && when === t);
      const edge = (x1, y1, x2, y2, blame, is, kind) => element("line", {
        x1, y1, x2, y2, class: is ? kind : "axis", style: is
        ? `stroke-width: ${(1.5 + 12 * Math.min(1, Math.abs(blame))).toFixed(1)}; stroke-dasharray: none`
        : "stroke-dasharray: 3 6" });
      marks.replaceChildren(
        ...back.flatMap(({ along, through, dh }, t) => [
          edge(x[t], top + tall / 2, x[t], bottom - tall / 2, through, done("c", t), "bar gate-output"),
          ...(t < last ? [
            edge(x[t] + wide / 2, top, x[t + 1] - wide / 2, top, along, done("c", t), "bar gate-forget"),
            edge(x[t] + wide / 2, bottom - 10, x[t + 1] - wide / 2, top + 16, dh, done("h", t),
              "bar gate-candidate")] : [])]),
        ...back.flatMap(({ dh, dc, shown }, t) => [["c", top, dc], ["h", bottom, dh]].flatMap(([name, y, value]) => {
          const is = done(name, t), now = at && order[at - 1][0] === name && order[at - 1][1] === t;
          return [
            element("rect", { x: x[t] - wide / 2, y: y - tall / 2, width: wide, height: tall, rx: 6, class: "box",
              style: `fill: var(--pst-color-background); stroke-width: ${now ? 4 : 1}` }),
            text(x[t], y + 1, is ? n(value) : "?", "in-box ink"),
            text(x[t], name === "c" ? y - 36 : y + 52, `${name}${low[t]} = ${n(steps[t][name])}`),
            ...(name === "c" ? [text(x[t] + (t ? -10 : 12), bottom - 46, n(shown), "", t ? "end" : "start")] : [])];
        })),
        ...back.slice(1).flatMap(({ f, up }, t) => [
          text((x[t] + x[t + 1]) / 2, top - 12, n(f)),
          text((x[t] + x[t + 1]) / 2 - 10, (top + bottom) / 2 - 12, n(up), "", "end")]));
      const [name, t] = order[Math.max(0, at - 1)], now = back[t], next = back[t + 1];
      const told = at === 0 ? "Nothing is known yet but the forward pass."
        : name === "c" ? `Second ${t + 1}: the cell gets ${n(now.along)} along the cell` +
          `${next ? `, ${n(next.f)} · ${n(next.dc)},` : ""} and ${n(now.through)} through h, ` +
          `${n(now.shown)} · ${n(now.dh)}: together ${n(now.dc)}.`
        : next ? `Second ${t + 1}: the state gets what the next candidate lets through, ` +
          `${n(next.up)} · ${n(next.dc)} = ${n(now.dh)}.`
        : "Second 3: the loss is the last state itself, so its share is 1.";
      say(`Step ${at} of 6, forget gate ${n(back[0].f)}, weight of h ${signed(u, 2)}. ${told}`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, marks),
      slider({ label: "step backwards", min: 0, max: 6, step: 1, value: at }, (value) => { at = value; draw(); }),
      slider({ label: "bias of the forget gate", gate: "forget", min: -4, max: 6, step: 0.5, value: bias,
        says: (b) => signed(b, 1) }, (value) => { bias = value; draw(); }),
      slider({ label: "weight of h in g", gate: "candidate", min: -3, max: 8, step: 0.5, value: u,
        says: (w) => signed(w, 1) }, (value) => { u = value; draw(); }));
    draw();
  },
};
