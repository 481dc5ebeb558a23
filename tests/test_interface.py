"""What every backend promises: the same constructor, the same function, the same errors."""

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import unrolled.cudnn
import unrolled.numpy
import unrolled.torch

SIZES = {"T": st.integers(1, 6), "B": st.integers(1, 4), "D": st.integers(1, 5), "H": st.integers(1, 5)}
STACK = {"num_layers": st.integers(1, 3), "bias": st.booleans()}
BOTH = STACK | {"bidirectional": st.booleans()}

EVERYWHERE, OURS, TORCH = ("numpy", "torch", "cudnn"), ("numpy", "torch"), ("torch", "cudnn")
MODELS = {
    "RNN": (EVERYWHERE, "RNN", {}),
    "RNN-relu": (EVERYWHERE, "RNN", {"nonlinearity": "relu"}),
    "LSTM": (EVERYWHERE, "LSTM", {}),
    "LSTM-projected": (TORCH, "LSTM", {"proj_size": 1}),
    "LSTM-1997": (OURS, "LSTM", {"forget_gate": False}),
    "LSTM-coupled": (OURS, "LSTM", {"forget_gate": "coupled"}),
    "LSTM-peephole": (OURS, "LSTM", {"peephole": True}),
    "LSTM-layer norm": (OURS, "LSTM", {"layer_norm": True}),
    "LSTM-all of them": (OURS, "LSTM", {"peephole": True, "layer_norm": True, "forget_gate": "coupled"}),
    "LSTM-fused": (OURS, "LSTM", {"fused": True}),
    "GRU": (EVERYWHERE, "GRU", {}),
    "GRU-reset before": (OURS, "GRU", {"reset_after": False}),
    "GRU-fused": (OURS, "GRU", {"fused": True}),
    "MinGRU": (OURS, "MinGRU", {}),
    "MinGRU-loop": (OURS, "MinGRU", {"scan": False}),
    "MinLSTM": (OURS, "MinLSTM", {}),
}


class Model:
    """One row of `MODELS` in one backend."""

    def __init__(self, backend, kind, options):
        self.backend, self.kind, self.options, self.run = backend, kind, options, backend.run
        self.parts = 2 if kind == "LSTM" else 1                         # of its state: an LSTM carries h and c

    def layer(self, D, H, **options):
        """A layer; of a projected one H is the width of its output, and its cell has two units more."""
        projected = {"proj_size": H} if "proj_size" in self.options else {}
        return self.backend.make(self.kind, D, H + 2 * len(projected), **(self.options | projected | options))

    def cell(self, D, H, **options):
        return self.backend.make(self.kind + "Cell", D, H, **self.options, **options)

    def state(self, *shape, seed=2):
        """An initial state: an array, or for an LSTM a pair."""
        widths = (shape[-1], shape[-1] + 2 * ("proj_size" in self.options))
        state = tuple(normal(*shape[:-1], widths[k], seed=seed + k) for k in range(self.parts))
        return state if self.parts > 1 else state[0]


def models(*names, backends=EVERYWHERE):
    """Parametrise with these models, in every one of these backends that has them."""
    found = [(backend, name) for name in names for backend in MODELS[name][0] if backend in backends]
    return pytest.mark.parametrize("model", found, ids=["-".join(pair) for pair in found], indirect=True)


@pytest.fixture(scope="session")
def model(request, backend_named):
    backend, name = request.param
    _, kind, options = MODELS[name]
    return Model(backend_named(backend), kind, options)


every_model = models(*MODELS)
every_model_with_a_cell = models(*(name for name, (_, kind, options) in MODELS.items() if not kind.startswith("Min")
                                   and not {"fused", "proj_size"} & set(options)))


def normal(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)


def each(function, state):
    """Apply to a state or to each of its parts."""
    return tuple(map(function, state)) if isinstance(state, tuple) else function(state)


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def same(got, expected):
    """Whether two states are equal to the last bit."""
    return len(parts(got)) == len(parts(expected)) and all(map(np.array_equal, parts(got), parts(expected)))


# The same function


@every_model
@given(**SIZES, stack=st.fixed_dictionaries(BOTH))
def test_batch_rows_are_independent(model, close, T, B, D, H, stack):
    layer = model.layer(D, H, **stack)
    x, state = normal(T, B, D), model.state(stack["num_layers"] * (1 + stack["bidirectional"]), B, H)
    output, final = model.run(layer, x, state)
    for row in range(B):
        alone, final_alone = model.run(layer, *(each(lambda part: part[:, row].copy(), given) for given in (x, state)))  # noqa: B023
        close(output[:, row], alone)
        for got, expected in zip(parts(final), parts(final_alone), strict=True):
            close(got[:, row], expected)


@every_model
@given(**SIZES, stack=st.fixed_dictionaries(STACK), cut=st.integers(0, 5))
def test_chunked_forward_with_carried_state_equals_whole(model, close, T, B, D, H, stack, cut):
    layer, x = model.layer(D, H, **stack), normal(T + 1, B, D)
    cut = 1 + cut % T
    output, final = model.run(layer, x)
    first, carried = model.run(layer, x[:cut])
    second, final_second = model.run(layer, x[cut:], carried)
    close(np.concatenate([first, second]), output)
    for got, expected in zip(parts(final_second), parts(final), strict=True):
        close(got, expected)


@every_model
@given(**SIZES, stack=st.fixed_dictionaries(STACK))
def test_the_future_does_not_change_the_past_in_one_direction(model, T, B, D, H, stack):
    layer, x = model.layer(D, H, **stack), normal(T + 1, B, D)
    changed = x.copy()
    changed[-1] += 1
    before, after = model.run(layer, x)[0], model.run(layer, changed)[0]
    assert np.array_equal(before[:-1], after[:-1])


@every_model
def test_the_future_changes_the_past_in_two_directions(model):
    layer, x = model.layer(3, 4, bidirectional=True), normal(5, 2, 3)
    changed = x.copy()
    changed[-1] += 1
    before, after = model.run(layer, x)[0], model.run(layer, changed)[0]
    assert np.array_equal(before[0, :, :4], after[0, :, :4])
    assert not np.array_equal(before[0, :, 4:], after[0, :, 4:])


