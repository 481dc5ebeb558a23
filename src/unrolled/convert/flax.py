"""To the layout of Flax's cells and back.

A kernel stands for one gate and for one of input and state, and biases that would be added anyway are one:

    SimpleCell   i  h                             kernels; the bias is with i
    LSTMCell     ii if ig io   hi hf hg ho        kernels; the biases are with h; OptimizedLSTMCell has the same
    GRUCell      ir iz in      hr hz hn           kernels; the biases are with i; hn has its own, as r_t stands between
"""

import numpy as np

from unrolled import checks
from unrolled.convert.layout import KINDS, ORDER, check_shape, listed, read, reorder, size, write

WITH_BIAS = {"RNN": "i", "LSTM": "h", "GRU": "i"}


def to_flax(state_dict, kind):
    """Parameters for a stack of `flax.linen.SimpleCell`, `LSTMCell` (or `OptimizedLSTMCell`) or `GRUCell`.

    Args:
        state_dict: arrays or CPU tensors under torch's names, of a stack of any depth in one or two directions; that
            of a GRU with reset_after=True, as Flax's is.
        kind: "RNN", "LSTM" or "GRU".

    Returns:
        A list of one entry a layer, a list of one dict a direction: what is in `params` of the cell, {name: {"kernel":
        (width, H), "bias": (H,)}}. Flax's cells have biases always: zeros, if the layer has none.

    Raises:
        TypeError, ValueError: a name missing or unexpected, a shape that does not fit, or an unknown `kind`.
    """
    checks.choice("kind", kind, KINDS)
    layers = []
    for directions in read(state_dict, kind):
        cells = []
        for p in directions:
            cell, blocks = {}, {name: np.split(array, len(ORDER["torch"][kind])) for name, array in p.items()}
            for number, gate in enumerate(_gates(kind)):
                for side, weight in (("i", "weight_ih"), ("h", "weight_hh")):
                    cell[side + gate] = {"kernel": np.ascontiguousarray(blocks[weight][number].T)}
                b_i, b_h = (blocks[name][number].copy() if name in p else np.zeros_like(p["weight_hh"][0])
                            for name in ("bias_ih", "bias_hh"))
                if kind == "GRU" and gate == "n":
                    cell["in"]["bias"], cell["hn"]["bias"] = b_i, b_h
                else:
                    cell[WITH_BIAS[kind] + gate]["bias"] = b_i + b_h
            cells.append(cell)
        layers.append(cells)
    return layers


def from_flax(layers, kind):
    """A state_dict from the parameters of a stack of Flax's cells.

    Args:
        layers: a list of one entry a layer, a list of one dict a direction, as `to_flax` returns them.
        kind: "RNN", "LSTM" or "GRU".

    Returns:
        A dict of arrays under torch's names. Where Flax has one bias, the other of torch's two is zero.

    Raises:
        TypeError, ValueError: a cell with other names than those of its kind, a shape that does not fit, or an unknown
            `kind`.
    """
    checks.choice("kind", kind, KINDS)
    gates, stack = _gates(kind), []
    for number, cells in enumerate(listed(layers, "a list of one cell's parameters a direction")):
        N = len(listed(cells, "one cell's parameters a direction"))
        checks.choice(f"directions of layer {number}", N, (1, 2) if number == 0 else (len(layers[0]),))
        for cell in cells:
            _check_names(f"layer {number}", kind, cell)
        if number == 0:
            D = size("kernel of i" + gates[0], cells[0]["i" + gates[0]]["kernel"], ("D", "H"), 0)
            H = size("kernel of h" + gates[0], cells[0]["h" + gates[0]]["kernel"], ("H", "H"), 0)
        directions = []
        for cell in cells:
            for name, arrays in cell.items():
                width = H if name.startswith("h") else N * H if number else D
                for what, array in arrays.items():
                    check_shape(f"{what} of {name} of layer {number}", array, (width, H) if what == "kernel" else (H,))
            zeros = np.zeros_like(np.asarray(cell["h" + gates[0]]["kernel"])[0])
            p = {}
            for side in "ih":
                parts = [cell[side + gate] for gate in gates]
                p[f"weight_{side}h"] = np.concatenate([np.asarray(part["kernel"]).T for part in parts])
                p[f"bias_{side}h"] = np.concatenate([np.asarray(part.get("bias", zeros)) for part in parts])
            directions.append(p)
        stack.append(directions)
    return write(stack)


def _gates(kind):
    """The letters of the gates in torch's order; a cell with nothing to tell apart has none."""
    return ("",) if kind == "RNN" else tuple(ORDER["torch"][kind])


def _check_names(what, kind, cell):
    """Raise unless a cell has the kernels and biases of its kind, and no others."""
    if not hasattr(cell, "keys"):
        raise TypeError(f"{what} must hold dicts of parameters, got {type(cell).__name__}")
    gates = _gates(kind)
    biased = {WITH_BIAS[kind] + gate for gate in gates} | ({"hn"} if kind == "GRU" else set())
    checks.names(what, [side + gate for side in "ih" for gate in gates], cell)
    for name, arrays in cell.items():
        checks.names(f"{name} of {what}", ["kernel"] + ["bias"] * (name in biased), arrays)
