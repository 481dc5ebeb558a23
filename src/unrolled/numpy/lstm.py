"""The long short-term memory of Gers et al. (2000) in NumPy, forward and backward.

    i_t = σ(W_i x_t + U_i h_{t-1} + b_i)          input gate: how much is written
    f_t = σ(W_f x_t + U_f h_{t-1} + b_f)          forget gate: how much is kept
    g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)       candidate: what is written
    o_t = σ(W_o x_t + U_o h_{t-1} + b_o)          output gate: how much is shown
    c_t = f_t * c_{t-1} + i_t * g_t               cell
    h_t = o_t * tanh(c_t)                         state

and, with dh_t and dc_t summed over every later use, and σ' = σ (1 - σ), tanh' = 1 - tanh^2,

    do_t = dh_t * tanh(c_t),    dc_t += dh_t * o_t * tanh'(c_t)
    di_t = dc_t * g_t,          df_t = dc_t * c_{t-1},    dg_t = dc_t * i_t
    da_t = each of these, times the slope of its own gate,                        (da_i, da_f, da_g, da_o)
    dc_{t-1} = f_t * dc_t,      dh_{t-1} = dL/dy_{t-1} + U' da_t
    dW = sum_t da_t x_t',       dU = sum_t da_t h_{t-1}',    db = sum_t da_t

W, U and b hold the four blocks of H rows in torch's order: i, f, g, o.
Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
Beside it: `lstm_variants` (other gates, peepholes, layer norm), `lstm_fused` (the same equations, faster).
"""

from functools import partial

import numpy as np

from unrolled import checks
from unrolled.numpy import lstm_fused, lstm_variants
from unrolled.numpy.stack import Cell, Stack, sigmoid, summed_bias, with_biases
from unrolled.shapes import lstm_shapes


