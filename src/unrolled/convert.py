"""Weights in the layouts of three libraries: torch's state_dict, which is ours, Keras's and ONNX's.

    one layer           torch, unrolled             Keras                        ONNX
    input weights       weight_ih   (G·H, D)        kernel            (D, G·H)   W  (N, G·H, D)
    recurrent weights   weight_hh   (G·H, H)        recurrent_kernel  (H, G·H)   R  (N, G·H, H)
    biases              bias_ih, bias_hh  (G·H,)    bias              (G·H,)     B  (N, 2·G·H)
    peepholes           weight_peephole   (3, H)    none                         P  (N, 3·H)
    LSTM's blocks       i f g o, peepholes i f o    i f g o                      i o f g, peepholes i o f
    GRU's blocks        r z n                       z r n                        z r n
    GRU's reset         reset_after=True            reset_after=True             linear_before_reset=1 (0 unless said)
    that GRU's bias     bias_ih, bias_hh            bias  (2, 3H)                B

The candidate is g or n here, as in torch, and c or h in the other two. In all three, z keeps the old state.

Only numbers move. The function stays the same if the layer on the other side has the options that weights do not
hold: the nonlinearity of an RNN, the place of a GRU's reset gate, the direction. A direction "reverse" alone has no
layer here: flip input and output in time. Where Keras has a single bias, torch's two come back as their sum and zeros:
the same function, not the same parameters.

Not here: projections (`proj_size`), layer norm, and LSTMs of three blocks, without a forget gate or with a coupled one.

Letters: G blocks of rows (1 in an RNN, 4 in an LSTM, 3 in a GRU), D input_size, H hidden_size, N directions.
"""

import re

import numpy as np

from unrolled import checks

ORDER = {
    "torch": {"RNN": "h", "LSTM": "ifgo", "GRU": "rzn", "peephole": "ifo"},
    "keras": {"RNN": "h", "LSTM": "ifgo", "GRU": "zrn"},
    "onnx": {"RNN": "h", "LSTM": "iofg", "GRU": "zrn", "peephole": "iof"},
}
KINDS = tuple(ORDER["keras"])


def to_keras(state_dict, kind, *, reset_after=True):
    """Weights for a stack of `keras.layers.SimpleRNN`, `LSTM` or `GRU`.

    Args:
        state_dict: arrays or CPU tensors under torch's names, of a stack of any depth in one or two directions.
        kind: "RNN", "LSTM" or "GRU".
        reset_after: of the GRU, and of Keras's too: with True its bias keeps both parts, (2, 3H).

    Returns:
        A list of one entry a layer: the list of arrays that the layer's `set_weights` takes. For two directions it is
        what `keras.layers.Bidirectional` takes, the forward layer's arrays and then the backward layer's.

    Raises:
        TypeError, ValueError: a name missing or unexpected, a shape that does not fit, or an unknown `kind`.
    """
    both_biases = _keeps_both_biases(kind, reset_after)
    layers = []
    for directions in _read(state_dict, kind):
        arrays = []
        for p in directions:
            p = _reorder(p, kind, "torch", "keras")
            arrays += [np.ascontiguousarray(p["weight_ih"].T), np.ascontiguousarray(p["weight_hh"].T)]
            if "bias_ih" in p:
                biases = p["bias_ih"], p["bias_hh"]
                arrays.append(np.stack(biases) if both_biases else np.add(*biases))
        layers.append(arrays)
    return layers


