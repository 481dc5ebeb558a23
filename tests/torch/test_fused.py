"""The fast torch layers are the plain ones and the library's: results, gradients, and manners as a node of a graph."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from unrolled.instruments.parity import compare
from unrolled.torch import GRU, LSTM, fused

KINDS = {"LSTM": LSTM, "GRU": GRU}
STATES = {"LSTM": ("h", "c"), "GRU": ("h",)}
pytestmark = pytest.mark.usefixtures("inside")


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def parts_of(kind, *shape, seed=2):
    """A state as the modules take it: (h, c) or (h,)."""
    return tuple(normal(*shape, seed=seed + k) for k in range(len(STATES[kind])))


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def pair(kind, *sizes, seed=0, dtype=torch.float64, **options):
    """The plain layer and the fast one, with the same weights."""
    torch.manual_seed(seed)
    plain, fast = (KINDS[kind](*sizes, fused=fused, dtype=dtype, **options) for fused in (False, True))
    fast.load_state_dict(plain.state_dict())
    return plain, fast


def results_of(kind, x, state, p):
    """What the operation returns: the output and each part of the last state."""
    output, final = fused.run(kind.lower(), x, state if len(state) > 1 else state[0], p, reverse=False)
    return output, *parts(final)


def weights(kind, bias=True, D=2, H=3):
    layer = getattr(nn, kind)(D, H, bias=bias, dtype=torch.float64)
    return {name.removesuffix("_l0"): value.detach() for name, value in layer.named_parameters()}


@given(T=st.integers(1, 7), B=st.integers(1, 4), D=st.integers(1, 5), H=st.integers(1, 6), num_layers=st.integers(1, 2),
       bidirectional=st.booleans(), bias=st.booleans(), batch_first=st.booleans(), seed=st.integers(0, 999))
def test_it_equals_the_library(kind, T, B, D, H, num_layers, bidirectional, bias, batch_first, seed):
    torch.manual_seed(seed)
    options = {"bias": bias, "batch_first": batch_first, "bidirectional": bidirectional, "dtype": torch.float64}
    library = getattr(nn, kind)(D, H, num_layers, **options)
    fast = KINDS[kind](D, H, num_layers, fused=True, **options)
    x = normal(*((B, T) if batch_first else (T, B)), D, seed=seed)
    h, *others = parts_of(kind, num_layers * (1 + bidirectional), B, H, seed=seed + 1)
    errors = compare(fast, library, x, (h, *others) if others else h, seed)
    assert max(errors.values()) <= 1e-12, errors


def test_it_equals_the_library_in_float32(kind):
    torch.manual_seed(0)
    fast, library = KINDS[kind](12, 16, 2, fused=True), getattr(nn, kind)(12, 16, 2)
    errors = compare(fast, library, normal(30, 4, 12, dtype=torch.float32))
    assert max(errors.values()) <= 2e-6, errors


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("B", [1, 2], ids=["one sequence", "two sequences"])
def test_gradients_pass_torchs_own_checker(kind, bias, B):
    names, values = zip(*weights(kind, bias).items())
    state = parts_of(kind, 2, 3)

    def run(x, *tensors):
        first, parameters = tensors[: len(state)], tensors[len(state) :]
        return results_of(kind, x, first, dict(zip(names, parameters)))

    leaves = [t.clone().requires_grad_() for t in (normal(4, B, 2), *(part[:B] for part in state), *values)]
    assert torch.autograd.gradcheck(run, leaves)


def test_any_subset_of_gradients_can_be_asked_for(kind):
    p = weights(kind)
    values = {"x": normal(4, 2, 2)} | dict(zip(STATES[kind], parts_of(kind, 2, 3))) | p

    def gradients(wanted):
        leaves = {name: value.clone().requires_grad_(name in wanted) for name, value in values.items()}
        state = tuple(leaves[name] for name in STATES[kind])
        output, *final = results_of(kind, leaves["x"], state, {name: leaves[name] for name in p})
        loss = (output * normal(*output.shape, seed=4)).sum() + sum((part * 2).sum() for part in final)
        return dict(zip(wanted, torch.autograd.grad(loss, [leaves[name] for name in wanted])))

    every = gradients(list(values))
    for wanted in itertools.chain.from_iterable(itertools.combinations(values, size) for size in (1, 2)):
        for name, value in gradients(wanted).items():
            assert torch.equal(value, every[name]), wanted


@pytest.mark.parametrize(("kind", "part"), [
    (kind, part) for kind, names in STATES.items() for part in ("output", *(f"{name}_n" for name in names), "one step")
])
def test_a_loss_may_read_one_result_only(close, kind, part):
    results = []
    for layer in pair(kind, 2, 3, 2, bidirectional=True):
        x = normal(4, 2, 2).requires_grad_()
        output, final = layer(x)
        read = dict(zip(("h_n", "c_n"), parts(final))) | {"output": output, "one step": output[1]}
        read[part].square().sum().backward()
        results.append([x.grad, *(parameter.grad for parameter in layer.parameters())])
    for expected, got in zip(*results):
        close(got, expected)


def test_without_gradients_no_graph_is_kept(kind):
    layer = KINDS[kind](2, 3, fused=True)
    with torch.no_grad():
        output, final = layer(torch.zeros(4, 2, 2))
    assert output.grad_fn is None
    assert all(part.grad_fn is None for part in parts(final))


def test_a_second_backward_repeats_the_first(kind):
    layer = KINDS[kind](2, 3, 2, fused=True, dtype=torch.float64)
    x = normal(4, 2, 2).requires_grad_()
    loss = layer(x)[0].square().sum()
    first, second = (torch.autograd.grad(loss, [x, *layer.parameters()], retain_graph=True) for _ in range(2))
    assert all(torch.equal(one, two) for one, two in zip(first, second))


def test_it_changes_nothing_it_is_given_and_what_it_returns_may_be_overwritten(kind):
    p, x, state = weights(kind), normal(4, 2, 2), parts_of(kind, 2, 3)
    given_tensors = [x, *state, *p.values()]
    before = [tensor.clone() for tensor in given_tensors]
    for tensor in given_tensors:
        tensor.requires_grad_()
    output, *final = results_of(kind, x, state, p)
    upstream = [normal(4, 2, 3, seed=4), *parts_of(kind, 2, 3, seed=5)]
    kept = [tensor.clone() for tensor in upstream]
    torch.autograd.grad([output, *final], given_tensors, upstream)
    assert all(torch.equal(tensor, old) for tensor, old in zip([*given_tensors, *upstream], [*before, *kept]))

    layer = KINDS[kind](2, 3, fused=True, dtype=torch.float64)
    results = []
    for spoil in (False, True):
        output, final = layer(x.detach())
        loss = output.sum() + sum(part.sum() for part in parts(final))
        if spoil:
            for part in (output, *parts(final)):
                part.detach().fill_(float("nan"))
        results.append(torch.autograd.grad(loss, list(layer.parameters())))
    assert all(torch.equal(one, two) for one, two in zip(*results))


@pytest.mark.parametrize("lengths", [(4, 2, 3), (3, 3)], ids=["of several lengths", "of one length"])
def test_packed_sequences_give_the_same(close, kind, lengths):
    plain, fast = pair(kind, 2, 3, 2, bidirectional=True)
    packed = pack_sequence([normal(length, 2, seed=length) for length in lengths], enforce_sorted=False)
    (expected, last), (got, last_of_fast) = plain(packed), fast(packed)
    close(got.data.detach(), expected.data.detach())
    for one, other in zip(parts(last_of_fast), parts(last)):
        close(one.detach(), other.detach())


def test_mixed_precision_returns_what_the_library_returns(kind):
    torch.manual_seed(0)
    library, fast = getattr(nn, kind)(2, 3), KINDS[kind](2, 3, fused=True)
    fast.load_state_dict(library.state_dict())
    x = normal(4, 2, 2, dtype=torch.float32).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        expected, got = library(x.bfloat16())[0], fast(x.bfloat16())[0]
    assert got.dtype == expected.dtype == torch.bfloat16
    assert torch.allclose(got.float(), expected.float(), atol=0.02)
    got.float().sum().backward()
    assert x.grad.dtype == torch.float32
    assert fast.weight_hh_l0.grad.dtype == torch.float32


def test_gates_that_are_shut_or_wide_open_stay_finite(close, kind):
    plain, fast = pair(kind, 2, 3)
    scaled = {name: 1e3 * value for name, value in plain.state_dict().items()}
    for layer in (plain, fast):
        layer.load_state_dict(scaled)
    x = normal(5, 2, 2).requires_grad_()
    output, _ = fast(x)
    close(output.detach(), plain(x.detach())[0].detach())
    assert all(torch.isfinite(g).all() for g in torch.autograd.grad(output.sum(), [x, *fast.parameters()]))


@pytest.mark.parametrize("options", [{"peephole": True}, {"layer_norm": True}, {"forget_gate": False},
                                     {"forget_gate": "coupled"}, {"proj_size": 2}, {"recurrent_dropout": 0.1}], ids=str)
def test_it_is_refused_for_another_lstm(refuses, options):
    with refuses(ValueError, "fused=True is for the standard cell"):
        LSTM(2, 3, fused=True, **options)


def test_it_is_refused_for_another_gru(refuses):
    with refuses(ValueError, "fused=True is for reset_after=True"):
        GRU(2, 3, fused=True, reset_after=False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_it_equals_the_plain_path_on_a_gpu(kind):
    results = []
    for layer in pair(kind, 12, 16, 2, bidirectional=True):
        layer.to("cuda")
        x = normal(9, 4, 12).to("cuda").requires_grad_()
        output, final = layer(x)
        loss = output.square().sum() + sum(part.sum() for part in parts(final))
        results.append([output, *torch.autograd.grad(loss, [x, *layer.parameters()])])
    for expected, got in zip(*results):
        assert np.abs((got - expected).detach().cpu().numpy()).max() <= 1e-10
