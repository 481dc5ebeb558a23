"""Solution of the practice variant: q'Ak, a softmax with a 1 in its denominator, True = left out, gated, s_t asks."""

import numpy as np


def sigmoid(a):
    return 0.5 * np.tanh(0.5 * a) + 0.5                   # no exponential that could overflow


def forward(query, keys, values, mask, weights):
    scores = query @ weights["weight_score"] @ keys.mT                        # (B, T, S)
    logits = np.where(mask[:, None], -np.inf, scores)
    peak = np.maximum(logits.max(-1, keepdims=True), 0)                       # the 0 is a score, too
    shares = np.exp(logits - peak)
    alignment = shares / (np.exp(-peak) + shares.sum(-1, keepdims=True))
    mixed = alignment @ values
    gate = sigmoid(query @ weights["weight_gate"].T + weights["bias_gate"])
    context = gate * (mixed @ weights["weight_out"].T)
    return {"scores": scores, "alignment": alignment, "mixed": mixed, "context": context}


def backward(cache, weights, d_context):
    query, keys, values = (cache[name] for name in ("query", "keys", "values"))
    alignment, mixed = cache["alignment"], cache["mixed"]
    A, W_o, W_g = weights["weight_score"], weights["weight_out"], weights["weight_gate"]
    gate = sigmoid(query @ W_g.T + weights["bias_gate"])
    d_out = d_context * gate
    d_gate = d_context * (mixed @ W_o.T) * gate * (1 - gate)
    d_mixed = d_out @ W_o
    d_alignment = d_mixed @ values.mT                                         # (B, T, S)
    d_values = alignment.mT @ d_mixed
    d_scores = alignment * (d_alignment - (alignment * d_alignment).sum(-1, keepdims=True))
    d_asked = d_scores @ keys                                                 # of q'A, (B, T, H)
    d_keys = d_scores.mT @ (query @ A)
    d_query = d_asked @ A.T + d_gate @ W_g
    return {"d_query": d_query, "d_keys": d_keys, "d_values": d_values,
            "d_weight_score": np.einsum("bth,btk->hk", query, d_asked),
            "d_weight_out": np.einsum("bth,btv->hv", d_out, mixed),
            "d_weight_gate": np.einsum("bth,btk->hk", d_gate, query), "d_bias_gate": d_gate.sum((0, 1))}


def decode(x, s0, keys, values, mask, weights):
    B, T, _ = x.shape
    s, y = np.empty((B, T, s0.shape[1])), np.empty((B, T, s0.shape[1]))
    last = s0
    for t in range(T):
        last = np.tanh(x[:, t] @ weights["weight_ih"].T + last @ weights["weight_hh"].T + weights["bias"])
        context = forward(last[:, None], keys, values, mask, weights)["context"][:, 0]
        s[:, t], y[:, t] = last, np.tanh(last + context @ weights["weight_context"].T)
    return {"s": s, "y": y}
