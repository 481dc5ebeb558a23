"""The numbers of the figures to touch of the chapter on attention, as in test_touch.py."""

import itertools
import re
import shutil

import notebook_form
import numpy as np
import pytest
import torch
from scipy import optimize
from tests.site.test_touch import script

import unrolled.numpy
from unrolled.instruments.explanation import variation
from unrolled.studies import bottleneck
from unrolled.torch import EncoderDecoder, attention, scores
from unrolled.training import seed_everything

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

KEYS, VALUES = [[1, 0], [0, 2], [2, 0]], [7, 3, 6]


@pytest.mark.parametrize(("query", "target"), [([0, 1], 3), ([3, 0], 3), ([6, 0], 5.5), ([-1, 2.5], 7)])
def test_push_has_the_derivatives_of_autograd_and_descends(query, target):
    q = torch.tensor(query, dtype=torch.float64)
    K, v = torch.tensor(KEYS, dtype=torch.float64), torch.tensor(VALUES, dtype=torch.float64)
    for steps in range(6):
        q = q.detach().requires_grad_()
        scores = K @ q
        weights = scores.softmax(0)
        context = weights @ v
        d_scores, d_query = torch.autograd.grad((context - target) ** 2 / 2, (scores, q))
        found = script("push", "descend", query, KEYS, VALUES, target, steps)
        np.testing.assert_allclose(found, q.detach(), rtol=1e-12, atol=1e-14)
        forward = script("push", "forward", found, KEYS, VALUES)
        np.testing.assert_allclose(forward[0], weights.detach(), rtol=1e-12)
        np.testing.assert_allclose(forward[1], context.item(), rtol=1e-12)
        d_e = script("push", "d_e", found, KEYS, VALUES, target)
        np.testing.assert_allclose(d_e, d_scores, rtol=1e-9, atol=1e-13)
        d_weights = (context.item() - target) * np.array(VALUES)
        by_hand = unrolled.numpy.attention.softmax_backward(d_weights, weights.detach().numpy())
        np.testing.assert_allclose(d_e, by_hand, rtol=1e-9, atol=1e-13)
        q = q - 0.2 * d_query


@pytest.mark.parametrize(("n", "w"), [(1, 0.5), (3, 0.5), (6, 0.9), (8, 0.2)])
def test_packed_reads_every_text_as_a_layer_of_one_unit_and_finds_the_best_threshold(n, w):
    layer = unrolled.numpy.RNN(1, 1, bias=False, dtype=np.float64)
    layer.load_state_dict({"weight_ih_l0": np.ones((1, 1)), "weight_hh_l0": np.array([[w]])})
    texts = np.array(list(itertools.product((0, 1), repeat=n)))                        # (2**n, n)
    assert script("packed", "texts", n) == texts.tolist()
    states = layer.forward(texts.T[..., None].astype(float))[0][-1, :, 0]
    for text, state in list(zip(texts.tolist(), states))[::5]:
        np.testing.assert_allclose(script("packed", "read", text, w), state, rtol=1e-14)
    np.testing.assert_allclose(script("packed", "gap", n, w), np.diff(np.sort(states)).min(), rtol=1e-9, atol=1e-15)
    for place in {0, n // 2, n - 1}:
        threshold, right = script("packed", "readable", n, w, place)
        every = [-1, *(states + 1e-12)]
        assert right == max(((states > one) == texts[:, place]).sum() for one in every)
        assert right == ((states > threshold) == texts[:, place]).sum()


@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_the_package(seed):
    random = np.random.default_rng(seed)
    q, k, units = random.normal(size=2), random.normal(size=2), seed + 1
    W, U, v = random.normal(size=(units, 2)), random.normal(size=(units, 2)), random.normal(size=units)
    layers = {"dot": scores.DotAttention(), "general": scores.GeneralAttention(2, 2),
              "additive": scores.AdditiveAttention(2, 2, units)}
    square = random.normal(size=(2, 2))
    given = {"dot": {}, "general": {"W": square}, "additive": {"W": W, "U": U, "v": v}}
    for name, layer in layers.items():
        layer.double().load_state_dict({key: torch.tensor(value) for key, value in given[name].items()})
        keys = torch.tensor(k)[None, None]
        expected = layer.score(torch.tensor(q)[None, None], layer.prepare(keys)).item()
        found = script("scores", name, q.tolist(), k.tolist(), *(value.tolist() for value in given[name].values()))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("query", "added"), [
    ([0, 1], [0, 0, 0, 0]), ([0, 1], [0, 0, 0, None]), ([1, 2], [0, 0, 0, -5]), ([0, 3], [None, None, None, 0]),
    ([0, 1], [None] * 4),
])
def test_masks_attend_as_the_package_does(query, added):
    keys, values = [*KEYS, [0, 0]], [*VALUES, 0]
    weights, context = script("masks", "attend", query, keys, values, added)
    shifts = np.array([0 if number is None else number for number in added])
    left_out = np.array([number is None for number in added])
    expected = attention.masked_softmax(torch.tensor(np.array(keys) @ query + shifts, dtype=torch.float64)
                                        .masked_fill(torch.tensor(left_out), -torch.inf)).numpy()
    np.testing.assert_allclose(weights, expected, rtol=1e-12)
    np.testing.assert_allclose(context, expected @ values, rtol=1e-12)


