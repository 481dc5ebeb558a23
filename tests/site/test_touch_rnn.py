"""The numbers of the figures to touch in the chapter on recurrent networks, as the package computes them."""

import shutil

import numpy as np
import pytest
import torch
from tests.site.test_touch import script
from torch import nn
from torch.nn import functional as F

import unrolled.numpy

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

random = np.random.default_rng(0)


@pytest.mark.parametrize("logits", [[2.0, 1.0, 0.0], [-4.0, 6.0, 0.5], [800.0, 799.0, 790.0], [0.0, 0.0, 0.0]])
def test_cross_entropy_is_that_of_pytorch(logits):
    given = torch.tensor(logits, dtype=torch.float64)
    np.testing.assert_allclose(script("cross-entropy", "softmax", logits), given.softmax(0), rtol=1e-12)
    losses = [F.cross_entropy(given[None], torch.tensor([k])).item() for k in range(3)]
    np.testing.assert_allclose(script("cross-entropy", "losses", logits), losses, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 3), (1, 0), (1, 2), (1, 3)])
def test_batch_first_has_read_what_has_a_derivative(row, column, batch_first):
    x = torch.randn(2, 4, 3, requires_grad=True)
    output, _ = nn.RNN(3, 5, batch_first=batch_first)(x)
    [slopes] = torch.autograd.grad(output[row, column].sum(), x)
    assert script("batch-first", "read", row, column, batch_first) == slopes.abs().sum(-1).nonzero().tolist()


@pytest.mark.parametrize("hidden_size", [1, 5])
def test_long_silence_runs_a_layer_and_its_read_out(hidden_size):
    layer = unrolled.numpy.RNN(3, hidden_size, dtype=np.float64)
    v, c = random.standard_normal((1, hidden_size)), random.standard_normal(1)
    network = {f"rnn.{name}": values.tolist() for name, values in layer.parameters.items()}
    network |= {"readout.weight": v.tolist(), "readout.bias": c.tolist()}
    noise = random.standard_normal(40).tolist()
    for before, a_first in ((0, True), (2, False), (30, True)):
        night = np.array(script("long-silence", "night", noise, before, a_first))
        np.testing.assert_array_equal(night[:, 2], noise[: before + 10])
        assert night[:, :2].sum(0).tolist() == [1, 1]
        rang = [before, before + 5] if a_first else [before + 5, before]
        assert night[:, :2].argmax(0).tolist() == rang
        states, _ = layer.forward(night)
        np.testing.assert_allclose(script("long-silence", "logits", network, night.tolist()),
                                   (states @ v.T + c)[:, 0], rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("temperature", [0.2, 1, 1.7])
def test_next_character_divides_the_logits_by_the_temperature(temperature):
    logits, came = 5 * random.standard_normal((20, 96)), random.integers(96, size=20)
    given = torch.from_numpy(logits) / temperature
    found = [script("next-character", "probabilities", row, temperature) for row in logits[:3].tolist()]
    np.testing.assert_allclose(found, given[:3].softmax(1), rtol=1e-12)
    expected = F.cross_entropy(given, torch.from_numpy(came)).exp().item()
    np.testing.assert_allclose(script("next-character", "perplexity", logits.tolist(), came.tolist(), temperature),
                               expected, rtol=1e-12)


def test_reading_back_counts_the_characters_that_are_named_correctly():
    letters, named = random.integers(3, size=40), random.integers(3, size=(30, 4))
    lags = np.array([0, 1, 5, 10])
    expected = (named == letters[np.arange(10, 40)[:, None] - lags]).sum(1)
    rows = ["".join("abc"[letter] for letter in row) for row in named]
    read = "".join("abc"[letter] for letter in letters)
    assert script("reading-back", "hits", rows, read, lags.tolist()) == expected.tolist()


def test_line_arrives_finds_the_name_and_the_answers_that_turn():
    labels = [-1, 0, 0, -1, 1, 1, 1, -1, -1, 0]
    assert [script("line-arrives", "name", labels, arrived) for arrived in (1, 2, 4, 6, 9, 10)] == [
        None, [1, 1], [1, 2], [4, 5], [4, 6], [9, 9]]
    answers = [random.random(end + 1) for end in range(len(labels))]
    for arrived in range(2, len(labels) + 1):
        before, now = answers[arrived - 2], answers[arrived - 1][: arrived - 1]
        turned = (np.array(labels[: arrived - 1]) >= 0) & ((before > 0.5) != (now > 0.5))
        assert script("line-arrives", "turned", [row.tolist() for row in answers], labels, arrived) == turned.sum()
