"""Three words and when each is said; intervals against scipy's own; and how often the rule is wrong."""

import math

import numpy as np
import pytest
from scipy import stats

from unrolled import verdicts
from unrolled.verdicts import all_of, effect, share


@pytest.mark.parametrize(("values", "margin", "holds"), [
    ([1.0, 1.1, 0.9, 1.05, 0.95], 0.5, True),
    ([1.0, 1.1, 0.9, 1.05, 0.95], 1.5, False),
    ([1.0, 1.1, 0.9, 1.05, 0.95], 1.01, None),
    ([1.0, 1.0], 0.5, True),
    ([1.0, 1.0], 1.0, False),
    ([0.0, 1.0, 0.0, 1.0, 1.0], 0.5, None),
], ids=str)
def test_one_group(values, margin, holds):
    assert effect(values, margin=margin).holds is holds


def test_two_groups_are_welchs():
    rng = np.random.default_rng(0)
    one, other = rng.normal(3, 1, 7), rng.normal(1, 2, 20)
    found = effect(one, other, margin=0)
    low, high = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    assert np.allclose((found.low, found.high), (low, high))
    assert found.seeds == 7
    assert found.holds is True
    assert effect(other, one, margin=0).holds is False


def test_groups_without_spread_are_no_fault():
    assert effect([1, 1, 1], [0, 0, 0], margin=0.5).holds is True
    assert effect([1, 1, 1], [1, 1, 1], margin=0).holds is False


def test_share_is_wilsons_and_never_certain():
    all_twenty, none = share(20, 20, margin=0.5), share(0, 20, margin=0.5)
    assert (all_twenty.holds, none.holds) == (True, False)
    z = stats.norm.ppf(0.975)
    assert math.isclose(all_twenty.low, 20 / (20 + z**2))
    assert math.isclose(all_twenty.low, 1 - none.high)
    assert share(10, 20, margin=0.5).holds is None
    assert share(20, 20, margin=0.9).holds is None


def test_of_a_true_null_one_in_forty_is_called_a_difference():
    rng = np.random.default_rng(1)
    words = [effect(one, other, margin=0).holds for one, other in rng.normal(size=(2_000, 2, 5))]
    assert 0.015 < np.mean([word is True for word in words]) < 0.035
    assert np.mean([word is None for word in words]) > 0.93


@pytest.mark.parametrize(("words", "together"), [
    ((True, True), True), ((True, None), None), ((None, False), False), ((True, False), False),
], ids=str)
def test_a_claim_of_two_parts_needs_both(words, together):
    parts = {True: share(20, 20, margin=0.5), False: share(0, 20, margin=0.5), None: share(2, 4, margin=0.5)}
    found = all_of(*(parts[word] for word in words))
    assert found.holds is together
    assert found.seeds == min(parts[word].seeds for word in words)


def test_an_effect_in_words_has_two_digits_of_its_interval():
    assert str(effect([1.0, 1.1, 0.9, 1.05, 0.95], margin=0)) == "1.000 ± 0.098"
    assert str(effect([100.0, 110.0, 90.0], margin=0)) == "100 ± 25"
    assert str(effect([1, 1], margin=0)) == "1.00 ± 0.00"


def test_the_same_question_is_put_to_all_recorded_values():
    here = all_of(effect([1.0, 2.0], [0.0, 0.0], margin=0.5), share(1, 2, margin=0.5), effect([3.0, 3.0]))
    record = [part.groups for part in all_of(effect([2.0, 3.0], [1.0, 1.0]), share(2, 2), effect([5.0, 5.0])).parts]
    both = [part.pooled([part.groups, old]) for part, old in zip(here.parts, record)]
    assert both[0] == effect([1.0, 2.0, 2.0, 3.0], [0.0, 0.0, 1.0, 1.0], margin=0.5)
    assert both[1] == share(3, 4, margin=0.5)
    assert both[2].mean == 4
    assert both[2].holds is True                            # it is only told


def test_a_claim_without_a_record_is_not_measured_and_an_old_record_is_refused(monkeypatch):
    here = effect([1.0, 2.0], margin=0)
    assert verdicts.recorded("no-such-claim", here) is None
    monkeypatch.setattr(verdicts.studies, "page_values", lambda _: [[[[1, 2]], [[3, 4]]]])
    with pytest.raises(ValueError, match="k: the page measures 1 effects"):
        verdicts.recorded("k", here)
    monkeypatch.setattr(verdicts.studies, "page_values", lambda _: [[[[1.0, 2.0]]], [[[3.0, 4.0]]]])
    assert verdicts.recorded("k", here) == effect([1, 2, 3, 4], margin=0)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: effect([1.0], margin=0), "at least two seeds"),
    (lambda: effect([1.0, math.nan], margin=0), "finite"),
    (lambda: effect([1.0, 2.0], [1.0], margin=0), "at least two seeds"),
    (lambda: effect([1.0, 2.0], margin="a"), "margin must be a finite number"),
    (lambda: share(21, 20, margin=0.5), "from 0 to 20, got 21"),
    (lambda: share(1, 2, margin=1.5), "a share from 0 to 1"),
    (lambda: all_of(), "at least one effect"),
])
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
