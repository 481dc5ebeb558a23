"""NumPy layer norm against `nn.LayerNorm`: results and every gradient."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unrolled.instruments.parity import TOLERANCE
from unrolled.numpy import LayerNorm

SIZES = st.lists(st.integers(2, 4), min_size=1, max_size=2)


def normal(*shape, seed=1, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def pair(shape, dtype="float64", **options):
    """Ours and the library's, with the same weights away from where they start."""
    library = nn.LayerNorm(shape, dtype=getattr(torch, dtype), **options)
    torch.manual_seed(0)
    for parameter in library.parameters():
        nn.init.normal_(parameter)
    ours = LayerNorm(shape, dtype=dtype, **options)
    ours.load_state_dict(library.state_dict())
    return ours, library


@given(lead=st.lists(st.integers(1, 4), max_size=3), shape=SIZES, eps=st.sampled_from([1e-5, 0.1]),
       affine=st.sampled_from([{}, {"bias": False}, {"elementwise_affine": False}]),
       dtype=st.sampled_from(sorted(TOLERANCE)))
def test_layer_norm_is_the_librarys(close, lead, shape, eps, affine, dtype):
    ours, library = pair(shape, dtype, eps=eps, **affine)
    x, d_output = normal(*lead, *shape, dtype=dtype), normal(*lead, *shape, seed=2, dtype=dtype)
    x += np.linspace(-3, 3, np.prod(shape), dtype=dtype).reshape(shape)      # a small deviation multiplies rounding
    tensor = torch.from_numpy(x).requires_grad_()
    expected = library(tensor)
    expected.backward(torch.from_numpy(d_output))
    output = ours.forward(x)
    d_x, grads = ours.backward(d_output)
    for got, wanted in ((output, expected.detach()), (d_x, tensor.grad)):
        assert got.dtype == dtype
        close(got, wanted, TOLERANCE[dtype])
    assert list(grads) == [name for name, _ in library.named_parameters()]
    for name, parameter in library.named_parameters():
        close(grads[name], parameter.grad, TOLERANCE[dtype])


@given(rows=st.integers(1, 4), width=st.integers(2, 6), shift=st.floats(-5, 5), stretch=st.floats(0.1, 10))
def test_a_shift_and_a_stretch_change_nothing(close, rows, width, shift, stretch):
    layer, x = LayerNorm(width, eps=1e-12, dtype=np.float64), normal(rows, width)
    close(layer.forward(stretch * x + shift), layer.forward(x), 1e-8)
    d_x, _ = layer.backward(normal(rows, width, seed=2))
    close(d_x.sum(-1), np.zeros(rows), 1e-8)                                 # so nothing is passed back along them
    close(np.sum(d_x * x, -1), np.zeros(rows), 1e-8)


def test_every_row_stands_alone():
    layer, x = LayerNorm(3, dtype=np.float64), normal(4, 3)
    assert np.array_equal(layer.forward(x)[2], layer.forward(x[2]))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("width", [1, 4])
def test_a_row_of_equal_entries_becomes_zeros_without_a_warning(dtype, width):
    layer = LayerNorm(width, dtype=dtype)
    with np.errstate(all="raise"):
        output = layer.forward(np.full((2, width), 3, dtype))
        d_x, _ = layer.backward(normal(2, width, dtype=dtype))
    assert not output.any()
    assert np.isfinite(d_x).all()


@pytest.mark.parametrize("affine", [True, False])
def test_forward_leaves_its_input_alone_and_backward_works_after_everything_is_overwritten(affine):
    layer, again = (LayerNorm(3, elementwise_affine=affine, dtype=np.float64) for _ in range(2))
    x, d_output = normal(4, 3), normal(4, 3, seed=2)
    kept, kept_gradient = x.copy(), d_output.copy()
    again.forward(x.copy())
    expected, _ = again.backward(d_output.copy())
    output = layer.forward(x)
    assert np.array_equal(x, kept)
    x[:] = output[:] = np.nan
    assert np.array_equal(layer.backward(d_output)[0], expected)
    assert np.array_equal(d_output, kept_gradient)


def test_weights_go_to_the_library_and_come_back():
    for options in ({}, {"bias": False}, {"elementwise_affine": False}):
        ours, library = LayerNorm((2, 3), **options), nn.LayerNorm((2, 3), **options)
        assert ours.state_dict().keys() == library.state_dict().keys()
        for name, value in library.state_dict().items():                     # they start alike, too
            assert np.array_equal(ours.parameters[name], value)
        library.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
        ours.load_state_dict(library.state_dict())


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"normalized_shape": 0}, ValueError, "normalized_shape must be at least 1, got 0"),
    ({"normalized_shape": (2, 1.5)}, TypeError, "normalized_shape must be a whole number, got float 1.5"),
    ({"normalized_shape": ()}, ValueError, "normalized_shape must hold at least one size, got ()"),
    ({"eps": -1}, ValueError, "eps must be at least 0, got -1"),
    ({"elementwise_affine": 1}, TypeError, "elementwise_affine must be True or False, got int 1"),
    ({"bias": None}, TypeError, "bias must be True or False, got NoneType None"),
    ({"dtype": int}, TypeError, "dtype must be float32 or float64, got int64"),
], ids=str)
def test_layers_that_cannot_be_are_refused(refuses, arguments, error, message):
    with refuses(error, message):
        LayerNorm(**({"normalized_shape": 3} | arguments))


def test_arrays_that_do_not_fit_are_refused(refuses):
    layer, x = LayerNorm((2, 3)), np.zeros((4, 2, 3), np.float32)
    with refuses(RuntimeError, "LayerNorm.backward needs a forward before it"):
        layer.backward(x)
    with refuses(TypeError, "input must be a numpy array, got list"):
        layer.forward([[0.0]])
    with refuses(TypeError, "input must be float32, like the parameters, got float64"):
        layer.forward(x.astype(float))
    with refuses(ValueError, "input must have shape (..., 2, 3), got (4, 3, 2)"):
        layer.forward(x.swapaxes(1, 2))
    with refuses(ValueError, "input must have shape (..., 2, 3), got (3,)"):
        layer.forward(x[0, 0])
    layer.forward(x)
    with refuses(ValueError, "d_output must have shape (4, 2, 3), got (2, 3)"):
        layer.backward(x[0])
