"""Encoder and decoder, with one vector or with attention between them."""

from unrolled.page.diagrams.drawing import CELL, SIGN, Drawing
from unrolled.page.plots import BLUE, GREEN, VERMILLION


def encoder_decoder(attention=False):
    """An encoder of four steps and a decoder of three, with one vector between them, or with attention as well.

    Args:
        attention: draw what the second step of the decoder reads of the encoder's states.
    """
    gap, first, last, top, middle, bottom = 74, 40, 4 * 74 + 70, 40, 196, 268
    high = " with attention" if attention else " with one vector between them"
    drawing = Drawing(last + 2 * gap + 46, 292, "An encoder and a decoder," + high)
    for s in range(1, 5):
        x = first + gap * (s - 1)
        drawing.box(x, middle, f"h_{s}")
        drawing.arrow(x, bottom - 14, x, middle + CELL / 2)
        drawing.text(x, bottom + 4, f"x_{s}")
        if s < 4:
            drawing.arrow(x + CELL / 2, middle, x + gap - CELL / 2, middle, BLUE, 2.6)
    thick = 2.6 if attention else 6
    drawing.arrow(first + 3 * gap + CELL / 2, middle, last - CELL / 2, middle, BLUE if attention else VERMILLION, thick)
    drawing.text((first + 3 * gap + last) / 2, middle - 14, "h_S", color=BLUE if attention else VERMILLION)
    for t in range(1, 4):
        x = last + gap * (t - 1)
        drawing.box(x, middle, f"s_{t}", GREEN)
        drawing.arrow(x, bottom - 14, x, middle + CELL / 2)
        drawing.text(x, bottom + 4, " end" if t == 1 else f"y_{t - 1}")
        drawing.arrow(x, middle - CELL / 2, x, top + 14)
        drawing.text(x, top, f"y_{t}")
        if t < 3:
            drawing.arrow(x + CELL / 2, middle, x + gap - CELL / 2, middle, GREEN, 2.6)
    if attention:
        meet, beside = 96, last + gap                       # where the states meet, and the step that reads them
        centre = beside - 48
        for s, width in zip(range(1, 5), (0.8, 1.2, 4.5, 1.6)):
            x = first + gap * (s - 1)
            begin, end = middle - CELL / 2, (centre - SIGN, meet)
            drawing.path(f"M{x},{begin} C{x},{meet + 8} {x + 60},{meet} {end[0]},{end[1]}", (x, meet), end, VERMILLION,
                         width)
            drawing.text(x + 12, begin - 12, f"a_2{s}", "start", VERMILLION, 13)
        drawing.operation(centre, meet, "+", VERMILLION)
        drawing.arrow(centre + SIGN, meet, beside, meet, VERMILLION, 2.6)
        drawing.joint(beside, meet, VERMILLION)
        drawing.text(centre + 26, meet - 9, "c_2", color=VERMILLION)
        drawing.bend((beside - 12, middle - CELL / 2), (beside - 12, meet + 44), (centre, meet + 44),
                     (centre, meet + SIGN), dashed=True)
    return drawing.svg()
