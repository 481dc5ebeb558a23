"""What a NumPy layer keeps from `forward` to `backward`: one call and its weights, from nothing but plain arrays."""

import copy
import pickle

import numpy as np
import pytest
import torch

import unrolled.numpy
from unrolled.numpy.stack import plain

LAYERS = {
    "RNN tanh": ("RNN", {}), "RNN relu": ("RNN", {"nonlinearity": "relu"}),
    "LSTM": ("LSTM", {}), "LSTM fused": ("LSTM", {"fused": True}),
    "LSTM with everything": ("LSTM", {"peephole": True, "layer_norm": True}),
    "LSTM coupled": ("LSTM", {"forget_gate": "coupled"}),
    "GRU": ("GRU", {}), "GRU fused": ("GRU", {"fused": True}), "GRU reset before": ("GRU", {"reset_after": False}),
    "MinGRU": ("MinGRU", {}), "MinGRU by a loop": ("MinGRU", {"scan": False}), "MinLSTM": ("MinLSTM", {}),
}
CELLS = {"RNNCell": ("RNNCell", {}), "LSTMCell": ("LSTMCell", {}), "GRUCell": ("GRUCell", {}),
         "LSTMCell with peepholes": ("LSTMCell", {"peephole": True})}
T, B, D, H = 4, 3, 3, 4


def normal(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.fixture(params=LAYERS | CELLS)
def case(request):
    """A fresh layer or cell, an input for it, and a gradient of what `forward` returns that `backward` takes."""
    kind, options = (LAYERS | CELLS)[request.param]
    if kind.endswith("Cell"):
        layer = getattr(unrolled.numpy, kind)(D, H, dtype=np.float64, seed=0, **options)
        gradient = tuple(normal(B, H, seed=3 + k) for k in range(len(layer.state_names)))
        return layer, normal(B, D), gradient if len(gradient) > 1 else gradient[0]
    layer = getattr(unrolled.numpy, kind)(D, H, 2, dropout=0.5, bidirectional=True, dtype=np.float64, seed=0, **options)
    return layer, normal(T, B, D), normal(T, B, 2 * H, seed=3)


def flat(results):
    d_x, d_state, grads = results
    return [d_x, *(d_state if isinstance(d_state, tuple) else (d_state,)), *grads.values()]


def assert_same(got, expected):
    for one, other in zip(flat(got), flat(expected), strict=True):
        assert np.array_equal(one, other)


def no_masks(layer):
    layer.training = False                                   # dropout would draw others in the second call
    return layer


# One call


def test_backward_before_forward_is_refused(refuses, case):
    layer, _, gradient = case
    with refuses(RuntimeError, f"{type(layer).__name__}.backward needs a forward before it"):
        layer.backward(gradient)


@pytest.mark.parametrize("wrong", [lambda x: x[..., :-1], lambda x: x.astype(np.float32), lambda x: x.tolist()],
                         ids=["shape", "dtype", "type"])
def test_a_forward_that_is_refused_leaves_no_earlier_one_to_answer_for(refuses, case, wrong):
    layer, x, gradient = case
    layer.forward(x)
    with pytest.raises((TypeError, ValueError)):
        layer.forward(wrong(x))
    with refuses(RuntimeError, "backward needs a forward before it"):
        layer.backward(gradient)


def test_a_state_that_is_refused_does_the_same(refuses, case):
    layer, x, gradient = case
    layer.forward(x)
    with pytest.raises((TypeError, ValueError)):
        layer.forward(x, "zeros")
    with refuses(RuntimeError, "backward needs a forward before it"):
        layer.backward(gradient)


def test_after_two_forwards_backward_answers_for_the_second(case):
    layer, x, gradient = case
    no_masks(layer).forward(x)
    expected = layer.backward(gradient)
    layer.forward(-2 * x)
    layer.forward(x)
    assert_same(layer.backward(gradient), expected)


# Its weights and options


def tripled_in_place(layer):
    for value in layer.parameters.values():
        value *= 3


def replaced_by_zeros(layer):
    layer.parameters = {name: np.zeros_like(value) for name, value in layer.parameters.items()}


@pytest.mark.parametrize("change", [tripled_in_place, replaced_by_zeros])
def test_weights_changed_between_do_not_change_the_answer(case, change):
    layer, x, gradient = case
    no_masks(layer).forward(x)
    expected = layer.backward(gradient)
    layer.forward(x)
    change(layer)
    assert_same(layer.backward(gradient), expected)


def test_loading_weights_between_asks_for_a_new_forward(refuses, case):
    layer, x, gradient = case
    layer.forward(x)
    layer.load_state_dict(layer.state_dict())
    with refuses(RuntimeError, "backward needs a forward before it"):
        layer.backward(gradient)


@pytest.mark.parametrize(("kind", "options"), [
    ("RNN", {"nonlinearity": "relu"}), ("LSTM", {"fused": True}), ("GRU", {"fused": True}),
    ("GRU", {"reset_after": False}), ("MinGRU", {"scan": False}), ("LSTM", {"batch_first": True}),
    ("LSTM", {"training": False}),
], ids=str)
def test_options_changed_between_do_not_change_the_answer(close, kind, options):
    layer = getattr(unrolled.numpy, kind)(D, H, 2, dropout=0.5, dtype=np.float64, seed=0)
    output, _ = layer.forward(normal(T, T, D))               # a square batch: no shape gives the change away
    expected = layer.backward(np.ones_like(output))
    for name, value in options.items():
        setattr(layer, name, value)
    for got, wanted in zip(flat(layer.backward(np.ones_like(output))), flat(expected), strict=True):
        close(got, wanted)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))],
                         ids=["copy", "pickle"])
