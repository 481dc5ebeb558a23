"""What every torch layer shares: named parameters, stacking, two directions, packed sequences, layouts.

A layer that inherits from `Stack` brings its equations as `step`; nothing in this file knows what a cell computes.

Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
"""

import inspect
import warnings

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from unrolled import checks
from unrolled.torch.calls import check_call, check_dtype, mixed_dtype, state_widths
from unrolled.torch.twin import Recurrent


class Cell(Recurrent):
    """One step: the parameters that the model's `shapes` names, without a suffix."""

    state_names = ("h",)
    shown = ("bias",)                                                 # options that repr names

    def __init__(self, input_size, hidden_size, bias, device, dtype):
        nn.Module.__init__(self)          # no other's: a model that is also `torch.nn`'s cell makes its parameters here
        checks.cell(input_size, hidden_size, bias, least=0)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        check_dtype(dtype)
        for name in () if bias else ("bias_ih", "bias_hh"):
            self.register_parameter(name, None)                       # there, and None, as in torch.nn
        for name, shape in self.shapes(input_size).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw all parameters anew."""
        initialise(self)

    def extra_repr(self):
        return described(self, *self.shown)


class Stack(Recurrent):
    """`num_layers` layers in one or two directions over padded or packed sequences, each a loop over `step`.

    A model brings its equations, nothing else here knows what a cell computes:

        shapes(width)            names and shapes of the parameters that read inputs of this width
        drive(x, p)              the input's part of every step at once, (..., D) to (..., ·); W x + b_W if left alone
        step(drive_t, state, p)  the next state from that and the last one, (B, H), or for an LSTM the pair (h, c)

    where p holds one direction's parameters by name.
    """

    state_names = ("h",)
    shown = "num_layers", "bias", "batch_first", "dropout", "bidirectional"              # options that repr names
    proj_size = 0

    # A model of `torch.nn` is also an `nn.RNNBase`, for those who ask isinstance (not an `nn.LSTM`, which torch.compile
    # refuses). What that keeps beside its parameters, for cuDNN's copy of them, is left out: they are read in place.
    _apply, _replicate_for_data_parallel = nn.Module._apply, nn.Module._replicate_for_data_parallel
    __setattr__, __getstate__, __setstate__ = nn.Module.__setattr__, object.__getstate__, nn.Module.__setstate__

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, device=None, dtype=None):
        nn.Module.__init__(self)
        checks.layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout = dropout
        check_dtype(dtype)
        if dropout > 0 and num_layers == 1:
            warnings.warn("dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                          f"num_layers greater than 1, but got dropout={dropout} and num_layers={num_layers}",
                          stacklevel=3)
        for layer, suffix in self._directions():
            width = input_size if layer == 0 else state_widths(self)[0] * (1 + bidirectional)
            for name, shape in self.shapes(width).items():
                self.register_parameter(name + suffix, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _directions(self):
        """(layer, suffix of its parameter names) in torch's order, which is also the order of the states."""
        for layer in range(self.num_layers):
            yield layer, f"_l{layer}"
            if self.bidirectional:
                yield layer, f"_l{layer}_reverse"

    def reset_parameters(self):
        """Draw all parameters anew."""
        initialise(self)

    def flatten_parameters(self):
        """Nothing: the library's layers copy their weights into one piece for cuDNN, which does not run here."""

    @property
    def all_weights(self):
        """The parameters of each layer and direction, a list of lists."""
        return [list(named(self, suffix).values()) for _, suffix in self._directions()]

    @property
    def _flat_weights(self):
        return sum(self.all_weights, [])

    def drive(self, x, p):
        """W x_t + b_W for all steps at once, (..., D) to (..., G·H)."""
        return F.linear(x, p["weight_ih"], p.get("bias_ih"))

    def forward(self, input, hx=None):
        """Run the stack over a batch of sequences.

        Args:
            input: (T, B, D); (B, T, D) if batch_first; (T, D) unbatched; or a `PackedSequence`.
            hx: h_0 of each layer and direction, (L·N, B, H), or (L·N, H) unbatched, for an LSTM the pair (h_0, c_0);
                zeros if left out.

        Returns:
            output: the last layer's states h, (T, B, N·H), (B, T, N·H) or (T, N·H); packed if `input` was.
            h_n: the state after each sequence's last step, like `hx`; for an LSTM the pair (h_n, c_n).

        Raises:
            TypeError, ValueError: not a tensor, or one of another dtype, device or shape, or of no steps, or a pack
                whose batch sizes rise or do not sum to its rows. What `torch.nn` raises as a RuntimeError is one too.
        """
        x, sizes, batched, state = check_call(self, input, hx)
        if torch.onnx.is_in_onnx_export() and self.is_library():
            return self.library()(input, hx)                                   # one node, and not T copies of a step
        packed = input if isinstance(input, PackedSequence) else None
        if not batched:
            state = each(lambda part: part.unsqueeze(1), state)
        if packed is not None and packed.sorted_indices is not None:
            state = each(lambda part: part.index_select(1, packed.sorted_indices), state)   # a pack is sorted by length
        state = self._mixed(state, packed)

        outputs, final = [], []
        for k, (layer, suffix) in enumerate(self._directions()):
            start = each(lambda part: part[k], state)                          # noqa: B023 — used at once
            output, last = self._run(x, sizes, start, named(self, suffix), suffix.endswith("reverse"))
            outputs.append(output)
            final.append(last)
            if len(outputs) == 1 + self.bidirectional:
                x, outputs = torch.cat(outputs, dim=-1), []                    # (T, B, N·H)  what the next layer reads
                if layer < self.num_layers - 1:
                    x = F.dropout(x, self.dropout, self.training)
        final = each(lambda *parts: torch.stack(parts), *final)                # (L·N, B, H)

        if packed is not None:
            if packed.unsorted_indices is not None:
                final = each(lambda part: part.index_select(1, packed.unsorted_indices), final)
            return packed._replace(data=x if sizes else x.flatten(0, 1)), final
        if not batched:
            return x[:, 0], each(lambda part: part[:, 0], final)
        return (x.transpose(0, 1) if self.batch_first else x), final

    def _mixed(self, state, packed):
        """The state as mixed precision starts it: narrow where the library's kernel is; else steps promote types."""
        device = self.weight_ih_l0.device
        dtype, onednn = mixed_dtype(device), self.twin is nn.LSTM and not self.proj_size and packed is None
        if dtype and (device.type == "cuda" or (onednn and dtype == torch.bfloat16)):
            return each(lambda part: part.to(dtype), state)
        return state

    def _run(self, x, sizes, state, p, reverse):
        """One layer, one direction: (T, B, D or N·H) and (B, H) to all states (T, B, H) and the last (B, H).

        In a pack, step t holds the `sizes[t]` sequences that are longer than t, longest first, so the others simply
        keep the state they ended with. Read from the end, each sequence joins at its own last step. Padding never
        enters.
        """
        steps = self.drive(x, p)                                               # (T, B, G·H), or of a pack (rows, G·H)
        steps, states = steps.split(sizes) if sizes else steps.unbind(), []
        for drive_t in reversed(steps) if reverse else steps:
            n = sizes and len(drive_t)
            if not sizes or n == sizes[0]:
                new = state = self.step(drive_t, state, p)
            else:
                new = self.step(drive_t, each(lambda part: part[:n], state), p)                # noqa: B023
                state = each(lambda part, kept: torch.cat([part, kept[n:]]), new, state)       # noqa: B023
            states.append(new[0] if isinstance(new, tuple) else new)           # (n, H)
        return (torch.cat if sizes else torch.stack)(states[::-1] if reverse else states), state

    def extra_repr(self):
        return described(self, *self.shown)


