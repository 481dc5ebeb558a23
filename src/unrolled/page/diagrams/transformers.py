"""Paths through three architectures, and a choice between them."""

from unrolled.page.diagrams.drawing import INK, PALE, Drawing
from unrolled.page.display import address
from unrolled.page.plots import BLUE, GREEN, VERMILLION


def paths(steps=8):
    """How the first input reaches the last output: along a recurrence, up a tree of convolutions, by attention at once.

    Args:
        steps: a power of two, so that the tree of a convolution with two taps is full.
    """
    gap, panel, left = 40, 184, 26
    drawing = Drawing(left + gap * (steps - 1) + 34, 3 * panel - 12,
                      f"From the first of {steps} inputs to the last output, in three architectures")
    levels = steps.bit_length() - 1

    def dot(x, y, on_path):
        drawing.joint(x, y, VERMILLION if on_path else PALE)

    def link(begin, end, on_path):
        if on_path:
            drawing.arrow(*begin, end[0], end[1] + (5 if begin[1] > end[1] else 0), VERMILLION, 2.6)
        else:
            drawing.line(begin, end, color=PALE, width=0.8)

    for place, (name, count) in enumerate({" recurrence": steps, " convolution": levels, " attention": 1}.items()):
        x, low, high = [left + gap * t for t in range(steps)], panel * place + 144, panel * place + 46
        drawing.text(x[0], panel * place + 18, name, "start", size=14)
        drawing.text(x[-1], panel * place + 18, f" {count} map{'s' * (count > 1)} on the way", "end", VERMILLION, 13)
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
                            if hit and row:
                                dot(x[s], y[row], True)
        for t in range(steps):
            dot(x[t], low, t == 0)
            dot(x[t], high, t == last)
        drawing.text(x[0], low + 22, "x_1", size=13)
        drawing.text(x[-1], low + 22, f"x_{steps}", size=13)
        drawing.text(x[-1] + 20, high + 4, f"y_{steps}", size=13)
    return drawing.svg()


