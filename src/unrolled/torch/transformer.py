"""The Transformer's layers (Vaswani et al. 2017).

    y = LN(x + sublayer(x))                              (1)  post-norm, as published
    y = x + sublayer(LN(x))                              (2)  pre-norm (Xiong et al. 2020): x itself runs through
    ff(x_t) = W_2 φ(W_1 x_t + b_1) + b_2                 (3)  feed-forward, on every step by itself; φ is relu, gelu, …
    encoder layer: attention to itself, ff               (4)
    decoder layer: attention to itself, to the encoder's output, ff                                  (5)

Letters: T target steps, S source steps, B batch, d d_model, h nhead.
Beside it: `causal`, a stack of (4) that is called like a recurrent layer.
"""

import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.torch.multihead import MultiheadAttention
from unrolled.torch.norm import LayerNorm
from unrolled.torch.twin import Module

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class _Layer(Module):
    """What both layers share: parameters by torch's names, the feed-forward part, and the sum around each part."""

    attentions = ("self_attn",)
    activation_relu_or_gelu = 0                      # torch.nn.TransformerEncoder reads it: 0, no kernel of its own

    def __init__(self, d_model, nhead, dim_feedforward=2048, dropout=0.1, activation="relu", layer_norm_eps=1e-5,
                 batch_first=False, norm_first=False, bias=True, device=None, dtype=None, *, fused=False):
        super().__init__()
        checks.heads("d_model", d_model, nhead)
        checks.positive_int("dim_feedforward", dim_feedforward)
        if not callable(activation):
            activation = ACTIVATIONS[checks.choice("activation", activation, ACTIVATIONS)]
        self.activation = activation
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
        return self.linear2(self.drop(self.activation(self.linear1(x))))

    def around(self, sublayer, norm, x):
        """Equation (2), or (1)."""
        if self.norm_first:
            return x + self.drop(sublayer(norm(x)))
        return norm(x + self.drop(sublayer(x)))

    def drop(self, x):
        return self.dropout(x) if self.training else x

    def extra_repr(self):
        named = getattr(self.activation, "__name__", type(self.activation).__name__)
        return f"activation={named!r}, norm_first={self.norm_first}"


class TransformerEncoderLayer(_Layer):
    """Equation (4): the twin of `torch.nn.TransformerEncoderLayer`.

    Args:
        d_model: d, the width of every step.
        nhead: h, a divisor of d.
        dim_feedforward: rows of W_1.
        dropout: probability with which a weight of attention, a number inside (3) or one of a sublayer's outputs is
            zeroed in training mode.
        activation: φ: "relu", "gelu" or a function of one tensor, modules included.
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
            TypeError, ValueError: a tensor of another dtype, device or shape.
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
            TypeError, ValueError: a tensor of another dtype, device or shape.
        """
        def to_itself(x):
            return self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]

        def to_memory(x):
            return self.multihead_attn(x, memory, memory, memory_key_padding_mask, False, memory_mask,
                                       is_causal=memory_is_causal)[0]

        x = self.around(to_itself, self.norm1, tgt)
        x = self.around(to_memory, self.norm2, x)
        return self.around(self.feed_forward, self.norm3, x)