@every_model
@given(**SIZES, bias=st.booleans())
def test_reversed_input_exchanges_the_two_directions(model, close, T, B, D, H, bias):
    layer, exchanged = (model.layer(D, H, bidirectional=True, bias=bias) for _ in range(2))
    weights = layer.state_dict()
    exchanged.load_state_dict({
        name: weights[name.removesuffix("_reverse") if name.endswith("_reverse") else name + "_reverse"]
        for name in weights
    })
    x = normal(T, B, D)
    output, final = model.run(layer, x)
    mirrored, final_mirrored = model.run(exchanged, x[::-1].copy())
    close(mirrored[::-1, :, :H], output[:, :, H:])
    close(mirrored[::-1, :, H:], output[:, :, :H])
    for got, expected in zip(parts(final_mirrored), parts(final), strict=True):
        close(got[::-1], expected)


@every_model
@given(**SIZES, num_layers=STACK["num_layers"], bidirectional=st.booleans())
def test_final_states_are_the_outputs_of_each_directions_last_step(model, T, B, D, H, num_layers, bidirectional):
    layer = model.layer(D, H, num_layers=num_layers, bidirectional=bidirectional)
    output, final = model.run(layer, normal(T, B, D))
    h_n = parts(final)[0]
    if bidirectional:
        assert np.array_equal(h_n[-2], output[-1, :, :H])
        assert np.array_equal(h_n[-1], output[0, :, H:])
    else:
        assert np.array_equal(h_n[-1], output[-1])


@every_model
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two directions"])
def test_a_stack_is_its_layers_one_after_the_other(model, close, bidirectional):
    stack = model.layer(3, 4, num_layers=2, bidirectional=bidirectional)
    rows, states = normal(5, 2, 3), []
    for number in range(2):
        single = model.layer(rows.shape[-1], 4, bidirectional=bidirectional)
        weights = stack.state_dict()
        single.load_state_dict({name: weights[name.replace("_l0", f"_l{number}")] for name in single.state_dict()})
        rows, final = model.run(single, rows)
        states.append(parts(final))
    output, final = model.run(stack, normal(5, 2, 3))
    close(output, rows)
    for got, *expected in zip(parts(final), *states, strict=True):
        close(got, np.concatenate(expected))


@every_model_with_a_cell
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_a_cell_step_by_step_is_the_layer(model, close, bias):
    layer, cell = model.layer(3, 4, bias=bias), model.cell(3, 4, bias=bias)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, state = normal(6, 2, 3), None
    output, final = model.run(layer, x)
    for t in range(6):
        state = model.run(cell, x[t], state)
        close(parts(state)[0], output[t])
    for got, expected in zip(parts(state), parts(final), strict=True):
        close(got, expected[0])


@every_model
def test_batch_first_only_exchanges_axes(model, close):
    layer = model.layer(3, 4, num_layers=2, bidirectional=True)
    other = model.layer(3, 4, num_layers=2, bidirectional=True, batch_first=True)
    other.load_state_dict(layer.state_dict())
    x, state = normal(5, 2, 3), model.state(4, 2, 4)
    output, final = model.run(layer, x, state)
    swapped, final_same = model.run(other, np.ascontiguousarray(x.swapaxes(0, 1)), state)
    close(swapped.swapaxes(0, 1), output)                               # torch.nn.LSTM sums it in another order
    for got, expected in zip(parts(final_same), parts(final), strict=True):
        close(got, expected)


@every_model
@pytest.mark.parametrize("batch_first", [False, True], ids=["time first", "batch first"])
def test_unbatched_is_a_batch_of_one(model, batch_first):
    layer, x, state = model.layer(3, 4, num_layers=2, batch_first=batch_first), normal(5, 3), model.state(2, 4)
    output, final = model.run(layer, x, state)
    batched, final_batched = model.run(layer, x[None] if batch_first else x[:, None],
                                       each(lambda part: part[:, None].copy(), state))
    assert output.shape == (5, 4)
    assert [part.shape for part in parts(final)] == [part.shape for part in parts(state)]
    assert np.array_equal(batched.squeeze(0 if batch_first else 1), output)
    assert same(each(lambda part: part[:, 0], final_batched), final)


@every_model_with_a_cell
def test_an_unbatched_cell_is_a_batch_of_one(model):
    cell, x, state = model.cell(3, 4), normal(3), model.state(4)
    batched = model.run(cell, x[None], each(lambda part: part[None].copy(), state))
    assert same(model.run(cell, x, state), each(lambda part: part[0], batched))


@every_model
def test_no_initial_state_means_zeros(model):
    layer, x, state = model.layer(3, 4), normal(5, 2, 3), each(np.zeros_like, model.state(1, 2, 4))
    (output, final), (expected, final_expected) = model.run(layer, x), model.run(layer, x, state)
    assert np.array_equal(output, expected)
    assert same(final, final_expected)


@every_model_with_a_cell
def test_no_state_of_a_cell_means_zeros(model):
    cell, x, state = model.cell(3, 4), normal(2, 3), each(np.zeros_like, model.state(2, 4))
    assert same(model.run(cell, x), model.run(cell, x, state))


def assert_nothing_shared_or_changed(run, x, state):
    before = [array.copy() for array in (x, *parts(state))]
    results = run(x, state)
    arrays = [array for result in parts(results) for array in parts(result)]
    for argument, kept in zip((x, *parts(state)), before, strict=True):
        assert np.array_equal(argument, kept)
        assert not any(np.shares_memory(result, argument) for result in arrays)


@every_model
@pytest.mark.parametrize("batch", [(), (1,), (2,)], ids=["unbatched", "batch of 1", "batch of 2"])
def test_forward_leaves_its_arguments_alone_and_shares_nothing_with_them(model, batch):
    layer = model.layer(3, 4)
    assert_nothing_shared_or_changed(lambda *given: model.run(layer, *given), normal(5, *batch, 3),
                                     model.state(1, *batch, 4))


