"""Scaled dot-product and multi-head attention (Vaswani et al. 2017, section 3.2), written out.

    e_ts = q_t · k_s / √d_h + m_ts                       (1)  score: how well key s answers query t
    a_ts = exp(e_ts) / Σ_u exp(e_tu)                     (2)  weight: not negative, and 1 in sum over the source
    o_t  = Σ_s a_ts v_s                                  (3)  output: the values, each as far as its key is wanted
    q_t, k_s, v_s = W_q x_t + b_q, W_k y_s + b_k, W_v z_s + b_v      (4)  cut into h heads of d_h numbers
    multihead_t = W_o [o_t of head 1; …; o_t of head h] + b_o        (5)

A mask is the m_ts of (1): -∞ leaves key s out for query t. Where all keys are left out (2) would be 0/0; here such
weights are 0, and so are the output o_t and every derivative.

In the layer, W_q, W_k and W_v are the three blocks of d rows of `in_proj_weight`, in this order.
Letters: B batch, T queries (target steps), S keys (source steps), d embed_dim, h num_heads, d_h = d / h.
Not here: `add_bias_kv` and `add_zero_attn` of `torch.nn.MultiheadAttention`.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.torch.stack import Module, check_dtype, check_tensor


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
        TypeError, ValueError: tensors that do not fit one another, or a source of no steps.
    """
    _check_call(q, k, v, attn_mask, is_causal, scale)
    weights = attention_weights(q, k, attn_mask, is_causal, scale)
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
    T, S = q.shape[-2], k.shape[-2]
    mask = None if attn_mask is None else attn_mask.expand(*q.shape[:-1], S)
    largest = q.new_full((*q.shape[:-1], 1), -math.inf)                  # (..., T, 1)
    total, mixed = torch.zeros_like(largest), q.new_zeros(*q.shape[:-1], v.shape[-1])
    for start in range(0, S, block):
        keys, values = k[..., start : start + block, :], v[..., start : start + block, :]
        scores = q @ keys.mT * (q.shape[-1] ** -0.5 if scale is None else scale)                 # (..., T, block)
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
    checks.scaled_dot_product(q, k, v)
    if attn_mask is not None:
        _check_mask("attn_mask", attn_mask, k, "k")
        checks.broadcasts("attn_mask", attn_mask, (*q.shape[:-1], k.shape[-2]))
    checks.flag("is_causal", is_causal)
    if scale is not None:
        checks.finite_number("scale", scale)


def attention_weights(q, k, attn_mask=None, is_causal=False, scale=None):
    """Equations (1) and (2), (..., T, S); arguments as for `scaled_dot_product`."""
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)                        # (..., T, S)  (1)
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
    return torch.ones(T, S, dtype=torch.bool, device=device).triu(offset + 1)


