"""The NumPy RNN: its derivatives against central differences, its states against ONNX's reference, what it keeps."""

import numpy as np
import onnx.helper
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from onnx.reference.ops.op_rnn import CommonRNN

from unrolled.numpy import RNN, RNNCell


def normal(*shape, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# Derivatives, by an oracle that knows no calculus


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two directions"])
@pytest.mark.parametrize(("num_layers", "dropout"), [(1, 0.0), (2, 0.0), (3, 0.4)], ids=["1", "2", "3 with dropout"])
def test_backward_is_the_derivative_of_forward(close, central_difference, nonlinearity, bias, bidirectional, num_layers,
                                               dropout):
    layer = RNN(2, 3, num_layers, nonlinearity, bias, dropout=dropout, bidirectional=bidirectional,
                dtype=np.float64, seed=0)
    x, h0 = normal(4, 2, 2), normal(num_layers * (1 + bidirectional), 2, 3, seed=2)
    d_output, d_h_n = normal(4, 2, 3 * (1 + bidirectional), seed=3), normal(*h0.shape, seed=4)

    def loss():
        layer.rng = np.random.default_rng(5)                            # the same dropout masks every time
        output, h_n = layer.forward(x, h0)
        return np.sum(output * d_output) + np.sum(h_n * d_h_n)

    loss()
    d_x, d_h0, grads = layer.backward(d_output, d_h_n)
    close(d_x, central_difference(loss, x), 1e-8)
    close(d_h0, central_difference(loss, h0), 1e-8)
    assert list(grads) == list(layer.parameters)
    for name, parameter in layer.parameters.items():
        close(grads[name], central_difference(loss, parameter), 1e-8)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("batch", [(), (2,)], ids=["unbatched", "batched"])
def test_the_cells_backward_is_the_derivative_of_its_forward(close, central_difference, nonlinearity, bias, batch):
    cell = RNNCell(2, 3, bias, nonlinearity, dtype=np.float64, seed=0)
    x, h, d_state = normal(*batch, 2), normal(*batch, 3, seed=2), normal(*batch, 3, seed=3)

    def loss():
        return np.sum(cell.forward(x, h) * d_state)

    loss()
    d_x, d_h, grads = cell.backward(d_state)
    close(d_x, central_difference(loss, x), 1e-8)
    close(d_h, central_difference(loss, h), 1e-8)
    assert list(grads) == list(cell.parameters)
    for name, parameter in cell.parameters.items():
        close(grads[name], central_difference(loss, parameter), 1e-8)


def test_the_final_states_gradient_is_zero_if_left_out():
    layer = RNN(2, 3, dtype=np.float64, seed=0)
    output, h_n = layer.forward(normal(4, 2, 2))
    d_output = normal(*output.shape)
    left_out, given = layer.backward(d_output), layer.backward(d_output, np.zeros_like(h_n))
    assert np.array_equal(left_out[0], given[0])
    assert np.array_equal(left_out[1], given[1])


def test_a_second_backward_repeats_the_first():
    layer = RNN(2, 3, 2, dropout=0.5, bidirectional=True, dtype=np.float64, seed=0)
    output, _ = layer.forward(normal(4, 2, 2))
    d_output = normal(*output.shape)
    first, second = layer.backward(d_output), layer.backward(d_output)
    assert np.array_equal(first[0], second[0])
    for name in first[2]:
        assert np.array_equal(first[2][name], second[2][name]), name


@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
@pytest.mark.parametrize("batch", [(), (1,), (2,)], ids=["unbatched", "batch of 1", "batch of 2"])
def test_overwriting_what_went_in_or_came_out_does_not_spoil_backward(batch, batch_first):
    layer = RNN(2, 3, 2, batch_first=batch_first, dtype=np.float64, seed=0)
    x, h0 = normal(*((*batch, 4) if batch_first else (4, *batch)), 2), normal(2, *batch, 3)
    output, h_n = layer.forward(x, h0)
    d_output, d_h_n = normal(*output.shape, seed=3), normal(*h_n.shape, seed=4)
    expected = layer.backward(d_output, d_h_n)
    layer.forward(x, h0)
    for array in (x, h0, output, h_n):
        array[:] = np.nan
    got = layer.backward(d_output, d_h_n)
    assert np.array_equal(got[0], expected[0])
    assert np.array_equal(got[1], expected[1])
    for name in expected[2]:
        assert np.array_equal(got[2][name], expected[2][name]), name


def test_overwriting_what_went_into_a_cell_or_came_out_does_not_spoil_backward():
    cell, x, h = RNNCell(2, 3, dtype=np.float64, seed=0), normal(2, 2), normal(2, 3)
    state = cell.forward(x, h)
    expected = cell.backward(np.ones_like(state))
    cell.forward(x, h)
    for array in (x, h, state):
        array[:] = np.nan
    got = cell.backward(np.ones((2, 3)))
    assert np.array_equal(got[0], expected[0])
    for name in expected[2]:
        assert np.array_equal(got[2][name], expected[2][name]), name


def test_backward_leaves_its_arguments_alone_and_shares_nothing():
    layer = RNN(2, 3, dtype=np.float64, seed=0)
    output, h_n = layer.forward(normal(4, 2, 2))
    d_output, d_h_n = normal(*output.shape), normal(*h_n.shape)
    before = d_output.copy(), d_h_n.copy()
    d_x, d_h0, grads = layer.backward(d_output, d_h_n)
    assert np.array_equal(d_output, before[0])
    assert np.array_equal(d_h_n, before[1])
    assert np.array_equal(grads["bias_ih_l0"], grads["bias_hh_l0"])
    arrays = [d_output, d_h_n, d_x, d_h0, *grads.values(), *layer.parameters.values()]
    for number, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[:number])


