"""What every backend promises: the same constructor, the same function, the same errors."""

import inspect
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import unrolled.cudnn
import unrolled.numpy
import unrolled.torch

SIZES = {"T": st.integers(1, 6), "B": st.integers(1, 4), "D": st.integers(1, 5), "H": st.integers(1, 5)}
STACK = {"num_layers": st.integers(1, 3), "nonlinearity": st.sampled_from(["tanh", "relu"]), "bias": st.booleans()}


def normal(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)


# The same function


@given(**SIZES, stack=st.fixed_dictionaries({**STACK, "bidirectional": st.booleans()}))
def test_batch_rows_are_independent(backend, close, T, B, D, H, stack):
    layer = backend.make("RNN", D, H, **stack)
    x, h0 = normal(T, B, D), normal(stack["num_layers"] * (1 + stack["bidirectional"]), B, H, seed=2)
    output, h_n = backend.run(layer, x, h0)
    for row in range(B):
        alone, h_alone = backend.run(layer, np.ascontiguousarray(x[:, row]), np.ascontiguousarray(h0[:, row]))
        close(output[:, row], alone)
        close(h_n[:, row], h_alone)


@given(**SIZES, stack=st.fixed_dictionaries(STACK), cut=st.integers(0, 5))
def test_chunked_forward_with_carried_state_equals_whole(backend, close, T, B, D, H, stack, cut):
    layer, x = backend.make("RNN", D, H, **stack), normal(T + 1, B, D)
    cut = 1 + cut % T
    output, h_n = backend.run(layer, x)
    first, carried = backend.run(layer, x[:cut])
    second, h_second = backend.run(layer, x[cut:], carried)
    close(np.concatenate([first, second]), output)
    close(h_second, h_n)


@given(**SIZES, stack=st.fixed_dictionaries(STACK))
def test_the_future_does_not_change_the_past_in_one_direction(backend, T, B, D, H, stack):
    layer, x = backend.make("RNN", D, H, **stack), normal(T + 1, B, D)
    changed = x.copy()
    changed[-1] += 1
    before, after = backend.run(layer, x)[0], backend.run(layer, changed)[0]
    assert np.array_equal(before[:-1], after[:-1])


def test_the_future_changes_the_past_in_two_directions(backend):
    layer, x = backend.make("RNN", 3, 4, bidirectional=True), normal(5, 2, 3)
    changed = x.copy()
    changed[-1] += 1
    before, after = backend.run(layer, x)[0], backend.run(layer, changed)[0]
    assert np.array_equal(before[0, :, :4], after[0, :, :4])
    assert not np.array_equal(before[0, :, 4:], after[0, :, 4:])


@given(**SIZES, nonlinearity=STACK["nonlinearity"])
def test_reversed_input_exchanges_the_two_directions(backend, close, T, B, D, H, nonlinearity):
    layer = backend.make("RNN", D, H, bidirectional=True, nonlinearity=nonlinearity)
    exchanged = backend.make("RNN", D, H, bidirectional=True, nonlinearity=nonlinearity)
    weights = layer.state_dict()
    exchanged.load_state_dict({
        name: weights[name.removesuffix("_reverse") if name.endswith("_reverse") else name + "_reverse"]
        for name in weights
    })
    x = normal(T, B, D)
    output, h_n = backend.run(layer, x)
    mirrored, h_mirrored = backend.run(exchanged, x[::-1].copy())
    close(mirrored[::-1, :, :H], output[:, :, H:])
    close(mirrored[::-1, :, H:], output[:, :, :H])
    close(h_mirrored[::-1], h_n)


