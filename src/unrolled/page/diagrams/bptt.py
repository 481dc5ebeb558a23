"""The gradient on its way back: with numbers, cut into chunks, from checkpoints; and how many runs it reached."""

from unrolled.page.diagrams.drawing import CELL, PALE, Drawing
from unrolled.page.plots import BLUE, GREY, VERMILLION


def backward_graph(steps=4):
    """The unrolled network with its gradients: they run back along the states and meet at the one shared weight."""
    gap, middle, weight = 132, 118, 276
    drawing = Drawing(80 + gap * steps, 304, "Gradients flowing back through the unrolled network to one shared weight")
    left, centre = 30, 30 + gap * (steps + 1) / 2
    drawing.text(left, middle + 5, "h_0")
    drawing.box(centre, weight, "U", side=38)
    for t in range(1, steps + 1):
        x, begin = left + gap * t, left + gap * (t - 1) + (16 if t == 1 else CELL / 2)
        drawing.arrow(begin, middle - 7, x - CELL / 2, middle - 7, BLUE, 2.6)
        drawing.arrow(x - CELL / 2, middle + 9, begin, middle + 9, VERMILLION, 2, dashed=True)
        drawing.box(x, middle, f"h_{t}")
        drawing.arrow(x - 7, middle - CELL / 2, x - 7, 34)
        drawing.arrow(x + 8, 34, x + 8, middle - CELL / 2, VERMILLION, 1.5, dashed=True)
        drawing.text(x, 22, f"ℓ_{t}")
        side = 1 if x < centre else -1                      # the share leaves on the weight's side, the input apart
        drawing.arrow(x - 7 * side, middle + 54, x - 7 * side, middle + CELL / 2)
        drawing.text(x - 11 * side, middle + 70, f"x_{t}")
        end, out = centre + (x - centre) * 0.08, x + 19 * side
        down = f"M{out},{middle + CELL / 2} C{out},{weight - 30} {end},{weight - 62} {end},{weight - 19}"
        drawing.path(down, (end, weight - 40), (end, weight - 19), VERMILLION, 1.5, True)
    drawing.text(centre - 30, weight + 5, " ∂L/∂U: the sum of", "end", VERMILLION, 14)
    drawing.text(centre + 30, weight + 5, f" {steps} arrows, one for each use", "start", VERMILLION, 14)
    drawing.text(left + gap * 1.5, middle - 16, "U", color=BLUE)
    drawing.text(left + gap * 1.5, middle + 27, " Jacobian", color=VERMILLION, size=11)
    return drawing.svg()


def worked_chain(inputs, weight, states, slope_of_loss, deltas):
    """One unit run forward and backward with every number written down.

    Args:
        inputs: x_1 … x_T.
        weight: u, the same at each step.
        states: h_1 … h_T.
        slope_of_loss: ∂L/∂h_T.
        deltas: ∂L/∂a_1 … ∂L/∂a_T.
    """
    gap, side, middle, low = 148, 62, 84, 218
    drawing = Drawing(96 + gap * len(states), 250, "One unit over three steps: states forward, gradients backward")
    for t, (x, h, delta) in enumerate(zip(inputs, states, deltas)):
        at = 24 + side / 2 + gap * t
        drawing.box(at, middle, side=side)
        drawing.text(at, middle - 6, f"h_{t + 1}", size=14)
        drawing.text(at, middle + 18, f" {h:.3f}", size=15)
        drawing.arrow(at - 16, middle + 74, at - 16, middle + side / 2)
        drawing.text(at - 16, middle + 92, f" x = {x:g}", size=14)
        drawing.arrow(at + 16, middle + side / 2, at + 16, low - 20, VERMILLION, 1.5, dashed=True)
        drawing.text(at, low, f" share {delta * states[t - 1] if t else 0:.3f}".replace("-", "−"), color=VERMILLION,
                     size=14)
        begin, end, last = at + side / 2, at + gap - side / 2, t == len(states) - 1
        back = slope_of_loss if last else weight * deltas[t + 1]
        drawing.arrow(begin, middle - 10, begin + 46 if last else end, middle - 10, BLUE, 2.6)
        drawing.arrow(begin + 46 if last else end, middle + 10, begin, middle + 10, VERMILLION, 2, dashed=True)
        centre = (begin + end) / 2
        drawing.text(begin + 26 if last else centre, middle - 20, " loss" if last else f" × {weight:g}", color=BLUE,
                     size=14)
        drawing.text(begin + 26 if last else centre, middle + 32, f" {back:.3f}".replace("-", "−"), color=VERMILLION,
                     size=14)
    drawing.text(24, 24, " forward, left to right", "start", BLUE, 14)
    drawing.text(drawing.width - 24, 24, " backward, right to left", "end", VERMILLION, 14)
    drawing.text(drawing.width / 2, low + 24, " the shares add up to the gradient of the weight", color=PALE, size=14)
    return drawing.svg()