class MultiheadAttention(Module):
    """Equations (1) to (5), the twin of `torch.nn.MultiheadAttention`.

    Args:
        embed_dim: d, the width of queries and outputs.
        num_heads: h, a divisor of d.
        dropout: probability with which a weight a_ts is zeroed in training mode, in the weights returned too.
        bias: learn b_q, b_k, b_v and b_o.
        kdim, vdim: width of keys and values; d if left out.
        batch_first: sequences are (B, T, ·) instead of (T, B, ·).
        device, dtype: of the parameters.
        fused: where no weights are asked for, run (1) to (3) by `F.scaled_dot_product_attention`, which never holds
            all the scores at once.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, embed_dim, num_heads, dropout=0.0, bias=True, *, kdim=None, vdim=None, batch_first=False,
                 device=None, dtype=None, fused=False):
        super().__init__()
        self.head_dim = checks.heads("embed_dim", embed_dim, num_heads)
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.kdim = embed_dim if kdim is None else checks.positive_int("kdim", kdim)
        self.vdim = embed_dim if vdim is None else checks.positive_int("vdim", vdim)
        self.dropout = checks.probability("dropout", dropout)
        self.batch_first, self.fused = checks.flag("batch_first", batch_first), checks.flag("fused", fused)
        check_dtype(dtype)
        checks.flag("bias", bias)
        where = {"device": device, "dtype": dtype}
        shapes = {"q_proj_weight": (embed_dim, embed_dim), "k_proj_weight": (embed_dim, self.kdim),
                  "v_proj_weight": (embed_dim, self.vdim), "in_proj_weight": None}
        if self.kdim == self.vdim == embed_dim:                          # then torch keeps all three in one
            shapes = dict.fromkeys(shapes) | {"in_proj_weight": (3 * embed_dim, embed_dim)}
        for name, shape in shapes.items():
            self.register_parameter(name, shape and nn.Parameter(torch.empty(shape, **where)))
        self.register_parameter("in_proj_bias", nn.Parameter(torch.zeros(3 * embed_dim, **where)) if bias else None)
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias, **where)   # drawn before the others, as in torch.nn
        for name in (name for name in shapes if shapes[name]):
            nn.init.xavier_uniform_(getattr(self, name))
        if bias:
            nn.init.zeros_(self.out_proj.bias)

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
                average_attn_weights=True, is_causal=False):
        """Let every query attend to all keys that its masks leave.

        Args:
            query: (T, B, d); (B, T, d) if batch_first; (T, d) unbatched.
            key: (S, B, kdim), (B, S, kdim) or (S, kdim).
            value: (S, B, vdim), (B, S, vdim) or (S, vdim).
            key_padding_mask: (B, S), or (S,) unbatched; boolean, where True is left out, or float, which is added.
            need_weights: return the weights too; without them `fused` may run.
            attn_mask: (T, S), or (B·h, T, S) with the heads of a sequence side by side; as `key_padding_mask`.
            average_attn_weights: return the mean of the heads' weights; False for each head's own.
            is_causal: query t sees keys 0 to t only. No hint about `attn_mask`, as it is in torch, and needs none.

        Returns:
            output: (T, B, d), (B, T, d) or (T, d); where a query has nothing to attend to, b_o.
            weights: (B, T, S), or (B, h, T, S) unless averaged, without B if unbatched; None if not asked for.

        Raises:
            TypeError, ValueError: a tensor of another dtype, device or shape, or one of no steps or sequences.
        """
        for name, tensor in {"query": query, "key": key, "value": value}.items():
            check_tensor(name, tensor, self.out_proj.weight)
        widths = self.embed_dim, self.kdim, self.vdim
        batched, B, T, S = checks.attention(query, key, value, widths, self.batch_first)
        mask = self._mask(attn_mask, key_padding_mask, batched, B, T, S)
        if checks.flag("is_causal", is_causal) and mask is not None:     # one or the other, says torch's kernel
            mask, is_causal = mask.masked_fill(future(T, S, device=mask.device), -math.inf), False
        single = 0 if self.batch_first else 1                            # where an unbatched call has no axis
        if not batched:
            query, key, value = (x.unsqueeze(single) for x in (query, key, value))

        q, k, v = self.project(query, key, value)                        # (B, h, T, d_h), (B, h, S, d_h) twice
        output, weights = self.attend(q, k, v, mask, is_causal, need_weights)
        output = self.merge(output)                                      # (T, B, d)
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)                                    # (B, T, S)
        if not batched:
            return output.squeeze(single), None if weights is None else weights.squeeze(0)
        return output, weights

    def project(self, query, key, value):
        """Equation (4): (T, B, d), (S, B, kdim), (S, B, vdim) to q, k, v, (B, h, T or S, d_h) each."""
        axes = (0, 2, 1, 3) if self.batch_first else (1, 2, 0, 3)
        if query is key is value:                                        # one product for all three
            projected = F.linear(query, self.in_proj_weight, self.in_proj_bias)
            projected = projected.unflatten(-1, (3, self.num_heads, self.head_dim)).unbind(2)
            return [x.permute(axes) for x in projected]
        b = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        if self.in_proj_weight is None:
            W = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        else:
            W = self.in_proj_weight.chunk(3)
        projected = map(F.linear, (query, key, value), W, b)
        return [x.unflatten(-1, (self.num_heads, self.head_dim)).permute(axes) for x in projected]

    def attend(self, q, k, v, mask=None, is_causal=False, need_weights=False):
        """Equations (1) to (3) in every head: outputs (B, h, T, d_h), and weights (B, h, T, S) or None."""
        dropout = self.dropout if self.training else 0.0
        if self.fused and not need_weights:
            return F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal), None
        weights = F.dropout(attention_weights(q, k, mask, is_causal), dropout)
        return weights @ v, weights if need_weights else None

    def merge(self, output):
        """Equation (5): (B, h, T, d_h) to (T, B, d)."""
        return self.out_proj(output.permute((0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3)).flatten(2))

    def _mask(self, attn_mask, key_padding_mask, batched, B, T, S):
        """Both masks as one that is added to the scores, as large as (B, h, T, S) or broadcast to it; or None."""
        masks = []
        if attn_mask is not None:
            _check_mask("attn_mask", attn_mask, self.out_proj.weight)
            flat = len(attn_mask.shape) == 2
            checks.shape("attn_mask", attn_mask, (T, S) if flat else (B * self.num_heads, T, S))
            masks.append(attn_mask if flat else attn_mask.unflatten(0, (B, self.num_heads)))
        if key_padding_mask is not None:
            _check_mask("key_padding_mask", key_padding_mask, self.out_proj.weight)
            checks.shape("key_padding_mask", key_padding_mask, (B, S) if batched else (S,))
            masks.append(key_padding_mask.reshape(B, 1, 1, S))
        zeros = self.out_proj.weight.new_zeros
        masks = [zeros(m.shape).masked_fill(m, -math.inf) if m.dtype == torch.bool else m for m in masks]
        return sum(masks) if masks else None

    def extra_repr(self):
        return "fused=True" if self.fused else ""


def _check_mask(name, mask, like, whose="the parameters"):
    """Raise unless `mask` is a tensor of booleans, or of the dtype of `like`, on its device."""
    boolean = isinstance(mask, torch.Tensor) and mask.dtype == torch.bool
    check_tensor(name, mask, like.new_empty(0, dtype=torch.bool) if boolean else like, whose, "boolean or ")
