"""Solution of the practice variant: reset before the matrix, z writes, softsign candidate, rows in the order zrn."""

import numpy as np


def sigmoid(a):
    return 0.5 * np.tanh(0.5 * a) + 0.5                   # no exponential that could overflow


def forward(x, h0, weights):
    T, B, _ = x.shape
    H = h0.shape[1]
    W_z, W_r, W_n = np.split(weights["weight_ih"], 3)
    U_z, U_r, U_n = np.split(weights["weight_hh"], 3)
    b_z, b_r, b_n = np.split(weights["bias_ih"] + weights["bias_hh"], 3)      # only their sum matters here
    h, r, z, n = (np.empty((T, B, H), x.dtype) for _ in range(4))
    last = h0
    for t in range(T):
        r[t] = sigmoid(x[t] @ W_r.T + last @ U_r.T + b_r)
        z[t] = sigmoid(x[t] @ W_z.T + last @ U_z.T + b_z)
        a = x[t] @ W_n.T + (r[t] * last) @ U_n.T + b_n
        n[t] = a / (1 + np.abs(a))
        h[t] = (1 - z[t]) * last + z[t] * n[t]
        last = h[t]
    return {"h": h, "r": r, "z": z, "n": n}


def backward(cache, weights, d_h):
    x, r, z, n, past = (cache[name] for name in ("x", "r", "z", "n", "past"))
    W_z, W_r, W_n = np.split(weights["weight_ih"], 3)
    U_z, U_r, U_n = np.split(weights["weight_hh"], 3)
    before = np.concatenate([cache["h0"][None], cache["h"][:-1]])             # h_{t-1} of every step
    d_x = np.empty_like(x)
    d_W, d_U = np.zeros_like(weights["weight_ih"]), np.zeros_like(weights["weight_hh"])
    d_b = np.zeros_like(weights["bias_ih"])
    d_state = np.zeros_like(cache["h0"])                                      # dL/dh_t from the steps after t
    for t in reversed(range(len(x))):
        d_state = d_state + d_h[t]
        d_z = d_state * (n[t] - before[t])
        d_n = d_state * z[t]
        d_an = d_n * (1 - np.abs(n[t])) ** 2                                  # softsign' = (1 - |softsign|)²
        d_past = d_an @ U_n
        d_r = d_past * before[t]
        d_az = d_z * z[t] * (1 - z[t])
        d_ar = d_r * r[t] * (1 - r[t])
        d_x[t] = d_az @ W_z + d_ar @ W_r + d_an @ W_n
        d_W += np.concatenate([d_az.T @ x[t], d_ar.T @ x[t], d_an.T @ x[t]])
        d_U += np.concatenate([d_az.T @ before[t], d_ar.T @ before[t], d_an.T @ past[t]])
        d_b += np.concatenate([d_az.sum(0), d_ar.sum(0), d_an.sum(0)])
        d_state = (1 - z[t]) * d_state + d_past * r[t] + d_az @ U_z + d_ar @ U_r
    return {"d_x": d_x, "d_h0": d_state, "d_weight_ih": d_W, "d_weight_hh": d_U, "d_bias_ih": d_b, "d_bias_hh": d_b}
