// Which steps the last output of a stack of causal convolutions sees, by taps, blocks and gaps.
Unrolled.figures.field = {
  STEPS: 32,        // as many as the drawing has room for

  // The gap between the taps of each convolution, from the input up
  gaps(blocks, doubling, perBlock) {
    return Array.from({ length: blocks * perBlock }, (_, at) => (doubling ? 2 ** Math.floor(at / perBlock) : 1));
  },

  // Equation 2 of the page, for any gaps
  receptive_field(taps, gaps) {
    return gaps.reduce((sum, gap) => sum + (taps - 1) * gap, 1);
  },

  // For each level, the input first and the output last: how many steps before the last one the seen ones lie
  seen(taps, gaps) {
    const levels = [[0]];
    for (const gap of [...gaps].reverse()) {
      const below = levels[0].flatMap((back) => Array.from({ length: taps }, (_, j) => back + j * gap));
      levels.unshift([...new Set(below)].sort((a, b) => a - b));
    }
    return levels;
  },

  show(stage, say) {
    const { element, slider, switches } = Unrolled, W = 640, H = 330, left = 12, right = 12, top = 44, bottom = 62;
    const at = (back) => W - right - (W - left - right) * (back + 0.5) / this.STEPS;
    const text = (x, y, words, anchor) => element("text", { x, y, "text-anchor": anchor }, words);
    const moving = element("g");
    let taps = 2, blocks = 3, doubling = true, double = false;
    const draw = () => {
      const gaps = this.gaps(blocks, doubling, double ? 2 : 1), field = this.receptive_field(taps, gaps);
      const levels = this.seen(taps, gaps), inside = (back) => back < this.STEPS;
      const y = (level) => H - bottom - (H - bottom - top) * level / gaps.length;
      const lines = gaps.flatMap((gap, level) => levels[level + 1].flatMap((back) =>
        Array.from({ length: taps }, (_, j) => back + j * gap).filter(() => inside(back)).map((from) =>
          element("line", { x1: at(back), y1: y(level + 1), x2: at(from), y2: y(level), class: "stem" }))));
      const dots = levels.flatMap((seen, level) => Array.from({ length: this.STEPS }, (_, back) => {
        const lit = seen.includes(back);
        return element("circle", { cx: at(back), cy: y(level), r: lit ? 6 : 2.5, class: lit ? "dot" : "ground" });
      }));
      const edge = at(Math.min(field, this.STEPS) - 1) - 9, sees = `sees ${field} step${field > 1 ? "s" : ""}`;
      moving.replaceChildren(...lines, ...dots,
        element("path", { d: `M${edge},${H - 50} ${inside(field - 1) ? "v" : "m0,"}10 H${at(0) + 9} v-10`,
          style: "fill: none", class: "half" }),
        text(at(0) + 9, H - 12, inside(field - 1) ? sees : `${sees}, more than fit here`, "end"));
      const fit = (n) => {
        let count = 1;
        while (this.receptive_field(taps, this.gaps(count, doubling, double ? 2 : 1)) < n) count++;
        return count.toLocaleString("en-GB");
      };
      say(`${blocks} ${double ? "block" : "layer"}${blocks > 1 ? "s" : ""}${double ? " of two convolutions" : ""}, ` +
        `${taps} taps, gaps ${gaps.join(", ")}: the last output sees ${field} steps. The input ${field} steps back ` +
        `cannot reach it, whatever the weights. To see 1,000 steps it takes ${fit(1000)} ` +
        `${double ? "blocks" : "layers"} like these.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, text(W - right, 24, "last output", "end"),
        moving),
      slider({ label: "layers", min: 1, max: 6, step: 1, value: blocks }, (value) => { blocks = value; draw(); }),
      slider({ label: "taps κ", min: 2, max: 4, step: 1, value: taps }, (value) => { taps = value; draw(); }),
      switches("each layer", ["doubles the gap", "has two convolutions"], [0],
        ([first, second]) => { doubling = first; double = second; draw(); }));
    draw();
  },
};
