// Who waits for whom: the operations of the three constructions, in rounds of as many as there are processors.
Unrolled.figures.rounds = {
  PROCESSORS: [1, 2, 4, 8, 16, 32, 64],

  // For each operation, where it stands and the numbers of those whose results it needs
  operations(construction, n) {
    const steps = Array.from({ length: n }, (_, t) => t);
    if (construction === "recurrence") return steps.map((t) => ({ t, row: 0, needs: t ? [t - 1] : [] }));
    if (construction === "attention") {
      return steps.flatMap((t) => steps.slice(0, t + 1).map((s) => ({ t, row: s, needs: [] })));
    }
    const layers = Math.ceil(Math.log2(n));
    return Array.from({ length: layers }, (_, row) => row).flatMap((row) => steps.map((t) => ({
      t, row, needs: row ? [t, t - 2 ** row].filter((s) => s >= 0).map((s) => (row - 1) * n + s) : [] })));
  },

  // The round of each operation, when each processor takes the first that waits for nothing
  schedule(operations, processors) {
    const rounds = operations.map(() => null);
    for (let round = 1; rounds.includes(null); round++) {
      const ready = operations.flatMap(({ needs }, at) =>
        (rounds[at] === null && needs.every((need) => rounds[need] !== null) ? [at] : []));
      for (const at of ready.slice(0, processors)) rounds[at] = round;
    }
    return rounds;
  },

  show(stage, say) {
    const { among, element, menu, slider } = Unrolled, W = 640, H = 408, left = 6, top = 38, bottom = 44;
    const names = ["recurrence", "convolution", "attention"], colours = ["forget", "candidate", "update"];
    const moving = element("g");
    let which = 1, n = 8, processors = 1;
    const draw = () => {
      const counted = names.map((name) => this.operations(name, n));
      const took = (count) => counted.map((operations) => Math.max(...this.schedule(operations, count)));
      const operations = counted[which], rounds = this.schedule(operations, processors);
      const wide = Math.min(72, (W - 2 * left) / n), rows = Math.max(...operations.map(({ row }) => row)) + 1;
      const high = Math.min(44, (H - top - bottom) / rows), box = { width: wide - 6, height: high - 4, rx: 4 };
      const middle = left + (W - 2 * left - n * wide) / 2, floor = top + (H - top - bottom + rows * high) / 2;
      const x = (t) => middle + t * wide + 3, y = (row) => floor - (row + 1) * high;
      const fill = `fill: var(--gate-${colours[which]})`;
      moving.replaceChildren(
        ...operations.flatMap(({ t, row }, at) => [
          element("rect", { x: x(t), y: y(row), ...box, style: fill, "fill-opacity": rounds[at] === 1 ? 0.45 : 0.12 }),
          element("rect", { x: x(t), y: y(row), ...box, class: "box" }),
          element("text", { x: x(t) + box.width / 2, y: y(row) + box.height / 2 + 1, class: "in-box ink" },
            String(rounds[at]))]),
        ...Array.from({ length: n }, (_, t) =>
          element("text", { x: x(t) + box.width / 2, y: floor + 28, "text-anchor": "middle" }, String(t + 1))));
      const last = Math.max(...rounds), least = took(Infinity)[which];
      const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
      const others = names.flatMap((name, at) => (at === which ? [] : [`${name} ${took(processors)[at]}`]));
      const name = names[which][0].toUpperCase() + names[which].slice(1);
      say(`${name}, ${n} steps: ${many(operations.length, "operation")}, and ${many(processors, "processor")} to do ` +
        `them in ${many(last, "round")}. ` +
        `${last === least ? "More processors would not help" : `With enough processors it would be ${least}`}: ` +
        `${least === 1 ? "none waits for another" : `${least} wait for each other in a row`}. ` +
        `Rounds of the others: ${others.join(", ")}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" },
        element("text", { x: W / 2, y: 22, "text-anchor": "middle" }, "each operation with its round, over the steps"),
        moving),
      menu("construction", names, which, (at) => { which = at; draw(); }),
      among({ label: "processors", list: this.PROCESSORS, value: processors },
        (value) => { processors = value; draw(); }),
      slider({ label: "steps n", min: 2, max: 10, step: 1, value: n }, (value) => { n = value; draw(); }));
    draw();
  },
};
