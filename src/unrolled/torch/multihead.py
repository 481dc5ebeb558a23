"""Multi-head attention (Vaswani et al. 2017, section 3.2.2): `attention` in several heads between learned projections.

    q_t, k_s, v_s = W_q x_t + b_q, W_k y_s + b_k, W_v z_s + b_v      (4)  cut into h heads of d_h numbers
    multihead_t = W_o [o_t of head 1; …; o_t of head h] + b_o        (5)  with (1) to (3) of `attention` in every head

W_q, W_k and W_v are the three blocks of d rows of `in_proj_weight`, in this order.
Letters: B batch, T queries (target steps), S keys (source steps), d embed_dim, h num_heads, d_h = d / h.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.torch.attention import attention_weights, check_mask, future
from unrolled.torch.calls import check_dtype, check_tensor
from unrolled.torch.twin import Module


class MultiheadAttention(Module):
    """Equations (4) and (5), the twin of `torch.nn.MultiheadAttention`.

    Args:
        embed_dim: d, the width of queries and outputs.
        num_heads: h, a divisor of d.
        dropout: probability with which a weight a_ts is zeroed in training mode, in the weights returned too.
        bias: learn b_q, b_k, b_v and b_o.
        add_bias_kv: learn one more key and value, which stand behind those of every source.
        add_zero_attn: let a key and a value of zeros stand behind all others.
        kdim, vdim: width of keys and values; d if left out.
        batch_first: sequences are (B, T, ·) instead of (T, B, ·).
        device, dtype: of the parameters.
        fused: where no weights are asked for, run (1) to (3) by `F.scaled_dot_product_attention`, which never holds
            all the scores at once.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False, add_zero_attn=False, kdim=None,
                 vdim=None, batch_first=False, device=None, dtype=None, *, fused=False):
        super().__init__()
        self.head_dim = checks.heads("embed_dim", embed_dim, num_heads)
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.kdim = embed_dim if kdim is None else checks.positive_int("kdim", kdim)
        self.vdim = embed_dim if vdim is None else checks.positive_int("vdim", vdim)
        self.dropout = checks.probability("dropout", dropout)
        self.batch_first, self.fused = checks.flag("batch_first", batch_first), checks.flag("fused", fused)
        self.add_zero_attn = checks.flag("add_zero_attn", add_zero_attn)
        check_dtype(dtype)
        checks.flag("bias", bias)
        where, d = {"device": device, "dtype": dtype}, embed_dim
        same = self._qkv_same_embed_dim                                  # then torch keeps all three in one
        shapes = {"q_proj_weight": None if same else (d, d), "k_proj_weight": None if same else (d, self.kdim),
                  "v_proj_weight": None if same else (d, self.vdim), "in_proj_weight": (3 * d, d) if same else None,
                  "in_proj_bias": (3 * d,) if bias else None}
        shapes |= dict.fromkeys(("bias_k", "bias_v"), (1, 1, d) if checks.flag("add_bias_kv", add_bias_kv) else None)
        for name, shape in shapes.items():
            self.register_parameter(name, shape and nn.Parameter(torch.empty(shape, **where)))
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias, **where)   # drawn before the others, as in torch.nn
        self._reset_parameters()

    def _reset_parameters(self):
        """Draw all parameters but W_o anew, as torch.nn does."""
        for name, parameter in self.named_parameters():
            if name.endswith("proj_weight"):
                nn.init.xavier_uniform_(parameter)
            elif name.startswith("bias_"):
                nn.init.xavier_normal_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    @property
    def _qkv_same_embed_dim(self):
        """Torch's name for it, which its stack of layers reads."""
        return self.kdim == self.vdim == self.embed_dim

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

        The key and value of `add_bias_kv`, and those of `add_zero_attn`, count as the last steps of the source.

        Raises:
            TypeError, ValueError: a tensor of another dtype, device or shape, or a nested one: pad it, and say where.
        """
        for name, tensor in {"query": query, "key": key, "value": value}.items():
            check_tensor(name, tensor, self.out_proj.weight)
        widths = self.embed_dim, self.kdim, self.vdim
        batched, B, T, S = checks.attention(query, key, value, widths, self.batch_first)
        mask = self._mask(attn_mask, key_padding_mask, batched, B, T, S)
        more = self.bias_k is not None or self.add_zero_attn
        if checks.flag("is_causal", is_causal) and (more or mask is not None):
            mask = query.new_zeros(T, S) if mask is None else mask       # one or the other, says torch's kernel
            mask, is_causal = mask.masked_fill(future(T, S, device=mask.device), -math.inf), False
        single = 0 if self.batch_first else 1                            # where an unbatched call has no axis
        if not batched:
            query, key, value = (x.unsqueeze(single) for x in (query, key, value))

        q, k, v = self.project(query, key, value)                        # (B, h, T, d_h), (B, h, S, d_h) twice
        if more:
            k, v, mask = self._longer(k, v, mask)
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
            projected = projected.reshape(*projected.shape[:2], 3, self.num_heads, self.head_dim).unbind(2)
            return [x.permute(axes) for x in projected]
        b = (None, None, None) if self.in_proj_bias is None else self.in_proj_bias.chunk(3)
        if self.in_proj_weight is None:
            W = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        else:
            W = self.in_proj_weight.chunk(3)
        projected = map(F.linear, (query, key, value), W, b)
        return [x.reshape(*x.shape[:2], self.num_heads, self.head_dim).permute(axes) for x in projected]

    def attend(self, q, k, v, mask=None, is_causal=False, need_weights=False):
        """Equations (1) to (3) in every head: outputs (B, h, T, d_h), and weights (B, h, T, S) or None."""
        dropout = self.dropout if self.training else 0.0
        if self.fused and not need_weights:
            return F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal), None
        weights = F.dropout(attention_weights(q, k, mask, is_causal).to(v.dtype), dropout)
        return weights @ v, weights if need_weights else None

    def merge(self, output):
        """Equation (5): (B, h, T, d_h) to (T, B, d)."""
        return self.out_proj(output.permute((0, 2, 1, 3) if self.batch_first else (2, 0, 1, 3)).flatten(2))

    def _longer(self, k, v, mask):
        """Keys, values and mask with those of `add_bias_kv` and `add_zero_attn` at the end, which no mask hides."""
        B, keys, values = k.shape[0], [k], [v]
        if self.bias_k is not None:
            for rows, bias in (keys, self.bias_k), (values, self.bias_v):
                rows.append(bias.reshape(1, self.num_heads, 1, self.head_dim).expand(B, -1, -1, -1))
        if self.add_zero_attn:
            for rows in keys, values:
                rows.append(rows[0].new_zeros(B, self.num_heads, 1, self.head_dim))
        return torch.cat(keys, 2), torch.cat(values, 2), mask if mask is None else F.pad(mask, (0, len(keys) - 1))

    def _mask(self, attn_mask, key_padding_mask, batched, B, T, S):
        """Both masks as one that is added to the scores, as large as (B, h, T, S) or broadcast to it; or None."""
        masks = []
        if attn_mask is not None:
            check_mask("attn_mask", attn_mask, self.out_proj.weight)
            flat = len(attn_mask.shape) == 2
            checks.shape("attn_mask", attn_mask, (T, S) if flat else (B * self.num_heads, T, S))
            masks.append(attn_mask if flat else attn_mask.unflatten(0, (B, self.num_heads)))
        if key_padding_mask is not None:
            check_mask("key_padding_mask", key_padding_mask, self.out_proj.weight)
            checks.shape("key_padding_mask", key_padding_mask, (B, S) if batched else (S,))
            masks.append(key_padding_mask.reshape(B, 1, 1, S))
        zeros = self.out_proj.weight.new_zeros
        masks = [zeros(m.shape).masked_fill(m, -math.inf) if m.dtype == torch.bool else m for m in masks]
        return sum(masks) if masks else None

    def extra_repr(self):
        return "fused=True" if self.fused else ""
