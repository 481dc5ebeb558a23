"""minGRU and minLSTM in NumPy: the scan is the loop, the layers are the paper's equations, gates at their limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import lfilter

from unrolled.numpy import MinGRU, MinLSTM
from unrolled.numpy.minimal import loop, scan, scan_backward

KINDS = pytest.mark.parametrize("kind", [MinGRU, MinLSTM], ids=["MinGRU", "MinLSTM"])
SCAN = pytest.mark.parametrize("how", [True, False], ids=["scan", "loop"])
RUN = pytest.mark.parametrize("run", [scan, loop], ids=["scan", "loop"])


def normal(*shape, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def steps(T, B=2, H=3, seed=1):
    """Factors in (0, 1), terms, and an initial state."""
    return 1 / (1 + np.exp(-normal(T, B, H, seed=seed))), normal(T, B, H, seed=seed + 1), normal(B, H, seed=seed + 2)


# The recurrence h_t = a_t h_{t-1} + b_t


@given(T=st.integers(1, 70), seed=st.integers(0, 999))
def test_the_scan_is_the_loop(close, T, seed):
    a, b, h0 = steps(T, seed=seed)
    close(scan(a, b, h0), loop(a, b, h0))


@RUN
@pytest.mark.parametrize("T", [1, 2, 3, 100])
def test_with_one_factor_it_is_the_filter_of_scipy(close, run, T):
    b, h0 = normal(T, 2, 3), normal(2, 3, seed=2)
    expected, _ = lfilter([1], [1, -0.9], b, axis=0, zi=0.9 * h0[None])
    close(run(np.full_like(b, 0.9), b, h0), expected)


@given(T=st.integers(1, 40), seed=st.integers(0, 999))
def test_the_scan_runs_backwards_as_the_loop_does(close, T, seed):
    a, b, h0 = steps(T, seed=seed)
    d_h, d_last, h = normal(T, 2, 3, seed=3), normal(2, 3, seed=4), loop(a, b, h0)
    expected = scan_backward(d_h, d_last, a, h, h0, loop)
    for got, value in zip(scan_backward(d_h, d_last, a, h, h0), expected, strict=True):
        close(got, value)


@RUN
@pytest.mark.parametrize("T", [1, 2, 5])
def test_backward_is_the_derivative_of_the_recurrence(close, central_difference, run, T):
    a, b, h0 = steps(T)
    d_h, d_last = normal(T, 2, 3, seed=3), normal(2, 3, seed=4)

    def loss():
        h = run(a, b, h0)
        return np.sum(h * d_h) + np.sum(h[-1] * d_last)

    gradients = scan_backward(d_h, d_last, a, run(a, b, h0), h0, run)
    for got, array in zip(gradients, (a, b, h0), strict=True):
        close(got, central_difference(loss, array), 1e-8)


@RUN
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_factors_of_0_and_1_forget_and_keep_exactly(run, dtype):
    b, h0 = np.ones((64, 1, 1), dtype), np.full((1, 1), 5, dtype)
    assert np.array_equal(run(np.zeros_like(b), b, h0), b)                                    # all forgotten
    assert np.array_equal(run(np.ones_like(b), 0 * b, h0), np.full_like(b, 5))                # all kept
    assert np.array_equal(run(np.ones_like(b), b, h0).ravel(), np.arange(6, 70, dtype=dtype))  # counted
    switched = np.ones_like(b)
    switched[32] = 0
    assert np.array_equal(run(switched, b, h0)[31:34].ravel(), np.array([37, 1, 2], dtype))


@RUN
def test_ten_thousand_steps_neither_overflow_nor_divide(run):
    b = np.ones((10_000, 1, 1), np.float32)
    with np.errstate(over="raise", divide="raise", invalid="raise"):        # products of factors may well underflow
        h = run(np.full_like(b, 0.5), b, np.zeros((1, 1), np.float32))
    assert h[-1] == 2                                                       # 1 / (1 - 0.5)


# The layers


def equations(kind, layer, x, h):
    """The paper's equations, one layer, a step and a gate at a time."""
    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    blocks = 2 if kind is MinGRU else 3
    W, b = (np.split(layer.parameters[name], blocks) for name in ("weight_ih_l0", "bias_ih_l0"))
    output = []
    for x_t in x:
        candidate = x_t @ W[-1].T + b[-1]
        if kind is MinGRU:
            z = sigmoid(x_t @ W[0].T + b[0])
            h = (1 - z) * h + z * candidate
        else:
            f, i = sigmoid(x_t @ W[0].T + b[0]), sigmoid(x_t @ W[1].T + b[1])
            h = f / (f + i) * h + i / (f + i) * candidate
        output.append(h)
    return np.stack(output)


@KINDS
@SCAN
def test_a_layer_is_the_equations_of_the_paper(close, kind, how):
    layer, x, h0 = kind(4, 5, scan=how, dtype=np.float64, seed=0), normal(9, 2, 4), normal(1, 2, 5, seed=2)
    output, h_n = layer.forward(x, h0)
    close(output, equations(kind, layer, x, h0[0]))
    assert np.array_equal(h_n[0], output[-1])


