// What a matrix does to all vectors of length 1: their ellipse after k steps, between the radius and the norm of U.
Unrolled.figures.circle = {
  STEPS: 10,

  times([[a, b], [c, d]], [x, y]) {
    return [a * x + b * y, c * x + d * y];
  },

  power(U, k) {
    let columns = [[1, 0], [0, 1]];
    for (let step = 0; step < k; step++) columns = columns.map((column) => this.times(U, column));
    return [0, 1].map((row) => columns.map((column) => column[row]));
  },

  // The size of the largest eigenvalue, ρ(U)
  radius([[a, b], [c, d]]) {
    const middle = (a + d) / 2, square = ((a - d) / 2) ** 2 + b * c;
    return square < 0 ? Math.sqrt(middle ** 2 - square) : Math.abs(middle) + Math.sqrt(square);
  },

  norm([[a, b], [c, d]]) {
    return (Math.hypot(a + d, b - c) + Math.hypot(a - d, b + c)) / 2;
  },

  // Where the ellipse is farthest from its centre: the longest half-axis
  longest(M) {
    const [[a, b], [c, d]] = M, turn = Math.atan2(2 * (a * b + c * d), a * a + c * c - b * b - d * d) / 2;
    return this.times(M, [Math.cos(turn), Math.sin(turn)]);
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled, steps = this.STEPS;
    const W = 640, H = 300, top = 40, size = 252, middle = [8 + size / 2, top + size / 2];
    const left = 356, right = W - 16, decades = 2;
    const at = (k) => left + k * (right - left) / steps;
    const height = (value) => top + (1 - Math.log10(value) / decades) * size / 2;
    const path = (points) => points.map(([x, y], n) => `${n ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    let a = 0.5, b = 2, c = 0, k = 1;
    const plane = element("g"), curves = element("g");
    const frame = [
      element("line", { x1: 8, x2: 8 + size, y1: middle[1], y2: middle[1], class: "grid" }),
      element("line", { x1: middle[0], x2: middle[0], y1: top, y2: top + size, class: "grid" }),
      ...[0.01, 0.1, 1, 10, 100].flatMap((value) => [
        element("line", { x1: left, x2: right, y1: height(value), y2: height(value),
          class: value === 1 ? "axis" : "grid" }),
        element("text", { x: left - 8, y: height(value) + 5, "text-anchor": "end" }, String(value))]),
      ...[[0, "0", "middle"], [5, "5", "middle"], [10, "k = 10", "end"]].map(([n, label, anchor]) =>
        element("text", { x: n < steps ? at(n) : W - 6, y: H + 20, "text-anchor": anchor }, label)),
      ...[["dashed", "‖U‖ᵏ", 284], ["solid", "‖Uᵏ‖", 402], ["dotted", "ρ(U)ᵏ", 520]].flatMap(([name, label, x]) => [
        element("line", { x1: x, x2: x + 32, y1: 16, y2: 16, class: name }),
        element("text", { x: x + 38, y: 22 }, label)]),
      element("circle", { cx: 418, cy: 16, r: 4, class: "solid" })];

    const tenths = (value) => signed(value, 1);
    const digits = (value, most) => Math.min(most, Math.max(0, 4 - String(Math.trunc(Math.abs(value))).length));
    const length = (value) => (value > 0 && value < 0.005 ? "less than 0.01" : value.toFixed(digits(value, 2)));
    const taken = () => `${k} step${k > 1 ? "s" : ""}`;
    const draw = () => {
      const U = [[a, b], [c, a]], now = this.power(U, k), radius = this.radius(U), norm = this.norm(U);
      const lengths = Array.from({ length: steps + 1 }, (_, n) => this.norm(this.power(U, n)));
      // Of the two longest half-axes, the one that the vector does not cover
      const end = this.times(now, [0, 1]), far = this.longest(now);
      const side = far[0] * end[0] + far[1] * end[1] > 0 ? -1 : 1;
      // The window doubles until the ellipse fits, so that its scale changes seldom
      const unit = 2 ** Math.max(0, Math.ceil(Math.log2(lengths[k] / 2.3)));
      const place = ([x, y]) => [middle[0] + x * size / 4.6 / unit, middle[1] - y * size / 4.6 / unit];
      const turns = Array.from({ length: 121 }, (_, n) => n * Math.PI / 60);
      const round = (M) => path(turns.map((turn) => place(this.times(M, [Math.cos(turn), Math.sin(turn)]))));
      const [x, y] = place(end), [farX, farY] = place([side * far[0], side * far[1]]), [startX, startY] = place([0, 1]);
      plane.replaceChildren(
        element("path", { d: round(now), class: "area" }),
        element("path", { d: round([[1, 0], [0, 1]]), class: "axis", fill: "none", "stroke-dasharray": "2 4" }),
        element("line", { x1: middle[0], y1: middle[1], x2: farX, y2: farY, class: "solid" }),
        element("line", { x1: middle[0], y1: middle[1], x2: x, y2: y, class: "thick" }),
        element("circle", { cx: startX, cy: startY, r: 5, class: "thick", "fill-opacity": 0 }),
        element("circle", { cx: x, cy: y, r: 6, class: "thick" }),
        element("text", { x: 8, y: 22 }, `after ${taken()}`),
        ...[[2, 0], [0, 2]].flatMap(([tickX, tickY]) => {
          const [x, y] = place([tickX * unit, tickY * unit]), across = tickX ? 0 : 5, up = tickX ? 5 : 0;
          return [element("line", { x1: x - across, x2: x + across, y1: y - up, y2: y + up, class: "axis" }),
            element("text", { x: x - 2 * across, y: y + 6 + 4 * up, "text-anchor": tickX ? "middle" : "end" },
              String(2 * unit))];
        }));
      // A line stops where it leaves the drawing
      const line = (factor) => {
        const last = Math.min(steps, decades / Math.max(Math.abs(Math.log10(factor)), 1e-9));
        return path([[at(0), height(1)], [at(last), height(factor ** last)]]);
      };
      curves.replaceChildren(
        element("line", { x1: at(k), x2: at(k), y1: top, y2: top + size, class: "grid" }),
        ...(norm > 0 ? [element("path", { d: line(norm), class: "dashed" })] : []),
        ...(radius > 0 ? [element("path", { d: line(radius), class: "dotted" })] : []),
        ...lengths.flatMap((value, n) => (Math.abs(Math.log10(value)) > decades ? [] :
          [element("circle", { cx: at(n), cy: height(value), r: n === k ? 8 : 4, class: "solid" })])));
      const grown = lengths[k] > 1 + 1e-9, kept = Math.hypot(...end);
      const compared = kept > 1 + 1e-9 ? "longer than" : kept < 1 - 1e-9 ? "shorter than" : "as long as";
      const why = grown ? radius < 1 - 1e-9 && ", although the radius is below 1" :
        norm < 1 - 1e-9 && ", as a norm below 1 guarantees";
      const growth = `${grown ? "some vectors are" : "no vector is"} longer than at the start${why || ""}`;
      say(`U has the rows (${tenths(a)}, ${tenths(b)}) and (${tenths(c)}, ${tenths(a)}). Its spectral radius is ` +
        `${length(radius)} and its norm ${length(norm)}. U to the power ${k} has the norm ${length(lengths[k])}: ` +
        `after ${taken()} ${growth}. The vector (0, 1) has become (${signed(end[0], digits(end[0], 3))}, ` +
        `${signed(end[1], digits(end[1], 3))}), of length ${length(kept)}, ${compared} at the start.`);
    };
    const entry = (label, min, max, value, set) =>
      slider({ label, min, max, step: 0.1, value, says: tenths }, (changed) => { set(changed); draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H + 30}`, "aria-hidden": "true" }, ...frame, plane, curves),
      slider({ label: "steps, k", min: 1, max: steps, step: 1, value: k }, (value) => { k = value; draw(); }),
      entry("diagonal (both entries)", -1, 1.2, a, (value) => { a = value; }),
      entry("top right", -3, 3, b, (value) => { b = value; }),
      entry("bottom left", -1, 1, c, (value) => { c = value; }));
    draw();
  },
};
