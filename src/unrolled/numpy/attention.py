"""Scaled dot-product attention (Vaswani et al. 2017) in NumPy, forward and backward.

    Z = Q K' / sqrt(d_h) + M                scores, a query a row; M, the mask, is -inf where a key is left out
    P = softmax(Z)                          weights: each row sums to 1, or is 0 where nothing is left to attend to
    O = P V                                 a mean of the values for each query                              (eq. 1)

and backwards, from dO = dL/dO,

    dV = P' dO,    dP = dO V'
    dZ = P * (dP - sum(dP * P))             what raises all scores of a row alike changes no weight, so it is taken out
    dQ = dZ K / sqrt(d_h),    dK = dZ' Q / sqrt(d_h)

A weight of 0 passes nothing back, so masks need no line of their own here.

Letters: T target steps (queries), S source steps (keys, values), d_h the width of queries and keys.
Beside it: `multihead`, the layer.
"""

import numpy as np

from unrolled import checks
from unrolled.numpy.stack import as_array, as_float_dtype, plain


def softmax(scores):
    """Turn each row of `scores` into its weights, in place: exp(z) over its sum; 0 for a row of nothing but -inf."""
    highest = scores.max(-1, keepdims=True, initial=-np.inf)
    highest[highest == -np.inf] = 0                       # -inf - 0 is still -inf, where -inf + inf would be NaN
    scores -= highest                                     # changes no weight, and exp can no longer overflow
    np.exp(scores, out=scores)
    total = scores.sum(-1, keepdims=True)                 # at least 1, exp(0), or 0 where everything is left out
    total[total == 0] = 1
    scores /= total
    return scores


def softmax_backward(d_weights, weights):
    """dZ = P * (dP - sum(dP * P)), written over `d_weights`."""
    d_weights -= np.vecdot(d_weights, weights)[..., None]
    d_weights *= weights
    return d_weights


def added(name, mask, dtype, left_out):
    """M: -inf where a boolean mask is `left_out` and 0 elsewhere; a float mask as it is.

    Raises:
        TypeError: neither boolean nor of `dtype`, or of a subclass of arrays.
    """
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool:
        return as_array(name, mask, dtype, "the input", "boolean or ")
    return np.where(plain(name, mask) == left_out, dtype.type(-np.inf), dtype.type(0))


def scaled_dot_product(q, k, v, attn_mask=None, is_causal=False, scale=None, keep=None):
    """Attend: eq. 1 above.

    Args:
        q, k, v: queries (..., T, d_h), keys (..., S, d_h) and values (..., S, d_v), all float32 or all float64.
        attn_mask: broadcast to (..., T, S); boolean, True = takes part, as in `F.scaled_dot_product_attention`, or
            float, added to the scores.
        is_causal: query t sees the keys 0 ... t only; with a mask, both hold.
        scale: in place of 1 / sqrt(d_h).
        keep: what dropout multiplies the weights with, (..., T, S).

    Returns:
        O (..., T, d_v), and P (..., T, S), before dropout. A query with nothing to attend to gets zeros.

    Raises:
        TypeError, ValueError: arrays of other dtypes or shapes, or of a subclass.
    """
    shape = check_arrays(q, k, v, keep=keep)
    scale = q.shape[-1] ** -0.5 if scale is None else checks.finite_number("scale", scale)
    scores = (q * scale) @ k.mT                                                      # (..., T, S)
    if attn_mask is not None:
        mask = added("attn_mask", attn_mask, q.dtype, left_out=False)
        checks.broadcasts("attn_mask", mask, shape)
        scores += mask
    if checks.flag("is_causal", is_causal):
        scores += added("causal", np.tri(*shape[-2:], dtype=bool), q.dtype, left_out=False)
    weights = softmax(scores)
    return (weights if keep is None else weights * keep) @ v, weights


def scaled_dot_product_backward(d_output, q, k, v, weights, scale=None, keep=None, d_weights=None):
    """Backpropagate through `scaled_dot_product`.

    Args:
        d_output: dL/dO, (..., T, d_v).
        q, k, v, scale, keep: as it took them.
        weights: P, as it returned them.
        d_weights: dL/dP from whatever else reads the weights, (..., T, S); none if left out.

    Returns:
        dL/dq, dL/dk and dL/dv.

    Raises:
        TypeError, ValueError: arrays of other dtypes or shapes.
    """
    check_arrays(q, k, v, d_output=checks.given("d_output", d_output), weights=checks.given("weights", weights),
                 keep=keep, d_weights=d_weights)
    scale = q.shape[-1] ** -0.5 if scale is None else checks.finite_number("scale", scale)
    d_v = (weights if keep is None else weights * keep).mT @ d_output                # (..., S, d_v)
    d_scores = d_output @ v.mT                                                       # (..., T, S)  dP, so far
    if keep is not None:
        d_scores *= keep
    if d_weights is not None:
        d_scores += d_weights
    d_scores = softmax_backward(d_scores, weights)
    return d_scores @ (k * scale), d_scores.mT @ (q * scale), d_v


def check_arrays(q, k, v, **others):
    """Return the shape of the weights; raise unless all are of one float dtype and fit each other."""
    others = {name: array for name, array in others.items() if array is not None}
    for name, array in ({"k": k, "q": q, "v": v} | others).items():
        as_array(name, array, getattr(k, "dtype", None), "k")
    as_float_dtype(k.dtype)
    checks.scaled_dot_product(q, k, v)
    shape = (*q.shape[:-1], k.shape[-2])
    for name, array in others.items():
        checks.shape(name, array, q.shape[:-1] + v.shape[-1:] if name == "d_output" else shape)
    return shape
