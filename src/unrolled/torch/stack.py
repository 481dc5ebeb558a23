"""What every torch layer shares: named parameters, stacking, two directions, packed sequences, layouts.

A layer that inherits from `Stack` brings its equations as `step`; nothing in this file knows what a cell computes.

Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
"""

import inspect

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


class Cell(Module):
    """One step: the parameters that the model's `shapes` names, without a suffix."""

    state_names = ("h",)
    shown = ("bias",)                                                 # options that repr names

    def __init__(self, input_size, hidden_size, bias, device, dtype):
        super().__init__()
        checks.cell(input_size, hidden_size, bias)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        check_dtype(dtype)
        for name in () if bias else ("bias_ih", "bias_hh"):
            self.register_parameter(name, None)                       # there, and None, as in torch.nn
        for name, shape in self.shapes(input_size).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        initialise(self)

    def extra_repr(self):
        return described(self, *self.shown)


class Stack(Module):
    """`num_layers` layers in one or two directions over padded or packed sequences, each a loop over `step`.

    A model brings its equations, nothing else here knows what a cell computes:

        shapes(width)            names and shapes of the parameters that read inputs of this width
        drive(rows, p)           the input's part of every step at once, (rows, D) to (rows, ·); W x + b_W if left alone
        step(drive_t, state, p)  the next state from that and the last one, (B, H), or for an LSTM the pair (h, c)

    where p holds one direction's parameters by name.
    """

    state_names = ("h",)
    shown = "num_layers", "bias", "batch_first", "dropout", "bidirectional"              # options that repr names

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, device=None, dtype=None):
        super().__init__()
        checks.layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout = dropout
        check_dtype(dtype)
        for layer, suffix in self._directions():
            width = input_size if layer == 0 else state_widths(self)[0] * (1 + bidirectional)
            for name, shape in self.shapes(width).items():
                self.register_parameter(name + suffix, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        initialise(self)

    def _directions(self):
        """(layer, suffix of its parameter names) in torch's order, which is also the order of the states."""
        for layer in range(self.num_layers):
            yield layer, f"_l{layer}"
            if self.bidirectional:
                yield layer, f"_l{layer}_reverse"

    def drive(self, rows, p):
        """W x_t + b_W for all steps at once, (rows, D) to (rows, G·H)."""
        return F.linear(rows, p["weight_ih"], p.get("bias_ih"))

    def forward(self, x, state=None):
        """Run the stack over a batch of sequences.

        Args:
            x: inputs, (T, B, D); (B, T, D) if batch_first; (T, D) unbatched; or a `PackedSequence`.
            state: h_0 of each layer and direction, (L·N, B, H), or (L·N, H) unbatched, for an LSTM the pair
                (h_0, c_0); zeros if left out.

        Returns:
            output: the last layer's states h, (T, B, N·H), (B, T, N·H) or (T, N·H); packed if `x` was.
            h_n: the state after each sequence's last step, like `state`; for an LSTM the pair (h_n, c_n).

        Raises:
            TypeError, ValueError: not a tensor, or one of another dtype, device or shape, or of no steps or sequences.
        """
        rows, sizes, batched, state = check_call(self, x, state)
        packed = x if isinstance(x, PackedSequence) else None
        names, B = list(self._directions()), sizes[0]
        state = each(lambda part: part.reshape(len(names), B, -1), state)
        if packed is not None and packed.sorted_indices is not None:
            state = each(lambda part: part[:, packed.sorted_indices], state)   # the pack is sorted by length

        outputs, final = [], []
        for k, (layer, suffix) in enumerate(names):
            p = {name: getattr(self, name + suffix) for name in self.shapes(1)}
            start = each(lambda part: part[k], state)                          # noqa: B023 — used at once
            output, last = self._run(rows, sizes, start, p, suffix.endswith("reverse"))
            outputs.append(output)
            final.append(last)
            if len(outputs) == 1 + self.bidirectional:
                rows, outputs = torch.cat(outputs, dim=-1), []                 # (rows, N·H)  what the next layer reads
                if layer < self.num_layers - 1:
                    rows = F.dropout(rows, self.dropout, self.training)
        final = each(lambda *parts: torch.stack(parts), *final)                # (L·N, B, H)

        if packed is not None:
            if packed.unsorted_indices is not None:
                final = each(lambda part: part[:, packed.unsorted_indices], final)
            return packed._replace(data=rows), final
        if not batched:
            return rows, each(lambda part: part[:, 0], final)
        output = rows.reshape(len(sizes), B, -1)
        return (output.transpose(0, 1) if self.batch_first else output), final

    def _run(self, rows, sizes, state, p, reverse):
        """One layer, one direction: (rows, D or N·H) and (B, H) to all states (rows, H) and the last (B, H).

        Step t holds the `sizes[t]` sequences that are longer than t, longest first, so the others simply keep the
        state they ended with. Read from the end, each sequence joins at its own last step. Padding never enters.
        """
        steps, states = self.drive(rows, p).split(sizes), []          # T × (sizes[t], G·H)
        for drive_t in reversed(steps) if reverse else steps:
            n = len(drive_t)
            new = self.step(drive_t, each(lambda part: part[:n], state), p)                    # noqa: B023
            if n < sizes[0]:
                state = each(lambda part, kept: torch.cat([part, kept[n:]]), new, state)       # noqa: B023
            else:
                state = new
            states.append(new[0] if isinstance(new, tuple) else new)  # (n, H)
        return torch.cat(states[::-1] if reverse else states), state

    def extra_repr(self):
        return described(self, *self.shown)


def described(module, *names):
    """The sizes, and those options that are not the usual ones."""
    usual = inspect.signature(type(module)).parameters
    changed = [f", {name}={getattr(module, name)!r}" for name in names
               if name not in usual or getattr(module, name) != usual[name].default]
    return f"{module.input_size}, {module.hidden_size}" + "".join(changed)


def initialise(module):
    """Every entry uniform in ±1/sqrt(H), drawn in the order in which `torch.nn` draws: same seed, same weights."""
    bound = module.hidden_size**-0.5
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -bound, bound)


