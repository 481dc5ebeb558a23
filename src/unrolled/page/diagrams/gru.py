"""One step of a GRU, grown gate by gate; the slider that its update gate is; where its reset may stand; and a scan."""

from unrolled.page.diagrams.drawing import INK, PALE, SIGN, Drawing
from unrolled.page.plots import GATES

STAGES = "update", "past", "reset"                     # what the drawing has gained: each stage has those before it


def gru_cell(reset_after=True, stage="reset"):
    """One step of a GRU: the state along the top, what the gates read along the bottom, the gates between them.

    Args:
        reset_after: the reset gate acts after the candidate's matrix U, as in cuDNN; False draws it before, as in the
            papers.
        stage: how far the drawing has grown. "update": a gate that reads the input mixes the state with a candidate
            that reads the input. "past": gate and candidate read the old state too. "reset": the whole cell.
    """
    order = "after" if reset_after else "before"
    titles = {"update": "A GRU with its update gate only", "past": "A GRU whose candidate reads the old state",
              "reset": f"One step of a GRU, its reset gate {order} the matrix"}
    drawing = Drawing(560, 344, titles[stage])
    top, middle, gates, past, bottom, side = 62, 114, 196, 246, 292, 40
    at = {"update": 150, "reset": 262, "candidate": 444}
    if stage != "reset":
        del at["reset"]
    first, second = 330, 388                               # the candidate's U and its reset, in either order
    times, matrix = (second, first) if reset_after else (first, second)
    for begin, end in ((62, at["update"] - SIGN), (at["update"] + SIGN, at["candidate"] - SIGN)):
        drawing.line((begin, top), (end, top), width=6)
    drawing.bend((at["candidate"] + SIGN, top), (510, top), width=6)
    if stage == "past":
        drawing.bend((94, top), (94, past), (first - SIGN, past), width=2.6)
        drawing.bend((first + SIGN, past), (at["candidate"] - 8, past), (at["candidate"] - 8, gates + side / 2),
                     width=2.6)
    elif stage == "reset":
        drawing.bend((94, top), (94, past), (first - SIGN, past), width=2.6)
        drawing.bend((first + SIGN, past), (second - SIGN, past), width=2.6)
        drawing.bend((second + SIGN, past), (at["candidate"] - 8, past), (at["candidate"] - 8, gates + side / 2),
                     width=2.6)
    if stage != "update":
        drawing.joint(94, top)
        drawing.box(matrix if stage == "reset" else first, past, "U", PALE, 2 * SIGN)
    drawing.line((62, bottom), (at["candidate"] + 8, bottom))
    for name, x in at.items():
        if name != "candidate" and stage != "update":
            drawing.bend((x - 8, past), (x - 8, gates + side / 2))
            drawing.joint(x - 8, past)
        drawing.bend((x + 8, bottom), (x + 8, gates + side / 2))
        drawing.joint(x + 8, bottom)
        drawing.box(x, gates, " tanh" if name == "candidate" else " σ", GATES[name], side)
        letter = {"update": "z", "reset": "r", "candidate": "n"}[name]
        drawing.text(x + 27, gates + 5, letter, "start", size=17)
        drawing.text(x + 4, bottom + 22, f" {name}", size=13)
    if stage == "reset":
        drawing.bend((at["reset"], gates - side / 2), (at["reset"], gates - 38), (times, gates - 38),
                     (times, past - SIGN), color=GATES["reset"], width=2)
        drawing.operation(times, past, "×", GATES["reset"])
    drawing.bend((at["update"], gates - side / 2), (at["update"], top + SIGN), color=GATES["update"], width=2)
    drawing.operation(at["update"], top, "×", GATES["update"])
    drawing.joint(at["update"], middle, GATES["update"])
    drawing.bend((at["update"], middle), (at["candidate"] - SIGN, middle), color=GATES["update"], width=2)
    drawing.text(262, middle - 6, " 1 − z", size=13)
    drawing.bend((at["candidate"], gates - side / 2), (at["candidate"], middle + SIGN), color=GATES["candidate"],
                 width=2)
    drawing.operation(at["candidate"], middle, "×")
    drawing.bend((at["candidate"], middle - SIGN), (at["candidate"], top + SIGN), width=2)
    drawing.operation(at["candidate"], top, "+")
    drawing.text(40, top + 5, "h_t−1", size=17)
    drawing.text(532, top + 5, "h_t", size=17)
    drawing.text(44, bottom + 5, "x_t", size=17)
    return drawing.svg()


