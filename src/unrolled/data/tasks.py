"""Made tasks whose answer is known exactly."""

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
