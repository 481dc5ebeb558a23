"""Drawings of recurrent graphs as SVG, in one visual language.

State flows from left to right, inputs enter from below, outputs leave at the top, and an arrow that carries the state
is thicker than the others. Ink is dark on nothing, so that a page can show a drawing on white and, inverted, on black.
"""

from unrolled.page.plots import BLUE, GATES, GREEN, VERMILLION

INK = "#222222"
PALE = "#5A5A5A"
CELL = 46                                                   # side of a cell's box; every distance follows from it
SIGN = 12                                                   # radius of a circle with an operation in it


class Drawing:
    """SVG under construction; coordinates are pixels, y grows downwards."""

    def __init__(self, width, height, title):
        self.width, self.height, self.title = width, height, title
        self.parts = []

    def box(self, x, y, label="", color=BLUE, side=CELL):
        """A cell, centred on (x, y)."""
        self.parts.append(
            f'<rect x="{x - side / 2}" y="{y - side / 2}" width="{side}" height="{side}" rx="8" '
            f'fill="{color}" fill-opacity="0.16" stroke="{color}" stroke-width="1.8"/>'
        )
        if label:
            self.text(x, y + 5, label)

    def text(self, x, y, label, anchor="middle", color=INK, size=15):
        """A label; `h_t` sets an italic letter with a subscript, a leading space keeps text upright."""
        self.parts.append(f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{color}" font-size="{size}">'
                          f"{_typeset(label, size)}</text>")

    def arrow(self, x1, y1, x2, y2, color=INK, width=1.5, dashed=False):
        """A straight arrow; its head is drawn, not a marker, since ids would clash between two drawings of a page."""
        self.path(f"M{x1},{y1} L{x2},{y2}", (x1, y1), (x2, y2), color, width, dashed)

    def path(self, d, before, end, color=INK, width=1.5, dashed=False):
        """An arrow along the path `d` that ends at `end`, coming from the direction of `before`."""
        dx, dy = end[0] - before[0], end[1] - before[1]
        length = (dx * dx + dy * dy) ** 0.5
        ux, uy, head = dx / length, dy / length, 5 + 2 * width
        left = end[0] - head * ux - 0.45 * head * uy, end[1] - head * uy + 0.45 * head * ux
        right = end[0] - head * ux + 0.45 * head * uy, end[1] - head * uy - 0.45 * head * ux
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(f'<path d="{d}" fill="none" stroke="{color}" stroke-width="{width}"{dash}/>')
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in (end, left, right))
        self.parts.append(f'<polygon points="{corners}" fill="{color}"/>')

    def line(self, *points, color=INK, width=1.5, dashed=False):
        """A line through the points, without a head."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        corners = " L".join(f"{x},{y}" for x, y in points)
        self.parts.append(f'<path d="M{corners}" fill="none" stroke="{color}" stroke-width="{width}"{dash} '
                          'stroke-linejoin="round"/>')

    def bend(self, *points, color=INK, width=1.5, dashed=False):
        """An arrow through the points: straight pieces, the head at the last."""
        self.path("M" + " L".join(f"{x},{y}" for x, y in points), points[-2], points[-1], color, width, dashed)

    def operation(self, x, y, sign, color=INK):
        """What happens entry by entry, × or +, in a small circle."""
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="{SIGN}" fill="{color}" fill-opacity="0.16" stroke="{color}" '
                          'stroke-width="1.8"/>')
        self.text(x, y + 6, f" {sign}", color=color, size=18)

    def joint(self, x, y, color=INK):
        """A dot where one line leaves another."""
        self.parts.append(f'<circle cx="{x}" cy="{y}" r="3.5" fill="{color}"/>')

    def markup(self, attributes='role="img"'):
        """The drawing as text, as large as it is by now."""
        head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" {attributes} '
                f'font-family="DejaVu Sans, Verdana, sans-serif" font-size="15" fill="{INK}">')
        return "".join([head, f"<title>{self.title}</title>", *self.parts, "</svg>"])

    def svg(self):
        """The drawing, ready to display in a notebook."""
        from IPython.display import SVG

        return SVG(self.markup())


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


def paths(steps=8):
    """How the first input reaches the last output: along a recurrence, up a tree of convolutions, by attention at once.

    Args:
        steps: a power of two, so that the tree of a convolution with two taps is full.
    """
    gap, panel, left, low, high = 25, 236, 24, 158, 62
    drawing = Drawing(3 * panel, 190, f"From the first of {steps} inputs to the last output, in three architectures")
    levels = steps.bit_length() - 1

    def dot(x, y, on_path):
        drawing.joint(x, y, VERMILLION if on_path else PALE)

    def link(begin, end, on_path):
        if on_path:
            drawing.arrow(*begin, end[0], end[1] + (5 if begin[1] > end[1] else 0), VERMILLION, 2.6)
        else:
            drawing.line(begin, end, color=PALE, width=0.8)

    for place, (name, count) in enumerate({" recurrence": steps, " convolution": levels, " attention": 1}.items()):
        x = [left + place * panel + gap * t for t in range(steps)]
        drawing.text((x[0] + x[-1]) / 2, 20, name, size=14)
        drawing.text((x[0] + x[-1]) / 2, 38, f" {count} map{'s' * (count > 1)} on the way", size=11, color=VERMILLION)
        last = steps - 1
        if name == " recurrence":
            middle = (low + high) / 2
            for t in range(steps):
                link((x[t], low), (x[t], middle), t == 0)
                link((x[t], middle), (x[t], high), t == last)
                if t:
                    link((x[t - 1], middle), (x[t] - 5, middle), True)
                dot(x[t], middle, True)
        else:
            rows = levels if name == " convolution" else 1
            y = [low - (low - high) * row / rows for row in range(rows + 1)]
            for row in range(rows):
                for t in range(steps):
                    sources = {t, t - 2**row} if rows > 1 else set(range(t + 1))
                    for s in sorted(sources):
                        if s >= 0:
                            hit = t == (2 * s + 1 if rows > 1 else last) and s == 2**row - 1
                            link((x[s], y[row]), (x[t], y[row + 1]), hit)
        for t in range(steps):
            dot(x[t], low, t == 0)
            dot(x[t], high, t == last)
        drawing.text(x[0], low + 22, "x_1", size=13)
        drawing.text(x[-1], low + 22, f"x_{steps}", size=13)
        drawing.text(x[-1] + 14, high - 6, "y", size=13)
    return drawing.svg()


def decision(questions, otherwise):
    """A flow chart in which every edge is a link to where its decision is measured, narrow enough for a phone.

    Args:
        questions: from top to bottom, (question, yes, answer, no): the question's lines; the edge to the answer and the
            edge to the next question, each a pair (label, anchor on the page), the label in lines of a few words; the
            answer's lines.
        otherwise: what is left after the last no.

    Returns:
        The drawing as HTML, since links in an image lead nowhere.
    """
    from IPython.display import HTML

    width, across, line, gap = 340, 336, 17, 12
    down, right = 16, 258                                   # the arrow of the noes, the middle of the answers
    drawing = Drawing(width, None, "Which architecture: a flow chart whose edges are links to measurements")

    def frame(x, top, text, color, across):
        lines = text.split("\n")
        height = line * len(lines) + 16
        drawing.parts.append(f'<rect x="{x - across / 2}" y="{top}" width="{across}" height="{height}" rx="8" '
                             f'fill="{color}" fill-opacity="0.16" stroke="{color}" stroke-width="1.8"/>')
        for number, words in enumerate(lines):
            drawing.text(x, top + 20 + line * number, f" {words}", size=14)
        return top + height

    def link(x, top, edge):
        label, target = edge
        drawing.parts.append(f'<a href="#{target}">')
        for number, words in enumerate(label.split("\n")):
            drawing.text(x, top + 13 + line * number, f" {words}", "start", BLUE, 13)
        drawing.parts.append("</a>")
        return top + line * len(label.split("\n"))

    y = 2
    for question, yes, answer, no in questions:
        below = frame(width / 2, y, question, PALE, across)
        start = link(right - 68, below + 6, yes) + 4
        drawing.arrow(right - 76, below, right - 76, start)
        end = max(frame(right, start, answer, GREEN, 160), link(down + 12, below + 6, no)) + gap
        drawing.arrow(down, below, down, end)
        y = end
    drawing.height = frame(width / 2, y, otherwise, GREEN, across) + 2
    return HTML(drawing.markup('role="group" class="ink" style="max-width: 100%; height: auto"'))


def _typeset(label, size):
    if label.startswith(" "):
        return label[1:]
    letter, _, subscript = label.partition("_")
    low = f'<tspan dy="{size * 0.25:.1f}" font-size="{size * 0.75:.1f}" font-style="normal">{subscript}</tspan>'
    return f'<tspan font-style="italic">{letter}</tspan>' + (low if subscript else "")