@every_model_with_a_cell
@pytest.mark.parametrize("batch", [(), (1,), (2,)], ids=["unbatched", "batch of 1", "batch of 2"])
def test_a_cell_leaves_its_arguments_alone_and_shares_nothing_with_them(model, batch):
    cell = model.cell(3, 4)
    assert_nothing_shared_or_changed(lambda *given: model.run(cell, *given), normal(*batch, 3), model.state(*batch, 4))


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


def test_dropout_zeroes_its_share_and_preserves_the_mean(backend, dropout_shown):
    layer, plain = dropout_shown(0.3), dropout_shown(0.0)
    dropped, whole = backend.run(layer, normal(40, 8, 3))[0], backend.run(plain, normal(40, 8, 3))[0]
    kept = dropped[whole > 0] > 0                                       # some 8,000 independent draws
    assert abs(kept.mean() - 0.7) < 0.02                                # four standard errors
    assert np.allclose(dropped[whole > 0][kept], whole[whole > 0][kept] / 0.7, rtol=1e-12)


@every_model
def test_dropout_does_nothing_outside_training(model, close):
    layer, plain = (model.layer(3, 4, num_layers=2, dropout=dropout) for dropout in (0.5, 0.0))
    plain.load_state_dict(layer.state_dict())
    switch(layer, training=False)
    close(model.run(layer, normal(5, 2, 3))[0], model.run(plain, normal(5, 2, 3))[0])


@every_model
def test_dropout_draws_anew_each_call(model):
    layer, x = model.layer(3, 20, num_layers=2, dropout=0.5), normal(5, 2, 3)
    assert not np.array_equal(model.run(layer, x)[0], model.run(layer, x)[0])


@every_model
def test_dropout_stands_between_layers_and_not_after_the_last(model, close):
    layer, first, second = model.layer(3, 4, num_layers=2, dropout=1.0), model.layer(3, 4), model.layer(4, 4)
    for number, single in enumerate((first, second)):
        weights = layer.state_dict()
        single.load_state_dict({name: weights[name.replace("_l0", f"_l{number}")] for name in single.state_dict()})
    output, final = model.run(layer, normal(5, 2, 3))
    _, final_first = model.run(first, normal(5, 2, 3))
    expected, final_second = model.run(second, np.zeros((5, 2, 4)))     # dropout of one leaves nothing of the first
    close(output, expected)
    for got, *parts_expected in zip(parts(final), parts(final_first), parts(final_second), strict=True):
        close(got, np.concatenate(parts_expected))


# One constructor, one state_dict


KINDS = ["RNN", "RNNCell", "LSTM", "LSTMCell", "GRU", "GRUCell"]
ONLY_TORCH = {"device", "dtype", "proj_size", "recurrent_dropout"}     # of what the constructors of unrolled.torch take


@pytest.mark.parametrize("kind", [*KINDS, "MinGRU", "MinLSTM"])
def test_constructors_take_the_same_arguments_in_the_same_order(kind):
    numpy, torch = ([(name, argument.default, argument.kind) for name, argument in
                     inspect.signature(getattr(module, kind)).parameters.items() if name not in left_out]
                    for module, left_out in ((unrolled.numpy, {"dtype", "seed"}), (unrolled.torch, ONLY_TORCH)))
    assert numpy == torch


@pytest.mark.parametrize("kind", KINDS)
def test_constructors_start_with_the_arguments_of_torch_nn(kind):
    library = inspect.signature(getattr(torch.nn, kind).__init__).parameters
    if kind in ("LSTM", "GRU", "RNN"):                                  # these say *args
        library = inspect.signature(torch.nn.RNNBase.__init__).parameters
    expected = [name for name in library if name not in ("self", "mode") and (kind == "LSTM" or name != "proj_size")]
    if kind == "RNN":
        expected.insert(3, "nonlinearity")
    for module in (unrolled.torch, unrolled.cudnn):
        ours = inspect.signature(getattr(module, kind)).parameters.values()
        assert [argument.name for argument in ours if argument.kind is argument.POSITIONAL_OR_KEYWORD] == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", ["numpy", "torch", "cudnn", "nn"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_a_state_dict_moves_between_all_backends_and_torch_nn(backend, kind, source, bias):
    options = {"bias": bias} if kind.endswith("Cell") else {"bias": bias, "num_layers": 2, "bidirectional": True}
    module = torch.nn if source == "nn" else getattr(unrolled, source)
    given = getattr(module, kind)(3, 4, **options, dtype=np.float64 if source == "numpy" else torch.float64)
    library = getattr(torch.nn, kind)(3, 4, **options, dtype=torch.float64)
    taker = backend.make(kind, 3, 4, **options)
    taker.load_state_dict(given.state_dict())
    library.load_state_dict({name: torch.as_tensor(value) for name, value in taker.state_dict().items()})
    assert list(taker.state_dict()) == list(given.state_dict()) == list(library.state_dict())
    for name, value in given.state_dict().items():
        assert np.array_equal(taker.state_dict()[name], value), name


@models(*(name for name, (backends, *_) in MODELS.items() if backends == OURS))
@given(D=SIZES["D"], H=SIZES["H"], stack=st.fixed_dictionaries(BOTH))
def test_a_variants_state_dict_moves_between_numpy_and_torch(model, backend_named, close, D, H, stack):
    layer = model.layer(D, H, **stack)
    other = backend_named({"numpy": "torch", "torch": "numpy"}[model.backend.name])
    taker = other.make(model.kind, D, H, seed=1, **model.options, **stack)
    taker.load_state_dict(layer.state_dict())
    assert list(taker.state_dict()) == list(layer.state_dict())
    x, state = normal(4, 2, D), model.state(stack["num_layers"] * (1 + stack["bidirectional"]), 2, H)
    (output, final), (expected, final_expected) = other.run(taker, x, state), model.run(layer, x, state)
    close(output, expected)
    for got, value in zip(parts(final), parts(final_expected), strict=True):
        close(got, value)


@every_model
def test_loaded_arrays_are_copied(model):
    layer = model.layer(3, 4)
    arrays = model.backend.weights(layer)
    layer.load_state_dict(arrays)
    for array in arrays.values():
        array[:] = 7
    assert not any((np.asarray(value) == 7).any() for value in layer.state_dict().values())


