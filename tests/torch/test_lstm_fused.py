"""The fast torch LSTM is the plain one and the library's: results, every gradient, and manners as a node of a graph."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from unrolled.parity import compare
from unrolled.torch import LSTM, lstm_fused


@pytest.fixture(scope="module", autouse=True, params=["NumPy's node", "torch's node"])
def node(request):
    """The node of the graph: the one that a CPU gets, and the one for everything else."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "torch's node":
            patch.setattr(lstm_fused, "on_numpy", lambda x: False)
        yield


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def pair(*sizes, seed=0, dtype=torch.float64, **options):
    """The plain layer and the fast one, with the same weights."""
    torch.manual_seed(seed)
    plain, fast = LSTM(*sizes, dtype=dtype, **options), LSTM(*sizes, fused=True, dtype=dtype, **options)
    fast.load_state_dict(plain.state_dict())
    return plain, fast


def weights(bias=True, D=2, H=3):
    layer = nn.LSTM(D, H, bias=bias, dtype=torch.float64)
    return {name.removesuffix("_l0"): value.detach() for name, value in layer.named_parameters()}


STATE = normal(2, 3, seed=2), normal(2, 3, seed=3)


@given(T=st.integers(1, 7), B=st.integers(1, 4), D=st.integers(1, 5), H=st.integers(1, 6), num_layers=st.integers(1, 2),
       bidirectional=st.booleans(), bias=st.booleans(), batch_first=st.booleans(), seed=st.integers(0, 999))
def test_it_equals_the_library(T, B, D, H, num_layers, bidirectional, bias, batch_first, seed):
    torch.manual_seed(seed)
    options = {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional, "dtype": torch.float64}
    library, fast = nn.LSTM(D, H, num_layers, **options), LSTM(D, H, num_layers, fused=True, **options)
    x = normal(*((B, T) if batch_first else (T, B)), D, seed=seed)
    state = tuple(normal(num_layers * (1 + bidirectional), B, H, seed=seed + part) for part in (1, 2))
    errors = compare(fast, library, x, state, seed)
    assert max(errors.values()) <= 1e-12, errors


def test_it_equals_the_library_in_float32():
    torch.manual_seed(0)
    errors = compare(LSTM(12, 16, 2, fused=True), nn.LSTM(12, 16, 2), normal(30, 4, 12, dtype=torch.float32))
    assert max(errors.values()) <= 2e-6, errors


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("B", [1, 2], ids=["one sequence", "two sequences"])
def test_gradients_pass_torchs_own_checker(bias, B):
    names, values = zip(*weights(bias).items())

    def run(x, h, c, *parameters):
        output, final = lstm_fused.run(x, (h, c), dict(zip(names, parameters)))
        return output, *final

    leaves = [t.clone().requires_grad_() for t in (normal(4, B, 2), *(part[:B] for part in STATE), *values)]
    assert torch.autograd.gradcheck(run, leaves)


def test_any_subset_of_gradients_can_be_asked_for(close):
    p, x = weights(), normal(4, 2, 2)
    names = ["x", "h", "c", *p]

    def gradients(wanted):
        leaves = dict(zip(names, (t.clone().requires_grad_(name in wanted) for name, t in
                                  zip(names, (x, *STATE, *p.values())))))
        output, final = lstm_fused.run(leaves["x"], (leaves["h"], leaves["c"]), {name: leaves[name] for name in p})
        loss = (output * normal(*output.shape, seed=4)).sum() + sum((part * 2).sum() for part in final)
        return dict(zip(wanted, torch.autograd.grad(loss, [leaves[name] for name in wanted])))

    every = gradients(names)
    for wanted in itertools.chain.from_iterable(itertools.combinations(names, size) for size in (1, 2)):
        for name, value in gradients(wanted).items():
            assert torch.equal(value, every[name]), wanted


@pytest.mark.parametrize("part", ["output", "h_n", "c_n", "one step"])
def test_a_loss_may_read_one_result_only(close, part):
    results = []
    for layer in pair(2, 3, 2, bidirectional=True):
        x = normal(4, 2, 2).requires_grad_()
        output, (h_n, c_n) = layer(x)
        {"output": output, "h_n": h_n, "c_n": c_n, "one step": output[1]}[part].square().sum().backward()
        results.append([x.grad, *(parameter.grad for parameter in layer.parameters())])
    for expected, got in zip(*results):
        close(got, expected)


def test_without_gradients_no_graph_is_kept():
    layer = LSTM(2, 3, fused=True)
    with torch.no_grad():
        output, final = layer(torch.zeros(4, 2, 2))
    assert output.grad_fn is None
    assert all(part.grad_fn is None for part in final)


