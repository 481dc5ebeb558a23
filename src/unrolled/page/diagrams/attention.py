"""A look-up by one query, encoder and decoder with one vector or attention between them, and a tree of answers."""

import math

from unrolled.page.diagrams.drawing import CELL, INK, SIGN, Drawing
from unrolled.page.plots import BLUE, GREEN, GREY, VERMILLION


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


def lookup(words, query, keys, values):
    """One query against a few keys, with every number: scores, weights, and the weighted mean of the values.

    Args:
        words: what stands under the keys.
        query: its numbers.
        keys: a list of numbers for each word, as many as the query has.
        values: a number for each word.
    """
    scores = [sum(a * b for a, b in zip(query, key)) for key in keys]
    total = sum(map(math.exp, scores))
    weights = [math.exp(score) / total for score in scores]
    left, first, gap = 112, 190, 110
    heights = {"words": 344, "keys": 292, "scores": 230, "weights": 196, "values": 148, "context": 40}
    right = first + gap * (len(words) - 1)
    middle = (first + right) / 2
    drawing = Drawing(right + 70, 366, "One query, its scores, its weights and the mean of the values")
    for name, y in heights.items():
        drawing.text(left, y + 5, f" {name}", "end", VERMILLION if name in ("weights", "context") else INK, 14)
    drawing.box(34, heights["keys"], color=GREEN)
    drawing.text(34, heights["keys"] + 5, " " + ", ".join(map(str, query)))
    drawing.text(34, heights["words"] + 5, " query", color=GREEN, size=14)
    drawing.bend((34, heights["keys"] - CELL / 2), (34, heights["scores"] + 24), (right + 34, heights["scores"] + 24),
                 color=GREEN, dashed=True)
    for s, (word, key, score, weight, value) in enumerate(zip(words, keys, scores, weights, values)):
        x = first + gap * s
        drawing.text(x, heights["words"] + 5, f" {word}")
        drawing.box(x, heights["keys"])
        drawing.text(x, heights["keys"] + 5, " " + ", ".join(map(str, key)))
        drawing.text(x, heights["scores"] + 5, f" {score}")
        drawing.text(x, heights["weights"] + 5, f" {weight:.3f}", color=VERMILLION)
        drawing.box(x, heights["values"])
        drawing.text(x, heights["values"] + 5, f" {value}")
        drawing.arrow(x, heights["values"] - CELL / 2, middle + (x - middle) * 0.12, heights["context"] + CELL / 2 + 2,
                      VERMILLION, 0.8 + 6 * weight)
    drawing.box(middle, heights["context"], color=VERMILLION, side=54)
    context = sum(weight * value for weight, value in zip(weights, values))
    drawing.text(middle, heights["context"] + 5, f" {context:.3f}")
    return drawing.svg()


def answer_tree(model, greedy, best):
    """Every answer of two symbols as a tree, with the probability of each beginning.

    Args:
        model: probabilities of the next symbol by beginning, such as {"": {"a": 0.6, "b": 0.4}, "a": …, "b": …}.
        greedy, best: two answers; the way to each is drawn thick.
    """
    x, width = {0: 50, 1: 210, 2: 380}, 500
    leaves = [first + second for first in model[""] for second in model[first]]
    drawing = Drawing(width, 40 + 62 * len(leaves), "A tree of answers: greedy search and the best answer")
    height = {leaf: 46 + 62 * row for row, leaf in enumerate(leaves)}
    for first in model[""]:
        height[first] = sum(height[first + second] for second in model[first]) / len(model[first])
    height[""] = sum(height[first] for first in model[""]) / len(model[""])
    drawing.text(x[0], height[""] + 5, " start")
    reached = {"": 1.0}
    for word in (*model[""], *leaves):
        before = word[:-1]
        reached[word] = reached[before] * model[before][word[-1]]
        way = [color for answer, color in ((best, GREEN), (greedy, VERMILLION)) if answer.startswith(word)]
        color, thick = (way[0], 4) if way else (GREY, 1.5)
        begin = x[len(before)] + 28, height[before]
        end = x[len(word)] - 27, height[word]
        drawing.arrow(*begin, *end, color, thick, dashed=color == VERMILLION)
        drawing.text((begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2 - 12, f" {model[before][word[-1]]:g}", size=14)
        drawing.box(x[len(word)], height[word], color=color)
        drawing.text(x[len(word)], height[word] + 5, f" {word}")
    for leaf in leaves:
        drawing.text(x[2] + 34, height[leaf] + 5, f" {reached[leaf]:.2f}", "start")
    return drawing.svg()
