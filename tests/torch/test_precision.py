"""Half precision, mixed precision and large numbers: as near to the truth as the library, or nearer."""

import math

import pytest
import torch
from torch import nn

from unrolled.torch import (
    CausalTransformer,
    DotAttention,
    EncoderDecoder,
    GeneralAttention,
    LayerNorm,
    MultiheadAttention,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
    rotary,
    scaled_dot_product,
)
from unrolled.torch.attention import attention_weights, tiled
from unrolled.torch.norm import standardised
from unrolled.torch.positions import rotate, rotation

HALF = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
ROWS = [[300.0, -300, 600, 0], [1.0, -1, 2, 0], [0.0, 0, 0, 5], [1.0, 1, 1, 1.5]]


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@HALF
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_layer_norm_in_half_precision_is_the_truth_rounded_once(dtype, row):
    layer, x = LayerNorm(4, dtype=dtype), torch.tensor(row).to(dtype)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    right = nn.functional.layer_norm(x.double(), (4,), layer.weight.double(), layer.bias.double())
    assert torch.allclose(layer(x).double(), right, rtol=torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)


@pytest.mark.parametrize("size", [1e4, 1e10, 1e18, 1e20, 1e30, 1e35, 5e35])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("axes", [-1, (-2, -1)], ids=str)
def test_a_vector_of_any_size_is_standardised_with_its_gradient(dtype, size, axes):
    x = (normal(3, 2, 5) * size).to(dtype).requires_grad_()
    exact = x.detach().double().requires_grad_()
    y, right = standardised(x, axes), standardised(exact / size, axes, eps=1e-5 / size**2)
    tolerance = 20 * torch.finfo(torch.promote_types(dtype, torch.float32)).eps
    assert torch.allclose(y.double(), right, rtol=tolerance, atol=tolerance)
    upstream = normal(*y.shape, seed=2)
    got, wanted = torch.autograd.grad(y, x, upstream.to(y.dtype))[0], torch.autograd.grad(right, exact, upstream)[0]
    assert torch.allclose(got.double() * size, wanted * size, rtol=4 * torch.finfo(dtype).eps, atol=1e-4)


def test_float64_has_its_own_bound():
    x = normal(2, 5) * 1e200
    assert torch.allclose(standardised(x, -1), standardised(x / 1e200, -1, eps=0.0))


def test_only_the_vectors_that_are_too_large_are_measured_anew():
    x = normal(4, 6, dtype=torch.float32)
    mixed = torch.cat([x, x * 1e30])
    assert torch.equal(standardised(mixed, -1)[:4], standardised(x, -1))
    assert standardised(torch.tensor([1.0, math.inf]), -1).isnan().all()
    assert standardised(torch.tensor([1e30, math.nan]), -1).isnan().all()


def test_epsilon_may_be_nothing():
    layer, library, x = LayerNorm(5, eps=0), nn.LayerNorm(5, eps=0), normal(3, 5, dtype=torch.float32)
    assert torch.allclose(layer(x), library(x), atol=1e-6)
    assert layer(torch.ones(5)).isnan().all()
    assert library(torch.ones(5)).isnan().all()


@HALF
@pytest.mark.parametrize("fused", [False, True])
def test_layer_norm_of_half_precision_beside_parameters_of_float32(dtype, fused):
    ours, library, x = LayerNorm(6, fused=fused), nn.LayerNorm(6), (3 * normal(4, 6)).to(dtype)
    assert ours(x).dtype == library(x).dtype == dtype
    assert torch.allclose(ours(x).double(), library(x).double(), rtol=torch.finfo(dtype).eps, atol=1e-3)


@pytest.mark.parametrize("name", ["weight", "bias"])
@pytest.mark.parametrize("shape", [(1,), (2, 1), ()], ids=str)
@pytest.mark.parametrize("fused", [False, True])
def test_a_gain_or_bias_that_would_broadcast_is_refused_as_in_torch(refuses, fused, name, shape):
    x = torch.zeros(3, 4)
    with pytest.raises(RuntimeError):
        torch.func.functional_call(nn.LayerNorm(4), {name: torch.ones(shape)}, x)
    with refuses(ValueError, f"{name} must have shape (4,), got"):
        torch.func.functional_call(LayerNorm(4, fused=fused), {name: torch.ones(shape)}, x)


@pytest.mark.parametrize("x", [torch.zeros(3, 4, dtype=torch.int64), torch.zeros(3, 4, dtype=torch.complex64)])
def test_what_is_no_real_number_is_refused(refuses, x):
    with refuses(TypeError, "dtype must be a floating point type"):
        LayerNorm(4, elementwise_affine=False)(x)
    with refuses(TypeError, "dtype must be a floating point type"):
        scaled_dot_product(x, x, x)
    with refuses(TypeError, "dtype must be a floating point type"):
        tiled(x, x, x)


@pytest.mark.parametrize("attend", [scaled_dot_product, tiled])
@HALF
@pytest.mark.parametrize("size", [1, 40, 200])
def test_scores_do_not_overflow_before_they_are_scaled(dtype, size, attend):
    q = torch.full((1, 4, 64), float(size), dtype=dtype)
    output = attend(q, q, q)
    output = output[0] if isinstance(output, tuple) else output
    assert output.dtype == dtype
    assert torch.equal(output, q)


