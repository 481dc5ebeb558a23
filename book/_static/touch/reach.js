// One unit whose state an input holds: the gradient k steps back, weight times slope to the power k.
Unrolled.figures.reach = {
  ROUNDING: 2 ** -24,

  // The constant input that holds the state: h = tanh(w h + drive)
  drive(w, h) {
    return Math.atanh(h) - w * h;
  },

  left(w, h, k) {
    return (w * (1 - h ** 2)) ** k;
  },

  // Steps back until less than so much is left; null if that does not come about
  lag(w, h, level) {
    const factor = this.left(w, h, 1);
    return factor < 1 ? Math.floor(Math.log(level) / Math.log(factor)) + 1 : null;
  },

  show(stage, say) {
    const { element, signed, slider } = Unrolled, steps = 100, rounding = this.ROUNDING;
    const W = 640, H = 344, left = 76, right = W - 12, top = 44, bottom = 296, highest = 6, lowest = -12;
    const x = (k) => left + k * (right - left) / steps;
    const y = (power) => top + (highest - power) * (bottom - top) / (highest - lowest);
    const raised = (n) => [...String(n)].map((sign) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign] ?? "⁻").join("");
    const power = (n) => `10${raised(n)}`;
    const amount = (value) => {
      if (value >= 1e6 || value < 1e-3) {
        const [digits, exponent] = value.toExponential(1).split("e");
        return `${digits} · ${power(+exponent)}`;
      }
      return value >= 100 ? Math.round(value).toLocaleString("en-GB") : String(+value.toPrecision(2));
    };
    const text = (x, y, words, anchor = "middle") => element("text", { x, y, "text-anchor": anchor }, words);
    const floor = y(Math.log10(rounding)), frame = [
      ...[6, 0, -6, -12].flatMap((n) => [
        element("line", { x1: left, x2: right, y1: y(n), y2: y(n), class: n ? "grid" : "axis" }),
        text(left - 8, y(n) + 6, n ? power(n) : "1", "end")]),
      ...[["dashed", "weight alone", left], ["solid", "weight × slope", 330]].flatMap(([look, words, from]) => [
        element("line", { x1: from, x2: from + 40, y1: 16, y2: 16, class: look }),
        text(from + 48, 22, words, "start")]),
      element("line", { x1: left, x2: right, y1: floor, y2: floor, class: "dotted" }),
      text(left + 6, floor + 26, "float32 rounding", "start"),
      text(left, 324, "0", "middle"), text(x(50), 324, "50"), text(right, 324, "k = 100", "end")];
    let w = 0.9, h = 0, k = 10;
    const marks = element("g");
    const draw = () => {
      // A line stops where it leaves the drawing
      const line = (factor, look) => {
        const each = Math.log10(factor), end = Math.min(steps, each ? (each > 0 ? highest : lowest) / each : steps);
        return element("line", { x1: x(0), x2: x(end), y1: y(0), y2: y(each * end), class: look });
      };
      const slope = 1 - h ** 2, factor = this.left(w, h, 1), now = this.left(w, h, k), shown = Math.log10(now);
      marks.replaceChildren(
        element("line", { x1: x(k), x2: x(k), y1: top, y2: bottom, class: "grid" }),
        line(w, "dashed"), line(factor, "solid"),
        ...(shown <= highest && shown >= lowest
          ? [element("circle", { cx: x(k), cy: y(shown), r: 7, class: "solid" })] : []));
      const lost = this.lag(w, h, rounding), near = Math.abs(factor - 1) < 1e-9;
      say(`Weight ${w.toFixed(1)}, state held at ${h.toFixed(2)} by an input of ${signed(this.drive(w, h), 2)}: the ` +
        `slope is ${slope.toFixed(3)}, and each step back multiplies the gradient by ${factor.toFixed(3)}. ` +
        `After ${k} step${k > 1 ? "s" : ""} it is ${amount(now)} times what it was. ` +
        (near ? "It neither vanishes nor explodes." : factor > 1 ? "It explodes."
          : `It vanishes: below the rounding of float32 after ${lost} steps.`));
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      slider({ label: "weight w", min: 0.5, max: 2.5, step: 0.1, value: w, says: (value) => value.toFixed(1) },
        (value) => { w = value; draw(); }),
      slider({ label: "state h", min: 0, max: 0.95, step: 0.05, value: h, says: (value) => value.toFixed(2) },
        (value) => { h = value; draw(); }),
      slider({ label: "steps back, k", min: 1, max: steps, step: 1, value: k }, (value) => { k = value; draw(); }));
    draw();
  },
};
