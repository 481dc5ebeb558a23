"""minGRU and minLSTM in torch: the scan is the loop, both are what NumPy computes, gates at their limits."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

import unrolled.numpy
from unrolled.instruments.parity import TOLERANCE, compare
from unrolled.torch import MinGRU, MinLSTM
from unrolled.torch.minimal import loop, scan

KINDS = pytest.mark.parametrize("kind", [MinGRU, MinLSTM], ids=["MinGRU", "MinLSTM"])
SCAN = pytest.mark.parametrize("how", [True, False], ids=["scan", "loop"])
RUN = pytest.mark.parametrize("run", [scan, loop], ids=["scan", "loop"])


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def steps(T, B=2, H=3, seed=1):
    """Factors in (0, 1), terms, and an initial state, all asking for gradients."""
    arrays = normal(T, B, H, seed=seed).sigmoid(), normal(T, B, H, seed=seed + 1), normal(B, H, seed=seed + 2)
    return [array.requires_grad_() for array in arrays]


# The recurrence h_t = a_t h_{t-1} + b_t


@given(T=st.integers(1, 70), seed=st.integers(0, 999))
def test_the_scan_is_the_loop_with_the_same_gradients(close, T, seed):
    results = []
    for run in (scan, loop):
        given = steps(T, seed=seed)
        h = run(*given)
        results.append([h.detach(), *torch.autograd.grad(h, given, normal(T, 2, 3, seed=seed + 3))])
    for got, expected in zip(*results, strict=True):
        close(got, expected)


@RUN
@pytest.mark.parametrize("T", [1, 2, 3, 6])
def test_derivatives_of_first_and_second_order(run, T):
    assert gradcheck(run, steps(T))
    assert gradgradcheck(run, steps(T))


@RUN
def test_factors_of_0_and_1_forget_and_keep_exactly_and_have_gradients(run):
    a, b, h0 = (array.detach() for array in steps(40, B=1, H=1))
    a[:] = 1
    a[20] = 0
    for array in (a, b, h0):
        array.requires_grad_()
    h = run(a, b, h0)
    assert torch.equal(h[20], b[20])
    d_a, d_b, d_h0 = torch.autograd.grad(h[30].sum(), (a, b, h0))
    assert torch.equal(d_b[20:31], torch.ones_like(d_b[20:31]))         # everything since the forgetting, alike
    assert not d_b[:20].any()                                           # and nothing from before it
    assert not d_b[31:].any()
    assert not d_h0.any()
    assert torch.isfinite(d_a).all()
    assert torch.allclose(d_a[20], h[19])                               # not even if forgetting is what one asks about


# The layers


STACKS = st.fixed_dictionaries({"num_layers": st.integers(1, 3), "bidirectional": st.booleans(),
                                "bias": st.booleans(), "batch_first": st.booleans()})


@KINDS
@given(T=st.integers(1, 20), B=st.integers(1, 3), D=st.integers(1, 4), H=st.integers(1, 4), stack=STACKS,
       how=st.tuples(st.booleans(), st.booleans()), seed=st.integers(0, 999))
def test_numpy_computes_the_same_with_the_same_gradients(kind, T, B, D, H, stack, how, seed):
    torch.manual_seed(seed)
    theirs = kind(D, H, **stack, dtype=torch.float64, scan=how[0])
    ours = getattr(unrolled.numpy, kind.__name__)(D, H, **stack, dtype=np.float64, scan=how[1])
    x = normal(*((B, T) if stack["batch_first"] else (T, B)), D)
    state = normal(stack["num_layers"] * (1 + stack["bidirectional"]), B, H)
    for start in (None, state):
        errors = compare(ours, theirs, x, start)
        assert {name: error for name, error in errors.items() if error > TOLERANCE["float64"]} == {}


@KINDS
@SCAN
@pytest.mark.parametrize("T", [1, 7, 50])
def test_numpy_computes_the_same_in_float32(kind, how, T):
    torch.manual_seed(0)
    theirs = kind(4, 6, 2, bidirectional=True, scan=how)
    ours = getattr(unrolled.numpy, kind.__name__)(4, 6, 2, bidirectional=True, scan=how)
    errors = compare(ours, theirs, normal(T, 5, 4, dtype=torch.float32), normal(4, 5, 6, dtype=torch.float32))
    assert {name: error for name, error in errors.items() if error > TOLERANCE["float32"]} == {}


@KINDS
@SCAN
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two directions"])
def test_derivatives_of_a_layer(kind, how, bidirectional):
    layer = kind(2, 3, 2, bidirectional=bidirectional, scan=how, dtype=torch.float64)
    names, values = zip(*layer.named_parameters())

    def run(x, h0, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters)), (x, h0))

    given = normal(3, 2, 2), normal(2 * (1 + bidirectional), 2, 3, seed=2), *(value.detach() for value in values)
    assert gradcheck(run, [array.clone().requires_grad_() for array in given])


@KINDS
@SCAN
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two directions"])
@pytest.mark.parametrize("lengths", [(5, 3, 3, 1), (2, 5, 1), (4, 4)], ids=str)
def test_a_packed_batch_is_its_sequences_one_by_one(close, kind, how, bidirectional, lengths):
    layer = kind(2, 3, 2, bidirectional=bidirectional, scan=how, dtype=torch.float64)
    sequences = [normal(length, 2, seed=number) for number, length in enumerate(lengths)]
    h0 = normal(2 * (1 + bidirectional), len(lengths), 3, seed=9)
    packed, h_n = layer(pack_sequence(sequences, enforce_sorted=False), h0)
    for number, got in enumerate(unpack_sequence(packed)):
        output, last = layer(sequences[number], h0[:, number])
        close(got.detach(), output.detach())
        close(h_n[:, number].detach(), last.detach())


@KINDS
def test_it_prints_what_it_is(kind):
    assert repr(kind(4, 5)) == f"{kind.__name__}(4, 5)"
    assert repr(kind(4, 5, 2, scan=False)) == f"{kind.__name__}(4, 5, num_layers=2, scan=False)"


@KINDS
@SCAN
def test_mixed_precision_runs(kind, how):
    layer, x = kind(2, 3, scan=how), normal(9, 1, 2, dtype=torch.float32)
    expected = layer(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(x.bfloat16())[0]
    assert torch.allclose(output.float(), expected, atol=0.02)


# Gates at their limits


@SCAN
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(("kind", "gates", "kept"), [
    (MinGRU, (-1e4,), 1), (MinGRU, (1e4,), 0), (MinGRU, (0,), 0.5),
    (MinLSTM, (-1e4, -1e4), 0.5), (MinLSTM, (1e4, 1e4), 0.5), (MinLSTM, (1e4, -1e4), 1), (MinLSTM, (-1e4, 1e4), 0),
    (MinLSTM, (-1000, -1001), 1 / (1 + np.exp(-1))), (MinLSTM, (40, 0), 2 / 3), (MinLSTM, (-200, -200), 0.5),
], ids=str)
def test_a_gate_at_its_limit_keeps_and_writes_what_it_should(close, kind, how, dtype, gates, kept):
    layer = kind(1, 1, scan=how, dtype=dtype)
    rows = len(gates) + 1
    layer.load_state_dict({"weight_ih_l0": np.eye(rows, 1, -len(gates)), "bias_ih_l0": np.array([*gates, 0.0])})
    x, h0 = torch.full((1, 1, 1), 3, dtype=dtype), torch.full((1, 1, 1), 7, dtype=dtype)
    output, _ = layer(x.requires_grad_(), h0.requires_grad_())
    output.sum().backward()
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6
    close(output.detach().flatten(), [kept * 7 + (1 - kept) * 3], tolerance)
    close(h0.grad.flatten(), [kept], tolerance)
    close(x.grad.flatten(), [1 - kept], tolerance)
    assert all(torch.isfinite(parameter.grad).all() for parameter in layer.parameters())


# Wrong use


@KINDS
@pytest.mark.parametrize(("options", "error", "message"), [
    ({"scan": 1}, TypeError, "scan must be True or False, got int 1"),
    ({"hidden_size": 0}, ValueError, "hidden_size must be at least 1, got 0"),
    ({"dropout": 2}, ValueError, "dropout must lie in [0, 1], got 2"),
    ({"dtype": torch.int64}, TypeError, "dtype must be a floating point type of torch, got torch.int64"),
], ids=str)
def test_a_wrong_constructor_argument_is_named(refuses, kind, options, error, message):
    with refuses(error, message):
        kind(**({"input_size": 3, "hidden_size": 4} | options))


@KINDS
@pytest.mark.parametrize(("x", "state", "error", "message"), [
    (torch.zeros(5, 2, 4), None, ValueError, "input must have shape (T, B, 3), or (T, 3) unbatched; got (5, 2, 4)"),
    (torch.zeros(0, 2, 3), None, ValueError, "input must hold at least one step (T >= 1), got shape (0, 2, 3)"),
    (torch.zeros(5, 2, 3).double(), None, TypeError,
     "input must be torch.float32, like the parameters, got torch.float64"),
    (torch.zeros(5, 2, 3, device="meta"), None, ValueError, "input must be on cpu, like the parameters, got meta"),
    (torch.zeros(5, 2, 3), torch.zeros(1, 3, 4), ValueError, "must have shape (1, 2, 4), got (1, 3, 4)"),
    (torch.zeros(5, 2, 3), (torch.zeros(1, 2, 4),) * 2, TypeError, "must be a torch tensor, got tuple"),
], ids=["width", "no steps", "float64", "device", "state's batch", "a pair"])
def test_wrong_input_is_named(refuses, kind, x, state, error, message):
    with refuses(error, message):
        kind(3, 4)(x, state)
