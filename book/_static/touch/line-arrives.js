// A line arrives character by character: what two trained networks answer for the letters of names, before and after.
Unrolled.figures["line-arrives"] = {
  // The first and the last letter of the name that is the last to have begun; -1 labels what is no name
  name(labels, arrived) {
    let last = arrived - 1;
    while (last >= 0 && labels[last] < 0) last--;
    let first = last;
    while (first > 0 && labels[first - 1] >= 0) first--;
    return last < 0 ? null : [first, last];
  },

  // How many answers, yes above one half, the last character to arrive has turned round
  turned(answers, labels, arrived) {
    return arrived < 2 ? 0 : answers[arrived - 2].filter((p, at) =>
      labels[at] >= 0 && (p > 0.5) !== (answers[arrived - 1][at] > 0.5)).length;
  },

  show(stage, say, { lines, labels, one_way: oneWay, both_ways: bothWays }) {
    const { element, menu, slider } = Unrolled;
    const W = 640, H = 334, left = 36, high = 92, grounds = [126, 274];
    const text = (x, y, words, anchor = "start", kind = "", style = "") =>
      element("text", { x, y, "text-anchor": anchor, class: kind, style }, words);
    let at = 0, arrived = lines[0].indexOf("(");
    const frame = grounds.flatMap((y, k) => [
      ...[[1, "grid"], [0.5, "half"], [0, "axis"]].map(([p, kind]) =>
        element("line", { x1: left, x2: W, y1: y - p * high, y2: y - p * high, class: kind })),
      text(left - 6, y - high + 12, "1", "end"), text(left - 6, y + 4, "0", "end")]);
    const marks = element("g"), heads = grounds.map((y, k) =>
      text(0, y - high - 12, `${["one way", "both ways"][k]}: is there a bracket after the name?`, "start", "halo"));
    const draw = () => {
      const line = lines[at], wide = (W - left) / Math.max(...lines.map((other) => other.length));
      const x = (t) => left + t * wide, answers = [oneWay[at].slice(0, arrived), bothWays[at][arrived - 1]];
      marks.replaceChildren(
        ...answers.flatMap((row, k) => row.map((p, t) => (labels[at][t] < 0 ? "" : element("rect", {
          x: x(t) + 1.5, y: grounds[k] - p * high, width: wide - 3, height: Math.max(1, p * high),
          class: `bar ${p > 0.5 ? "" : "open "}gate-output` })))).filter((mark) => mark),
        ...Array.from(line, (letter, t) => text(x(t + 0.5), H - 20, letter, "middle", t < arrived ? "ink" : "",
          `font-family: monospace; ${t < arrived ? "" : "opacity: 0.6"}`)),
        element("line", { x1: x(arrived), x2: x(arrived), y1: 22, y2: H - 10, class: "thick" }));
      const name = this.name(labels[at], arrived), percent = (p) => `${(100 * p).toFixed(0)}%`;
      const letter = line[arrived - 1] === " " ? "a space" : `"${line[arrived - 1]}"`;
      const said = name ? `For the "${line[name[0]]}" of "${line.slice(name[0], name[1] + 1)}" the network that ` +
        `reads one way says a bracket with ${percent(answers[0][name[0]])}, the one that reads both ways with ` +
        `${percent(answers[1][name[0]])}. ` : "No name has begun. ";
      const turned = this.turned(bothWays[at], labels[at], arrived);
      const change = turned ? `That character turned ${turned} earlier answer${turned > 1 ? "s" : ""} round` :
        "That character turned no earlier answer round";
      say(`${arrived} of ${line.length} characters have arrived, the last is ${letter}. ` +
        `${said}${change} in the second network; in the first, none ever turns.`);
    };
    const picked = element("div");
    const pick = (place) => {
      at = place;
      arrived = lines[at].indexOf("(");
      picked.replaceChildren(slider({ label: "characters that have arrived", min: 1, max: lines[at].length, step: 1,
        value: arrived }, (value) => { arrived = value; draw(); }));
      draw();
    };
    stage.append(
      element("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" }, ...frame, marks, ...heads),
      menu("line", lines.map((line) => `${line.trim().slice(0, 20)}…`), 0, pick), picked);
    pick(0);
  },
};
