// What one output of nn.RNN has read, where it takes the axes of a batch of sequences rightly, and where it does not.
Unrolled.figures["batch-first"] = {
  SEQUENCES: 2,                  // the page's batch
  STEPS: 4,

  // The entries of x that output[row, column] depends on; the layer reads along the second axis, or along the first
  read(row, column, batchFirst) {
    return batchFirst ? Array.from({ length: column + 1 }, (_, t) => [row, t])
      : Array.from({ length: row + 1 }, (_, t) => [t, column]);
  },

  show(stage, say) {
    const { element, menu, slider, switches } = Unrolled, { SEQUENCES: sequences, STEPS: steps } = this;
    const W = 640, H = 216, left = 150, wide = 122, tall = 56;
    const x = (t) => left + (t + 0.5) * wide, y = (b) => 66 + b * 84;
    const text = (x, y, words, anchor = "middle", kind = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind }, words);
    let row = 1, column = 1, batchFirst = false;
    const frame = [
      ...Array.from({ length: steps }, (_, t) => text(x(t), 22, `step ${t}`)),
      ...Array.from({ length: sequences }, (_, b) => text(0, y(b) + 6, `sequence ${b}`, "start"))];
    const marks = element("g");
    const draw = () => {
      const read = this.read(row, column, batchFirst), has = (b, t) => read.some(([r, c]) => r === b && c === t);
      const arrow = ([b, t], [toB, toT]) => {
        const [x1, y1, x2, y2] = b === toB ? [x(t) + 53, y(b), x(toT) - 53, y(b)]
          : [x(t), y(b) + 24, x(t), y(toB) - 24];
        return element("line", { x1, x2, y1, y2, class: "thick" });
      };
      marks.replaceChildren(
        ...Array.from({ length: sequences }, (_, b) => Array.from({ length: steps }, (_, t) => {
          const here = b === row && t === column;
          return [
            element("rect", { x: x(t) - 53, y: y(b) - tall / 2 + 4, width: 106, height: tall - 8, rx: 5,
              class: here ? "bar gate-output" : has(b, t) ? "bar open gate-output" : "box" }),
            element("text", { x: x(t), y: y(b), class: "in-box ink",
              ...(here ? { style: "fill: var(--pst-color-background); font-weight: 700" } : {}) },
              here ? "output" : has(b, t) ? "read" : "")];
        })).flat(2),
        ...read.slice(1).map((to, at) => arrow(read[at], to)),
        text(left, H - 6, batchFirst ? "the state goes along the row" : "the state goes down the column", "start"));
      const own = column ? `steps 0 to ${column}` : "step 0";
      say(`batch_first=${batchFirst ? "True" : "False"}, output[${row}, ${column}]. ` + (batchFirst ?
        `It has read ${own} of sequence ${row}, and nothing of the other sequence: that is right.` :
        `It has read step ${column} of sequence ${row}` +
          `${row ? " and, before that, the same step of sequence 0: the two are mixed" : ""}. ` +
          (column ? `Of the earlier steps of sequence ${row} it has read nothing.` : "Step 0 has no earlier one.")));
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      switches("layer", ["batch_first=True"], [], ([on]) => { batchFirst = on; draw(); }),
      menu("output of sequence", Array.from({ length: sequences }, (_, b) => String(b)), row,
        (value) => { row = value; draw(); }),
      slider({ label: "at step", min: 0, max: steps - 1, step: 1, value: column },
        (value) => { column = value; draw(); }));
    draw();
  },
};