def test_scores_do_not_overflow_in_float32_either():
    q = torch.full((1, 4, 64), 1e19)
    k = torch.full((1, 4, 64), 1e18)
    assert attention_weights(q, k).isfinite().all()
    assert tiled(q, k, q).isfinite().all()


def error(module, right, *arguments):
    got = module(*arguments)
    return ((got[0] if isinstance(got, tuple) else got).detach().double() - right).abs().mean()


@HALF
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize(("ours", "library", "options", "inputs"), [
    (MultiheadAttention, nn.MultiheadAttention, {}, 3),
    (TransformerEncoderLayer, nn.TransformerEncoderLayer, {"dim_feedforward": 64, "dropout": 0.0}, 1),
    (TransformerEncoderLayer, nn.TransformerEncoderLayer,
     {"dim_feedforward": 64, "dropout": 0.0, "norm_first": True}, 1),
    (TransformerDecoderLayer, nn.TransformerDecoderLayer, {"dim_feedforward": 64, "dropout": 0.0}, 2),
], ids=["attention", "encoder", "pre-norm", "decoder"])
def test_the_error_of_half_precision_is_not_above_the_librarys(dtype, size, ours, library, options, inputs):
    ratios = []
    for seed in range(3):
        torch.manual_seed(seed)
        exact = library(32, 4, **options).to(dtype).double()
        mine, theirs = ours(32, 4, **options, dtype=dtype), library(32, 4, **options, dtype=dtype)
        for layer in mine, theirs:
            layer.load_state_dict(exact.state_dict())
        x = [(size * normal(12, 4, 32, seed=seed + k)).to(dtype) for k in range(inputs)]
        right = exact(*(part.double() for part in x))
        right = (right[0] if isinstance(right, tuple) else right).detach()
        ratios.append(error(mine, right, *x) / error(theirs, right, *x))
    assert sum(ratios) / 3 < 1.5


@HALF
@pytest.mark.parametrize("size", [1, 120])
@pytest.mark.parametrize("norm_first", [False, True])
def test_mixed_precision_is_as_near_as_the_library(dtype, size, norm_first):
    torch.manual_seed(0)
    library = nn.TransformerEncoderLayer(64, 4, 128, 0.0, norm_first=norm_first)
    ours, exact = (kind(64, 4, 128, 0.0, norm_first=norm_first, dtype=wide) for kind, wide in (
        (TransformerEncoderLayer, None), (nn.TransformerEncoderLayer, torch.float64)))
    ours.load_state_dict(library.state_dict())
    exact.load_state_dict(library.state_dict())
    x = size * normal(8, 2, 64, dtype=torch.float32)
    right = exact(x.double()).detach()
    with torch.autocast("cpu", dtype):
        assert ours(x).dtype == library(x).dtype
        assert error(ours, right, x) <= 1.5 * error(library, right, x)


@HALF
@pytest.mark.parametrize("layer", [DotAttention(), GeneralAttention(64, 64)], ids=["dot", "general"])
@pytest.mark.parametrize("mixed", [False, True])
def test_products_of_long_vectors_do_not_overflow(dtype, layer, mixed):
    query, keys = (torch.full((1, steps, 64), 40.0) for steps in (2, 3))
    if mixed:
        with torch.autocast("cpu", dtype):
            context, weights = layer.float()(query, keys)
    else:
        context, weights = layer.to(dtype)(query.to(dtype), keys.to(dtype))
        assert context.dtype == weights.dtype == dtype
    assert torch.allclose(context.float(), torch.full((1, 2, 64), 40.0), rtol=0.01)
    assert torch.allclose(weights.float(), torch.full((1, 2, 3), 1 / 3), rtol=0.01)


@HALF
def test_a_rotation_in_half_precision_is_the_truth_rounded_once(dtype):
    x, positions = normal(2, 9, 6).to(dtype), torch.arange(100, 109)
    right = rotary(x.double(), positions)
    for got in rotary(x, positions), rotate(x, *rotation(positions, 6, dtype=dtype)):
        assert got.dtype == dtype
        assert (got.double() - right).abs().max() <= 2 * torch.finfo(dtype).eps


@HALF
@pytest.mark.parametrize("positions", [None, "sinusoidal", "rotary", "alibi"])
def test_a_causal_stack_in_half_precision_keeps_its_dtype(dtype, positions):
    model = CausalTransformer(32, 4, 2, positions=positions, fused=False, dtype=dtype)
    x = normal(6, 2, 32).to(dtype)
    whole, cache = model(x)
    first, past = model(x[:4])
    rest, again = model(x[4:], past)
    assert {whole.dtype, rest.dtype} | {part.dtype for pair in (*cache, *again) for part in pair} == {dtype}
    assert torch.allclose(torch.cat([first, rest]).float(), whole.float(), atol=16 * torch.finfo(dtype).eps)


@HALF
def test_probabilities_are_summed_in_float32(dtype):
    torch.manual_seed(0)
    model = EncoderDecoder(5, 5, 8, 8, "dot", dtype=dtype)
    source, lengths = torch.randint(5, (3, 6)), torch.tensor([6, 2, 4])
    found, log_p = model.beam_search(source, lengths, 20, 3)
    assert log_p.dtype == torch.float32
    for k in range(3):
        total = model.log_probability(source, lengths, found[:, k])
        ended = (found[:, k] == model.end).any(1)
        assert total.dtype == torch.float32
        assert torch.allclose(total[ended], log_p[ended, k], rtol=0.02)
