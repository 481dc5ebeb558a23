"""The gradient on its way back, and how many runs it reached."""

from unrolled.page.diagrams.drawing import CELL, Drawing
from unrolled.page.plots import BLUE, VERMILLION


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
    drawing.text(centre + 30, weight + 5, f" {steps} arrows, one a use", "start", VERMILLION, 14)
    drawing.text(left + gap * 1.5, middle - 16, "U", color=BLUE)
    drawing.text(left + gap * 1.5, middle + 27, " Jacobian", color=VERMILLION, size=11)
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