def without(*names):
    return lambda d: [d.pop(name) for name in names]


def replaced(**shapes):
    return lambda d: d.update({name: np.full(shape, 9.0) for name, shape in shapes.items()})


# What is wrong with the state_dict of a layer with D = 3 and H = 4, and what is said.
BAD_STATE_DICTS = {
    "a name missing": ("RNN", without("bias_hh_l0"), "state_dict does not fit: missing bias_hh_l0"),
    "a name too many": ("RNN", replaced(weight_ih_l1=(4, 3)), "state_dict does not fit: unexpected weight_ih_l1"),
    "another model": ("RNN", lambda d: d.update(weight=d.pop("weight_ih_l0")),
                      "state_dict does not fit: missing weight_ih_l0; unexpected weight"),
    "a shape that does not fit": ("RNN", replaced(weight_hh_l0=(4, 3)),
                                  "weight_hh_l0 must have shape (4, 4), got (4, 3)"),
    "an LSTM's without biases": ("LSTM", without("bias_ih_l0", "bias_hh_l0"),
                                 "state_dict does not fit: missing bias_ih_l0, bias_hh_l0"),
    "an LSTM's with peepholes": ("LSTM", replaced(weight_peephole_l0=(3, 4)),
                                 "state_dict does not fit: unexpected weight_peephole_l0"),
    "an LSTM's with layer norm": ("LSTM", replaced(norm_ih_l0=16, norm_hh_l0=16, norm_c_l0=4, bias_c_l0=4),
                                  "state_dict does not fit: unexpected norm_ih_l0, norm_hh_l0, norm_c_l0, bias_c_l0"),
    "an LSTM's of 1997": ("LSTM", replaced(weight_ih_l0=(12, 3), weight_hh_l0=(12, 4), bias_ih_l0=12, bias_hh_l0=12),
                          "weight_ih_l0 must have shape (16, 3), got (12, 3)"),
    "an LSTM's with projection": ("LSTM", replaced(weight_hr_l0=(2, 4)),
                                  "state_dict does not fit: unexpected weight_hr_l0"),
    "one direction of two": ("LSTM", replaced(weight_hh_l0_reverse=(16, 4)),
                             "state_dict does not fit: unexpected weight_hh_l0_reverse"),
    "no forget gate, and one given": ("LSTM-1997", replaced(bias_hh_l0=16),
                                      "bias_hh_l0 must have shape (12,), got (16,)"),
    "no peepholes": ("LSTM-peephole", without("weight_peephole_l0"),
                     "state_dict does not fit: missing weight_peephole_l0"),
    "peepholes of two gates": ("LSTM-peephole", replaced(weight_peephole_l0=(2, 4)),
                               "weight_peephole_l0 must have shape (3, 4), got (2, 4)"),
    "peepholes of three gates": ("LSTM-all of them", replaced(weight_peephole_l0=(3, 4)),
                                 "weight_peephole_l0 must have shape (2, 4), got (3, 4)"),
    "no gains": ("LSTM-layer norm", without("norm_ih_l0", "norm_c_l0"),
                 "state_dict does not fit: missing norm_ih_l0, norm_c_l0"),
    "a gain that does not fit": ("LSTM-layer norm", replaced(norm_c_l0=16),
                                 "norm_c_l0 must have shape (4,), got (16,)"),
    "no projection": ("LSTM-projected", without("weight_hr_l0"), "state_dict does not fit: missing weight_hr_l0"),
    "a GRU's with one bias": ("GRU", without("bias_hh_l0"), "state_dict does not fit: missing bias_hh_l0"),
    "an LSTM's for a GRU": ("GRU", replaced(weight_ih_l0=(16, 3), weight_hh_l0=(16, 4), bias_ih_l0=16, bias_hh_l0=16),
                            "weight_ih_l0 must have shape (12, 3), got (16, 3)"),
    "Keras's bias": ("GRU", replaced(bias_ih_l0=(2, 12)), "bias_ih_l0 must have shape (12,), got (2, 12)"),
    "a GRU's for a minGRU": ("MinGRU", replaced(weight_hh_l0=(12, 4)),
                             "state_dict does not fit: unexpected weight_hh_l0"),
}
BAD_STATE_DICT_CASES = [(case, backend) for case, (name, *_) in BAD_STATE_DICTS.items() for backend in MODELS[name][0]]


@pytest.mark.parametrize(("case", "model"), [(case, (backend, BAD_STATE_DICTS[case][0])) for case, backend in
                                             BAD_STATE_DICT_CASES],
                         ids=["-".join(pair) for pair in BAD_STATE_DICT_CASES], indirect=["model"])
def test_a_state_dict_that_does_not_fit_changes_nothing(model, refuses, case):
    _, spoil, message = BAD_STATE_DICTS[case]
    layer = model.layer(3, 4)
    before = model.backend.weights(layer)
    given = {name: np.full_like(value, 9) for name, value in before.items()}
    spoil(given)
    with refuses(ValueError, message):
        layer.load_state_dict(given)
    for name, value in layer.state_dict().items():
        assert np.array_equal(value, before[name])


@every_model_with_a_cell
def test_the_state_dict_of_a_layer_is_not_its_cells(model, refuses):
    layer, cell = model.layer(3, 4), model.cell(3, 4)
    with refuses(ValueError, "state_dict does not fit: missing weight_ih, weight_hh, "):
        cell.load_state_dict(layer.state_dict())
    with refuses(ValueError, "; unexpected weight_ih, weight_hh, "):
        layer.load_state_dict(cell.state_dict())


@every_model
def test_a_state_dict_is_a_dict_of_arrays(model, refuses):
    layer = model.layer(3, 4)
    with refuses(TypeError, "state_dict must map names to arrays, got list"):
        layer.load_state_dict([np.zeros((4, 3))])
    with refuses(TypeError, "weight_ih_l0 must be an array, got list"):
        layer.load_state_dict(model.backend.weights(layer) | {"weight_ih_l0": [0.0] * 4})


# Wrong constructor arguments


