"""The numbers of the figures to touch in the first half of the chapter on Transformers. No site needed."""

import shutil

import numpy as np
import pytest
import torch
from tests.site.test_touch import script
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import unrolled.numpy
import unrolled.torch

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("factor", [0, 0.5, 1, 10])
def test_lookup_attends_as_the_package_does(factor, is_causal):
    q, k, v = (np.array(rows, float) for rows in (
        [[0, 2], [2, 0], [0, 2]], [[2, 0], [0, 2], [1, 0]], [[4, 1], [0, 6], [2, 2]]))     # those of the page
    outputs, weights = unrolled.numpy.attention.scaled_dot_product(factor * q, k, v, is_causal=is_causal)
    for t in range(3):
        found = script("lookup", "scaled_dot_product", t, factor, is_causal)
        np.testing.assert_allclose(found["weights"], weights[t], rtol=1e-12)
        np.testing.assert_allclose(found["output"], outputs[t], rtol=1e-12)


@pytest.mark.parametrize("query", [[2, 0, 0, 2], [0, 0, 0, 6], [1.5, -1, 0.5, 3]])
@pytest.mark.parametrize("num_heads", [1, 2, 4])
def test_heads_attend_side_by_side(query, num_heads):
    keys, values = [[2, 0, 0, 0], [0, 1, -1, 2]], [[8, 8, 7, 8], [2, 3, 2, 2]]
    cut = zip(*(np.split(np.array(rows, float), num_heads, -1) for rows in ([query], keys, values)))
    outputs, weights = zip(*(unrolled.numpy.attention.scaled_dot_product(*parts) for parts in cut))
    found = script("heads", "attend", query, keys, values, num_heads)
    np.testing.assert_allclose(found["weights"], np.concatenate(weights), rtol=1e-12)
    np.testing.assert_allclose(found["output"], np.concatenate(outputs, -1)[0], rtol=1e-12)


@pytest.mark.parametrize("n", [2, 4, 7])
@pytest.mark.parametrize("left_out", [False, True])
@pytest.mark.parametrize("name", ["True on and below the diagonal", "True above the diagonal", "no mask"])
def test_masks_are_read_as_the_library_reads_them(name, left_out, n):
    square = torch.ones(n, n, dtype=torch.bool)
    mask = {"True on and below the diagonal": square.tril(), "True above the diagonal": square.triu(1)}.get(name)
    x = torch.randn(n, 4)
    if left_out:
        weights = unrolled.torch.MultiheadAttention(4, 1)(x, x, x, attn_mask=mask)[1]
        library = nn.MultiheadAttention(4, 1)(x, x, x, attn_mask=mask)[1]
    else:
        weights = unrolled.torch.attention.attention_weights(x, x, attn_mask=mask)
        library = F.scaled_dot_product_attention(x, x, torch.eye(n), attn_mask=mask)
    seen = [row.nonzero()[:, 0].tolist() for row in weights]
    assert script("causal-masks", "sees", name, n, left_out) == seen
    assert [row.nonzero()[:, 0].tolist() for row in library.nan_to_num(0)] == seen


