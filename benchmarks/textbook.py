"""The loop that one writes from the equations, gate by gate and step by step: what the fast paths are held against.

Every gate has its own matrices, as in the six equations, every operation makes a new array, and the backward pass adds
to the gradients at every step. The layout of the parameters is torch's, so that they can be compared.

Letters: T steps, B batch, D input_size, H hidden_size.
"""

import numpy as np


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm(x, state, p):
    """Forward: every h_t, (T, B, H), the pair (h_T, c_T), and what the backward pass needs."""
    (W_i, W_f, W_g, W_o), (U_i, U_f, U_g, U_o) = np.split(p["weight_ih"], 4), np.split(p["weight_hh"], 4)
    b_i, b_f, b_g, b_o = np.split(p["bias_ih"] + p["bias_hh"], 4)
    (h, c), outputs, saved = state, [], []
    for x_t in x:
        i = sigmoid(x_t @ W_i.T + h @ U_i.T + b_i)                       # (B, H)
        f = sigmoid(x_t @ W_f.T + h @ U_f.T + b_f)
        g = np.tanh(x_t @ W_g.T + h @ U_g.T + b_g)
        o = sigmoid(x_t @ W_o.T + h @ U_o.T + b_o)
        h_last, c_last = h, c
        c = f * c_last + i * g
        h = o * np.tanh(c)
        outputs.append(h)
        saved.append((x_t, h_last, c_last, c, i, f, g, o))
    return np.stack(outputs), (h, c), saved


def lstm_backward(d_output, d_state, saved, p):
    """Backward: d_x, the pair (dh_0, dc_0), and the parameters' gradients by name."""
    W, U = np.split(p["weight_ih"], 4), np.split(p["weight_hh"], 4)
    d_W, d_U = [np.zeros_like(gate) for gate in W], [np.zeros_like(gate) for gate in U]
    d_b, d_x, (d_h, d_c) = [0, 0, 0, 0], [], d_state
    for d_y, (x_t, h_last, c_last, c, i, f, g, o) in zip(d_output[::-1], saved[::-1]):
        d_h = d_h + d_y
        d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2)
        d_gates = (
            d_c * g * i * (1 - i),                                       # (B, H) each
            d_c * c_last * f * (1 - f),
            d_c * i * (1 - g**2),
            d_h * np.tanh(c) * o * (1 - o),
        )
        d_c = d_c * f
        d_h, d_x_t = 0, 0
        for k, d_a in enumerate(d_gates):
            d_W[k] += d_a.T @ x_t
            d_U[k] += d_a.T @ h_last
            d_b[k] = d_b[k] + d_a.sum(0)
            d_x_t = d_x_t + d_a @ W[k]
            d_h = d_h + d_a @ U[k]
        d_x.append(d_x_t)
    d_bias = np.concatenate(d_b)
    grads = {"weight_ih": np.concatenate(d_W), "weight_hh": np.concatenate(d_U), "bias_ih": d_bias, "bias_hh": d_bias}
    return np.stack(d_x[::-1]), (d_h, d_c), grads


def gru(x, state, p):
    """Forward, reset after: every h_t, (T, B, H), h_T in a tuple, and what the backward pass needs."""
    (W_r, W_z, W_n), (U_r, U_z, U_n) = np.split(p["weight_ih"], 3), np.split(p["weight_hh"], 3)
    (b_r, b_z, b_n), (k_r, k_z, k_n) = np.split(p["bias_ih"], 3), np.split(p["bias_hh"], 3)
    (h,), outputs, saved = state, [], []
    for x_t in x:
        r = sigmoid(x_t @ W_r.T + b_r + h @ U_r.T + k_r)                 # (B, H)
        z = sigmoid(x_t @ W_z.T + b_z + h @ U_z.T + k_z)
        m = h @ U_n.T + k_n
        n = np.tanh(x_t @ W_n.T + b_n + r * m)
        h_last = h
        h = (1 - z) * n + z * h_last
        outputs.append(h)
        saved.append((x_t, h_last, r, z, m, n))
    return np.stack(outputs), (h,), saved


def gru_backward(d_output, d_state, saved, p):
    """Backward: d_x, dh_0 in a tuple, and the parameters' gradients by name."""
    W, U = np.split(p["weight_ih"], 3), np.split(p["weight_hh"], 3)
    d_W, d_U = [np.zeros_like(gate) for gate in W], [np.zeros_like(gate) for gate in U]
    d_b, d_k, d_x, (d_h,) = [0, 0, 0], [0, 0, 0], [], d_state
    for d_y, (x_t, h_last, r, z, m, n) in zip(d_output[::-1], saved[::-1]):
        d_h = d_h + d_y
        d_n = d_h * (1 - z) * (1 - n**2)                                 # (B, H)
        d_r, d_z = d_n * m * r * (1 - r), d_h * (h_last - n) * z * (1 - z)
        d_h, d_x_t = d_h * z, 0
        for k, (d_a, d_u) in enumerate(((d_r, d_r), (d_z, d_z), (d_n, d_n * r))):
            d_W[k] += d_a.T @ x_t
            d_U[k] += d_u.T @ h_last
            d_b[k] = d_b[k] + d_a.sum(0)
            d_k[k] = d_k[k] + d_u.sum(0)
            d_x_t = d_x_t + d_a @ W[k]
            d_h = d_h + d_u @ U[k]
        d_x.append(d_x_t)
    grads = {"weight_ih": np.concatenate(d_W), "weight_hh": np.concatenate(d_U),
             "bias_ih": np.concatenate(d_b), "bias_hh": np.concatenate(d_k)}
    return np.stack(d_x[::-1]), (d_h,), grads
