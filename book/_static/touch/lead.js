// Several models by length, from a record: who is ahead, and whether the interval of the difference leaves zero out.
Unrolled.figures.lead = {
  // Who is ahead of whom, for a difference with the ends of its interval
  verdict(low, high) {
    return low > 0 ? "ahead of" : high < 0 ? "behind" : "not told apart from";
  },

  // `counts`: a name for each way of counting; `models`: a name each, and by counting and length mean, half of the
  // interval, and low and high of the difference from the first model
  show(stage, say, { lengths, trained, unit, counts, models }) {
    const { element, menu, slider } = Unrolled, W = 640, row = (at) => 58 + 48 * at, H = row(models.length) + 10;
    const left = 190, x = (share) => left + share * (W - 110 - left);
    const text = (x, y, words, anchor = "start", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    let at = lengths.indexOf(trained[1]), counted = 0, chosen = 1;
    const drawing = element("g");
    const draw = () => {
      const values = models.map((model) => model.values[counted][at]);
      const look = (place) => (!place ? "bar open gate-output" : place === chosen ? "bar open gate-forget" : "box");
      drawing.replaceChildren(
        text(left, 24, `${counts[counted]} right`), text(W, 24, `n = ${lengths[at]}`, "end", "ink"),
        ...[0, 0.5, 1].flatMap((share) => [
          element("line", { x1: x(share), x2: x(share), y1: 38, y2: H - 34, class: share ? "grid" : "axis" }),
          text(x(share), H - 10, String(share), "middle")]),
        ...values.flatMap(({ mean, half }, place) => [
          text(0, row(place) + 14, models[place].name, "start", place === chosen || !place ? "ink" : ""),
          element("rect", { x: left, y: row(place) - 8, width: Math.max(1, x(mean) - left), height: 32,
            class: look(place) }),
          element("path", { d: `M${x(Math.max(0, mean - half))},${row(place) + 8} H${x(Math.min(1, mean + half))}`,
            class: "half", style: "stroke-dasharray: none; stroke-width: 3" }),
          text(W, row(place) + 14, mean.toFixed(2), "end", place === chosen || !place ? "ink" : "")]));
      const { low, high } = values[chosen], [first] = values, other = values[chosen];
      const range = lengths[at] <= trained[1] ? "trained on" : `beyond training, which ended at ${trained[1]}`;
      const told = (model, { mean, half }) => `${model.name} ${mean.toFixed(2)} ± ${half.toFixed(2)}`;
      const verdict = this.verdict(low, high);
      const name = models[chosen].name.replace(/^./, (letter) => letter.toUpperCase());
      const by = verdict.startsWith("not") ? "" : ` by ${Math.abs(other.mean - first.mean).toFixed(2)}`;
      say(`${lengths[at]} ${unit}, ${range}; ${counts[counted]} right: ${told(models[0], first)}, ` +
        `${told(models[chosen], other)}. ${name} is ${verdict} ${models[0].name}${by}: the interval of the ` +
        `difference reaches from ${Unrolled.signed(low, 2)} to ${Unrolled.signed(high, 2)}. ` +
        `All: ${models.map((model, place) => `${model.name} ${values[place].mean.toFixed(2)}`).join(", ")}.`);
    };
    const ranged = { min: 0, max: lengths.length - 1, step: 1, value: at, says: (place) => String(lengths[place]) };
    const control = slider({ label: unit, ...ranged }, (place) => { at = place; tell(); draw(); });
    const tell = () => control.querySelector("input").setAttribute("aria-valuetext", lengths[at]);
    tell();
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, drawing), control,
      menu(`compared with ${models[0].name}`, models.slice(1).map((model) => model.name), 0,
        (place) => { chosen = place + 1; draw(); }),
      menu("counted", counts, 0, (place) => { counted = place; draw(); }));
    draw();
  },
};
