"""One step of a GRU."""

from unrolled.page.diagrams.drawing import PALE, SIGN, Drawing
from unrolled.page.plots import GATES


def gru_cell(reset_after=True):
    """One step of a GRU: the state along the top, what the gates read along the bottom, the gates between them.

    Args:
        reset_after: the reset gate acts after the candidate's matrix U, as in cuDNN; False draws it before, as in the
            papers.
    """
    order = "after" if reset_after else "before"
    drawing = Drawing(560, 344, f"One step of a GRU, its reset gate {order} the matrix")
    top, middle, gates, past, bottom, side = 62, 114, 196, 246, 292, 40
    at = {"update": 150, "reset": 262, "candidate": 444}
    first, second = 330, 388                               # the candidate's U and its reset, in either order
    times, matrix = (second, first) if reset_after else (first, second)
    for begin, end in ((62, at["update"] - SIGN), (at["update"] + SIGN, at["candidate"] - SIGN)):
        drawing.line((begin, top), (end, top), width=6)
    drawing.bend((at["candidate"] + SIGN, top), (510, top), width=6)
    drawing.bend((94, top), (94, past), (first - SIGN, past), width=2.6)
    drawing.joint(94, top)
    drawing.bend((first + SIGN, past), (second - SIGN, past), width=2.6)
    drawing.bend((second + SIGN, past), (at["candidate"] - 8, past), (at["candidate"] - 8, gates + side / 2),
                 width=2.6)
    drawing.line((62, bottom), (at["candidate"] + 8, bottom))
    for name, x in at.items():
        if name != "candidate":
            drawing.bend((x - 8, past), (x - 8, gates + side / 2))
            drawing.joint(x - 8, past)
        drawing.bend((x + 8, bottom), (x + 8, gates + side / 2))
        drawing.joint(x + 8, bottom)
        drawing.box(x, gates, " tanh" if name == "candidate" else " σ", GATES[name], side)
        letter = {"update": "z", "reset": "r", "candidate": "n"}[name]
        drawing.text(x + 27, gates + 5, letter, "start", size=17)
        drawing.text(x + 4, bottom + 22, f" {name}", size=13)
    drawing.bend((at["reset"], gates - side / 2), (at["reset"], gates - 38), (times, gates - 38), (times, past - SIGN),
                 color=GATES["reset"], width=2)
    drawing.operation(times, past, "×", GATES["reset"])
    drawing.box(matrix, past, "U", PALE, 2 * SIGN)
    drawing.bend((at["update"], gates - side / 2), (at["update"], top + SIGN), color=GATES["update"], width=2)
    drawing.operation(at["update"], top, "×", GATES["update"])
    drawing.joint(at["update"], middle, GATES["update"])
    drawing.bend((at["update"], middle), (at["candidate"] - SIGN, middle), color=GATES["update"], width=2)
    drawing.text(at["reset"], middle - 6, " 1 − z", size=13)
    drawing.bend((at["candidate"], gates - side / 2), (at["candidate"], middle + SIGN), color=GATES["candidate"],
                 width=2)
    drawing.operation(at["candidate"], middle, "×")
    drawing.bend((at["candidate"], middle - SIGN), (at["candidate"], top + SIGN), width=2)
    drawing.operation(at["candidate"], top, "+")
    drawing.text(40, top + 5, "h_t−1", size=17)
    drawing.text(532, top + 5, "h_t", size=17)
    drawing.text(44, bottom + 5, "x_t", size=17)
    return drawing.svg()
