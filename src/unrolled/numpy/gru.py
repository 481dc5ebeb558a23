"""The gated recurrent unit of Cho et al. (2014) in NumPy, forward and backward, in both its conventions.

    r_t = σ(W_r x_t + b_Wr + U_r h_{t-1} + b_Ur)                    reset gate: how much of the past the candidate sees
    z_t = σ(W_z x_t + b_Wz + U_z h_{t-1} + b_Uz)                    update gate: how much of the past is kept
    n_t = tanh(W_n x_t + b_Wn + r_t * (U_n h_{t-1} + b_Un))         candidate, reset after the matrix (cuDNN, PyTorch)
    n_t = tanh(W_n x_t + b_Wn + U_n (r_t * h_{t-1}) + b_Un)         candidate, reset before it (Cho et al.)
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}                           state

and, with dh_t summed over every later use, m_t = U_n h_{t-1} + b_Un, and σ' = σ (1 - σ),

    dz_t = dh_t * (h_{t-1} - n_t),    dn_t = dh_t * (1 - z_t),    da_n = dn_t * (1 - n_t^2)
    after:   dm_t = da_n * r_t,       dr_t = da_n * m_t,          dh_{t-1} += U_n' dm_t
    before:  ds_t = U_n' da_n,        dr_t = ds_t * h_{t-1},      dh_{t-1} += ds_t * r_t        (s_t = r_t * h_{t-1})
    both:    dh_{t-1} += dL/dy_{t-1} + z_t * dh_t + U_r' da_r + U_z' da_z

W, U and their biases hold the three blocks of H rows in torch's order: r, z, n. Here z keeps and 1 - z writes; Cho et
al. and Chung et al. (2014) differ from each other in this too.
Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
Beside it: `gru_fused`, the reset-after equations, faster.
"""

from functools import partial

import numpy as np

from unrolled import checks
from unrolled.numpy import gru_fused
from unrolled.numpy.stack import Cell, Stack, sigmoid
from unrolled.shapes import weight_shapes


