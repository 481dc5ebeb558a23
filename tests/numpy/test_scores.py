"""NumPy additive attention: derivatives against central differences, results against the sum they are written as."""

import inspect
import textwrap

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

import unrolled.torch
from unrolled.instruments.parity import TOLERANCE, compare_stateless
from unrolled.numpy import AdditiveAttention, scores

SMALL = st.integers(1, 4)


def normal(*shape, seed=1, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def padding_mask(kind, B, S, dtype="float64"):
    """The first key takes part, others perhaps."""
    left_out = np.random.default_rng(3).random((B, S)) < 0.4
    left_out[:, 0] = False
    return {None: None, "boolean": left_out, "float": np.where(left_out, -np.inf, normal(B, S)).astype(dtype)}[kind]


def by_the_definition(p, query, keys, mask, d_context, d_weights):
    """One pair at a time, in torch; the derivatives are autograd's."""
    p = {name: torch.from_numpy(value.copy()).requires_grad_() for name, value in p.items()}
    query, keys = (torch.from_numpy(x.copy()).requires_grad_() for x in (query, keys))
    contexts, weights = [], []
    for b, sequence in enumerate(keys):
        bars = np.zeros(len(sequence)) if mask is None else mask[b]
        open_ = [s for s in range(len(sequence)) if (not bars[s] if bars.dtype == bool else bars[s] > -np.inf)]
        for s_t in query[b]:
            e = [p["v"] @ torch.tanh(p["W"] @ s_t + p["U"] @ sequence[s]) + float(bars[s]) for s in open_]
            alpha = torch.exp(torch.stack(e))
            alpha = torch.zeros(len(sequence), dtype=keys.dtype).index_put((torch.tensor(open_),), alpha / alpha.sum())
            weights.append(alpha)
            contexts.append(sum(alpha[s] * sequence[s] for s in open_))
    heads = [torch.stack(parts).reshape(*query.shape[:2], -1) for parts in (contexts, weights)]
    torch.autograd.backward(heads, [torch.from_numpy(d) for d in (d_context, d_weights)])
    return [head.detach() for head in heads] + [x.grad for x in (query, keys, *p.values())]


@given(B=SMALL, T=SMALL, S=SMALL, widths=st.tuples(SMALL, SMALL, SMALL), single=st.booleans(),
       kind=st.sampled_from([None, "boolean", "float"]), dtype=st.sampled_from(sorted(TOLERANCE)))
def test_additive_attention_is_its_definition(close, B, T, S, widths, single, kind, dtype):
    (Q, K, A), T = widths, 1 if single else T
    layer = AdditiveAttention(Q, K, A, dtype=dtype, seed=0)
    shapes = (B, T, Q), (B, S, K), (B, T, K), (B, T, S)
    query, keys, d_context, d_weights = (normal(*shape, seed=n, dtype=dtype) for n, shape in enumerate(shapes))
    mask = padding_mask(kind, B, S, dtype)
    expected = by_the_definition(layer.parameters, query, keys, mask, d_context, d_weights)
    squeezed = [x[:, 0] if single else x for x in (query, d_context, d_weights)]
    context, weights = layer.forward(squeezed[0], keys, mask)
    d_query, d_keys, grads = layer.backward(*squeezed[1:])
    assert list(grads) == ["W", "U", "v"]
    results = [x[:, None] if single else x for x in (context, weights, d_query)] + [d_keys, *grads.values()]
    for got, wanted in zip(results, expected, strict=True):
        assert got.dtype == dtype
        close(got, wanted, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", sorted(TOLERANCE))
@pytest.mark.parametrize("padded", [False, True], ids=["no mask", "padding"])
def test_it_is_the_layer_of_the_torch_backend(padded, dtype):
    torch.manual_seed(0)
    ours = AdditiveAttention(3, 5, 4, dtype=dtype)
    twin = unrolled.torch.AdditiveAttention(3, 5, 4, dtype=getattr(torch, dtype))
    inputs = {"query": torch.from_numpy(normal(2, 6, 3, dtype=dtype)),
              "keys": torch.from_numpy(normal(2, 7, 5, seed=2, dtype=dtype))}
    mask = {"key_padding_mask": torch.arange(7) >= torch.tensor([[4], [7]])} if padded else {}
    errors = compare_stateless(ours, twin, inputs, seed=3, **mask)
    assert max(errors.values()) <= TOLERANCE[dtype], errors


@pytest.mark.parametrize("kind", [None, "boolean", "float"])
def test_backward_is_the_derivative_of_forward(close, central_difference, kind):
    layer, query, keys = AdditiveAttention(2, 3, 4, dtype=np.float64, seed=0), normal(2, 3, 2), normal(2, 5, 3, seed=2)
    d_context, d_weights, mask = normal(2, 3, 3, seed=4), normal(2, 3, 5, seed=5), padding_mask(kind, 2, 5)

    def loss():
        context, weights = layer.forward(query, keys, mask)
        return np.sum(context * d_context) + np.sum(weights * d_weights)

    loss()
    d_query, d_keys, grads = layer.backward(d_context, d_weights)
    for got, array in ((d_query, query), (d_keys, keys), *((grads[name], p) for name, p in layer.parameters.items())):
        close(got, central_difference(loss, array), 1e-8)


@pytest.mark.parametrize("kind", ["boolean", "float"])
def test_a_sequence_of_padding_alone_gets_zeros_and_passes_none_back(kind):
    layer, query, keys = AdditiveAttention(2, 3, 4, dtype=np.float64, seed=0), normal(2, 3, 2), normal(2, 5, 3)
    mask = padding_mask(kind, 2, 5)
    mask[0] = True if kind == "boolean" else -np.inf
    with np.errstate(all="raise", under="ignore"):
        context, weights = layer.forward(query, keys, mask)
        d_query, d_keys, grads = layer.backward(normal(2, 3, 3), normal(2, 3, 5))
    assert not any(nothing[0].any() for nothing in (context, weights, d_query, d_keys))
    assert all(np.isfinite(value).all() and value.any() for value in (weights, d_keys, *grads.values()))


def test_what_stands_in_the_padding_changes_nothing():
    layer, query, keys = AdditiveAttention(2, 3, 4, dtype=np.float64, seed=0), normal(2, 3, 2), normal(2, 5, 3)
    mask = np.arange(5) >= np.array([[2], [4]])
    before, _ = layer.forward(query, keys, mask)
    keys[mask] = 1e6
    after, weights = layer.forward(query, keys, mask)
    assert np.array_equal(before, after)
    assert not layer.backward(before)[1][mask].any()
    assert not weights.swapaxes(1, 2)[mask].any()


def test_weights_beyond_exp_do_not_overflow():
    layer = AdditiveAttention(2, 3, 4, dtype=np.float32, seed=0)
    for value in layer.parameters.values():
        value *= 1e6
    with np.errstate(all="raise", under="ignore"):
        context, weights = layer.forward(normal(2, 2, dtype="float32"), normal(2, 5, 3, dtype="float32"))
        layer.backward(context)
    assert np.array_equal(np.sort(weights), [[0, 0, 0, 0, 1]] * 2)


@pytest.mark.parametrize("lead", [(2,), (2, 3)], ids=["one query", "many"])
def test_forward_leaves_its_inputs_alone_and_backward_works_after_everything_is_overwritten(lead):
    layer, again = (AdditiveAttention(2, 3, 4, dtype=np.float64, seed=0) for _ in range(2))
    query, keys, mask, d_context = normal(*lead, 2), normal(2, 5, 3), padding_mask("float", 2, 5), normal(*lead, 3)
    kept = [x.copy() for x in (query, keys, mask, d_context)]
    again.forward(*kept[:3])
    *expected, expected_grads = again.backward(kept[3])
    results = layer.forward(query, keys, mask)
    assert all(np.array_equal(x, before) for x, before in zip((query, keys, mask), kept))
    for x in (query, keys, mask, *results):
        x[:] = np.nan
    for _ in range(2):                                                       # and a second time
        *got, grads = layer.backward(d_context)
        assert np.array_equal(d_context, kept[3])
        for one, other in zip((*got, *grads.values()), (*expected, *expected_grads.values())):
            assert np.array_equal(one, other)
            one[:] = np.nan


def test_initial_weights_are_uniform_as_those_of_linear_layers():
    layer = AdditiveAttention(30, 50, 400, seed=0)
    for name, inputs in {"W": 30, "U": 50, "v": 400}.items():
        assert kstest(layer.parameters[name].ravel() * inputs**0.5, "uniform", (-1, 2)).pvalue > 0.01
    assert np.array_equal(AdditiveAttention(30, 50, 400, seed=0).parameters["U"], layer.parameters["U"])
    assert not np.array_equal(AdditiveAttention(30, 50, 400, seed=1).parameters["U"], layer.parameters["U"])


# Mistakes that people make, put into the source: the derivative must notice each


MISTAKES = {
    "the keys are not values": ("d_hoisted @ U + weights.mT @ d_context", "d_hoisted @ U"),
    "the values are not keys": ("d_hoisted @ U + weights.mT @ d_context", "weights.mT @ d_context"),
    "tanh' is 1 - m": ("1 - m * m", "1 - m"),
    "the softmax is left out": ("softmax_backward(d_scores, weights)", "d_scores * weights"),
    "v is left out": ("(1 - m * m) * v", "(1 - m * m)"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_derivative_notices_a_mistake(monkeypatch, close, central_difference, mistake):
    right, mistaken = MISTAKES[mistake]
    source = textwrap.dedent(inspect.getsource(AdditiveAttention.backward))
    assert source.count(right) == 1
    space = dict(vars(scores))
    exec(source.replace(right, mistaken), space)
    monkeypatch.setattr(AdditiveAttention, "backward", space["backward"])
    with pytest.raises(AssertionError):
        test_backward_is_the_derivative_of_forward(close, central_difference, None)


# Wrong use


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"query_size": 0}, ValueError, "query_size must be at least 1, got 0"),
    ({"key_size": 2.0}, TypeError, "key_size must be a whole number, got float 2.0"),
    ({"hidden_size": True}, TypeError, "hidden_size must be a whole number, got bool True"),
    ({"dtype": None}, TypeError, "dtype must be float32 or float64, got None"),
], ids=str)
def test_layers_that_cannot_be_are_refused(refuses, arguments, error, message):
    with refuses(error, message):
        AdditiveAttention(**({"query_size": 2, "key_size": 3, "hidden_size": 4} | arguments))