@KINDS
def test_gates_and_candidate_are_all_there_is(kind):
    layer, blocks = kind(4, 5, 2, bidirectional=True), 2 if kind is MinGRU else 3
    assert {name: array.shape for name, array in layer.parameters.items()} == {
        f"{name}_l{number}{direction}": (5 * blocks,) + ((width,) if name == "weight_ih" else ())
        for number, width in ((0, 4), (1, 10)) for direction in ("", "_reverse") for name in ("weight_ih", "bias_ih")
    }
    assert list(kind(4, 5, bias=False).parameters) == ["weight_ih_l0"]


@KINDS
@given(T=st.integers(1, 20), B=st.integers(1, 3), D=st.integers(1, 4), H=st.integers(1, 4),
       stack=st.fixed_dictionaries({"num_layers": st.integers(1, 3), "bidirectional": st.booleans(),
                                    "bias": st.booleans(), "batch_first": st.booleans()}), seed=st.integers(0, 999))
def test_scan_and_loop_make_the_same_layer_with_the_same_gradients(close, kind, T, B, D, H, stack, seed):
    layers = [kind(D, H, **stack, scan=how, dtype=np.float64, seed=seed) for how in (True, False)]
    x = normal(*((B, T) if stack["batch_first"] else (T, B)), D, seed=seed)
    h0 = normal(stack["num_layers"] * (1 + stack["bidirectional"]), B, H, seed=seed + 1)
    (output, h_n), (expected, h_expected) = (layer.forward(x, h0) for layer in layers)
    close(output, expected)
    close(h_n, h_expected)
    d_output, d_h_n = normal(*output.shape, seed=seed + 2), normal(*h_n.shape, seed=seed + 3)
    (d_x, d_h0, grads), (d_x_expected, d_h0_expected, expected) = (
        layer.backward(d_output, d_h_n) for layer in layers)
    close(d_x, d_x_expected)
    close(d_h0, d_h0_expected)
    for name, value in expected.items():
        close(grads[name], value)


@KINDS
@SCAN
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two directions"])
@pytest.mark.parametrize(("num_layers", "dropout"), [(1, 0.0), (2, 0.4)], ids=["1", "2 with dropout"])
def test_backward_is_the_derivative_of_forward(close, central_difference, kind, how, bias, bidirectional, num_layers,
                                               dropout):
    layer = kind(2, 3, num_layers, bias, dropout=dropout, bidirectional=bidirectional, scan=how,
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


@KINDS
@SCAN
@pytest.mark.parametrize("batch", [(), (1,), (2,)], ids=["unbatched", "batch of 1", "batch of 2"])
def test_overwriting_what_went_in_or_came_out_does_not_spoil_backward(kind, how, batch):
    layer = kind(2, 3, 2, scan=how, dtype=np.float64, seed=0)
    x, h0 = normal(4, *batch, 2), normal(2, *batch, 3)
    output, h_n = layer.forward(x, h0)
    d_output, d_h_n = normal(*output.shape, seed=3), normal(*h_n.shape, seed=4)
    expected = layer.backward(d_output, d_h_n)
    layer.forward(x, h0)
    for array in (x, h0, output, h_n):
        array[:] = np.nan
    d_x, d_h0, grads = layer.backward(d_output, d_h_n)
    assert np.array_equal(d_x, expected[0])
    assert np.array_equal(d_h0, expected[1])
    for name in expected[2]:
        assert np.array_equal(grads[name], expected[2][name]), name
    arrays = [x, h0, output, h_n, d_output, d_h_n, d_x, d_h0, *grads.values(), *layer.parameters.values()]
    for number, one in enumerate(arrays):
        assert not any(np.shares_memory(one, other) for other in arrays[:number])


# What follows from the equations


@KINDS
@SCAN
def test_the_state_enters_linearly(close, kind, how):
    layer, x, h0 = kind(4, 5, scan=how, dtype=np.float64, seed=0), normal(9, 2, 4), normal(1, 2, 5, seed=2)
    silent, alone, tripled = (layer.forward(x, state)[0] for state in (None, h0, 3 * h0))
    close(tripled - silent, 3 * (alone - silent))


@KINDS
@given(T=st.integers(1, 30), size=st.floats(0.1, 100), seed=st.integers(0, 999))
def test_a_state_never_leaves_the_range_of_its_candidates(kind, T, size, seed):
    layer, x = kind(3, 4, dtype=np.float64, seed=seed), size * normal(T, 2, 3, seed=seed)
    candidates = x @ layer.parameters["weight_ih_l0"][-4:].T + layer.parameters["bias_ih_l0"][-4:]
    output, _ = layer.forward(x)
    assert (output <= np.maximum(candidates.max(0), 0) * (1 + 1e-12)).all()                   # h_0 is 0
    assert (output >= np.minimum(candidates.min(0), 0) * (1 + 1e-12)).all()


# Gates at their limits


def saturated(kind, dtype, how, *gates):
    """A layer of one unit whose gates have these pre-activations, and whose candidate is the input."""
    layer = kind(1, 1, scan=how, dtype=dtype)
    rows = len(gates) + 1
    layer.load_state_dict({"weight_ih_l0": np.eye(rows, 1, -len(gates), dtype), "bias_ih_l0":
                           np.array([*gates, 0], dtype)})
    return layer


@SCAN
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kind", "gates", "kept"), [
    (MinGRU, (-1e4,), 1), (MinGRU, (1e4,), 0), (MinGRU, (0,), 0.5),
    (MinLSTM, (-1e4, -1e4), 0.5), (MinLSTM, (1e4, 1e4), 0.5), (MinLSTM, (1e4, -1e4), 1), (MinLSTM, (-1e4, 1e4), 0),
    (MinLSTM, (-1000, -1001), 1 / (1 + np.exp(-1))), (MinLSTM, (40, 0), 2 / 3), (MinLSTM, (-200, -200), 0.5),
], ids=str)
def test_a_gate_at_its_limit_keeps_and_writes_what_it_should(close, kind, how, dtype, gates, kept):
    layer, x, h0 = saturated(kind, dtype, how, *gates), np.full((1, 1, 1), 3, dtype), np.full((1, 1, 1), 7, dtype)
    with np.errstate(all="raise", under="ignore"):
        output, h_n = layer.forward(x, h0)
        d_x, d_h0, grads = layer.backward(np.ones_like(output))
    tolerance = 1e-12 if dtype == np.float64 else 1e-6
    close(output.ravel(), [kept * 7 + (1 - kept) * 3], tolerance)
    close(d_h0.ravel(), [kept], tolerance)
    close(d_x.ravel(), [1 - kept], tolerance)
    assert all(np.isfinite(gradient).all() for gradient in grads.values())


