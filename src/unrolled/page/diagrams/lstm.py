"""One step of an LSTM, whole and as it grows gate by gate, and the two roads from cell to cell."""

from unrolled import checks
from unrolled.page.diagrams.drawing import PALE, SIGN, Drawing
from unrolled.page.plots import BLUE, GATES, GREY, VERMILLION

STAGES = (), ("input",), ("input", "forget"), ("input", "forget", "output")
TITLES = "only a sum", "a sum and an input gate", "a sum, an input gate and a forget gate", "all three gates"


def lstm_cell(forget_gate=True, peephole=False):
    """One step of an LSTM: the cell along the top, the state along the bottom, the gates between them.

    Args:
        forget_gate: False draws the cell of 1997, whose path from c_{t-1} to c_t has nothing on it but the sum.
        peephole: draw the gates' own view of the cell, dashed.
    """
    title = "One step of an LSTM" if forget_gate else "One step of an LSTM without a forget gate"
    return _cell(("input", "forget", "output") if forget_gate else ("input", "output"), title, {}, peephole)


def lstm_growing(stage, **numbers):
    """The same drawing with the first gates only, and the numbers of one step in it.

    Args:
        stage: 0 draws the sum alone, 1 adds the input gate, 2 the forget gate, 3 the output gate: the whole cell.
        **numbers: what is written beside a part, as text: `x`, `i`, `f`, `g`, `o`, `before` and `after` at the two ends
            of the cell's line, `kept` after the forget gate, `written` below the sum, `h`.

    Raises:
        ValueError: there is no such stage.
    """
    checks.choice("stage", stage, tuple(range(len(STAGES))))
    return _cell(STAGES[stage], f"A cell with {TITLES[stage]}", numbers)


def two_roads(steps=3):
    """A few steps unrolled: the road along the cell, with a forget gate on it, and the road through h and U.

    Args:
        steps: how many cells are drawn.
    """
    drawing = Drawing(560, 290, "Two roads from one cell to the next")
    top, bottom, side = 76, 214, 46
    places = [90 + 380 * k / (steps - 1) for k in range(steps)]
    names = [f"t+{k}" if k else "t" for k in range(steps)]
    for x, name in zip(places, names):
        drawing.box(x, top, f"c_{name}", GREY, side)
        drawing.box(x, bottom, f"h_{name}", BLUE, side)
        drawing.bend((x, top + side / 2), (x, bottom - side / 2), color=BLUE, width=2)
    for a, b in zip(places, places[1:]):
        middle = (a + b) / 2
        drawing.bend((a + side / 2, top), (middle - SIGN, top), color=VERMILLION, width=6)
        drawing.operation(middle, top, "×", VERMILLION)
        drawing.bend((middle + SIGN, top), (b - side / 2, top), color=VERMILLION, width=6)
        drawing.bend((a + side / 2, bottom - 8), (b - side / 2 + 6, top + side / 2), color=BLUE, width=2, dashed=True)
        drawing.bend((a + side / 2, bottom + 8), (b - side / 2, bottom + 8), color=BLUE, width=2, dashed=True)
        drawing.text(middle, top - 22, "f", color=VERMILLION, size=17)
        drawing.text(middle + 34, (top + bottom) / 2 + 14, "U", "start", color=BLUE, size=17)
        drawing.text(middle, bottom + 28, "U", color=BLUE, size=17)
    drawing.text(280, 26, " along the cell: one number a unit and step", color=VERMILLION)
    drawing.text(280, 276, " through h and the gates: a matrix at every step", color=BLUE)
    return drawing.svg()


def _cell(present, title, numbers, peephole=False):
    """One step with the gates that are `present`; a part keeps its place in every drawing."""
    drawing = Drawing(560, 330, title)
    top, middle, gates, bottom, side = 62, 136, 208, 272, 40
    at = {"forget": 140, "input": 226, "candidate": 308, "output": 392}
    write, show = (at["input"] + at["candidate"]) // 2, 466
    at = {name: x for name, x in at.items() if name == "candidate" or name in present}
    drawing.line((62, bottom), (max(at.values()), bottom), width=2.6)
    drawing.bend((80, 308), (80, bottom + 2))
    for name, x in at.items():
        drawing.bend((x, bottom), (x, gates + side / 2))
        drawing.joint(x, bottom)
        drawing.box(x, gates, " tanh" if name == "candidate" else " σ", GATES[name], side)
        drawing.text(x + 27, gates + 5, name[0] if name != "candidate" else "g", "start", size=17)
        drawing.text(x, bottom + 20, f" {name}", size=13)
    stops = [at["forget"], write] if "forget" in present else [write]
    for begin, end in zip([62, *(x + SIGN for x in stops)], [x - SIGN for x in stops]):
        drawing.line((begin, top), (end, top), width=6)
    drawing.bend((write + SIGN, top), (510, top), width=6)
    if "forget" in present:
        drawing.bend((at["forget"], gates - side / 2), (at["forget"], top + SIGN), color=GATES["forget"], width=2)
        drawing.operation(at["forget"], top, "×", GATES["forget"])
    if "input" in present:
        for name, direction in (("input", -1), ("candidate", 1)):
            drawing.bend((at[name], gates - side / 2), (at[name], middle), (write + direction * SIGN, middle),
                         color=GATES[name], width=2)
        drawing.operation(write, middle, "×", GATES["input"])
        drawing.bend((write, middle - SIGN), (write, top + SIGN), width=2)
    else:
        drawing.bend((at["candidate"], gates - side / 2), (at["candidate"], middle), (write, middle),
                     (write, top + SIGN), color=GATES["candidate"], width=2)
    drawing.operation(write, top, "+")
    drawing.joint(show, top)
    drawing.line((show, top), (show, 102))
    drawing.text(show, 115, " tanh", size=13)
    if "output" in present:
        drawing.bend((show, 121), (show, gates - 34 - SIGN))
        drawing.bend((at["output"], gates - side / 2), (at["output"], gates - 34), (show - SIGN, gates - 34),
                     color=GATES["output"], width=2)
        drawing.operation(show, gates - 34, "×", GATES["output"])
        drawing.bend((show, gates - 34 + SIGN), (show, bottom), (510, bottom), width=2.6)
    else:
        drawing.bend((show, 121), (show, bottom), (510, bottom), width=2.6)
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
    places = {"x": (94, 324, "start"), "before": (40, top - 14, "middle"), "after": (532, top - 14, "middle"),
              "kept": ((140 + write) // 2, top - 12, "middle"), "written": (write + 8, top + 34, "start"),
              "h": (532, bottom - 16, "middle")}
    places |= {"g" if name == "candidate" else name[0]: (x + 24, gates + 25, "start") for name, x in at.items()}
    for part, number in numbers.items():
        x, y, anchor = places[part]
        drawing.text(x, y, f" {number}", anchor, BLUE, size=15)
    return drawing.svg()
