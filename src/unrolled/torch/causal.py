"""A causal stack of the Transformer's encoder layers that is called like a recurrent layer.

    encoder layers L times, where step t attends to keys 1 to t, those of earlier calls included     (1)

What (1) carries from call to call is its cache, k and v of every step so far: it grows with T where an h_t does not.
With it the next token costs 2 (12 d² + 2 S d) operations a layer instead of S times that: the S earlier ones are kept.

Letters: T steps of a call, S steps so far, B batch, d d_model, h nhead, d_h = d / h, L num_layers.
"""

import math

import torch
from torch import nn

from unrolled import checks
from unrolled.torch.attention import future
from unrolled.torch.cache import append
from unrolled.torch.calls import check_tensor
from unrolled.torch.norm import LayerNorm
from unrolled.torch.positions import LearnedPositions, fall, rotate, rotation, waves
from unrolled.torch.transformer import TransformerEncoderLayer
from unrolled.torch.twin import Module


class CausalTransformer(Module):
    """Equation (1): a decoder-only Transformer, called like a recurrent layer.

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
            cache: pairs (k, v), one a layer, (B, h, S, d_h) each, with S steps so far; B = 1 if unbatched.

        Raises:
            TypeError, ValueError: tensors of another dtype, device or shape, no steps, or more steps than learned
                positions.
        """
        check_tensor("input", x, self.layers[0].linear1.weight)
        batched, T, B = checks.sequence(x, self.d_model, self.batch_first)
        x = x if batched else x.unsqueeze(0 if self.batch_first else 1)
        cache = self._check_cache(cache, B)
        first = cache[0][0] is None
        S = T if first else T + cache[0][0].shape[2]
        x, mask, turn, kept = self._place(x, T, S), self._mask(x, T, S, first), self._turn(x, T, S), []
        for layer, past in zip(self.layers, cache):
            def attend(x):
                output, pair = self._attend(layer.self_attn, x, *past, mask, turn)   # noqa: B023 — used at once
                kept.append(pair)
                return output
            x = layer.run(x, attend)
        x = x if self.norm is None else self.norm(x)
        return x if batched else x.squeeze(0 if self.batch_first else 1), tuple(kept)

    def _attend(self, attention, x, k_past, v_past, mask, turn):
        """(T, B, d) to (T, B, d), and the pair (k, v) of all S steps."""
        q, k, v = attention.project(x, x, x)                                     # (B, h, T, d_h) each
        if turn is not None:
            q, k = rotate(torch.stack([q, k]), *turn)
        k, v = append(k_past, k), append(v_past, v)                              # (B, h, S, d_h)
        whole = mask is None and k_past is None                                  # torch's kernel then needs no mask
        output, _ = attention.attend(q, k, v, mask, is_causal=whole)
        return attention.merge(output), (k, v)

    def _place(self, x, T, S):
        """x with the positions S - T to S - 1 added, where that is how they are told."""
        if self.positions == "sinusoidal":
            p = waves(torch.arange(S - T, S, device=x.device), self.d_model, x.dtype)
        elif self.positions == "learned":
            p = self.table.rows(S - T, S)
        else:
            return x
        return x + (p if self.batch_first else p[:, None])                       # (T, d), (T, 1, d)

    def _turn(self, x, T, S):
        """Cosines and sines for every layer's queries and keys, (T, d_h/2) each, where positions are rotary."""
        if self.positions == "rotary":
            return rotation(torch.arange(S - T, S, device=x.device), self.head_dim, dtype=x.dtype)
        return None

    def _mask(self, x, T, S, first):
        """What is added to the scores of the last T of S steps, (T, S) or (h, T, S); None if `is_causal` says it."""
        if self.positions == "alibi":
            mask = fall(self.nhead, T, S, x.device, x.dtype)
        elif first or T == 1:
            return None
        else:
            mask = x.new_zeros(T, S)
        return mask.masked_fill(future(T, S, S - T, x.device), -math.inf)

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