def test_a_copy_goes_on_where_its_original_was(case, twin):
    layer, x, gradient = case
    layer.forward(x)
    other = twin(layer)
    assert_same(other.backward(gradient), layer.backward(gradient))
    for value in layer.parameters.values():
        value *= 0
    assert any(value.any() for value in other.parameters.values())


@pytest.mark.parametrize(("value", "error", "message"), [
    (lambda old: old[:1], ValueError, "must have shape"),
    (lambda old: old.astype(np.float32), TypeError, "must be float64, like the layer, got float32"),
    (lambda old: np.ma.masked_array(old, old > 0), TypeError, "must be a plain numpy array, got MaskedArray"),
    (lambda old: old.tolist(), TypeError, "must be a numpy array, got list"),
], ids=["one row", "dtype", "masked", "list"])
def test_a_parameter_that_would_broadcast_or_change_the_dtype_is_refused(refuses, case, value, error, message):
    layer, x, _ = case
    name = list(layer.parameters)[-1]
    layer.parameters[name] = value(layer.parameters[name])
    with refuses(error, message):
        layer.forward(x)


# Plain arrays

SUBCLASSES = {
    "MaskedArray": lambda array: np.ma.masked_array(array, array > 1), "matrix": np.asmatrix,
    "recarray": lambda array: array.view(np.recarray),
}


@pytest.mark.parametrize("name", [name for name in SUBCLASSES if name != "matrix"])     # a matrix has two axes
def test_an_input_of_a_subclass_is_refused(refuses, case, name):
    layer, x, gradient = case
    with refuses(TypeError, f"input must be a plain numpy array, got {name}"):
        layer.forward(SUBCLASSES[name](x))
    layer.forward(x)
    if not isinstance(gradient, tuple):
        with refuses(TypeError, f"must be a plain numpy array, got {name}"):
            layer.backward(SUBCLASSES[name](gradient))


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", SUBCLASSES)
def test_a_step_of_a_subclass_is_refused(refuses, name):
    cell = unrolled.numpy.LSTMCell(D, H, dtype=np.float64, seed=0)
    h, c = normal(B, H), normal(B, H, seed=2)
    with refuses(TypeError, f"input must be a plain numpy array, got {name}"):
        cell.forward(SUBCLASSES[name](normal(B, D)))
    with refuses(TypeError, f"c of state must be a plain numpy array, got {name}"):
        cell.forward(normal(B, D), (h, SUBCLASSES[name](c)))


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", SUBCLASSES)
def test_weights_of_a_subclass_are_refused(refuses, name):
    layer = unrolled.numpy.GRU(D, H, dtype=np.float64, seed=0)
    weights = layer.state_dict()
    with refuses(TypeError, f"weight_hh_l0 must be a plain numpy array, got {name}"):
        layer.load_state_dict(weights | {"weight_hh_l0": SUBCLASSES[name](weights["weight_hh_l0"])})


def test_arrays_on_disk_are_read_as_arrays(case, tmp_path):
    layer, x, gradient = case
    layer = no_masks(layer)
    layer.forward(x)
    expected = layer.backward(gradient)

    def on_disk(array, name):
        mapped = np.memmap(tmp_path / name, array.dtype, "w+", shape=array.shape)
        mapped[:] = array
        return mapped

    layer.forward(on_disk(x, "x"))
    mapped = [on_disk(part, f"d{k}") for k, part in enumerate(gradient if isinstance(gradient, tuple) else [gradient])]
    got = layer.backward(tuple(mapped) if len(mapped) > 1 else mapped[0])
    assert_same(got, expected)
    assert {type(array) for array in flat(got)} == {np.ndarray}


def test_plain_keeps_the_array_it_is_given():
    array = normal(3)
    assert plain("x", array) is array


# No sequence, and numbers at the edge