def whole_number(name):
    return [
        (name, True, TypeError, f"{name} must be a whole number, got bool True"),
        (name, 2.5, TypeError, f"{name} must be a whole number, got float 2.5"),
        (name, "3", TypeError, f"{name} must be a whole number, got str '3'"),
        (name, None, TypeError, f"{name} must be a whole number, got NoneType None"),
        (name, -1, ValueError, f"{name} must be at least "),
    ]


def at_least_one(name):
    return [(name, 0, ValueError, f"{name} must be at least 1, got 0")]      # torch.nn has cells of no units, no layers


CELL_ARGUMENTS = [
    *whole_number("input_size"),
    *whole_number("hidden_size"),
    ("bias", 1, TypeError, "bias must be True or False, got int 1"),
    ("dtype", int, TypeError, "dtype must be "),
]
LAYER_ARGUMENTS = [
    *CELL_ARGUMENTS,
    *whole_number("num_layers"),
    *(case for name in ("input_size", "hidden_size", "num_layers") for case in at_least_one(name)),
    ("batch_first", "yes", TypeError, "batch_first must be True or False, got str 'yes'"),
    ("bidirectional", 2, TypeError, "bidirectional must be True or False, got int 2"),
    ("dropout", -0.1, ValueError, "dropout must lie in [0, 1], got -0.1"),
    ("dropout", 1.5, ValueError, "dropout must lie in [0, 1], got 1.5"),
    ("dropout", float("nan"), ValueError, "dropout must lie in [0, 1], got nan"),
    ("dropout", True, TypeError, "dropout must be a number in [0, 1], got bool True"),
    ("dropout", "half", TypeError, "dropout must be a number in [0, 1], got str 'half'"),
]
RNN_ARGUMENTS = [
    ("nonlinearity", "sigmoid", ValueError, "nonlinearity must be one of 'tanh', 'relu', got 'sigmoid'"),
    ("nonlinearity", None, ValueError, "nonlinearity must be one of 'tanh', 'relu', got None"),
]


def show(value):
    return str(value) if isinstance(value, str | int | float | None) and not str(value).count(" ") else ""


@pytest.mark.parametrize(
    ("kind", "name", "value", "error", "message"),
    [(kind, *case) for kind in KINDS for case in (CELL_ARGUMENTS if kind.endswith("Cell") else LAYER_ARGUMENTS)]
    + [(kind, *case) for kind in ("RNN", "RNNCell") for case in RNN_ARGUMENTS],
    ids=show,
)
def test_a_wrong_constructor_argument_is_named(backend, refuses, kind, name, value, error, message):
    arguments = {"input_size": 3, "hidden_size": 4, name: value}
    with refuses(error, message):
        getattr(backend.module, kind)(**arguments)


NAN, INF = float("nan"), float("inf")
FORGET_GATES = "forget_gate must be one of True, False, 'coupled', got "
# Options of our own, which go by keyword: a wrong one, or two that exclude each other.
LSTM_OPTIONS = [
    ({"peephole": 1}, TypeError, "peephole must be True or False, got int 1"),
    ({"layer_norm": "yes"}, TypeError, "layer_norm must be True or False, got str 'yes'"),
    ({"forget_gate": "open"}, ValueError, FORGET_GATES + "'open'"),
    ({"forget_gate": 1}, ValueError, FORGET_GATES + "1"),
    ({"forget_gate": None}, ValueError, FORGET_GATES + "None"),
    ({"forget_bias": "1"}, TypeError, "forget_bias must be a number, got str '1'"),
    ({"forget_bias": True}, TypeError, "forget_bias must be a number, got bool True"),
    ({"forget_bias": NAN}, ValueError, "forget_bias must be a finite number, got nan"),
    ({"forget_bias": INF}, ValueError, "forget_bias must be a finite number, got inf"),
    ({"chrono": "long"}, TypeError, "chrono must be a number, got str 'long'"),
    ({"chrono": 2}, ValueError, "chrono must be above 2, the longest lag in steps, got 2"),
    ({"chrono": -5}, ValueError, "chrono must be above 2, the longest lag in steps, got -5"),
    ({"chrono": INF}, ValueError, "chrono must be a finite number, got inf"),
    ({"forget_bias": 1, "chrono": 10}, ValueError, "forget_bias and chrono both set the forget gate's bias: give one"),
    ({"forget_bias": 0, "chrono": 10}, ValueError, "forget_bias and chrono both set the forget gate's bias: give one"),
    ({"forget_bias": 1, "forget_gate": False}, ValueError,
     "forget_bias needs a forget gate of its own, got forget_gate=False"),
    ({"forget_bias": 0, "forget_gate": "coupled"}, ValueError,
     "forget_bias needs a forget gate of its own, got forget_gate='coupled'"),
    ({"chrono": 10, "forget_gate": False}, ValueError, "chrono needs a forget gate of its own, got forget_gate=False"),
    ({"chrono": 10, "forget_gate": "coupled"}, ValueError,
     "chrono needs a forget gate of its own, got forget_gate='coupled'"),
    ({"forget_bias": 0, "bias": False}, ValueError, "forget_bias needs bias=True, got bias=False"),
    ({"chrono": 10, "bias": False}, ValueError, "chrono needs bias=True, got bias=False"),
]
FUSED = "fused=True is for the standard cell: "
FUSED_OPTIONS = [
    ("LSTM", {"fused": 1}, TypeError, "fused must be True or False, got int 1"),
    *(("LSTM", {"fused": True, **option}, ValueError, FUSED + "no peephole, no layer_norm, forget_gate=True")
      for option in ({"peephole": True}, {"layer_norm": True}, {"forget_gate": False}, {"forget_gate": "coupled"})),
    ("GRU", {"fused": 1}, TypeError, "fused must be True or False, got int 1"),
    ("GRU", {"fused": True, "reset_after": False}, ValueError, "fused=True is for reset_after=True"),
]
GRU_OPTIONS = [({"reset_after": value}, TypeError, f"reset_after must be True or False, got {said}")
               for value, said in ((1, "int 1"), (None, "NoneType None"), ("before", "str 'before'"))]


