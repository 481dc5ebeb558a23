"""To ONNX's layout and back."""

import numpy as np

from unrolled import checks
from unrolled.convert.layout import KINDS, ORDER, check_shape, listed, read, reorder, size, write


def to_onnx(state_dict, kind):
    """Inputs for a chain of ONNX nodes `RNN`, `LSTM` or `GRU`.

    Args:
        state_dict: as for `to_keras`; that of an LSTM may have peepholes.
        kind: "RNN", "LSTM" or "GRU".

    Returns:
        A list of one dict a layer: "W" (N, G·H, D), "R" (N, G·H, H), with bias "B" (N, 2·G·H), with peepholes "P"
        (N, 3·H). The output of a node, (T, N, B, H), must become (T, B, N·H) before the next node reads it.

    Raises:
        TypeError, ValueError: a name missing or unexpected, a shape that does not fit, or an unknown `kind`.
    """
    checks.choice("kind", kind, KINDS)
    layers = []
    for directions in read(state_dict, kind, peepholes=kind == "LSTM"):
        nodes = []
        for p in directions:
            p = reorder(p, kind, "torch", "onnx")
            node = {"W": p["weight_ih"], "R": p["weight_hh"]}
            if "bias_ih" in p:
                node["B"] = np.concatenate([p["bias_ih"], p["bias_hh"]])
            if "weight_peephole" in p:
                node["P"] = p["weight_peephole"].ravel()
            nodes.append(node)
        layers.append({name: np.stack([node[name] for node in nodes]) for name in nodes[0]})
    return layers


def from_onnx(layers, kind):
    """A state_dict from the inputs of a chain of ONNX nodes.

    Args:
        layers: a list of one dict a node: "W", "R", and "B" and "P" if it has them, shaped as `to_onnx` returns them.
        kind: "RNN", "LSTM" or "GRU".

    Returns:
        A dict of arrays under torch's names, without biases where there is no "B".

    Raises:
        TypeError, ValueError: an input missing or unexpected, a shape that does not fit, or an unknown `kind`.
    """
    checks.choice("kind", kind, KINDS)
    first, stack = listed(layers, "a dict of W, R, B and P")[0], []
    optional = ("B", "P") if kind == "LSTM" else ("B",)
    for number, node in enumerate(layers):
        if not hasattr(node, "keys"):
            raise TypeError(f"layer {number} must be a dict of W, R, B and P, got {type(node).__name__}")
        checks.names(f"layer {number}", ["W", "R", *(name for name in optional if name in first)], node)
    D = size("W of layer 0", first["W"], ("N", "G·H", "D"), -1)
    H = size("R of layer 0", first["R"], ("N", "G·H", "H"), -1)
    N = len(first["W"])
    checks.choice("directions of layer 0", N, (1, 2))
    rows = H * len(ORDER["onnx"][kind])
    for number, node in enumerate(layers):
        shapes = {"W": (N, rows, N * H if number else D), "R": (N, rows, H), "B": (N, 2 * rows), "P": (N, 3 * H)}
        for name, array in node.items():
            check_shape(f"{name} of layer {number}", array, shapes[name])
        directions = []
        for direction in range(N):
            given = {name: np.asarray(array)[direction] for name, array in node.items()}
            p = {"weight_ih": given["W"], "weight_hh": given["R"]}
            if "B" in given:
                p["bias_ih"], p["bias_hh"] = np.split(given["B"], 2)
            if "P" in given:
                p["weight_peephole"] = given["P"].reshape(3, H)
            directions.append(reorder(p, kind, "onnx", "torch"))
        stack.append(directions)
    return write(stack)
