"""The temporal convolutional network of Bai, Kolter & Koltun (2018): memory by reach, with no recurrence at all.

    (f * x)_t = b + Σ_{j=0}^{k-1} W_j x_{t - j d}                (1)  causal convolution, dilation d; x_t = 0 for t < 1
    u_t = relu((f_1 * x)_t),   v_t = relu((f_2 * u)_t)           (2)  two of them, dropout after each
    y_t = relu(v_t + R x_t)                                      (3)  residual; R is the identity where widths agree
    d = 2^l in layer l = 0 … L-1

A step sees 1 + Σ_l 2 (k-1) 2^l steps, itself among them. To go on where it stopped, a convolution needs the last
(k-1) d of its inputs: that is the whole state, and it does not grow.

Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, k kernel_size, C width of an input of (1).
Not here: the paper's weight normalisation, which changes how the weights are learned and not what can be computed, and
its dropout of whole channels; ours drops single entries, as the recurrent layers do.
"""

import torch
import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.torch.calls import check_dtype, check_tensor
from unrolled.torch.stack import described
from unrolled.torch.twin import Module


class CausalConvolution(nn.Conv1d):
    """Equation 1, with parameters and initial values of `nn.Conv1d`.

    Args:
        input_size, hidden_size: C and H.
        kernel_size, dilation: k and d.
        device, dtype: of the parameters.
    """

    def __init__(self, input_size, hidden_size, kernel_size, dilation, device=None, dtype=None):
        super().__init__(input_size, hidden_size, kernel_size, dilation=dilation, device=device, dtype=dtype)
        self.reach = (kernel_size - 1) * dilation

    def forward(self, x, past):
        """Convolve.

        Args:
            x: inputs, (B, C, T).
            past: the (k-1) d inputs before them, (B, C, (k-1) d).

        Returns:
            outputs, (B, H, T), and the last (k-1) d inputs, for the next call.
        """
        x = torch.cat([past, x], dim=-1)                             # where `nn.Conv1d` would put zeros
        return super().forward(x), x[..., x.shape[-1] - self.reach :]


class Block(nn.Module):
    """Equations 2 and 3."""

    def __init__(self, input_size, hidden_size, kernel_size, dilation, device, dtype):
        super().__init__()
        made = {"device": device, "dtype": dtype}
        self.first = CausalConvolution(input_size, hidden_size, kernel_size, dilation, **made)
        self.second = CausalConvolution(hidden_size, hidden_size, kernel_size, dilation, **made)
        same = input_size == hidden_size
        self.residual = nn.Identity() if same else nn.Conv1d(input_size, hidden_size, 1, **made)

    def forward(self, x, past, dropout):
        """From (B, C, T) and the past of both convolutions to (B, H, T) and the pasts of the next call."""
        u, past_1 = self.first(x, past[0])
        u = F.dropout(u.relu(), dropout, self.training)
        v, past_2 = self.second(u, past[1])
        v = F.dropout(v.relu(), dropout, self.training)
        return (v + self.residual(x)).relu(), [past_1, past_2]


class TCN(Module):
    """A stack of residual blocks with the call of a recurrent layer.

    Args:
        input_size, hidden_size: D and H.
        num_layers: L, the number of blocks; each doubles the dilation.
        kernel_size: k, what a convolution reads at once.
        dropout: probability with which an output of a convolution is zeroed in training mode.
        batch_first: inputs and outputs are (B, T, ·) instead of (T, B, ·); states never are.
        device, dtype: of the parameters.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, kernel_size=3, dropout=0.0, batch_first=False, *,
                 device=None, dtype=None):
        super().__init__()
        checks.layer(input_size, hidden_size, num_layers, True, batch_first, dropout, False)
        checks.positive_int("kernel_size", kernel_size)
        check_dtype(dtype)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.kernel_size, self.dropout, self.batch_first = kernel_size, dropout, batch_first
        self.blocks = nn.ModuleList(
            Block(hidden_size if layer else input_size, hidden_size, kernel_size, 2**layer, device, dtype)
            for layer in range(num_layers)
        )

    @property
    def receptive_field(self):
        """How many steps an output can depend on, its own among them."""
        return 1 + sum(block.first.reach + block.second.reach for block in self.blocks)

    def forward(self, x, state=None):
        """Run the stack over a batch of sequences, or over the next piece of each.

        Args:
            x: inputs, (T, B, D); (B, T, D) if batch_first; (T, D) unbatched.
            state: what the last call returned, if this one goes on from there; zeros if left out.

        Returns:
            output: (T, B, H), (B, T, H) or (T, H).
            state: the past of each of the 2L convolutions, a list of (B, C, (k-1) d), or (C, (k-1) d) unbatched.

        Raises:
            TypeError, ValueError: not a tensor, or one of another dtype, device or shape, or of no steps.
        """
        like = self.blocks[0].first.weight
        check_tensor("input", x, like)
        batched, _, B = checks.sequence(x, self.input_size, self.batch_first)
        x = x.reshape(-1, 1, self.input_size) if not batched else x.transpose(0, 1) if self.batch_first else x
        x = x.permute(1, 2, 0)                                       # (B, D, T)
        state = self._pasts(state, (B,) if batched else (), like)

        new = []
        for block in self.blocks:
            x, pasts = block(x, state[len(new) : len(new) + 2], self.dropout)
            new += pasts
        if not batched:
            return x[0].T, [past[0] for past in new]
        return x.permute((0, 2, 1) if self.batch_first else (2, 0, 1)), new

    def _pasts(self, state, batch, like):
        """The state, checked, with a batch dimension; zeros if None."""
        convolutions = [one for block in self.blocks for one in (block.first, block.second)]
        shapes = [(*batch, one.in_channels, one.reach) for one in convolutions]
        if state is None:
            state = [like.new_zeros(shape) for shape in shapes]
        if not isinstance(state, (list, tuple)) or len(state) != len(shapes):
            got = f"{len(state)} parts" if isinstance(state, (list, tuple)) else type(state).__name__
            raise TypeError(f"state must be a list of {len(shapes)} tensors, two for each layer, got {got}")
        for place, (past, shape) in enumerate(zip(state, shapes)):
            check_tensor(f"state[{place}]", past, like)
            checks.shape(f"state[{place}]", past, shape)
        return [past if batch else past[None] for past in state]

    def extra_repr(self):
        return described(self, "num_layers", "kernel_size", "dropout", "batch_first")
