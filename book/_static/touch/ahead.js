// Who is ahead, and is it beyond doubt: values and intervals beside a line, in order, for each choice of settings.
// The page hands over the settings, the names, the values [value, low, high] of every choice, and the words.
Unrolled.figures.ahead = {
  COLOURS: { RNN: "output", LSTM: "forget", GRU: "input", TCN: "candidate", Transformer: "update" },

  // On which side of the line the whole interval lies; 0 if it includes the line
  side([, low, high], line) {
    return high < line ? -1 : low > line ? 1 : 0;
  },

  // The places of those that there are, the lowest value first
  order(values) {
    return values.map((_, at) => at).filter((at) => values[at]).sort((a, b) => values[a][0] - values[b][0]);
  },

  // Where a value stands between the ends, from 0 to 1; as ratios, twice as much is as far as half as much
  place(value, [low, high], ratios) {
    const map = ratios ? (number) => Math.log1p(number / 100) : (number) => number;
    return Math.min(1, Math.max(0, (map(value) - map(low)) / (map(high) - map(low))));
  },

  show(stage, say, data) {
    const { among, element, menu, signed } = Unrolled, at = data.settings.map(({ start = 0 }) => start);
    const chosen = (nested) => at.reduce((part, place) => part[place], nested);
    const most = Math.max(...[data.values].flat(at.length).map((values) => values.filter(Boolean).length));
    const W = 640, left = 20, right = 30, top = 44, high = 50, H = top + most * high + 44;
    const x = (value) => left + (W - left - right) * this.place(value, data.ends, data.ratios);
    const text = (x, y, words, anchor = "start", kind = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind }, words);
    const rule = (value, kind) => element("line", { x1: x(value), x2: x(value), y1: top - 6, y2: H - 38, class: kind });
    const written = (value) => {
      const text = signed(value, Math.abs(value) < 100 ? data.digits : 0);
      return data.ratios && /^[^−]*[1-9]/.test(text) ? `+${text}` : text;
    };
    const label = (tick) => (data.ratios && tick > 0 ? `+${tick.toLocaleString("en-GB")}` : signed(tick));
    const unit = data.unit ? `\u00a0${data.unit}` : "";
    const moving = element("g"), frame = [
      ...data.ticks.flatMap((tick) => [
        rule(tick, "grid"), text(x(tick), H - 12, label(tick), "middle")]),
      rule(data.line, "half"),
      text(x(data.line), 22, data.named, x(data.line) < W / 2 ? "start" : "end")];
    const draw = () => {
      const values = chosen(data.values), order = this.order(values);
      moving.replaceChildren(...order.flatMap((one, row) => {
        const [value, low, up] = values[one], y = top + high * row + 34, name = data.names[one];
        const colour = `var(--gate-${this.COLOURS[name.split(",")[0]] ?? "output"})`;
        const style = `stroke: ${colour}; stroke-width: 3; fill: ${colour}`;
        const inside = this.side(values[one], data.line) ? style : `${style}; fill: var(--pst-color-background)`;
        return [
          text(left, y - 14, `${name}  ${written(value)}${unit}`, "start", "ink halo"),
          element("line", { x1: x(low), x2: x(up), y1: y, y2: y, style }),
          ...[low, up].map((end) => element("line", { x1: x(end), x2: x(end), y1: y - 6, y2: y + 6, style })),
          element("circle", { cx: x(value), cy: y, r: 7, style: inside })];
      }));
      const settings = data.settings.map(({ names }, k) => names[at[k]]);
      const groups = [-1, 0, 1].map((side) => order.filter((one) => this.side(values[one], data.line) === side)
        .map((one) => `${data.names[one]} ${written(values[one][0])}${unit}`).join("; "));
      say([data.words.replace(/\{(\d)\}/g, (_, k) => settings[k]),
        ...groups.map((group, k) => (group ? `${data.groups[k]}: ${group}.` : "")),
        data.notes ? chosen(data.notes) : ""].filter(Boolean).join(" "));
    };
    const controls = data.settings.map(({ label, names, list }, k) => {
      const choose = (place) => { at[k] = place; draw(); };
      return list ? menu(label, names, at[k], choose)
        : among({ label, list: names, value: names[at[k]] }, (name) => choose(names.indexOf(name)));
    });
    stage.append(element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, moving), ...controls);
    draw();
  },
};
