"""Positions in torch: what each kind promises about distance, against its paper's own words."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.torch import LearnedPositions, alibi, alibi_slopes, rotary, sinusoidal

PAIRS = st.integers(1, 5)
DOUBLE = {"dtype": torch.float64}


def normal(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Sinusoidal


@given(T=st.integers(1, 20), pairs=PAIRS, start=st.integers(0, 5000))
def test_sinusoids_are_those_of_the_paper(T, pairs, start):
    table, d = sinusoidal(T, 2 * pairs, start, **DOUBLE), 2 * pairs
    for t in range(T):
        for i in range(pairs):
            angle = (start + t) / 10000 ** (2 * i / d)
            assert abs(table[t, 2 * i] - math.sin(angle)) < 1e-11          # an angle of 5,000 is known to 1e-12
            assert abs(table[t, 2 * i + 1] - math.cos(angle)) < 1e-11


@given(T=st.integers(1, 20), pairs=PAIRS, k=st.integers(0, 50))
def test_a_shift_by_k_is_one_rotation_for_every_position(close, T, pairs, k):
    d, rotation = 2 * pairs, torch.zeros(2 * pairs, 2 * pairs, dtype=torch.float64)
    for i in range(pairs):
        angle = torch.tensor(k / 10000 ** (2 * i / d), dtype=torch.float64)
        rotation[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = torch.tensor([[angle.cos(), angle.sin()],
                                                                       [-angle.sin(), angle.cos()]])
    close(rotation @ rotation.T, torch.eye(d))
    close(sinusoidal(T, d, **DOUBLE) @ rotation.T, sinusoidal(T, d, k, **DOUBLE))


@given(T=st.integers(1, 20), pairs=PAIRS)
def test_products_of_sinusoids_depend_on_the_distance_only(close, T, pairs):
    product = (lambda p: p @ p.T)(sinusoidal(T, 2 * pairs, **DOUBLE))
    for distance in range(T):
        diagonal = product.diagonal(distance)
        close(diagonal, diagonal[:1].expand_as(diagonal))
    close(product.diagonal(), torch.full((T,), float(pairs)))


def test_single_precision_is_that_of_the_table_and_not_of_the_angle():
    table = sinusoidal(3, 8, 1_000_000)
    assert table.dtype == torch.float32
    assert (table - sinusoidal(3, 8, 1_000_000, **DOUBLE)).abs().max() < 1e-7


# Learned


def test_learned_positions_are_rows_of_their_table_and_learn():
    table = LearnedPositions(6, 4, **DOUBLE)
    rows = table(3, start=2)
    assert torch.equal(rows, table.weight[2:5])
    rows.sum().backward()
    assert torch.equal(table.weight.grad.sum(1), torch.tensor([0, 0, 4, 4, 4, 0], dtype=torch.float64))
    assert repr(table) == "LearnedPositions(6, 4)"


def test_learned_positions_end_where_the_table_ends(refuses):
    table = LearnedPositions(6, 4)
    assert table(6).shape == (6, 4)
    with refuses(ValueError, "sequence of 7 steps is longer than max_len 6"):
        table(7)
    with refuses(ValueError, "sequence of 7 steps is longer than max_len 6"):
        table(1, start=6)


# Rotary


@given(T=st.integers(1, 8), pairs=PAIRS, shift=st.integers(0, 2000), base=st.sampled_from([10000.0, 100.0]))
def test_rotary_scores_depend_on_the_distance_of_positions_only(T, pairs, shift, base):
    q, k, t = normal(2, 3, T, 2 * pairs), normal(2, 3, T, 2 * pairs, seed=2), torch.arange(T)
    scores, shifted = (rotary(q, t + n, base) @ rotary(k, t + n, base).mT for n in (0, shift))
    assert (scores - shifted).abs().max() < 1e-11 * scores.abs().max().clamp(min=1)  # angles of 2,000 round to 1e-13
    if T > 1:
        moved = rotary(q, t, base) @ rotary(k, t + 1, base).mT
        assert not torch.allclose(moved, scores)


@given(T=st.integers(1, 8), pairs=PAIRS)
def test_rotary_is_a_product_with_e_to_the_i_omega_t(close, T, pairs):
    x = normal(2, T, 2 * pairs)
    frequency = torch.tensor([10000 ** (-2 * i / (2 * pairs)) for i in range(pairs)], dtype=torch.float64)
    turned = torch.view_as_complex(x.unflatten(-1, (pairs, 2))) * torch.exp(1j * torch.arange(T)[:, None] * frequency)
    close(rotary(x, torch.arange(T)), torch.view_as_real(turned).flatten(-2))


def test_rotary_keeps_every_length_and_leaves_position_0_alone(close):
    x = normal(5, 6)
    close(rotary(x, torch.arange(5)).norm(dim=-1), x.norm(dim=-1))
    close(rotary(x, torch.arange(5))[0], x[0])
    close(rotary(rotary(x, torch.arange(5)), -torch.arange(5)), x)


def test_sinusoids_turn_as_rotary_does_with_their_pairs_exchanged(close):
    p, t = sinusoidal(6, 8, **DOUBLE), torch.arange(6)
    first = p[:1].expand(6, 8).unflatten(-1, (4, 2)).flip(-1).flatten(-2)             # (cos, sin) = e^(i 0)
    close(rotary(first, t).unflatten(-1, (4, 2)).flip(-1).flatten(-2), p)


# ALiBi


@pytest.mark.parametrize(("heads", "published"), [
    (1, [2**-8]), (2, [2**-4, 2**-8]), (8, [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]),
    (16, [2 ** (-k / 2) for k in range(1, 17)]),
    (3, [2**-4, 2**-8, 2**-2]), (6, [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]),
    (12, [2**-k for k in range(1, 9)] + [2**-0.5, 2**-1.5, 2**-2.5, 2**-3.5]),
])
def test_slopes_are_the_published_ones(close, heads, published):
    close(alibi_slopes(heads), published)


@given(heads=st.integers(1, 40))
def test_every_head_has_a_slope_of_its_own(heads):
    slopes = alibi_slopes(heads)
    assert len(slopes.unique()) == heads
    assert (slopes > 0).all()
    assert (slopes < 1).all()


@given(heads=st.integers(1, 5), T=st.integers(1, 6), more=st.integers(0, 6))
def test_the_bias_is_linear_in_the_distance_from_the_last_positions(close, heads, T, more):
    bias, slopes, S = alibi(heads, T, T + more, **DOUBLE), alibi_slopes(heads), T + more
    for t in range(T):
        for s in range(S):
            close(bias[:, t, s], -slopes * abs(more + t - s))
    close(bias, alibi(heads, S, S, **DOUBLE)[:, more:])
    assert alibi(heads, T, S).dtype == torch.float32


# Bad input


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: sinusoidal(0, 4), ValueError, "length must be at least 1, got 0"),
    (lambda: sinusoidal(3, 5), ValueError, "d_model must be even, got 5"),
    (lambda: sinusoidal(3, 4, -1), ValueError, "start must be at least 0, got -1"),
    (lambda: sinusoidal(3, 4, dtype=torch.int64), TypeError, "dtype must be a floating point type of torch"),
    (lambda: LearnedPositions(0, 4), ValueError, "max_len must be at least 1, got 0"),
    (lambda: LearnedPositions(4, 4)(1, -1), ValueError, "start must be at least 0, got -1"),
    (lambda: rotary([1.0, 2.0], torch.arange(1)), TypeError, "x must be a torch tensor, got list"),
    (lambda: rotary(normal(3, 5), torch.arange(3)), ValueError, "d_h must be even, got 5"),
    (lambda: rotary(normal(3, 4), torch.arange(4)), ValueError, "positions must have shape (3,), got (4,)"),
    (lambda: rotary(normal(3, 4), [0, 1, 2]), TypeError, "positions must be a torch tensor, got list"),
    (lambda: rotary(normal(4), torch.arange(1)), ValueError, "x must have shape (..., T, d_h), got (4,)"),
    (lambda: rotary(normal(3, 4), torch.arange(3), 0), ValueError, "base must be a positive number, got 0"),
    (lambda: alibi_slopes(0), ValueError, "num_heads must be at least 1, got 0"),
    (lambda: alibi(2, 5, 4), ValueError, "T must be at most S = 4, got 5"),
    (lambda: alibi(2, 0, 4), ValueError, "T must be at least 1, got 0"),
])
def test_what_does_not_fit_is_refused(refuses, call, error, message):
    with refuses(error, message):
        call()
