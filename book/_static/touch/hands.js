// Clock hands at two steps: the product of their positions hangs on the distance of the steps, at every speed.
Unrolled.figures.hands = {
  WIDTH: 16,

  // How far hand i of a vector of d numbers turns in a step
  frequency: (i, d) => 10000 ** (-2 * i / d),

  sinusoidal(t, d) {
    return Array.from({ length: d }, (_, n) => Math[n % 2 ? "cos" : "sin"](t * this.frequency(Math.floor(n / 2), d)));
  },

  // The product of each hand at step t with itself at step s; that of (1, 0) turned by rotary positions is the same
  products(t, s, d) {
    const [query, key] = [t, s].map((step) => this.sinusoidal(step, d));
    return Array.from({ length: d / 2 }, (_, i) => query[2 * i] * key[2 * i] + query[2 * i + 1] * key[2 * i + 1]);
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled, d = this.WIDTH, hands = d / 2;
    const W = 640, H = 296, middle = [140, 128], radius = 104, far = 30;
    const left = 366, right = 630, top = 44, bottom = 236;
    const at = (distance) => left + distance * (right - left) / far;
    const height = (product) => (top + bottom) / 2 - product * (bottom - top) / 2;
    const text = (x, y, words, anchor = "start") => element("text", { x, y, "text-anchor": anchor }, words);
    const line = (x1, y1, x2, y2, look) => element("line", { x1, y1, x2, y2, class: look });
    const path = (points, look) => element("path", { class: look, style: "fill: none",
      d: points.map(([x, y], n) => `${n ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("") });
    const frame = [
      element("circle", { cx: middle[0], cy: middle[1], r: radius, class: "box" }),
      line(middle[0] + radius - 8, middle[1], middle[0] + radius + 8, middle[1], "axis"),
      line(0, 276, 26, 276, "thick"), line(172, 276, 198, 276, "dashed"),
      line(336, 18, 362, 18, "dotted"), text(370, 24, "this hand"), line(514, 18, 540, 18, "thick"),
      text(548, 24, "mean"),
      ...[-1, 0, 1].flatMap((product) => [
        line(left, height(product), right, height(product), product ? "grid" : "axis"),
        text(left - 8, height(product) + 6, signed(product), "end")]),
      ...[0, 10, 20].map((distance) => text(at(distance), bottom + 32, String(distance), "middle")),
      text(W - 4, bottom + 32, "apart", "end")];
    const moving = element("g");
    let s = 3, distance = 2, hand = 0;
    const mean = (products) => products.reduce((sum, product) => sum + product, 0) / hands;
    const draw = () => {
      const t = s + distance, speed = this.frequency(hand, d), products = this.products(t, s, d);
      const tip = (step) => [Math.cos(step * speed), Math.sin(step * speed)].map((number, n) =>
        middle[n] + (n ? -1 : 1) * number * radius);
      const curve = Array.from({ length: 4 * far + 1 }, (_, n) => [n / 4, this.products(s + n / 4, s, d)]);
      // What turning by so much sweeps, in pieces small enough for lines
      const sweep = Array.from({ length: 61 }, (_, n) => tip(s + distance * n / 60))
        .map(([x, y]) => [middle[0] + 0.4 * (x - middle[0]), middle[1] + 0.4 * (y - middle[1])]);
      moving.replaceChildren(
        path(sweep, "half"),
        line(...middle, ...tip(s), "dashed"), line(...middle, ...tip(t), "thick"),
        element("circle", { cx: middle[0], cy: middle[1], r: 5, class: "thick" }),
        text(34, 282, `query ${t}`), text(206, 282, `key ${s}`),
        path(curve.map(([apart, each]) => [at(apart), height(each[hand])]), "dotted"),
        path(curve.map(([apart, each]) => [at(apart), height(mean(each))]), "thick"),
        line(at(distance), top, at(distance), bottom, "axis"),
        element("circle", { cx: at(distance), cy: height(products[hand]), r: 7, style: "fill: var(--gate-input)" }),
        element("circle", { cx: at(distance), cy: height(mean(products)), r: 6, class: "thick" }));
      const number = (value) => signed(value, 3), later = this.products(t + 100, s + 100, d);
      const turn = `${Number(speed.toPrecision(2))} ${hand ? "radians" : "radian"}`;
      say(`Hand ${hand + 1} of ${hands} turns by ${turn} a step. The key is at step ${s}, the query at step ${t}, ` +
        `${distance} apart. Product of this hand: ${number(products[hand])}; mean over all ${hands} hands: ` +
        `${number(mean(products))}. At steps ${s + 100} and ${t + 100}: ${number(later[hand])} and ` +
        `${number(mean(later))}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, moving),
      slider({ label: "key's step, s", min: 0, max: 200, step: 1, value: s }, (value) => { s = value; draw(); }),
      slider({ label: "distance, t − s", min: 0, max: far, step: 1, value: distance },
        (value) => { distance = value; draw(); }),
      slider({ label: "hand, fast to slow", min: 1, max: hands, step: 1, value: 1 },
        (value) => { hand = value - 1; draw(); }));
    draw();
  },
};
