"""Made tasks: the answer is what the sequence says, and only order tells it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.tasks import which_came_first


@given(count=st.integers(1, 30), seq_len=st.integers(2, 12), seed=st.integers(0, 99))
def test_each_sequence_holds_one_of_each_alarm_at_different_steps_and_the_answer_is_their_order(count, seq_len, seed):
    x, y = which_came_first(count, seq_len, seed)
    assert x.shape == (count, seq_len, 3)
    assert x.dtype == y.dtype == np.float32
    assert np.array_equal(x[:, :, :2].sum(1), np.ones((count, 2)))
    first, second = x[:, :, 0].argmax(1), x[:, :, 1].argmax(1)
    assert (first != second).all()
    assert np.array_equal(y, first < second)


def test_both_answers_are_equally_likely():
    assert which_came_first(4000, 10, seed=0)[1].mean() == pytest.approx(0.5, abs=0.03)


def test_a_seed_decides_the_sequences():
    assert np.array_equal(which_came_first(5, 6, 1)[0], which_came_first(5, 6, 1)[0])
    assert not np.array_equal(which_came_first(5, 6, 1)[0], which_came_first(5, 6, 2)[0])


@pytest.mark.parametrize(("count", "seq_len", "error", "message"), [
    (0, 6, ValueError, "count must be at least 1, got 0"),
    (2.5, 6, TypeError, "count must be a whole number, got float 2.5"),
    (5, 1, ValueError, "seq_len must be at least 2 to hold two alarms, got 1"),
    (5, True, TypeError, "seq_len must be a whole number, got bool True"),
])
def test_wrong_sizes_are_named(refuses, count, seq_len, error, message):
    with refuses(error, message):
        which_came_first(count, seq_len, 0)
