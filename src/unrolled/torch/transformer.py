"""The Transformer's layers (Vaswani et al. 2017), and a causal stack of them that is called like a recurrent layer.

    y = LN(x + sublayer(x))                              (1)  post-norm, as published
    y = x + sublayer(LN(x))                              (2)  pre-norm (Xiong et al. 2020): x itself runs through
    ff(x_t) = W_2 φ(W_1 x_t + b_1) + b_2                 (3)  feed-forward, on every step by itself; φ is relu or gelu
    encoder layer: attention to itself, ff               (4)
    decoder layer: attention to itself, to the encoder's output, ff                                  (5)
    causal stack: (4) L times, where step t attends to keys 1 to t, those of earlier calls included  (6)

What (6) carries from call to call is its cache, k and v of every step so far: it grows with T where an h_t does not.
With it the next token costs 2 (12 d² + 2 S d) operations a layer instead of S times that: the S earlier ones are kept.

Letters: T target steps, S source steps, B batch, d d_model, h nhead, d_h = d / h, L num_layers.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.torch.attention import MultiheadAttention, future
from unrolled.torch.cache import append
from unrolled.torch.norm import LayerNorm
from unrolled.torch.positions import LearnedPositions, alibi, rotate, rotation, sinusoidal
from unrolled.torch.stack import Module, check_tensor

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class _Layer(Module):
    """What both layers share: parameters by torch's names, the feed-forward part, and the sum around each part."""

    attentions = ("self_attn",)

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation="relu", layer_norm_eps=1e-5,
                 batch_first=False, norm_first=False, bias=True, device=None, dtype=None, *, fused=False):
        super().__init__()
        checks.heads("d_model", d_model, nhead)
        checks.positive_int("dim_feedforward", dim_feedforward)
        self.activation = checks.choice("activation", activation, ACTIVATIONS)
        self.norm_first = checks.flag("norm_first", norm_first)
        where = {"device": device, "dtype": dtype}
        for name in self.attentions:
            attention = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, fused=fused, **where)
            self.add_module(name, attention)
        self.linear1 = nn.Linear(d_model, dim_feedforward, bias, **where)
        self.linear2 = nn.Linear(dim_feedforward, d_model, bias, **where)
        for k in range(len(self.attentions) + 1):
            self.add_module(f"norm{k + 1}", LayerNorm(d_model, layer_norm_eps, bias=bias, fused=fused, **where))
        self.dropout = nn.Dropout(dropout)

    def feed_forward(self, x):
        """Equation (3)."""
        return self.linear2(self.drop(ACTIVATIONS[self.activation](self.linear1(x))))

    def around(self, sublayer, norm, x):
        """Equation (2), or (1)."""
        if self.norm_first:
            return x + self.drop(sublayer(norm(x)))
        return norm(x + self.drop(sublayer(x)))

    def drop(self, x):
        return self.dropout(x) if self.training else x

    def extra_repr(self):
        return f"activation={self.activation!r}, norm_first={self.norm_first}"