@pytest.mark.parametrize("p", [[0.5, 0.8, 0.9, 0.5], [1, 0.05, 1, 1]])
def test_forced_has_the_cross_entropy_of_the_library(p):
    logits = torch.tensor(np.log([p, 1 - np.array(p) + 1e-300]).T)
    right = torch.zeros(4, dtype=torch.int64)
    losses, mean = script("forced", "nats", p)
    np.testing.assert_allclose(losses, torch.nn.functional.cross_entropy(logits, right, reduction="none"), rtol=1e-12)
    np.testing.assert_allclose(mean, torch.nn.functional.cross_entropy(logits, right), rtol=1e-12)
    np.testing.assert_allclose(script("forced", "whole", p), np.exp(-4 * mean), rtol=1e-12)


@pytest.mark.parametrize(("values", "tolerance"), [
    ([7, 3, 6], 0), ([7, 3, 6], 0.25), ([-7, -3, -6], 0.25), ([7, 3, 3], 0), ([2, 5, 4, 9], 1),
])
def test_others_finds_the_farthest_weights_of_all(values, tolerance):
    own = np.random.default_rng(0).dirichlet(np.ones(len(values)))
    answer = own @ values
    found = np.array(script("others", "farthest", own.tolist(), values, tolerance))
    distance = script("others", "variation", own.tolist(), found.tolist())
    np.testing.assert_allclose(distance, variation(torch.tensor(own), torch.tensor(found)), rtol=1e-12)
    np.testing.assert_allclose(found.sum(), 1, rtol=1e-12)
    assert found.min() >= 0
    assert abs(found @ values - answer) <= tolerance + 1e-12
    # Total variation is the largest gain over all sets of words, and each of these is a linear programme
    shape = {"A_ub": [values, np.negative(values)], "b_ub": [answer + tolerance, tolerance - answer],
             "A_eq": np.ones((1, len(values))), "b_eq": [1]}
    gains = [optimize.linprog(-np.array(chosen), **shape).fun + np.array(chosen) @ own
             for chosen in itertools.product((0, 1), repeat=len(values))]
    np.testing.assert_allclose(distance, -min(gains), rtol=1e-7)


@pytest.mark.parametrize(("effect", "said"), [((0.1, 0.3), "ahead of"), ((-0.3, -0.1), "behind"),
                                              ((-0.1, 0.1), "not told apart from")])
def test_lead_says_whether_the_interval_leaves_zero_out(effect, said):
    assert script("lead", "verdict", *effect) == said


def test_look_has_the_mass_and_the_hits_of_the_package():
    weights = torch.tensor(np.random.default_rng(0).dirichlet(np.ones(6), size=(1, 5)))
    alignment = [[0], [], [2, 3, 4], [5, 1], [4]]
    found = script("look", "agreement", weights[0].tolist(), alignment)
    np.testing.assert_allclose(found, bottleneck.agreement(weights, [alignment]), rtol=1e-6)
    assert [script("look", "largest", row.tolist()) for row in weights[0]] == weights[0].argmax(-1).tolist()


def test_beam_finds_by_hand_what_the_page_finds():
    cells = [cell.source for cell in notebook_form.read(notebook_form.BOOK / "attention/decoding.ipynb").cells]
    model, search = (next(cell for cell in cells if text in cell) for text in ("MODEL = {", "def search("))
    exec(model.partition("answer_tree")[0] + search.partition("for width in")[0], page := {})
    tree = {word: {symbol: np.log(p) for symbol, p in after.items()} for word, after in page["MODEL"].items()}
    for width in (1, 2, 4):
        best = script("beam", "search", tree, 2, width)[-1]["longer"][0]
        word, p = page["search"](page["MODEL"], 2, width)
        assert best["word"] == word
        np.testing.assert_allclose(np.exp(best["log_p"]), p, rtol=1e-12)


@pytest.mark.parametrize("width", [1, 2, 3, 8])
def test_beam_is_the_search_of_the_package(width):
    seed_everything(width)
    model = EncoderDecoder(3, 2, 4, 5, dtype=torch.float64)                          # writes a, b and the end
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(4)                                                               # far from equal probabilities
    source, lengths, tree = torch.tensor([[0, 2, 1]]), torch.tensor([3]), {}
    for steps in range(4):
        for word in itertools.product(range(2), repeat=steps):
            logits = model(source, lengths, torch.tensor([[*word, 0]]))[0][0, -1]
            tree["".join("ab"[c] for c in word)] = dict(zip("ab.", logits.log_softmax(-1).tolist()))
    symbols, log_p = model.beam_search(source, lengths, 4, width)
    found = script("beam", "search", tree, 4, width)[-1]["longer"][:width]
    words = ["".join("ab."[c] for c in row) for row in symbols[0]]
    assert [one["word"] for one in found] == [re.sub(r"\.+$", ".", word) for word in words]
    np.testing.assert_allclose([one["log_p"] for one in found], log_p[0].detach(), rtol=1e-12)