@pytest.mark.parametrize(
    ("kind", "options", "error", "message"),
    [(kind, *case) for kind in ("LSTM", "LSTMCell") for case in LSTM_OPTIONS] + FUSED_OPTIONS
    + [(kind, *case) for kind in ("GRU", "GRUCell") for case in GRU_OPTIONS],
    ids=lambda value: str(value) if isinstance(value, dict) else value if value in KINDS else "",
)
@pytest.mark.parametrize("ours", OURS)
def test_a_wrong_option_is_named(backend_named, refuses, ours, kind, options, error, message):
    with refuses(error, message):
        getattr(backend_named(ours).module, kind)(3, 4, **options)


@pytest.mark.parametrize(("value", "error", "message"), [
    (-1, ValueError, "proj_size must be at least 1, got -1"),
    (2.5, TypeError, "proj_size must be a whole number, got float 2.5"),
    ("2", TypeError, "proj_size must be a whole number, got str '2'"),
    (True, TypeError, "proj_size must be a whole number, got bool True"),
    (None, TypeError, "proj_size must be a whole number, got NoneType None"),
    (4, ValueError, "proj_size must be below hidden_size 4, got 4"),
    (5, ValueError, "proj_size must be below hidden_size 4, got 5"),
], ids=show)
@pytest.mark.parametrize("theirs", TORCH)
def test_a_wrong_projection_is_named(backend_named, refuses, theirs, value, error, message):
    with refuses(error, message):
        backend_named(theirs).module.LSTM(3, 4, proj_size=value)


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"recurrent_dropout": 1.5}, ValueError, "recurrent_dropout must lie in [0, 1], got 1.5"),
    ({"recurrent_dropout": True}, TypeError, "recurrent_dropout must be a number in [0, 1], got bool True"),
    ({"fused": True, "recurrent_dropout": 0.5}, ValueError, FUSED + "no proj_size, no recurrent_dropout"),
    ({"fused": True, "proj_size": 2}, ValueError, FUSED + "no proj_size, no recurrent_dropout"),
], ids=str)
def test_a_wrong_option_of_torchs_lstm_alone_is_named(refuses, options, error, message):
    with refuses(error, message):
        unrolled.torch.LSTM(3, 4, **options)


# Wrong input


WRONG_INPUT = {
    "list": ([[0.0] * 3], TypeError, "input must be a {array}, got list"),
    "None": (None, TypeError, "input must be a {array}, got NoneType"),
    "int": (np.zeros((5, 2, 3), np.int64), TypeError, "input must be {p}float64, like the parameters, got {p}int64"),
    "float16": (np.zeros((5, 2, 3), np.float16), TypeError,
                "input must be {p}float64, like the parameters, got {p}float16"),
    "float32": (np.zeros((5, 2, 3), np.float32), TypeError,
                "input must be {p}float64, like the parameters, got {p}float32"),
    "rank 0": (np.zeros(()), ValueError, "input must have shape (T, B, 3), or (T, 3) unbatched; got ()"),
    "rank 1": (np.zeros(3), ValueError, "input must have shape (T, B, 3), or (T, 3) unbatched; got (3,)"),
    "rank 4": (np.zeros((5, 2, 1, 3)), ValueError,
               "input must have shape (T, B, 3), or (T, 3) unbatched; got (5, 2, 1, 3)"),
    "width": (np.zeros((5, 2, 4)), ValueError, "input must have shape (T, B, 3), or (T, 3) unbatched; got (5, 2, 4)"),
    "no steps": (np.zeros((0, 2, 3)), ValueError, "input must hold at least one step (T >= 1), got shape (0, 2, 3)"),
    "no steps unbatched": (np.zeros((0, 3)), ValueError,
                           "input must hold at least one step (T >= 1), got shape (0, 3)"),
}
WRONG_CELL_INPUT = {
    "list": ([0.0] * 3, TypeError, "input must be a {array}, got list"),
    "int": (np.zeros((2, 3), np.int64), TypeError, "input must be {p}float64, like the parameters, got {p}int64"),
    "rank 0": (np.zeros(()), ValueError, "input must have shape (B, 3), got ()"),
    "rank 3": (np.zeros((5, 2, 3)), ValueError, "input must have shape (B, 3), got (5, 2, 3)"),
    "width": (np.zeros((2, 4)), ValueError, "input must have shape (B, 3), got (2, 4)"),
    "width unbatched": (np.zeros(4), ValueError, "input must have shape (3,), got (4,)"),
}
# A state for an input of this shape; {name} is what the message calls it: "state", or "h of state" in an LSTM.
WRONG_STATE = {
    "list": ((5, 2, 3), [[[0.0] * 4] * 2], TypeError, "{name} must be a {array}, got list"),
    "float32": ((5, 2, 3), np.zeros((1, 2, 4), np.float32), TypeError,
                "{name} must be {p}float64, like the parameters, got {p}float32"),
    "int": ((5, 2, 3), np.zeros((1, 2, 4), int), TypeError,
            "{name} must be {p}float64, like the parameters, got {p}int64"),
    "of another batch": ((5, 2, 3), np.zeros((1, 3, 4)), ValueError, "{name} must have shape (1, 2, 4), got (1, 3, 4)"),
    "of another width": ((5, 2, 3), np.zeros((1, 2, 5)), ValueError, "{name} must have shape (1, 2, 4), got (1, 2, 5)"),
    "of two layers": ((5, 2, 3), np.zeros((2, 2, 4)), ValueError, "{name} must have shape (1, 2, 4), got (2, 2, 4)"),
    "without layers": ((5, 2, 3), np.zeros((2, 4)), ValueError, "{name} must have shape (1, 2, 4), got (2, 4)"),
    "batched, input not": ((5, 3), np.zeros((1, 1, 4)), ValueError, "{name} must have shape (1, 4), got (1, 1, 4)"),
}
WRONG_CELL_STATE = {
    "list": ((2, 3), [[0.0] * 4] * 2, TypeError, "{name} must be a {array}, got list"),
    "float32": ((2, 3), np.zeros((2, 4), np.float32), TypeError,
                "{name} must be {p}float64, like the parameters, got {p}float32"),
    "of another batch": ((2, 3), np.zeros((3, 4)), ValueError, "{name} must have shape (2, 4), got (3, 4)"),
    "batched, input not": ((3,), np.zeros((1, 4)), ValueError, "{name} must have shape (4,), got (1, 4)"),
}
WRONG_PAIR = {
    "h alone": (lambda h: h, TypeError, "state must be a pair (h, c), got {type}"),
    "one part": (lambda h: (h,), ValueError, "state must be a pair (h, c), got 1 parts"),
    "three parts": (lambda h: (h, h, h), ValueError, "state must be a pair (h, c), got 3 parts"),
    "no c": (lambda h: (h, None), TypeError, "c of state must be a {array}, got NoneType"),
    "no h": (lambda h: (None, h), TypeError, "h of state must be a {array}, got NoneType"),
    "a dict": (lambda h: {"h": h, "c": h}, TypeError, "state must be a pair (h, c), got dict"),
}
every_lstm = models(*(name for name, (_, kind, options) in MODELS.items() if kind == "LSTM"))


