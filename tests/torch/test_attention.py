"""Attention in torch: the library's functions with all derivatives, masks, and queries with nothing to attend to."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from unrolled.torch import MultiheadAttention, scaled_dot_product
from unrolled.torch.attention import masked_softmax, tiled

DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
FUSED = pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
SIZES = {"T": st.integers(1, 6), "S": st.integers(1, 6), "B": st.integers(1, 3), "h": st.integers(1, 3)}


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def coins(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5


def some(*shape, seed=1):
    """A mask of True and False in which every query keeps its first key."""
    mask = coins(*shape, seed=seed)
    mask[..., 0] = False
    return mask


def added(mask, dtype=torch.float64, seed=1):
    """A float mask: -∞ where a boolean one is True, other numbers elsewhere."""
    return normal(*mask.shape, seed=seed, dtype=dtype).masked_fill(mask, -math.inf)


def make(*sizes, seed=0, dtype=torch.float64, kind=MultiheadAttention, **options):
    torch.manual_seed(seed)
    layer = kind(*sizes, dtype=dtype, **options)
    with torch.no_grad():                                        # biases that start at 0 would hide one left out
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.5)
    return layer


# Scaled dot-product attention


@DTYPES
@given(**SIZES, d=st.integers(1, 5), width=st.integers(1, 4), scale=st.sampled_from([None, 0.3]),
       mask=st.sampled_from([None, "boolean", "float", "one row", "causal"]), seed=st.integers(0, 999))
def test_it_is_the_librarys_function(agree, dtype, T, S, B, h, d, width, scale, mask, seed):
    q, k, v = (normal(B, h, steps, size, seed=seed + n, dtype=dtype) for n, (steps, size) in
               enumerate([(T, d), (S, d), (S, width)]))
    attn_mask = {"boolean": coins(B, h, T, S, seed=seed), "float": added(coins(T, S, seed=seed), dtype),
                 "one row": coins(B, 1, 1, S, seed=seed)}.get(mask)
    options = {"attn_mask": attn_mask, "is_causal": mask == "causal", "scale": scale}
    agree(lambda run, *qkv: run(*qkv, **options), lambda *qkv, **options: scaled_dot_product(*qkv, **options)[0],
          F.scaled_dot_product_attention, q, k, v)


@given(**SIZES, seed=st.integers(0, 999))
def test_the_weights_are_what_the_library_gives_the_rows_of_an_identity(close, T, S, B, h, seed):
    q, k, mask = normal(B, h, T, 3, seed=seed), normal(B, h, S, 3, seed=seed + 1), ~some(T, S, seed=seed)
    _, weights = scaled_dot_product(q, k, k, mask)
    close(weights, F.scaled_dot_product_attention(q, k, torch.eye(S, dtype=q.dtype).expand(B, h, S, S), mask))
    close(weights.sum(-1), torch.ones(B, h, T))
    assert (weights[..., ~mask] == 0).all()


def test_it_takes_a_single_sequence_of_vectors(close):
    q, k, v = normal(3, 4), normal(5, 4), normal(5, 2)
    close(scaled_dot_product(q, k, v)[0], F.scaled_dot_product_attention(q[None], k[None], v[None])[0])


def test_both_causal_and_masked_is_both(close):
    q, k, mask = normal(2, 4, 3), normal(2, 4, 3, seed=2), ~some(4, 4)
    both = mask & torch.ones(4, 4, dtype=torch.bool).tril()
    close(scaled_dot_product(q, k, k, mask, is_causal=True)[0], scaled_dot_product(q, k, k, both)[0])


def test_derivatives_of_first_and_second_order_with_a_row_of_nothing():
    mask = torch.tensor([[True, False, True], [False, False, False]])
    given = [normal(2, 3, 4, seed=n).requires_grad_() for n in range(2)]
    assert gradcheck(lambda k, v: scaled_dot_product(k[:, :2], k, v, mask), given)
    assert gradgradcheck(lambda k, v: scaled_dot_product(k[:, :2], k, v, mask), given)


@given(T=st.integers(1, 6), S=st.integers(1, 7), block=st.integers(1, 8), scale=st.sampled_from([None, 0.3]),
       mask=st.sampled_from([None, "boolean", "float", "causal"]), seed=st.integers(0, 99))
def test_tiles_give_the_same_output_and_the_same_gradients(T, S, block, scale, mask, seed):
    leaves = [normal(2, 3, steps, size, seed=seed + n).requires_grad_() for n, (steps, size) in
              enumerate([(T, 4), (S, 4), (S, 5)])]
    attn_mask = {"boolean": coins(T, S, seed=seed), "float": added(coins(3, T, S, seed=seed))}.get(mask)
    options = {"attn_mask": attn_mask, "is_causal": mask == "causal", "scale": scale}
    results = []
    for output in (tiled(*leaves, block=block, **options), scaled_dot_product(*leaves, **options)[0]):
        results.append([output, *torch.autograd.grad(output, leaves, normal(2, 3, T, 5, seed=9))])
    for one, other in zip(*results):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-13)


def test_tiles_refuse_a_block_of_nothing(refuses):
    with refuses(ValueError, "block must be"):
        tiled(*(normal(2, 3, seed=n) for n in range(3)), block=0)


def test_large_scores_do_not_overflow():
    weights = masked_softmax(torch.tensor([[1e4, -1e4, -math.inf], [-1e4, -1e4, -math.inf]]))
    assert torch.equal(weights, torch.tensor([[1, 0, 0], [0.5, 0.5, 0]]))


# Nothing to attend to


@pytest.mark.parametrize("mask", ["boolean", "float"])
def test_a_query_with_nothing_to_attend_to_gives_zeros_and_no_gradient(mask):
    keep = torch.tensor([[True, True, False], [False, False, False], [True, True, True]])
    given = keep if mask == "boolean" else torch.zeros(3, 3, dtype=torch.float64).masked_fill(~keep, -math.inf)
    q, k, v = (normal(2, 3, 4, seed=n).requires_grad_() for n in range(3))
    output, weights = scaled_dot_product(q, k, v, given)
    assert (output[:, 1] == 0).all()
    assert (weights[:, 1] == 0).all()
    d_q, d_k, d_v = torch.autograd.grad((output, weights), (q, k, v), (normal(2, 3, 4), normal(2, 3, 3)))
    assert (d_q[:, 1] == 0).all()
    without = scaled_dot_product(q[:, ::2], k, v, given[::2])
    d_k_without, d_v_without = torch.autograd.grad(without, (k, v), (normal(2, 3, 4)[:, ::2], normal(2, 3, 3)[:, ::2]))
    assert torch.allclose(d_k, d_k_without, rtol=0, atol=1e-14)
    assert torch.allclose(d_v, d_v_without, rtol=0, atol=1e-14)


@FUSED
@pytest.mark.parametrize("need_weights", [False, True], ids=["no weights", "weights"])
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_a_sequence_of_nothing_but_padding_gives_the_bias_and_finite_gradients(fused, need_weights, training):
    layer = make(4, 2, fused=fused).train(training)
    x, padding = normal(3, 2, 4).requires_grad_(), torch.tensor([[False, False, True], [True, True, True]])
    output, weights = layer(x, x, x, padding, need_weights)
    assert torch.equal(output[:, 1], layer.out_proj.bias.expand(3, 4))
    assert weights is None or (weights[1] == 0).all()
    gradients = torch.autograd.grad(output, [x, *layer.parameters()], normal(3, 2, 4))
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert (gradients[0][:, 1] == 0).all()


@pytest.mark.parametrize(("need_weights", "training", "grad", "finite"), [
    (True, True, True, False), (True, False, True, False), (True, False, False, False),
    (False, True, True, True), (False, False, True, True), (False, False, False, False),
])
def test_torch_nn_gives_nan_there_with_weights_or_on_its_inference_path_and_zeros_otherwise(
        need_weights, training, grad, finite):
    layer = make(4, 2, kind=nn.MultiheadAttention, batch_first=True).train(training)
    x, padding = normal(2, 3, 4), torch.tensor([[False, False, True], [True, True, True]])
    with torch.set_grad_enabled(grad):
        output, weights = layer(x, x, x, key_padding_mask=padding, need_weights=need_weights)
    assert output[0].isfinite().all()
    assert output[1].isfinite().all() == finite
    assert torch.equal(output[1], layer.out_proj.bias.expand(3, 4)) == finite
    assert weights is None or weights[1].isnan().all()
    if grad:
        gradients = torch.autograd.grad(output.sum(), [layer.in_proj_weight, layer.in_proj_bias])
        assert all(gradient.isfinite().all() == finite for gradient in gradients)


# Multi-head attention


@DTYPES
@FUSED
@given(**SIZES, d_h=st.integers(1, 4), widths=st.sampled_from([(None, None), (3, None), (None, 5), (3, 5)]),
       cross=st.booleans(), batched=st.booleans(), seed=st.integers(0, 999), need_weights=st.booleans(),
       average=st.booleans(), kind=st.sampled_from(["boolean", "float"]), attn=st.sampled_from([None, 2, 3]),
       padding=st.booleans(), options=st.fixed_dictionaries({"bias": st.booleans(), "batch_first": st.booleans()}))
def test_multihead_is_torch_nn(agree, dtype, fused, T, S, B, h, d_h, widths, cross, batched, seed, need_weights,
                               average, kind, attn, padding, options):
    d = h * d_h
    kdim, vdim = widths
    options = options | ({"kdim": kdim, "vdim": vdim} if cross else {})
    S, B = S if cross else T, B if batched else 1

    def sequence(steps, width, seed):
        shape = (B, steps) if options["batch_first"] else (steps, B)
        return normal(*(shape if batched else (steps,)), width, seed=seed, dtype=dtype)

    given = [sequence(T, d, seed), sequence(S, kdim or d, seed + 1), sequence(S, vdim or d, seed + 2)]
    masks = {"attn_mask": None if attn is None else some(*(() if attn == 2 else (B * h,)), T, S, seed=seed),
             "key_padding_mask": some(*((B, S) if batched else (S,)), seed=seed + 1) if padding else None}
    if kind == "float":
        masks = {name: mask if mask is None else added(mask, dtype, seed) for name, mask in masks.items()}

    def run(layer, query, key=None, value=None):
        key, value = (query, query) if key is None else (key, value)
        return layer(query, key, value, need_weights=need_weights, average_attn_weights=average, **masks)

    ours, library = (make(d, h, kind=kind, dtype=dtype, seed=seed, **options | extra) for kind, extra in
                     [(MultiheadAttention, {"fused": fused}), (nn.MultiheadAttention, {})])
    agree(run, ours, library, *(given if cross else given[:1]))
    with torch.no_grad():                                        # torch's inference path, where it takes it
        got, expected = (run(layer.eval(), *(given if cross else given[:1])) for layer in (ours, library))
    tolerance = 1e-12 if dtype == torch.float64 else 2e-6
    assert (got[0] - expected[0]).abs().max() <= tolerance * expected[0].abs().max().clamp(min=1)
    if need_weights:
        assert (got[1] - expected[1]).abs().max() <= tolerance


@given(**SIZES, seed=st.integers(0, 999), causal=st.booleans(), attn=st.sampled_from([None, "boolean", "float"]),
       padding=st.sampled_from([None, "boolean", "float"]))
def test_fused_is_plain_for_every_pair_of_masks_and_rows_of_nothing(agree, T, S, B, h, seed, causal, attn, padding):
    masks = {"attn_mask": (attn, coins(B * h, T, S, seed=seed)), "key_padding_mask": (padding, coins(B, S, seed=seed))}
    masks = {name: {None: None, "boolean": mask, "float": added(mask)}[kind] for name, (kind, mask) in masks.items()}
    agree(lambda layer, *given: layer(*given, need_weights=False, is_causal=causal, **masks)[0],
          make(2 * h, h, fused=True), make(2 * h, h), normal(T, B, 2 * h), normal(S, B, 2 * h), normal(S, B, 2 * h))


@FUSED
@given(T=st.integers(1, 6), padded=st.booleans(), need_weights=st.booleans())
def test_is_causal_is_the_mask_that_torch_nn_wants_beside_it(agree, fused, T, padded, need_weights):
    padding = some(2, T) if padded else None
    mask = torch.ones(T, T, dtype=torch.bool).triu(1)

    def run(layer, x):
        mine = {} if isinstance(layer, MultiheadAttention) else {"attn_mask": mask}
        return layer(x, x, x, padding, need_weights, is_causal=True, **mine)

    agree(run, make(4, 2, fused=fused), make(4, 2, kind=nn.MultiheadAttention), normal(T, 2, 4))


def test_torch_nn_believes_a_wrong_hint_unless_weights_are_asked_for():
    library, x, everything = make(4, 2, kind=nn.MultiheadAttention), normal(5, 1, 4), torch.zeros(5, 5).bool()
    hinted = library(x, x, x, attn_mask=everything, need_weights=False, is_causal=True)[0]
    assert not torch.allclose(hinted, library(x, x, x, attn_mask=everything, is_causal=True)[0])
    with pytest.raises(RuntimeError, match="Need attn_mask"):
        library(x, x, x, is_causal=True)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"kdim": 3}, {"kdim": 3, "vdim": 5, "bias": False}], ids=str)
def test_the_same_seed_draws_the_weights_that_torch_nn_draws_and_they_load_both_ways(options):
    torch.manual_seed(3)
    ours = MultiheadAttention(4, 2, **options)
    torch.manual_seed(3)
    library = nn.MultiheadAttention(4, 2, **options)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in library.named_parameters()]
    for got, expected in zip(ours.parameters(), library.parameters(), strict=True):
        assert torch.equal(got, expected)
    other = make(4, 2, dtype=torch.float32, **options)
    library.load_state_dict(other.state_dict())
    ours.load_state_dict(library.state_dict())
    assert all(map(torch.equal, ours.parameters(), other.parameters()))
    ours.load_state_dict({name: value.numpy() for name, value in library.state_dict().items()})


def test_it_prints_as_torch_nn_prints_and_names_the_fast_path():
    assert repr(MultiheadAttention(4, 2)) == repr(nn.MultiheadAttention(4, 2)).replace("NonDynamicallyQuantizable", "")
    assert "fused=True" in repr(MultiheadAttention(4, 2, fused=True))


@pytest.mark.parametrize("need_weights", [False, True], ids=["fused", "plain"])
def test_the_same_seed_drops_what_torch_nn_drops_also_in_the_weights(close, need_weights):
    ours, library = (make(4, 2, kind=kind, dropout=0.4) for kind in (MultiheadAttention, nn.MultiheadAttention))
    ours.fused, x, results = not need_weights, normal(6, 2, 4), []
    for layer in (ours, library):
        torch.manual_seed(7)
        results.append(layer(x, x, x, need_weights=need_weights, average_attn_weights=False))
    close(results[0][0].detach(), results[1][0].detach())
    assert not torch.allclose(results[0][0], ours.eval()(x, x, x)[0])
    if need_weights:
        close(results[0][1].detach(), results[1][1].detach())
        assert not torch.allclose(results[0][1].sum(-1), torch.ones(2, 2, 6, dtype=torch.float64))


@FUSED
@given(T=st.integers(1, 5), lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), seed=st.integers(0, 999))
def test_padding_does_not_change_output(close, fused, T, lengths, seed):
    layer, S = make(6, 2, fused=fused, batch_first=True, kdim=3), max(lengths)
    query, key, value = normal(len(lengths), T, 6), normal(len(lengths), S, 3, seed=seed), normal(len(lengths), S, 6)
    padding = torch.arange(S) >= torch.tensor(lengths)[:, None]
    output, _ = layer(query, key, value, padding, need_weights=False)
    for b, length in enumerate(lengths):
        alone, _ = layer(query[b], key[b, :length], value[b, :length], need_weights=False)
        close(output[b].detach(), alone.detach())


@given(T=st.integers(1, 6), seed=st.integers(0, 999))
def test_without_positions_the_order_of_the_keys_does_not_matter(close, T, seed):
    layer, x = make(4, 2), normal(T, 2, 4)
    order = torch.randperm(T, generator=torch.Generator().manual_seed(seed))
    close(layer(x, x[order], x[order])[0].detach(), layer(x, x, x)[0].detach())


@FUSED
def test_mixed_precision_accepts_what_torch_nn_accepts(fused):
    ours, library = (make(4, 2, dtype=torch.float32, kind=kind) for kind in (MultiheadAttention, nn.MultiheadAttention))
    ours.fused, x = fused, normal(5, 2, 4, dtype=torch.float32)
    for masks in ({}, {"key_padding_mask": some(2, 5)}):
        with torch.autocast("cpu", torch.bfloat16):
            output, expected = (layer(x, x, x, need_weights=False, **masks)[0] for layer in (ours, library))
        assert output.dtype == expected.dtype
        assert torch.allclose(output.float(), expected.float(), atol=0.05)


def test_it_lives_inside_other_modules_and_copies():
    model = nn.ModuleDict({"attention": make(4, 2, fused=True)})
    twin, x = copy.deepcopy(model), normal(3, 1, 4)
    assert torch.equal(model["attention"](x, x, x)[0], twin["attention"](x, x, x)[0])


# Bad input


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"q": [1.0]}, TypeError, "q must be a torch tensor, got list"),
    ({"q": normal(2, 3, 4, dtype=torch.float32)}, TypeError, "q must be torch.float64, like k, got torch.float32"),
    ({"q": normal(4)}, ValueError, "q must have shape (..., steps, width), got (4,)"),
    ({"k": normal(2, 5, 3)}, ValueError, "k must have shape (2, S, 4), got (2, 5, 3)"),
    ({"v": normal(2, 4, 6)}, ValueError, "v must have shape (2, 5, d_v), got (2, 4, 6)"),
    ({"attn_mask": torch.ones(3, 5)}, TypeError,
     "attn_mask must be boolean or torch.float64, like k, got torch.float32"),
    ({"attn_mask": torch.ones(3, 5, dtype=torch.long)}, TypeError, "got torch.int64"),
    ({"attn_mask": torch.ones(5, 3).bool()}, ValueError, "attn_mask must broadcast to (2, 3, 5), got (5, 3)"),
    ({"attn_mask": torch.ones(1, 1, 3, 5).bool()}, ValueError, "must broadcast to (2, 3, 5), got (1, 1, 3, 5)"),
    ({"is_causal": 1}, TypeError, "is_causal must be True or False, got int 1"),
    ({"scale": "1"}, TypeError, "scale must be a number, got str '1'"),
], ids=str)
def test_what_does_not_fit_is_refused(refuses, change, error, message):
    given = {"q": normal(2, 3, 4), "k": normal(2, 5, 4), "v": normal(2, 5, 6)}
    scaled_dot_product(**given)
    with refuses(error, message):
        scaled_dot_product(**given | change)


@pytest.mark.parametrize(("arguments", "options", "error", "message"), [
    ((6, 4), {}, ValueError, "embed_dim must be a multiple of num_heads 4, got 6"),
    ((0, 1), {}, ValueError, "embed_dim must be at least 1, got 0"),
    ((4, 2.0), {}, TypeError, "num_heads must be a whole number, got float 2.0"),
    ((4, 2), {"dropout": 2}, ValueError, "dropout must lie in [0, 1], got 2"),
    ((4, 2), {"bias": None}, TypeError, "bias must be True or False, got NoneType None"),
    ((4, 2), {"kdim": 0}, ValueError, "kdim must be at least 1, got 0"),
    ((4, 2), {"vdim": True}, TypeError, "vdim must be a whole number, got bool True"),
    ((4, 2), {"batch_first": 1}, TypeError, "batch_first must be True or False, got int 1"),
    ((4, 2), {"fused": "yes"}, TypeError, "fused must be True or False, got str 'yes'"),
    ((4, 2), {"dtype": torch.int64}, TypeError, "dtype must be a floating point type of torch, got torch.int64"),
], ids=str)
def test_a_layer_that_cannot_be_is_refused(refuses, arguments, options, error, message):
    with refuses(error, message):
        MultiheadAttention(*arguments, **options)


@FUSED
@pytest.mark.parametrize(("change", "error", "message"), [
    ({"query": None}, TypeError, "query must be a torch tensor, got NoneType"),
    ({"query": normal(3, 2, 4, dtype=torch.float32)}, TypeError,
     "query must be torch.float64, like the parameters, got torch.float32"),
    ({"query": normal(3, 2, 5)}, ValueError, "query must have shape (T, B, 4), got (3, 2, 5)"),
    ({"query": normal(4)}, ValueError, "query must have shape (T, 4), got (4,)"),
    ({"query": normal(3, 4)}, ValueError, "key must have shape (S, 6), got (5, 2, 6)"),
    ({"key": normal(5, 1, 6)}, ValueError, "key must have shape (S, 2, 6), got (5, 1, 6)"),
    ({"value": normal(4, 2, 4)}, ValueError, "value must have shape (5, 2, 4), got (4, 2, 4)"),
    ({"attn_mask": torch.zeros(5, 3).bool()}, ValueError, "attn_mask must have shape (3, 5), got (5, 3)"),
    ({"attn_mask": torch.zeros(2, 3, 5).bool()}, ValueError, "attn_mask must have shape (4, 3, 5), got (2, 3, 5)"),
    ({"attn_mask": torch.zeros(3, 5, dtype=torch.uint8)}, TypeError,
     "attn_mask must be boolean or torch.float64, like the parameters, got torch.uint8"),
    ({"attn_mask": "causal"}, TypeError, "attn_mask must be a torch tensor, got str"),
    ({"key_padding_mask": torch.zeros(5, 2).bool()}, ValueError, "key_padding_mask must have shape (2, 5), got (5, 2)"),
    ({"key_padding_mask": torch.zeros(2, 5)}, TypeError, "got torch.float32"),
    ({"is_causal": None}, TypeError, "is_causal must be True or False, got NoneType None"),
], ids=str)
def test_a_call_that_does_not_fit_is_refused(refuses, fused, change, error, message):
    layer, given = make(4, 2, kdim=6, fused=fused), {"query": normal(3, 2, 4), "key": normal(5, 2, 6),
                                                      "value": normal(5, 2, 4)}
    layer(**given, need_weights=False)
    with refuses(error, message):
        layer(**given | change, need_weights=False)
