// Odd or even by one unit and a threshold: every one read moves the state by a factor, h -> k h + (1 - k).
Unrolled.figures["gru-parity"] = {
  states(k, bits) {
    const found = [];
    let h = 0;
    for (const bit of bits) found.push(h = bit ? k * h + (1 - k) : h);
    return found;
  },

  // Whether it says "odd" after each bit, and whether that is right.
  answers(k, threshold, bits) {
    let odd = false;
    return this.states(k, bits).map((h, t) => {
      odd = odd !== Boolean(bits[t]);
      return { odd: h > threshold, right: (h > threshold) === odd };
    });
  },

  changes(answers) {
    return answers.filter(({ odd }, t) => t && odd !== answers[t - 1].odd).length;
  },

  show(stage, say) {
    const { element, signed, slider, switches } = Unrolled;
    const W = 640, H = 300, left = 76, right = 10, top = 36, bottom = 70, low = -0.15, high = 2.15;
    let k = 0.5, threshold = 0.9, bits = Array.from({ length: 8 }, () => 1);
    const text = (x, y, words, anchor = "middle", kind = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind }, words);
    const x = (t) => left + (t + 0.5) * (W - left - right) / bits.length;
    const y = (h) => top + (high - h) * (H - top - bottom) / (high - low);
    const level = (h, kind) => element("line", { x1: left, x2: W - right, y1: y(h), y2: y(h), class: kind });
    const frame = [text(left, 20, "state h", "start"), text(W - right, 20, "● right  ○ wrong", "end"),
      text(left - 10, H - 38, "bit", "end"), text(left - 10, H - 8, "says", "end"),
      ...[0, 1, 2].flatMap((h) => [level(h, h ? "grid" : "axis"), text(left - 10, y(h) + 6, String(h), "end")])];
    const marks = element("g");
    const draw = () => {
      const states = this.states(k, bits), answers = this.answers(k, threshold, bits);
      marks.replaceChildren(level(threshold, "half"),
        ...states.flatMap((h, t) => [
          ...(t ? [element("line", { x1: x(t - 1), y1: y(states[t - 1]), x2: x(t), y2: y(h), class: "axis" })] : []),
          text(x(t), H - 38, String(bits[t])), text(x(t), H - 8, answers[t].odd ? "odd" : "even")]),
        ...states.map((h, t) => element("circle", { cx: x(t), cy: y(h), r: 9,
          class: answers[t].right ? "solid" : "solid ring" })));
      const odd = bits.map((_, t) => bits.slice(0, t + 1).reduce((sum, bit) => sum + bit, 0) % 2);
      const needed = odd.filter((value, t) => t && value !== odd[t - 1]).length, changes = this.changes(answers);
      const times = (count) => `${count} time${count === 1 ? "" : "s"}`;
      const why = k > 0 ? "A factor above zero moves the state one way only"
        : k < 0 ? "A negative factor throws the state to the other side of 1 at every one"
        : "With the factor 0 a one sets the state to 1 and leaves it there";
      const met = answers.filter((answer) => answer.right).length;
      say(`Factor ${signed(k, 1)}, threshold ${threshold.toFixed(2)}. The first three states are ` +
        `${states.slice(0, 3).map((h) => signed(h, 3)).join(", ")}. ${why}. The answer changes ${times(changes)} ` +
        `and should change ${times(needed)}; it is right after ${met} of ${bits.length} bits.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      slider({ label: "factor k at a one", min: -1, max: 1, step: 0.1, value: k, says: (now) => signed(now, 1) },
        (now) => { k = now; draw(); }),
      slider({ label: "“odd” above", min: 0, max: 2, step: 0.05, value: threshold, says: (now) => now.toFixed(2) },
        (now) => { threshold = now; draw(); }),
      switches("bit is a one", bits.map((_, t) => String(t + 1)), bits.map((_, t) => t),
        (on) => { bits = on.map(Number); draw(); }));
    draw();
  },
};
