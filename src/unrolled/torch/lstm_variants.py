"""Variants of the LSTM in torch: other gates, peepholes, layer norm, a mask on the state, in any combination.

    a_t = n_W * LN(W x_t) + b_W + n_U * LN(U h_{t-1}) + b_U     layer norm with gains n; else a_t as ever
    i_t = σ(a_i + p_i * c_{t-1})                                peepholes, one p a unit; else p = 0
    f_t = σ(a_f + p_f * c_{t-1}),  or 1,  or 1 - i_t            forget gate: True, False (1997), "coupled"
    g_t = tanh(a_g)
    c_t = f_t * c_{t-1} + i_t * g_t
    o_t = σ(a_o + p_o * c_t)                                    this one sees the cell as it is now
    h_t = o_t * tanh(m_t),  m_t = n_c * LN(c_t) + b_c,  or c_t

Sources: Hochreiter & Schmidhuber 1997, Gers & Schmidhuber 2000, Ba et al. 2016 (eqs. 20-22), Greff et al. 2017.
Letters: B batch, H hidden_size; G blocks of weights, 4 (i, f, g, o) or 3 (i, g, o).
"""

import torch.nn.functional as F


def normalised(v, gain, bias=None):
    """n * LN(v) + b over the last axis."""
    return F.layer_norm(v, v.shape[-1:], gain, bias)


def step(drive, state, p, forget_gate):
    """One step.

    Args:
        drive: what the input adds to a_t, (B, G·H).
        state: h_{t-1} and c_{t-1}, (B, H) each.
        p: the parameters by name; `weight_peephole` (G - 1, H) and `norm_hh` (G·H,), `norm_c` (H,) switch their options
            on.
        forget_gate: True, False or "coupled".

    Returns:
        h_t and c_t, (B, H) each.
    """
    h, c = state
    if "norm_hh" in p:
        a = drive + normalised(F.linear(h, p["weight_hh"]), p["norm_hh"], p.get("bias_hh"))
    else:
        a = drive + F.linear(h, p["weight_hh"], p.get("bias_hh"))          # (B, G·H)
    a_i, *a_f, a_g, a_o = a.chunk(4 if forget_gate is True else 3, dim=-1)   # (B, H) each; `a_f` may be none
    peephole = p.get("weight_peephole")
    i = (a_i if peephole is None else a_i + peephole[0] * c).sigmoid()
    if forget_gate is True:
        f = (a_f[0] if peephole is None else a_f[0] + peephole[1] * c).sigmoid()
    else:
        f = 1 - i if forget_gate == "coupled" else 1
    c = f * c + i * a_g.tanh()
    o = (a_o if peephole is None else a_o + peephole[-1] * c).sigmoid()
    shown = normalised(c, p["norm_c"], p.get("bias_c")) if "norm_c" in p else c
    return o * shown.tanh(), c
