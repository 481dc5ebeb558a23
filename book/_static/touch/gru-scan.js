// A scan round by round: pairs of steps become one step until one is left, and then the states between are filled in.
Unrolled.figures["gru-scan"] = {
  STEPS: [[0.5, 1], [0.5, 1], [1, 2], [0.5, 0]],                      // the page's four rules, h -> a h + b

  merge([a1, b1], [a2, b2]) {
    return [a2 * a1, a2 * b1 + b2];
  },

  // The rules of every round on the way up: all steps, all pairs, all pairs of pairs, up to one rule.
  levels(steps) {
    const found = [steps];
    for (let last = steps; last.length > 1; found.push(last)) {
      last = Array.from({ length: last.length / 2 }, (_, at) => this.merge(last[2 * at], last[2 * at + 1]));
    }
    return found;
  },

  // Every state, as the package's scan has it: every second one from half as many steps, and those between from these.
  scan(steps, h0) {
    const [a, b] = steps[0], h = [a * h0 + b];
    if (steps.length > 1) {
      this.scan(this.levels(steps)[1], h0).forEach((state, at) => { h[2 * at + 1] = state; });
      for (let at = 2; at < steps.length; at += 2) h[at] = steps[at][0] * h[at - 1] + steps[at][1];
    }
    return h;
  },

  // In which round the state after step t of T is found.
  round(t, T) {
    const up = Math.log2(T);
    let level = up;
    while (t % 2 ** level) level--;
    return up + 1 + (up - level);
  },

  show(stage, say) {
    const { element, menu, signed, slider } = Unrolled;
    const W = 640, left = 8, high = 66, gap = 8;
    const text = (x, y, words) => element("text", { x, y, "text-anchor": "middle" }, words);
    const short = (value) => signed(Number(value.toPrecision(3)));
    let T = 4, round = 0, h0 = 0;
    const marks = element("g"), svg = element("svg", { "aria-hidden": "true" }, marks);
    const rounds = slider({ label: "round", min: 0, max: 7, step: 1, value: round }, (now) => { round = now; draw(); });
    const draw = () => {
      const steps = Array.from({ length: T }, (_, at) => this.STEPS[at % 4]), levels = this.levels(steps);
      const up = levels.length - 1, last = 2 * up + 1, now = Math.min(round, last), states = this.scan(steps, h0);
      const when = states.map((_, at) => this.round(at + 1, T)), wide = (W - 2 * left) / T;
      const y = (level) => 304 - (level + 1) * (high + gap), above = y(up) - gap;
      svg.setAttribute("viewBox", `0 ${above} ${W} ${380 - above}`);
      marks.replaceChildren(
        ...levels.flatMap((rules, level) => rules.flatMap(([a, b], at) => {
          if (level > now) return [];
          const x = left + at * wide * 2 ** level, width = wide * 2 ** level, middle = x + width / 2;
          return [element("rect", { x: x + 3, y: y(level), width: width - 6, height: high, rx: 5,
            class: level === now && level ? "area" : "box" }),
          text(middle, y(level) + 27, `×${short(a)}`), text(middle, y(level) + 54, `+${short(b)}`)];
        })),
        ...states.flatMap((state, at) => [
          element("rect", { x: left + at * wide + 3, y: 322, width: wide - 6, height: 48, rx: 24,
            class: when[at] === now ? "area" : "box" }),
          text(left + (at + 0.5) * wide, 353, when[at] <= now ? short(state) : "?")]));
      const fresh = states.flatMap((state, at) => (when[at] === now ? [`${at + 1} (${short(state)})`] : []));
      const merged = now && now <= up ? levels[now] : [], each = 2 ** now;
      const rules = merged.map(([a, b], at) =>
        `steps ${at * each + 1} to ${(at + 1) * each} are ${short(a)} h + ${short(b)}`);
      const told = !now ? `the ${T} rules are known before the first step is taken`
        : now <= up ? `${merged.length > 1 ? `${merged.length} merges at once` : "one merge"}: ${rules.join(", ")}`
        : fresh.length > 1 ? `at once, the states after steps ${fresh.join(", ")}` : `the state after step ${fresh[0]}`;
      const done = round > last ? ` is over: ${T} steps need only ${last}` : "";
      const found = now ? `${Math.min(now, T)} of the ${T} states` : "no state";
      say(`Start h = ${short(h0)}. Round ${round}${done || `: ${told}`}. In as many rounds a loop, one step a round, ` +
        `has found ${found}; the scan needs ${last} rounds for all.`);
    };
    stage.append(svg, rounds,
      slider({ label: "start, h", min: -4, max: 4, step: 0.5, value: h0, says: (now) => signed(now, 1) },
        (now) => { h0 = now; draw(); }),
      menu("steps", ["4, as on the page", "8, the same twice"], 0, (now) => { T = now ? 8 : 4; draw(); }));
    draw();
  },
};
