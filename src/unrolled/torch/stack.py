"""What every torch layer shares: named parameters, stacking, two directions, packed sequences, layouts.

A layer that inherits from `Stack` brings its equations as `step`; nothing in this file knows what a cell computes.

Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from unrolled import checks


class Module(nn.Module):
    """An `nn.Module` that also loads NumPy arrays, and names what does not fit."""

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """As `nn.Module.load_state_dict`, arrays welcome.

        Raises:
            TypeError, ValueError: `strict`, and a name missing or unexpected or a shape that does not fit.
        """
        if strict:
            checks.state_dict(dict(self.named_parameters()), state_dict)
        tensors = {k: torch.from_numpy(np.array(v)) if isinstance(v, np.ndarray) else v for k, v in state_dict.items()}
        return super().load_state_dict(tensors, strict, assign)


class Stack(Module):
    """`num_layers` layers in one or two directions over padded or packed sequences, each a loop over `step`."""

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, device=None, dtype=None):
        super().__init__()
        checks.layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout = dropout
        check_dtype(dtype)
        for layer, suffix in self._directions():
            width = input_size if layer == 0 else hidden_size * (1 + bidirectional)
            shapes = {"weight_ih": (hidden_size, width), "weight_hh": (hidden_size, hidden_size)}
            shapes |= {"bias_ih": (hidden_size,), "bias_hh": (hidden_size,)} if bias else {}
            for name, shape in shapes.items():
                self.register_parameter(name + suffix, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        initialise(self)

    def _directions(self):
        """(layer, suffix of its parameter names) in torch's order, which is also the order of the states."""
        for layer in range(self.num_layers):
            yield layer, f"_l{layer}"
            if self.bidirectional:
                yield layer, f"_l{layer}_reverse"

    def forward(self, x, state=None):
        """Run the stack over a batch of sequences.

        Args:
            x: inputs, (T, B, D); (B, T, D) if batch_first; (T, D) unbatched; or a `PackedSequence`.
            state: h_0 of each layer and direction, (L·N, B, H), or (L·N, H) unbatched; zeros if left out.

        Returns:
            output: the last layer's states, (T, B, N·H), (B, T, N·H) or (T, N·H); packed if `x` was.
            h_n: the state after each sequence's last step, (L·N, B, H) or (L·N, H).

        Raises:
            TypeError, ValueError: not a tensor, or one of another dtype, device or shape, or of no steps or sequences.
        """
        rows, sizes, batched, state = check_call(self, x, state)
        packed = x if isinstance(x, PackedSequence) else None
        names, B = list(self._directions()), sizes[0]
        state = state.reshape(len(names), B, self.hidden_size)
        if packed is not None and packed.sorted_indices is not None:
            state = state[:, packed.sorted_indices]               # the pack is sorted by length; states must follow

        outputs, h_n = [], []
        for (layer, suffix), h in zip(names, state):
            output, h = self._run(rows, sizes, h, suffix)
            outputs.append(output)
            h_n.append(h)
            if len(outputs) == 1 + self.bidirectional:
                rows, outputs = torch.cat(outputs, dim=-1), []    # (rows, N·H)  what the next layer reads
                if layer < self.num_layers - 1:
                    rows = F.dropout(rows, self.dropout, self.training)
        h_n = torch.stack(h_n)                                    # (L·N, B, H)

        if packed is not None:
            if packed.unsorted_indices is not None:
                h_n = h_n[:, packed.unsorted_indices]
            return packed._replace(data=rows), h_n
        if not batched:
            return rows, h_n[:, 0]
        output = rows.reshape(len(sizes), B, -1)
        return (output.transpose(0, 1) if self.batch_first else output), h_n

    def _run(self, rows, sizes, h, suffix):
        """One layer, one direction: (rows, D or N·H) and h_0 (B, H) to all states (rows, H) and the last (B, H).

        Step t holds the `sizes[t]` sequences that are longer than t, longest first, so the others simply keep the
        state they ended with. Read from the end, each sequence joins at its own last step. Padding never enters.
        """
        drive = F.linear(rows, getattr(self, "weight_ih" + suffix), getattr(self, "bias_ih" + suffix, None))
        steps = drive.split(sizes)                                # T × (sizes[t], H)  the input's part, all at once
        recurrent = getattr(self, "weight_hh" + suffix), getattr(self, "bias_hh" + suffix, None)
        reverse = suffix.endswith("reverse")
        states = []
        for drive_t in reversed(steps) if reverse else steps:
            n = len(drive_t)
            h_t = self.step(drive_t, h[:n], *recurrent)           # (n, H)
            h = h_t if n == len(h) else torch.cat([h_t, h[n:]])   # (B, H)
            states.append(h_t)
        return torch.cat(states[::-1] if reverse else states), h

    def extra_repr(self):
        shown = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        changed = [f", {name}={getattr(self, name)}" for name, usual in shown.items() if getattr(self, name) != usual]
        return f"{self.input_size}, {self.hidden_size}" + "".join(changed)


