// The page's training of its own, in the browser: a word to spell, with a state that passes on and without.
Unrolled.figures.spelling = {
  // `train` of the page, for initial weights that it handed over; what the network is after each number of updates
  train(start, word, answers, updates, rate, frozen) {
    const { weight_ih_l0: W, weight_hh_l0: U, bias_ih_l0: b, bias_hh_l0: recurrent, V } =
      JSON.parse(JSON.stringify(start));                                        // a copy, to be trained
    const H = U.length, T = word.length, c = Array(V.length).fill(0), losses = [], right = [];
    const dot = (u, v) => u.reduce((sum, value, i) => sum + value * v[i], 0), units = U.map((_, i) => i);
    if (frozen) U.forEach((row) => row.fill(0));
    for (let update = 0; update <= updates; update++) {
      const states = [Array(H).fill(0)], p = [];                                // states[0] is h_0
      for (const [t, letter] of word.entries()) {
        states.push(units.map((i) => Math.tanh(W[i][letter] + b[i] + dot(U[i], states[t]) + recurrent[i])));
        const powers = V.map((row, k) => Math.exp(dot(row, states[t + 1]) + c[k]));
        const total = powers.reduce((sum, power) => sum + power);
        p.push(powers.map((power) => power / total));
      }
      right.push(p.map((row, t) => row[answers[t]]));
      losses.push(right[update].reduce((sum, share) => sum - Math.log(share), 0) / T);
      const d_y = p.map((row, t) => row.map((share, k) => (share - Number(k === answers[t])) / T));     // p − e_k
      const d_a = [];
      for (let t = T - 1, d_h = Array(H).fill(0); t >= 0; t--) {
        d_h = d_h.map((back, i) => back + d_y[t].reduce((sum, d, k) => sum + d * V[k][i], 0));
        d_a[t] = d_h.map((g, i) => (1 - states[t + 1][i] ** 2) * g);
        d_h = units.map((j) => d_a[t].reduce((sum, d, i) => sum + d * U[i][j], 0));
      }
      for (const [t, letter] of word.entries()) {
        for (const i of units) {
          const step = rate * d_a[t][i];
          W[i][letter] -= step;
          b[i] -= step;
          recurrent[i] -= step;
          if (!frozen) for (const j of units) U[i][j] -= step * states[t][j];
        }
        for (const k of V.keys()) {
          c[k] -= rate * d_y[t][k];
          for (const i of units) V[k][i] -= rate * d_y[t][k] * states[t + 1][i];
        }
      }
    }
    return { losses, right };
  },

  show(stage, say, { start, letters, word, answers, floor }) {
    const { element, slider, switches } = Unrolled, updates = 300, T = word.length;
    const W = 640, H = 412, left = 84, end = W - 12, loss = { top: 44, bottom: 184 }, bars = { top: 258, bottom: 350 };
    const x = (update) => left + update * (end - left) / updates;
    const y = (value) => loss.top + (Math.log10(2.5) - Math.log10(value)) * (loss.bottom - loss.top) / 2.5;
    const at = (t) => left + (t + 0.5) * (end - left) / T;
    const text = (x, y, words, anchor = "middle", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const line = (x1, x2, y, look) => element("line", { x1, x2, y1: y, y2: y, class: look });
    const doubtful = word.flatMap((letter, t) => (word.some((other, s) => other === letter && answers[s] !== answers[t])
      ? [t] : []));
    const frame = [
      ...[["solid", "with U"], ["dashed", "U = 0"], ["dotted", "floor"]].flatMap(([look, name], place) => [
        line(left + 190 * place, left + 190 * place + 40, 16, look), text(left + 190 * place + 48, 22, name, "start")]),
      ...[0.01, 0.1, 1].flatMap((value) => [line(left, end, y(value), value === 0.01 ? "axis" : "grid"),
        text(left - 8, y(value) + 6, String(value), "end")]),
      text(0, 50, "loss", "start"),
      text(left, 210, "0 updates", "start"), text(end, 210, "300", "end"),
      ...[100, 200].map((update) => text(x(update), 210, String(update))),
      line(left, end, y(floor), "dotted"), text(left, 244, "probability of the right letter", "start"),
      line(left, end, bars.bottom, "axis"), line(left, end, (bars.top + bars.bottom) / 2, "grid"),
      text(left - 8, bars.bottom + 6, "0", "end"), text(left - 8, (bars.top + bars.bottom) / 2 + 6, "0.5", "end"),
      text(left - 8, bars.top + 6, "1", "end"), text(0, 376, "read", "start"), text(0, 406, "name", "start"),
      ...word.flatMap((letter, t) => [[letter, 376], [answers[t], 406]].map(([which, y]) =>
        text(at(t), y, letters[which], "middle", doubtful.includes(t) ? "ink" : "")))];
    let update = 50, rate = 0.3, shown = 0, runs;
    const marks = element("g");
    const train = () => {
      runs = [false, true].map((frozen) => this.train(start, word, answers, updates, rate, frozen));
    };
    const draw = () => {
      const curve = ({ losses }) => `M${losses.map((value, at) =>
        `${x(at).toFixed(1)} ${Math.min(y(value), loss.bottom).toFixed(1)}`).join("L")}`;
      const run = runs[shown], now = run.losses[update], right = run.right[update];
      marks.replaceChildren(
        ...runs.map((one, place) =>
          element("path", { d: curve(one), class: place ? "dashed" : "solid", style: "fill: none" })),
        element("circle", { cx: x(update), cy: Math.min(y(now), loss.bottom), r: 7,
          class: shown ? "dashed dot" : "solid" }),
        ...right.map((share, t) => element("rect", { x: at(t) - 18, width: 36, height: share * (bars.bottom - bars.top),
          y: bars.bottom - share * (bars.bottom - bars.top),
          class: `bar gate-${doubtful.includes(t) ? "forget" : "output open"}` })));
      const below = run.losses.findIndex((value) => value < floor), [first, second] = doubtful;
      say(`${shown ? "U = 0" : "With U"}, learning rate ${rate.toFixed(1)}, after ${update} updates: the loss is ` +
        `${now.toFixed(3)}, ${now < floor ? "below" : "above"} the floor of ${floor.toFixed(3)}. After the first ` +
        `${letters[word[first]]} the network gives the right letter ${right[first].toFixed(2)}, after the second ` +
        `${right[second].toFixed(2)}. ` + (below < 0 ? `It does not pass the floor in ${updates} updates.`
          : `It passes the floor after ${below} updates.`));
    };
    train();
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      slider({ label: "updates", min: 0, max: updates, step: 10, value: update },
        (value) => { update = value; draw(); }),
      slider({ label: "learning rate", min: 0.1, max: 1, step: 0.1, value: rate, says: (value) => value.toFixed(1) },
        (value) => { rate = value; train(); draw(); }),
      switches("network with", ["U = 0"], [], ([frozen]) => { shown = Number(frozen); draw(); }));
    draw();
  },
};
