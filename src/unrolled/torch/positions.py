"""Where a step stands, told to attention in four ways: (1) to (3) of `attention` do not see the order of the keys.

    p_t = [sin ω_0 t, cos ω_0 t, sin ω_1 t, cos ω_1 t, …],  ω_i = base^(-2i/d)   (1)  sinusoidal, added to x_t
    p_t = row t of a learned table                                               (2)  learned, added to x_t
    q_t → R_t q_t,  k_s → R_s k_s,  R_t = rotations by ω_i t, one a pair         (3)  rotary: q_t · k_s sees t - s alone
    e_ts → e_ts - m |t - s|                                                      (4)  ALiBi: one slope m a head

Pairs are neighbours, numbers 2i and 2i + 1, as in the papers. One rotation ties (1) to (3): p_(t+k) = R_kᵀ p_t.

Sources: Vaswani et al. 2017 (section 3.5), Su et al. 2021 (eq. 34), Press et al. 2022 (section 3).
Letters: T queries, S keys, d d_model, h num_heads, d_h = d / h.
"""

import math

import torch
from torch import nn

from unrolled import checks
from unrolled.torch.calls import check_dtype, check_tensor
from unrolled.torch.precision import wide
from unrolled.torch.twin import Module


def angles(positions, width, base=10000.0):
    """ω_i t: (..., T) to (..., T, width / 2), in float64, since float32 would blur an angle of thousands of turns."""
    exponents = -torch.arange(0, width, 2, dtype=torch.float64, device=positions.device) / width
    return positions[..., None].double() * base**exponents


def sinusoidal(length, d_model, start=0, *, device=None, dtype=None):
    """Equation (1) for positions start, …, start + length - 1.

    Args:
        length: T, how many positions.
        d_model: d, even.
        start: the first position.
        device, dtype: of the result; torch's default where left out.

    Returns:
        (T, d).

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """
    checks.positive_int("length", length)
    checks.even("d_model", d_model)
    checks.positive_int("start", start, least=0)
    check_dtype(dtype)
    return waves(torch.arange(start, start + length, device=device), d_model, dtype or torch.get_default_dtype())


def waves(positions, d_model, dtype):
    """Equation (1) for these positions, (T,) to (T, d)."""
    a = angles(positions, d_model)                                                       # (T, d/2)
    return torch.stack([a.sin(), a.cos()], -1).flatten(-2).to(dtype)


class LearnedPositions(Module):
    """Equation (2): a table with a row for each of the positions 0 to max_len - 1, and none beyond.

    Args:
        max_len: rows.
        d_model: d; entries start normal with deviation 0.02, as in BERT and GPT-2.
        device, dtype: of the table.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, max_len, d_model, device=None, dtype=None):
        super().__init__()
        shape = checks.positive_int("max_len", max_len), checks.positive_int("d_model", d_model)
        check_dtype(dtype)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self):
        """Draw the table anew."""
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, length, start=0):
        """Rows start to start + length - 1, (T, d).

        Raises:
            TypeError, ValueError: positions that the table does not have.
        """
        return self.rows(checks.positive_int("start", start, least=0), start + checks.positive_int("length", length))

    def rows(self, start, end):
        """Rows start to end - 1."""
        if end > len(self.weight):
            raise ValueError(f"a sequence of {end} steps is longer than max_len {len(self.weight)}")
        return self.weight[start:end]

    def extra_repr(self):
        return ", ".join(map(str, self.weight.shape))


def rotary(x, positions, base=10000.0):
    """Equation (3): turn every pair of numbers of a query or key by its position.

    Args:
        x: queries or keys, (..., T, d_h), d_h even.
        positions: (T,).
        base: what the frequencies ω_i = base^(-2i/d_h) are powers of.

    Returns:
        (..., T, d_h): rotary(q, t) · rotary(k, s) is a function of q, k and t - s.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """
    check_tensor("x", x, x)
    check_tensor("positions", positions, positions)
    if x.dim() < 2:
        raise ValueError(f"x must have shape (..., T, d_h), got {tuple(x.shape)}")
    checks.shape("positions", positions, x.shape[-2:-1])
    checks.even("d_h", x.shape[-1])
    return rotate(x, *rotation(positions, x.shape[-1], checks.positive_number("base", base), x.dtype))


def rotation(positions, width, base=10000.0, dtype=torch.float32):
    """cos ω_i t and sin ω_i t, (T, width / 2) each: what all queries and keys of these positions are turned by."""
    a = angles(positions, width, base)
    return a.cos().to(wide(dtype)), a.sin().to(wide(dtype))


def rotate(x, cos, sin):
    """Turn every pair of the last axis, (..., T, d_h), by the angles with these cosines and sines."""
    even, odd = x[..., 0::2], x[..., 1::2]                                               # (..., T, d_h/2)
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2).to(x.dtype)


def alibi_slopes(num_heads):
    """The slopes m of (4), (h,), in float64.

    For h a power of two 2^(-8/h), 2^(-16/h), …, 2^-8; else those of the power of two below, then every second one of
    the next power's, as published.
    """
    checks.positive_int("num_heads", num_heads)
    whole = 2 ** int(math.log2(num_heads))
    slopes = 2 ** (-8 * torch.arange(1, whole + 1, dtype=torch.float64) / whole)
    if whole == num_heads:
        return slopes
    return torch.cat([slopes, alibi_slopes(2 * whole)[::2][: num_heads - whole]])


def alibi(num_heads, T, S, *, device=None, dtype=None):
    """Equation (4): what is added to the scores, for queries that are the last T of S positions.

    Args:
        num_heads: h, a slope for each.
        T, S: queries and keys, T <= S.
        device, dtype: of the result; torch's default where left out.

    Returns:
        (h, T, S), minus m times the distance from t to s. It hides nothing: a causal mask is a matter of its own.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """
    if checks.positive_int("T", T) > checks.positive_int("S", S):
        raise ValueError(f"T must be at most S = {S}, got {T}")
    check_dtype(dtype)
    return fall(num_heads, T, S, device, dtype or torch.get_default_dtype())


def fall(num_heads, T, S, device, dtype):
    """Equation (4), (h, T, S)."""
    slopes = alibi_slopes(num_heads).to(device)
    distance = (torch.arange(S - T, S, device=device)[:, None] - torch.arange(S, device=device)).abs()   # (T, S)
    return (-slopes[:, None, None] * distance).to(dtype)
