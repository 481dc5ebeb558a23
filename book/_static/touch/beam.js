// Beam search, a step at a time, on the log-probabilities that a page hands over for each beginning it can meet.
Unrolled.figures.beam = {
  END: ".",                                              // an answer that has ended stays as it is

  // For each step the longer beginnings, the most probable first; the first `width` of them are kept
  search(tree, steps, width) {
    const found = [];
    let beam = [{ word: "", log_p: 0 }];
    for (let step = 0; step < steps; step++) {
      const longer = beam.flatMap(({ word, log_p }) => (word.endsWith(this.END) ? [{ word, log_p, from: word }]
        : Object.entries(tree[word]).map(([symbol, r]) => ({ word: word + symbol, log_p: log_p + r, from: word }))));
      longer.sort((a, b) => b.log_p - a.log_p);
      found.push({ before: beam, longer });
      beam = longer.slice(0, width);
    }
    return found;
  },

  show(stage, say, { models }) {
    const { element, menu, slider } = Unrolled, W = 640, ROWS = 8, WIDEST = 4, y = (row) => 66 + 36 * row;
    const text = (x, y, words, anchor = "start", look = "") =>
      element("text", { x, y, "text-anchor": anchor, class: look }, words);
    const share = (log_p) => { const p = Math.exp(log_p); return p < 0.0005 ? "< 0.001" : p.toFixed(3); };
    let model = models[0], width = 1, step = 1;
    const drawing = element("g"), svg = element("svg", { "aria-hidden": "true" }, drawing);
    // As high as the most rows that this model can need
    const fit = () => {
      const most = Math.max(...this.search(model.tree, model.steps, WIDEST).map(({ longer }) => longer.length));
      svg.setAttribute("viewBox", `0 0 ${W} ${y(Math.min(most, ROWS)) - (most > ROWS ? -8 : 18)}`);
    };
    const draw = () => {
      const steps = this.search(model.tree, model.steps, width), { before, longer } = steps[step - 1];
      const best = (steps) => steps.at(-1).longer[0];
      const found = best(steps), greedy = best(this.search(model.tree, model.steps, 1));
      const some = longer.slice(0, ROWS), name = (word) => word || "(nothing)";
      drawing.replaceChildren(
        text(0, 24, "kept so far"), text(W, 24, `step ${step}: the most probable`, "end"),
        ...before.map(({ word }, row) => text(0, y(row), name(word), "start", "ink")),
        ...some.flatMap(({ word, log_p, from }, row) => {
          const parent = before.findIndex((one) => one.word === from), kept = row < width;
          return [
            element("line", { x1: 200, x2: 300, y1: y(parent) - 6, y2: y(row) - 6, class: kept ? "solid" : "grid" }),
            ...(kept ? [element("rect", { x: 304, y: y(row) - 25, width: W - 306, height: 34, rx: 5,
              class: "bar open gate-output" })] : []),
            text(316, y(row), word, "start", kept ? "ink" : ""),
            text(W - 12, y(row), share(log_p), "end", kept ? "ink" : "")];
        }),
        ...(longer.length > ROWS ? [text(316, y(ROWS) - 4, `and ${longer.length - ROWS} less probable`)] : []));
      const one = ({ word, log_p }) => `${word} (${share(log_p).replace("<", "below")})`;
      const told = (list) => list.map(one).join(", ");
      const right = !model.right ? "" : found.word === model.right ? ", the right answer"
        : `, where ${model.right} would be right`;
      const compared = width === 1 ? "This is what greedy decoding finds."
        : found.word === greedy.word ? "A beam of 1 finds it as well."
          : `A beam of 1 would find ${one(greedy)}, which is ${greedy.log_p < found.log_p ? "less" : "more"} probable.`;
      say(`Step ${step} of ${model.steps}, beam ${width}: of ${longer.length} beginnings it keeps ` +
        `${told(longer.slice(0, width))}. ` +
        `${longer.length > width ? `The first one dropped is ${one(longer[width])}.` : "None is dropped."} ` +
        `In the end it finds ${one(found)}${right}. ${compared}`);
    };
    const stepper = slider({ label: "step", min: 1, max: model.steps, step: 1, value: step },
      (value) => { step = value; draw(); });
    stage.append(
      svg,
      menu("model", models.map((one) => one.name), 0, (place) => {
        model = models[place];
        step = Math.min(step, model.steps);
        fit();
        Object.assign(stepper.querySelector("input"), { max: model.steps, value: step });
        stepper.querySelector("output").textContent = step;
        draw();
      }),
      slider({ label: "width of the beam", min: 1, max: WIDEST, step: 1, value: width },
        (value) => { width = value; draw(); }), stepper);
    fit();
    draw();
  },
};