def slider(old, candidate, keeps):
    """The update gate as a slider: where between the candidate and the old state the new state lies.

    Args:
        old, candidate: two numbers from -1 to 1.
        keeps: the positions of the gate to draw, from 0 to 1, one a row.
    """
    left, right, row = 150, 410, 74
    drawing = Drawing(560, 52 + row * len(keeps), "The update gate as a slider between the candidate and the old state")
    drawing.text(left, 22, f" candidate {candidate:g}", color=INK, size=14)
    drawing.text(right, 22, f" old state {old:g}", color=INK, size=14)
    for index, z in enumerate(keeps):
        y, x = 62 + row * index, left + z * (right - left)
        drawing.line((left, y), (right, y), color=GATES["update"], width=6)
        for end in (left, right):
            drawing.line((end, y - 9), (end, y + 9), color=PALE, width=1.5)
        drawing.parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="9" fill="{INK}"/>')
        drawing.text(left - 28, y + 5, f" z = {z:g}", "end")
        new = f"{z * old + (1 - z) * candidate:.3g}"
        drawing.text(x, y + 30, f" new state {new}" if index == 0 else f" {new}", size=15)
    drawing.text(left, 40, " ↓", size=13)
    drawing.text(right, 40, " ↓", size=13)
    return drawing.svg()


def two_resets():
    """The old state (1, −1) on its way to the candidate, once with the reset before the matrix and once after it.

    The reset gate is (1, 0), and the matrix exchanges the two entries.
    """
    drawing = Drawing(560, 330, "The same numbers on two roads: the reset before the matrix, and after it")
    roads = [(" reset before U (the papers)", ((1, -1), "reset", (1, 0), "U", (0, 1), "tanh", (0, 0.76))),
             (" reset after U (PyTorch, cuDNN)", ((1, -1), "U", (-1, 1), "reset", (-1, 0), "tanh", (-0.76, 0)))]
    for index, (title, stations) in enumerate(roads):
        y = 98 + 160 * index
        drawing.text(16, y - 62, title, "start", size=15)
        for place, station in enumerate(stations):
            x = 44 + 79 * place
            if isinstance(station, tuple):
                drawing.box(x, y, "", GATES["candidate"] if place == 6 else PALE, 62)
                for line, value in zip((-8, 18), station):
                    drawing.text(x, y + line, f" {value:g}".replace("-", "−"), size=16)
                continue
            drawing.arrow(x - 46, y, x + 46, y, GATES["reset"] if station == "reset" else INK, 2.4)
            label = {"reset": " × (1, 0)", "U": " swap", "tanh": " tanh"}[station]
            drawing.text(x, y - 39, label, size=13, color=INK)
            drawing.text(x, y + 52, {"reset": " reset r", "U": " matrix U", "tanh": " "}[station], size=13)
        drawing.text(44, y + 52, "h_t−1", size=14)
        drawing.text(44 + 79 * 6, y + 52, "n_t", size=14)
    return drawing.svg()


def scan_tree(steps):
    """Steps h → a h + b that become one, pair by pair, from the bottom up.

    Args:
        steps: pairs (a, b), two or four of them.
    """
    levels = [list(steps)]
    while len(levels[-1]) > 1:
        pairs = zip(levels[-1][::2], levels[-1][1::2])
        levels.append([(a_2 * a_1, a_2 * b_1 + b_2) for (a_1, b_1), (a_2, b_2) in pairs])
    high, gap = 96, 560 / len(steps)
    drawing = Drawing(560, 20 + high * len(levels), "Steps that are merged pair by pair, as a tree")
    for level, merged in enumerate(levels):
        y = drawing.height - 48 - high * level
        for place, (a, b) in enumerate(merged):
            x = gap * (place + 0.5) * 2**level
            drawing.parts.append(f'<rect x="{x - 66}" y="{y - 21}" width="132" height="42" rx="8" '
                                 f'fill="{GATES["update"]}" fill-opacity="0.16" stroke="{GATES["update"]}" '
                                 'stroke-width="1.8"/>')
            drawing.text(x, y + 5, f" {a:g} · h + {b:g}", size=14)
            if level == 0:
                drawing.text(x, y + 40, f" step {place + 1}", size=13)
            else:
                first = gap * (2 * place + 0.5) * 2 ** (level - 1)
                for below in (first, first + gap * 2 ** (level - 1)):
                    drawing.arrow(below, y + high - 21, x + (below - x) / 6, y + 23)
    return drawing.svg()
