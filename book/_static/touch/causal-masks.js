// One mask of booleans, read by either convention: what each step sees, and which later letters leak into its guess.
Unrolled.figures["causal-masks"] = {
  READS: ["m", "a", "s", "k"],
  GUESSES: ["a", "s", "k", "s"],
  MASKS: ["True on and below the diagonal", "True above the diagonal", "no mask"],

  // The mask of that name for n steps; null where there is none
  mask(name, n) {
    if (name === "no mask") return null;
    return Array.from({ length: n }, (_, t) =>
      Array.from({ length: n }, (_, s) => (name === "True above the diagonal" ? s > t : s <= t)));
  },

  // What each step sees, as numbers of steps counted from 0
  sees(name, n, left_out) {
    const mask = this.mask(name, n);
    return Array.from({ length: n }, (_, t) =>
      Array.from({ length: n }, (_, s) => s).filter((s) => mask === null || mask[t][s] !== left_out));
  },

  show(stage, say) {
    const { element, slider, menu } = Unrolled, { READS: reads, GUESSES: guesses, MASKS: names } = this;
    const n = reads.length, W = 640, H = 316, side = 60, left = 60, top = 66, box = 50;
    const input = (s) => 374 + 70 * s, above = 86, below = 252;
    const text = (x, y, words, anchor = "middle", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const square = (x, y, size, look) => element("rect", { x, y, width: size, height: size, rx: 4, class: look });
    const frame = [
      text(0, 22, "query ↓", "start"), text(left + 4 * side, 22, "key →", "end"),
      ...reads.flatMap((letter, t) => [
        text(left - 22, top + (t + 0.5) * side + 6, letter), text(left + (t + 0.5) * side, top - 12, letter)])];
    const moving = element("g");
    let at = 0, left_out = false, t = 1;
    const list = (places) => places.map((s) => `“${reads[s]}” (step ${s + 1})`).join(", ");
    const draw = () => {
      const mask = this.mask(names[at], n), seen = this.sees(names[at], n, left_out);
      const late = (from) => seen[from].filter((s) => s > from), leaks = late(t);
      moving.replaceChildren(
        ...reads.flatMap((_, from) => reads.flatMap((_, s) => {
          const x = left + s * side, y = top + from * side, sees = seen[from].includes(s), leak = sees && s > from;
          return [
            square(x + 3, y + 3, side - 6, leak ? "bar open gate-forget" : sees ? "bar open gate-output" : "box"),
            text(x + side / 2, y + side / 2 + 6, mask === null ? "·" : mask[from][s] ? "T" : "F", "middle", "ink")];
        })),
        element("rect", { x: left - 3, y: top + t * side - 2, width: n * side + 6, height: side + 4, rx: 6,
          class: "box", "stroke-width": 3 }),
        ...seen[t].map((s) => element("line", { x1: input(t), y1: above + box / 2, x2: input(s), y2: below - box / 2,
          class: s > t ? "dashed" : "solid" })),
        ...reads.flatMap((letter, s) => [
          square(input(s) - box / 2, below - box / 2, box,
            !seen[t].includes(s) ? "box" : s > t ? "bar open gate-forget" : "bar open gate-output"),
          text(input(s), below + 6, letter, "middle", "ink"), text(input(s), below + 56, String(s + 1))]),
        square(input(t) - box / 2, above - box / 2, box, "box"), text(input(t), above + 6, "?", "middle", "ink"),
        text(W - 6, 22, `must guess “${guesses[t]}”`, "end", "ink"));
      const total = reads.reduce((sum, _, from) => sum + late(from).length, 0);
      const told = leaks.includes(t + 1) ? " The very letter that it must guess is among them." : "";
      const all = seen[t].length ? list(seen[t]) : "nothing at all, so its weights are NaN or, in this package, 0";
      say(`${names[at]}${mask ? `, and True ${left_out ? "is left out" : "takes part"}` : ""}. ` +
        `Step ${t + 1} must guess “${guesses[t]}”. It sees ${all}. ` +
        (leaks.length ? `Later letters leak: ${list(leaks)}.${told}` : seen[t].length ? "Nothing later leaks." : "") +
        ` Over all steps, ${total ? `${total} later letters are` : "no later letter is"} seen.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, moving),
      slider({ label: "step that asks", min: 1, max: n, step: 1, value: t + 1 },
        (value) => { t = value - 1; draw(); }),
      menu("mask", names, at, (place) => { at = place; draw(); }),
      menu("True means", ["takes part", "is left out"], 0, (place) => { left_out = place === 1; draw(); }));
    draw();
  },
};