@pytest.mark.parametrize("name", LAYERS)
def test_the_equations_hold_for_a_batch_of_none(name):
    kind, options = LAYERS[name]
    layer = getattr(unrolled.numpy, kind)(D, H, dtype=np.float64, seed=0, **options)
    p = {name.removesuffix("_l0"): value for name, value in layer.parameters.items()}
    none = np.zeros((0, H))
    output, last, back = layer._run(np.zeros((T, 0, D)), (none,) * len(layer.state_names), p)
    d_x, d_state, grads = back(output, last)
    assert output.shape == (T, 0, H)
    assert d_x.shape == (T, 0, D)
    assert {part.shape for part in (*last, *d_state)} == {(0, H)}
    for parameter, value in p.items():
        assert grads[parameter].shape == value.shape
        assert not grads[parameter].any()


LIBRARY = [name for name, (kind, options) in LAYERS.items()
           if hasattr(torch.nn, kind) and options.keys() <= {"fused", "nonlinearity"}]


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [1e30, -1e30, np.inf, -np.inf, np.nan], ids=str)
@pytest.mark.parametrize("where", ["input", "state", "weight", "bias"])
def test_numbers_at_the_edge_come_out_as_the_librarys(name, dtype, value, where):
    kind, options = LAYERS[name]
    ours = getattr(unrolled.numpy, kind)(D, H, dtype=dtype, seed=0, **options)
    library = getattr(torch.nn, kind)(D, H, **{key: of for key, of in options.items() if key != "fused"},
                                      dtype=torch.from_numpy(np.zeros(1, dtype)).dtype)
    weights, x = ours.state_dict(), normal(T, B, D).astype(dtype)
    state = [normal(1, B, H, seed=2 + k).astype(dtype) for k in range(len(ours.state_names))]
    places = {"input": x[0, 0], "state": state[-1][0, 0], "weight": weights["weight_ih_l0"][1],
              "bias": weights["bias_ih_l0"]}
    places[where][1] = value
    ours.load_state_dict(weights)
    library.load_state_dict({key: torch.from_numpy(array) for key, array in weights.items()})
    x_tensor = torch.from_numpy(x).requires_grad_()
    tensors = [torch.from_numpy(part).requires_grad_() for part in state]
    output, last = ours.forward(x, tuple(state) if len(state) > 1 else state[0])
    expected, expected_last = library(x_tensor, tuple(tensors) if len(tensors) > 1 else tensors[0])
    gradient = normal(T, B, H, seed=5).astype(dtype)
    expected.backward(torch.from_numpy(gradient))
    got = [output, *(last if isinstance(last, tuple) else (last,)), *flat(ours.backward(gradient))]
    wanted = [expected, *(expected_last if isinstance(expected_last, tuple) else (expected_last,)), x_tensor.grad,
              *(part.grad for part in tensors), *(parameter.grad for parameter in library.parameters())]
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_allclose(one, other.detach(), rtol=1e-4 if dtype == np.float32 else 1e-9,
                                   atol=1e-5 if dtype == np.float32 else 1e-12)


HUGE = 1e30


@pytest.mark.filterwarnings("ignore:invalid value encountered in logaddexp:RuntimeWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scan", [True, False], ids=["scan", "loop"])
@pytest.mark.parametrize(("a_f", "a_i", "kept"), [
    (HUGE, HUGE, 0.5), (-HUGE, -HUGE, 0.5), (HUGE, -HUGE, 1), (-HUGE, HUGE, 0), (0, HUGE, 1 / 3), (HUGE, 0, 2 / 3),
    (-HUGE, 0, 0), (0, -HUGE, 1), (np.nan, 0, np.nan), (0, np.nan, np.nan), (np.inf, np.inf, 0.5), (-np.inf, 0, 0),
    (0, -np.inf, 1),
], ids=str)
def test_the_share_that_a_minlstm_keeps_is_right_where_its_gates_are_too_small_to_divide(dtype, scan, a_f, a_i, kept):
    layer = unrolled.numpy.MinLSTM(1, 1, scan=scan, dtype=dtype, seed=0)
    layer.load_state_dict({"weight_ih_l0": np.zeros((3, 1), dtype), "bias_ih_l0": np.array([a_f, a_i, 0], dtype)})
    output, _ = layer.forward(np.zeros((1, 1, 1), dtype), np.ones((1, 1, 1), dtype))      # f / (f + i) of h_0 = 1
    np.testing.assert_allclose(output.item(), kept, rtol=1e-6 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("a_z", "kept"), [(HUGE, 0), (-HUGE, 1), (np.inf, 0), (-np.inf, 1), (np.nan, np.nan)], ids=str)
def test_the_share_that_a_mingru_keeps_is_right_at_the_edge(dtype, a_z, kept):
    layer = unrolled.numpy.MinGRU(1, 1, dtype=dtype, seed=0)
    layer.load_state_dict({"weight_ih_l0": np.zeros((2, 1), dtype), "bias_ih_l0": np.array([a_z, 0], dtype)})
    output, _ = layer.forward(np.zeros((1, 1, 1), dtype), np.ones((1, 1, 1), dtype))
    np.testing.assert_equal(output.item(), kept)