class TransformerEncoderLayer(_Layer):
    """Equation (4): the twin of `torch.nn.TransformerEncoderLayer`.

    Args:
        d_model: d, the width of every step.
        nhead: h, a divisor of d.
        dim_feedforward: rows of W_1.
        dropout: probability with which a weight of attention, a number inside (3) or one of a sublayer's outputs is
            zeroed in training mode.
        activation: "relu" or "gelu".
        layer_norm_eps: ε of every layer norm.
        batch_first: sequences are (B, T, d) instead of (T, B, d).
        norm_first: pre-norm, (2), instead of post-norm, (1).
        bias: learn biases, those of the layer norms included.
        device, dtype: of the parameters.
        fused: attention and layer norms through torch's kernels; the same function.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        """Run the layer.

        Args:
            src: (T, B, d); (B, T, d) if batch_first; (T, d) unbatched.
            src_mask, src_key_padding_mask, is_causal: as `attn_mask`, `key_padding_mask` and `is_causal` of
                `MultiheadAttention`: True is left out.

        Returns:
            Like `src`.

        Raises:
            TypeError, ValueError: a tensor of another dtype, device or shape, or one of no steps or sequences.
        """
        return self.run(src, lambda x: self.self_attn(x, x, x, src_key_padding_mask, False, src_mask,
                                                      is_causal=is_causal)[0])

    def run(self, x, attend):
        """Equation (4) with this function as attention, (T, B, d) to (T, B, d)."""
        return self.around(self.feed_forward, self.norm2, self.around(attend, self.norm1, x))


class TransformerDecoderLayer(_Layer):
    """Equation (5): the twin of `torch.nn.TransformerDecoderLayer`. Arguments as for `TransformerEncoderLayer`."""

    attentions = ("self_attn", "multihead_attn")

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
                memory_key_padding_mask=None, tgt_is_causal=False, memory_is_causal=False):
        """Run the layer.

        Args:
            tgt: (T, B, d); (B, T, d) if batch_first; (T, d) unbatched.
            memory: the encoder's output, (S, B, d), (B, S, d) or (S, d).
            tgt_mask, tgt_key_padding_mask, tgt_is_causal: of the attention to `tgt`, as in `TransformerEncoderLayer`.
            memory_mask, memory_key_padding_mask, memory_is_causal: of the attention to `memory`, alike.

        Returns:
            Like `tgt`.

        Raises:
            TypeError, ValueError: a tensor of another dtype, device or shape, or one of no steps or sequences.
        """
        def to_itself(x):
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def to_memory(x):
            return self.multihead_attn(x, memory, memory, memory_key_padding_mask, False, memory_mask,
                                       is_causal=memory_is_causal)[0]

        x = self.around(to_itself, self.norm1, tgt)
        x = self.around(to_memory, self.norm2, x)
        return self.around(self.feed_forward, self.norm3, x)


class CausalTransformer(Module):
    """Equation (6): a decoder-only Transformer, called like a recurrent layer.

    With positions=None it is `torch.nn.TransformerEncoder` under a causal mask, parameter for parameter.

    Args:
        d_model, nhead, dropout, activation, norm_first, batch_first, device, dtype, fused: as for
            `TransformerEncoderLayer`; with norm_first a last layer norm, `norm`, follows the stack.
        num_layers: L, how many layers stand on one another.
        dim_feedforward: rows of W_1; 4d if left out.
        positions: "sinusoidal" or "learned", added to x; "rotary" or "alibi", inside every attention; None for none.
        max_len: the longest sequence, cache included, for positions="learned" only.

    Raises:
        TypeError, ValueError: an argument outside what is listed above, or two that do not go together.
    """

    def __init__(self, d_model, nhead, num_layers=1, dim_feedforward=None, dropout=0.0, activation="gelu",
                 norm_first=True, batch_first=False, *, positions="sinusoidal", max_len=None, fused=True, device=None,
                 dtype=None):
        super().__init__()
        checks.positive_int("num_layers", num_layers)
        self.head_dim = checks.heads("d_model", d_model, nhead)
        checks.causal_transformer(d_model, self.head_dim, positions, max_len)
        self.d_model, self.nhead, self.num_layers = d_model, nhead, num_layers
        self.batch_first, self.positions = batch_first, positions
        where = {"device": device, "dtype": dtype}
        hidden = 4 * d_model if dim_feedforward is None else dim_feedforward
        self.layers = nn.ModuleList(
            TransformerEncoderLayer(d_model, nhead, hidden, dropout, activation, batch_first=batch_first,
                                    norm_first=norm_first, fused=fused, **where) for _ in range(num_layers))
        self.norm = LayerNorm(d_model, fused=fused, **where) if norm_first else None
        self.table = LearnedPositions(max_len, d_model, **where) if positions == "learned" else None

    def forward(self, x, cache=None):
        """Run the stack over the next T steps.

        Args:
            x: (T, B, d); (B, T, d) if batch_first; (T, d) unbatched.
            cache: what an earlier call returned, to go on where it ended; None to begin.

        Returns:
            output: like `x`; step t has seen steps 1 to t and what the cache holds.
            cache: a list of pairs (k, v), one a layer, (B, h, S, d_h) each, with S steps so far; B = 1 if unbatched.

        Raises:
            TypeError, ValueError: tensors of another dtype, device or shape, no steps or sequences, or more steps than
                learned positions.
        """
        check_tensor("input", x, self.layers[0].linear1.weight)
        batched, T, B = checks.sequence(x, self.d_model, self.batch_first)
        x = x if batched else x.unsqueeze(0 if self.batch_first else 1)
        cache = self._check_cache(cache, B)
        S = T if cache[0][0] is None else T + cache[0][0].shape[2]
        x, mask, turn, kept = self._place(x, T, S), self._mask(x, T, S), self._turn(x, T, S), []
        for layer, past in zip(self.layers, cache):
            def attend(x):
                output, pair = self._attend(layer.self_attn, x, *past, mask, turn)   # noqa: B023 — used at once
                kept.append(pair)
                return output
            x = layer.run(x, attend)
        x = x if self.norm is None else self.norm(x)
        return x if batched else x.squeeze(0 if self.batch_first else 1), kept

    def _attend(self, attention, x, k_past, v_past, mask, turn):
        """(T, B, d) to (T, B, d), and the pair (k, v) of all S steps."""
        q, k, v = attention.project(x, x, x)                                     # (B, h, T, d_h) each
        if turn is not None:
            q, k = rotate(torch.stack([q, k]), *turn)
        k, v = append(k_past, k), append(v_past, v)                              # (B, h, S, d_h)
        whole = mask is None and q.shape[2] == k.shape[2]                        # torch's kernel then needs no mask
        output, _ = attention.attend(q, k, v, mask, is_causal=whole)
        return attention.merge(output), (k, v)

    def _place(self, x, T, S):
        """x with the positions S - T to S - 1 added, where that is how they are told."""
        if self.positions == "sinusoidal":
            p = sinusoidal(T, self.d_model, S - T, device=x.device, dtype=x.dtype)
        elif self.positions == "learned":
            p = self.table(T, S - T)
        else:
            return x
        return x + (p if self.batch_first else p[:, None])                       # (T, d), (T, 1, d)

    def _turn(self, x, T, S):
        """Cosines and sines for every layer's queries and keys, (T, d_h/2) each, where positions are rotary."""
        if self.positions == "rotary":
            return rotation(torch.arange(S - T, S, device=x.device), self.head_dim, dtype=x.dtype)
        return None

    def _mask(self, x, T, S):
        """What is added to the scores of the last T of S steps, (T, S) or (h, T, S); None if `is_causal` says it."""
        if self.positions == "alibi":
            mask = alibi(self.nhead, T, S, device=x.device, dtype=x.dtype)
        elif T in (1, S):
            return None
        else:
            mask = x.new_zeros(T, S)
        return mask if T == 1 else mask.masked_fill(future(T, S, S - T, x.device), -math.inf)

    def _check_cache(self, cache, B):
        """The cache, or pairs of None."""
        if cache is None:
            return [(None, None)] * self.num_layers
        cache = checks.cache(cache, self.num_layers)
        like = self.layers[0].linear1.weight
        for layer, pair in enumerate(cache):
            for name, tensor in zip("kv", pair):
                check_tensor(f"{name} of layer {layer} of cache", tensor, like)
                S = cache[0][0].shape[2] if layer or name == "v" else "S"
                checks.shape(f"{name} of layer {layer} of cache", tensor, (B, self.nhead, S, self.head_dim))
        return cache

    def extra_repr(self):
        return f"positions={self.positions!r}"
