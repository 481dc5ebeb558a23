"""Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1), written out.

    e_ts = q_t · k_s / √d_h + m_ts                       (1)  score: how well key s answers query t
    a_ts = exp(e_ts) / Σ_u exp(e_tu)                     (2)  weight: not negative, and 1 in sum over the source
    o_t  = Σ_s a_ts v_s                                  (3)  output: the values, each as far as its key is wanted

A mask is the m_ts of (1): -∞ leaves key s out for query t. Where all keys are left out (2) would be 0/0; here such
weights are 0, and so are the output o_t and every derivative. Where there are no keys at all, S = 0, o_t is 0 too.

Letters: T queries (target steps), S keys (source steps), d_h width of queries and keys.
Beside it: `multihead`, the layer.
"""

import math

import torch

from unrolled import checks
from unrolled.torch.calls import check_dtype, check_tensor
from unrolled.torch.precision import widened


def scaled_dot_product(q, k, v, attn_mask=None, is_causal=False, scale=None):
    """Equations (1) to (3): `F.scaled_dot_product_attention` without dropout, and with its weights.

    Args:
        q: queries, (..., T, d_h).
        k: keys, (..., S, d_h).
        v: values, (..., S, d_v).
        attn_mask: broadcast to (..., T, S); boolean, where True takes part, or float, which is added to the scores.
        is_causal: query t sees keys 0 to t only.
        scale: what q · k is multiplied with; 1/√d_h if left out.

    Returns:
        The outputs (..., T, d_v) and the weights (..., T, S); both 0 for a query with nothing to attend to.

    Raises:
        TypeError, ValueError: tensors that do not fit one another.
    """
    _check_call(q, k, v, attn_mask, is_causal, scale)
    weights = attention_weights(q, k, attn_mask, is_causal, scale).to(v.dtype)
    return weights @ v, weights                                          # (3)


def tiled(q, k, v, attn_mask=None, is_causal=False, scale=None, block=128):
    """Equations (1) to (3) without ever holding more than `block` columns of scores (Milakov & Gimelshein 2018).

    That is true of the forward pass. Autograd keeps every block for the backward pass, which a kernel computes anew.

    Args:
        q, k, v, attn_mask, is_causal, scale: as for `scaled_dot_product`.
        block: keys that are looked at together.

    Returns:
        The outputs, (..., T, d_v).

    Raises:
        TypeError, ValueError: as for `scaled_dot_product`, or a block that is not a positive whole number.
    """
    _check_call(q, k, v, attn_mask, is_causal, scale)
    checks.positive_int("block", block)
    return tiles(q, k, v, attn_mask, is_causal, scale, block).to(v.dtype)


@widened
def tiles(q, k, v, attn_mask, is_causal, scale, block):
    """The equations of `tiled`: what each block adds, and how what came before it fades."""
    T, S = q.shape[-2], k.shape[-2]
    q = q * (q.shape[-1] ** -0.5 if scale is None else scale)
    mask = None if attn_mask is None else attn_mask.expand(*q.shape[:-1], S)
    largest = q.new_full((*q.shape[:-1], 1), -math.inf)                  # (..., T, 1)
    total, mixed = torch.zeros_like(largest), q.new_zeros(*q.shape[:-1], v.shape[-1])
    for start in range(0, S, block):
        keys, values = k[..., start : start + block, :], v[..., start : start + block, :]
        scores = q @ keys.mT                                             # (..., T, block)
        if is_causal:
            scores = scores.masked_fill(future(T, keys.shape[-2], -start, q.device), -math.inf)
        if mask is not None:
            part = mask[..., start : start + block]
            scores = scores.masked_fill(~part, -math.inf) if part.dtype == torch.bool else scores + part
        raised = torch.maximum(largest, scores.detach().amax(-1, keepdim=True))
        level = raised.masked_fill(raised == -math.inf, 0)               # so far all keys are left out
        fading, scores = (largest - level).exp(), (scores - level).exp()
        total, mixed = fading * total + scores.sum(-1, keepdim=True), fading * mixed + scores @ values
        largest = raised
    return mixed / total.masked_fill(total == 0, 1)


def _check_call(q, k, v, attn_mask, is_causal, scale):
    check_tensor("k", k, k, "k")
    check_tensor("q", q, k, "k")
    check_tensor("v", v, k, "k")
    check_dtype(k.dtype)
    checks.scaled_dot_product(q, k, v)
    if attn_mask is not None:
        check_mask("attn_mask", attn_mask, k, "k")
        checks.broadcasts("attn_mask", attn_mask, (*q.shape[:-1], k.shape[-2]))
    checks.flag("is_causal", is_causal)
    if scale is not None:
        checks.finite_number("scale", scale)


@widened
def attention_weights(q, k, attn_mask=None, is_causal=False, scale=None):
    """Equations (1) and (2), (..., T, S), in float32 at least; arguments as for `scaled_dot_product`."""
    q = q * (q.shape[-1] ** -0.5 if scale is None else scale)            # before the product, which might overflow
    scores = q @ k.transpose(-2, -1)                                     # (..., T, S)  (1)
    if is_causal:
        scores = scores.masked_fill(future(*scores.shape[-2:], device=q.device), -math.inf)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return masked_softmax(scores)                                                                # (2)


def masked_softmax(scores):
    """Softmax over the last axis in which -∞ counts for nothing, and a row of nothing but -∞ has weights 0."""
    nothing = (scores == -math.inf).all(-1, keepdim=True)                # (..., T, 1)
    return scores.masked_fill(nothing, 0).softmax(-1).masked_fill(nothing, 0)


def future(T, S, offset=0, device=None):
    """(T, S), True where key s comes after query t, which stands at position t + offset."""
    return torch.arange(S, device=device) > torch.arange(T, device=device)[:, None] + offset


def check_mask(name, mask, like, whose="the parameters"):
    """Raise unless `mask` is a tensor of booleans, or of the dtype of `like`, on its device."""
    boolean = isinstance(mask, torch.Tensor) and mask.dtype == torch.bool
    check_tensor(name, mask, like.new_empty(0, dtype=torch.bool) if boolean else like, whose, "boolean or ")