# States, by a library that knows no torch


@pytest.fixture(scope="module")
def onnx_rnn():
    """ONNX's own reference of its RNN operator, one layer. It lacks only the function relu, which is added here."""
    patch = pytest.MonkeyPatch()
    choose = CommonRNN.choose_act
    patch.setattr(CommonRNN, "choose_act", lambda self, name, alpha, beta: (
        (lambda a: np.maximum(a, 0)) if name == "Relu" else choose(self, name, alpha, beta)))

    def run(x, h0, layer):
        suffixes = ["_l0", "_l0_reverse"][: 1 + layer.bidirectional]
        p = layer.parameters
        stacked = [np.stack([p[name + suffix] for suffix in suffixes]) for name in ("weight_ih", "weight_hh")]
        if layer.bias:
            stacked.append(np.stack([np.concatenate([p["bias_ih" + s], p["bias_hh" + s]]) for s in suffixes]))
        else:
            stacked.append(np.zeros((len(suffixes), 2 * layer.hidden_size)))
        feeds = dict(zip(("X", "W", "R", "B", "H"), (x, *stacked, h0)))
        node = onnx.helper.make_node(
            "RNN", ["X", "W", "R", "B", "", "H"], ["Y", "Y_h"], hidden_size=layer.hidden_size,
            direction="bidirectional" if layer.bidirectional else "forward",
            activations=[layer.nonlinearity.capitalize()] * len(suffixes),
        )
        values = [onnx.helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in (*feeds, "Y", "Y_h")]
        graph = onnx.helper.make_graph([node], "rnn", values[:-2], values[-2:])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
        output, h_n = ReferenceEvaluator(model).run(None, feeds)      # (T, N, B, H), (N, B, H)
        return np.concatenate(output.swapaxes(0, 1), axis=-1), h_n

    yield run
    patch.undo()


@given(T=st.integers(1, 8), B=st.integers(1, 4), D=st.integers(1, 6), H=st.integers(1, 6), bidirectional=st.booleans(),
       nonlinearity=st.sampled_from(["tanh", "relu"]), bias=st.booleans(), seed=st.integers(0, 999))
def test_forward_equals_the_reference_of_onnx(onnx_rnn, close, T, B, D, H, bidirectional, nonlinearity, bias, seed):
    layer = RNN(D, H, 1, nonlinearity, bias, bidirectional=bidirectional, dtype=np.float64, seed=seed)
    x, h0 = normal(T, B, D, seed=seed), normal(1 + bidirectional, B, H, seed=seed + 1)
    for got, expected in zip(layer.forward(x, h0), onnx_rnn(x, h0, layer)):
        close(got, expected)


# Parameters and dtypes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_result_has_the_dtype_of_the_parameters(dtype):
    layer = RNN(2, 3, 2, dropout=0.5, bidirectional=True, dtype=dtype, seed=0)
    output, h_n = layer.forward(normal(4, 2, 2, dtype=dtype))
    d_x, d_h0, grads = layer.backward(output, h_n)
    assert {array.dtype for array in (output, h_n, d_x, d_h0, *grads.values())} == {np.dtype(dtype)}


def test_the_dtype_follows_the_parameters_that_are_loaded():
    layer = RNN(2, 3, dtype=np.float32, seed=0)
    layer.load_state_dict(RNN(2, 3, dtype=np.float64, seed=1).state_dict())
    assert layer.dtype == np.float64
    assert layer.forward(normal(4, 2, 2))[0].dtype == np.float64


@pytest.mark.parametrize("kind", [RNN, RNNCell])
def test_a_seed_decides_the_weights(kind):
    first, same, other = kind(2, 3, seed=0), kind(2, 3, seed=0), kind(2, 3, seed=1)
    for name, value in first.parameters.items():
        assert np.array_equal(value, same.parameters[name])
        assert not np.array_equal(value, other.parameters[name])


def test_initial_weights_fill_the_range_torch_fills():
    weights = np.concatenate([value.ravel() for value in RNN(20, 25, seed=0).parameters.values()])
    assert np.abs(weights).max() <= 0.2
    assert np.abs(weights).max() > 0.199
    assert abs(weights.std() - 0.2 / np.sqrt(3)) < 0.005


