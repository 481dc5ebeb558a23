"""The recurrent network, folded and unrolled, and what it can be asked."""

from unrolled.page.diagrams.drawing import CELL, PALE, Drawing
from unrolled.page.plots import BLUE, VERMILLION


def unrolled_graph(steps=3):
    """A recurrent network folded into a loop, and the same network unrolled over `steps` steps."""
    gap, top, middle, bottom, folded, left = 96, 30, 115, 200, 44, 186
    drawing = Drawing(left + gap * steps + 72, 215, "A recurrent network, folded and unrolled")
    end = folded + 14, middle - 23
    loop = f"M{folded + 23},{middle} C{folded + 85},{middle - 8} {folded + 70},{middle - 72} {end[0]},{end[1]}"
    drawing.path(loop, (folded + 34, middle - 40), end, BLUE, 2.6)
    drawing.text(folded + 78, middle - 40, "U", color=BLUE)
    drawing.text(left - 42, middle + 5, " =", size=24)
    drawing.text(left, middle + 5, "h_0")
    for t in range(steps + 1):                              # step 0 is the folded network
        x, index = (left + gap * t, t) if t else (folded, "t")
        if t:
            drawing.arrow(x - gap + (18 if t == 1 else CELL / 2), middle, x - CELL / 2, middle, BLUE, 2.6)
            drawing.text(x - gap / 2, middle - 10, "U", color=BLUE)
        drawing.box(x, middle, f"h_{index}")
        drawing.arrow(x, bottom - 12, x, middle + CELL / 2)
        drawing.arrow(x, middle - CELL / 2, x, top + 10)
        drawing.text(x - 14, bottom - 32, "W", color=PALE)
        drawing.text(x - 14, top + 46, "V", color=PALE)
        drawing.text(x, bottom + 6, f"x_{index}")
        drawing.text(x, top, f"y_{index}")
    drawing.arrow(left + gap * steps + CELL / 2, middle, left + gap * steps + 64, middle, BLUE, 2.6)
    return drawing.svg()


def task_shapes():
    """Which steps read and which steps answer: four uses of one recurrence."""
    kinds = [(" one to many", [1], [1, 2, 3, 4]), (" many to one", [1, 2, 3, 4], [4]),
             (" aligned", [1, 2, 3, 4], [1, 2, 3, 4]), (" delayed", [1, 2], [3, 4])]
    width, height, side, gap = 205, 165, 24, 44
    drawing = Drawing(2 * width, 2 * height, "Four task shapes")
    for panel, (name, reads, answers) in enumerate(kinds):
        left, top = 37 + width * (panel % 2), height * (panel // 2)
        drawing.text(left + 1.5 * gap, top + 155, name, size=14)
        for t in range(1, 5):
            x, y = left + gap * (t - 1), top + 75
            drawing.box(x, y, side=side)
            if t < 4:
                drawing.arrow(x + side / 2, y, x + gap - side / 2, y, BLUE, 2)
            if t in reads:
                drawing.arrow(x, y + 45, x, y + side / 2)
                drawing.text(x, y + 58, "x", size=13)
            if t in answers:
                drawing.arrow(x, y - side / 2, x, y - 43, VERMILLION)
                drawing.text(x, y - 49, "y", size=13)
    return drawing.svg()