def initialise(module):
    """Every entry uniform in ±1/sqrt(H), drawn in the order in which `torch.nn` draws: same seed, same weights."""
    bound = module.hidden_size**-0.5
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -bound, bound)


def check_call(layer, x, state):
    """Check what a recurrent layer, ours or `torch.nn`'s, is called with.

    Args:
        layer: has `input_size`, `hidden_size`, `num_layers`, `bidirectional`, `batch_first`, `weight_ih_l0`.
        x, state: as in `Stack.forward`.

    Returns:
        All steps as one array of rows (sum of sizes, D), the number of sequences at each step, whether there is a
        batch dimension, and the initial state.

    Raises:
        TypeError, ValueError: as `Stack.forward`.
    """
    like = layer.weight_ih_l0
    if isinstance(x, PackedSequence):
        check_tensor("packed data", x.data, like)
        checks.shape("packed data", x.data, ("sum of lengths", layer.input_size))
        batched, rows, sizes = True, x.data, x.batch_sizes.tolist()         # sizes[t]: sequences longer than t
    else:
        check_tensor("input", x, like)
        batched, T, B = checks.sequence(x, layer.input_size, layer.batch_first)
        x = x.transpose(0, 1) if batched and layer.batch_first else x
        rows, sizes = x.reshape(T * B, layer.input_size), [B] * T           # (T·B, D)
    stacked = layer.num_layers * (1 + layer.bidirectional)
    shape = (stacked, sizes[0], layer.hidden_size) if batched else (stacked, layer.hidden_size)
    return rows, sizes, batched, check_state("state", state, shape, like)


def check_cell_call(cell, x, state):
    """Check what a cell is called with, and return its state, zeros if None."""
    check_tensor("input", x, cell.weight_ih)
    checks.step(x, cell.input_size)
    return check_state("state", state, (*x.shape[:-1], cell.hidden_size), cell.weight_ih)


def check_dtype(dtype):
    """Raise unless `dtype` is a floating point type of torch, or None for its default."""
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise TypeError(f"dtype must be a floating point type of torch, got {dtype!r}")


def check_tensor(name, value, like):
    """Raise unless `value` is a tensor with the dtype and on the device of `like`."""
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} must be a torch tensor, got {type(value).__name__}")
    if value.dtype != like.dtype and not torch.is_autocast_enabled(like.device.type):
        raise TypeError(f"{name} must be {like.dtype}, like the parameters, got {value.dtype}")
    if value.device != like.device:
        raise ValueError(f"{name} must be on {like.device}, like the parameters, got {value.device}")


def check_state(name, value, shape, like):
    """Return `value`, or zeros if it is None; raise unless it fits."""
    if value is None:
        return like.new_zeros(shape)
    check_tensor(name, value, like)
    checks.shape(name, value, shape)
    return value
