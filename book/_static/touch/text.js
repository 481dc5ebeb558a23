// A text that a trained network has read: the value of a unit behind each letter, and below it the share of the
// gradient of a prediction that reaches the letter. The reader points at the letter after which the prediction is made.
Unrolled.figures.text = {
  COLUMNS: 42,

  // Row and column of every letter; a row ends at the end of a line, or where it is full.
  places(text, columns) {
    let row = 0, column = -1;
    return [...text].map((letter, at) => {
      if (at && (text[at - 1] === "\n" || column === columns - 1)) [row, column] = [row + 1, -1];
      return [row, ++column];
    });
  },

  // How many of the letters read last hold together at least that share of the gradient.
  last(shares, part) {
    const total = shares.reduce((sum, share) => sum + share, 0);
    let sum = 0, count = 0;
    while (count < shares.length && sum < part * total) sum += shares[shares.length - ++count];
    return count;
  },

  show(stage, say, { text, next, probabilities, networks, views, start }) {
    const { element, signed, slider, menu } = Unrolled, letters = [...text];
    const W = 640, wide = W / this.COLUMNS, tall = 54, places = this.places(text, this.COLUMNS), top = 78;
    const H = top + tall * (places[places.length - 1][0] + 1) + 4;
    const written = (letter) => (letter === "\n" ? "↵" : letter);
    const spoken = (letter) => (letter === "\n" ? "the end of the line" : letter === " " ? "a space" : `“${letter}”`);
    const positive = "var(--gate-output)", negative = "var(--gate-forget)", ink = "var(--pst-color-text-base)";
    const blocks = letters.map((letter, at) => {
      const [row, column] = places[at], x = column * wide, y = top + row * tall;
      const back = element("rect", { x, y, width: wide, height: 30, style: "stroke: none" });
      const mark = element("line", { x1: x + 1, x2: x + wide - 1, y1: y + 30, y2: y + 30 });
      const bar = element("rect", { x: x + 1.5, y: y + 34, width: wide - 3, height: 0, style: `fill: ${ink}` });
      const fill = letter === "\n" ? "var(--pst-color-text-muted)" : ink;
      const words = element("text", { x: x + wide / 2, y: y + 22, "text-anchor": "middle",
        style: `font-family: var(--pst-font-family-monospace); font-size: 23px; fill: ${fill}` }, written(letter));
      const target = element("rect", { x, y, width: wide, height: tall, style: "fill: transparent; cursor: pointer" });
      for (const event of ["pointerenter", "click"]) target.addEventListener(event, () => choose(at));
      return { back, mark, bar, words, target };
    });
    const chosen = element("rect", { width: wide, height: 32, style: `fill: none; stroke: ${ink}; stroke-width: 3` });
    const key = element("g");
    let at = start, view = 0;
    const draw = () => {
      const { name, network, values, middle, half, high, low } = views[view], shares = networks[network].shares[at];
      const most = Math.max(...shares);
      blocks.forEach(({ back, mark, bar }, place) => {
        const level = Math.max(-1, Math.min(1, (values[place] - middle) / half));
        const colour = level < 0 ? negative : positive;
        back.style.fill = colour;
        back.style.fillOpacity = (0.5 * Math.abs(level)).toFixed(2);
        mark.setAttribute("style", Math.abs(level) < 0.5 ? "stroke: none"
          : `stroke: ${colour}; stroke-width: 3; stroke-dasharray: ${level < 0 ? "3 3" : "none"}`);
        bar.setAttribute("height", (18 * (shares[place] ?? 0) / most).toFixed(1));
      });
      const [row, column] = places[at];
      chosen.setAttribute("x", column * wide);
      chosen.setAttribute("y", top + row * tall - 1);
      const sample = (x, colour, dashes, words) => [
        element("rect", { x, y: 4, width: 22, height: 22, style: `fill: ${colour}; fill-opacity: 0.5; stroke: none` }),
        element("line", { x1: x, x2: x + 22, y1: 27, y2: 27,
          style: `stroke: ${colour}; stroke-width: 3; stroke-dasharray: ${dashes}` }),
        element("text", { x: x + 30, y: 22 }, words)];
      key.replaceChildren(...sample(0, positive, "none", high), ...sample(320, negative, "3 3", low),
        element("rect", { x: 4, y: 44, width: 12, height: 18, style: `fill: ${ink}` }),
        element("text", { x: 30, y: 60 }, "share of the gradient that is here"));
      const order = shares.map((share, place) => [share, place]).sort((one, other) => other[0] - one[0]).slice(0, 3);
      const total = shares.reduce((sum, share) => sum + share, 0);
      const back = (place) => (place === at ? "the last" : `${at - place} before`);
      const told = order.filter(([share]) => share > 0).map(([share, place]) =>
        `${spoken(letters[place])} (${back(place)}, ${Math.round(100 * share / total)}%)`).join(", ");
      const percent = 100 * probabilities[network][at], count = this.last(shares, 0.9);
      say(`${name}. Letter ${at + 1}, ${spoken(letters[at])}: its value is ` +
        `${signed(values[at], 2)}. Next comes ${spoken(letters[at + 1] ?? next)}, to which the network gives ` +
        `${percent < 1 ? "less than 1" : Math.round(percent)}%. The gradient of that prediction lies mostly ` +
        `on ${told}; nine tenths of it on the last ${count === 1 ? "letter" : `${count} letters`}.`);
    };
    const control = slider({ label: "letter", min: 1, max: letters.length, step: 1, value: at + 1 },
      (value) => { at = value - 1; tell(); draw(); });
    const input = control.querySelector("input");
    const tell = () => input.setAttribute("aria-valuetext", `${at + 1}, ${spoken(letters[at])}`);
    const choose = (place) => {
      if (place === at) return;
      at = place;
      input.value = at + 1;
      control.querySelector("output").textContent = at + 1;
      tell();
      draw();
    };
    tell();
    const layer = (part) => blocks.map((block) => block[part]);
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, key,
        ...["back", "mark", "bar", "words"].flatMap(layer), chosen, ...layer("target")),
      control, menu("coloured", views.map(({ name }) => name), 0, (place) => { view = place; draw(); }));
    draw();
  },
};
