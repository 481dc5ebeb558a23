"""Attention as it came to recurrent networks, as `nn.Module`s: four ways to score a key against a query.

    e_ts = vᵀ tanh(W q_t + U k_s)             (1)  additive   Bahdanau, Cho & Bengio 2015
    e_ts = q_tᵀ k_s                           (2)  dot        Luong, Pham & Manning 2015
    e_ts = q_tᵀ W k_s                         (3)  general    Luong, Pham & Manning 2015
    e_ts = vᵀ tanh(W_a [q_t; k_s])            (4)  concat     Luong, Pham & Manning 2015; (1), with W_a = [W U]

    a_ts = exp(e_ts) / Σ_j exp(e_tj)          (5)  weights, over the keys that are no padding
    c_t  = Σ_s a_ts k_s                       (6)  context

Letters: B batch, T queries q_t, S keys k_s, q query_size, k key_size, A hidden_size of (1) and (4).
U k_s and W k_s wait for no query, so `prepare` computes them once for all steps of a decoder.
"""

import torch
import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.torch.attention import masked_softmax
from unrolled.torch.calls import check_dtype, check_tensor
from unrolled.torch.precision import widened
from unrolled.torch.twin import Module


class _Attention(Module):
    """What the four share: their parameters by name, and equations 5 and 6. Each brings its `score`."""

    def __init__(self, query_size=None, key_size=None, device=None, dtype=None, **shapes):
        super().__init__()
        check_dtype(dtype)
        self.query_size, self.key_size = query_size, key_size
        self.shapes = shapes
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw all parameters anew, as `nn.Linear` does: uniform up to one over the root of their width."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -parameter.shape[-1] ** -0.5, parameter.shape[-1] ** -0.5)

    def forward(self, query, keys, key_padding_mask=None, prepared=None):
        """Attend to the keys.

        Args:
            query: q_t, (B, T, q), or (B, q) for one step.
            keys: k_s, (B, S, k).
            key_padding_mask: boolean, (B, S); True where there is no key, as in `nn.MultiheadAttention`.
            prepared: `prepare(keys)` of these keys where it is known; then padding must hold finite numbers.

        Returns:
            context: c_t, (B, T, k), or (B, k).
            weights: a_ts, (B, T, S), or (B, S). They sum to 1; where all is padding, they and the context are 0.

        Raises:
            TypeError, ValueError: not a tensor, or one of another dtype, device or shape.
        """
        for name, array in (("query", query), ("keys", keys)):
            check_tensor(name, array, next(self.parameters(), query))
        checks.query_and_keys(query, keys, self.query_size, self.key_size)
        for name, shape in self.shapes.items():                      # one row would broadcast, and nobody would know
            checks.shape(name, getattr(self, name), shape)
        if key_padding_mask is not None:
            _check_mask(key_padding_mask, keys)
            keys = keys.masked_fill(key_padding_mask[..., None], 0.0)     # whatever stands there, even NaN
        prepared = self.prepare(keys) if prepared is None else self._checked(prepared, query, keys)
        e = self.score(query if query.ndim == 3 else query[:, None], prepared)      # (B, T, S)
        if key_padding_mask is not None:
            e = e.masked_fill(key_padding_mask[:, None], float("-inf"))
        a = masked_softmax(e).to(keys.dtype)
        c = a @ keys                                                 # (B, T, k)
        return (c, a) if query.ndim == 3 else (c[:, 0], a[:, 0])

    def _checked(self, prepared, query, keys):
        """Raise unless this can be `prepare` of the keys: those of one sequence would broadcast to all others."""
        check_tensor("prepared", prepared, keys, "the keys")
        width = len(self.v) if hasattr(self, "v") else query.shape[-1]
        checks.shape("prepared", prepared, (*keys.shape[:2], width))
        return prepared

    def extra_repr(self):
        return ", ".join(str(size) for size in (self.query_size, self.key_size) if size)


class AdditiveAttention(_Attention):
    """Equation 1: a network with one hidden layer scores each pair.

    Args:
        query_size, key_size, hidden_size: q, k and A.
        device, dtype: of the parameters W, (A, q), U, (A, k), and v, (A,).

    Raises:
        TypeError, ValueError: a size that is not a whole number of at least 1.
    """

    def __init__(self, query_size, key_size, hidden_size, device=None, dtype=None):
        checks.sizes(query_size=query_size, key_size=key_size, hidden_size=hidden_size)
        super().__init__(query_size, key_size, device, dtype,
                         W=(hidden_size, query_size), U=(hidden_size, key_size), v=(hidden_size,))

    def prepare(self, keys):
        """U k_s, (B, S, k) to (B, S, A)."""
        return keys @ self.U.T

    def score(self, query, prepared):
        """e_ts, (B, T, S), from (B, T, q) and U k_s."""
        return (F.linear(query, self.W)[:, :, None] + prepared[:, None]).tanh() @ self.v     # from (B, T, S, A)


class DotAttention(_Attention):
    """Equation 2: no parameters, and queries as wide as keys."""

    def __init__(self):
        super().__init__()

    def prepare(self, keys):
        """The keys themselves."""
        return keys

    @widened
    def score(self, query, prepared):
        """e_ts, (B, T, S), from (B, T, k) and (B, S, k)."""
        return query @ prepared.mT


class GeneralAttention(_Attention):
    """Equation 3: a matrix between the two.

    Args:
        query_size, key_size: q and k.
        device, dtype: of the parameter W, (q, k).

    Raises:
        TypeError, ValueError: a size that is not a whole number of at least 1.
    """

    def __init__(self, query_size, key_size, device=None, dtype=None):
        checks.sizes(query_size=query_size, key_size=key_size)
        super().__init__(query_size, key_size, device, dtype, W=(query_size, key_size))

    def prepare(self, keys):
        """W k_s, (B, S, k) to (B, S, q)."""
        return keys @ self.W.T

    @widened
    def score(self, query, prepared):
        """e_ts, (B, T, S), from (B, T, q) and W k_s."""
        return query @ prepared.mT


class ConcatAttention(_Attention):
    """Equation 4: the pair side by side. W_a splits into [W U], so no pair is ever put together.

    Args:
        query_size, key_size, hidden_size: q, k and A.
        device, dtype: of the parameters W_a, (A, q + k), and v, (A,).

    Raises:
        TypeError, ValueError: a size that is not a whole number of at least 1.
    """

    def __init__(self, query_size, key_size, hidden_size, device=None, dtype=None):
        checks.sizes(query_size=query_size, key_size=key_size, hidden_size=hidden_size)
        super().__init__(query_size, key_size, device, dtype,
                         W_a=(hidden_size, query_size + key_size), v=(hidden_size,))

    def prepare(self, keys):
        """The right block of W_a times k_s, (B, S, k) to (B, S, A)."""
        return keys @ self.W_a[:, self.query_size :].T

    def score(self, query, prepared):
        """e_ts, (B, T, S), from (B, T, q) and what `prepare` made of the keys."""
        Wq = F.linear(query, self.W_a[:, : self.query_size])         # (B, T, A)
        return (Wq[:, :, None] + prepared[:, None]).tanh() @ self.v  # from (B, T, S, A)


def _check_mask(mask, keys):
    if not isinstance(mask, torch.Tensor) or mask.dtype != torch.bool:
        raise TypeError(f"key_padding_mask must be a boolean tensor, got {getattr(mask, 'dtype', type(mask).__name__)}")
    checks.shape("key_padding_mask", mask, tuple(keys.shape[:2]))
    if mask.device != keys.device:
        raise ValueError(f"key_padding_mask must be on {keys.device}, like the keys, got {mask.device}")
