"""The four scores: against their definitions and torch's own attention, and what padding may not do."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from unrolled.torch import AdditiveAttention, ConcatAttention, DotAttention, GeneralAttention

sizes = st.integers(1, 5)
shapes = given(B=sizes, T=sizes, S=sizes, k=sizes, A=sizes, seed=st.integers(0, 99))


def normal(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def every(q, k, A, seed=0):
    """One of each score; dot only where widths agree."""
    torch.manual_seed(seed)
    made = {"dtype": torch.float64}
    scores = [AdditiveAttention(q, k, A, **made), GeneralAttention(q, k, **made), ConcatAttention(q, k, A, **made)]
    return scores + [DotAttention()] * (q == k)


def gradients(attention, query, keys, mask, upstream):
    """Context, weights and the gradients of query, keys and every parameter."""
    query, keys = query.clone().requires_grad_(), keys.clone().requires_grad_()
    attention.zero_grad()
    c, a = attention(query, keys, mask)
    torch.autograd.backward([c, a], upstream)
    return c.detach(), a.detach(), query.grad, keys.grad, [one.grad for one in attention.parameters()]


@shapes
def test_dot_is_torchs_attention_without_its_scale(close, B, T, S, k, A, seed):
    query, keys = normal(B, T, k, seed=seed), normal(B, S, k, seed=seed + 1)
    mask = normal(B, S, seed=seed) > 0
    mask[:, 0] = False
    context, _ = DotAttention()(query, keys, mask)
    close(context, F.scaled_dot_product_attention(query, keys, keys, ~mask[:, None], scale=1.0))


@shapes
def test_general_is_torchs_attention_after_a_linear_map(close, B, T, S, k, A, seed):
    torch.manual_seed(seed)
    attention, query, keys = GeneralAttention(A, k, dtype=torch.float64), normal(B, T, A), normal(B, S, k)
    context, _ = attention(query, keys)
    close(context.detach(), F.scaled_dot_product_attention(query @ attention.W, keys, keys, scale=1.0).detach())


@shapes
def test_additive_and_concat_are_their_definition_pair_by_pair(close, B, T, S, k, A, seed):
    query, keys = normal(B, T, A, seed=seed), normal(B, S, k)
    additive, _, concat, *_ = every(A, k, A + 1, seed)
    for attention, hidden in (
        (additive, lambda q, key: additive.W @ q + additive.U @ key),
        (concat, lambda q, key: concat.W_a @ torch.cat([q, key])),
    ):
        context, weights = attention(query, keys)
        for b in range(B):
            for t in range(T):
                e = torch.stack([attention.v.dot(hidden(query[b, t], key).tanh()) for key in keys[b]])
                a = e.exp() / e.exp().sum()
                close(weights[b, t].detach(), a.detach())
                close(context[b, t].detach(), sum(a[s] * keys[b, s] for s in range(S)).detach())


@shapes
def test_concat_is_additive_with_both_matrices_side_by_side(close, B, T, S, k, A, seed):
    query, keys, upstream = normal(B, T, A), normal(B, S, k), (normal(B, T, k), normal(B, T, S))
    additive, _, concat, *_ = every(A, k, A, seed)
    concat.load_state_dict({"W_a": torch.cat([additive.W, additive.U], dim=1), "v": additive.v})
    *expected, (d_W, d_U, d_v) = gradients(additive, query, keys, None, upstream)
    *got, d_joint = gradients(concat, query, keys, None, upstream)
    for one, other in zip([*got, *d_joint], [*expected, torch.cat([d_W, d_U], dim=1), d_v], strict=True):
        close(one, other)


@pytest.mark.parametrize("place", range(4))
def test_gradients_are_right_under_a_mask(place):
    attention = every(3, 3, 2)[place]
    mask = torch.tensor([[False, True, False], [True, True, True]])
    inputs = [normal(2, 2, 3).requires_grad_(), normal(2, 3, 3).requires_grad_()]
    names = [name for name, _ in attention.named_parameters()]

    def run(query, keys, *parameters):
        return torch.func.functional_call(attention, dict(zip(names, parameters)), (query, keys, mask))

    assert torch.autograd.gradcheck(run, (*inputs, *(one.detach().requires_grad_() for one in attention.parameters())))


@shapes
@pytest.mark.parametrize("filling", [1e6, float("nan"), float("inf")])
def test_whatever_stands_in_padding_changes_nothing(filling, B, T, S, k, A, seed):
    query, keys, upstream = normal(B, T, k, seed=seed), normal(B, S + 2, k), (normal(B, T, k), normal(B, T, S + 2))
    mask = torch.arange(S + 2) >= torch.randint(0, S + 1, (B, 1), generator=torch.Generator().manual_seed(seed))
    for attention in every(k, k, A, seed):
        expected = gradients(attention, query, keys.masked_fill(mask[..., None], 0.0), mask, upstream)
        got = gradients(attention, query, keys.masked_fill(mask[..., None], filling), mask, upstream)
        for one, other in zip([*got[:4], *got[4]], [*expected[:4], *expected[4]], strict=True):
            assert torch.equal(one, other)
        _, weights, _, d_keys, _ = got
        assert (weights.masked_select(mask[:, None]) == 0).all()
        assert (d_keys[mask] == 0).all()


@shapes
def test_padded_keys_may_as_well_not_be_there(close, B, T, S, k, A, seed):
    query, keys, upstream = normal(B, T, k, seed=seed), normal(B, S + 2, k), (normal(B, T, k), normal(B, T, S + 2))
    mask = (torch.arange(S + 2) >= S).expand(B, -1)
    for attention in every(k, k, A, seed):
        c, a, d_query, d_keys, d_parameters = gradients(attention, query, keys, mask, upstream)
        shorter = gradients(attention, query, keys[:, :S], None, (upstream[0], upstream[1][..., :S]))
        cut = (c, a[..., :S], d_query, d_keys[:, :S], *d_parameters)
        for one, other in zip(cut, (*shorter[:4], *shorter[4]), strict=True):
            close(one, other)


@shapes
def test_weights_sum_to_one_and_where_all_is_padding_everything_is_zero(close, B, T, S, k, A, seed):
    query, keys, upstream = normal(B, T, k, seed=seed), normal(B, S, k), (normal(B, T, k), normal(B, T, S))
    mask = torch.zeros(B, S, dtype=torch.bool)
    mask[-1] = True
    for attention in every(k, k, A, seed):
        c, a, d_query, d_keys, d_parameters = gradients(attention, query, keys, mask, upstream)
        if B > 1:
            close(a[:-1].sum(-1), torch.ones(B - 1, T))
        assert not any(part[-1].any() for part in (c, a, d_query, d_keys))
        assert all(one.isfinite().all() for one in d_parameters)


@shapes
def test_one_step_and_prepared_keys_give_the_same(close, B, T, S, k, A, seed):
    query, keys = normal(B, T, k, seed=seed), normal(B, S, k)
    mask = torch.arange(S).expand(B, -1) > seed % S
    for attention in every(k, k, A, seed):
        context, weights = attention(query, keys, mask)
        for t in range(T):
            c, a = attention(query[:, t], keys, mask, prepared=attention.prepare(keys))
            close(c.detach(), context[:, t].detach())
            close(a.detach(), weights[:, t].detach())


@pytest.mark.parametrize(("query", "keys", "mask", "error", "message"), [
    ([[1.0]], None, None, TypeError, "query must be a torch tensor, got list"),
    (normal(2, 3).float(), None, None, TypeError,
     "query must be torch.float64, like the parameters, got torch.float32"),
    (normal(2, 1, 4), None, None, ValueError, "query must have shape (B, T, 3), got (2, 1, 4)"),
    (normal(2, 4), None, None, ValueError, "query must have shape (B, 3), got (2, 4)"),
    (None, normal(3, 5, 2), None, ValueError, "keys must have shape (2, S, 2), got (3, 5, 2)"),
    (None, normal(2, 5, 3), None, ValueError, "keys must have shape (2, S, 2), got (2, 5, 3)"),
    (None, None, torch.zeros(2, 5), TypeError, "key_padding_mask must be a boolean tensor, got torch.float32"),
    (None, None, [True], TypeError, "key_padding_mask must be a boolean tensor, got list"),
    (None, None, torch.zeros(5, 2, dtype=torch.bool), ValueError,
     "key_padding_mask must have shape (2, 5), got (5, 2)"),
])
def test_wrong_input_is_named(refuses, query, keys, mask, error, message):
    query, keys = normal(2, 4, 3) if query is None else query, normal(2, 5, 2) if keys is None else keys
    for attention in every(3, 2, 4):
        with refuses(error, message):
            attention(query, keys, mask)


def test_dot_wants_queries_as_wide_as_keys(refuses):
    with refuses(ValueError, "keys must have shape (2, S, 3), got (2, 5, 2)"):
        DotAttention()(normal(2, 4, 3), normal(2, 5, 2))


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: AdditiveAttention(0, 1, 1), ValueError, "query_size must be at least 1, got 0"),
    (lambda: GeneralAttention(1, 1.5), TypeError, "key_size must be a whole number, got float 1.5"),
    (lambda: ConcatAttention(1, 1, True), TypeError, "hidden_size must be a whole number, got bool True"),
    (lambda: GeneralAttention(1, 1, dtype=torch.int64), TypeError, "dtype must be a floating point type of torch"),
])
def test_wrong_sizes_are_named(refuses, make, error, message):
    with refuses(error, message):
        make()


def test_it_starts_as_a_linear_layer_does_and_prints_its_sizes():
    torch.manual_seed(0)
    W = AdditiveAttention(100, 7, 200).W
    assert 0.0999 < W.abs().max() <= 0.1
    assert repr(GeneralAttention(3, 2)) == "GeneralAttention(3, 2)"
    assert repr(DotAttention()) == "DotAttention()"
