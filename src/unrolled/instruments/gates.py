"""A trained LSTM's gates, laid open over a text, and how well one of their values tells a fact about it.

`nn.LSTM` returns neither its gates nor the cells of all steps; but it gives its weights, and with them `unrolled.numpy`
computes both. A unit is chosen on one text and scored on another: among many units something fits anything.
"""

import numpy as np

from unrolled import checks
from unrolled.numpy import lstm


def opened(layer, x):
    """Every gate and every cell of a layer that reads a batch from a state of zeros.

    Args:
        layer: an `nn.LSTM`, or a layer with its parameters, one layer and one direction, with biases.
        x: inputs, a tensor or array, (T, B, D).

    Returns:
        A dict of arrays, (T, B, H) each: `i`, `f`, `g`, `o`, the cell `c` and the state `h`.

    Raises:
        ValueError: more than four parameters, or an input of another shape.
    """
    parameters = [np.asarray(p.detach()) for p in layer.parameters()]
    if len(parameters) != 4:
        raise ValueError(f"expected one layer, one direction and two biases, got {len(parameters)} parameters")
    W, U, b_W, b_U = parameters
    x = np.asarray(x.detach() if hasattr(x, "detach") else x)
    checks.shape("x", x, ("T", "B", W.shape[1]))
    start = np.zeros((x.shape[1], U.shape[1]), x.dtype)
    h, c, gates = lstm.run(x, start, start, W, U, b_W + b_U)
    return dict(zip("ifgo", np.split(gates, 4, axis=-1))) | {"c": c[1:], "h": h[1:]}


def bracketed(text):
    """Whether a bracket opened earlier on the same line is still open, for each character."""
    depth, inside = 0, []
    for character in text:
        inside.append(depth > 0)
        depth = max(0, depth + (character in "([{") - (character in ")]}"))
        depth *= character != "\n"
    return np.array(inside)


def indentation(text):
    """Whether a character is one of the spaces that begin a line."""
    leading, found = True, []
    for character in text:
        leading = character == "\n" or (leading and character == " ")
        found.append(leading and character == " ")
    return np.array(found)


def auc(values, truth):
    """How well each unit separates true from false: the area under the curve, turned so that it is at least one half.

    Args:
        values: one column a unit, (N, units).
        truth: (N,), bools, of both kinds.

    Returns:
        (units,), between 0.5, chance, and 1.

    Raises:
        ValueError: shapes that do not fit, or nothing to separate.
    """
    from scipy.stats import rankdata

    checks.shape("values", values, ("N", "units"))
    checks.shape("truth", truth, (len(values),))
    hits = int(np.sum(truth))
    if not 0 < hits < len(truth):
        raise ValueError("truth must hold both True and False")
    ranks = rankdata(values, axis=0)[truth].sum(0)
    area = (ranks - hits * (hits + 1) / 2) / (hits * (len(truth) - hits))
    return np.maximum(area, 1 - area)
