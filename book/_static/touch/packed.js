// Every text of n symbols, 0 or 1, packed into one number by h = tanh(x + w h), and what one threshold reads back.
Unrolled.figures.packed = {
  // All texts, in the order of binary numbers
  texts(n) {
    return Array.from({ length: 2 ** n }, (_, at) =>
      Array.from({ length: n }, (_, place) => (at >> (n - 1 - place)) & 1));
  },

  read(text, w) {
    return text.reduce((h, x) => Math.tanh(x + w * h), 0);
  },

  // The threshold that tells best whether the symbol at `place` is 1, and for how many texts it does
  readable(n, w, place) {
    const found = this.texts(n).map((text) => [this.read(text, w), text[place]]).sort((a, b) => a[0] - b[0]);
    let right = found.filter(([, symbol]) => symbol).length, best = [-1, right];         // below all: it says 1 to each
    found.forEach(([h, symbol], at) => {
      right += symbol ? -1 : 1;
      if (right > best[1]) best = [at + 1 < found.length ? (h + found[at + 1][0]) / 2 : h + 1, right];
    });
    return best;
  },

  // How far apart the two closest texts end
  gap(n, w) {
    const states = this.texts(n).map((text) => this.read(text, w)).sort((a, b) => a - b);
    return Math.min(...states.slice(1).map((h, at) => h - states[at]));
  },

  show(stage, say) {
    const { element, menu, slider } = Unrolled, W = 640, H = 268, rows = [72, 186];
    const PLACES = ["first", "second", "last but one", "last"], x = (h) => 30 + 580 * h;
    const text = (x, y, words, anchor = "start", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    let n = 3, w = 0.5, asked = 0;
    const marks = element("g");
    const draw = () => {
      const place = [0, 1, n - 2, n - 1][asked], texts = this.texts(n), name = PLACES[asked];
      const [threshold, right] = this.readable(n, w, place), gap = this.gap(n, w);
      const found = texts.map((text) => ({ h: this.read(text, w), symbol: text[place], name: text.join("") }))
        .sort((a, b) => a.h - b.h);
      const drawn = [0, 1].flatMap((symbol) => {
        const some = found.filter((one) => one.symbol === symbol), y = rows[symbol];
        const near = (at) => at > 0 && at < some.length && x(some[at].h) - x(some[at - 1].h) < 16 * n;
        const roomy = n < 4 && some.every((_, at) => !(near(at) && near(at + 1)) && !(near(at) &&
          x(some[at].h) - x(some[at - 1].h) < 24));
        return [
          element("line", { x1: 0, x2: W, y1: y + 22, y2: y + 22, class: "axis" }),
          ...some.map(({ h }) => element("line", { x1: x(h), x2: x(h), y1: y - 4, y2: y + 22,
            class: symbol ? "stem alarm" : "stem" })),
          ...(roomy ? some.map((one, at) => (near(at) ? text(x(one.h) - 8, y - 12, one.name)
            : near(at + 1) ? text(x(one.h) + 8, y - 12, one.name, "end")
            : text(x(one.h), y - 12, one.name, "middle"))) : [])];
      });
      marks.replaceChildren(...drawn,
        element("line", { x1: x(threshold), x2: x(threshold), y1: rows[0] - 4, y2: rows[1] + 22, class: "half" }),
        ...rows.map((y, symbol) => element("text", { x: 0, y: y - 42, style: "paint-order: stroke; stroke: " +
          "var(--pst-color-background); stroke-width: 8" }, `${name} symbol ${symbol}`)),
        ...[0, 0.5, 1].map((h) => text(x(h), rows[1] + 48, String(h), ["start", "middle", "end"][2 * h])),
        text(W / 2, H - 6, "the state after the last symbol", "middle"));
      const apart = gap < 1e-6 ? "less than a millionth" : Number(gap.toPrecision(2)).toString();
      say(`${texts.length} texts of ${n} symbols, each packed into one number with weight ${w.toFixed(2)} on the old ` +
        `state. The best threshold tells the ${name} symbol for ${right} of them; a guess is right for ` +
        `${texts.length / 2}. The two closest texts end ${apart} apart.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, marks),
      slider({ label: "symbols in the text", min: 2, max: 10, step: 1, value: n }, (value) => { n = value; draw(); }),
      slider({ label: "weight on the old state", min: 0.1, max: 0.9, step: 0.05, value: w, says: (w) => w.toFixed(2) },
        (value) => { w = value; draw(); }),
      menu("symbol to read back", PLACES, asked, (place) => { asked = place; draw(); }));
    draw();
  },
};