def test_a_second_backward_repeats_the_first_and_a_derivative_of_it_is_refused():
    layer = LSTM(2, 3, 2, fused=True, dtype=torch.float64)
    x = normal(4, 2, 2).requires_grad_()
    loss = layer(x)[0].square().sum()
    first, second = (torch.autograd.grad(loss, [x, *layer.parameters()], retain_graph=True) for _ in range(2))
    assert all(torch.equal(one, two) for one, two in zip(first, second))
    (d_x,) = torch.autograd.grad(loss, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        d_x.sum().backward()


def test_it_changes_nothing_it_is_given_and_what_it_returns_may_be_overwritten():
    p, x, state = weights(), normal(4, 2, 2), tuple(part.clone() for part in STATE)
    given_tensors = [x, *state, *p.values()]
    before = [tensor.clone() for tensor in given_tensors]
    for tensor in given_tensors:
        tensor.requires_grad_()
    output, final = lstm_fused.run(x, state, p)
    upstream = [normal(4, 2, 3, seed=4), normal(2, 3, seed=5), normal(2, 3, seed=6)]
    kept = [tensor.clone() for tensor in upstream]
    torch.autograd.grad([output, *final], given_tensors, upstream)
    assert all(torch.equal(tensor, old) for tensor, old in zip([*given_tensors, *upstream], [*before, *kept]))

    layer = LSTM(2, 3, fused=True, dtype=torch.float64)
    results = []
    for spoil in (False, True):
        output, final = layer(x.detach())
        loss = output.sum() + sum(part.sum() for part in final)
        if spoil:
            for part in (output, *final):
                part.detach().fill_(float("nan"))
        results.append(torch.autograd.grad(loss, list(layer.parameters())))
    assert all(torch.equal(one, two) for one, two in zip(*results))


@pytest.mark.parametrize("lengths", [(4, 2, 3), (3, 3)], ids=["of several lengths", "of one length"])
def test_packed_sequences_give_the_same(close, lengths):
    plain, fast = pair(2, 3, 2, bidirectional=True)
    packed = pack_sequence([normal(length, 2, seed=length) for length in lengths], enforce_sorted=False)
    (expected, last), (got, last_of_fast) = plain(packed), fast(packed)
    close(got.data.detach(), expected.data.detach())
    for one, other in zip(last_of_fast, last):
        close(one.detach(), other.detach())


def test_mixed_precision_returns_what_the_library_returns():
    torch.manual_seed(0)
    library, fast = nn.LSTM(2, 3), LSTM(2, 3, fused=True)
    fast.load_state_dict(library.state_dict())
    x = normal(4, 2, 2, dtype=torch.float32).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        expected, got = library(x.bfloat16())[0], fast(x.bfloat16())[0]
    assert got.dtype == expected.dtype == torch.bfloat16
    assert torch.allclose(got.float(), expected.float(), atol=0.02)
    got.float().sum().backward()
    assert x.grad.dtype == torch.float32
    assert fast.weight_hh_l0.grad.dtype == torch.float32


def test_gates_that_are_shut_or_wide_open_stay_finite(close):
    plain, fast = pair(2, 3)
    scaled = {name: 1e3 * value for name, value in plain.state_dict().items()}
    for layer in (plain, fast):
        layer.load_state_dict(scaled)
    x = normal(5, 2, 2).requires_grad_()
    output, _ = fast(x)
    close(output.detach(), plain(x.detach())[0].detach())
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(output.sum(), [x, *fast.parameters()]))


@pytest.mark.parametrize("options", [{"peephole": True}, {"layer_norm": True}, {"forget_gate": False},
                                     {"forget_gate": "coupled"}, {"proj_size": 2}, {"recurrent_dropout": 0.1}], ids=str)
def test_it_is_refused_for_another_cell(refuses, options):
    with refuses(ValueError, "fused=True is for the standard cell"):
        LSTM(2, 3, fused=True, **options)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_equals_the_plain_path_on_a_gpu():
    results = []
    for layer in pair(12, 16, 2, bidirectional=True):
        layer.to("cuda")
        x = normal(9, 4, 12).to("cuda").requires_grad_()
        output, final = layer(x)
        loss = output.square().sum() + sum(part.sum() for part in final)
        results.append([output, *torch.autograd.grad(loss, [x, *layer.parameters()])])
    for expected, got in zip(*results):
        assert np.abs((got - expected).detach().cpu().numpy()).max() <= 1e-10