@KINDS
@SCAN
def test_inputs_of_any_size_leave_everything_finite(kind, how):
    layer, x = kind(3, 4, 2, bidirectional=True, scan=how, seed=0), 1e6 * normal(50, 2, 3, dtype=np.float32)
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        output, h_n = layer.forward(x)
        d_x, d_h0, grads = layer.backward(np.ones_like(output), np.ones_like(h_n))
    for array in (output, h_n, d_x, d_h0, *grads.values()):
        assert np.isfinite(array).all()


def test_dividing_by_gates_that_are_both_zero_is_what_is_avoided():
    gate = 1 / (1 + np.exp(np.float32(88)))                     # still above 0 ...
    assert gate > 0
    with np.errstate(over="ignore", invalid="ignore"):
        gate = 1 / (1 + np.exp(np.float32(1000)))               # ... and no longer
        assert np.isnan(gate / (gate + gate))
    output, _ = saturated(MinLSTM, np.float32, True, -1000, -1000).forward(np.full((1, 1, 1), 3, np.float32))
    assert output == 1.5


# Wrong use


@KINDS
@pytest.mark.parametrize(("options", "error", "message"), [
    ({"scan": 1}, TypeError, "scan must be True or False, got int 1"),
    ({"scan": None}, TypeError, "scan must be True or False, got NoneType None"),
    ({"hidden_size": 0}, ValueError, "hidden_size must be at least 1, got 0"),
    ({"dropout": 2}, ValueError, "dropout must lie in [0, 1], got 2"),
    ({"dtype": np.float16}, TypeError, "dtype must be float32 or float64, got float16"),
], ids=str)
def test_a_wrong_constructor_argument_is_named(refuses, kind, options, error, message):
    with refuses(error, message):
        kind(**({"input_size": 3, "hidden_size": 4} | options))


@KINDS
@pytest.mark.parametrize(("x", "state", "error", "message"), [
    (np.zeros((5, 2, 4)), None, ValueError, "input must have shape (T, B, 3), or (T, 3) unbatched; got (5, 2, 4)"),
    (np.zeros((0, 2, 3)), None, ValueError, "input must hold at least one step (T >= 1), got shape (0, 2, 3)"),
    (np.zeros((5, 2, 3), np.float32), None, TypeError, "input must be float64, like the parameters, got float32"),
    (np.zeros((5, 2, 3)), np.zeros((1, 3, 4)), ValueError, "must have shape (1, 2, 4), got (1, 3, 4)"),
    (np.zeros((5, 2, 3)), (np.zeros((1, 2, 4)),) * 2, TypeError, "must be a numpy array, got tuple"),
], ids=["width", "no steps", "float32", "state's batch", "a pair"])
def test_wrong_input_is_named(refuses, kind, x, state, error, message):
    with refuses(error, message):
        kind(3, 4, dtype=np.float64).forward(x, state)


@KINDS
def test_weights_of_a_layer_with_a_matrix_for_the_state_are_refused(refuses, kind):
    layer = kind(3, 4)
    with refuses(ValueError, "state_dict does not fit: missing weight_ih_l0, bias_ih_l0; unexpected weight_hh_l0"):
        layer.load_state_dict({"weight_hh_l0": np.zeros((8, 4), np.float32)})


@KINDS
def test_backward_before_forward_says_so(refuses, kind):
    with refuses(RuntimeError, f"{kind.__name__}.backward needs a forward before it"):
        kind(3, 4).backward(np.zeros((5, 2, 4), np.float32))