def decision(questions, otherwise):
    """A flow chart in which every edge is a link to where its decision is measured, narrow enough for a phone.

    Args:
        questions: from top to bottom, (question, yes, answer, no): the question's lines; the edge to the answer and the
            edge to the next question, each a pair (label, target), the label in lines of a few words, the target as for
            `unrolled.page.display.address`; the answer's lines.
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
        drawing.parts.append(f'<a href="{address(target)}">')
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


def block():
    """One layer of a Transformer twice, post-norm and pre-norm; the residual line is the thickest."""
    drawing = Drawing(560, 330, "A layer: post-norm has its norms on the residual line, pre-norm beside it")
    places = {"attention": 126, "feed-forward": 364}

    def plate(x, y, label, color, width=104, height=34):
        drawing.parts.append(f'<rect x="{x - width / 2}" y="{y - height / 2}" width="{width}" height="{height}" rx="8" '
                             f'fill="{color}" fill-opacity="0.16" stroke="{color}" stroke-width="1.8"/>')
        drawing.text(x, y + (5 if y != line else -20), f" {label}", size=13)    # above, where a line runs through

    for name, line, before in (("post-norm", 60, False), ("pre-norm", 215, True)):
        drawing.text(14, line - 26, f" {name}", "start", size=14)
        drawing.text(22, line + 5, "x")
        drawing.arrow(34, line, 532, line, width=3.4)
        drawing.text(546, line + 5, "x′")
        for label, x in places.items():
            start, plus, low = x - 74, x + 74, line + (52 if not before else 84)
            drawing.joint(start, line)
            if before:
                drawing.bend((start, line), (start, line + 40), (x - 28, line + 40))
                plate(x, line + 40, "norm", GREEN, 56, 28)
                drawing.arrow(x, line + 54, x, low - 17)
            else:
                drawing.bend((start, line), (start, low), (x - 52, low))
                plate(plus + 44, line, "norm", GREEN, 48, 28)
            plate(x, low, label, BLUE)
            drawing.bend((x + 52, low), (plus, low), (plus, line + 13))
            drawing.operation(plus, line, "+", VERMILLION)
    return drawing.svg()


def heads(count=2):
    """Multi-head attention: the numbers of a step are cut into heads, each attends by itself, and W_o mixes them.

    Args:
        count: how many heads, of two numbers each.
    """
    cell, gap, top = 26, 22, 48
    tall = count * (2 * cell + gap) - gap
    drawing = Drawing(540, top + tall + 34, f"{count} heads: cut, attend, put together, mix")
    colors = (BLUE, VERMILLION, GREEN)
    middle = top + tall / 2

    def column(x, color_of, apart=0):
        for number in range(2 * count):
            y = top + (0 if apart else (tall - 2 * count * cell) / 2) + cell * number + apart * (number // 2)
            drawing.box(x, y + cell / 2, color=color_of(number // 2), side=cell)

    for x, label in ((40, "x"), (166, " q, k, v"), (280, " each head attends"), (398, " side by side"), (506, "m")):
        drawing.text(x, 22, label, size=13)
    column(40, lambda head: PALE)
    column(166, lambda head: colors[head % 3], gap)
    column(398, lambda head: colors[head % 3])
    column(506, lambda head: PALE)
    drawing.arrow(58, middle, 146, middle)
    drawing.text(102, middle - 8, "W_q,k,v", size=13)
    for head in range(count):
        y = top + cell + head * (2 * cell + gap)
        drawing.arrow(182, y, 236, y, colors[head % 3])
        drawing.parts.append(f'<rect x="238" y="{y - 19}" width="84" height="38" rx="8" fill="{colors[head % 3]}" '
                             f'fill-opacity="0.16" stroke="{colors[head % 3]}" stroke-width="1.8"/>')
        drawing.text(280, y + 5, f" head {head + 1}", size=13)
        drawing.arrow(322, y, 382, middle - tall / 2 + (tall - 2 * count * cell) / 2 + cell * (2 * head + 1),
                      colors[head % 3])
    drawing.arrow(414, middle, 488, middle)
    drawing.text(451, middle - 8, "W_o", size=13)
    return drawing.svg()


def growing_cache(steps=5):
    """A causal mask, and a cache of keys and values beside it: each row of the mask is one step of the stream.

    Args:
        steps: rows and columns.
    """
    cell, left, top = 30, 46, 56
    drawing = Drawing(520, top + steps * cell + 16, "A causal mask, and a cache that grows by a key and a value a step")
    right = left + steps * cell + 110
    drawing.text(left + steps * cell / 2, 20, " all at once", size=14)
    drawing.text(right + steps * cell / 2, 20, " one step at a time", size=14)
    for t in range(steps):
        y = top + cell * t + cell / 2
        for place in (left, right):
            if not t:
                for s in range(steps):
                    drawing.text(place + cell * s + cell / 2, top - 8, f"k_{s + 1}", size=13)
            drawing.text(place - 16, y + 5, f"q_{t + 1}", size=13)
        for s in range(steps):
            drawing.box(left + cell * s + cell / 2, y, " ✓" if s <= t else " −∞", BLUE if s <= t else PALE, cell - 4)
        for s in range(t + 1):
            drawing.box(right + cell * s + cell / 2, y, " +" if s == t else "", VERMILLION if s == t else GREEN,
                        cell - 4)
    drawing.text(right + cell * (steps - 1), top + 20, " + is new, the rest", color=INK, size=13)
    drawing.text(right + cell * (steps - 1) + 6, top + 38, " was kept", color=INK, size=13)
    return drawing.svg()


def two_memories(facts=5):
    """The chapter in one picture: gates decide before the question what is kept, attention looks back after it.

    Args:
        facts: how many steps come before the question.
    """
    drawing = Drawing(540, 330, "An LSTM keeps a state of fixed size; attention keeps all and looks back")
    left, apart = 40, 62
    x = [left + apart * t for t in range(facts)]
    asked = x[-1] + 100
    for title, high, color in ((" LSTM: decide before the question what is kept", 70, BLUE),
                               (" attention: keep everything, look after the question", 240, VERMILLION)):
        drawing.text(14, high - 46, title, "start", size=14)
        low = high + 58
        for t in range(facts):
            drawing.text(x[t], low + 16, f"x_{t + 1}", size=14)
            drawing.arrow(x[t], low, x[t], high + 15)
            drawing.box(x[t], high, color=color, side=28)
            if color == BLUE:
                drawing.arrow(x[t] + 14, high, (x[t + 1] if t + 1 < facts else asked) - 16, high, width=3.4)
        drawing.text(asked, low + 16, " question", size=14)
        drawing.arrow(asked, low, asked, high + 15)
        drawing.box(asked, high, " ?", GREEN, 30)
        drawing.arrow(asked + 16, high, asked + 48, high)
        drawing.text(asked + 52, high + 5, " answer", "start", size=13)
        if color == VERMILLION:
            for t in range(facts):
                drawing.path(f"M{asked - 6},{high - 16} Q{(asked + x[t]) / 2},{high - 40 - 6 * (facts - t)} "
                             f"{x[t] + 4},{high - 15}", (asked, high - 60), (x[t] + 4, high - 15), color,
                             3 if t == 1 else 0.9)
        else:
            drawing.text(x[2], high - 20, " a state of fixed size", size=13, color=color)
    return drawing.svg()


def three_uses():
    """An encoder and a decoder side by side, and the three uses of attention: both ways, causal, and across."""
    drawing = Drawing(520, 330, "An encoder and a decoder: self-attention, causal self-attention and cross-attention")
    left, right, wide = 120, 380, 168
    columns = {left: (" encoder", "x", {210: (" self-attention", BLUE), 110: (" feed-forward", PALE)}),
               right: (" decoder", "y", {250: (" causal self-attention", BLUE), 180: (" cross-attention", VERMILLION),
                                         110: (" feed-forward", PALE)})}
    for x, (title, letter, boxes) in columns.items():
        drawing.text(x, 24, title, size=14)
        drawing.text(x, 318, letter)
        places = [302, *boxes, 50]
        for low, high in zip(places, places[1:]):
            drawing.arrow(x, low - (18 if low in boxes else 0), x, high + (18 if high in boxes else 0))
        for y, (label, color) in boxes.items():
            drawing.parts.append(f'<rect x="{x - wide / 2}" y="{y - 17}" width="{wide}" height="34" rx="8" '
                                 f'fill="{color}" fill-opacity="0.16" stroke="{color}" stroke-width="1.8"/>')
            drawing.text(x, y + 5, label, size=13)
    drawing.bend((left, 66), (left + 110, 66), (left + 110, 180), (right - wide / 2, 180), color=VERMILLION)
    drawing.text(left + 122, 130, " keys", "start", VERMILLION, 13)
    drawing.text(left + 122, 146, " values", "start", VERMILLION, 13)
    drawing.text(right, 44, " next symbol", size=13)
    return drawing.svg()
