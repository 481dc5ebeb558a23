// The loss of one unit over its two weights, and descent over its cliff with gradients clipped at a threshold.
Unrolled.figures.cliff = {
  START: [1.2, -0.3],
  RATE: 0.1,

  // The loss, and its gradient: dh/dw and dh/db are carried forwards
  cliff(w, b, steps = 50, target = 0.7) {
    let h = 0.5, dw = 0, db = 0;
    for (let step = 0; step < steps; step++) {
      [dw, db, h] = [h + w * dw, 1 + w * db, Math.tanh(w * h + b)];
      [dw, db] = [(1 - h * h) * dw, (1 - h * h) * db];
    }
    return [(h - target) ** 2, [dw, db].map((slope) => slope * 2 * (h - target))];
  },

  // Where descent passes; a threshold of null does not clip
  descend(point, threshold, updates = 100, rate = this.RATE) {
    const path = [point];
    for (let update = 0; update < updates; update++) {
      const [w, b] = path[update], [, g] = this.cliff(w, b), size = Math.hypot(...g);
      const scale = threshold === null ? 1 : Math.min(1, threshold / Math.max(size, 1e-300));
      path.push([w - rate * scale * g[0], b - rate * scale * g[1]]);
    }
    return path;
  },

  show(stage, say) {
    const { element, signed, slider, switches } = Unrolled;
    const W = 640, left = 84, right = 634, top = 8, lowest = [0.5, -0.4], highest = [1.7, 0.3];
    const unit = (right - left) / (highest[0] - lowest[0]), bottom = top + unit * (highest[1] - lowest[1]);
    const place = ([w, b]) => [left + (w - lowest[0]) * unit, bottom - (b - lowest[1]) * unit];
    const inside = (point) => point.every((value, at) => value >= lowest[at] && value <= highest[at]);
    let updates = 7, threshold = 0.5, clipping = true;

    // The ground, darker where the loss is higher; neighbours of one height in one piece
    const ground = element("g", { class: "ground", "shape-rendering": "crispEdges" }), cell = 0.01;
    const across = Math.round((highest[0] - lowest[0]) / cell), up = Math.round((highest[1] - lowest[1]) / cell);
    for (let row = 0; row < up; row++) {
      const b = lowest[1] + (row + 0.5) * cell;
      const heights = Array.from({ length: across }, (_, at) =>
        Math.round(4 * this.cliff(lowest[0] + (at + 0.5) * cell, b)[0]));
      for (let from = 0, to; from < across; from = to) {
        for (to = from + 1; heights[to] === heights[from];) to++;
        const [x, y] = place([lowest[0] + from * cell, lowest[1] + (row + 1) * cell]);
        if (heights[from]) ground.append(element("rect", { x, y, width: (to - from) * cell * unit, height: cell * unit,
          "fill-opacity": 0.04 * heights[from] }));
      }
    }
    const axes = [
      element("line", { x1: left, x2: right, y1: bottom, y2: bottom, class: "axis" }),
      element("line", { x1: left, x2: left, y1: top, y2: bottom, class: "axis" }),
      ...[0.6, 1, 1.4].map((w) => element("text", { x: place([w, 0])[0], y: bottom + 24, "text-anchor": "middle" },
        w === 1 ? "w = 1.0" : w.toFixed(1))),
      ...[-0.3, 0, 0.2].map((b) => element("text", { x: left - 8, y: place([0, b])[1] + 6, "text-anchor": "end" },
        b ? signed(b, 1) : "b = 0")),
      element("text", { x: left + 14, y: bottom - 18, class: "ink" }, "high ground"),
      element("text", { x: right - 14, y: place([0, 0.08])[1], "text-anchor": "end", class: "ink" }, "low ground")];
    const walk = element("g");

    // A step as far as the map goes: with a head, and with a word on where it ends if that is elsewhere
    const step = (from, to, look, headed) => {
      const way = to.map((value, at) => value - from[at]);
      const share = Math.min(1, ...way.map((length, at) =>
        (length ? ((length > 0 ? highest : lowest)[at] - from[at]) / length : 1)));
      const [[x1, y1], [x2, y2]] = [from, from.map((value, at) => value + share * way[at])].map(place);
      const turn = Math.atan2(y2 - y1, x2 - x1) * 180 / Math.PI;
      const drawn = [element("line", { x1, y1, x2, y2, class: look })];
      if (share < 1 || headed && Math.hypot(x2 - x1, y2 - y1) > 20) {
        drawn.push(element("path", { d: "M0 0L-14 -6L-14 6Z", class: `${look} head`,
          transform: `translate(${x2} ${y2}) rotate(${turn})` }));
      }
      const told = `to b = ${signed(to[1], 2)}`;
      if (share < 1) drawn.push(element("text", { x: x2 + 14, y: y2 + 24, class: "ink" }, told));
      return drawn;
    };
    const small = (value) => (value < 0.0005 ? "less than 0.001" : value.toFixed(value < 0.1 ? 3 : 2));
    const draw = () => {
      const path = this.descend(this.START, clipping ? threshold : null, updates), here = path[updates];
      const [loss, g] = this.cliff(...here), size = Math.hypot(...g), look = clipping ? "solid" : "dashed";
      const [whole, short] = [null, threshold].map((limit) => this.descend(here, limit, 1)[1]);
      const spot = (point, r, look) => element("circle", { cx: place(point)[0], cy: place(point)[1], r, class: look });
      walk.replaceChildren(
        ...path.slice(1).flatMap((to, at) => (inside(path[at]) ? step(path[at], to, look) : [])),
        ...path.filter(inside).map((point) => spot(point, 3, `${look} dot`)),
        ...(inside(here) ? [...step(here, whole, "dashed", true), ...step(here, short, "thick"),
          spot(here, 7, `${look} dot`), spot(short, 5, "thick ring")] : []));
      const found = (point) => {
        const [height, slope] = this.cliff(...point);
        return `b = ${signed(point[1], 2)}, loss ${small(height)}, gradient ${small(Math.hypot(...slope))}`;
      };
      const tau = `τ = ${threshold.toFixed(1)}`;
      const ask = small(this.RATE * size), how = clipping ? `clipped to ${tau}` : "without clipping";
      const next = size > threshold ?
        `A whole step of ${ask} leads to ${found(whole)}; clipped to ${tau}, a step of ` +
        `${small(this.RATE * threshold)} leads to ${found(short)}.` :
        `That is below ${tau}, so clipping ${clipping ? "does" : "would"} not change the step of ${ask}.`;
      say(`After ${updates} update${updates === 1 ? "" : "s"} ${how}: w = ${signed(here[0], 2)}, ` +
        `b = ${signed(here[1], 2)}, loss ${small(loss)}. The gradient is ${small(size)} long. ${next}`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${bottom + 34}`, "aria-hidden": "true" }, ground, ...axes, walk),
      slider({ label: "updates so far", min: 0, max: 40, step: 1, value: updates },
        (value) => { updates = value; draw(); }),
      slider({ label: "threshold τ", min: 0.2, max: 3, step: 0.1, value: threshold, says: (value) => value.toFixed(1) },
        (value) => { threshold = value; draw(); }),
      switches("gradients", ["clipped"], [0], ([on]) => { clipping = on; draw(); }));
    draw();
  },
};