@given(**SIZES, num_layers=STACK["num_layers"], bidirectional=st.booleans())
def test_final_states_are_the_outputs_of_each_directions_last_step(backend, T, B, D, H, num_layers, bidirectional):
    layer = backend.make("RNN", D, H, num_layers, bidirectional=bidirectional)
    output, h_n = backend.run(layer, normal(T, B, D))
    if bidirectional:
        assert np.array_equal(h_n[-2], output[-1, :, :H])
        assert np.array_equal(h_n[-1], output[0, :, H:])
    else:
        assert np.array_equal(h_n[-1], output[-1])


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two directions"])
def test_a_stack_is_its_layers_one_after_the_other(backend, close, bidirectional):
    stack = backend.make("RNN", 3, 4, num_layers=2, bidirectional=bidirectional)
    rows, states = normal(5, 2, 3), []
    for number in range(2):
        single = backend.make("RNN", rows.shape[-1], 4, bidirectional=bidirectional)
        weights = stack.state_dict()
        single.load_state_dict({name: weights[name.replace("_l0", f"_l{number}")] for name in single.state_dict()})
        rows, h_n = backend.run(single, rows)
        states.append(h_n)
    output, h_n = backend.run(stack, normal(5, 2, 3))
    close(output, rows)
    close(h_n, np.concatenate(states))


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_a_cell_step_by_step_is_the_layer(backend, close, nonlinearity, bias):
    layer = backend.make("RNN", 3, 4, nonlinearity=nonlinearity, bias=bias)
    cell = backend.make("RNNCell", 3, 4, bias, nonlinearity)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, h = normal(6, 2, 3), None
    output, _ = backend.run(layer, x)
    for t in range(6):
        h = backend.run(cell, x[t], h)
        close(h, output[t])


def test_batch_first_only_exchanges_axes(backend):
    layer = backend.make("RNN", 3, 4, 2, bidirectional=True)
    other = backend.make("RNN", 3, 4, 2, bidirectional=True, batch_first=True)
    other.load_state_dict(layer.state_dict())
    x = normal(5, 2, 3)
    output, h_n = backend.run(layer, x)
    swapped, h_same = backend.run(other, np.ascontiguousarray(x.swapaxes(0, 1)))
    assert np.array_equal(swapped.swapaxes(0, 1), output)
    assert np.array_equal(h_same, h_n)


@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
def test_unbatched_is_a_batch_of_one(backend, batch_first):
    layer, x, h0 = backend.make("RNN", 3, 4, 2, batch_first=batch_first), normal(5, 3), normal(2, 4)
    output, h_n = backend.run(layer, x, h0)
    batched, h_batched = backend.run(layer, x[None] if batch_first else x[:, None], h0[:, None])
    assert output.shape == (5, 4)
    assert h_n.shape == (2, 4)
    assert np.array_equal(batched.squeeze(0 if batch_first else 1), output)
    assert np.array_equal(h_batched[:, 0], h_n)


def test_an_unbatched_cell_is_a_batch_of_one(backend):
    cell, x, h = backend.make("RNNCell", 3, 4), normal(3), normal(4)
    assert np.array_equal(backend.run(cell, x, h), backend.run(cell, x[None], h[None])[0])


@pytest.mark.parametrize(("kind", "x", "state"), [("RNN", (5, 2, 3), (1, 2, 4)), ("RNNCell", (2, 3), (2, 4))])
def test_no_initial_state_means_zeros(backend, kind, x, state):
    layer = backend.make(kind, 3, 4)
    for got, expected in zip(backend.run(layer, normal(*x)), backend.run(layer, normal(*x), np.zeros(state))):
        assert np.array_equal(got, expected)


@pytest.mark.parametrize(("kind", "x", "state"), [("RNN", (5, 2, 3), (1, 2, 4)), ("RNNCell", (2, 3), (2, 4))])
def test_forward_leaves_its_arguments_alone_and_shares_nothing_with_them(backend, kind, x, state):
    layer, x, state = backend.make(kind, 3, 4), normal(*x), normal(*state)
    before = x.copy(), state.copy()
    results = backend.run(layer, x, state)
    assert np.array_equal(x, before[0])
    assert np.array_equal(state, before[1])
    for result, argument in product(results if isinstance(results, tuple) else [results], (x, state)):
        assert not np.shares_memory(result, argument)


# Dropout


@pytest.fixture(scope="session")
def dropout_shown(backend):
    """A stack whose output is dropout's own output: a relu layer, dropout, and a second layer that only copies."""

    def make(dropout):
        layer = backend.make("RNN", 3, 50, 2, nonlinearity="relu", bias=False, dropout=dropout)
        weights = backend.weights(layer)
        weights["weight_ih_l1"], weights["weight_hh_l1"] = np.eye(50), np.zeros((50, 50))
        layer.load_state_dict(weights)
        return layer

    return make


def switch(layer, training):
    if isinstance(layer, torch.nn.Module):
        layer.train(training)
    else:
        layer.training = training


