"""Variants of the LSTM in NumPy, forward and backward: other gates, peepholes, layer norm, in any combination.

    a_t = n_W * LN(W x_t) + b_W + n_U * LN(U h_{t-1}) + b_U     layer norm with gains n; else a_t as ever
    i_t = σ(a_i + p_i * c_{t-1})                                peepholes, one p a unit; else p = 0
    f_t = σ(a_f + p_f * c_{t-1}),  or 1,  or 1 - i_t            forget gate: True, False (1997), "coupled"
    g_t = tanh(a_g)
    c_t = f_t * c_{t-1} + i_t * g_t
    o_t = σ(a_o + p_o * c_t)                                    this one sees the cell as it is now
    h_t = o_t * tanh(m_t),  m_t = n_c * LN(c_t) + b_c,  or c_t

LN(v) = (v - mean v) / sqrt(var v + 1e-5) over a row, with the biased variance. Each option adds its terms to the
gradients of `lstm`; a cell with none of them is that cell, which is tested.

Sources: Hochreiter & Schmidhuber 1997, Gers & Schmidhuber 2000, Ba et al. 2016 (eqs. 20-22), Greff et al. 2017.
Letters: T steps, B batch, D input_size, H hidden_size; G blocks of weights, 4 (i, f, g, o) or 3 (i, g, o).
"""

import numpy as np

from unrolled.numpy.norm import layer_norm, layer_norm_backward
from unrolled.numpy.stack import sigmoid, summed_bias, with_biases


def blocks(a, forget_gate):
    """The blocks i, f, g, o of the last axis, as views; None for an f that is not there."""
    if forget_gate is True:
        return np.split(a, 4, axis=-1)
    i, g, o = np.split(a, 3, axis=-1)
    return i, None, g, o


