"""The recurrent network of Elman (1990) in NumPy, forward and backward.

    a_t = W x_t + b_W + U h_{t-1} + b_U                                   (pre-activation)
    h_t = phi(a_t),   phi = tanh or relu                                  (state)

and, with dh_t for dL/dh_t summed over every later use of h_t,

    da_t = phi'(a_t) * dh_t,   dh_{t-1} = dL/dy_{t-1} + U' da_t           (backward through time)
    dW = sum_t da_t x_t',   dU = sum_t da_t h_{t-1}',   db = sum_t da_t   (one weight, T uses, T terms)

Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
Not here: packed sequences; `unrolled.torch` takes them.
"""

from functools import partial

import numpy as np

from unrolled import checks
from unrolled.numpy.stack import Cell, Stack, summed_bias, with_biases
from unrolled.shapes import weight_shapes

NONLINEARITIES = ("tanh", "relu")


def activate(a, nonlinearity):
    """Apply phi to `a` in place: no second array a step."""
    return np.tanh(a, out=a) if nonlinearity == "tanh" else np.maximum(a, 0, out=a)


def slope(h, nonlinearity):
    """phi'(a), read off the state h = phi(a): 1 - h^2 for tanh, and 1 where relu let a through."""
    return 1 - h * h if nonlinearity == "tanh" else 1 - (h <= 0).astype(h.dtype)


def run(x, h0, weight_ih, weight_hh, bias, nonlinearity):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        h0: state before the first step, (B, H).
        weight_ih, weight_hh: W, (H, D), and U, (H, H).
        bias: b_W + b_U, (H,), or 0.
        nonlinearity: "tanh" or "relu".

    Returns:
        Every state, h_0 included, (T + 1, B, H).
    """
    T, B, D = x.shape
    H = len(weight_hh)
    states = np.empty((T + 1, B, H), x.dtype)
    states[0] = h0
    drive = x.reshape(T * B, D) @ weight_ih.T             # (T·B, H)   W x_t, all steps at once
    np.add(drive.reshape(T, B, H), bias, out=states[1:])  # (T, B, H)
    recurrent = np.empty((B, H), x.dtype)
    for h, a in zip(states, states[1:]):                  # the only sequential part
        a += np.matmul(h, weight_hh.T, out=recurrent)     # (B, H)  a_t = W x_t + b + U h_{t-1}
        activate(a, nonlinearity)                         # (B, H)  h_t = phi(a_t), in its place
    return states


def run_backward(d_output, d_h_n, x, states, weight_ih, weight_hh, nonlinearity):
    """Backpropagate through `run`.

    Args:
        d_output: dL/dy_t for the output y_t = h_t of each step, (T, B, H).
        d_h_n: dL/dh_T from whatever reads the final state, (B, H).
        x, states, weight_ih, weight_hh, nonlinearity: as `run` took and returned them.

    Returns:
        d_x (T, B, D), d_h0 (B, H), and the gradients of W, U and b.
    """
    T, B, D = x.shape
    d_a = slope(states[1:], nonlinearity)             # (T, B, H)  phi'(a_t), all steps at once
    d_h = np.array(d_h_n)                             # (B, H)  dL/dh_t, over every later use
    for t in reversed(range(T)):
        d_h += d_output[t]                            # (B, H)  the output of step t uses h_t,
        d_a[t] *= d_h                                 # (B, H)  da_t = phi'(a_t) * dh_t
        np.matmul(d_a[t], weight_hh, out=d_h)         # (B, H)  and step t uses h_{t-1}, through U
    rows = d_a.reshape(T * B, len(weight_hh))         # (T·B, H)  one GEMM sums steps and batch
    d_x = (rows @ weight_ih).reshape(T, B, D)
    d_weight_ih = rows.T @ x.reshape(T * B, D)        # (H, D)
    d_weight_hh = rows.T @ states[:-1].reshape(rows.shape)  # (H, H)
    return d_x, d_h, d_weight_ih, d_weight_hh, rows.sum(0)


def _back(x, states, p, nonlinearity, d_output, d_state):
    """`run_backward`, with parameters and their gradients by name."""
    d_x, d_h, d_weight_ih, d_weight_hh, d_bias = run_backward(
        d_output, *d_state, x, states, p["weight_ih"], p["weight_hh"], nonlinearity
    )
    return d_x, (d_h,), with_biases(p, {"weight_ih": d_weight_ih, "weight_hh": d_weight_hh}, d_bias)


class _RNN:
    """What the cell and the layer share: which parameters there are, and which equations run."""

    def _shapes(self, width):
        return weight_shapes(width, self.hidden_size, 1, self.bias)

    def _run(self, x, state, p):
        states = run(x, *state, p["weight_ih"], p["weight_hh"], summed_bias(p), self.nonlinearity)
        return states[1:], (states[-1],), partial(_back, x, states, p, self.nonlinearity)


class RNNCell(_RNN, Cell):
    """One step of the recurrence, `h_t = phi(W x_t + b_W + U h_{t-1} + b_U)`.

    Args:
        input_size, hidden_size: D and H.
        bias: learn b_W and b_U; both are kept apart, as in `torch.nn.RNNCell`.
        nonlinearity: "tanh" or "relu".
        dtype: float32 or float64; every array is kept in it.
        seed: seed of the initial weights, uniform in ±1/sqrt(H).

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", *, dtype=np.float32, seed=None):
        self.nonlinearity = checks.choice("nonlinearity", nonlinearity, NONLINEARITIES)
        super().__init__(input_size, hidden_size, bias, dtype, seed)


class RNN(_RNN, Stack):
    """A stack of recurrent layers, one or two directions: the NumPy twin of `torch.nn.RNN`.

    Args:
        input_size, hidden_size: D and H.
        num_layers: L; layer l > 0 reads the outputs of layer l - 1.
        nonlinearity: "tanh" or "relu".
        bias: learn b_W and b_U.
        batch_first: inputs and outputs are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: probability with which an output between layers is zeroed while `training` is True.
        bidirectional: a second set of weights reads the sequence from its end; outputs are concatenated.
        dtype: float32 or float64.
        seed: seed of the initial weights, uniform in ±1/sqrt(H), and of the dropout masks.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
                 dropout=0.0, bidirectional=False, *, dtype=np.float32, seed=None):
        self.nonlinearity = checks.choice("nonlinearity", nonlinearity, NONLINEARITIES)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         dtype=dtype, seed=seed)