def truncation(chunks=2, steps=4):
    """A sequence cut into chunks: the state crosses each cut, the gradient does not."""
    side, gap, middle = 38, 64, 96
    drawing = Drawing(2 * 20 + gap * chunks * steps, 190, "The state crosses the cut, the gradient does not")
    for t in range(chunks * steps):
        x = 20 + gap * (t + 0.5)
        drawing.box(x, middle, f"h_{t + 1}", side=side)
        if t:
            drawing.arrow(x - gap + side / 2, middle - 8, x - side / 2, middle - 8, BLUE, 2.6)
        if t % steps:
            drawing.arrow(x - side / 2, middle + 9, x - gap + side / 2, middle + 9, VERMILLION, 2, dashed=True)
        elif t:
            cut = x - gap / 2
            drawing.line((cut, 42), (cut, 150), color=PALE, width=1.5, dashed=True)
            drawing.text(cut, 32, " the state goes on", color=BLUE, size=14)
            drawing.text(cut, 172, " no gradient comes back", color=VERMILLION, size=14)
    for chunk in range(chunks):
        drawing.text(20 + gap * steps * (chunk + 0.5), middle + 50, f" chunk {chunk + 1}", color=PALE, size=14)
    return drawing.svg()


def checkpoints(segments=3, steps=3):
    """A backward pass from checkpoints: the last state of each segment is kept, and each segment is run forward again
    when needed; its checkpoint is then there twice, as a box and as the frame around it."""
    side, gap, line = 34, 55, 92
    titles = ["Forward: keep the last state of each segment, forget the rest",
              *(f"Backward, segment {s}: run it again, then send the gradient back"
                for s in range(segments, segments - 2, -1))]
    drawing = Drawing(2 * 20 + gap * segments * steps, line * len(titles) + 6, "Checkpoints and what is run again")
    for row, title in enumerate(titles):
        y, again = line * row + 58, segments - row + 1 if row else None
        drawing.text(20, y - 32, f" {title}", "start", PALE, 14)
        for t in range(segments * steps):
            x, segment = 20 + gap * (t + 0.5), t // steps + 1
            if segment == again:
                drawing.box(x, y, f"h_{t + 1}", VERMILLION, side)
                if (t + 1) % steps == 0:
                    corner, size = f'x="{x - side / 2 - 4}" y="{y - side / 2 - 4}"', side + 8
                    drawing.parts.append(f'<rect {corner} width="{size}" height="{size}" rx="10" fill="none" '
                                         f'stroke="{BLUE}" stroke-width="1.8"/>')
                if t % steps:
                    drawing.arrow(x - side / 2, y + 7, x - gap + side / 2, y + 7, VERMILLION, 2, dashed=True)
            elif (t + 1) % steps == 0 and (again is None or segment < again):
                drawing.box(x, y, f"h_{t + 1}", BLUE, side)
            else:
                drawing.parts.append(f'<rect x="{x - side / 2}" y="{y - side / 2}" width="{side}" height="{side}" '
                                     f'rx="8" fill="none" stroke="{GREY}" stroke-width="1.2" stroke-dasharray="3 4"/>')
            if t and (again is None or (segment == again)):
                drawing.arrow(x - gap + side / 2, y - 6, x - side / 2, y - 6, BLUE, 1.8)
    return drawing.svg()


def tally(title, rows):
    """How many of several runs succeeded: a line of circles for each row, one circle a run, filled where it did.

    Args:
        title: what a success is.
        rows: pairs of a label and (successes, runs).
    """
    left, gap, top, line = 10, 16, 66, 52                   # each label above its circles: a phone is narrow
    most = max(runs for _, (_, runs) in rows)
    drawing = Drawing(max(left + gap * most + 62, 380), top + line * len(rows) - 8, title)
    drawing.text(left - 6, 20, f" {title}", "start")
    for row, (label, (successes, runs)) in enumerate(rows):
        y = top + line * row + 6
        drawing.text(left - 6, y - 16, f" {label}", "start", size=14)
        for run in range(runs):
            drawing.parts.append(f'<circle cx="{left + gap * run}" cy="{y}" r="6" stroke="{BLUE}" stroke-width="1.5" '
                                 f'fill="{BLUE if run < successes else "none"}"/>')
        drawing.text(left + gap * runs, y + 5, f" {successes} of {runs}", "start", BLUE, 14)
    return drawing.svg()
