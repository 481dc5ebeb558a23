"""minGRU and minLSTM (Feng et al. 2024) in NumPy: gates that never read the past, so that the loop becomes a scan.

    minGRU    z_t = σ(W_z x_t + b_z),   h̃_t = W_h x_t + b_h,       h_t = (1 - z_t) * h_{t-1} + z_t * h̃_t
    minLSTM   f_t = σ(W_f x_t + b_f),   i_t = σ(W_i x_t + b_i),    h̃_t = W_h x_t + b_h,
              h_t = f_t / (f_t + i_t) * h_{t-1} + i_t / (f_t + i_t) * h̃_t

There is no U. What is kept, k_t = 1 - z_t or f_t / (f_t + i_t), is known for every step before the first is taken, and
each step is linear in h:

    h_t = k_t * h_{t-1} + (1 - k_t) * h̃_t,                           k_t = σ(u_t)
    minGRU    u_t = -a_z
    minLSTM   u_t = ln f_t - ln i_t                                  f and i may both be too small to divide

Two such steps, one after the other, are again one: a_2 (a_1 h + b_1) + b_2 = (a_2 a_1) h + (a_2 b_1 + b_2). So T steps
can be taken in about 2 log2 T rounds, each of which works on all of its pairs at once (`scan`). Backwards,

    dh_t = dL/dy_t + k_{t+1} * dh_{t+1}                              the same recurrence, read from the end: a scan
    dk_t = dh_t * (h_{t-1} - h̃_t),    dh̃_t = dh_t * (1 - k_t),       du_t = dk_t * k_t * (1 - k_t)
    minGRU    da_z = -du_t
    minLSTM   da_f = du_t * (1 - f_t),    da_i = -du_t * (1 - i_t)

Each W and b holds its blocks of H rows in the order z, h̃ or f, i, h̃.
Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
Not here: the paper's version in logarithms, which needs h̃_t > 0.
"""

from functools import partial

import numpy as np

from unrolled import checks
from unrolled.numpy.stack import Stack, sigmoid


def loop(a, b, h0):
    """h_t = a_t * h_{t-1} + b_t, one step after the other.

    Args:
        a, b: factor and term of each step, (T, B, H).
        h0: state before the first step, (B, H).

    Returns:
        Every state after it, (T, B, H).
    """
    h = np.empty_like(b)
    for t in range(len(b)):
        h0 = np.add(a[t] * h0, b[t], out=h[t])
    return h


def scan(a, b, h0):
    """The same as `loop`, for T >= 1, in about 2 log2 T rounds: pairs of steps become one step, until one is left.

    Only products and sums, as in the loop: no division, no logarithm, and where every factor is at most 1, so is every
    product of them.
    """
    h, pairs = np.empty_like(b), len(b) // 2
    h[0] = a[0] * h0 + b[0]
    if pairs:
        a_1, b_1, a_2, b_2 = a[: 2 * pairs : 2], b[: 2 * pairs : 2], a[1::2], b[1::2]     # (T/2, B, H) each
        h[1::2] = scan(a_2 * a_1, a_2 * b_1 + b_2, h0)               # every second state, in half as many steps
        h[2::2] = a[2::2] * h[1:-1:2] + b[2::2]                      # and those between
    return h


def scan_backward(d_h, d_last, a, h, h0, run=scan):
    """Backpropagate through `loop` or `scan`.

    Args:
        d_h: dL/dh_t from whatever reads the state of step t, (T, B, H), apart from the next step.
        d_last: the same from whatever reads the final state, (B, H).
        a, h, h0: as `loop` took and returned them.
        run: `loop` or `scan`, for the way back.

    Returns:
        d_a and d_b, (T, B, H), and d_h0, (B, H).
    """
    after = np.concatenate([a[1:], np.ones_like(a[:1])])             # (T, B, H)  what step t + 1 multiplies h_t by
    d_h = run(after[::-1], d_h[::-1], d_last)[::-1]                  # (T, B, H)  summed over every later use
    before = np.concatenate([h0[None], h[:-1]])                      # (T, B, H)  h_{t-1}
    return d_h * before, d_h, a[0] * d_h[0]


def _back(saved, p, steps, d_output, d_state):
    """From dL/dy_t and dL/dh_T to the gradients of the inputs, of h_0 and of the parameters by name."""
    x, h0, h, keep, candidate, slopes = saved
    T, B, D = x.shape
    d_keep, d_write, d_h0 = scan_backward(d_output, *d_state, keep, h, h0, steps)
    d_keep -= d_write * candidate                                        # (T, B, H)  k_t also scales the candidate
    d_u = d_keep * keep * (1 - keep)
    blocks = np.concatenate([d_u * slope for slope in slopes] + [d_write * (1 - keep)], axis=-1)
    rows = blocks.reshape(T * B, len(p["weight_ih"]))                    # (T·B, G·H)  one GEMM sums steps and batch
    grads = {"weight_ih": rows.T @ x.reshape(T * B, D)} | ({"bias_ih": rows.sum(0)} if "bias_ih" in p else {})
    return (rows @ p["weight_ih"]).reshape(T, B, D), (d_h0,), grads


class _Minimal(Stack):
    """What the two share: all gates at once, then `loop` or `scan`. A model brings `_keep` and `_keep_backward`."""

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, *, scan=True, dtype=np.float32, seed=None):
        self.scan = checks.flag("scan", scan)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         dtype=dtype, seed=seed)

    def _shapes(self, width):
        rows = self.blocks * self.hidden_size
        return {"weight_ih": (rows, width)} | ({"bias_ih": (rows,)} if self.bias else {})

    def _run(self, x, state, p):
        T, B, D = x.shape
        a = (x.reshape(T * B, D) @ p["weight_ih"].T + p.get("bias_ih", 0)).reshape(T, B, len(p["weight_ih"]))
        *gates, candidate = np.split(a, self.blocks, axis=-1)            # (T, B, H) each
        keep, slopes = self._keep(*gates)                                # (T, B, H)  k_t
        steps = scan if self.scan else loop
        h = steps(keep, (1 - keep) * candidate, *state)
        return h, (h[-1],), partial(_back, (x, state[0].copy(), h, keep, candidate, slopes), p, steps)


class MinGRU(_Minimal):
    """A stack of minGRU layers, one or two directions.

    Args:
        input_size, hidden_size: D and H.
        num_layers: L; layer l > 0 reads the outputs of layer l - 1.
        bias: learn b_z and b_h.
        batch_first: inputs and outputs are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: probability with which an output between layers is zeroed while `training` is True.
        bidirectional: a second set of weights reads the sequence from its end; outputs are concatenated.
        scan: take the steps in about 2 log2 T rounds; False for one after the other. The same function.
        dtype: float32 or float64.
        seed: seed of the initial weights, uniform in ±1/sqrt(H), and of the dropout masks.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    blocks = 2

    def _keep(self, a_z):
        """k_t = 1 - z_t, and du/da_z."""
        return sigmoid(-a_z), (-1,)


class MinLSTM(_Minimal):
    """A stack of minLSTM layers, one or two directions.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, scan, dtype, seed: as for
            `MinGRU`.

    Raises:
        TypeError, ValueError: an argument outside what is listed there.
    """

    blocks = 3

    def _keep(self, a_f, a_i):
        """k_t = f_t / (f_t + i_t), and du/da_f and du/da_i."""
        u = np.logaddexp(0, -a_i) - np.logaddexp(0, -a_f)                # ln f - ln i,   ln σ(a) = -ln(1 + exp(-a))
        return sigmoid(u), (sigmoid(-a_f), -sigmoid(-a_i))