def test_dropout_does_nothing_outside_training(backend, dropout_shown):
    layer, plain = dropout_shown(0.5), dropout_shown(0.0)
    switch(layer, training=False)
    assert np.array_equal(backend.run(layer, normal(40, 8, 3))[0], backend.run(plain, normal(40, 8, 3))[0])


def test_dropout_zeroes_its_share_and_preserves_the_mean(backend, dropout_shown):
    layer, plain = dropout_shown(0.3), dropout_shown(0.0)
    dropped, whole = backend.run(layer, normal(40, 8, 3))[0], backend.run(plain, normal(40, 8, 3))[0]
    kept = dropped[whole > 0] > 0                                       # some 8,000 independent draws
    assert abs(kept.mean() - 0.7) < 0.02                                # four standard errors
    assert np.allclose(dropped[whole > 0][kept], whole[whole > 0][kept] / 0.7, rtol=1e-12)


def test_dropout_draws_anew_each_call(backend, dropout_shown):
    layer, x = dropout_shown(0.3), normal(5, 2, 3)
    assert not np.array_equal(backend.run(layer, x)[0], backend.run(layer, x)[0])


def test_dropout_of_one_leaves_nothing(backend, dropout_shown):
    assert not backend.run(dropout_shown(1.0), normal(5, 2, 3))[0].any()


# One constructor, one state_dict


@pytest.mark.parametrize("kind", ["RNN", "RNNCell"])
def test_constructors_take_the_same_arguments_in_the_same_order(kind):
    signatures = [
        {name: parameter.default for name, parameter in inspect.signature(getattr(module, kind)).parameters.items()}
        for module in (unrolled.numpy, unrolled.torch, unrolled.cudnn)
    ]
    shared = [name for name in signatures[1] if name not in ("device", "dtype")]
    for signature in signatures:
        assert list(signature)[: len(shared)] == shared
        assert [signature[name] for name in shared] == [signatures[1][name] for name in shared]