def run_whole(run, rows, sizes, state, p, reverse):
    """Call a fused `run(x, state, p)`, which takes (T, B, D), in place of `Stack._run`; all sizes are equal here."""
    x = rows.reshape(len(sizes), sizes[0], -1)
    output, last = run(x.flip(0) if reverse else x, state if isinstance(state, tuple) else (state,), p)
    output = output.flip(0) if reverse else output
    return output.reshape(len(rows), -1), last if isinstance(state, tuple) else last[0]


def each(function, state, *others):
    """Apply to the state or, for an LSTM, to each of its pair."""
    return tuple(map(function, state, *others)) if isinstance(state, tuple) else function(state, *others)


def state_widths(layer):
    """The width of each part of a layer's state; an LSTM with `proj_size` has an h narrower than its c."""
    h, *others = (layer.hidden_size for _ in layer.state_names)
    return getattr(layer, "proj_size", 0) or h, *others


def check_call(layer, x, state):
    """Check what a recurrent layer, ours or `torch.nn`'s, is called with.

    Args:
        layer: has `input_size`, `hidden_size`, `num_layers`, `bidirectional`, `batch_first`, `weight_ih_l0`,
            `state_names`.
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
    shapes = [(stacked, sizes[0], width) if batched else (stacked, width) for width in state_widths(layer)]
    return rows, sizes, batched, check_state("state", state, layer.state_names, shapes, like)


def check_cell_call(cell, x, state):
    """Check what a cell is called with, and return its state, zeros if None."""
    check_tensor("input", x, cell.weight_ih)
    checks.step(x, cell.input_size)
    shapes = [(*x.shape[:-1], cell.hidden_size)] * len(cell.state_names)
    return check_state("state", state, cell.state_names, shapes, cell.weight_ih)


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
    if value.dtype != like.dtype and not torch.is_autocast_enabled(like.device.type):
        raise TypeError(f"{name} must be {besides}{like.dtype}, like {whose}, got {value.dtype}")
    if value.device != like.device:
        raise ValueError(f"{name} must be on {like.device}, like {whose}, got {value.device}")


def check_state(name, value, parts, shapes, like):
    """Return `value`, or zeros if it is None; raise unless it fits: one tensor, or a pair if there are two parts."""
    if value is None:
        tensors = tuple(like.new_zeros(shape) for shape in shapes)
    else:
        named = checks.states(name, value, parts)
        for (part, tensor), shape in zip(named.items(), shapes):
            check_tensor(part, tensor, like)
            checks.shape(part, tensor, shape)
        tensors = tuple(named.values())
    return tensors if len(parts) > 1 else tensors[0]
