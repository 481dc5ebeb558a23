"""NumPy attention, its scores and layer norm: one call and its weights, plain arrays, nothing at all, large numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from unrolled.numpy import LSTM, AdditiveAttention, LayerNorm, MultiheadAttention
from unrolled.numpy.attention import scaled_dot_product
from unrolled.numpy.norm import layer_norm, layer_norm_backward


def normal(*shape, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


MASK = np.array([[False, False, True], [False, True, True]])
CASES = {
    "attention": (lambda: MultiheadAttention(4, 2, dropout=0.5, dtype=np.float64, seed=0),
                  {"query": normal(2, 2, 4), "key": normal(3, 2, 4, seed=2), "value": normal(3, 2, 4, seed=3)}),
    "attention with widths": (
        lambda: MultiheadAttention(4, 2, kdim=3, vdim=5, batch_first=True, dtype=np.float64, seed=0),
        {"query": normal(2, 2, 4), "key": normal(2, 3, 3, seed=2), "value": normal(2, 3, 5, seed=3)}),
    "scores": (lambda: AdditiveAttention(4, 3, 5, dtype=np.float64, seed=0),
               {"query": normal(2, 2, 4), "keys": normal(2, 3, 3, seed=2)}),
    "norm": (lambda: LayerNorm((2, 4), dtype=np.float64), {"x": normal(3, 2, 4)}),
}


@pytest.fixture(params=CASES)
def case(request):
    """A fresh layer, its inputs, and a gradient of its output."""
    make, inputs = CASES[request.param]
    layer, inputs = make(), {name: array.copy() for name, array in inputs.items()}
    output = make().forward(**inputs)
    return layer, inputs, normal(*(output[0] if isinstance(output, tuple) else output).shape, seed=4)


def flat(results):
    *gradients, parameters = results
    return [*gradients, *parameters.values()]


def change(layer):
    """In place, one by one, and with another dict."""
    for value in layer.parameters.values():
        value *= 1.5
    layer.parameters = {name: 2 * value for name, value in layer.parameters.items()}


def test_backward_answers_for_the_weights_that_forward_had(case):
    layer, inputs, d_output = case
    layer.forward(**inputs)
    expected = flat(layer.backward(d_output))
    change(layer)
    for got, wanted in zip(flat(layer.backward(d_output)), expected, strict=True):
        assert np.array_equal(got, wanted)
    layer.training = False
    layer.forward(**inputs)
    assert not all(map(np.array_equal, flat(layer.backward(d_output)), expected))


def test_options_changed_in_between_change_nothing(case):
    layer, inputs, d_output = case
    layer.forward(**inputs)
    expected = flat(layer.backward(d_output))
    layer.batch_first = not getattr(layer, "batch_first", True)
    layer.training, layer.dropout, layer.eps = False, 0.0, 7.0
    for got, wanted in zip(flat(layer.backward(d_output)), expected, strict=True):
        assert np.array_equal(got, wanted)


def test_an_input_that_is_refused_has_no_way_back(refuses, case):
    layer, inputs, d_output = case
    with refuses(RuntimeError, "backward needs a forward before it"):
        layer.backward(d_output)
    layer.forward(**inputs)
    with pytest.raises(TypeError):
        layer.forward(**{name: array.astype(np.float32) for name, array in inputs.items()})
    with refuses(RuntimeError, "backward needs a forward before it"):
        layer.backward(d_output)


@pytest.mark.parametrize("kind", [np.ma.MaskedArray, np.matrix])
def test_subclasses_of_arrays_are_refused(refuses, case, kind):
    layer, inputs, d_output = case
    view = (lambda array: np.ma.masked_array(array, array > 0)) if kind is np.ma.MaskedArray else (
        lambda array: array.reshape(-1, array.shape[-1]).view(np.matrix))
    for name in inputs:
        with refuses(TypeError, f"must be a plain numpy array, got {kind.__name__}"):
            layer.forward(**(inputs | {name: view(inputs[name])}))
    layer.forward(**inputs)
    with refuses(TypeError, "d_" + ("context" if isinstance(layer, AdditiveAttention) else "output")):
        layer.backward(view(d_output))
    for name in layer.parameters:
        kept = layer.parameters[name]
        layer.parameters[name] = np.ma.masked_array(kept, kept > 0)
        with refuses(TypeError, f"{name} must be a plain numpy array, got MaskedArray"):
            layer.forward(**inputs)
        layer.parameters[name] = kept


def test_masks_that_are_masked_arrays_are_refused(refuses):
    layer, x = MultiheadAttention(4, 2, dtype=np.float64), normal(3, 2, 4)
    for mask in np.ma.masked_array(MASK, MASK), np.ma.masked_array(MASK * 1.0, MASK):
        with refuses(TypeError, "key_padding_mask must be a plain numpy array, got MaskedArray"):
            layer.forward(x, x, x, mask)
    with refuses(TypeError, "attn_mask must be a plain numpy array, got MaskedArray"):
        scaled_dot_product(x, x, x, np.ma.masked_array(np.ones((2, 2), bool)))
    with refuses(TypeError, "must be a plain numpy array, got MaskedArray"):
        scaled_dot_product(np.ma.masked_array(x), x, x)


def test_arrays_on_disk_are_read(tmp_path, case):
    layer, inputs, d_output = case
    layer.training = False
    disk = {}
    for name, array in inputs.items():
        np.save(tmp_path / f"{name}.npy", array)
        disk[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    got, expected = layer.forward(**disk), layer.forward(**inputs)
    for one, other in zip(*(part if isinstance(part, tuple) else (part,) for part in (got, expected))):
        assert type(one) is np.ndarray
        assert np.array_equal(one, other)


def test_parameters_that_would_broadcast_are_refused(case):
    layer, inputs, _ = case
    for name, kept in list(layer.parameters.items()):
        layer.parameters[name] = np.ones((1,) * kept.ndim)
        with pytest.raises(ValueError, match=f"{name} must have shape"):
            layer.forward(**inputs)
        layer.parameters[name] = kept.astype(np.float32)
        with pytest.raises(TypeError, match=f"{name} must be float64"):
            layer.forward(**inputs)
        layer.parameters[name] = kept


@pytest.mark.parametrize(("T", "S", "B"), [(3, 4, 0), (0, 4, 2), (3, 0, 2), (0, 0, 0)])
@pytest.mark.parametrize("averaged", [True, False])
def test_no_sequences_no_queries_and_no_keys_are_as_in_torch(close, T, S, B, averaged):
    library = nn.MultiheadAttention(4, 2, dtype=torch.float64)
    nn.init.constant_(library.out_proj.bias, 0.5)
    ours = MultiheadAttention(4, 2, dtype=np.float64)
    ours.load_state_dict(library.state_dict())
    query, memory = normal(T, B, 4), normal(S, B, 4)
    tensors = [torch.from_numpy(array).requires_grad_() for array in (query, memory)]
    expected, shown = library(tensors[0], tensors[1], tensors[1], average_attn_weights=averaged)
    output, weights = ours.forward(query, memory, memory, average_attn_weights=averaged)
    assert np.array_equal(output, expected.detach())
    assert weights.shape == tuple(shown.shape)
    expected.sum().backward()
    d_query, d_key, d_value, grads = ours.backward(np.ones_like(output), np.zeros_like(weights))
    assert np.array_equal(d_query, tensors[0].grad)
    assert (d_key + d_value).shape == memory.shape
    for name, parameter in library.named_parameters():
        assert np.array_equal(grads[name], parameter.grad), name


@pytest.mark.parametrize(("T", "S", "B"), [(3, 4, 0), (0, 4, 2), (3, 0, 2)])
def test_scores_and_norms_of_nothing(T, S, B):
    layer = AdditiveAttention(4, 3, 5, dtype=np.float64)
    context, weights = layer.forward(normal(B, T, 4), normal(B, S, 3))
    assert not context.any()
    assert weights.shape == (B, T, S)
    d_query, d_keys, grads = layer.backward(np.ones_like(context))
    assert d_query.shape == (B, T, 4)
    assert d_keys.shape == (B, S, 3)
    assert not any(gradient.any() for gradient in grads.values())
    norm = LayerNorm(4)
    assert norm.forward(np.zeros((0, 4), np.float32)).shape == (0, 4)
    assert norm.backward(np.zeros((0, 4), np.float32))[0].shape == (0, 4)


@pytest.mark.parametrize("size", [1e10, 1e18, 1e20, 1e30, 1e36])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_any_size_are_normalised_with_their_gradient(dtype, size):
    x, upstream = (size * normal(3, 5)).astype(dtype), normal(3, 5, seed=2).astype(dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y, scale = layer_norm(x)
        d_x = layer_norm_backward(upstream, y, scale)
    right, right_scale = layer_norm(x.astype(np.float64) / size, 1e-5 / size**2)
    assert np.allclose(y, right, atol=1e-5)
    assert np.allclose(d_x.astype(np.float64) * size,
                       layer_norm_backward(upstream.astype(np.float64), right, right_scale), atol=1e-4)


def test_only_rows_that_are_too_large_are_measured_anew():
    x = normal(4, 6, dtype=np.float32)
    mixed = np.concatenate([x, x * np.float32(1e30)])
    assert np.array_equal(layer_norm(mixed)[0][:4], layer_norm(x)[0])
    with np.errstate(invalid="ignore", divide="ignore"):
        assert np.isnan(layer_norm(np.array([[1, np.inf]], np.float32))[0]).all()
        assert np.isnan(LayerNorm(4, eps=0).forward(np.ones((1, 4), np.float32))).all()


@pytest.mark.parametrize("options", [{}, {"peephole": True}, {"forget_gate": "coupled"}], ids=str)
def test_an_lstm_with_layer_norm_takes_inputs_of_any_size(options):
    layer, x = LSTM(3, 4, layer_norm=True, **options, seed=0), normal(3, 2, 3, dtype=np.float32)
    expected, _ = layer.forward(x * np.float32(1e6))
    _, _, wanted = layer.backward(np.ones_like(expected))
    output, _ = layer.forward(x * np.float32(1e30))
    _, _, grads = layer.backward(np.ones_like(expected))
    assert np.allclose(output, expected, atol=1e-5)
    assert all(np.isfinite(gradient).all() for gradient in grads.values())
    assert np.allclose(grads["norm_ih_l0"], wanted["norm_ih_l0"], atol=1e-4)
