// Where a row of PyTorch's weights goes in Keras and in ONNX: the order of the blocks, and the transposed matrix.
Unrolled.figures["gru-blocks"] = {
  ORDER: { torch: "rzn", keras: "zrn", onnx: "zrn" },
  UNITS: 4,

  // The place, from 0, at which a library expects what PyTorch keeps in this row.
  place(row, H, library) {
    return this.ORDER[library].indexOf(this.ORDER.torch[Math.floor(row / H)]) * H + row % H;
  },

  show(stage, say) {
    const { element, menu, slider, switches } = Unrolled, H = this.UNITS;
    const W = 640, tall = 388, side = 25, top = 84;
    const libraries = [["keras", "Keras"], ["onnx", "ONNX"]];
    const parts = [{ torch: "weight_ih", keras: "kernel", onnx: "W", inputs: 3 },
      { torch: "weight_hh", keras: "recurrent_kernel", onnx: "R", inputs: 4 }];
    const kinds = { r: "reset", z: "update", n: "candidate" };
    const names = { r: "the reset gate r", z: "the update gate z", n: "the candidate n" };
    const text = (x, y, words, anchor = "start") => element("text", { x, y, "text-anchor": anchor }, words);
    let part = parts[0], at = 0, row = 1, moved = true;
    const marks = element("g");
    const strip = (x, y, block, across, chosen, length) => element("rect", { x, y,
      class: `bar open gate-${kinds[block]}`,
      width: across ? side : length * side, height: across ? length * side : side,
      style: chosen ? "fill-opacity: 1; stroke: var(--pst-color-text-base); stroke-width: 4" : "" });
    const draw = () => {
      const [library, title] = libraries[at], { torch, [library]: name, inputs: D } = part;
      const across = library === "keras", left = 40, right = across ? 286 : 360;
      const blocks = [...this.ORDER.torch], goal = this.place(row, H, library), found = moved ? goal : row;
      const rows = Array.from({ length: 3 * H }, (_, place) => place);
      const target = (place) => (across ? [right + place * side, top] : [right, top + place * side]);
      const strips = (place, chosen) => strip(...target(moved ? this.place(place, H, library) : place),
        blocks[Math.floor(place / H)], across, chosen, D);
      const [x, y] = target(found), wire = top + (row + 0.5) * side;
      marks.replaceChildren(
        text(0, 22, "PyTorch"), text(0, 54, torch), text(across ? right : right - 40, 22, title),
        text(across ? right : right - 40, 54, name),
        ...blocks.map((block, n) => text(left - 14, top + (n + 0.5) * H * side + 6, block, "end")),
        ...rows.filter((place) => place !== row).flatMap((place) => [
          strip(left, top + place * side, blocks[Math.floor(place / H)], false, false, D), strips(place, false)]),
        element("path", { class: "half", fill: "none", d: across
          ? `M${left + D * side} ${wire}H${wire < y + D * side ? x : `${x + side / 2}V${y + D * side + 2}`}`
          : `M${left + D * side} ${wire}L${x} ${y + side / 2}` }),
        strip(left, wire - side / 2, blocks[Math.floor(row / H)], false, true, D), strips(row, true),
        ...[...this.ORDER[library]].map((block, n) => (across
          ? text(right + (n + 0.5) * H * side, top + D * side + 28, `as ${block}`, "middle", "halo")
          : text(right + D * side + 14, top + (n + 0.5) * H * side + 6, `as ${block}`))));
      const block = blocks[Math.floor(row / H)], read = this.ORDER[library][Math.floor(row / H)];
      const line = across ? "column" : "row", unit = row % H + 1;
      const wrong = goal === row ? `Copied in the order in which it is stored, it would go there too.`
        : `Copied in the order in which it is stored, it would be ${line} ${row + 1}, and ${title} would ` +
          `use it as unit ${unit} of ${names[read]}.`;
      say(`Row ${row + 1} of ${torch} belongs to unit ${unit} of ${names[block]}. In ${title} it is ${line} ` +
        `${goal + 1} of ${name}, whose blocks stand in the order ${[...this.ORDER[library]].join(", ")}` +
        `${across ? " and whose matrix is transposed" : ""}. ${wrong} The drawing shows ` +
        `${moved ? "the blocks in their new order" : "the copy in stored order"}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${tall}`, "aria-hidden": "true" }, marks),
      slider({ label: "row in PyTorch", min: 1, max: 3 * H, step: 1, value: row + 1 },
        (now) => { row = now - 1; draw(); }),
      menu("other library", libraries.map(([, title]) => title), at, (now) => { at = now; draw(); }),
      menu("weights", ["input weights", "recurrent weights"], 0, (now) => { part = parts[now]; draw(); }),
      switches("blocks", ["put in the new order"], [0], ([on]) => { moved = on; draw(); }));
    draw();
  },
};
