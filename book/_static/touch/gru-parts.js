// Two of the page's cells, their scores seed by seed, and whether one is worse than the other by more than a margin.
Unrolled.figures["gru-parts"] = {
  // A difference with half its interval, against a margin, all in per cent: yes, no, or null where it is undecided.
  worse(difference, half, margin) {
    if (difference - half > margin) return true;
    return difference + half < margin ? false : null;
  },

  show(stage, say, { names, weights, scores, difference }) {
    const { element, menu, signed, slider } = Unrolled;
    const W = 640, H = 326, left = 24, right = 24, all = scores.flat();
    const text = (x, y, words, anchor = "middle") => element("text", { x, y, "text-anchor": anchor }, words);
    const [low, high] = [Math.floor(2 * Math.min(...all)) / 2, Math.ceil(2 * Math.max(...all)) / 2];
    const x = (score) => left + (score - low) * (W - left - right) / (high - low);
    const most = 30, across = (value) => W / 2 + value * (W / 2 - left) / most;
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const rule = (y, kind) => element("line", { x1: left, x2: W - right, y1: y, y2: y, class: kind });
    const frame = [rule(148, "axis"), rule(286, "axis"), text(x(low), 174, String(low), "start"),
      text(x(high), 174, `perplexity ${high}`, "end"), ...[-20, 0, 20].map((value) => text(across(value), 314,
        value ? `${signed(value)} %` : "0")),
      element("line", { x1: across(0), x2: across(0), y1: 218, y2: 286, class: "axis" })];
    let one = 3, other = 0, margin = 1;                                // no reset gate, and the whole cell
    const marks = element("g");
    const draw = () => {
      const [away, half] = difference[one][other], kinds = ["gate-forget", "gate-input"];
      const row = (at, y, kind) => [text(left, y - 22, names[at], "start"),
        ...scores[at].map((score) => element("circle", { cx: x(score), cy: y, r: 7, class: `bar open ${kind}` })),
        element("line", { x1: x(mean(scores[at])), x2: x(mean(scores[at])), y1: y - 14, y2: y + 14,
          class: `bar ${kind}`, "stroke-width": 4 })];
      const inside = (value) => Math.max(left, Math.min(W - right, across(value)));
      marks.replaceChildren(...row(one, 50, kinds[0]), ...row(other, 120, kinds[1]),
        text(left, 210, "first minus second", "start"),
        element("line", { x1: inside(away - half), x2: inside(away + half), y1: 252, y2: 252, class: `bar ${kinds[0]}`,
          "stroke-width": 5 }),
        element("circle", { cx: inside(away), cy: 252, r: 9, class: `bar ${kinds[0]}` }),
        element("line", { x1: across(margin), x2: across(margin), y1: 218, y2: 286, class: "half" }),
        text(across(margin) + 6, 234, "margin", "start"));
      const count = (at) => weights[at].toLocaleString("en-GB"), worse = this.worse(away, half, margin);
      const answer = one === other ? "these are the same runs" : worse === null ? "five seeds do not decide"
        : worse ? "yes" : "no";
      say(`${names[one]} (${count(one)} weights) scores ${mean(scores[one]).toFixed(2)}, ${names[other]} ` +
        `(${count(other)} weights) ${mean(scores[other]).toFixed(2)}; lower is better. The difference is ` +
        `${signed(away, 1)} ± ${half.toFixed(1)}\u00a0%. ` +
        `Is the first worse by more than ${margin}\u00a0%? Answer: ${answer}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      menu("first cell", names, one, (now) => { one = now; draw(); }),
      menu("second cell", names, other, (now) => { other = now; draw(); }),
      slider({ label: "margin, per cent", min: 0, max: 20, step: 1, value: margin },
        (now) => { margin = now; draw(); }));
    draw();
  },
};