def said(model, message, name="state"):
    backend = model.backend
    return message.format(array=backend.array_name, p=backend.dtype_prefix, name=name,
                          type="ndarray" if backend.name == "numpy" else "Tensor")


@every_model
@pytest.mark.parametrize("case", WRONG_INPUT)
def test_wrong_input_is_named(model, refuses, case):
    x, error, message = WRONG_INPUT[case]
    with refuses(error, said(model, message)):
        model.backend.call(model.layer(3, 4), x)


@every_model_with_a_cell
@pytest.mark.parametrize("case", WRONG_CELL_INPUT)
def test_wrong_input_of_a_cell_is_named(model, refuses, case):
    x, error, message = WRONG_CELL_INPUT[case]
    with refuses(error, said(model, message)):
        model.backend.call(model.cell(3, 4), x)


@every_model
def test_wrong_batch_first_input_is_named_in_its_own_order(model, refuses):
    layer = model.layer(3, 4, batch_first=True)
    with refuses(ValueError, "input must have shape (B, T, 3), or (T, 3) unbatched; got (2, 5, 4)"):
        model.backend.call(layer, np.zeros((2, 5, 4)))
    with refuses(ValueError, "input must hold at least one step (T >= 1), got shape (2, 0, 3)"):
        model.backend.call(layer, np.zeros((2, 0, 3)))


def assert_a_wrong_part_is_named(model, refuses, layer, x, final, wrong, error, message):
    """Of the state, or of each part of a pair, the other being right."""
    for number in range(model.parts):
        state = tuple(wrong if number == k else part for k, part in enumerate(parts(final)))
        name = "state" if model.parts == 1 else f"{'hc'[number]} of state"
        with refuses(error, said(model, message, name)):
            model.backend.call(layer, x, state if model.parts > 1 else wrong)


@models(*(name for name in MODELS if name != "LSTM-projected"))
@pytest.mark.parametrize("case", WRONG_STATE)
def test_a_wrong_state_is_named(model, refuses, case):
    shape, *wrong = WRONG_STATE[case]
    layer, x = model.layer(3, 4), np.zeros(shape)
    assert_a_wrong_part_is_named(model, refuses, layer, x, model.run(layer, x)[1], *wrong)


@every_model_with_a_cell
@pytest.mark.parametrize("case", WRONG_CELL_STATE)
def test_a_wrong_state_of_a_cell_is_named(model, refuses, case):
    shape, *wrong = WRONG_CELL_STATE[case]
    cell, x = model.cell(3, 4), np.zeros(shape)
    assert_a_wrong_part_is_named(model, refuses, cell, x, model.run(cell, x), *wrong)


def test_a_projected_state_has_two_widths_and_each_is_named(backend_named, refuses):
    for theirs in TORCH:
        layer, x = backend_named(theirs).make("LSTM", 3, 4, proj_size=2), torch.zeros(5, 2, 3, dtype=torch.float64)
        narrow, wide = (torch.zeros(1, 2, width, dtype=torch.float64) for width in (2, 4))
        layer(x, (narrow, wide))
        with refuses(ValueError, "h of state must have shape (1, 2, 2), got (1, 2, 4)"):
            layer(x, (wide, wide))
        with refuses(ValueError, "c of state must have shape (1, 2, 4), got (1, 2, 2)"):
            layer(x, (narrow, narrow))


@every_lstm
@pytest.mark.parametrize("case", WRONG_PAIR)
def test_a_state_that_is_no_pair_is_named(model, refuses, case):
    spoil, error, message = WRONG_PAIR[case]
    layer, x = model.layer(3, 4), np.zeros((5, 2, 3))
    with refuses(error, said(model, message)):
        model.backend.call(layer, x, spoil(model.backend.array(model.state(1, 2, 4)[0])))


@pytest.mark.parametrize("case", WRONG_PAIR)
@models("LSTM", "LSTM-1997", "LSTM-all of them")
def test_a_state_of_a_cell_that_is_no_pair_is_named(model, refuses, case):
    spoil, error, message = WRONG_PAIR[case]
    with refuses(error, said(model, message)):
        model.backend.call(model.cell(3, 4), np.zeros((2, 3)), spoil(model.backend.array(model.state(2, 4)[0])))


@every_lstm
def test_a_list_of_two_is_a_pair_too(model):
    layer, x, state = model.layer(3, 4), normal(5, 2, 3), model.state(1, 2, 4)
    given = list(model.backend.array(state))
    assert same(model.run(layer, x, given)[1], model.run(layer, x, state)[1])


@models(*MODELS, backends=TORCH)
def test_what_is_on_another_device_is_named(model, refuses):
    layer, x = model.layer(3, 4), torch.zeros(5, 2, 3, dtype=torch.float64)
    with refuses(ValueError, "input must be on cpu, like the parameters, got meta"):
        layer(x.to("meta"))
    _, final = layer(x)
    for number in range(model.parts):
        state = tuple(part.to("meta") if number == k else part for k, part in enumerate(parts(final)))
        name = "state" if model.parts == 1 else f"{'hc'[number]} of state"
        with refuses(ValueError, f"{name} must be on cpu, like the parameters, got meta"):
            layer(x, state if model.parts > 1 else state[0])
    with refuses(ValueError, "input must be on meta, like the parameters, got cpu"):
        layer.to("meta")(x)


