"""NumPy attention against `F.scaled_dot_product_attention` and `nn.MultiheadAttention`: results, weights, gradients."""

import inspect
import textwrap

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from torch import nn

from unrolled.instruments.parity import TOLERANCE
from unrolled.numpy import MultiheadAttention, attention
from unrolled.numpy.attention import scaled_dot_product, scaled_dot_product_backward

DTYPES = st.sampled_from(sorted(TOLERANCE))
SMALL = st.integers(1, 5)
MASKS = st.sampled_from([None, "boolean", "float"])


def normal(*shape, seed=1, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def random_mask(kind, *shape, seed=3, dtype="float64", allowed=True):
    """A mask in which every row that has room allows something; `allowed` is what a boolean one calls taking part."""
    rng = np.random.default_rng(seed)
    open_ = rng.random(shape) < 0.6
    open_[..., 0] = True
    if kind == "boolean":
        return open_ == allowed
    return np.where(open_, rng.standard_normal(shape), -np.inf).astype(dtype) if kind == "float" else None


def leaf(array):
    return None if array is None else torch.from_numpy(array.copy()).requires_grad_(array.dtype != bool)


def library_attention(q, k, v, d_output, d_weights, mask=None, is_causal=False, scale=None):
    """The library's output, weights and gradients. With unit vectors for values its outputs are its weights."""
    q, k, v = map(leaf, (q, k, v))
    T, S = q.shape[-2], k.shape[-2]
    if mask is not None and is_causal:                                       # the library takes one or the other
        seen = np.tri(T, S, dtype=bool)
        mask, is_causal = mask & seen if mask.dtype == bool else np.where(seen, mask, -np.inf).astype(mask.dtype), False
    options = {"attn_mask": None if mask is None else torch.from_numpy(mask), "is_causal": is_causal, "scale": scale}
    units = torch.eye(S, dtype=q.dtype).expand(*k.shape[:-1], S)
    heads = [F.scaled_dot_product_attention(q, k, values, **options) for values in (v, units)]
    torch.autograd.backward(heads, [torch.from_numpy(d) for d in (d_output, d_weights)])
    return [head.detach().numpy() for head in heads] + [x.grad.numpy() for x in (q, k, v)]


# One head


@settings(max_examples=150)
@given(lead=st.lists(st.integers(1, 3), max_size=2), T=SMALL, S=SMALL, d=SMALL, d_v=SMALL, kind=MASKS,
       is_causal=st.booleans(), scale=st.sampled_from([None, 0.3]), shared=st.booleans(), dtype=DTYPES)
def test_attention_and_its_gradients_are_the_librarys(close, lead, T, S, d, d_v, kind, is_causal, scale, shared, dtype):
    shapes = (T, d), (S, d), (S, d_v), (T, d_v), (T, S)
    q, k, v, d_output, d_weights = (normal(*lead, *shape, seed=n, dtype=dtype) for n, shape in enumerate(shapes))
    mask = random_mask(kind, *([] if shared else lead), T, S, dtype=dtype)
    expected = library_attention(q, k, v, d_output, d_weights, mask, is_causal, scale)
    output, weights = scaled_dot_product(q, k, v, mask, is_causal, scale)
    gradients = scaled_dot_product_backward(d_output, q, k, v, weights, scale, d_weights=d_weights)
    for got, wanted in zip((output, weights, *gradients), expected, strict=True):
        assert got.dtype == dtype
        close(got, wanted, TOLERANCE[dtype])
    close(weights.sum(-1), np.ones((*lead, T)), TOLERANCE[dtype])


@pytest.mark.parametrize("kind", ["boolean", "float"])
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_query_with_nothing_to_attend_to_gets_zeros_and_passes_none_back(close, kind, dtype):
    q, k, v, d_output, d_weights = (normal(2, 3, 3, seed=n, dtype=dtype) for n in range(5))
    mask = random_mask(kind, 2, 3, 3, dtype=dtype)
    mask[0, 1], mask[1] = (False, False) if kind == "boolean" else (-np.inf, -np.inf)
    with np.errstate(all="raise", under="ignore"):
        output, weights = scaled_dot_product(q, k, v, mask)
        gradients = scaled_dot_product_backward(d_output, q, k, v, weights, d_weights=d_weights)
    for got, wanted in zip((output, weights, *gradients), library_attention(q, k, v, d_output, d_weights, mask)):
        close(got, wanted, TOLERANCE[dtype])
    for nothing in (output[0, 1], weights[0, 1], gradients[0][0, 1], *(x[1] for x in (output, weights, *gradients))):
        assert not nothing.any()


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_scores_beyond_exp_do_not_overflow(dtype):
    q, k = np.array([[1e4], [-1e4]], dtype), np.array([[1e4], [-1e4], [0]], dtype)
    with np.errstate(all="raise", under="ignore"):
        output, weights = scaled_dot_product(q, k, k)
        gradients = scaled_dot_product_backward(np.ones_like(q), q, k, k, weights)
    assert np.array_equal(weights, [[1, 0, 0], [0, 1, 0]])
    assert np.array_equal(output, q)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@given(T=SMALL, extra=SMALL, seed=st.integers(0, 99))
def test_a_causal_query_sees_no_later_key(T, extra, seed):
    q, k, v = (normal(T + extra, 3, seed=seed + n) for n in range(3))
    before, _ = scaled_dot_product(q, k, v, is_causal=True)
    k[T:], v[T:] = normal(extra, 3, seed=seed + 7), 1e9
    after, weights = scaled_dot_product(q, k, v, is_causal=True)
    assert np.array_equal(before[:T], after[:T])
    assert not np.triu(weights, 1).any()


@given(S=SMALL, seed=st.integers(0, 99))
def test_the_order_of_the_keys_does_not_matter_and_neither_does_a_shift_of_them_all(close, S, seed):
    q, k, v, shift = normal(2, 3, seed=seed), normal(S, 3, seed=seed + 1), normal(S, 4, seed=seed + 2), normal(3)
    output, weights = scaled_dot_product(q, k, v)
    order = np.random.default_rng(seed).permutation(S)
    again, permuted = scaled_dot_product(q, k[order] + shift, v[order])
    close(again, output)
    close(permuted, weights[:, order])


def test_dropout_of_given_weights_is_a_product(close):
    q, k, v, d_output = normal(2, 3, 4), normal(2, 5, 4, seed=2), normal(2, 5, 3, seed=3), normal(2, 3, 3, seed=4)
    keep = (normal(2, 3, 5, seed=5) > 0) * 2.0
    tensors = [leaf(x) for x in (q, k, v)]
    expected = ((tensors[0] @ tensors[1].mT / 2).softmax(-1) * torch.from_numpy(keep)) @ tensors[2]
    expected.backward(torch.from_numpy(d_output))
    output, weights = scaled_dot_product(q, k, v, keep=keep)
    close(output, expected.detach())
    for got, x in zip(scaled_dot_product_backward(d_output, q, k, v, weights, keep=keep), tensors):
        close(got, x.grad)


# Several heads


def layer_like(library, dtype="float64", **options):
    """Ours with the library's weights; biases away from 0, where one left out would not show."""
    for name, parameter in library.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
    sizes = library.embed_dim, library.num_heads
    ours = MultiheadAttention(*sizes, bias=library.in_proj_bias is not None, kdim=library.kdim, vdim=library.vdim,
                              batch_first=library.batch_first, dtype=dtype, **options)
    ours.load_state_dict(library.state_dict())
    return ours


def run_library(library, inputs, d_output, d_weights=None, **call):
    tensors = [leaf(x) for x in inputs]
    call |= {name: torch.from_numpy(value) for name, value in call.items() if isinstance(value, np.ndarray)}
    output, weights = library(*tensors, **call)
    heads = [(output, d_output)] + [(weights, d_weights)] * (d_weights is not None)
    torch.autograd.backward(*zip(*((head, torch.from_numpy(d)) for head, d in heads)))
    arrays = [head.detach().numpy() for head, _ in heads] + [x.grad.numpy() for x in tensors]
    return arrays, {name: parameter.grad.numpy() for name, parameter in library.named_parameters()}


@settings(max_examples=150)
@given(B=st.sampled_from([None, 1, 3]), T=SMALL, S=SMALL, h=st.integers(1, 3), d_h=st.integers(1, 3),
       widths=st.sampled_from([(None, None), (2, None), (None, 5), (3, 4)]), bias=st.booleans(),
       batch_first=st.booleans(), masks=st.tuples(MASKS, MASKS), per_head=st.booleans(), is_causal=st.booleans(),
       averaged=st.booleans(), dtype=DTYPES)
def test_a_layer_is_the_librarys(close, B, T, S, h, d_h, widths, bias, batch_first, masks, per_head, is_causal,
                                 averaged, dtype):
    torch.manual_seed(0)
    d, kdim, vdim = h * d_h, *widths
    library = nn.MultiheadAttention(d, h, bias=bias, kdim=kdim, vdim=vdim, batch_first=batch_first,
                                    dtype=getattr(torch, dtype))
    ours = layer_like(library, dtype)
    layout = {None: lambda steps: (steps,)}.get(B, lambda steps: (B, steps) if batch_first else (steps, B))
    shapes = (*layout(T), d), (*layout(S), kdim or d), (*layout(S), vdim or d)
    inputs = [normal(*shape, seed=n, dtype=dtype) for n, shape in enumerate(shapes)]
    weights_shape = (B,) * (B is not None) + (h,) * (not averaged) + (T, S)
    d_output, d_weights = (normal(*shape, seed=8, dtype=dtype) for shape in (shapes[0], weights_shape))

    shape = (*([(B or 1) * h] * per_head), T, S)
    attn_mask = random_mask(masks[0], *shape, dtype=dtype, allowed=False)
    padding = random_mask(masks[1], *([] if B is None else [B]), S, seed=4, dtype=dtype, allowed=False)
    call = {"key_padding_mask": padding, "attn_mask": attn_mask, "average_attn_weights": averaged}
    theirs = dict(call)
    if is_causal:                                                            # for the library only a hint: the mask
        later = np.broadcast_to(np.triu(np.ones((T, S), bool), 1), shape)
        theirs["attn_mask"] = (later | attn_mask if masks[0] == "boolean" else later.copy() if masks[0] is None
                               else np.where(later, -np.inf, attn_mask).astype(dtype))
    if len({str(mask.dtype) for name, mask in theirs.items() if "mask" in name and mask is not None}) > 1:
        theirs |= {name: np.where(mask, -np.inf, 0).astype(dtype) for name, mask in theirs.items()
                   if "mask" in name and mask.dtype == bool}                 # the library wants both in one form
    expected, expected_grads = run_library(library, inputs, d_output, d_weights, **theirs)
    results = ours.forward(*inputs, **call, is_causal=is_causal)
    *d_inputs, grads = ours.backward(d_output, d_weights)
    for got, wanted in zip((*results, *d_inputs), expected, strict=True):
        close(got, wanted, TOLERANCE[dtype])
    assert list(grads) == list(expected_grads)
    for name, wanted in expected_grads.items():
        close(grads[name], wanted, TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_sequence_of_padding_alone_gets_the_bias_of_the_output_and_no_gradient(close, dtype):
    torch.manual_seed(0)
    library = nn.MultiheadAttention(6, 2, dtype=getattr(torch, dtype))
    ours = layer_like(library, dtype)
    inputs = [normal(4, 2, 6, seed=n, dtype=dtype) for n in range(3)]
    d_output, padding = normal(4, 2, 6, seed=5, dtype=dtype), np.array([[True] * 4, [False, False, True, True]])
    expected, expected_grads = run_library(library, inputs, d_output, key_padding_mask=padding, need_weights=False)
    with np.errstate(all="raise", under="ignore"):
        output, weights = ours.forward(*inputs, padding)
        *d_inputs, grads = ours.backward(d_output)
    for got, wanted in zip((output, *d_inputs), expected, strict=True):
        close(got, wanted, TOLERANCE[dtype])
    for name, wanted in expected_grads.items():
        close(grads[name], wanted, TOLERANCE[dtype])
    assert np.array_equal(output[:, 0], np.broadcast_to(ours.parameters["out_proj.bias"], (4, 6)))
    assert not any(nothing.any() for nothing in (weights[0], *(d[:, 0] for d in d_inputs)))


@given(length=st.integers(1, 4), seed=st.integers(0, 99))
def test_what_stands_in_the_padding_changes_nothing(length, seed):
    layer, x = MultiheadAttention(4, 2, seed=seed, dtype=np.float64), normal(5, 1, 4, seed=seed)
    padding = np.arange(5)[None] >= length
    before, _ = layer.forward(x, x, x, padding)
    spoiled = x.copy()
    spoiled[length:] = 1e6
    after, weights = layer.forward(x, spoiled, spoiled, padding)
    assert np.array_equal(before, after)
    _, d_key, d_value, _ = layer.backward(normal(5, 1, 4))
    assert not any(nothing[length:].any() for nothing in (d_key, d_value, weights.mT))


def test_one_array_for_all_three_has_the_sum_of_the_three_gradients(close):
    torch.manual_seed(0)
    library, x, d_output = nn.MultiheadAttention(6, 3, dtype=torch.float64), normal(4, 2, 6), normal(4, 2, 6, seed=2)
    ours, tensor = layer_like(library), leaf(x)
    library(tensor, tensor, tensor)[0].backward(torch.from_numpy(d_output))
    ours.forward(x, x, x)
    *d_inputs, _ = ours.backward(d_output)
    close(sum(d_inputs), tensor.grad)


def test_the_keys_bias_learns_nothing(close):
    layer, x = MultiheadAttention(6, 3, seed=0, dtype=np.float64), normal(4, 2, 6)
    output, _ = layer.forward(x, x, x)
    bias = layer.backward(normal(4, 2, 6))[-1]["in_proj_bias"]
    close(bias[6:12], np.zeros(6), 1e-14)                                    # it raises all scores of a query alike
    assert np.abs(np.delete(bias, range(6, 12))).min() > 1e-3
    layer.parameters["in_proj_bias"][6:12] = normal(6)
    close(layer.forward(x, x, x)[0], output)


@pytest.mark.parametrize("averaged", [True, False])
def test_backward_is_the_derivative_of_forward_with_dropout(close, central_difference, averaged):
    layer = MultiheadAttention(4, 2, dropout=0.4, dtype=np.float64, seed=0)
    query, source, d_output = normal(3, 2, 4), normal(5, 2, 4, seed=2), normal(3, 2, 4, seed=3)
    d_weights = normal(*((2, 3, 5) if averaged else (2, 2, 3, 5)), seed=4)

    def loss():
        layer.rng = np.random.default_rng(5)                                 # the same weights are dropped every time
        output, weights = layer.forward(query, source, source, average_attn_weights=averaged)
        return np.sum(output * d_output) + np.sum(weights * d_weights)

    loss()
    d_query, d_key, d_value, grads = layer.backward(d_output, d_weights)
    close(d_query, central_difference(loss, query), 1e-8)
    close(d_key + d_value, central_difference(loss, source), 1e-8)
    for name, parameter in layer.parameters.items():
        close(grads[name], central_difference(loss, parameter), 1e-8)


def test_dropout_zeroes_its_share_of_the_weights_in_training_only():
    layer, x = MultiheadAttention(8, 2, dropout=0.3, seed=0), normal(60, 2, 8, dtype="float32")
    _, dropped = layer.forward(x, x, x, average_attn_weights=False)
    layer.training = False
    _, weights = layer.forward(x, x, x, average_attn_weights=False)
    assert abs(np.mean(dropped == 0) - 0.3) < 0.02
    assert (weights > 0).all()
    assert np.allclose(dropped, np.where(dropped == 0, 0, weights / 0.7), rtol=1e-5)


def test_forward_leaves_its_inputs_alone_and_backward_works_after_everything_is_overwritten():
    layer, again = (MultiheadAttention(4, 2, seed=0, dtype=np.float64, batch_first=True) for _ in range(2))
    inputs, d_output = [normal(2, 3, 4, seed=n) for n in range(3)], normal(2, 3, 4, seed=4)
    masks = {"attn_mask": random_mask("float", 3, 3), "key_padding_mask": random_mask("float", 2, 3)}
    kept = [x.copy() for x in (*inputs, *masks.values(), d_output)]
    again.forward(*(x.copy() for x in inputs), **{name: mask.copy() for name, mask in masks.items()})
    expected = again.backward(d_output.copy())
    results = layer.forward(*inputs, **masks, average_attn_weights=False)
    assert all(np.array_equal(x, before) for x, before in zip((*inputs, *masks.values()), kept))
    for x in (*inputs, *masks.values(), *results):
        x[:] = np.nan
    for _ in range(2):                                                       # and a second time
        *d_inputs, grads = layer.backward(d_output)
        assert np.array_equal(d_output, kept[-1])
        for got, wanted in zip((*d_inputs, *grads.values()), (*expected[:3], *expected[3].values())):
            assert np.array_equal(got, wanted)
        for x in (*d_inputs, *grads.values()):
            x[:] = np.nan


@pytest.mark.parametrize("widths", [{}, {"kdim": 3}, {"vdim": 5}], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_weights_go_to_the_library_and_come_back(bias, widths):
    library = nn.MultiheadAttention(4, 2, bias=bias, **widths)
    ours = MultiheadAttention(4, 2, bias=bias, seed=1, **widths)
    assert list(ours.state_dict()) == list(library.state_dict())
    library.load_state_dict({name: torch.from_numpy(value) for name, value in ours.state_dict().items()})
    back = MultiheadAttention(4, 2, bias=bias, seed=2, **widths)
    back.load_state_dict(library.state_dict())
    assert all(np.array_equal(back.parameters[name], value) for name, value in ours.parameters.items())


@pytest.mark.parametrize("widths", [{}, {"kdim": 32}], ids=str)
def test_initial_weights_are_distributed_as_the_librarys(widths):
    torch.manual_seed(0)
    ours, library = MultiheadAttention(64, 4, seed=0, **widths), nn.MultiheadAttention(64, 4, **widths)
    for name, expected in library.state_dict().items():
        got, expected = ours.parameters[name], expected.numpy()
        assert got.dtype == np.float32
        if name.endswith("bias"):
            assert not got.any()
        else:
            assert np.abs(got).max() == pytest.approx(np.abs(expected).max(), rel=2e-3)
            assert ks_2samp(got.ravel(), expected.ravel()).pvalue > 0.01
    same, other = MultiheadAttention(64, 4, seed=0, **widths), MultiheadAttention(64, 4, seed=1, **widths)
    assert np.array_equal(same.parameters["out_proj.weight"], ours.parameters["out_proj.weight"])
    assert not np.array_equal(other.parameters["out_proj.weight"], ours.parameters["out_proj.weight"])


# Mistakes that people make, put into the source: each must be noticed


MISTAKES = {
    "the scale is left out of dQ": ("scaled_dot_product_backward", "d_scores @ (k * scale)", "d_scores @ k"),
    "dK is not transposed": ("scaled_dot_product_backward", "d_scores.mT @", "d_scores @"),
    "the softmax is taken for a sigmoid": ("softmax_backward", "np.vecdot(d_weights, weights)[..., None]",
                                           "weights * d_weights"),
    "the softmax is blind to a mean over keys, not under P": (
        "softmax_backward", "np.vecdot(d_weights, weights)[..., None]", "d_weights.mean(-1, keepdims=True)"),
    "the softmax runs over the queries": ("softmax", "scores.sum(-1,", "scores.sum(-2,"),
    "the scale is that of the keys' number": ("scaled_dot_product", "q.shape[-1] ** -0.5", "k.shape[-2] ** -0.5"),
    "True is left out": ("scaled_dot_product", "attn_mask, q.dtype, left_out=False", "attn_mask, q.dtype, True"),
    "causal looks ahead": ("scaled_dot_product", "np.tri(*shape[-2:], dtype=bool)", "np.tri(*shape[-2:], 1, bool)"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_comparison_notices_a_mistake(monkeypatch, close, mistake):
    name, right, mistaken = MISTAKES[mistake]
    source = textwrap.dedent(inspect.getsource(getattr(attention, name)))
    assert source.count(right) == 1
    space = dict(vars(attention))
    exec(source.replace(right, mistaken), space)
    monkeypatch.setattr(attention, name, space[name])
    q, k, v, d_output, d_weights = (normal(2, 3, width, seed=n) for n, width in enumerate((4, 4, 3, 3, 3)))
    mask = random_mask("boolean", 3, 3)
    expected = library_attention(q, k, v, d_output, d_weights, mask, True)

    def compare():
        output, weights = attention.scaled_dot_product(q, k, v, mask, True)
        gradients = attention.scaled_dot_product_backward(d_output, q, k, v, weights, d_weights=d_weights)
        for got, wanted in zip((output, weights, *gradients), expected):
            close(got, wanted)

    with pytest.raises(AssertionError):
        compare()
    monkeypatch.undo()
    compare()


# Wrong use


ONE = np.zeros((2, 3, 4), np.float32)
BAD_OPERANDS = {
    "q must be a numpy array, got list": {"q": [[1.0]]},
    "k must be a numpy array, got Tensor": {"k": torch.zeros(2, 3, 4)},
    "v must be float32, like k, got float64": {"v": ONE.astype(float)},
    "dtype must be float32 or float64, got int64": {name: ONE.astype(int) for name in "qkv"},
    "q must have shape (..., steps, width), got (4,)": {"q": ONE[0, 0]},
    "k must have shape (2, S, 4), got (2, 3, 5)": {"k": np.zeros((2, 3, 5), np.float32)},
    "v must have shape (2, 3, d_v), got (2, 2, 4)": {"v": ONE[:, :2]},
    "attn_mask must be boolean or float32, like the input, got int64": {"attn_mask": np.ones((3, 3), int)},
    "attn_mask must be a numpy array, got list": {"attn_mask": [[True]]},
    "attn_mask must broadcast to (2, 3, 3), got (3, 2)": {"attn_mask": np.ones((3, 2), bool)},
    "attn_mask must broadcast to (2, 3, 3), got (1, 2, 3, 3)": {"attn_mask": np.ones((1, 2, 3, 3), bool)},
    "is_causal must be True or False, got int 1": {"is_causal": 1},
    "scale must be a finite number, got nan": {"scale": float("nan")},
    "keep must have shape (2, 3, 3), got (2, 3, 4)": {"keep": ONE},
}


@pytest.mark.parametrize("message", BAD_OPERANDS)
def test_operands_that_do_not_fit_are_refused(refuses, message):
    kind = TypeError if any(word in message for word in ("numpy array", "float32", "True")) else ValueError
    with refuses(kind, message):
        scaled_dot_product(**({"q": ONE, "k": ONE, "v": ONE} | BAD_OPERANDS[message]))


@pytest.mark.parametrize(("bad", "error", "message"), [
    ({"d_output": None}, TypeError, "d_output must be given, got None"),
    ({"d_output": ONE[:, :2]}, ValueError, "d_output must have shape (2, 3, 4), got (2, 2, 4)"),
    ({"weights": ONE}, ValueError, "weights must have shape (2, 3, 3), got (2, 3, 4)"),
    ({"d_weights": ONE[..., :1]}, ValueError, "d_weights must have shape (2, 3, 3), got (2, 3, 1)"),
], ids=str)
def test_gradients_that_do_not_fit_are_refused(refuses, bad, error, message):
    fitting = {"d_output": ONE, "q": ONE, "k": ONE, "v": ONE, "weights": np.zeros((2, 3, 3), np.float32)}
    with refuses(error, message):
        scaled_dot_product_backward(**(fitting | bad))


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"num_heads": 3}, ValueError, "embed_dim must be a multiple of num_heads 3, got 4"),
    ({"num_heads": 0}, ValueError, "num_heads must be at least 1, got 0"),
    ({"embed_dim": 4.0}, TypeError, "embed_dim must be a whole number, got float 4.0"),
    ({"dropout": 1.5}, ValueError, "dropout must lie in [0, 1], got 1.5"),
    ({"bias": 1}, TypeError, "bias must be True or False, got int 1"),
    ({"kdim": 0}, ValueError, "kdim must be at least 1, got 0"),
    ({"vdim": "4"}, TypeError, "vdim must be a whole number, got str '4'"),
    ({"batch_first": None}, TypeError, "batch_first must be True or False, got NoneType None"),
    ({"dtype": np.float16}, TypeError, "dtype must be float32 or float64, got float16"),
], ids=str)
def test_layers_that_cannot_be_are_refused(refuses, arguments, error, message):
    with refuses(error, message):
        MultiheadAttention(**({"embed_dim": 4, "num_heads": 2} | arguments))


BAD_CALLS = {
    "query must be a numpy array, got NoneType": {"query": None},
    "key must be float32, like the parameters, got float64": {"key": np.zeros((5, 2, 4))},
    "query must have shape (T, B, 4), got (3, 2, 5)": {"query": np.zeros((3, 2, 5), np.float32)},
    "key must have shape (S, 2, 4), got (5, 3, 4)": {"key": np.zeros((5, 3, 4), np.float32)},
    "value must have shape (5, 2, 4), got (4, 2, 4)": {"value": np.zeros((4, 2, 4), np.float32)},
    "key_padding_mask must have shape (2, 5), got (5, 2)": {"key_padding_mask": np.zeros((5, 2), bool)},
    "key_padding_mask must be boolean or float32, like the input, got float64": {"key_padding_mask": np.zeros((2, 5))},
    "attn_mask must have shape (3, 5), got (5, 3)": {"attn_mask": np.zeros((5, 3), bool)},
    "attn_mask must have shape (4, 3, 5), got (2, 3, 5)": {"attn_mask": np.zeros((2, 3, 5), bool)},
    "attn_mask must be boolean or float32, like the input, got uint8": {"attn_mask": np.zeros((3, 5), np.uint8)},
    "is_causal must be True or False, got NoneType None": {"is_causal": None},
    "need_weights must be True or False, got int 1": {"need_weights": 1},
    "average_attn_weights must be True or False, got int 0": {"average_attn_weights": 0},
}


@pytest.mark.parametrize("message", BAD_CALLS)
def test_calls_that_do_not_fit_are_refused(refuses, message):
    source = np.zeros((5, 2, 4), np.float32)
    call = {"query": np.zeros((3, 2, 4), np.float32), "key": source, "value": source} | BAD_CALLS[message]
    kind = TypeError if any(word in message for word in ("numpy array", "float32", "True")) else ValueError
    with refuses(kind, message):
        MultiheadAttention(4, 2).forward(**call)


def test_backward_refuses_what_forward_did_not_return(refuses):
    layer, x = MultiheadAttention(4, 2), np.zeros((3, 2, 4), np.float32)
    with refuses(RuntimeError, "MultiheadAttention.backward needs a forward before it"):
        layer.backward(x)
    layer.forward(x, x, x, need_weights=False)
    with refuses(ValueError, "d_output must have shape (3, 2, 4), got (2, 3, 4)"):
        layer.backward(x.swapaxes(0, 1))
    with refuses(TypeError, "d_output must be float32, like the parameters, got float64"):
        layer.backward(x.astype(float))
    with refuses(ValueError, "d_weights needs a forward with need_weights=True"):
        layer.backward(x, np.zeros((2, 3, 3), np.float32))
    layer.forward(x, x, x)
    with refuses(ValueError, "d_weights must have shape (2, 3, 3), got (2, 2, 3, 3)"):
        layer.backward(x, np.zeros((2, 2, 3, 3), np.float32))
    layer.load_state_dict(layer.state_dict())
    with refuses(RuntimeError, "MultiheadAttention.backward needs a forward before it"):
        layer.backward(x)
