// What a trained network expects next in a text that it never read, at a temperature that the reader sets.
Unrolled.figures["next-character"] = {
  SHOWN: 7,

  // The distribution that `write` draws from
  probabilities(logits, temperature) {
    const highest = Math.max(...logits);                 // changes no probability, and exp cannot overflow
    const powers = logits.map((logit) => Math.exp((logit - highest) / temperature));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers.map((power) => power / total);
  },

  // Over all steps, from the logits of each and the place of the character that came
  perplexity(logits, came, temperature) {
    const losses = logits.map((row, t) => -Math.log(this.probabilities(row, temperature)[came[t]]));
    return Math.exp(losses.reduce((sum, loss) => sum + loss, 0) / losses.length);
  },

  show(stage, say, { alphabet, text: read, logits }) {
    const { element, slider } = Unrolled;
    const W = 640, H = 342, bar = 116, wide = 380, around = 12;
    const came = Array.from(read.slice(1), (letter) => alphabet.indexOf(letter));
    const text = (x, y, words, anchor = "start", kind = "", style = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind, style }, words);
    const shown = (letter) => ({ " ": "␣", "\n": "⏎" })[letter] ?? letter;
    const spoken = (letter) => ({ " ": "a space", "\n": "a line break" })[letter] ?? `"${letter}"`;
    const share = (p) => (p < 0.0005 ? "less than 0.001" : p.toFixed(3));
    const mono = "font-family: monospace";
    let at = 8, temperature = 1;
    const marks = element("g");
    const draw = () => {
      const p = this.probabilities(logits[at], temperature);
      const order = p.map((_, place) => place).sort((a, b) => p[b] - p[a]), rank = order.indexOf(came[at]);
      // The likeliest, and the one that came if it is not among them
      const rows = rank < this.SHOWN ? order.slice(0, this.SHOWN) : [...order.slice(0, this.SHOWN - 1), came[at]];
      const cells = Array.from({ length: 2 * around }, (_, place) => at - around + 1 + place);
      marks.replaceChildren(
        ...cells.flatMap((place, column) => (place < 0 || place >= read.length ? [] : [
          text(26 * column + 13, 30, shown(read[place]), "middle", place <= at ? "ink" : "",
            `${mono}; ${place <= at ? "" : "opacity: 0.6"}`)])),
        element("line", { x1: 26 * around, x2: 26 * around, y1: 8, y2: 40, class: "thick" }),
        ...rows.flatMap((place, row) => {
          const y = 58 + 40 * row, is = place === came[at];
          return [
            text(bar - 22, y + 21, shown(alphabet[place]), "middle", "ink", mono),
            ...(is ? [text(bar - 44, y + 21, "came", "end")] : []),
            element("rect", { x: bar, y, width: Math.max(1, p[place] * wide), height: 28,
              class: is ? "bar gate-output" : "bar open gate-output" }),
            text(bar + p[place] * wide + 8, y + 21, p[place] < 0.0005 ? "< 0.001" : p[place].toFixed(3))];
        }));
      const surprise = this.perplexity(logits, came, temperature).toFixed(2);
      const best = alphabet[order[0]];
      say(`Temperature ${temperature.toFixed(1)}, after ${at + 1} character${at ? "s" : ""} of this piece. ` +
        `The network finds ${spoken(best)} likeliest, with ${share(p[order[0]])}. ` +
        `${spoken(alphabet[came[at]]).replace(/^a /, "A ")} came, with ${share(p[came[at]])}` +
        `${rank ? `, number ${rank + 1} of ${alphabet.length}` : ""}. ` +
        `Over these ${logits.length} characters the perplexity is ${surprise}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, marks),
      slider({ label: "characters of this piece", min: 1, max: logits.length, step: 1, value: at + 1 },
        (value) => { at = value - 1; draw(); }),
      slider({ label: "temperature", min: 0.2, max: 2, step: 0.1, value: temperature,
        says: (value) => value.toFixed(1) }, (value) => { temperature = value; draw(); }));
    draw();
  },
};
