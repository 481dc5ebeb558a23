"""Made tasks whose answer is known exactly, and with it what a network scores that remembers nothing.

Three of them ask for long memory and have their lag as an argument: `delayed_recall` and `adding_problem` come from
Hochreiter & Schmidhuber 1997, `copy_memory` and the form of `adding_problem` from Arjovsky, Shah & Bengio 2016. Tallec
& Ollivier 2018 measure their start of the gates on the last two.
"""

import numpy as np

from unrolled import checks


def which_came_first(count, seq_len, seed):
    """Two alarms in noise: which of them rang first?

    Each sequence holds one alarm A and one alarm B at two different random steps, and a third channel of noise. The sum
    over time is the same for both answers, so nothing but order tells them apart.

    Args:
        count: number of sequences.
        seq_len: T, at least 2.
        seed: of the positions and the noise.

    Returns:
        x, (count, T, 3), float32: alarm A, alarm B, standard normal noise; y, (count,), float32: 1 where A is first.

    Raises:
        TypeError, ValueError: sizes that are not whole numbers, or a sequence too short for two alarms.
    """
    count = checks.positive_int("count", count)
    seq_len = checks.positive_int("seq_len", seq_len)
    if seq_len < 2:
        raise ValueError(f"seq_len must be at least 2 to hold two alarms, got {seq_len}")
    rng = np.random.default_rng(seed)
    steps = rng.permuted(np.tile(np.arange(seq_len), (count, 1)), axis=1)[:, :2]    # two different steps a sequence
    x = np.zeros((count, seq_len, 3), np.float32)
    x[np.arange(count), steps[:, 0], 0] = 1
    x[np.arange(count), steps[:, 1], 1] = 1
    x[:, :, 2] = rng.standard_normal((count, seq_len))
    return x, (steps[:, 0] < steps[:, 1]).astype(np.float32)


def copy_memory(count, lag, seed, symbols=8, length=5):
    """Read some symbols, wait, and name all of them in order.

    Each sequence is `length` random symbols, `lag` - 1 blanks, one cue, and `length` more blanks during which the
    symbols are to be named, each lag + length steps after it was read. Source: the copying memory problem of Arjovsky,
    Shah & Bengio 2016, there with 10 symbols out of 8, and the blanks to be named too. A network without memory cannot
    do better than guess: at a cross-entropy of ln(`symbols`) a symbol and an accuracy of 1 / `symbols`.

    Args:
        count: number of sequences.
        lag: steps from the last symbol to the cue, at least 1.
        seed: of the symbols.
        symbols: how many different ones there are, K, at least 2.
        length: how many are to be kept, n.

    Returns:
        x, (count, 2n + lag, K + 2), float32: the symbols, the blank and the cue, one-hot; y, (count, n), int64: the
        symbols to be named at the last n steps.

    Raises:
        TypeError, ValueError: sizes that are not whole numbers or too small.
    """
    count, lag, length = (checks.positive_int(*pair) for pair in (("count", count), ("lag", lag), ("length", length)))
    symbols = _several("symbols", symbols)
    y = np.random.default_rng(seed).integers(symbols, size=(count, length))
    shown = np.full((count, 2 * length + lag), symbols)             # blank
    shown[:, :length] = y
    shown[:, length + lag - 1] = symbols + 1                        # cue
    return np.eye(symbols + 2, dtype=np.float32)[shown], y


