"""Solution of the practice variant: i = 1 - f, peepholes on the cell before, softsign candidate, rows o, f, g."""

import numpy as np


def sigmoid(a):
    return 0.5 * np.tanh(0.5 * a) + 0.5                   # no exponential that could overflow


def forward(x, h0, c0, weights):
    T, B, _ = x.shape
    H = h0.shape[1]
    W_o, W_f, W_g = np.split(weights["weight_ih"], 3)
    U_o, U_f, U_g = np.split(weights["weight_hh"], 3)
    b_o, b_f, b_g = np.split(weights["bias"], 3)
    p_o, p_f = weights["weight_peephole"]
    h, c, f, g, o = (np.empty((T, B, H), x.dtype) for _ in range(5))
    h_last, c_last = h0, c0
    for t in range(T):
        f[t] = sigmoid(x[t] @ W_f.T + h_last @ U_f.T + b_f + p_f * c_last)
        o[t] = sigmoid(x[t] @ W_o.T + h_last @ U_o.T + b_o + p_o * c_last)
        a = x[t] @ W_g.T + h_last @ U_g.T + b_g
        g[t] = a / (1 + np.abs(a))
        c[t] = f[t] * c_last + (1 - f[t]) * g[t]
        h[t] = o[t] * c[t]
        h_last, c_last = h[t], c[t]
    return {"h": h, "c": c, "i": 1 - f, "f": f, "g": g, "o": o}


def backward(cache, weights, d_h, d_c_last):
    x, c, f, g, o = (cache[name] for name in ("x", "c", "f", "g", "o"))
    W_o, W_f, W_g = np.split(weights["weight_ih"], 3)
    U_o, U_f, U_g = np.split(weights["weight_hh"], 3)
    p_o, p_f = weights["weight_peephole"]
    h_before = np.concatenate([cache["h0"][None], cache["h"][:-1]])           # h_{t-1} and c_{t-1} of every step
    c_before = np.concatenate([cache["c0"][None], c[:-1]])
    d_x = np.empty_like(x)
    d_W, d_U = np.zeros_like(weights["weight_ih"]), np.zeros_like(weights["weight_hh"])
    d_b, d_p = np.zeros_like(weights["bias"]), np.zeros_like(weights["weight_peephole"])
    d_state, d_cell = np.zeros_like(cache["h0"]), d_c_last                    # from the steps after t
    for t in reversed(range(len(x))):
        d_state = d_state + d_h[t]
        d_cell = d_cell + d_state * o[t]
        d_ao = d_state * c[t] * o[t] * (1 - o[t])
        d_af = d_cell * (c_before[t] - g[t]) * f[t] * (1 - f[t])              # i = 1 - f arrives with the other sign
        d_ag = d_cell * (1 - f[t]) * (1 - np.abs(g[t])) ** 2                  # softsign' = (1 - |softsign|)²
        d_x[t] = d_ao @ W_o + d_af @ W_f + d_ag @ W_g
        d_a = np.concatenate([d_ao, d_af, d_ag], axis=1)                      # (B, 3H)
        d_W += d_a.T @ x[t]
        d_U += d_a.T @ h_before[t]
        d_b += d_a.sum(0)
        d_p += np.stack([(d_ao * c_before[t]).sum(0), (d_af * c_before[t]).sum(0)])
        d_state = d_ao @ U_o + d_af @ U_f + d_ag @ U_g
        d_cell = d_cell * f[t] + p_o * d_ao + p_f * d_af
    return {"d_x": d_x, "d_h0": d_state, "d_c0": d_cell, "d_weight_ih": d_W, "d_weight_hh": d_U, "d_bias": d_b,
            "d_weight_peephole": d_p}