def run(x, h0, c0, weight_ih, weight_hh, bias):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        h0, c0: state and cell before the first step, (B, H) each.
        weight_ih, weight_hh: W, (4H, D), and U, (4H, H).
        bias: b_W + b_U, (4H,), or 0.

    Returns:
        Every state and every cell, h_0 and c_0 included, (T + 1, B, H) each, and every gate, (T, B, 4H).
    """
    T, B, D = x.shape
    H = len(weight_hh) // 4
    h, c = np.empty((2, T + 1, B, H), x.dtype)
    h[0], c[0] = h0, c0
    drive = x.reshape(T * B, D) @ weight_ih.T + bias      # (T·B, 4H)  W x_t + b, all gates and steps at once
    gates = drive.reshape(T, B, 4 * H)
    for t in range(T):                                    # the only sequential part
        gates[t] += h[t] @ weight_hh.T                    # (B, 4H)  a_t
        i, f, g, o = np.split(gates[t], 4, axis=1)        # (B, H) each, views: what follows happens in `gates`
        sigmoid(i, out=i)
        sigmoid(f, out=f)
        np.tanh(g, out=g)
        sigmoid(o, out=o)
        c[t + 1] = f * c[t] + i * g                       # (B, H)
        h[t + 1] = o * np.tanh(c[t + 1])                  # (B, H)
    return h, c, gates


def run_backward(d_output, d_h, d_c, x, h, c, gates, weight_ih, weight_hh):
    """Backpropagate through `run`.

    Args:
        d_output: dL/dy_t for the output y_t = h_t of each step, (T, B, H).
        d_h, d_c: dL/dh_T and dL/dc_T from whatever reads the final state, (B, H) each.
        x, h, c, gates, weight_ih, weight_hh: as `run` took and returned them.

    Returns:
        d_x (T, B, D), d_h0 and d_c0 (B, H), and the gradients of W, U and b.
    """
    T, B, D = x.shape
    d_a = np.empty_like(gates)                            # (T, B, 4H)
    for t in reversed(range(T)):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        d_i, d_f, d_g, d_o = np.split(d_a[t], 4, axis=1)  # (B, H) each, views into `d_a`
        tanh_c = np.tanh(c[t + 1])
        d_h = d_h + d_output[t]                           # (B, H)  the output of step t uses h_t
        d_c = d_c + d_h * o * (1 - tanh_c**2)             # (B, H)  h_t uses c_t, and so does c_{t+1}
        d_i[:] = d_c * g * i * (1 - i)
        d_f[:] = d_c * c[t] * f * (1 - f)
        d_g[:] = d_c * i * (1 - g**2)
        d_o[:] = d_h * tanh_c * o * (1 - o)
        d_c = d_c * f                                     # (B, H)  the carousel: no matrix, no slope, only f_t
        d_h = d_a[t] @ weight_hh                          # (B, H)  all other paths to step t - 1 lead through U
    rows = d_a.reshape(T * B, len(weight_hh))             # (T·B, 4H)  one GEMM sums steps and batch
    d_x = (rows @ weight_ih).reshape(T, B, D)
    d_weight_ih = rows.T @ x.reshape(T * B, D)            # (4H, D)
    d_weight_hh = rows.T @ h[:-1].reshape(T * B, weight_hh.shape[1])  # (4H, H)
    return d_x, d_h, d_c, d_weight_ih, d_weight_hh, rows.sum(0)


def _back(saved, p, d_output, d_state):
    """`run_backward`, with parameters and their gradients by name."""
    d_x, d_h, d_c, d_weight_ih, d_weight_hh, d_bias = run_backward(
        d_output, *d_state, *saved, p["weight_ih"], p["weight_hh"]
    )
    return d_x, (d_h, d_c), with_biases(p, {"weight_ih": d_weight_ih, "weight_hh": d_weight_hh}, d_bias)


class _LSTM:
    """What the cell and the layer share: options, parameters, and which equations run."""

    state_names = ("h", "c")
    fused = False

    def _options(self, bias, **options):
        checks.lstm_options(bias, **options)
        for name, value in options.items():
            setattr(self, name, value)

    def _shapes(self, width):
        return lstm_shapes(width, self.hidden_size, self.bias, self.peephole, self.forget_gate, self.layer_norm)

    def _initialise(self, suffixes, rng):
        """What is not uniform: gains of layer norms, and a forget gate that starts open."""
        H = self.hidden_size
        for suffix in suffixes:
            p = {name: self.parameters[name + suffix] for name in self._shapes(1)}
            for name in p.keys() & {"norm_ih", "norm_hh", "norm_c"}:
                p[name][:] = 1
            if self.forget_bias is not None:
                p["bias_ih"][H : 2 * H], p["bias_hh"][H : 2 * H] = self.forget_bias, 0
            if self.chrono is not None:                       # b_f = log u, b_i = -b_f, u ~ U(1, T_max - 1)
                p["bias_ih"][H : 2 * H] = np.log(rng.uniform(1, self.chrono - 1, H))
                p["bias_ih"][:H] = -p["bias_ih"][H : 2 * H]
                p["bias_hh"][: 2 * H] = 0

    def _run(self, x, state, p):
        if self.fused:
            output, last, saved = lstm_fused.run(x, state, p)
            return output, last, partial(lstm_fused.run_backward, saved=saved, p=p)
        if self.forget_gate is not True or self.peephole or self.layer_norm:
            output, last, saved = lstm_variants.run(x, state, p, self.forget_gate)
            return output, last, partial(lstm_variants.run_backward, saved=saved, p=p, forget_gate=self.forget_gate)
        h, c, gates = run(x, *state, p["weight_ih"], p["weight_hh"], summed_bias(p))
        return h[1:], (h[-1], c[-1]), partial(_back, (x, h, c, gates), p)


class LSTMCell(_LSTM, Cell):
    """One step of the six equations, `(h_t, c_t)` from x_t and `(h_{t-1}, c_{t-1})`.

    Args:
        input_size, hidden_size, bias, dtype, seed: as for `LSTM`.
        peephole, forget_gate, forget_bias, chrono, layer_norm: as for `LSTM`.

    Raises:
        TypeError, ValueError: an argument outside what is listed, or two that exclude each other.
    """

    def __init__(self, input_size, hidden_size, bias=True, *, peephole=False, forget_gate=True, forget_bias=None,
                 chrono=None, layer_norm=False, dtype=np.float32, seed=None):
        self._options(checks.flag("bias", bias), peephole=peephole, forget_gate=forget_gate, forget_bias=forget_bias,
                      chrono=chrono, layer_norm=layer_norm)
        rng = np.random.default_rng(seed)
        super().__init__(input_size, hidden_size, bias, dtype, rng)
        self._initialise([""], rng)


class LSTM(_LSTM, Stack):
    """A stack of LSTM layers, one or two directions: the NumPy twin of `torch.nn.LSTM`.

    Args:
        input_size, hidden_size: D and H.
        num_layers: L; layer l > 0 reads the outputs of layer l - 1.
        bias: learn b_W and b_U.
        batch_first: inputs and outputs are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: probability with which an output between layers is zeroed while `training` is True.
        bidirectional: a second set of weights reads the sequence from its end; outputs are concatenated.
        peephole: the gates read the cell too (Gers & Schmidhuber 2000): i and f see c_{t-1}, o sees c_t, through
            `weight_peephole`, one row a gate in the order i, f, o.
        forget_gate: True; False for the cell of Hochreiter & Schmidhuber (1997), where f_t = 1; "coupled" for
            f_t = 1 - i_t. The last two have three blocks of weights, i, g, o.
        forget_bias: what b_W + b_U of the forget gate starts from; torch's own start if left out.
        chrono: T_max, the longest lag expected: forget biases start at log u and input biases at -log u, with u uniform
            in [1, T_max - 1] (Tallec & Ollivier 2018).
        layer_norm: normalise W x_t, U h_{t-1} and c_t, each with a learned gain (Ba et al. 2016, eqs. 20-22).
        fused: run `lstm_fused`, the same equations arranged for speed; for the standard cell only.
        dtype: float32 or float64.
        seed: seed of the initial weights, uniform in ±1/sqrt(H), and of the dropout masks.

    Raises:
        TypeError, ValueError: an argument outside what is listed above, or two that exclude each other.
    """

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, *, peephole=False, forget_gate=True, forget_bias=None, chrono=None,
                 layer_norm=False, fused=False, dtype=np.float32, seed=None):
        checks.layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        self._options(bias, peephole=peephole, forget_gate=forget_gate, forget_bias=forget_bias, chrono=chrono,
                      layer_norm=layer_norm, fused=fused)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         dtype=dtype, seed=seed)
        self._initialise([suffix for _, suffix in self._directions()], self.rng)