def run(x, h0, weight_ih, weight_hh, bias_ih, bias_hh, reset_after):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        h0: state before the first step, (B, H).
        weight_ih, weight_hh: W, (3H, D), and U, (3H, H).
        bias_ih, bias_hh: b_W and b_U, (3H,) each, or 0.
        reset_after: the reset gate acts after the matrix U_n, or before it.

    Returns:
        Every state, h_0 included, (T + 1, B, H); every gate, (T, B, 3H); and what r_t is multiplied with,
        U_n h_{t-1} + b_Un or h_{t-1}, (T, B, H).
    """
    T, B, D = x.shape
    H = len(weight_hh) // 3
    U, U_n = weight_hh[: 2 * H], weight_hh[2 * H :]     # (2H, H), (H, H)
    b, b_n = np.split(np.broadcast_to(bias_hh, 3 * H), [2 * H])
    h, past = np.empty((T + 1, B, H), x.dtype), np.empty((T, B, H), x.dtype)
    h[0] = h0
    drive = x.reshape(T * B, D) @ weight_ih.T + bias_ih  # (T·B, 3H)  W x_t + b_W of all steps
    gates = drive.reshape(T, B, 3 * H)
    for t in range(T):                                  # the only sequential part
        r, z, n = np.split(gates[t], 3, axis=1)         # (B, H) each, views into `gates`
        rz = gates[t, :, : 2 * H]                       # (B, 2H)
        rz += h[t] @ U.T + b
        sigmoid(rz, out=rz)
        if reset_after:
            past[t] = h[t] @ U_n.T + b_n                # (B, H)
            n += r * past[t]
        else:
            past[t] = h[t]
            n += (r * past[t]) @ U_n.T + b_n
        np.tanh(n, out=n)
        h[t + 1] = (1 - z) * n + z * h[t]               # (B, H)
    return h, gates, past


def run_backward(d_output, d_h, x, h, gates, past, weight_ih, weight_hh, reset_after):
    """Backpropagate through `run`.

    Args:
        d_output: dL/dy_t for the output y_t = h_t of each step, (T, B, H).
        d_h: dL/dh_T from whatever reads the final state, (B, H).
        x, h, gates, past, weight_ih, weight_hh, reset_after: as `run` took and returned them.

    Returns:
        d_x (T, B, D), d_h0 (B, H), and the gradients of W, U, b_W and b_U.
    """
    T, B, D = x.shape
    H = len(weight_hh) // 3
    U, U_n = weight_hh[: 2 * H], weight_hh[2 * H :]
    d_a = np.empty_like(gates)                               # (T, B, 3H)
    d_m = np.empty_like(past)                                # (T, B, H)  reaches U_n's product
    for t in reversed(range(T)):
        r, z, n = np.split(gates[t], 3, axis=1)
        d_r, d_z, d_n = np.split(d_a[t], 3, axis=1)          # (B, H) each, views into `d_a`
        d_h = d_h + d_output[t]                              # (B, H)  step t's output is h_t
        d_z[:] = d_h * (h[t] - n) * z * (1 - z)
        d_n[:] = d_h * (1 - z) * (1 - n**2)
        if reset_after:
            d_m[t] = d_n * r
            d_past = d_n                                     # (B, H)  dL/d(r_t * past_t)
            d_through = d_m[t] @ U_n                         # (B, H)  to h_{t-1}
        else:
            d_m[t] = d_n
            d_past = d_n @ U_n
            d_through = d_past * r
        d_r[:] = d_past * past[t] * r * (1 - r)
        d_h = z * d_h + d_through + d_a[t, :, : 2 * H] @ U   # (B, H)
    rows, d_m = d_a.reshape(T * B, 3 * H), d_m.reshape(T * B, H)  # one GEMM sums all
    h_before = h[:-1].reshape(T * B, H)
    seen = h_before if reset_after else (gates[:, :, :H] * past).reshape(T * B, H)
    d_x = (rows @ weight_ih).reshape(T, B, D)
    d_weight_ih = rows.T @ x.reshape(T * B, D)                                    # (3H, D)
    d_weight_hh = np.concatenate([rows[:, : 2 * H].T @ h_before, d_m.T @ seen])   # (3H, H)
    d_bias_ih = rows.sum(0)                                                       # (3H,)
    d_bias_hh = np.concatenate([d_bias_ih[: 2 * H], d_m.sum(0)])                  # (3H,)
    return d_x, d_h, d_weight_ih, d_weight_hh, d_bias_ih, d_bias_hh


def _back(saved, p, reset_after, d_output, d_state):
    """`run_backward`, with parameters and their gradients by name."""
    d_x, d_h, *gradients = run_backward(d_output, *d_state, *saved, p["weight_ih"], p["weight_hh"], reset_after)
    return d_x, (d_h,), dict(zip(p, gradients))              # names in torch's order; biases last, if there are any


class _GRU:
    """What the cell and the layer share: parameters, and which equations run."""

    fused = False

    def _shapes(self, width):
        return weight_shapes(width, self.hidden_size, 3, self.bias)

    def _run(self, x, state, p):
        if self.fused:
            output, last, saved = gru_fused.run(x, state, p)
            return output, last, partial(gru_fused.run_backward, saved=saved, p=p)
        biases = p.get("bias_ih", 0), p.get("bias_hh", 0)
        h, gates, past = run(x, *state, p["weight_ih"], p["weight_hh"], *biases, self.reset_after)
        return h[1:], (h[-1],), partial(_back, (x, h, gates, past), p, self.reset_after)


class GRUCell(_GRU, Cell):
    """One step of the equations above.

    Args:
        input_size, hidden_size, bias, reset_after, dtype, seed: as for `GRU`.

    Raises:
        TypeError, ValueError: an argument outside what is listed there.
    """

    def __init__(self, input_size, hidden_size, bias=True, *, reset_after=True, dtype=np.float32, seed=None):
        checks.gru_options(reset_after)
        self.reset_after = reset_after
        super().__init__(input_size, hidden_size, bias, dtype, seed)


class GRU(_GRU, Stack):
    """A stack of GRU layers, one or two directions: the NumPy twin of `torch.nn.GRU`.

    Args:
        input_size, hidden_size: D and H.
        num_layers: L; layer l > 0 reads the outputs of layer l - 1.
        bias: learn b_W and b_U.
        batch_first: inputs and outputs are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: probability with which an output between layers is zeroed while `training` is True.
        bidirectional: a second set of weights reads the sequence from its end; outputs are concatenated.
        reset_after: r_t * (U_n h_{t-1} + b_Un), as in `torch.nn.GRU`; False for U_n (r_t * h_{t-1}) + b_Un.
        fused: run `gru_fused`, the same equations arranged for speed; for reset_after=True only.
        dtype: float32 or float64.
        seed: seed of the initial weights, uniform in ±1/sqrt(H), and of the dropout masks.

    Raises:
        TypeError, ValueError: an argument outside what is listed above, or two that exclude each other.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, *, reset_after=True, fused=False, dtype=np.float32, seed=None):
        checks.gru_options(reset_after, fused)
        self.reset_after, self.fused = reset_after, fused
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         dtype=dtype, seed=seed)
