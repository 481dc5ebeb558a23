"""What the conversions share: a stack as a list of layers, each a list of directions, each a dict of arrays.

Letters: G blocks of rows, D input_size, H hidden_size, N directions.
"""

import re

import numpy as np

from unrolled import checks
from unrolled.numpy.stack import plain

ORDER = {
    "torch": {"RNN": "h", "LSTM": "ifgo", "GRU": "rzn", "peephole": "ifo"},
    "keras": {"RNN": "h", "LSTM": "ifgo", "GRU": "zrn"},
    "onnx": {"RNN": "h", "LSTM": "iofg", "GRU": "zrn", "peephole": "iof"},
}
KINDS = tuple(ORDER["keras"])


def reorder(p, kind, have, want):
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


def write(stack):
    """A state_dict from a list of layers, each a list of directions, each a dict of arrays."""
    state_dict = {}
    for directions, suffixes in zip(stack, _suffixes(len(stack), len(stack[0]))):
        for p, suffix in zip(directions, suffixes):
            state_dict |= {name + suffix: np.ascontiguousarray(array) for name, array in p.items()}
    return state_dict


def read(state_dict, kind, peepholes=False):
    """The inverse of `write`; it raises unless the dict holds exactly the arrays of one stack."""
    if not hasattr(state_dict, "keys"):
        raise TypeError(f"state_dict must map names to arrays, got {type(state_dict).__name__}")
    names = ["weight_ih", "weight_hh"]
    names += ["bias_ih", "bias_hh"] * any(name.startswith("bias_") for name in state_dict)
    names += ["weight_peephole"] * (peepholes and any(name.startswith("weight_peephole_") for name in state_dict))
    layers = [int(found[1]) for name in state_dict if (found := re.fullmatch(r"weight_hh_l(\d+)(_reverse)?", name))]
    N = 1 + any(name.endswith("_reverse") for name in state_dict)
    suffixes = _suffixes(1 + max(layers, default=0), N)
    checks.names("state_dict", [name + suffix for layer in suffixes for suffix in layer for name in names], state_dict)

    D = size("weight_ih_l0", state_dict["weight_ih_l0"], ("G·H", "D"), 1)
    H = size("weight_hh_l0", state_dict["weight_hh_l0"], ("G·H", "H"), 1)
    rows = H * len(ORDER["torch"][kind])
    stack = []
    for number, layer in enumerate(suffixes):
        shapes = {"weight_ih": (rows, N * H if number else D), "weight_hh": (rows, H), "weight_peephole": (3, H)}
        for suffix in layer:
            for name in names:
                check_shape(name + suffix, state_dict[name + suffix], shapes.get(name, (rows,)))
        stack.append([{name: np.asarray(state_dict[name + suffix]) for name in names} for suffix in layer])
    return stack


def listed(layers, what):
    """Return `layers`; raise unless it is a list of at least one."""
    if not isinstance(layers, list | tuple):
        raise TypeError(f"layers must be a list, for each layer {what}, got {type(layers).__name__}")
    if not layers:
        raise ValueError("layers must hold at least one layer, got none")
    return layers


def size(name, array, letters, axis):
    """One size of an array that decides what the others must be."""
    check_shape(name, array, letters)
    return array.shape[axis]


def check_shape(name, array, expected):
    """Raise unless it is an array or a tensor of this shape, of floating-point numbers and nothing else."""
    if not hasattr(array, "shape"):
        raise TypeError(f"{name} must be an array, got {type(array).__name__}")
    dtype = plain(name, array).dtype
    if dtype.kind not in "fV":                                   # V: bfloat16, which NumPy knows by others' extension
        raise TypeError(f"{name} must hold floating-point numbers, got {dtype}")
    checks.shape(name, array, expected)