def run(x, state, p, forget_gate):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        state: h_0 and c_0, (B, H) each.
        p: the parameters by name; `weight_peephole` (G - 1, H) and `norm_ih`, `norm_hh` (G·H,), `norm_c` (H,) switch
            their options on.
        forget_gate: True, False or "coupled".

    Returns:
        The output (T, B, H), the final (h, c), and what `run_backward` needs.
    """
    T, B, D = x.shape
    peephole, norm = p.get("weight_peephole"), "norm_c" in p
    h, c = np.empty((2, T + 1, B, p["weight_hh"].shape[1]), x.dtype)
    h[0], c[0] = state
    drive = (x.reshape(T * B, D) @ p["weight_ih"].T).reshape(T, B, len(p["weight_ih"]))  # (T, B, G·H)
    saved_norms = {}
    if norm:
        drive, scale = layer_norm(drive)
        saved_norms = {"ih": (drive, scale), "hh": [], "c": []}
        drive = drive * p["norm_ih"]
    gates = drive + summed_bias(p)
    for t in range(T):
        recurrent = h[t] @ p["weight_hh"].T                                  # (B, G·H)
        if norm:
            saved_norms["hh"].append(layer_norm(recurrent))
            recurrent = p["norm_hh"] * saved_norms["hh"][t][0]
        gates[t] += recurrent
        i, f, g, o = blocks(gates[t], forget_gate)                           # (B, H) each, views into `gates`
        if peephole is not None:
            i += peephole[0] * c[t]
        sigmoid(i, out=i)
        if forget_gate is True:
            if peephole is not None:
                f += peephole[1] * c[t]
            sigmoid(f, out=f)
        np.tanh(g, out=g)
        c[t + 1] = kept(i, f, forget_gate) * c[t] + i * g
        if peephole is not None:
            o += peephole[-1] * c[t + 1]
        sigmoid(o, out=o)
        shown = c[t + 1]
        if norm:
            saved_norms["c"].append(layer_norm(shown))
            shown = p["norm_c"] * saved_norms["c"][t][0] + p.get("bias_c", 0)
        h[t + 1] = o * np.tanh(shown)
    return h[1:], (h[-1], c[-1]), (x, h, c, gates, saved_norms)


def kept(i, f, forget_gate):
    """The factor of c_{t-1}."""
    return f if forget_gate is True else 1 - i if forget_gate == "coupled" else 1


def run_backward(d_output, d_state, saved, p, forget_gate):
    """Backpropagate through `run`.

    Args:
        d_output: dL/dy_t for the output y_t = h_t of each step, (T, B, H).
        d_state: dL/dh_T and dL/dc_T from whatever reads the final state, (B, H) each.
        saved, p, forget_gate: as `run` returned and took them.

    Returns:
        d_x (T, B, D), the pair (d_h0, d_c0), and the gradients of the parameters by name.
    """
    x, h, c, gates, norms = saved
    T, B, D = x.shape
    peephole, (d_h, d_c) = p.get("weight_peephole"), d_state
    d_a, d_recurrent = np.empty_like(gates), np.empty_like(gates)            # (T, B, G·H) each
    grads = {name: np.zeros_like(p[name]) for name in ("weight_peephole", "norm_c", "bias_c") if name in p}
    for t in reversed(range(T)):
        i, f, g, o = blocks(gates[t], forget_gate)
        d_i, d_f, d_g, d_o = blocks(d_a[t], forget_gate)                     # (B, H) each, views into `d_a`
        d_h = d_h + d_output[t]                                              # (B, H)
        shown = p["norm_c"] * norms["c"][t][0] + p.get("bias_c", 0) if norms else c[t + 1]
        tanh_shown = np.tanh(shown)
        d_o[:] = d_h * tanh_shown * o * (1 - o)
        d_shown = d_h * o * (1 - tanh_shown**2)                              # (B, H)  dL/dm_t
        if norms:
            grads["norm_c"] += np.sum(d_shown * norms["c"][t][0], 0)
            if "bias_c" in grads:
                grads["bias_c"] += d_shown.sum(0)
            d_shown = layer_norm_backward(d_shown * p["norm_c"], *norms["c"][t])
        d_c = d_c + d_shown                                                  # (B, H)
        if peephole is not None:
            d_c = d_c + peephole[-1] * d_o
            grads["weight_peephole"][-1] += np.sum(d_o * c[t + 1], 0)
        d_i[:] = d_c * g
        if forget_gate == "coupled":
            d_i -= d_c * c[t]                                                # f_t = 1 - i_t
        d_i *= i * (1 - i)
        d_g[:] = d_c * i * (1 - g**2)
        d_c_before = d_c * kept(i, f, forget_gate)
        if forget_gate is True:
            d_f[:] = d_c * c[t] * f * (1 - f)
        if peephole is not None:
            d_c_before += peephole[0] * d_i
            grads["weight_peephole"][0] += np.sum(d_i * c[t], 0)
            if forget_gate is True:
                d_c_before += peephole[1] * d_f
                grads["weight_peephole"][1] += np.sum(d_f * c[t], 0)
        d_c = d_c_before                                                     # (B, H)
        d_recurrent[t] = layer_norm_backward(d_a[t] * p["norm_hh"], *norms["hh"][t]) if norms else d_a[t]
        d_h = d_recurrent[t] @ p["weight_hh"]                                # (B, H)
    d_drive = d_a
    if norms:
        d_drive = layer_norm_backward(d_a * p["norm_ih"], *norms["ih"])
        grads["norm_ih"] = np.sum(d_a * norms["ih"][0], (0, 1))
        grads["norm_hh"] = np.sum(d_a * np.stack([normal for normal, _ in norms["hh"]]), (0, 1))
    rows, recurrent_rows = (d.reshape(T * B, len(p["weight_ih"])) for d in (d_drive, d_recurrent))
    grads["weight_ih"] = rows.T @ x.reshape(T * B, D)                        # (G·H, D)
    grads["weight_hh"] = recurrent_rows.T @ h[:-1].reshape(T * B, h.shape[-1])        # (G·H, H)
    d_x = (rows @ p["weight_ih"]).reshape(T, B, D)
    return d_x, (d_h, d_c), with_biases(p, grads, d_a.sum((0, 1)))