@pytest.mark.parametrize("t", [0, 3, 105])
@pytest.mark.parametrize("d", [2, 16])
def test_hands_turn_as_the_package_turns_them(t, d):
    p = unrolled.torch.sinusoidal(106, d, dtype=torch.float64)
    np.testing.assert_allclose(script("hands", "sinusoidal", t, d), p[t], rtol=1e-12, atol=1e-14)
    for s in (0, 4, 103):
        found = script("hands", "products", t, s, d)
        hands = torch.tensor([[1.0, 0] * (d // 2)] * 2, dtype=torch.float64)
        turned = unrolled.torch.rotary(hands, torch.tensor([t, s]))
        for one, other in (p[t], p[s]), turned:
            np.testing.assert_allclose(found, (one * other).view(-1, 2).sum(1), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("x", [[1, 3, 5, 7], [-2.5, 0, 0, 40], [4, 4, 4, 4], [1, -1]])
def test_norm_is_the_layer_normalisation_of_the_library(x):
    found = script("norm", "standardised", x)
    np.testing.assert_allclose([found["mean"], found["deviation"]], [np.mean(x), np.std(x)], rtol=1e-12)
    step = torch.tensor(x, dtype=torch.float64)
    for expected in unrolled.torch.norm.standardised(step, -1), F.layer_norm(step, step.shape):
        np.testing.assert_allclose(found["output"], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("scores", "values"), [
    ([np.log(3), 0], [4, 0]), ([3.5, 0, 0], [4, 6.5, 2]), ([100, 100.5, 99], [-2, 8, 2])])
def test_score_slopes_are_the_gradient_of_the_package(scores, values):
    attention = unrolled.numpy.attention
    q, k, v = np.ones((1, 1)), np.array(scores, float)[:, None], np.array(values, float)[:, None]
    output, weights = attention.scaled_dot_product(q, k, v)
    _, d_k, _ = attention.scaled_dot_product_backward(np.ones((1, 1)), q, k, v, weights)    # with q = 1, k is the score
    found = script("score-slopes", "attend", scores, values)
    np.testing.assert_allclose(found["output"], output[0, 0], rtol=1e-12)
    np.testing.assert_allclose(found["weights"], weights[0], rtol=1e-12)
    np.testing.assert_allclose(found["d_scores"], d_k[:, 0], rtol=1e-11, atol=1e-14)
    slopes = np.linspace(-1, 2, len(scores))
    expected = attention.softmax_backward(slopes.copy(), weights[0])
    np.testing.assert_allclose(script("score-slopes", "softmax_backward", slopes.tolist(), weights[0].tolist()),
                               expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("window", [2, 5, 12])
@pytest.mark.parametrize("n", [1, 4, 12])
def test_kv_cache_counts_what_the_layer_does(n, window):
    d, places = 8, torch.arange(n)
    seen = (places <= places[:, None]) & (places > places[:, None] - window)
    pairs = unrolled.torch.attention.attention_weights(*torch.randn(2, n, d), attn_mask=seen).count_nonzero(-1)
    again = script("kv-cache", "step", n, window, False)
    assert again == {"read": n, "pairs": pairs.sum().item(), "kept": 0}

    layer, cache = unrolled.torch.CausalTransformer(d, 2, positions="alibi", fused=False), None
    for x in torch.randn(n, 1, 1, d):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            _, cache = layer(x, cache)
        cache = [tuple(part[:, :, -(window - 1):] for part in pair) for pair in cache]          # as the page cuts it
    cached = script("kv-cache", "step", n, window, True)
    assert cached["read"] == 1
    assert cached["pairs"] == pairs[-1]
    assert 24 * d**2 * cached["read"] + 4 * d * cached["pairs"] == counter.get_total_flops()
    assert cached["kept"] == cache[0][0].shape[2]
    for keeps in (False, True):
        steps = [script("kv-cache", "step", t, window, keeps) for t in range(1, n + 1)]
        assert script("kv-cache", "total", n, window, keeps) == {
            "read": sum(step["read"] for step in steps), "pairs": sum(step["pairs"] for step in steps)}


@pytest.mark.parametrize("n", [1, 2, 18])
def test_head_maps_tell_where_a_query_looks(n):
    weights = np.random.default_rng(n).dirichlet(np.ones(n))
    found = script("head-maps", "looks", weights.tolist())
    places, shares = zip(*found["order"])
    np.testing.assert_array_equal(places, np.argsort(-weights))
    np.testing.assert_allclose(shares, np.sort(weights)[::-1], rtol=1e-12)
    np.testing.assert_allclose(found["back"], (n - 1) - weights @ np.arange(n), rtol=1e-12, atol=1e-14)