def named(module, suffix=""):
    """One direction's parameters by name, as they are now: shared, pruned, parametrised or swapped for others."""
    return {name: getattr(module, name + suffix) for name in module.shapes(1)}


def described(module, *names):
    """The sizes, and those options that are not the usual ones."""
    usual = inspect.signature(type(module)).parameters
    changed = [f", {name}={getattr(module, name)!r}" for name in names
               if name not in usual or getattr(module, name) != usual[name].default]
    return f"{module.input_size}, {module.hidden_size}" + "".join(changed)


def initialise(module):
    """Every entry uniform in ±1/sqrt(H), drawn in the order in which `torch.nn` draws: same seed, same weights."""
    bound = module.hidden_size**-0.5 if module.hidden_size else 0
    for parameter in module.parameters():
        nn.init.uniform_(parameter, -bound, bound)


def run_whole(run, x, state, p, reverse):
    """Call `run(x, state, p)`, which takes the steps in order and the state as a tuple, in place of `Stack._run`."""
    output, last = run(x.flip(0) if reverse else x, state if isinstance(state, tuple) else (state,), p)
    return output.flip(0) if reverse else output, last if isinstance(state, tuple) else last[0]


def each(function, state, *others):
    """Apply to the state or, for an LSTM, to each of its pair."""
    return tuple(map(function, state, *others)) if isinstance(state, tuple) else function(state, *others)
