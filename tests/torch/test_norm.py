"""Layer normalisation in torch: the library's layer with all derivatives, and the variance it divides by."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from unrolled.torch import LayerNorm
from unrolled.torch.norm import standardised

DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
FUSED = pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@DTYPES
@FUSED
@given(lead=st.lists(st.integers(1, 4), max_size=3), shape=st.lists(st.integers(4, 9), min_size=1, max_size=2),
       eps=st.sampled_from([1e-5, 0.1]), affine=st.booleans(), bias=st.booleans(), seed=st.integers(0, 999))
def test_it_is_torch_nn(agree, dtype, fused, lead, shape, eps, affine, bias, seed):
    options = {"eps": eps, "elementwise_affine": affine, "bias": bias, "dtype": dtype}
    ours, library = LayerNorm(shape, **options, fused=fused), nn.LayerNorm(shape, **options)
    torch.manual_seed(seed)
    for parameter in library.parameters():
        nn.init.normal_(parameter)
    agree(lambda layer, x: layer(x), ours, library, 1 + 2 * normal(*lead, *shape, seed=seed, dtype=dtype))


@given(d=st.integers(2, 20), seed=st.integers(0, 99))
def test_the_variance_is_over_d_and_not_d_minus_1(close, d, seed):
    y = standardised(normal(3, d, seed=seed), -1, eps=1e-30)
    close(y.mean(-1), torch.zeros(3))
    close(y.square().mean(-1), torch.ones(3))                  # of the unbiased one it would be (d - 1) / d
    close(nn.LayerNorm(d, eps=1e-30, dtype=torch.float64)(normal(3, d, seed=seed)).detach(), y)


@FUSED
def test_equal_numbers_give_the_bias_and_finite_gradients(fused):
    layer, x = LayerNorm(4, dtype=torch.float64, fused=fused), torch.full((2, 4), 3.0, dtype=torch.float64)
    nn.init.normal_(layer.bias)
    y = layer(x.requires_grad_())
    assert torch.equal(y, layer.bias.expand(2, 4))
    assert torch.autograd.grad(y, x, normal(2, 4))[0].isfinite().all()


def test_neither_scale_nor_shift_of_a_vector_changes_it(close):
    x = normal(3, 8)
    close(standardised(5 * x + 2, -1, eps=1e-30), standardised(x, -1, eps=1e-30))


def test_derivatives_of_first_and_second_order():
    x = normal(2, 3, 4).requires_grad_()
    assert gradcheck(lambda x: standardised(x, (-2, -1)), x)
    assert gradgradcheck(lambda x: standardised(x, -1), x)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"elementwise_affine": False}, {"eps": 0.1}], ids=str)
def test_it_starts_loads_and_prints_as_torch_nn(options):
    ours, library = LayerNorm((3, 4), **options), nn.LayerNorm((3, 4), **options)
    assert repr(ours) == repr(library)
    assert ours.state_dict().keys() == library.state_dict().keys()
    for got, expected in zip(ours.parameters(), library.parameters(), strict=True):
        assert torch.equal(got, expected)
    library.load_state_dict({name: normal(3, 4).float() for name in ours.state_dict()})
    ours.load_state_dict(library.state_dict())
    assert all(map(torch.equal, ours.parameters(), library.parameters()))
    assert "fused=True" in repr(LayerNorm(4, fused=True))


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"normalized_shape": 0}, ValueError, "normalized_shape must be at least 1, got 0"),
    ({"normalized_shape": 4.0}, TypeError, "normalized_shape must be a whole number, got float 4.0"),
    ({"normalized_shape": ()}, ValueError, "normalized_shape must name at least one size, got ()"),
    ({"normalized_shape": 4, "eps": -1e-5}, ValueError, "eps must be at least 0, got -1e-05"),
    ({"normalized_shape": 4, "elementwise_affine": 1}, TypeError, "elementwise_affine must be True or False, got int"),
    ({"normalized_shape": 4, "bias": None}, TypeError, "bias must be True or False, got NoneType None"),
    ({"normalized_shape": 4, "fused": 0}, TypeError, "fused must be True or False, got int 0"),
    ({"normalized_shape": 4, "dtype": torch.int8}, TypeError, "dtype must be a floating point type of torch"),
], ids=str)
def test_a_layer_that_cannot_be_is_refused(refuses, arguments, error, message):
    with refuses(error, message):
        LayerNorm(**arguments)


@FUSED
@pytest.mark.parametrize(("x", "error", "message"), [
    (normal(4, 3), ValueError, "input must have shape (..., 4), got (4, 3)"),
    (normal(4).sum(), ValueError, "input must have shape (..., 4), got ()"),
    ([1.0, 2.0, 3.0, 4.0], TypeError, "input must be a torch tensor, got list"),
    (normal(2, 4).float(), TypeError, "input must be torch.float64, like the parameters, got torch.float32"),
], ids=["width", "scalar", "list", "float32"])
def test_input_that_does_not_fit_is_refused(refuses, fused, x, error, message):
    with refuses(error, message):
        LayerNorm(4, dtype=torch.float64, fused=fused)(x)
