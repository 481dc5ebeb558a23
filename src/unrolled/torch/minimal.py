"""minGRU and minLSTM (Feng et al. 2024) as `nn.Module`s: gates that never read the past, so the loop becomes a scan.

    minGRU    z_t = σ(W_z x_t + b_z),   h̃_t = W_h x_t + b_h,       h_t = (1 - z_t) * h_{t-1} + z_t * h̃_t
    minLSTM   f_t = σ(W_f x_t + b_f),   i_t = σ(W_i x_t + b_i),    h̃_t = W_h x_t + b_h,
              h_t = f_t / (f_t + i_t) * h_{t-1} + i_t / (f_t + i_t) * h̃_t

There is no U. Each step is linear in h, h_t = k_t * h_{t-1} + (1 - k_t) * h̃_t, and all k_t are known before the first
step. Two steps make one, a_2 (a_1 h + b_1) + b_2 = (a_2 a_1) h + (a_2 b_1 + b_2), so about 2 log2 T rounds do.

Each W and b holds its blocks of H rows in the order z, h̃ or f, i, h̃.
Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
Not here: the paper's version in logarithms, which needs h̃_t > 0.
"""

import torch
import torch.nn.functional as F

from unrolled import checks
from unrolled.torch.stack import Stack, run_whole


def loop(a, b, h0):
    """h_t = a_t * h_{t-1} + b_t, one step after the other.

    Args:
        a, b: factor and term of each step, (T, B, H).
        h0: state before the first step, (B, H).

    Returns:
        Every state after it, (T, B, H).
    """
    h = []
    for a_t, b_t in zip(a, b):
        h0 = a_t * h0 + b_t
        h.append(h0)
    return torch.stack(h)


def scan(a, b, h0):
    """The same as `loop`, for T >= 1, in about 2 log2 T rounds: pairs of steps become one step, until one is left.

    Only products and sums, as in the loop: no division, no logarithm, and where every factor is at most 1, so is every
    product of them.
    """
    first, pairs = (a[0] * h0 + b[0])[None], len(b) // 2
    if not pairs:
        return first
    a_1, b_1, a_2, b_2 = a[: 2 * pairs : 2], b[: 2 * pairs : 2], a[1::2], b[1::2]     # (T/2, B, H) each
    later = scan(a_2 * a_1, a_2 * b_1 + b_2, h0)                     # (T/2, B, H)  every second state
    between = a[2::2] * later[: len(a[2::2])] + b[2::2]
    earlier = torch.cat([first, between])                            # (T/2, B, H), or one more where T is odd
    together = torch.stack([earlier[:pairs], later], dim=1).flatten(0, 1)
    return torch.cat([together, earlier[pairs:]])


class _Minimal(Stack):
    """What the two share: all gates at once, then `loop` or `scan`. A model brings `keep`."""

    shown = *Stack.shown, "scan"

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, device=None, dtype=None, *, scan=True):
        self.scan = checks.flag("scan", scan)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)

    def shapes(self, width):
        """Names and shapes of one direction's parameters."""
        rows = self.blocks * self.hidden_size
        return {"weight_ih": (rows, width)} | ({"bias_ih": (rows,)} if self.bias else {})

    def drive(self, x, p):
        """k_t and (1 - k_t) * h̃_t of all steps at once, (..., D) to (..., 2H)."""
        *gates, candidate = super().drive(x, p).chunk(self.blocks, dim=-1)
        keep = self.keep(*gates)
        return torch.cat([keep, (1 - keep) * candidate], dim=-1)

    def step(self, drive, h, p):
        """h_t from `drive`, (B, 2H), and h_{t-1}, (B, H)."""
        keep, write = drive.chunk(2, dim=-1)
        return keep * h + write

    def _run(self, x, sizes, state, p, reverse):
        if self.scan and not sizes:
            return run_whole(self._run_scan, x, state, p, reverse)
        return super()._run(x, sizes, state, p, reverse)

    def _run_scan(self, x, state, p):
        h = scan(*self.drive(x, p).chunk(2, dim=-1), *state)
        return h, (h[-1],)


class MinGRU(_Minimal):
    """A stack of minGRU layers, one or two directions.

    Args:
        input_size, hidden_size: D and H.
        num_layers: L; layer l > 0 reads the outputs of layer l - 1.
        bias: learn b_z and b_h.
        batch_first: inputs and outputs are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: probability with which an output between layers is zeroed in training mode.
        bidirectional: a second set of weights reads the sequence from its end; outputs are concatenated.
        device, dtype: of the parameters.
        scan: take the steps in about 2 log2 T rounds; False for one after the other, as packed sequences of unequal
            lengths always are. The same function.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    blocks = 2

    def keep(self, a_z):
        """k_t = 1 - z_t = σ(-a_z), (rows, H)."""
        return (-a_z).sigmoid()


class MinLSTM(_Minimal):
    """A stack of minLSTM layers, one or two directions.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype, scan: as for
            `MinGRU`.

    Raises:
        TypeError, ValueError: an argument outside what is listed there.
    """

    blocks = 3

    def keep(self, a_f, a_i):
        """k_t = f_t / (f_t + i_t) = σ(ln f_t - ln i_t), (rows, H): f and i may both be too small to divide."""
        return (F.logsigmoid(a_f) - F.logsigmoid(a_i)).sigmoid()
