"""The torch RNN: its derivatives by torch's own checker, packed sequences, and what makes it a drop-in."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence, unpack_sequence

from unrolled.torch import RNN, RNNCell


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize(("kind", "options", "x", "state"), [
    (RNN, {"num_layers": 2}, (3, 2, 2), (2, 2, 3)),
    (RNN, {"num_layers": 2, "bidirectional": True}, (3, 2, 2), (4, 2, 3)),
    (RNNCell, {}, (2, 2), (2, 3)),
], ids=["one direction", "two directions", "cell"])
def test_gradients_pass_torchs_own_checker(kind, options, nonlinearity, bias, x, state):
    torch.manual_seed(0)
    layer = kind(2, 3, nonlinearity=nonlinearity, bias=bias, dtype=torch.float64, **options)
    names = [name for name, _ in layer.named_parameters()]

    def run(x, state, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters)), (x, state))

    leaves = [normal(*x).requires_grad_(), normal(*state, seed=2).requires_grad_(), *layer.parameters()]
    assert torch.autograd.gradcheck(run, leaves)


# Packed sequences


LENGTHS = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@given(lengths=LENGTHS, num_layers=st.integers(1, 2), bidirectional=st.booleans())
def test_padding_does_not_change_output(close, lengths, num_layers, bidirectional):
    torch.manual_seed(0)
    layer = RNN(2, 3, num_layers, bidirectional=bidirectional, dtype=torch.float64)
    x, h0 = normal(max(lengths), len(lengths), 2), normal(num_layers * (1 + bidirectional), len(lengths), 3, seed=2)
    for row, length in enumerate(lengths):
        x[length:, row] = float("nan")                                  # padding that would spoil whatever it touches
    output, h_n = layer(pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False), h0)
    padded, out_lengths = pad_packed_sequence(output)
    assert out_lengths.tolist() == lengths
    for row, length in enumerate(lengths):
        alone, h_alone = layer(x[:length, row], h0[:, row])
        close(padded[:length, row].detach(), alone.detach())
        close(h_n[:, row].detach(), h_alone.detach())


@given(lengths=LENGTHS, bidirectional=st.booleans())
def test_the_order_of_packed_sequences_does_not_matter(lengths, bidirectional):
    torch.manual_seed(0)
    layer = RNN(2, 3, 2, bidirectional=bidirectional, dtype=torch.float64)
    sequences = [normal(length, 2, seed=row) for row, length in enumerate(lengths)]
    unsorted, h_unsorted = layer(pack_sequence(sequences, enforce_sorted=False))
    order = sorted(range(len(lengths)), key=lambda row: -lengths[row])
    ordered, h_ordered = layer(pack_sequence([sequences[row] for row in order], enforce_sorted=True))
    assert torch.equal(h_unsorted[:, order], h_ordered)
    for row, output in zip(order, unpack_sequence(ordered)):
        assert torch.equal(unpack_sequence(unsorted)[row], output)


@pytest.mark.parametrize(("x", "state", "error", "message"), [
    (normal(4, 3), None, ValueError, "packed data must have shape (sum of lengths, 2), got (8, 3)"),
    (normal(4, 2, dtype=torch.float32), None, TypeError,
     "packed data must be torch.float64, like the parameters, got torch.float32"),
    (normal(4, 2), normal(1, 3, 3), ValueError, "state must have shape (1, 2, 3), got (1, 3, 3)"),
    (normal(4, 2), normal(1, 3), ValueError, "state must have shape (1, 2, 3), got (1, 3)"),
], ids=["width", "dtype", "state of another batch", "state unbatched"])
def test_a_wrong_packed_input_is_named(refuses, x, state, error, message):
    with refuses(error, message):
        RNN(2, 3, dtype=torch.float64)(pack_sequence([x, x]), state)


# A drop-in for torch.nn


@pytest.mark.parametrize(("kind", "options"), [
    ("RNN", {}), ("RNN", {"num_layers": 3, "bidirectional": True}), ("RNN", {"bias": False}), ("RNNCell", {}),
    ("RNNCell", {"bias": False}),
], ids=["layer", "stack", "layer without bias", "cell", "cell without bias"])
def test_the_same_seed_gives_torch_nns_own_weights(kind, options):
    torch.manual_seed(3)
    ours = {"RNN": RNN, "RNNCell": RNNCell}[kind](4, 5, **options).state_dict()
    torch.manual_seed(3)
    library = getattr(nn, kind)(4, 5, **options).state_dict()
    assert list(ours) == list(library)
    for name in library:
        assert torch.equal(ours[name], library[name]), name


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "batch_first": True}, {"bias": False, "bidirectional": True},
                                     {"num_layers": 2, "dropout": 0.5}], ids=str)
def test_it_prints_as_torch_nn_does(options):
    assert repr(RNN(4, 5, **options)) == repr(nn.RNN(4, 5, **options))


def test_a_cell_prints_what_it_is():
    assert repr(RNNCell(4, 5, bias=False)) == "RNNCell(4, 5, bias=False, nonlinearity='tanh')"


def test_an_array_loaded_with_assign_is_still_a_copy():
    layer = RNN(2, 3, dtype=torch.float64)
    arrays = {name: value.numpy().copy() for name, value in layer.state_dict().items()}
    layer.load_state_dict(arrays, assign=True)
    arrays["weight_ih_l0"][:] = 7
    assert not (layer.weight_ih_l0 == 7).any()


def test_a_part_of_a_state_dict_loads_if_that_is_asked_for():
    layer = RNN(2, 3)
    missing = layer.load_state_dict({"bias_ih_l0": np.full(3, 7, np.float32)}, strict=False).missing_keys
    assert missing == ["weight_ih_l0", "weight_hh_l0", "bias_hh_l0"]
    assert (layer.bias_ih_l0 == 7).all()


def test_it_lives_inside_other_modules_and_copies():
    torch.manual_seed(0)
    model = nn.ModuleDict({"rnn": RNN(2, 3), "head": nn.Linear(3, 1)})
    twin = copy.deepcopy(model)
    x = normal(4, 1, 2, dtype=torch.float32)
    assert torch.equal(model["rnn"](x)[0], twin["rnn"](x)[0])
    model.load_state_dict(nn.ModuleDict({"rnn": nn.RNN(2, 3), "head": nn.Linear(3, 1)}).state_dict())
    assert not torch.equal(model["rnn"](x)[0], twin["rnn"](x)[0])


def test_mixed_precision_accepts_what_torch_nn_accepts():
    torch.manual_seed(0)
    ours, library = RNN(2, 3), nn.RNN(2, 3)
    ours.load_state_dict(library.state_dict())
    x = normal(4, 1, 2, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        output, expected = ours(x.bfloat16())[0], library(x)[0]
    assert output.dtype == torch.bfloat16
    assert torch.allclose(output.float(), expected.float(), atol=0.02)


# Another device


@pytest.mark.parametrize(("kind", "x", "state"), [(RNN, (4, 1, 2), (1, 1, 3)), (RNNCell, (1, 2), (1, 3))])
def test_an_input_on_another_device_is_named(refuses, kind, x, state):
    layer = kind(2, 3)
    with refuses(ValueError, "input must be on cpu, like the parameters, got meta"):
        layer(torch.zeros(x, device="meta"))
    with refuses(ValueError, "state must be on cpu, like the parameters, got meta"):
        layer(torch.zeros(x), torch.zeros(state, device="meta"))
    with refuses(ValueError, "input must be on meta, like the parameters, got cpu"):
        layer.to("meta")(torch.zeros(x))


def test_an_array_is_not_a_tensor(refuses):
    with refuses(TypeError, "input must be a torch tensor, got ndarray"):
        RNN(2, 3)(np.zeros((4, 1, 2), np.float32))
