"""The recurrent network, folded and unrolled, and what it can be asked."""

import math

from unrolled.page.diagrams.drawing import CELL, PALE, Drawing
from unrolled.page.plots import BLUE, VERMILLION


def two_nights(weight=0.5):
    """One number that remembers, on a night that begins with an alarm and on one that ends with it."""
    drawing = Drawing(520, 318, "The same alarm, first or last, and the memory that is left of it")
    for row, (name, night) in enumerate({" alarm first": (1, 0, 0), " alarm last": (0, 0, 1)}.items()):
        middle, h = 60 + 156 * row, 0.0
        drawing.text(58, middle + 5, name)
        for t, x in enumerate(night, start=1):
            h, left = math.tanh(x + weight * h), 32 + 124 * t
            color = VERMILLION if t == len(night) else BLUE
            drawing.box(left, middle, side=62, color=color)
            drawing.text(left, middle + 5, f" {h:.3f}", size=16)
            drawing.arrow(left, middle + 70, left, middle + 31)
            drawing.text(left, middle + 87, f" {x}", size=16)
            if t < len(night):
                drawing.arrow(left + 31, middle, left + 93, middle, BLUE, 2.6)
                drawing.text(left + 60, middle - 9, f" × {weight:g}", color=BLUE, size=13)
        drawing.text(58, middle + 87, " input")
    for t in (1, 2, 3):
        drawing.text(32 + 124 * t, 20, f" hour {t}", size=13, color=PALE)
    return drawing.svg()


def two_units(heard=2, kept=1, suppressed=-2):
    """Two units, each with an alarm of its own: what it hears, what it keeps, and what it does to the other."""
    drawing = Drawing(420, 250, "Two units that hear one alarm each and suppress each other")
    middle, bottom, places = 120, 222, (120, 300)
    for k, (x, name) in enumerate(zip(places, (" disk", " network"))):
        side = (-1, 1)[k]
        drawing.box(x, middle, "dn"[k])
        drawing.arrow(x, bottom - 20, x, middle + 23)
        drawing.text(x + 16, bottom - 42, f" {heard}", color=PALE)
        drawing.text(x, bottom, name)
        end = (x + 23 * side, middle + 8)
        drawing.path(f"M{x + 8 * side},{middle - 23} C{x + 20 * side},{middle - 96} {x + 104 * side},{middle - 12} "
                     f"{end[0]},{end[1]}", (end[0] + 14 * side, end[1] - 3), end, BLUE, 2.2)
        drawing.text(x + 62 * side, middle - 48, f" {kept}", color=BLUE)
    (left, right), sign = places, f" −{-suppressed}"
    drawing.arrow(left + 23, middle - 10, right - 23, middle - 10, VERMILLION, 2.2)
    drawing.arrow(right - 23, middle + 12, left + 23, middle + 12, VERMILLION, 2.2)
    drawing.text((left + right) / 2, middle - 20, sign, color=VERMILLION)
    drawing.text((left + right) / 2, middle + 33, sign, color=VERMILLION)
    return drawing.svg()


def output_and_state(steps=4):
    """Two stacked layers: what a library returns as `output` and what as `h_n`."""
    drawing = Drawing(520, 300, "Two layers: the output is the top row, the final state is the last column")
    rows, left, gap = {1: 210, 2: 122}, 92, 92
    for t in range(1, steps + 1):
        x = left + gap * (t - 1)
        drawing.text(x, 288, f"x_{t}")
        drawing.arrow(x, 272, x, rows[1] + 23)
        drawing.arrow(x, rows[1] - 23, x, rows[2] + 23)
        drawing.arrow(x, rows[2] - 23, x, 58)
        drawing.text(x, 46, f" output[{t - 1}]", size=13)
        for y in rows.values():
            drawing.box(x, y, color=VERMILLION if t == steps else BLUE)
            if t < steps:
                drawing.arrow(x + 23, y, x + gap - 23, y, BLUE, 2.4)
    for layer, y in rows.items():
        drawing.text(26, y + 5, f" layer {layer}", size=13, color=PALE)
        x = left + gap * (steps - 1)
        drawing.arrow(x + 23, y, x + 62, y, VERMILLION, 2.4)
        drawing.text(x + 94, y + 5, f" h_n[{layer - 1}]", size=13, color=VERMILLION)
    drawing.text(left + gap * (steps - 1) / 2, 18, " output: every state of the top layer", size=13, color=PALE)
    return drawing.svg()


def both_directions(steps=4):
    """A recurrence from the start and one from the end, and where each of them ends."""
    drawing = Drawing(540, 306, "Two recurrences over the same inputs, one from each end")
    forth, back, left, gap = 210, 122, 120, 92
    for t in range(1, steps + 1):
        x = left + gap * (t - 1)
        drawing.text(x, 294, f"x_{t}")
        drawing.arrow(x, 278, x, forth + 23)
        drawing.bend((x, 266), (x + 34, 266), (x + 34, back + 10), (x + 23, back + 10), color=PALE)
        drawing.bend((x - 10, forth - 23), (x - 34, forth - 40), (x - 34, 76), (x - 8, 58), color=PALE)
        drawing.arrow(x, back - 23, x, 58)
        drawing.text(x, 46, f" output[{t - 1}]", size=13)
        drawing.box(x, forth, color=VERMILLION if t == steps else BLUE)
        drawing.box(x, back, color=VERMILLION if t == 1 else BLUE)
        if t < steps:
            drawing.arrow(x + 23, forth + 12, x + gap - 23, forth + 12, BLUE, 2.4)
            drawing.arrow(x + gap - 23, back - 10, x + 23, back - 10, BLUE, 2.4)
    drawing.arrow(left - 23, back - 10, left - 56, back - 10, VERMILLION, 2.4)
    drawing.text(left - 84, back - 5, " h_n[1]", size=13, color=VERMILLION)
    last = left + gap * (steps - 1)
    drawing.arrow(last + 23, forth + 12, last + 56, forth + 12, VERMILLION, 2.4)
    drawing.text(last + 86, forth + 17, " h_n[0]", size=13, color=VERMILLION)
    return drawing.svg()


def packing(words=("if", "loop", "x")):
    """A batch of words, longest first, and the flat list and the column heights that a pack makes of it."""
    order = sorted(range(len(words)), key=lambda number: len(words[number]), reverse=True)
    words = [words[number] for number in order]
    steps = len(words[0])
    heights = [sum(len(word) > t for word in words) for t in range(steps)]
    side, gap, left = 34, 44, 150
    total = sum(heights)
    drawing = Drawing(max(left + gap * steps + 20, left + 36 * total + 10), 46 * len(words) + 190, "A packed sequence")
    for row, (number, word) in enumerate(zip(order, words)):
        drawing.text(60, 40 + 46 * row + 5, f" words[{number}]", size=13)
        for t, letter in enumerate(word):
            drawing.box(left + gap * t, 40 + 46 * row, f" {letter}", side=side)
    y = 46 * len(words) + 54
    drawing.text(60, y + 5, " batch_sizes", size=13)
    for t, height in enumerate(heights):
        drawing.arrow(left + gap * t, 46 * height + 14, left + gap * t, y - 14, PALE)
        drawing.text(left + gap * t, y + 5, f" {height}")
    drawing.text(60, y + 75, " data", size=13)
    at = left
    for t, height in enumerate(heights):
        for word in words[:height]:
            drawing.box(at, y + 70, f" {word[t]}", side=32, color=(BLUE, VERMILLION)[t % 2])
            at += 36
    drawing.text(20, y + 110, " first letters, then second letters, and so on", anchor="start", size=13, color=PALE)
    return drawing.svg()


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
