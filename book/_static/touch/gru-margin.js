// GRU minus LSTM at each look of the recorded runs, with its interval, against a margin that the reader sets.
Unrolled.figures["gru-margin"] = {
  // The page's rule, for any margin: all in per cent of the other's mean.
  verdict(difference, half, margin) {
    if (Math.abs(difference) + half < margin) return "equal";
    return Math.abs(difference) > half ? "different" : "undecided";
  },

  show(stage, say, { pairs }) {
    const { element, menu, signed, slider } = Unrolled;
    const W = 640, H = 340, left = 96, right = 10, top = 48, bottom = 44;
    const text = (x, y, words, anchor = "middle", kind = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind }, words);
    const kinds = { GRU: "gate-input", LSTM: "gate-forget" };
    let pair = pairs[0], look = 3, margin = 1;
    const marks = element("g");
    const draw = () => {
      const { name, updates, gru, lstm, difference, half } = pair;
      const most = 5 * Math.ceil(Math.max(...difference.map((mean, at) => Math.abs(mean) + half[at])) / 5);
      const y = (value) => top + (1 - value / most) * (H - top - bottom) / 2;
      const x = (at) => left + (at + 0.5) * (W - left - right) / updates.length;
      const level = (value, kind) => element("line",
        { x1: left, x2: W - right, y1: y(value), y2: y(value), class: kind });
      const shown = Math.min(margin, most);
      marks.replaceChildren(
        element("rect", { x: left, y: y(shown), width: W - left - right, height: y(-shown) - y(shown), class: "area",
          style: "stroke: none" }),
        ...[most, 0, -most].flatMap((value) => [level(value, value ? "grid" : "axis"),
          text(left - 8, y(value) + 6, value ? `${signed(value)} %` : "0", "end")]),
        ...difference.flatMap((mean, at) => {
          const kind = `bar ${kinds[mean > 0 ? "LSTM" : "GRU"]}`, wide = at === look ? 7 : 3;
          return [element("line", { x1: x(at), x2: x(at), y1: y(mean - half[at]), y2: y(mean + half[at]), class: kind,
            "stroke-width": wide }),
          mean > 0 ? element("circle", { cx: x(at), cy: y(mean), r: at === look ? 11 : 7, class: kind })
            : element("rect", { x: x(at) - wide - 3, y: y(mean) - wide - 3, width: 2 * wide + 6, height: 2 * wide + 6,
              class: kind })];
        }),
        ...[0, 4, 9].map((at) => text(x(at), H - 14, at === 9 ? `${updates[at]} updates` : String(updates[at]),
          at === 9 ? "end" : "middle")),
        text(left, 22, "● LSTM ahead", "start"), text(left + 250, 22, "■ GRU ahead", "start"));
      const [mean, reach] = [difference[look], half[look]], word = this.verdict(mean, reach, margin);
      const beyond = Math.abs(mean) - reach > margin, ahead = mean > 0 ? "LSTM" : "GRU";
      const told = { equal: `the whole interval is nearer to zero than ${margin}\u00a0%: equal`,
        different: `the interval leaves out zero${beyond ? " and the whole margin" : ""}: different`,
        undecided: "the interval contains zero and is wider than the margin: undecided" }[word];
      say(`For ${name}, after ${updates[look]} updates: validation score ${gru[look].toPrecision(3)} for the GRU and ` +
        `${lstm[look].toPrecision(3)} for the LSTM (lower is better), so the ${ahead} is ahead. The difference is ` +
        `${signed(mean, 1)} ± ${reach.toFixed(1)}\u00a0%. With a margin of ${margin}\u00a0%, ${told}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, marks),
      menu("task and sizes", pairs.map(({ name }) => name), 0, (now) => { pair = pairs[now]; draw(); }),
      slider({ label: "stopped at look", min: 1, max: pair.updates.length, step: 1, value: look + 1 },
        (now) => { look = now - 1; draw(); }),
      slider({ label: "margin, per cent", min: 1, max: 25, step: 1, value: margin },
        (now) => { margin = now; draw(); }));
    draw();
  },
};
