"""The torch LSTM and GRU: derivatives by torch's own checker, projections, dropout in time, and the drop-in."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from unrolled.torch import GRU, LSTM, GRUCell, LSTMCell

KINDS = {"LSTM": (LSTM, LSTMCell), "GRU": (GRU, GRUCell)}


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize(("kind", "options"), [
    ("LSTM", {"peephole": True}), ("LSTM", {"forget_gate": False}), ("LSTM", {"forget_gate": "coupled"}),
    ("LSTM", {"layer_norm": True}), ("LSTM", {"proj_size": 2}), ("LSTM", {"proj_size": 2, "peephole": True}),
    ("GRU", {}), ("GRU", {"reset_after": False}),
], ids=str)
def test_gradients_are_right_for_padded_and_packed_input(kind, options):
    torch.manual_seed(0)
    layer = KINDS[kind][0](2, 3, bidirectional=True, dtype=torch.float64, **options)
    pack = pack_sequence([normal(1, 2), normal(3, 2, seed=2)], enforce_sorted=False)

    def padded(x, *parameters):
        output, final = torch.func.functional_call(layer, dict(zip(names, parameters)), (x,))
        return output, *(final if kind == "LSTM" else (final,))

    def packed(data, *parameters):
        output, final = torch.func.functional_call(layer, dict(zip(names, parameters)), (pack._replace(data=data),))
        return output.data, *(final if kind == "LSTM" else (final,))

    names = list(dict(layer.named_parameters()))
    parameters = [parameter.detach().requires_grad_() for parameter in layer.parameters()]
    assert torch.autograd.gradcheck(padded, (normal(3, 2, 2).requires_grad_(), *parameters))
    assert torch.autograd.gradcheck(packed, (pack.data.clone().requires_grad_(), *parameters))


@pytest.mark.parametrize("options", [{"peephole": True}, {"layer_norm": True}, {"forget_gate": False},
                                     {"forget_gate": "coupled"}, {"chrono": 30.0}, {"reset_after": False}], ids=str)
def test_a_layer_is_its_cell_step_by_step(close, options):
    kind = "GRU" if "reset_after" in options else "LSTM"
    torch.manual_seed(0)
    layer, cell = (one(3, 4, dtype=torch.float64, **options) for one in KINDS[kind])
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, state = normal(5, 2, 3), None
    output, _ = layer(x)
    for t in range(5):
        state = cell(x[t], state)
        close((state[0] if kind == "LSTM" else state).detach(), output[t].detach())


# The drop-in


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "LSTMCell", "GRUCell"])
def test_the_same_seed_draws_the_weights_that_torch_nn_draws(kind):
    options = [{}, {"bias": False}] + [{"num_layers": 2, "bidirectional": True}] * (not kind.endswith("Cell"))
    options += [{"num_layers": 2, "proj_size": 2}] * (kind == "LSTM")
    for given in options:
        torch.manual_seed(3)
        ours = {"LSTM": LSTM, "GRU": GRU, "LSTMCell": LSTMCell, "GRUCell": GRUCell}[kind](4, 5, **given)
        torch.manual_seed(3)
        library = getattr(nn, kind)(4, 5, **given)
        assert [name for name, _ in ours.named_parameters()] == [name for name, _ in library.named_parameters()]
        for got, expected in zip(ours.parameters(), library.parameters(), strict=True):
            assert torch.equal(got, expected)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bias": False, "batch_first": True, "dropout": 0.5,
                                          "bidirectional": True}], ids=str)
def test_it_prints_as_torch_nn_prints(options):
    assert repr(LSTM(4, 5, **options)) == repr(nn.LSTM(4, 5, **options))
    assert repr(GRU(4, 5, **options)) == repr(nn.GRU(4, 5, **options))


def test_it_prints_what_torch_nn_does_not_have():
    assert repr(LSTM(4, 5, peephole=True, forget_gate="coupled")) == "LSTM(4, 5, peephole=True, forget_gate='coupled')"
    assert repr(GRUCell(4, 5, reset_after=False)) == "GRUCell(4, 5, reset_after=False)"


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_it_lives_inside_other_modules_and_copies(kind):
    model = nn.ModuleDict({"gates": KINDS[kind][0](2, 3, fused=True)})
    twin, x = copy.deepcopy(model), normal(4, 1, 2, dtype=torch.float32)
    assert torch.equal(model["gates"](x)[0], twin["gates"](x)[0])


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_mixed_precision_accepts_what_torch_nn_accepts(kind):
    torch.manual_seed(0)
    ours, library = KINDS[kind][0](2, 3), getattr(nn, kind)(2, 3)
    ours.load_state_dict(library.state_dict())
    x = normal(4, 1, 2, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        try:
            expected = library(x)[0]
        except RuntimeError as error:                           # oneDNN on a processor without AVX2
            pytest.skip(f"the library's {kind} has no bfloat16 here: {error}"[:80])
        output = ours(x.bfloat16())[0]
    assert torch.allclose(output.float(), expected.float(), atol=0.02)


# How an LSTM starts


def test_forget_bias_and_chrono_start_where_numpy_starts():
    H = 200
    biased = LSTM(3, H, 2, bidirectional=True, forget_bias=-0.5)
    for name, value in biased.named_parameters():
        if name.startswith("bias"):
            assert (value[H : 2 * H] == (-0.5 if name.startswith("bias_ih") else 0)).all()
    torch.manual_seed(0)
    cell = LSTMCell(3, H, chrono=50)
    u = cell.bias_ih[H : 2 * H].double().exp()
    assert 1 <= u.min() < 3
    assert 46 < u.max() <= 49.001
    assert torch.equal(cell.bias_ih[:H], -cell.bias_ih[H : 2 * H])
    assert (cell.bias_hh[: 2 * H] == 0).all()
    assert cell.bias_ih.requires_grad


# Dropout in time


def test_recurrent_dropout_hides_the_same_units_at_every_step():
    torch.manual_seed(0)
    layer = LSTM(2, 64, dtype=torch.float64, recurrent_dropout=0.5)
    seen, step = [], layer.step
    layer.step = lambda drive, state, p: seen.append(p["mask"]) or step(drive, state, p)
    layer(normal(6, 3, 2))
    assert all(torch.equal(mask, seen[0]) for mask in seen)
    assert set(seen[0].unique().tolist()) == {0.0, 2.0}
    assert abs(seen[0].mean() - 1) < 0.2
    assert not torch.equal(seen[0][0], seen[0][1])                           # each sequence has its own
    layer(normal(6, 3, 2))
    assert not torch.equal(seen[0], seen[-1])                                # and each call


def test_recurrent_dropout_leaves_the_cell_alone():
    torch.manual_seed(0)
    layer = LSTM(2, 3, dtype=torch.float64, recurrent_dropout=1.0)
    with torch.no_grad():
        layer.weight_hh_l0.fill_(100.0)                                      # would be heard if h were
    x, h0, c0 = normal(1, 2, 2), normal(1, 2, 3), normal(1, 2, 3, seed=2)
    hidden, (_, c_n) = layer(x, (h0, c0))
    zeroed, (_, c_zero) = layer(x, (torch.zeros_like(h0), c0))
    assert torch.equal(hidden, zeroed)
    assert not torch.equal(c_n, layer(x, (h0, 2 * c0))[1][1])
    assert torch.equal(c_n, c_zero)


def test_recurrent_dropout_does_nothing_outside_training_and_works_on_packs():
    torch.manual_seed(0)
    dropping = LSTM(2, 3, dtype=torch.float64, recurrent_dropout=0.5)
    plain = LSTM(2, 3, dtype=torch.float64)
    plain.load_state_dict(dropping.state_dict())
    pack = pack_sequence([normal(2, 2), normal(5, 2)], enforce_sorted=False)
    torch.manual_seed(1)
    assert not torch.equal(dropping(pack)[0].data, plain(pack)[0].data)
    assert torch.equal(dropping.eval()(pack)[0].data, plain(pack)[0].data)
