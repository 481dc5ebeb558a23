// The page's twenty networks in training, one at a time: accuracy, spectral radius, and the gradient that arrives.
Unrolled.figures.crossing = {
  // What becomes of each network: the radius never passes 1; it does in vain; the bit is found and lost; it is kept
  fates(crossed, found, accuracy) {
    return accuracy.map((shares, at) => (crossed[at] === null ? "below" : found[at] === null ? "in vain"
      : shares[shares.length - 1] > 0.9 ? "kept" : "lost"));
  },

  show(stage, say, { updates, crossed, found, accuracy, radius, gradient }) {
    const { element, signed, slider } = Unrolled, last = updates[updates.length - 1], every = updates[1];
    const W = 640, left = 62, right = W - 12, tall = 86, pitch = 132, H = 3 * pitch + 34;
    const fates = this.fates(crossed, found, accuracy);
    const x = (update) => left + update * (right - left) / last;
    const text = (x, y, words, anchor = "start") => element("text", { x, y, "text-anchor": anchor }, words);
    const panels = [
      { name: "accuracy", rows: accuracy.map((shares) => [null, ...shares]), low: 0.4, high: 1, ticks: [0.5, 1] },
      { name: "spectral radius ρ(U)", rows: radius, low: 0.4, high: 3.1, ticks: [1, 3] },
      { name: "log₁₀ of the gradient that arrives", rows: gradient, low: -60, high: 5, ticks: [0, -50] },
    ].map((panel, at) => {
      const bottom = at * pitch + 36 + tall, share = (value) => (value - panel.low) / (panel.high - panel.low);
      return { ...panel, bottom, y: (value) => bottom - tall * Math.max(0, Math.min(1, share(value))) };
    });
    const path = ({ y }, row) => `M${row.flatMap((value, at) =>
      (value === null ? [] : [`${x(updates[at]).toFixed(1)} ${y(value).toFixed(1)}`])).join("L")}`;
    const frame = panels.flatMap((panel) => [
      text(left, panel.bottom - tall - 14, panel.name),
      ...panel.ticks.flatMap((tick) => [text(left - 8, panel.y(tick) + 6, signed(tick), "end"),
        element("line", { x1: left, x2: right, y1: panel.y(tick), y2: panel.y(tick), class: "grid" })]),
      ...panel.rows.map((row) =>
        element("path", { d: path(panel, row), class: "axis", opacity: 0.25, fill: "none" }))]);
    frame.push(text(left, H - 8, "0 updates"), text(x(400), H - 8, "400", "middle"), text(right, H - 8, "800", "end"));
    const raised = (n) => [...String(n)].map((sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign] ?? "⁻").join("");
    let network = 18, update = 400;
    const marks = element("g");
    const draw = () => {
      const at = update / every, one = network - 1;
      marks.replaceChildren(
        ...panels.flatMap((panel) => [
          element("line", { x1: x(update), x2: x(update), y1: panel.bottom - tall, y2: panel.bottom, class: "half" }),
          element("path", { d: path(panel, panel.rows[one]), class: "solid", style: "fill: none" }),
          element("circle", { cx: x(update), cy: panel.y(panel.rows[one][at]), r: 6, class: "solid" })]));
      const begun = `Its radius passes 1 by update ${crossed[one]}`;
      const fate = {
        below: "Its radius never passes 1, and it never names the bit.",
        "in vain": `${begun}, but it never names the bit.`,
        lost: `${begun} and it names the bit by update ${found[one]}, but at the end it has lost the bit again.`,
        kept: `${begun}, it names the bit by update ${found[one]}, and at the end it still does.`,
      }[fates[one]];
      const now = radius[one][at];
      say(`Network ${network}, update ${update}. Of the last ${every} batches it named ` +
        `${(100 * accuracy[one][at - 1]).toFixed(0)}% of the bits. The radius is ${now.toFixed(2)}, ` +
        `${now > 1 ? "above" : "not above"} 1; about 10${raised(Math.round(gradient[one][at]))} of the gradient ` +
        `arrives. ${fate}`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      slider({ label: "network", min: 1, max: radius.length, step: 1, value: network },
        (value) => { network = value; draw(); }),
      slider({ label: "updates", min: every, max: last, step: every, value: update },
        (value) => { update = value; draw(); }));
    draw();
  },
};
