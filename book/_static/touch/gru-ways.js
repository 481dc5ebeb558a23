// The page's one unit, forwards value by value and back way by way: four shares of the gradient reach the old state.
Unrolled.figures["gru-ways"] = {
  STATE: 1,
  WEIGHTS: { r: 1, z: 1, n: 2 },

  // Forwards: what the input adds inside each gate is given; it adds nothing to the candidate.
  forward(h, toReset, toUpdate) {
    const sigma = (a) => 1 / (1 + Math.exp(-a)), u = this.WEIGHTS;
    const r = sigma(u.r * h + toReset), z = sigma(u.z * h + toUpdate), m = u.n * h, n = Math.tanh(r * m);
    return { r, z, m, n, next: z * h + (1 - z) * n };
  },

  // Back: the derivative of the new state by the old one, in its four ways.
  ways(h, toReset, toUpdate) {
    const { r, z, m, n } = this.forward(h, toReset, toUpdate), u = this.WEIGHTS, delta = (1 - z) * (1 - n ** 2);
    return { kept: z, update: (h - n) * z * (1 - z) * u.z, candidate: delta * r * u.n,
      reset: delta * m * r * (1 - r) * u.r };
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled, h = this.STATE, u = this.WEIGHTS;
    const W = 640, H = 432, number = (value) => signed(value, 3);
    const nodes = { h: [66, 196], r: [236, 66], m: [236, 170], z: [236, 368], n: [406, 118], next: [574, 196] };
    const names = { h: "h", r: "r", m: "m", z: "z", n: "n", next: "h′" };
    const colours = { r: "reset", z: "update", n: "candidate" };
    const edges = { hr: ["h", "r"], hm: ["h", "m"], hz: ["h", "z"], rn: ["r", "n"], mn: ["m", "n"], nx: ["n", "next"],
      zx: ["z", "next"], hx: ["h", "next"] };
    const ways = { kept: [["hx"], "update", 320, 266], update: [["zx", "hz"], "update", 404, 336],
      candidate: [["nx", "mn", "hm"], "candidate", 320, 214], reset: [["nx", "rn", "hr"], "reset", 330, 40] };
    const appears = { h: 1, r: 1, z: 1, m: 2, n: 3, next: 4 }, order = ["kept", "update", "candidate", "reset"];
    const text = (x, y, words, anchor = "middle", style = "") =>
      element("text", { x, y, "text-anchor": anchor, style }, words);
    const bold = "fill: var(--pst-color-text-base); font-weight: 700;";
    const halo = "paint-order: stroke; stroke: var(--pst-color-background); stroke-width: 6";
    let step = 1, toReset = -1, toUpdate = -1;
    const marks = element("g");
    const wire = (name, kind, wide) => {
      const [[x1, y1], [x2, y2]] = edges[name].map((node) => nodes[node]);
      const bend = name === "hx" ? `C${x1 + 90} 282 ${x2 - 90} 282 ${x2} ${y2}` : `L${x2} ${y2}`;
      return element("path", { d: `M${x1} ${y1}${bend}`, class: kind, style: `fill: none; stroke-width: ${wide}` });
    };
    const draw = () => {
      const found = { h, ...this.forward(h, toReset, toUpdate) }, shares = this.ways(h, toReset, toUpdate);
      const now = order[step - 5], sum = order.reduce((all, way) => all + shares[way], 0);
      const box = ([node, [x, y]]) => [
        element("rect", { x: x - 56, y: y - 32, width: 112, height: 64, rx: 6,
          style: "fill: var(--pst-color-background)" }),
        element("rect", { x: x - 56, y: y - 32, width: 112, height: 64, rx: 6,
          class: colours[node] ? `bar open gate-${colours[node]}` : "box" }),
        text(x, y - 6, names[node]), text(x, y + 23, step >= appears[node] ? number(found[node]) : "")];
      marks.replaceChildren(
        ...Object.keys(edges).map((name) => wire(name, "axis", 1)),
        ...(now ? ways[now][0].map((name) => wire(name, `bar gate-${ways[now][1]}`, 7)) : []),
        ...Object.entries(nodes).flatMap(box),
        ...order.slice(0, Math.max(0, step - 4)).map((way) => text(ways[way][2], ways[way][3],
          `← ${number(shares[way])}`, "start", bold + halo)),
        ...(step === 9 ? [text(4, 302, `all ${number(sum)}`, "start", bold)] : []));
      const { r, z, m, n, next } = found, delta = (1 - z) * (1 - n ** 2);
      const plus = (value) => `${value < 0 ? "−" : "+"} ${Math.abs(value)}`;
      const told = [
        `Forwards, the gates: r = σ(${u.r} · ${h} ${plus(toReset)}) = ${number(r)} and ` +
          `z = σ(${u.z} · ${h} ${plus(toUpdate)}) = ${number(z)}`,
        `Forwards, what the reset gate multiplies: m = ${u.n} · ${h} = ${number(m)}`,
        `Forwards, the candidate: n = tanh(${number(r)} · ${number(m)}) = ${number(n)}`,
        `Forwards, the new state: h′ = ${number(z)} · ${h} + ${number(1 - z)} · ${number(n)} = ${number(next)}`,
        `Back, kept directly: z = ${number(z)} of the gradient`,
        `Back through the update gate: (h − n) · z (1 − z) · ${u.z} = ${number(h - n)} · ${number(z * (1 - z))} = ` +
          number(shares.update),
        `Back through the candidate: (1 − z)(1 − n²) · r · ${u.n} = ${number(delta)} · ${number(r)} · ${u.n} = ` +
          number(shares.candidate),
        `Back through the reset gate: (1 − z)(1 − n²) · m · r (1 − r) · ${u.r} = ${number(delta)} · ${number(m)} · ` +
          `${number(r * (1 - r))} = ${number(shares.reset)}`,
        `Back, all four: ${order.map((way) => number(shares[way])).join(" + ")} = ${number(sum)}`];
      say(`Step ${step} of ${told.length}. ${told[step - 1]}. With r = ${number(r)} and z = ${number(z)}, ` +
        `${number(sum)} of the gradient comes back in all, ${number(z)} of it directly.`);
    };
    const pull = (label, gate, value, set) => slider({ label, gate, min: -5, max: 5, step: 0.5, value,
      says: (now) => signed(now, 1) }, (now) => { set(now); draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, marks),
      slider({ label: "step", min: 1, max: 9, step: 1, value: step }, (now) => { step = now; draw(); }),
      pull("input to the update gate", "update", toUpdate, (now) => { toUpdate = now; }),
      pull("input to the reset gate", "reset", toReset, (now) => { toReset = now; }));
    draw();
  },
};