def adding_problem(count, seq_len, seed):
    """Add the two numbers that are marked, among many that are not.

    Each step shows a number drawn from [0, 1] and a mark, which is 1 at one random step of the first half and at one of
    the second. Source: Hochreiter & Schmidhuber 1997, experiment 4, in the form of Arjovsky, Shah & Bengio 2016. Always
    guessing the mean, 1, has a squared error of 1/6: the variance of the sum of two such numbers.

    Args:
        count: number of sequences.
        seq_len: T, at least 2.
        seed: of the numbers and the marks.

    Returns:
        x, (count, T, 2), float32: number, mark; y, (count,), float32: the sum of the two marked numbers.

    Raises:
        TypeError, ValueError: sizes that are not whole numbers, or a sequence too short for two marks.
    """
    count, seq_len = checks.positive_int("count", count), checks.positive_int("seq_len", seq_len)
    if seq_len < 2:
        raise ValueError(f"seq_len must be at least 2 to hold two marks, got {seq_len}")
    rng = np.random.default_rng(seed)
    x = np.zeros((count, seq_len, 2), np.float32)
    x[:, :, 0] = rng.random((count, seq_len), np.float32)
    rows = np.arange(count)
    marked = rng.integers(seq_len // 2, size=count), rng.integers(seq_len // 2, seq_len, size=count)
    for steps in marked:
        x[rows, steps, 1] = 1
    return x, x[rows, marked[0], 0] + x[rows, marked[1], 0]


def delayed_recall(count, lag, seed, symbols=4, distractors=4):
    """Keep the first symbol through many that do not matter, and name it when asked.

    Each sequence is one symbol to be kept, `lag` random distractors, and a cue at which the symbol is to be named.
    Source: after Hochreiter & Schmidhuber 1997, task 2c: two symbols there, and lags up to 1000. Without memory the
    cross-entropy is ln(`symbols`) and the accuracy 1 / `symbols`.

    Args:
        count: number of sequences.
        lag: how many distractors stand between the symbol and the cue, at least 1.
        seed: of the symbols and the distractors.
        symbols: how many different ones can be asked for, K, at least 2.
        distractors: how many different distractors there are, M.

    Returns:
        x, (count, lag + 2, K + M + 1), float32: symbol, distractor or cue, one-hot; y, (count,), int64: the symbol to
        be named at the last step.

    Raises:
        TypeError, ValueError: sizes that are not whole numbers or too small.
    """
    count, lag = checks.positive_int("count", count), checks.positive_int("lag", lag)
    symbols, distractors = _several("symbols", symbols), checks.positive_int("distractors", distractors)
    rng = np.random.default_rng(seed)
    y = rng.integers(symbols, size=count)
    shown = np.full((count, lag + 2), symbols + distractors)        # cue
    shown[:, 0] = y
    shown[:, 1:-1] = symbols + rng.integers(distractors, size=(count, lag))
    return np.eye(symbols + distractors + 1, dtype=np.float32)[shown], y


def reversal(count, lengths, seed, symbols=8, reverse=True):
    """Read some symbols, then write them down from the last to the first.

    All that was read has to be kept, and the last symbol read is the first to be written: Sutskever, Vinyals & Le 2014
    turned their sources round so that a translation would begin near what it begins with.

    Args:
        count: number of sequences.
        lengths: how many symbols a sequence has, as the pair of the fewest and the most; all are equally likely.
        seed: of the lengths and the symbols.
        symbols: how many different ones there are, K, at least 2.
        reverse: False to copy them in the order in which they were read.

    Returns:
        source, (count, most), int64: the symbols, then 0; their lengths, (count,), int64; target, (count, most + 1),
        int64: the symbols in the order asked for, then K, the end.

    Raises:
        TypeError, ValueError: sizes that are not whole numbers or too small, or the most below the fewest.
    """
    count, symbols = checks.positive_int("count", count), _several("symbols", symbols)
    checks.flag("reverse", reverse)
    pair = checks.states("lengths", lengths, ("fewest", "most"))
    fewest, most = (checks.positive_int(*named) for named in pair.items())
    if most < fewest:
        raise ValueError(f"lengths must be a pair (fewest, most), got {lengths}")
    rng = np.random.default_rng(seed)
    length = rng.integers(fewest, most + 1, size=count)
    source, step = rng.integers(symbols, size=(count, most)), np.arange(most)
    source[step >= length[:, None]] = 0
    order = (length[:, None] - 1 - step) % most if reverse else np.tile(step, (count, 1))
    target = np.full((count, most + 1), symbols)
    target[:, :most] = np.where(step < length[:, None], np.take_along_axis(source, order, axis=1), symbols)
    return source, length, target


def _several(name, value):
    """Return `value` as an int; raise unless it is a whole number of at least 2."""
    value = checks.positive_int(name, value)
    if value < 2:
        raise ValueError(f"{name} must be at least 2, or there is nothing to guess; got {value}")
    return value