# Wrong gradients: NumPy alone is handed any


WRONG_D_OUTPUT = {
    "width": ({}, (5, 2, 3), np.zeros((5, 2, 5)), ValueError, "d_output must have shape (5, 2, 4), got (5, 2, 5)"),
    "steps": ({}, (5, 2, 3), np.zeros((6, 2, 4)), ValueError, "d_output must have shape (5, 2, 4), got (6, 2, 4)"),
    "two directions": ({"bidirectional": True}, (5, 2, 3), np.zeros((5, 2, 4)), ValueError,
                       "d_output must have shape (5, 2, 8), got (5, 2, 4)"),
    "axes exchanged": ({"batch_first": True}, (2, 5, 3), np.zeros((5, 2, 4)), ValueError,
                       "d_output must have shape (2, 5, 4), got (5, 2, 4)"),
    "batched, input not": ({}, (5, 3), np.zeros((5, 1, 4)), ValueError,
                           "d_output must have shape (5, 4), got (5, 1, 4)"),
    "float32": ({}, (5, 2, 3), np.zeros((5, 2, 4), np.float32), TypeError,
                "d_output must be float64, like the parameters, got float32"),
    "list": ({}, (5, 2, 3), [0.0], TypeError, "d_output must be a numpy array, got list"),
    "None": ({}, (5, 2, 3), None, TypeError, "d_output must be a numpy array, got NoneType"),
}
in_numpy = models(*MODELS, backends=["numpy"])
cells_in_numpy = models(*(name for name in MODELS if name in ("RNN", "LSTM", "LSTM-1997", "LSTM-all of them", "GRU",
                                                             "GRU-reset before")), backends=["numpy"])


@in_numpy
@pytest.mark.parametrize("case", WRONG_D_OUTPUT)
def test_a_wrong_gradient_of_the_output_is_named(model, refuses, case):
    options, shape, d_output, error, message = WRONG_D_OUTPUT[case]
    layer = model.layer(3, 4, **options)
    layer.forward(np.zeros(shape))
    with refuses(error, message):
        layer.backward(d_output)


def assert_a_wrong_gradient_is_named(model, refuses, backward, state, wrong, error, message):
    for number in range(model.parts):
        d_state = tuple(wrong if number == k else part for k, part in enumerate(parts(state)))
        name = "d_state" if model.parts == 1 else f"{'hc'[number]} of d_state"
        with refuses(error, f"{name} {message}"):
            backward(d_state if model.parts > 1 else wrong)


@in_numpy
@pytest.mark.parametrize("wrong", [
    (np.zeros((2, 4)), ValueError, "must have shape (1, 2, 4), got (2, 4)"),
    (np.zeros((2, 2, 4)), ValueError, "must have shape (1, 2, 4), got (2, 2, 4)"),
    (np.zeros((1, 2, 4), int), TypeError, "must be float64, like the parameters, got int64"),
    ([0.0], TypeError, "must be a numpy array, got list"),
], ids=["no layers", "two layers", "int", "list"])
def test_a_wrong_gradient_of_the_state_is_named(model, refuses, wrong):
    layer = model.layer(3, 4)
    output, final = layer.forward(normal(5, 2, 3))
    assert_a_wrong_gradient_is_named(model, refuses, lambda d_state: layer.backward(output, d_state), final, *wrong)


@cells_in_numpy
@pytest.mark.parametrize("wrong", [
    (np.zeros((1, 4)), ValueError, "must have shape (2, 4), got (1, 4)"),
    (np.zeros(4), ValueError, "must have shape (2, 4), got (4,)"),
    (np.zeros((2, 4), np.float32), TypeError, "must be float64, like the parameters, got float32"),
    ([0.0], TypeError, "must be a numpy array, got list"),
], ids=["batch", "unbatched", "float32", "list"])
def test_a_wrong_gradient_of_a_cells_state_is_named(model, refuses, wrong):
    cell = model.cell(3, 4)
    assert_a_wrong_gradient_is_named(model, refuses, cell.backward, cell.forward(normal(2, 3)), *wrong)


@models("LSTM", "LSTM-1997", "LSTM-all of them", "LSTM-fused", backends=["numpy"])
def test_a_gradient_that_is_no_pair_is_named(model, refuses):
    layer = model.layer(3, 4)
    output, (h, _) = layer.forward(normal(5, 2, 3))
    with refuses(TypeError, "d_state must be a pair (h, c), got ndarray"):
        layer.backward(output, h)
    with refuses(ValueError, "d_state must be a pair (h, c), got 1 parts"):
        layer.backward(output, (h,))
    with refuses(TypeError, "c of d_state must be a numpy array, got NoneType"):
        layer.backward(output, (h, None))


@cells_in_numpy
def test_a_cells_backward_needs_a_gradient(model, refuses):
    cell = model.cell(3, 4)
    cell.forward(normal(2, 3))
    with refuses(TypeError, "d_state must be given, got None"):
        cell.backward(None)


@in_numpy
def test_backward_needs_a_forward_with_the_weights_it_has(model, refuses):
    layer = model.layer(3, 4)
    with refuses(RuntimeError, f"{model.kind}.backward needs a forward before it"):
        layer.backward(np.zeros((5, 2, 4)))
    layer.forward(np.zeros((5, 2, 3)))
    layer.load_state_dict(layer.state_dict())
    with refuses(RuntimeError, f"{model.kind}.backward needs a forward before it"):
        layer.backward(np.zeros((5, 2, 4)))


@cells_in_numpy
def test_a_cells_backward_needs_a_forward_with_the_weights_it_has(model, refuses):
    cell = model.cell(3, 4)
    d_state = model.state(2, 4)
    with refuses(RuntimeError, f"{model.kind}Cell.backward needs a forward before it"):
        cell.backward(d_state)
    cell.forward(normal(2, 3))
    cell.load_state_dict(cell.state_dict())
    with refuses(RuntimeError, f"{model.kind}Cell.backward needs a forward before it"):
        cell.backward(d_state)
