// A trained network reads an image row by row: what it says after each row, upright and upside down.
Unrolled.figures["rows-read"] = {
  show(stage, say, { images, guesses, linear, right }) {
    const { element, menu, slider, switches } = Unrolled;
    const W = 640, H = 322, side = 34, top = 44, x = (column) => 84 + column * side, y = (row) => top + row * side;
    const text = (x, y, words, anchor = "start", kind = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind }, words);
    const left = 452, wide = 120;
    let digit = 3, rows = 5, down = 0;
    const frame = [
      text(0, 24, "row"), text(x(0), 24, "image"), text(404, 24, "says", "middle"), text(left, 24, "right, of all"),
      ...images[0].map((_, row) => text(14, y(row) + 24, String(row + 1), "middle"))];
    const marks = element("g");
    const percent = (share) => `${(100 * share).toFixed(0)}%`;
    const draw = () => {
      const image = down ? [...images[digit]].reverse() : images[digit];
      const said = guesses[down].map((row) => row[digit]);
      marks.replaceChildren(
        ...image.flatMap((row, at) => row.map((ink, column) => element("rect", {
          x: x(column), y: y(at), width: side - 1, height: side - 1, class: "ground",
          "fill-opacity": 0.06 + (at < rows ? 0.94 : 0.14) * ink }))),
        element("rect", { x: x(0) - 4, y: y(0) - 3, width: 8 * side + 7, height: rows * side + 5, class: "box",
          "stroke-width": 3 }),
        ...said.slice(0, rows).flatMap((guess, at) => [
          text(404, y(at) + 25, guess === digit ? `${guess} ✓` : String(guess), "middle", at === rows - 1 ? "ink" : ""),
          element("rect", { x: left, y: y(at) + 5, width: Math.max(1, right[down][at] * wide), height: side - 10,
            class: `bar ${at === rows - 1 ? "" : "open "}gate-output` }),
          text(left + right[down][at] * wide + 8, y(at) + 25, percent(right[down][at]))]));
      const end = rows < image.length ? "The networks were trained to answer after row 8 only." :
        `The linear model, which sees all rows at once, says ${linear[down][digit]}.`;
      say(`An image of ${digit}, ${down ? "upside down" : "upright"}. After ${rows} of 8 rows the network says ` +
        `${said[rows - 1]}, which is ${said[rows - 1] === digit ? "right" : "wrong"}. Over five networks, ` +
        `${percent(right[down][rows - 1])} of all test images are right by then. ${end}`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      slider({ label: "rows read", min: 1, max: 8, step: 1, value: rows }, (value) => { rows = value; draw(); }),
      menu("digit", images.map((_, at) => String(at)), digit, (value) => { digit = value; draw(); }),
      switches("image", ["upside down"], [], ([on]) => { down = Number(on); draw(); }));
    draw();
  },
};
