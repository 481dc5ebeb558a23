"""To Keras's layout and back."""

import numpy as np

from unrolled import checks
from unrolled.convert.layout import KINDS, ORDER, check_shape, listed, read, reorder, size, write


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
    for directions in read(state_dict, kind):
        arrays = []
        for p in directions:
            p = reorder(p, kind, "torch", "keras")
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
    counts = [len(arrays) for arrays in listed(layers, "what get_weights returns")]
    if counts[0] not in (2, 3, 4, 6) or len(set(counts)) > 1:
        raise ValueError("layers must hold 2 arrays each, 3 with bias, 4 or 6 in two directions; got "
                         + ", ".join(map(str, counts)))
    N = 1 + (counts[0] > 3)
    names = "kernel", "recurrent_kernel", "bias"
    D = size("kernel of layer 0", layers[0][0], ("D", "G·H"), 0)
    H = size("recurrent_kernel of layer 0", layers[0][1], ("H", "G·H"), 0)
    rows = H * len(ORDER["keras"][kind])
    stack = []
    for number, arrays in enumerate(layers):
        shapes = (N * H if number else D, rows), (H, rows), (2, rows) if both_biases else (rows,)
        directions = []
        for given in (arrays,) if N == 1 else (arrays[: counts[0] // 2], arrays[counts[0] // 2 :]):
            for name, array, shape in zip(names, given, shapes):
                check_shape(f"{name} of layer {number}" + ", backward" * len(directions), array, shape)
            kernel, recurrent, *biases = (np.asarray(array) for array in given)
            p = {"weight_ih": kernel.T, "weight_hh": recurrent.T}
            for bias in biases:
                p["bias_ih"], p["bias_hh"] = bias if both_biases else (bias, np.zeros_like(bias))
            directions.append(reorder(p, kind, "keras", "torch"))
        stack.append(directions)
    return write(stack)


def _keeps_both_biases(kind, reset_after):
    """Whether Keras has two biases: only where the reset gate stands between them."""
    checks.choice("kind", kind, KINDS)
    return checks.flag("reset_after", reset_after) and kind == "GRU"
