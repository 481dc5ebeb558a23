"""The budgets of the text: what the scored runs say of two models."""

import math

import pytest

from unrolled.studies import TUNING_SEEDS, budgets
from unrolled.training import SEEDS


def pretended(offset):
    """Rows of two models whose losses differ by `offset` in every group of windows."""
    return [{"model": model, "updates": 400, "learning_rate": 0.01, "seed": seed, "validation": [1.0],
             "groups": [1 + part / 100 + seed / 1000 + (offset if model == "b" else 0) for part in range(30)]}
            for model in "ab" for seed in (TUNING_SEEDS[0], *SEEDS)]


def test_a_constant_difference_of_losses_is_a_ratio_of_perplexities():
    mean, low, high = budgets.further(pretended(0.1), "b", "a", 400)
    assert mean == pytest.approx(100 * math.expm1(0.1))
    assert low < mean < high
    assert budgets.groups(pretended(0.1), "a", 400).shape == (len(SEEDS), 30)


def test_a_budget_is_finished_when_every_model_has_its_seeds():
    rows = pretended(0)
    assert budgets.finished(rows, "ab") == [400]
    assert budgets.finished(rows[:-1], "ab") == []
