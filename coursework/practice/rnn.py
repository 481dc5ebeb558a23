"""Solution of the practice variant: input times recurrence, rms, arctan, a leak of 0.3, differences read out."""

import numpy as np


def forward(x, h0, weights):
    T, B, _ = x.shape
    H = h0.shape[1]
    W, U, b = weights["weight_ih"], weights["weight_hh"], weights["bias"]
    states = np.empty((T + 1, B, H), x.dtype)
    a, u, s = (np.empty((T, B, H), x.dtype) for _ in range(3))
    states[0] = h0
    for t in range(T):
        a[t] = (x[t] @ W.T) * (states[t] @ U.T) + b
        u[t] = a[t] / np.sqrt((a[t] ** 2).mean(1, keepdims=True) + 1e-5)
        s[t] = np.arctan(u[t])
        states[t + 1] = 0.7 * states[t] + 0.3 * s[t]
    y = (states[1:] - states[:-1]) @ weights["weight_out"].T + weights["bias_out"]
    return {"h": states[1:], "y": y, "a": a, "u": u, "s": s}


def backward(cache, weights, d_h, d_y):
    x, a, u = cache["x"], cache["a"], cache["u"]
    W, U, V = weights["weight_ih"], weights["weight_hh"], weights["weight_out"]
    states = np.concatenate([cache["h0"][None], cache["h"]])                  # h_0 ... h_T
    d_x, d_W, d_U, d_b = np.empty_like(x), np.zeros_like(W), np.zeros_like(U), np.zeros_like(weights["bias"])
    d_state = np.zeros_like(cache["h0"])                                      # dL/dh_t from the steps after t
    for t in reversed(range(len(x))):
        d_state = d_state + d_h[t] + d_y[t] @ V
        d_u = 0.3 * d_state / (1 + u[t] ** 2)                                 # arctan' = 1 / (1 + u²)
        rms = np.sqrt((a[t] ** 2).mean(1, keepdims=True) + 1e-5)
        d_a = (d_u - u[t] * (u[t] * d_u).mean(1, keepdims=True)) / rms
        d_drive = d_a * (states[t] @ U.T)
        d_recurrent = d_a * (x[t] @ W.T)
        d_x[t] = d_drive @ W
        d_W += d_drive.T @ x[t]
        d_U += d_recurrent.T @ states[t]
        d_b += d_a.sum(0)
        d_state = 0.7 * d_state + d_recurrent @ U - d_y[t] @ V                # y_t reads h_{t-1} too
    changes = states[1:] - states[:-1]
    return {"d_x": d_x, "d_h0": d_state, "d_weight_ih": d_W, "d_weight_hh": d_U, "d_bias": d_b,
            "d_weight_out": np.einsum("tbo,tbh->oh", d_y, changes), "d_bias_out": d_y.sum((0, 1))}
