"""Solution of the practice variant: roots of distances, a window of 3, products over N, a layer norm afterwards."""

import numpy as np

WINDOW = 3


def split(a, heads):
    """(B, T, h·N) as (B, h, T, N)."""
    B, T, width = a.shape
    return a.reshape(B, T, heads, width // heads).swapaxes(1, 2)


def merge(a):
    """(B, h, T, N) as (B, T, h·N)."""
    B, heads, T, N = a.shape
    return a.swapaxes(1, 2).reshape(B, T, heads * N)


def attend(q, k, v):
    """Weights and what they find, for the last T of S positions."""
    heads, T, N = q.shape[1:]
    S = k.shape[2]
    distance = np.arange(S - T, S)[:, None] - np.arange(S)                    # (T, S); negative in the future
    slopes = 2.0 ** -np.arange(1, heads + 1)[:, None, None]
    scores = q @ k.mT / N - slopes * np.sqrt(np.maximum(distance, 0))
    scores[..., (distance < 0) | (distance >= WINDOW)] = -np.inf
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    alignment = shares / shares.sum(-1, keepdims=True)
    return alignment, merge(alignment @ v)


def centred(z):
    """What the norm returns before the gain, and the length that it divided by."""
    deviation = z - z.mean(-1, keepdims=True)
    length = np.sqrt((deviation**2).mean(-1, keepdims=True) + 1e-5)
    return deviation / length, length


def forward(x, weights, heads):
    q, k, v = (split(x @ weights[name].T, heads) for name in ("weight_q", "weight_k", "weight_v"))
    alignment, mixed = attend(q, k, v)
    z = x + mixed @ weights["weight_out"].T
    y = centred(z)[0] * weights["gain"]
    return {"q": q, "k": k, "v": v, "alignment": alignment, "mixed": mixed, "z": z, "y": y}


def backward(cache, weights, heads, d_y):
    x, q, k, v, alignment = (cache[name] for name in ("x", "q", "k", "v", "alignment"))
    u, length = centred(cache["z"])
    d_u = d_y * weights["gain"]
    d_z = (d_u - d_u.mean(-1, keepdims=True) - u * (u * d_u).mean(-1, keepdims=True)) / length
    d_found = split(d_z @ weights["weight_out"], heads)                       # (B, h, T, N)
    d_alignment = d_found @ v.mT
    d_scores = alignment * (d_alignment - (alignment * d_alignment).sum(-1, keepdims=True)) / q.shape[-1]
    d_projected = {"weight_q": merge(d_scores @ k), "weight_k": merge(d_scores.mT @ q),
                   "weight_v": merge(alignment.mT @ d_found)}
    d_x = d_z.copy()                                                          # past the attention
    gradients = {}
    for name, d in d_projected.items():
        d_x += d @ weights[name]
        gradients["d_" + name] = np.einsum("bti,btj->ij", d, x)
    gradients["d_weight_out"] = np.einsum("bti,btj->ij", d_z, cache["mixed"])
    gradients["d_gain"] = (d_y * u).sum((0, 1))
    return {"d_x": d_x, **gradients}


def step(x_t, keys, values, weights, heads):
    x = x_t[:, None]                                                          # (B, 1, h·N)
    q, k, v = (split(x @ weights[name].T, heads) for name in ("weight_q", "weight_k", "weight_v"))
    keys, values = np.concatenate([keys, k], axis=2), np.concatenate([values, v], axis=2)
    z = x + attend(q, keys, values)[1] @ weights["weight_out"].T
    return {"y": (centred(z)[0] * weights["gain"])[:, 0], "keys": keys, "values": values}