def from_keras(layers, kind, *, reset_after=True):
    """A state_dict from the weights of a stack of Keras layers.

    Args:
        layers: a list of one entry a layer: what `get_weights` of a `SimpleRNN`, `LSTM` or `GRU`, or of a
            `Bidirectional` around one, returns.
        kind: "RNN", "LSTM" or "GRU".
        reset_after: of the Keras GRU.

    Returns:
        A dict of arrays under torch's names. A single bias becomes `bias_ih`; `bias_hh` is then zero.

    Raises:
        TypeError, ValueError: a number of arrays that is no layer's, a shape that does not fit, or an unknown `kind`.
    """
    both_biases = _keeps_both_biases(kind, reset_after)
    counts = [len(arrays) for arrays in _listed(layers, "what get_weights returns")]
    if counts[0] not in (2, 3, 4, 6) or len(set(counts)) > 1:
        raise ValueError("layers must hold 2 arrays each, 3 with bias, 4 or 6 in two directions; got "
                         + ", ".join(map(str, counts)))
    N = 1 + (counts[0] > 3)
    names = "kernel", "recurrent_kernel", "bias"
    D = _size("kernel of layer 0", layers[0][0], ("D", "G·H"), 0)
    H = _size("recurrent_kernel of layer 0", layers[0][1], ("H", "G·H"), 0)
    rows = H * len(ORDER["keras"][kind])
    stack = []
    for number, arrays in enumerate(layers):
        shapes = (N * H if number else D, rows), (H, rows), (2, rows) if both_biases else (rows,)
        directions = []
        for given in (arrays,) if N == 1 else (arrays[: counts[0] // 2], arrays[counts[0] // 2 :]):
            for name, array, shape in zip(names, given, shapes):
                _check_shape(f"{name} of layer {number}" + ", backward" * len(directions), array, shape)
            kernel, recurrent, *biases = (np.asarray(array) for array in given)
            p = {"weight_ih": kernel.T, "weight_hh": recurrent.T}
            for bias in biases:
                p["bias_ih"], p["bias_hh"] = bias if both_biases else (bias, np.zeros_like(bias))
            directions.append(_reorder(p, kind, "keras", "torch"))
        stack.append(directions)
    return _write(stack)


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
    for directions in _read(state_dict, kind, peepholes=kind == "LSTM"):
        nodes = []
        for p in directions:
            p = _reorder(p, kind, "torch", "onnx")
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
    first, stack = _listed(layers, "a dict of W, R, B and P")[0], []
    optional = ("B", "P") if kind == "LSTM" else ("B",)
    for number, node in enumerate(layers):
        if not hasattr(node, "keys"):
            raise TypeError(f"layer {number} must be a dict of W, R, B and P, got {type(node).__name__}")
        checks.names(f"layer {number}", ["W", "R", *(name for name in optional if name in first)], node)
    D = _size("W of layer 0", first["W"], ("N", "G·H", "D"), -1)
    H = _size("R of layer 0", first["R"], ("N", "G·H", "H"), -1)
    N = len(first["W"])
    checks.choice("directions of layer 0", N, (1, 2))
    rows = H * len(ORDER["onnx"][kind])
    for number, node in enumerate(layers):
        shapes = {"W": (N, rows, N * H if number else D), "R": (N, rows, H), "B": (N, 2 * rows), "P": (N, 3 * H)}
        for name, array in node.items():
            _check_shape(f"{name} of layer {number}", array, shapes[name])
        directions = []
        for direction in range(N):
            given = {name: np.asarray(array)[direction] for name, array in node.items()}
            p = {"weight_ih": given["W"], "weight_hh": given["R"]}
            if "B" in given:
                p["bias_ih"], p["bias_hh"] = np.split(given["B"], 2)
            if "P" in given:
                p["weight_peephole"] = given["P"].reshape(3, H)
            directions.append(_reorder(p, kind, "onnx", "torch"))
        stack.append(directions)
    return _write(stack)


def _reorder(p, kind, have, want):
    """Copies of one direction's arrays with the blocks of their rows in another library's order."""
    moved = {}
    for name, array in p.items():
        key = "peephole" if name == "weight_peephole" else kind
        blocks = dict(zip(ORDER[have][key], np.split(array, len(ORDER[have][key]))))
        moved[name] = np.concatenate([blocks[gate] for gate in ORDER[want][key]])
    return moved


def _suffixes(num_layers, directions):
    """Of the names of each layer, for each of its directions, in torch's order."""
    return [[f"_l{layer}", f"_l{layer}_reverse"][:directions] for layer in range(num_layers)]


def _write(stack):
    """A state_dict from a list of layers, each a list of directions, each a dict of arrays."""
    state_dict = {}
    for directions, suffixes in zip(stack, _suffixes(len(stack), len(stack[0]))):
        for p, suffix in zip(directions, suffixes):
            state_dict |= {name + suffix: np.ascontiguousarray(array) for name, array in p.items()}
    return state_dict


def _read(state_dict, kind, peepholes=False):
    """The inverse of `_write`; it raises unless the dict holds exactly the arrays of one stack."""
    if not hasattr(state_dict, "keys"):
        raise TypeError(f"state_dict must map names to arrays, got {type(state_dict).__name__}")
    names = ["weight_ih", "weight_hh"]
    names += ["bias_ih", "bias_hh"] * any(name.startswith("bias_") for name in state_dict)
    names += ["weight_peephole"] * (peepholes and any(name.startswith("weight_peephole_") for name in state_dict))
    layers = [int(found[1]) for name in state_dict if (found := re.fullmatch(r"weight_hh_l(\d+)(_reverse)?", name))]
    N = 1 + any(name.endswith("_reverse") for name in state_dict)
    suffixes = _suffixes(1 + max(layers, default=0), N)
    checks.names("state_dict", [name + suffix for layer in suffixes for suffix in layer for name in names], state_dict)

    D = _size("weight_ih_l0", state_dict["weight_ih_l0"], ("G·H", "D"), 1)
    H = _size("weight_hh_l0", state_dict["weight_hh_l0"], ("G·H", "H"), 1)
    rows = H * len(ORDER["torch"][kind])
    stack = []
    for number, layer in enumerate(suffixes):
        shapes = {"weight_ih": (rows, N * H if number else D), "weight_hh": (rows, H), "weight_peephole": (3, H)}
        for suffix in layer:
            for name in names:
                _check_shape(name + suffix, state_dict[name + suffix], shapes.get(name, (rows,)))
        stack.append([{name: np.asarray(state_dict[name + suffix]) for name in names} for suffix in layer])
    return stack


def _keeps_both_biases(kind, reset_after):
    """Whether Keras has two biases: only where the reset gate stands between them."""
    checks.choice("kind", kind, KINDS)
    return checks.flag("reset_after", reset_after) and kind == "GRU"


def _listed(layers, what):
    """Return `layers`; raise unless it is a list of at least one."""
    if not isinstance(layers, list | tuple):
        raise TypeError(f"layers must be a list, for each layer {what}, got {type(layers).__name__}")
    if not layers:
        raise ValueError("layers must hold at least one layer, got none")
    return layers


def _size(name, array, letters, axis):
    """One size of an array that decides what the others must be."""
    _check_shape(name, array, letters)
    return array.shape[axis]


def _check_shape(name, array, expected):
    if not hasattr(array, "shape"):
        raise TypeError(f"{name} must be an array, got {type(array).__name__}")
    checks.shape(name, array, expected)
