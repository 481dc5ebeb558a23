"""The training loop learns, repeats, and stops at what is not finite; the interval over seeds is Student's."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from unrolled.training import fit, interval, seed_everything

NAN, INF = float("nan"), float("inf")


def line():
    """A model of one number, and a loss that is least at 3."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    return model, lambda batch: (model(batch) - 3 * batch).square().mean()


def test_a_seed_repeats_every_generator():
    drawn = []
    for _ in range(2):
        seed_everything(5)
        drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))  # noqa: NPY002  this is what is seeded
    assert drawn[0] == drawn[1]
    assert torch.get_num_threads() == 1


def test_fit_learns_and_returns_the_loss_before_each_update():
    model, loss = line()
    batches = [torch.ones(4, 1)] * 200
    losses = fit(model, loss, batches, learning_rate=0.1)
    assert len(losses) == 200
    assert losses[0] == 9.0
    assert losses[-1] < 1e-3
    assert model.weight.item() == pytest.approx(3, abs=0.05)


def test_fit_is_adam_with_clipping():
    ours, loss = line()
    fit(ours, loss, [torch.full((4, 1), float(number)) for number in range(1, 6)], learning_rate=0.1, max_norm=0.5)
    reference, loss = line()
    adam = torch.optim.Adam(reference.parameters(), 0.1)
    for number in range(1, 6):
        adam.zero_grad()
        loss(torch.full((4, 1), float(number))).backward()
        nn.utils.clip_grad_norm_(reference.parameters(), 0.5)
        adam.step()
    assert ours.weight.item() == pytest.approx(reference.weight.item(), rel=1e-5)


def test_a_decaying_rate_takes_smaller_and_smaller_steps():
    def steps(decay):
        model, loss = line()
        weights = []
        fit(model, lambda batch: weights.append(model.weight.item()) or loss(batch), [torch.ones(4, 1)] * 10,
            learning_rate=0.01, decay=decay)
        return np.diff(weights)

    assert np.allclose(steps(decay=False), 0.01, rtol=0.01)
    assert np.allclose(steps(decay=True), 0.01 * np.linspace(1, 0, 11)[:9], rtol=0.01)


def test_no_batch_is_refused(refuses):
    model, loss = line()
    with refuses(ValueError, "expected at least one batch, got none"):
        fit(model, loss, [], learning_rate=0.1)


@pytest.mark.parametrize("value", [NAN, INF], ids=str)
def test_a_loss_that_is_not_finite_ends_the_training_before_it_spoils_the_model(refuses, value):
    model, loss = line()
    batches = [torch.ones(4, 1), torch.full((4, 1), value)]
    with refuses(ValueError, f"expected a finite loss, got nan at update 1; the last was [{9.0}]"):
        fit(model, loss, batches, learning_rate=0.1)
    assert model.weight.item() == pytest.approx(0.1)


@pytest.mark.parametrize(("learning_rate", "max_norm", "message"), [
    (-1.0, 1.0, "Invalid learning rate: -1.0"),
    (0.1, 0.0, "max_norm must be a positive number, got 0"),
    (0.1, NAN, "max_norm must be a positive number, got nan"),
])
def test_a_wrong_rate_or_threshold_is_named(refuses, learning_rate, max_norm, message):
    model, loss = line()
    with refuses(ValueError, message):
        fit(model, loss, [torch.ones(4, 1)], learning_rate, max_norm)


# The interval


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8), st.sampled_from([0.5, 0.9, 0.95]))
def test_the_interval_is_scipys(values, confidence):
    if np.ptp(values) < 1e-6:
        values = [*values, values[0] + 1]
    mean, half = interval(values, confidence)
    low, high = stats.t.interval(confidence, len(values) - 1, np.mean(values), stats.sem(values))
    assert mean - half == pytest.approx(low, rel=1e-9, abs=1e-9)
    assert mean + half == pytest.approx(high, rel=1e-9, abs=1e-9)


def test_five_seeds_by_hand():
    mean, half = interval([1, 2, 3, 4, 5])
    assert mean == 3
    assert half == pytest.approx(2.776 * np.sqrt(2.5 / 5), rel=1e-3)    # the table's t for four degrees of freedom


def test_the_interval_holds_the_mean_as_often_as_it_says():
    runs = np.random.default_rng(0).standard_normal((5, 4000))
    mean, half = interval(runs)
    assert mean.shape == half.shape == (4000,)
    assert (np.abs(mean) <= half).mean() == pytest.approx(0.95, abs=0.015)


def test_equal_seeds_have_no_spread():
    assert interval([2.0, 2.0, 2.0]) == (2.0, 0.0)


@pytest.mark.parametrize(("values", "confidence", "error", "message"), [
    ([1.0], 0.95, ValueError, "an interval needs at least two seeds, got shape (1,)"),
    (1.0, 0.95, ValueError, "an interval needs at least two seeds, got shape ()"),
    ([], 0.95, ValueError, "an interval needs at least two seeds, got shape (0,)"),
    ([1.0, NAN], 0.95, ValueError, "values must be finite"),
    ([1.0, INF], 0.95, ValueError, "values must be finite"),
    (np.ma.masked_array([1.0, 2.0, 9.0], [0, 0, 1]), 0.95, TypeError,
     "values must be a plain numpy array, got MaskedArray"),
    ([1.0, 2.0], 1.0, ValueError, "confidence must lie in (0, 1), got 1.0"),
    ([1.0, 2.0], 95, ValueError, "confidence must lie in [0, 1], got 95"),
    ([1.0, 2.0], "95 %", TypeError, "confidence must be a number in [0, 1], got str '95 %'"),
], ids=["one seed", "a number", "none", "NaN", "inf", "masked", "certainty", "per cent", "text"])
def test_wrong_values_are_named(refuses, values, confidence, error, message):
    with refuses(error, message):
        interval(values, confidence)
