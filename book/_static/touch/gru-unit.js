// The page's one unit after an alarm: h_t = z h_{t-1} + (1 - z) n_t, its gates pulled by the reader.
Unrolled.figures["gru-unit"] = {
  HOURS: 12,

  // One hour with given gates: kept, written and the new state; the candidate is the page's with u = 1.
  step(x, h, r, z) {
    const kept = z * h, written = (1 - z) * Math.tanh(2 * x + r * h);
    return { kept, written, h: kept + written };
  },

  // An alarm in hour 1, with its own position of the update gate, and quiet hours after it.
  run(atAlarm, quiet, r, hours) {
    const steps = [this.step(1, 0, r, atAlarm)];
    while (steps.length < hours) steps.push(this.step(0, steps.at(-1).h, r, quiet));
    return steps;
  },

  // Quiet hours until half of what was written is left, or less; null if that does not come about.
  halfLife(atAlarm, quiet, r) {
    const [first, ...later] = this.run(atAlarm, quiet, r, 10000);
    const fallen = first.h ? later.findIndex(({ h }) => h <= first.h / 2 * (1 + 1e-12)) : -1;
    return fallen < 0 ? null : fallen + 1;
  },

  show(stage, say) {
    const { element, slider } = Unrolled, hours = this.HOURS;
    const W = 640, H = 316, left = 44, right = 70, top = 44, bottom = 250, width = (W - left - right) / hours;
    const middle = (t) => left + (t + 0.5) * width, high = (value) => value * (bottom - top);
    const text = (x, y, words, anchor = "start") => element("text", { x, y, "text-anchor": anchor }, words);
    const level = (y, kind) => element("line", { x1: left, x2: W - right, y1: y, y2: y, class: kind });
    const box = (x, y, tall, kind) => element("rect", { x, y, width: 26, height: tall, class: kind });
    const frame = [text(left, 22, "state h"), box(left + 110, 4, 20, "bar gate-update"),
      text(left + 144, 22, "kept, z h"), box(left + 300, 4, 20, "bar open gate-candidate"),
      text(left + 334, 22, "written, (1 − z) n"),
      level(top, "grid"), level(bottom, "axis"), text(left - 8, top + 7, "1", "end"),
      text(left - 8, bottom + 7, "0", "end"), text(middle(0), 308, "alarm", "middle"),
      text(middle((hours + 0.4) / 2), 308, "quiet hours", "middle"),
      ...Array.from({ length: hours }, (_, t) => text(middle(t), 278, String(t + 1), "middle"))];
    let atAlarm = 0.12, quiet = 0.88, r = 0.73;                       // the page's gates, in hundredths
    const marks = element("g");
    const draw = () => {
      const steps = this.run(atAlarm, quiet, r, hours), [first] = steps, half = bottom - high(first.h / 2);
      marks.replaceChildren(
        ...steps.flatMap(({ kept, written }, t) => [
          box(middle(t) - 13, bottom - high(kept), high(kept), "bar gate-update"),
          box(middle(t) - 13, bottom - high(kept + written), high(written), "bar open gate-candidate")]),
        level(half, "half"), text(W - right + 6, half + 7, "half"));
      const n = (value) => value.toFixed(3), life = this.halfLife(atAlarm, quiet, r);
      const fate = !first.h ? "There is nothing to remember."
        : life ? `Half of it is gone after ${life} quiet hour${life > 1 ? "s" : ""}.`
        : "It is never half gone in ten thousand hours.";
      const same = atAlarm === quiet ? `, the same at every hour (${atAlarm.toFixed(2)})`
        : ` ${atAlarm.toFixed(2)} at the alarm and ${quiet.toFixed(2)} in quiet hours`;
      say(`Update gate${same}; reset gate ${r.toFixed(2)} in quiet hours. The alarm writes ${n(first.h)}. ${fate} ` +
        `After hour 3 the state is ${n(steps[2].h)}. In hour ${hours} the unit keeps ${n(steps.at(-1).kept)} and ` +
        `writes back ${n(steps.at(-1).written)}.`);
    };
    const pull = (label, gate, value, set) => slider({ label, gate, min: 0, max: 1, step: 0.01, value,
      says: (now) => now.toFixed(2) }, (now) => { set(now); draw(); });
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      pull("update gate z, at the alarm", "update", atAlarm, (now) => { atAlarm = now; }),
      pull("update gate z, when quiet", "update", quiet, (now) => { quiet = now; }),
      pull("reset gate r, when quiet", "reset", r, (now) => { r = now; }));
    draw();
  },
};
