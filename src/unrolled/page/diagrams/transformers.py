"""Paths through three architectures, and a choice between them."""

from unrolled.page.diagrams.drawing import PALE, Drawing
from unrolled.page.plots import BLUE, GREEN, VERMILLION


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
