"""The gated recurrent unit of Cho et al. (2014) as `nn.Module`s, in both its conventions.

    r_t = σ(W_r x_t + b_Wr + U_r h_{t-1} + b_Ur)                    reset gate: how much of the past the candidate sees
    z_t = σ(W_z x_t + b_Wz + U_z h_{t-1} + b_Uz)                    update gate: how much of the past is kept
    n_t = tanh(W_n x_t + b_Wn + r_t * (U_n h_{t-1} + b_Un))         candidate, reset after the matrix (cuDNN, PyTorch)
    n_t = tanh(W_n x_t + b_Wn + U_n (r_t * h_{t-1}) + b_Un)         candidate, reset before it (Cho et al.)
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}                           state

Each W, U and b holds its three blocks of H rows in torch's order: r, z, n.
Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
Beside it: `gru_fused`, the reset-after equations with a backward pass by hand, faster.
"""

import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.shapes import weight_shapes
from unrolled.torch import fused as whole
from unrolled.torch.calls import check_cell_call
from unrolled.torch.stack import Cell, Stack, named


def step_reset_after(drive, h, p):
    """One step in the library's convention.

    Args:
        drive: W x_t + b_W, (B, 3H).
        h: h_{t-1}, (B, H).
        p: `weight_hh`, U, (3H, H), and `bias_hh`, b_U, (3H,), if there is one.

    Returns:
        h_t, (B, H).
    """
    recurrent = F.linear(h, p["weight_hh"], p.get("bias_hh"))          # (B, 3H)  one product for all three blocks
    x_r, x_z, x_n = drive.chunk(3, dim=-1)                             # (B, H) each
    h_r, h_z, h_n = recurrent.chunk(3, dim=-1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    n = (x_n + r * h_n).tanh()
    return (1 - z) * n + z * h


def step_reset_before(drive, h, p):
    """One step in the convention of Cho et al. (2014): as `step_reset_after`, but U_n reads r_t * h_{t-1}."""
    H = h.shape[-1]
    U, U_n = p["weight_hh"].split((2 * H, H))                          # (2H, H), (H, H)
    b, b_n = p["bias_hh"].split((2 * H, H)) if "bias_hh" in p else (None, None)
    x_rz, x_n = drive.split((2 * H, H), dim=-1)                        # (B, 2H), (B, H)
    r, z = (x_rz + F.linear(h, U, b)).sigmoid().chunk(2, dim=-1)       # (B, H) each
    n = (x_n + F.linear(r * h, U_n, b_n)).tanh()                       # a second product, which must wait for r
    return (1 - z) * n + z * h


class _GRU:
    """What the cell and the layer share: parameters, and which equations run."""

    mode, beyond_library = "GRU", (("reset_after", True),)

    def shapes(self, width):
        """Names and shapes of one direction's parameters."""
        return weight_shapes(width, self.hidden_size, 3, self.bias)

    def step(self, drive, h, p):
        """h_t from `drive`, (B, 3H), and h_{t-1}, (B, H)."""
        return (step_reset_after if self.reset_after else step_reset_before)(drive, h, p)


class GRUCell(_GRU, Cell, nn.GRUCell):
    """One step of the equations above: with reset_after, the twin of `torch.nn.GRUCell`.

    Args:
        input_size, hidden_size, bias, device, dtype, reset_after: as for `GRU`.

    Raises:
        TypeError, ValueError: an argument outside what is listed there.
    """

    shown, twin = (*Cell.shown, "reset_after"), nn.GRUCell

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None, *, reset_after=True):
        checks.gru_options(reset_after)
        self.reset_after = reset_after
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input, hx=None):
        """Take one step.

        Args:
            input: x_t, (B, D), or (D,) unbatched.
            hx: h_{t-1}, (B, H) or (H,); zeros if left out.

        Returns:
            h_t, (B, H) or (H,).

        Raises:
            TypeError, ValueError: not a tensor, or one of another dtype, device or shape.
        """
        h, p = check_cell_call(self, input, hx), named(self)
        return self.step(F.linear(input, p["weight_ih"], p.get("bias_ih")), h, p)


class GRU(_GRU, Stack, nn.RNNBase):
    """A stack of GRU layers, one or two directions: with reset_after, the twin of `torch.nn.GRU`.

    Args:
        input_size, hidden_size: D and H.
        num_layers: L; layer l > 0 reads the outputs of layer l - 1.
        bias: learn b_W and b_U.
        batch_first: inputs and outputs are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: probability with which an output between layers is zeroed in training mode.
        bidirectional: a second set of weights reads the sequence from its end; outputs are concatenated.
        device, dtype: of the parameters.
        reset_after: r_t * (U_n h_{t-1} + b_Un), as in `torch.nn.GRU`; False for U_n (r_t * h_{t-1}) + b_Un.
        fused: run `gru_fused`, the same equations with a backward pass written by hand; for reset_after=True only,
            and packed sequences take the plain path.

    Raises:
        TypeError, ValueError: an argument outside what is listed above, or two that exclude each other.
    """

    shown, twin = (*Stack.shown, "reset_after", "fused"), nn.GRU

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, device=None, dtype=None, *, reset_after=True, fused=False):
        checks.gru_options(reset_after, fused)
        self.reset_after, self.fused = reset_after, fused
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)

    def _run(self, x, sizes, state, p, reverse):
        if self.fused and whole.fits(x, sizes, state, p):
            return whole.run("gru", x, state, p, reverse)
        return super()._run(x, sizes, state, p, reverse)