@pytest.mark.parametrize("kind", ["RNN", "RNNCell"])
@pytest.mark.parametrize("source", ["numpy", "torch", "cudnn", "nn"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_a_state_dict_moves_between_all_backends_and_torch_nn(backend, kind, source, bias):
    options = {"bias": bias} if kind == "RNNCell" else {"bias": bias, "num_layers": 2, "bidirectional": True}
    module = torch.nn if source == "nn" else getattr(unrolled, source)
    given = getattr(module, kind)(3, 4, **options, dtype=np.float64 if source == "numpy" else torch.float64)
    library = getattr(torch.nn, kind)(3, 4, **options, dtype=torch.float64)
    taker = backend.make(kind, 3, 4, **options)
    taker.load_state_dict(given.state_dict())
    library.load_state_dict({name: torch.as_tensor(value) for name, value in taker.state_dict().items()})
    assert list(taker.state_dict()) == list(given.state_dict()) == list(library.state_dict())
    for name, value in given.state_dict().items():
        assert np.array_equal(taker.state_dict()[name], value), name


def test_loaded_arrays_are_copied(backend):
    layer = backend.make("RNN", 3, 4)
    arrays = backend.weights(layer)
    layer.load_state_dict(arrays)
    arrays["weight_ih_l0"][:] = 7
    assert not (np.asarray(layer.state_dict()["weight_ih_l0"]) == 7).any()


BAD_STATE_DICTS = {
    "a name missing": (lambda d: d.pop("bias_hh_l0"), ValueError, "state_dict does not fit: missing bias_hh_l0"),
    "a name too many": (lambda d: d.update(weight_ih_l1=d["weight_ih_l0"]), ValueError,
                        "state_dict does not fit: unexpected weight_ih_l1"),
    "another model": (lambda d: (d.update(weight=d.pop("weight_ih_l0"))), ValueError,
                      "state_dict does not fit: missing weight_ih_l0; unexpected weight"),
    "a shape that does not fit": (lambda d: d.update(weight_hh_l0=d["weight_ih_l0"]), ValueError,
                                  "weight_hh_l0 must have shape (4, 4), got (4, 3)"),
    "a list": (lambda d: d.update(bias_hh_l0=[0.0] * 4), TypeError, "bias_hh_l0 must be an array, got list"),
}


@pytest.mark.parametrize("case", BAD_STATE_DICTS)
def test_a_state_dict_that_does_not_fit_changes_nothing(backend, refuses, case):
    spoil, error, message = BAD_STATE_DICTS[case]
    layer = backend.make("RNN", 3, 4)
    before = backend.weights(layer)
    given = {name: np.full_like(value, 9) for name, value in before.items()}
    spoil(given)
    with refuses(error, message):
        layer.load_state_dict(given)
    for name, value in layer.state_dict().items():
        assert np.array_equal(value, before[name])


def test_a_state_dict_is_a_dict(backend, refuses):
    with refuses(TypeError, "state_dict must map names to arrays, got list"):
        backend.make("RNN", 3, 4).load_state_dict([np.zeros((4, 3))])


# Wrong constructor arguments


def whole_number(name):
    return [
        (name, True, TypeError, f"{name} must be a whole number, got bool True"),
        (name, 2.5, TypeError, f"{name} must be a whole number, got float 2.5"),
        (name, "3", TypeError, f"{name} must be a whole number, got str '3'"),
        (name, None, TypeError, f"{name} must be a whole number, got NoneType None"),
        (name, 0, ValueError, f"{name} must be at least 1, got 0"),
        (name, -1, ValueError, f"{name} must be at least 1, got -1"),
    ]


CELL_ARGUMENTS = [
    *whole_number("input_size"),
    *whole_number("hidden_size"),
    ("bias", 1, TypeError, "bias must be True or False, got int 1"),
    ("nonlinearity", "sigmoid", ValueError, "nonlinearity must be one of 'tanh', 'relu', got 'sigmoid'"),
    ("nonlinearity", None, ValueError, "nonlinearity must be one of 'tanh', 'relu', got None"),
    ("dtype", int, TypeError, "dtype must be "),
]
LAYER_ARGUMENTS = [
    *CELL_ARGUMENTS,
    *whole_number("num_layers"),
    ("batch_first", "yes", TypeError, "batch_first must be True or False, got str 'yes'"),
    ("bidirectional", 2, TypeError, "bidirectional must be True or False, got int 2"),
    ("dropout", -0.1, ValueError, "dropout must lie in [0, 1], got -0.1"),
    ("dropout", 1.5, ValueError, "dropout must lie in [0, 1], got 1.5"),
    ("dropout", float("nan"), ValueError, "dropout must lie in [0, 1], got nan"),
    ("dropout", True, TypeError, "dropout must be a number in [0, 1], got bool True"),
    ("dropout", "half", TypeError, "dropout must be a number in [0, 1], got str 'half'"),
]


@pytest.mark.parametrize(
    ("kind", "name", "value", "error", "message"),
    [("RNNCell", *case) for case in CELL_ARGUMENTS] + [("RNN", *case) for case in LAYER_ARGUMENTS],
    ids=lambda value: str(value) if isinstance(value, str | int | float | None) and not str(value).count(" ") else "",
)
def test_a_wrong_constructor_argument_is_named(backend, refuses, kind, name, value, error, message):
    arguments = {"input_size": 3, "hidden_size": 4, name: value}
    with refuses(error, message):
        getattr(backend.module, kind)(**arguments)


# Wrong input


WRONG_INPUT = {
    "list": ([[0.0] * 3], None, TypeError, "input must be a {array}, got list"),
    "None": (None, None, TypeError, "input must be a {array}, got NoneType"),
    "int": (np.zeros((5, 2, 3), np.int64), None, TypeError,
            "input must be {p}float64, like the parameters, got {p}int64"),
    "float16": (np.zeros((5, 2, 3), np.float16), None, TypeError,
                "input must be {p}float64, like the parameters, got {p}float16"),
    "float32": (np.zeros((5, 2, 3), np.float32), None, TypeError,
                "input must be {p}float64, like the parameters, got {p}float32"),
    "rank 0": (np.zeros(()), None, ValueError, "input must have shape (T, B, 3), or (T, 3) unbatched; got ()"),
    "rank 1": (np.zeros(3), None, ValueError, "input must have shape (T, B, 3), or (T, 3) unbatched; got (3,)"),
    "rank 4": (np.zeros((5, 2, 1, 3)), None, ValueError,
               "input must have shape (T, B, 3), or (T, 3) unbatched; got (5, 2, 1, 3)"),
    "width": (np.zeros((5, 2, 4)), None, ValueError,
              "input must have shape (T, B, 3), or (T, 3) unbatched; got (5, 2, 4)"),
    "no steps": (np.zeros((0, 2, 3)), None, ValueError,
                 "input must hold at least one step (T >= 1), got shape (0, 2, 3)"),
    "no steps unbatched": (np.zeros((0, 3)), None, ValueError,
                           "input must hold at least one step (T >= 1), got shape (0, 3)"),
    "empty batch": (np.zeros((5, 0, 3)), None, ValueError,
                    "input must hold at least one sequence (B >= 1), got shape (5, 0, 3)"),
    "state list": (np.zeros((5, 2, 3)), [[[0.0] * 4] * 2], TypeError, "state must be a {array}, got list"),
    "state float32": (np.zeros((5, 2, 3)), np.zeros((1, 2, 4), np.float32), TypeError,
                      "state must be {p}float64, like the parameters, got {p}float32"),
    "state of another batch": (np.zeros((5, 2, 3)), np.zeros((1, 3, 4)), ValueError,
                               "state must have shape (1, 2, 4), got (1, 3, 4)"),
    "state of two layers": (np.zeros((5, 2, 3)), np.zeros((2, 2, 4)), ValueError,
                            "state must have shape (1, 2, 4), got (2, 2, 4)"),
    "state without layers": (np.zeros((5, 2, 3)), np.zeros((2, 4)), ValueError,
                             "state must have shape (1, 2, 4), got (2, 4)"),
    "state batched, input not": (np.zeros((5, 3)), np.zeros((1, 1, 4)), ValueError,
                                 "state must have shape (1, 4), got (1, 1, 4)"),
}
WRONG_CELL_INPUT = {
    "list": ([0.0] * 3, None, TypeError, "input must be a {array}, got list"),
    "int": (np.zeros((2, 3), np.int64), None, TypeError, "input must be {p}float64, like the parameters, got {p}int64"),
    "rank 0": (np.zeros(()), None, ValueError, "input must have shape (B, 3), got ()"),
    "rank 3": (np.zeros((5, 2, 3)), None, ValueError, "input must have shape (B, 3), got (5, 2, 3)"),
    "width": (np.zeros((2, 4)), None, ValueError, "input must have shape (B, 3), got (2, 4)"),
    "width unbatched": (np.zeros(4), None, ValueError, "input must have shape (3,), got (4,)"),
    "empty batch": (np.zeros((0, 3)), None, ValueError,
                    "input must hold at least one sequence (B >= 1), got shape (0, 3)"),
    "state list": (np.zeros((2, 3)), [[0.0] * 4] * 2, TypeError, "state must be a {array}, got list"),
    "state float32": (np.zeros((2, 3)), np.zeros((2, 4), np.float32), TypeError,
                      "state must be {p}float64, like the parameters, got {p}float32"),
    "state of another batch": (np.zeros((2, 3)), np.zeros((3, 4)), ValueError,
                               "state must have shape (2, 4), got (3, 4)"),
    "state batched, input not": (np.zeros(3), np.zeros((1, 4)), ValueError, "state must have shape (4,), got (1, 4)"),
}


@pytest.mark.parametrize(
    ("kind", "x", "state", "error", "message"),
    [("RNN", *case) for case in WRONG_INPUT.values()] + [("RNNCell", *case) for case in WRONG_CELL_INPUT.values()],
    ids=[f"RNN-{case}" for case in WRONG_INPUT] + [f"RNNCell-{case}" for case in WRONG_CELL_INPUT],
)
def test_wrong_input_is_named(backend, refuses, kind, x, state, error, message):
    layer = backend.make(kind, 3, 4)
    with refuses(error, message.format(array=backend.array_name, p=backend.dtype_prefix)):
        backend.call(layer, x, state)


def test_wrong_batch_first_input_is_named_in_its_own_order(backend, refuses):
    layer = backend.make("RNN", 3, 4, batch_first=True)
    with refuses(ValueError, "input must have shape (B, T, 3), or (T, 3) unbatched; got (2, 5, 4)"):
        backend.call(layer, np.zeros((2, 5, 4)))
    with refuses(ValueError, "input must hold at least one step (T >= 1), got shape (2, 0, 3)"):
        backend.call(layer, np.zeros((2, 0, 3)))
