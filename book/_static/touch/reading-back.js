// The last characters before a step, as a linear probe reads them back out of an untrained and of a trained state.
Unrolled.figures["reading-back"] = {
  // Of each step, how many of the characters that the probe names are those that were read
  hits(named, read, lags) {
    const first = read.length - named.length;
    return named.map((names, step) => lags.filter((lag, at) => names[at] === read[first + step - lag]).length);
  },

  show(stage, say, { text: read, lags, networks }) {
    const { element, slider } = Unrolled, names = Object.keys(networks);
    const first = read.length - networks[names[0]].length;
    const W = 640, H = 250, left = 130, wide = (W - left) / lags.length, y = (row) => 66 + 56 * row;
    const x = (at) => W - (at + 0.5) * wide;                                // the latest at the right
    const text = (x, y, words, anchor = "middle", kind = "", style = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind, style }, words);
    const shown = (letter) => ({ " ": "␣", "\n": "⏎" })[letter] ?? letter;
    const totals = names.map((name) => this.hits(networks[name], read, lags));
    const mean = (counts) => (counts.reduce((sum, count) => sum + count, 0) / counts.length).toFixed(1);
    const frame = [
      ...lags.map((lag, at) => text(x(at), H - 12, String(lag))), text(0, H - 12, "ago, k", "start"),
      ...["read", ...names].map((name, row) => text(0, y(row) + 6, name, "start"))];
    let step = 30;
    const marks = element("g");
    const draw = () => {
      const past = lags.map((lag) => read[first + step - lag]);
      marks.replaceChildren(
        text(0, 24, "filled: named correctly", "start"),
        ...[past, ...names.map((name) => Array.from(networks[name][step]))].flatMap((row, which) =>
          row.flatMap((letter, at) => {
            const right = which && letter === past[at];
            return [
              ...(which ? [element("rect", { x: x(at) - wide / 2 + 3, y: y(which) - 22, width: wide - 6, height: 44,
                rx: 5, "stroke-dasharray": right ? "none" : "3 4",
                class: right ? "bar open gate-output" : "box" })] : []),
              text(x(at), y(which) + 7, shown(letter), "middle", right || !which ? "ink" : "",
                `font-family: monospace${right ? "; font-weight: 700" : ""}`)];
          })));
      const tail = past.slice().reverse().map((letter) => (letter === "\n" ? "⏎" : letter)).join("");
      const each = names.map((name, at) => `${totals[at][step]} from the ${name} state`).join(" and ");
      say(`Step ${step + 1} of ${totals[0].length}. Read last: "${tail}". Of these ${lags.length} characters the ` +
        `probe names ${each}. Over all ${totals[0].length} steps here it names, on average, ` +
        `${names.map((name, at) => `${mean(totals[at])} (${name})`).join(" and ")}.`);
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks),
      slider({ label: "step of the text", min: 1, max: totals[0].length, step: 1, value: step + 1 },
        (value) => { step = value - 1; draw(); }));
    draw();
  },
};
