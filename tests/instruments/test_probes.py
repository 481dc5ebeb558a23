"""The linear probe: least squares, scored on what it was not fitted to."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from unrolled.instruments.probes import linear_probe, named_back

RNG = np.random.default_rng(0)
FEATURES = RNG.standard_normal((60, 4))
TARGETS = FEATURES @ RNG.standard_normal((4, 2)) + 3


def test_what_is_linear_is_read_exactly():
    assert np.allclose(linear_probe(FEATURES, TARGETS, 40, ridge=0), TARGETS[40:], rtol=1e-9)


def test_with_hardly_any_penalty_it_is_scikit_learns(close):
    centred = FEATURES - FEATURES[:40].mean(0)
    noisy = TARGETS + RNG.standard_normal(TARGETS.shape)
    ours = linear_probe(centred, noisy, 40, ridge=1e-9)
    close(ours, Ridge(alpha=1e-12).fit(centred[:40], noisy[:40]).predict(centred[40:]), 1e-6)


def test_rows_that_are_predicted_are_never_seen():
    spoiled = TARGETS.copy()
    spoiled[40:] = 1e6
    assert np.array_equal(linear_probe(FEATURES, spoiled, 40), linear_probe(FEATURES, TARGETS, 40))


def test_a_feature_that_never_changes_is_no_trouble():
    constant = np.column_stack([FEATURES, np.ones(60), np.zeros(60)])
    assert np.allclose(linear_probe(constant, TARGETS, 40), TARGETS[40:], atol=1e-3)


@pytest.mark.parametrize(("features", "targets", "train", "message"), [
    (FEATURES[0], TARGETS, 40, "features must have shape (N, F), got (4,)"),
    (FEATURES, TARGETS[:, 0], 40, "targets must have shape (60, K), got (60,)"),
    (FEATURES, TARGETS[:50], 40, "targets must have shape (60, K), got (50, 2)"),
    (FEATURES, TARGETS, 0, "train must lie between 1 and 59, got 0"),
    (FEATURES, TARGETS, 60, "train must lie between 1 and 59, got 60"),
    (FEATURES * np.nan, TARGETS, 40, "features and targets must be finite"),
    (FEATURES, TARGETS * np.inf, 40, "features and targets must be finite"),
], ids=["one row", "flat targets", "lengths", "nothing to fit", "nothing to predict", "NaN", "inf"])
def test_what_cannot_be_fitted_is_named(refuses, features, targets, train, message):
    with refuses(ValueError, message):
        linear_probe(features, targets, train)


def test_features_that_hold_the_last_two_characters_name_these_and_guess_the_third():
    characters = RNG.integers(5, size=(6, 300))
    now, before = np.eye(5)[characters], np.eye(5)[np.roll(characters, 1, axis=1)]
    named = named_back(np.concatenate([now, before], -1), characters, (0, 1, 2), train=4, alphabet=5)
    assert named[:2].tolist() == [1, 1]
    assert abs(named[2] - 0.2) < 0.1


def test_texts_to_fit_and_to_score_are_both_needed():
    with pytest.raises(ValueError, match="train must lie between 1 and 5, got 6"):
        named_back(np.zeros((6, 10, 2)), np.zeros((6, 10), int), (0, 1), train=6, alphabet=3)
