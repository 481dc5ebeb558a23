"""One step of an LSTM."""

from unrolled.page.diagrams.drawing import PALE, SIGN, Drawing
from unrolled.page.plots import GATES


def lstm_cell(forget_gate=True, peephole=False):
    """One step of an LSTM: the cell along the top, the state along the bottom, the gates between them.

    Args:
        forget_gate: False draws the cell of 1997, whose path from c_{t-1} to c_t has nothing on it but the sum.
        peephole: draw the gates' own view of the cell, dashed.
    """
    drawing = Drawing(560, 330, "One step of an LSTM" if forget_gate else "One step of an LSTM without a forget gate")
    top, middle, gates, bottom, side = 62, 136, 208, 272, 40
    at = {"forget": 140, "input": 226, "candidate": 308, "output": 392}
    if not forget_gate:
        del at["forget"]
    write, show = (at["input"] + at["candidate"]) // 2, 466
    drawing.line((62, bottom), (at["output"], bottom), width=2.6)
    drawing.bend((80, 308), (80, bottom + 2))
    for name, x in at.items():
        drawing.bend((x, bottom), (x, gates + side / 2))
        drawing.joint(x, bottom)
        drawing.box(x, gates, " tanh" if name == "candidate" else " σ", GATES[name], side)
        drawing.text(x + 27, gates + 5, name[0] if name != "candidate" else "g", "start", size=17)
        drawing.text(x, bottom + 20, f" {name}", size=13)
    stops = [at["forget"], write] if forget_gate else [write]
    for begin, end in zip([62, *(x + SIGN for x in stops)], [x - SIGN for x in stops]):
        drawing.line((begin, top), (end, top), width=6)
    drawing.bend((write + SIGN, top), (510, top), width=6)
    if forget_gate:
        drawing.bend((at["forget"], gates - side / 2), (at["forget"], top + SIGN), color=GATES["forget"], width=2)
        drawing.operation(at["forget"], top, "×", GATES["forget"])
    for name, direction in (("input", -1), ("candidate", 1)):
        drawing.bend((at[name], gates - side / 2), (at[name], middle), (write + direction * SIGN, middle),
                     color=GATES[name], width=2)
    drawing.operation(write, middle, "×")
    drawing.bend((write, middle - SIGN), (write, top + SIGN), width=2)
    drawing.operation(write, top, "+")
    drawing.joint(show, top)
    drawing.line((show, top), (show, 102))
    drawing.text(show, 115, " tanh", size=13)
    drawing.bend((show, 121), (show, gates - 34 - SIGN))
    drawing.bend((at["output"], gates - side / 2), (at["output"], gates - 34), (show - SIGN, gates - 34),
                 color=GATES["output"], width=2)
    drawing.operation(show, gates - 34, "×", GATES["output"])
    drawing.bend((show, gates - 34 + SIGN), (show, bottom), (510, bottom), width=2.6)
    if peephole:
        for name in at.keys() - {"candidate"}:
            x, y = at[name] - 12, gates - side / 2
            source = x if name == "output" else 96             # the output gate sees c_t, the others c_{t-1}
            drawing.joint(source, top, PALE)
            corners = dict.fromkeys([(source, top), (source, y - 22), (x, y - 22), (x, y)])
            drawing.bend(*corners, color=PALE, dashed=True)
    drawing.text(40, top + 5, "c_t−1", size=17)
    drawing.text(40, bottom + 5, "h_t−1", size=17)
    drawing.text(532, top + 5, "c_t", size=17)
    drawing.text(532, bottom + 5, "h_t", size=17)
    drawing.text(80, 324, "x_t", size=17)
    return drawing.svg()
