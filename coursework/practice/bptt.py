"""Solution of the practice variant: softsign, a discounted loss, a sliding window, the norm of each, their mean."""

import numpy as np


def discounts(T):
    return 0.9 ** np.arange(T - 1, -1, -1.0)


def forward(x, h0, target, weights):
    T, B, _ = x.shape
    h = np.empty((T, *h0.shape), x.dtype)
    last = h0
    for t in range(T):
        a = x[t] @ weights["weight_ih"].T + last @ weights["weight_hh"].T + weights["bias"]
        last = h[t] = a / (1 + np.abs(a))
    y = h @ weights["weight_out"].T + weights["bias_out"]
    loss = (discounts(T) * ((y - target) ** 2).sum((1, 2))).sum() / (2 * B)
    return {"h": h, "y": y, "loss": loss}


def at_outputs(cache, d_loss):
    """The gradient of everything that is read out."""
    T, B, _ = cache["y"].shape
    return d_loss * discounts(T)[:, None, None] * (cache["y"] - cache["target"]) / B


def slope(h):
    return (1 - np.abs(h)) ** 2                           # of softsign, written with its value


def backward(cache, weights, d_loss):
    x, h, U = cache["x"], cache["h"], weights["weight_hh"]
    before = np.concatenate([cache["h0"][None], h[:-1]])                      # h_{t-1} of every step
    d_y = at_outputs(cache, d_loss)
    d_a = np.empty_like(h)
    d_state = np.zeros_like(cache["h0"])                                      # from the steps after t
    for t in reversed(range(len(x))):
        d_state = d_state + d_y[t] @ weights["weight_out"]
        d_a[t] = d_state * slope(h[t])
        d_state = d_a[t] @ U
    return {"d_x": d_a @ weights["weight_ih"], "d_h0": d_state, "d_weight_ih": np.einsum("tbh,tbd->hd", d_a, x),
            "d_weight_hh": np.einsum("tbh,tbk->hk", d_a, before), "d_bias": d_a.sum((0, 1)),
            "d_weight_out": np.einsum("tbo,tbh->oh", d_y, h), "d_bias_out": d_y.sum((0, 1))}


def truncated(cache, weights, window, d_loss):
    x, h, U = cache["x"], cache["h"], weights["weight_hh"]
    before = np.concatenate([cache["h0"][None], h[:-1]])
    d_y = at_outputs(cache, d_loss)
    d_a = np.zeros_like(h)                                                    # summed over the losses that reach it
    for t in range(len(x)):
        d_state = d_y[t] @ weights["weight_out"]
        for s in range(t, max(-1, t - window), -1):                           # t, t - 1, ..., t - window + 1
            here = d_state * slope(h[s])
            d_a[s] += here
            d_state = here @ U
    return {"d_weight_ih": np.einsum("tbh,tbd->hd", d_a, x), "d_weight_hh": np.einsum("tbh,tbk->hk", d_a, before),
            "d_bias": d_a.sum((0, 1))}


def clip(gradients, threshold):
    clipped = {}
    for name, g in gradients.items():
        norm = np.sqrt((g**2).sum())
        clipped[name] = g * (threshold / norm) if norm > threshold else g
    return clipped


def norms(cache, weights, d_last):
    d_state, sizes = d_last, []
    for h in cache["h"][::-1]:
        sizes.append(np.linalg.norm(d_state, axis=1).mean())
        d_state = (d_state * slope(h)) @ weights["weight_hh"]
    return {"norms": np.array([*sizes, np.linalg.norm(d_state, axis=1).mean()])}
