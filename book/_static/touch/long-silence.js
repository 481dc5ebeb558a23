// Two trained networks read a night: the probability that A was first after each step, from the page's own weights.
Unrolled.figures["long-silence"] = {
  BETWEEN: 4,                                // quiet steps between the alarms and after them, as on the page
  AFTER: 4,
  NAMES: ["trained on short nights", "trained to wait"],

  // What a recurrent network with a read-out of one logit says after each step
  logits(network, night) {
    const dot = (a, b) => a.reduce((sum, value, at) => sum + value * b[at], 0);
    const [W, U, b, c] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((name) => network[`rnn.${name}_l0`]);
    let h = b.map(() => 0);
    return night.map((x) => {
      h = b.map((bias, k) => Math.tanh(dot(W[k], x) + dot(U[k], h) + bias + c[k]));
      return dot(network["readout.weight"][0], h) + network["readout.bias"][0];
    });
  },

  // Rows of A, B and noise
  night(noise, before, aFirst) {
    const second = before + 1 + this.BETWEEN;
    return Array.from({ length: second + 1 + this.AFTER }, (_, t) =>
      [Number(t === (aFirst ? before : second)), Number(t === (aFirst ? second : before)), noise[t]]);
  },

  show(stage, say, { networks, noise }) {
    const { element, menu, slider } = Unrolled;
    const W = 640, H = 276, left = 90, right = 12, top = 40, bottom = 232, most = 80;
    const steps = most + this.BETWEEN + this.AFTER + 2;
    const x = (t) => left + t * (W - left - right) / (steps - 1), y = (p) => bottom - p * (bottom - top);
    const text = (x, y, words, anchor = "middle", kind = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind }, words);
    let which = 0, before = 2, aFirst = false, other = 0;
    const axes = [
      ...[[1, "A first"], [0.5, "unsure"], [0, "B first"]].flatMap(([p, words]) => [
        element("line", { x1: left, x2: W - right, y1: y(p), y2: y(p), class: p ? "grid" : "axis" }),
        text(left - 6, y(p) + 6, words, "end")]),
      ...[20, 40, 60, 80].map((t) => text(x(t - 1), H - 14, String(t))), text(x(0), H - 14, "step")];
    const marks = element("g");
    const draw = () => {
      const night = this.night(noise[other], before, aFirst);
      const p = this.logits(networks[which], night).map((logit) => 1 / (1 + Math.exp(-logit)));
      const second = before + 1 + this.BETWEEN, last = p[p.length - 1];
      const spot = (t, r, kind) => element("circle", { cx: x(t), cy: y(p[t]), r, class: kind });
      marks.replaceChildren(
        ...[before, second].map((t) => element("line", { x1: x(t), x2: x(t), y1: top, y2: bottom,
          class: "alarm", "stroke-width": 2 })),
        text(Math.max(x(before) - 4, left + 10), top - 18, aFirst ? "A" : "B", "middle", "ink"),
        text(x(second) + 4, top - 18, aFirst ? "B" : "A", "middle", "ink"),
        element("path", { d: p.map((value, t) => `${t ? "L" : "M"}${x(t).toFixed(1)} ${y(value).toFixed(1)}`).join(""),
          fill: "none", stroke: "var(--gate-output)", "stroke-width": 2 }),
        ...p.map((_, t) => spot(t, t === before || t === second ? 7 : 3.5,
          t === before || t === second ? "dot alarm" : "dot")),
        spot(p.length - 1, 7, "solid"));
      const share = (value) => (value < 0.005 ? "less than 0.01" : value > 0.995 ? "more than 0.99" : value.toFixed(2));
      const silent = before ? `After ${before} quiet steps, before any alarm, the probability that A was first is ` +
        `${share(p[before - 1])}. ` : "";
      const [one, two] = aFirst ? "AB" : "BA";
      say(`The network ${this.NAMES[which]}, noise ${other + 1}. ${silent}Then ${one} rings in step ${before + 1} ` +
        `and ${two} in step ${second + 1}. At the end the probability of A is ${share(last)}: ` +
        `the answer "${last > 0.5 ? "A" : "B"}" is ${last > 0.5 === aFirst ? "right" : "wrong"}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...axes, marks),
      menu("network", this.NAMES, 0, (value) => { which = value; draw(); }),
      slider({ label: "quiet steps before", min: 0, max: most, step: 2, value: before },
        (value) => { before = value; draw(); }),
      menu("which alarm is first", ["A", "B"], 1, (value) => { aFirst = value === 0; draw(); }),
      slider({ label: "noise", min: 1, max: noise.length, step: 1, value: 1 },
        (value) => { other = value - 1; draw(); }));
    draw();
  },
};
