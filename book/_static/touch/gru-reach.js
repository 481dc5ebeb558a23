// How much of a gradient is left k steps back in the networks that the page measured, and what the gate alone leaves.
Unrolled.figures["gru-reach"] = {
  // What an update gate with this bias alone keeps over k steps: the first term of the Jacobian, k times over.
  kept(bias, k) {
    return (1 / (1 + Math.exp(-bias))) ** k;
  },

  // The factor that, taken at every one of k steps, leaves as much.
  perStep(left, k) {
    return left ** (1 / k);
  },

  show(stage, say, { networks }) {
    const { element, menu, slider } = Unrolled, steps = networks[0].typical.length - 1;
    const W = 640, H = 350, left = 76, right = 18, top = 50, bottom = 44, low = -12, high = 4;
    const x = (k) => left + k * (W - left - right) / steps;
    const y = (value) => top + (high - Math.log10(value)) * (H - top - bottom) / (high - low);
    const raised = (power) => [...String(power)].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("");
    const short = (value) => {
      if (value >= 0.001 && value < 1000) return String(Number(value.toPrecision(2)));
      const [digits, power] = value.toExponential(0).split("e");
      return `${digits}\u00a0·\u00a010${raised(+power)}`;
    };
    const text = (x, y, words, anchor = "middle", kind = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind }, words);
    const inside = (value) => Math.min(10 ** high, Math.max(10 ** low, value));
    const places = Array.from({ length: steps + 1 }, (_, k) => k);
    // A line ends where it leaves the drawing
    const line = (values, kind, style = "") => element("path", { class: kind, style: `fill: none; ${style}`, d: values
      .slice(0, (values.findIndex((value) => inside(value) !== value) + 1 || values.length + 1) - 1)
      .map((value, k) => `${k ? "L" : "M"}${x(k).toFixed(1)} ${y(value).toFixed(1)}`).join("") });
    const axes = [4, 0, -4, -8, -12].flatMap((power) => [
      element("line", { x1: left, x2: W - right, y1: y(10 ** power), y2: y(10 ** power),
        class: power ? "grid" : "axis" }),
      text(left - 8, y(10 ** power) + 6, power ? `10${raised(power)}` : "1", "end")]);
    axes.push(text(0, 20, "gradient left", "start"),
      ...[0, 50, 100].map((k) => text(x(k), H - 16, k === 100 ? "100 back" : String(k), k === 100 ? "end" : "middle")));
    let at = 1, k = 30;
    const marks = element("g");
    const draw = () => {
      const { name, bias, typical, lowest, highest } = networks[at], gate = bias !== null;
      const alone = gate ? places.map((place) => this.kept(bias, place)) : [];
      const edge = (values, order) => order.map((place) =>
        `L${x(place).toFixed(1)} ${y(inside(values[place])).toFixed(1)}`);
      const dot = (value, r, kind) => (inside(value) === value
        ? [element("circle", { cx: x(k), cy: y(value), r, class: kind })] : []);
      const band = `M${edge(lowest, places).join("").slice(1)}${edge(highest, [...places].reverse()).join("")}Z`;
      marks.replaceChildren(
        ...networks.filter((_, place) => place !== at).map((other) =>
          line(other.typical, "axis", "stroke-opacity: 0.45")),
        element("path", { d: band, class: "area", style: "stroke: none" }),
        ...(gate ? [line(alone, "dashed")] : []), line(typical, "solid", "stroke-width: 3"),
        element("line", { x1: x(k), x2: x(k), y1: top, y2: H - bottom, class: "half" }),
        ...dot(typical[k], 8, "solid"), ...(gate ? dot(alone[k], 7, "dashed dot") : []),
        element("line", { x1: 246, x2: 282, y1: 14, y2: 14, class: "solid", "stroke-width": 3 }),
        text(290, 20, "measured", "start"),
        ...(gate ? [element("line", { x1: 446, x2: 482, y1: 14, y2: 14, class: "dashed" }),
          text(490, 20, "z alone", "start")] : []));
      const factor = (value) => value.toFixed(2);
      const other = gate ? ` Its gate alone starts at ${this.kept(bias, 1).toFixed(3)} and would leave ` +
        `${short(this.kept(bias, k))}.` : "";
      const way = typical[k] > 1 ? "It has grown, by" : "That is";
      say(`${name}, ${k} step${k > 1 ? "s" : ""} back: ${short(typical[k])} of the gradient is left, from ` +
        `${short(lowest[k])} to ${short(highest[k])} over the seeds. ${way} a factor of ` +
        `${factor(this.perStep(typical[k], k))} a step.${other}`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...axes, marks),
      menu("network, untrained", networks.map(({ name }) => name), at, (now) => { at = now; draw(); }),
      slider({ label: "steps back, k", min: 1, max: steps, step: 1, value: k }, (now) => { k = now; draw(); }));
    draw();
  },
};