BAD_CALLS = {
    "query must be a numpy array, got NoneType": {"query": None},
    "keys must be float32, like the parameters, got float64": {"keys": np.zeros((2, 5, 3))},
    "query must have shape (B, T, 2), got (2, 3, 3)": {"query": np.zeros((2, 3, 3), np.float32)},
    "query must have shape (B, 2), got (2, 3)": {"query": np.zeros((2, 3), np.float32)},
    "keys must have shape (2, S, 3), got (1, 5, 3)": {"keys": np.zeros((1, 5, 3), np.float32)},
    "key_padding_mask must have shape (2, 5), got (5, 2)": {"key_padding_mask": np.zeros((5, 2), bool)},
    "key_padding_mask must be boolean or float32, like the input, got int64": {
        "key_padding_mask": np.zeros((2, 5), int)},
}


@pytest.mark.parametrize("message", BAD_CALLS)
def test_calls_that_do_not_fit_are_refused(refuses, message):
    call = {"query": np.zeros((2, 3, 2), np.float32), "keys": np.zeros((2, 5, 3), np.float32)} | BAD_CALLS[message]
    with refuses(TypeError if "numpy array" in message or "float32" in message else ValueError, message):
        AdditiveAttention(2, 3, 4).forward(**call)


def test_backward_refuses_what_forward_did_not_return(refuses):
    layer, query, keys = AdditiveAttention(2, 3, 4), np.zeros((2, 2), np.float32), np.zeros((2, 5, 3), np.float32)
    with refuses(RuntimeError, "AdditiveAttention.backward needs a forward before it"):
        layer.backward(query)
    context, _ = layer.forward(query, keys)
    with refuses(ValueError, "d_context must have shape (2, 3), got (2, 1, 3)"):
        layer.backward(context[:, None])
    with refuses(ValueError, "d_weights must have shape (2, 5), got (2, 3)"):
        layer.backward(context, context)
    with refuses(TypeError, "d_context must be float32, like the parameters, got float64"):
        layer.backward(context.astype(float))