def test_a_state_dict_is_a_copy():
    layer = RNN(2, 3, seed=0)
    layer.state_dict()["weight_ih_l0"][:] = 7
    assert not (layer.parameters["weight_ih_l0"] == 7).any()


# Wrong use


@pytest.mark.parametrize(("dtype", "message"), [
    (np.float16, "dtype must be float32 or float64, got float16"),
    (np.int64, "dtype must be float32 or float64, got int64"),
    ("complex128", "dtype must be float32 or float64, got complex128"),
    (None, "dtype must be float32 or float64, got None"),
], ids=str)
@pytest.mark.parametrize("kind", [RNN, RNNCell])
def test_a_dtype_that_is_no_float_is_named(refuses, kind, dtype, message):
    with refuses(TypeError, message):
        kind(2, 3, dtype=dtype)


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda d: d.update(bias_ih_l0=d["bias_ih_l0"].astype(np.float32)),
     "state_dict must be all float32 or all float64, got float32, float64"),
    (lambda d: d.update({name: value.astype(np.float16) for name, value in d.items()}),
     "state_dict must be all float32 or all float64, got float16"),
    (lambda d: d.update({name: value.astype(int) for name, value in d.items()}),
     "state_dict must be all float32 or all float64, got int64"),
], ids=["mixed", "float16", "int"])
def test_a_state_dict_of_other_dtypes_changes_nothing(refuses, spoil, message):
    layer = RNN(2, 3, seed=0)
    before, given = layer.state_dict(), RNN(2, 3, dtype=np.float64, seed=1).state_dict()
    spoil(given)
    with refuses(TypeError, message):
        layer.load_state_dict(given)
    assert layer.dtype == np.float32
    for name, value in layer.parameters.items():
        assert np.array_equal(value, before[name])


@pytest.mark.parametrize(("layer", "message"), [
    (RNN(2, 3), "RNN.backward needs a forward before it"),
    (RNNCell(2, 3), "RNNCell.backward needs a forward before it"),
], ids=["RNN", "RNNCell"])
def test_backward_before_forward_says_so(refuses, layer, message):
    with refuses(RuntimeError, message):
        layer.backward(np.zeros((4, 2, 3), np.float32))


def test_loading_weights_ends_the_last_forward(refuses):
    layer = RNN(2, 3, seed=0)
    output, _ = layer.forward(normal(4, 2, 2, dtype=np.float32))
    layer.load_state_dict(layer.state_dict())
    with refuses(RuntimeError, "RNN.backward needs a forward before it"):
        layer.backward(output)


@pytest.mark.parametrize(("batch_first", "x", "d_output", "d_state", "error", "message"), [
    (False, (4, 2, 2), np.zeros((4, 2, 4)), None, ValueError, "d_output must have shape (4, 2, 3), got (4, 2, 4)"),
    (False, (4, 2, 2), np.zeros((5, 2, 3)), None, ValueError, "d_output must have shape (4, 2, 3), got (5, 2, 3)"),
    (True, (2, 4, 2), np.zeros((4, 2, 3)), None, ValueError, "d_output must have shape (2, 4, 3), got (4, 2, 3)"),
    (False, (4, 2), np.zeros((4, 1, 3)), None, ValueError, "d_output must have shape (4, 3), got (4, 1, 3)"),
    (False, (4, 2, 2), [0.0], None, TypeError, "d_output must be a numpy array, got list"),
    (False, (4, 2, 2), None, None, TypeError, "d_output must be a numpy array, got NoneType"),
    (False, (4, 2, 2), np.zeros((4, 2, 3), np.float32), None, TypeError,
     "d_output must be float64, like the parameters, got float32"),
    (False, (4, 2, 2), np.zeros((4, 2, 3)), np.zeros((2, 3)), ValueError,
     "d_state must have shape (1, 2, 3), got (2, 3)"),
    (False, (4, 2, 2), np.zeros((4, 2, 3)), np.zeros((1, 2, 3), int), TypeError,
     "d_state must be float64, like the parameters, got int64"),
], ids=["width", "steps", "axes exchanged", "batched, input not", "list", "None", "float32", "state shape",
        "state int"])
def test_a_wrong_gradient_is_named(refuses, batch_first, x, d_output, d_state, error, message):
    layer = RNN(2, 3, batch_first=batch_first, dtype=np.float64, seed=0)
    layer.forward(normal(*x))
    with refuses(error, message):
        layer.backward(d_output, d_state)


@pytest.mark.parametrize(("d_state", "error", "message"), [
    (np.zeros((2, 4)), ValueError, "d_state must have shape (2, 3), got (2, 4)"),
    ([[0.0] * 3] * 2, TypeError, "d_state must be a numpy array, got list"),
    (np.zeros((2, 3), np.float32), TypeError, "d_state must be float64, like the parameters, got float32"),
], ids=["shape", "list", "float32"])
def test_a_wrong_gradient_of_a_cell_is_named(refuses, d_state, error, message):
    cell = RNNCell(2, 3, dtype=np.float64, seed=0)
    cell.forward(normal(2, 2))
    with refuses(error, message):
        cell.backward(d_state)
