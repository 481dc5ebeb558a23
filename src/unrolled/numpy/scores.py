"""The additive attention of Bahdanau et al. (2015) in NumPy, forward and backward.

    e_ts = v' tanh(W s_t + U h_s)           how well key s answers query t: a network of one hidden layer
    α_t  = softmax(e_t) over s              weights; a key that is left out gets 0
    c_t  = Σ_s α_ts h_s                     context: the keys are their own values           (their appendix A.1.2)

and backwards, with m_ts = tanh(...) and da_ts what reaches its inside,

    dα_ts = dc_t · h_s,    de_t = α_t * (dα_t - sum(dα_t * α_t))
    da_ts = de_ts v * (1 - m_ts^2),    dv = Σ_ts de_ts m_ts
    dW = Σ_ts da_ts s_t',    ds_t = W' Σ_s da_ts
    dU = Σ_ts da_ts h_s',    dh_s = U' Σ_t da_ts + Σ_t α_ts dc_t

U h_s is the same for every query, so it is computed once a key and not once a pair. The tanh is not: a pair costs A
multiplications either way, but here also A tanhs and A numbers kept, where a dot product keeps one.
Letters: B batch, T queries s_t of width Q, S keys h_s of width K, A hidden_size.
"""

import numpy as np

from unrolled import checks
from unrolled.numpy.attention import added, softmax, softmax_backward
from unrolled.numpy.stack import Parameters, as_array, as_float_dtype, saved_by_forward


class AdditiveAttention(Parameters):
    """Attention with the score of a small network, for queries and keys of different widths.

    Args:
        query_size, key_size, hidden_size: Q, K and A.
        dtype: float32 or float64.
        seed: seed of the initial weights, uniform in ±1/sqrt(number of inputs), as in `torch.nn.Linear`.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, query_size, key_size, hidden_size, *, dtype=np.float32, seed=None):
        self.query_size = checks.positive_int("query_size", query_size)
        self.key_size = checks.positive_int("key_size", key_size)
        self.hidden_size = checks.positive_int("hidden_size", hidden_size)
        self.dtype, rng = as_float_dtype(dtype), np.random.default_rng(seed)
        self.shapes = {"W": (hidden_size, query_size), "U": (hidden_size, key_size), "v": (hidden_size,)}
        self.parameters = {name: rng.uniform(-1, 1, shape).astype(self.dtype) * self.dtype.type(shape[-1] ** -0.5)
                           for name, shape in self.shapes.items()}

    def forward(self, query, keys, key_padding_mask=None):
        """Attend.

        Args:
            query: s, (B, T, Q), or (B, Q) for one query a sequence.
            keys: h, (B, S, K).
            key_padding_mask: (B, S); boolean, True = is left out, or float, added to the scores.

        Returns:
            context: c, (B, T, K) or (B, K).
            weights: α, (B, T, S) or (B, S); zeros, as the context, where every key is left out.

        Raises:
            TypeError, ValueError: an array of another dtype or shape, or of a subclass.
        """
        self._saved = None                                                           # what is refused has no way back
        query, keys = as_array("query", query, self.dtype), as_array("keys", keys, self.dtype)
        single = query.ndim == 2
        shape = ("B", self.query_size) if single else ("B", "T", self.query_size)
        checks.fitting({"query": (query, shape), "keys": (keys, ("B", "S", self.key_size))})
        s, h = np.array(query[:, None] if single else query), np.array(keys)         # ours: the caller may reuse them
        W, U, v = self._now(self.shapes).values()
        m = np.tanh((s @ W.T)[:, :, None] + (h @ U.T)[:, None])                      # (B, T, S, A)
        scores = m @ v                                                               # (B, T, S)
        if key_padding_mask is not None:
            mask = added("key_padding_mask", key_padding_mask, self.dtype, left_out=True)
            checks.shape("key_padding_mask", mask, h.shape[:2])
            scores += mask[:, None]
        weights = softmax(scores)
        context = weights @ h                                                        # (B, T, K)
        self._saved = s, h, m, weights, single, (W, U, v)
        return (context[:, 0], weights[:, 0].copy()) if single else (context, weights.copy())

    def backward(self, d_context, d_weights=None):
        """Backpropagate through the last `forward`, with the weights that it had.

        Args:
            d_context: dL/dc, shaped like `context`.
            d_weights: dL/dα, shaped like `weights`; zeros if left out.

        Returns:
            d_query and d_keys, shaped like `query` and `keys`, and a dict of parameter gradients.

        Raises:
            RuntimeError: no `forward` before, or other parameters were loaded since.
            TypeError, ValueError: an array of another dtype or shape.
        """
        s, h, m, weights, single, (W, U, v) = saved_by_forward(self)
        (B, T, S), A = weights.shape, self.hidden_size
        d_context = as_array("d_context", d_context, self.dtype)
        checks.shape("d_context", d_context, (B, self.key_size) if single else (B, T, self.key_size))
        d_context = d_context.reshape(B, T, self.key_size)
        d_scores = d_context @ h.mT                                                  # (B, T, S)  dα, so far
        if d_weights is not None:
            checks.shape("d_weights", as_array("d_weights", d_weights, self.dtype), (B, S) if single else (B, T, S))
            d_scores += d_weights.reshape(B, T, S)
        d_scores = softmax_backward(d_scores, weights)
        d_a = d_scores[..., None] * (1 - m * m) * v                                  # (B, T, S, A)
        d_drive, d_hoisted = d_a.sum(2), d_a.sum(1)                                  # (B, T, A), (B, S, A)
        d_s = d_drive @ W
        d_h = d_hoisted @ U + weights.mT @ d_context                                 # (B, S, K)  as key and as value
        grads = {
            "W": d_drive.reshape(B * T, A).T @ s.reshape(B * T, self.query_size),
            "U": d_hoisted.reshape(B * S, A).T @ h.reshape(B * S, self.key_size),
            "v": d_scores.ravel() @ m.reshape(B * T * S, A),
        }
        return d_s[:, 0] if single else d_s, d_h, grads
