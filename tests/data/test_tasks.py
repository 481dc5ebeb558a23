"""Made tasks: the answer is what the sequence says, and guessing scores what the docstring says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data.tasks import adding_problem, copy_memory, delayed_recall, reversal, which_came_first

sizes = st.integers(1, 12)


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


@given(count=sizes, lag=sizes, symbols=st.integers(2, 9), length=sizes, seed=st.integers(0, 99))
def test_copy_shows_the_answer_then_blanks_a_cue_and_blanks_again(count, lag, symbols, length, seed):
    x, y = copy_memory(count, lag, seed, symbols, length)
    assert x.dtype == np.float32
    assert y.dtype == np.int64
    assert np.array_equal(x.sum(2), np.ones((count, 2 * length + lag)))
    shown, blank, cue = x.argmax(2), symbols, symbols + 1
    assert np.array_equal(shown[:, :length], y)
    assert (y < symbols).all()
    assert (shown[:, length : length + lag - 1] == blank).all()
    assert (shown[:, length + lag - 1] == cue).all()
    assert (shown[:, length + lag :] == blank).all()


@given(count=sizes, seq_len=st.integers(2, 30), seed=st.integers(0, 99))
def test_adding_asks_for_the_sum_of_one_number_of_each_half(count, seq_len, seed):
    x, y = adding_problem(count, seq_len, seed)
    assert x.shape == (count, seq_len, 2)
    assert x.dtype == y.dtype == np.float32
    numbers, marks = x[:, :, 0], x[:, :, 1]
    assert ((numbers >= 0) & (numbers <= 1)).all()
    assert np.isin(marks, (0, 1)).all()
    half = seq_len // 2
    assert np.array_equal(marks[:, :half].sum(1), np.ones(count))
    assert np.array_equal(marks[:, half:].sum(1), np.ones(count))
    assert np.allclose((numbers * marks).sum(1), y)


@given(count=sizes, lag=sizes, symbols=st.integers(2, 9), distractors=sizes, seed=st.integers(0, 99))
def test_recall_shows_the_answer_once_at_the_start(count, lag, symbols, distractors, seed):
    x, y = delayed_recall(count, lag, seed, symbols, distractors)
    assert x.shape == (count, lag + 2, symbols + distractors + 1)
    assert x.dtype == np.float32
    assert y.dtype == np.int64
    assert np.array_equal(x.sum(2), np.ones((count, lag + 2)))
    shown = x.argmax(2)
    assert np.array_equal(shown[:, 0], y)
    assert ((shown[:, 1:-1] >= symbols) & (shown[:, 1:-1] < symbols + distractors)).all()
    assert (shown[:, -1] == symbols + distractors).all()


@given(count=sizes, fewest=sizes, more=st.integers(0, 5), symbols=st.integers(2, 9), seed=st.integers(0, 99),
       reverse=st.booleans())
def test_reversal_asks_for_what_was_read_from_its_end_and_then_for_the_end(count, fewest, more, symbols, seed, reverse):
    source, lengths, target = reversal(count, (fewest, fewest + more), seed, symbols, reverse)
    assert source.dtype == lengths.dtype == target.dtype == np.int64
    assert source.shape == (count, fewest + more)
    assert target.shape == (count, fewest + more + 1)
    for read, n, written in zip(source, lengths, target):
        assert fewest <= n <= fewest + more
        assert (written == [*(read[:n][::-1] if reverse else read[:n]), *[symbols] * (fewest + more + 1 - n)]).all()
        assert (read < symbols).all()
        assert not read[n:].any()


def test_all_lengths_and_symbols_of_reversal_are_as_likely():
    source, lengths, _ = reversal(20_000, (3, 6), seed=0, symbols=4)
    assert np.bincount(lengths)[3:] / 20_000 == pytest.approx(1 / 4, abs=0.02)
    assert np.bincount(source[:, :3].ravel()) / 60_000 == pytest.approx(1 / 4, abs=0.02)


def test_a_seed_decides_what_is_reversed_and_copying_reads_the_same():
    reversed_, again, other, copied = (reversal(5, (2, 9), seed, reverse=reverse)
                                       for seed, reverse in ((1, True), (1, True), (2, True), (1, False)))
    assert all(np.array_equal(*pair) for pair in zip(reversed_, again))
    assert not np.array_equal(reversed_[0], other[0])
    assert np.array_equal(reversed_[0], copied[0])


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((0, (1, 2), 0), ValueError, "count must be at least 1, got 0"),
    ((1, 5, 0), TypeError, "lengths must be a pair (fewest, most), got int"),
    ((1, (1, 2, 3), 0), ValueError, "lengths must be a pair (fewest, most), got 3 parts"),
    ((1, (0, 2), 0), ValueError, "fewest of lengths must be at least 1, got 0"),
    ((1, (1, 2.5), 0), TypeError, "most of lengths must be a whole number, got float 2.5"),
    ((1, (3, 2), 0), ValueError, "lengths must be a pair (fewest, most), got (3, 2)"),
    ((1, (1, 2), 0, 1), ValueError, "symbols must be at least 2, or there is nothing to guess; got 1"),
    ((1, (1, 2), 0, 2, "yes"), TypeError, "reverse must be True or False, got str 'yes'"),
])
def test_wrong_sizes_of_a_reversal_are_named(refuses, arguments, error, message):
    with refuses(error, message):
        reversal(*arguments)


def test_marks_fall_everywhere_in_their_half():
    marks = adding_problem(2000, 9, seed=0)[0][:, :, 1].mean(0)
    assert marks[:4] == pytest.approx(1 / 4, abs=0.05)
    assert marks[4:] == pytest.approx(1 / 5, abs=0.05)


def test_guessing_the_mean_of_the_sums_has_a_squared_error_of_a_sixth():
    y = adding_problem(100_000, 4, seed=0)[1]
    assert y.mean() == pytest.approx(1, abs=0.01)
    assert y.var() == pytest.approx(1 / 6, rel=0.02)


@pytest.mark.parametrize(("make", "symbols"), [(copy_memory, 8), (delayed_recall, 4)])
def test_every_symbol_is_as_likely_so_a_guess_has_the_entropy_of_the_alphabet(make, symbols):
    share = np.bincount(make(20_000, 3, seed=0)[1].ravel()) / make(20_000, 3, seed=0)[1].size
    assert len(share) == symbols
    assert -(share * np.log(share)).sum() == pytest.approx(np.log(symbols), rel=1e-3)


@pytest.mark.parametrize("make", [copy_memory, adding_problem, delayed_recall])
def test_a_seed_decides_the_long_memory_tasks_too(make):
    (x, y), (again, y_again), (other, _) = (make(5, 8, seed) for seed in (1, 1, (1, 2)))
    assert np.array_equal(x, again)
    assert np.array_equal(y, y_again)
    assert not np.array_equal(x, other)


@pytest.mark.parametrize(("make", "arguments", "error", "message"), [
    (copy_memory, (0, 5, 0), ValueError, "count must be at least 1, got 0"),
    (copy_memory, (2, 0, 0), ValueError, "lag must be at least 1, got 0"),
    (copy_memory, (2, 5, 0, 1), ValueError, "symbols must be at least 2, or there is nothing to guess; got 1"),
    (copy_memory, (2, 5, 0, 8, 0), ValueError, "length must be at least 1, got 0"),
    (adding_problem, (2, 1, 0), ValueError, "seq_len must be at least 2 to hold two marks, got 1"),
    (adding_problem, (2, 7.5, 0), TypeError, "seq_len must be a whole number, got float 7.5"),
    (delayed_recall, (2, "9", 0), TypeError, "lag must be a whole number, got str '9'"),
    (delayed_recall, (2, 5, 0, 1), ValueError, "symbols must be at least 2, or there is nothing to guess; got 1"),
    (delayed_recall, (2, 5, 0, 4, 0), ValueError, "distractors must be at least 1, got 0"),
])
def test_wrong_sizes_of_the_long_memory_tasks_are_named(refuses, make, arguments, error, message):
    with refuses(error, message):
        make(*arguments)
