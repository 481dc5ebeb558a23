"""What a layer or cell is called with: tensors checked at the boundary, and the state that is zero if left out.

An error says what was expected and what came. One that `torch.nn` raises as a RuntimeError is a RuntimeError here too.
"""

import torch
from torch.nn.utils.rnn import PackedSequence

from unrolled import checks


def check_call(layer, x, state):
    """Check what a recurrent layer, ours or `torch.nn`'s, is called with.

    Args:
        layer: has `input_size`, `hidden_size`, `num_layers`, `bidirectional`, `batch_first`, `weight_ih_l0`,
            `state_names`.
        x, state: as `input` and `hx` in `Stack.forward`.

    Returns:
        The steps, (T, B, D), and None; or, for a pack of unequal lengths, its rows, (sum of lengths, D), and how many
        sequences each step holds; whether there is a batch dimension; and the initial state.

    Raises:
        TypeError, ValueError, RuntimeError: as `Stack.forward`.
    """
    like, sizes = layer.weight_ih_l0, None
    if isinstance(x, PackedSequence):
        check_tensor("packed data", x.data, like)
        checks.shape("packed data", x.data, ("sum of lengths", layer.input_size))
        batched, sizes, steps = True, check_pack(x), x.data
        B = sizes[0]
        if sizes[-1] == B:
            sizes, steps = None, steps.view(len(sizes), B, layer.input_size)
    else:
        check_tensor("input", x, like)
        batched, _, B = checks.sequence(x, layer.input_size, layer.batch_first)
        steps = (x.transpose(0, 1) if layer.batch_first else x) if batched else x.unsqueeze(1)     # (T, B, D)
    stacked = layer.num_layers * (1 + layer.bidirectional)
    shapes = [(stacked, B, width) if batched else (stacked, width) for width in state_widths(layer)]
    return steps, sizes, batched, check_state("state", state, layer.state_names, shapes, like, steps)


def check_pack(pack):
    """Return the batch sizes of a pack: how many sequences are longer than t, for each step t.

    Raises:
        TypeError, ValueError, RuntimeError: they are no whole numbers of torch.int64 that fall towards the end and sum
            to the number of rows, or an order that names another number of sequences.
    """
    batch_sizes = pack.batch_sizes
    if batch_sizes.dtype != torch.int64:
        raise checks.WrongType(f"batch_sizes of a packed input must be torch.int64, got {batch_sizes.dtype}")
    checks.shape("batch_sizes of a packed input", batch_sizes, ("T",))
    sizes = batch_sizes.tolist()
    falling = sizes and sizes[-1] >= min(1, sizes[0]) and all(map(int.__ge__, sizes, sizes[1:]))
    if not falling or sum(sizes) != len(pack.data):
        raise checks.Misfit("batch_sizes of a packed input must hold, for each step, how many sequences are that long: "
                            f"at least 1, never rising, {len(pack.data)} in all; got {sizes}")
    for order in ("sorted_indices", "unsorted_indices"):
        if getattr(pack, order) is not None:
            checks.shape(f"{order} of a packed input", getattr(pack, order), (sizes[0],))
    return sizes


def check_cell_call(cell, x, state):
    """Check what a cell is called with, `input` and `hx`, and return its state, zeros if None."""
    check_tensor("input", x, cell.weight_ih)
    checks.step(x, cell.input_size)
    shapes = [(*x.shape[:-1], cell.hidden_size)] * len(cell.state_names)
    return check_state("state", state, cell.state_names, shapes, cell.weight_ih, x)


def mixed_dtype(device):
    """The narrower type that mixed precision works in on this kind of device, or None where it is off."""
    kind = device.type
    on = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.get_autocast_dtype(kind) if on else None


def check_dtype(dtype):
    """Raise unless `dtype` is a floating point type of torch, or None for its default."""
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"dtype must be a floating point type of torch, got {dtype!r}")


def check_tensor(name, value, like, whose="the parameters", besides=""):
    """Raise unless `value` is a tensor with the dtype and on the device of `like`, which a message calls `whose`."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} must be a torch tensor, got {type(value).__name__}")
    if value.is_nested:
        raise TypeError(f"{name} must be one dense tensor, got a nested one: pad its sequences, and say where")
    if value.dtype != like.dtype and not mixed_dtype(like.device):
        raise checks.WrongType(f"{name} must be {besides}{like.dtype}, like {whose}, got {value.dtype}")
    if value.device != like.device:
        raise checks.Misfit(f"{name} must be on {like.device}, like {whose}, got {value.device}")


def check_state(name, value, parts, shapes, like, x):
    """Return `value`, or zeros in the dtype of `x` if it is None; raise unless it fits: one tensor, or one a part."""
    if value is None:
        tensors = tuple(x.new_zeros(shape) for shape in shapes)
    else:
        named = checks.states(name, value, parts)
        for (part, tensor), shape in zip(named.items(), shapes):
            check_tensor(part, tensor, like)
            checks.shape(part, tensor, shape)
        tensors = tuple(named.values())
    return tensors if len(parts) > 1 else tensors[0]


def state_widths(layer):
    """The width of each part of a layer's state; an LSTM with `proj_size` has an h narrower than its c."""
    h, *others = (layer.hidden_size for _ in layer.state_names)
    return getattr(layer, "proj_size", 0) or h, *others
