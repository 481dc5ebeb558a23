"""What seeds can decide: an effect, its interval, and a margin that was set before anybody looked.

    effect(scores, margin=0.9)              is the mean above 0.9?
    effect(ours, theirs, margin=0.02)       are ours larger than theirs by more than 0.02?
    share(18, 20, margin=0.5)               does more than half of all seeds succeed?
    all_of(one, other)                      both?

Each says yes where the whole interval lies above the margin, no where it lies below, and nothing where the margin is
inside: more seeds would be needed. That third answer is a result like the others, and it is called undecided.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from unrolled import checks
from unrolled.training import interval

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Effect:
    """An effect over seeds.

    Attributes:
        mean, low, high: the effect and the ends of its 95 % interval, in the unit of the values.
        margin: what it is compared with.
        seeds: how many values it rests on; the smaller number where two groups are compared.
    """

    mean: float
    low: float
    high: float
    margin: float
    seeds: int

    @property
    def holds(self):
        """True: above the margin; False: not above it; None: these seeds do not decide."""
        if self.low > self.margin:
            return True
        return False if self.high < self.margin or self.low == self.high else None

    def __str__(self):
        half = (self.high - self.low) / 2
        digits = 2 if half == 0 else max(0, min(6, 1 - math.floor(math.log10(half))))
        return f"{self.mean:.{digits}f} ± {half:.{digits}f}"


@dataclass(frozen=True)
class Together:
    """Several effects of which a claim needs all. `seeds` is the smallest number of them."""

    effects: tuple

    @property
    def holds(self):
        """False as soon as one is False; True if all are True; else None."""
        words = [effect.holds for effect in self.effects]
        if False in words:
            return False
        return None if None in words else True

    @property
    def seeds(self):
        return min(effect.seeds for effect in self.effects)

    def __str__(self):
        return "; ".join(map(str, self.effects))


def effect(values, other=None, *, margin):
    """The mean of values, or how much larger it is than that of others, against a margin.

    Args:
        values: one number a seed, at least two.
        other: one number a seed of an independent group, or None.
        margin: the size that the claim's words ask for, in the unit of the values.

    Returns:
        An `Effect`, with Student's t interval of the mean, or Welch's of the difference.

    Raises:
        ValueError: fewer than two seeds, or a number that is not finite.
    """
    margin = _finite("margin", margin)
    mean, half = interval(values)
    if other is None:
        return Effect(float(mean), float(mean - half), float(mean + half), margin, len(values))
    other_mean, _ = interval(other)
    errors = [np.var(group, ddof=1) / len(group) for group in (values, other)]
    difference = float(mean - other_mean)
    if sum(errors) == 0:
        return Effect(difference, difference, difference, margin, min(len(values), len(other)))
    freedom = sum(errors) ** 2 / sum(e**2 / (len(group) - 1) for e, group in zip(errors, (values, other)))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * math.sqrt(sum(errors)))
    return Effect(difference, difference - half, difference + half, margin, min(len(values), len(other)))


def share(successes, seeds, *, margin):
    """How large a share of all seeds succeeds, against a margin.

    Args:
        successes: how many of the seeds did.
        seeds: how many there are.
        margin: a share, from 0 to 1.

    Returns:
        An `Effect`, with Wilson's interval: twenty of twenty seeds are compatible with a share of 0.84.

    Raises:
        TypeError, ValueError: counts that are no whole numbers, or do not fit; a margin that is no share.
    """
    checks.positive_int("seeds", seeds)
    if successes not in range(seeds + 1):
        raise ValueError(f"successes must be a whole number from 0 to {seeds}, got {successes!r}")
    if not 0 <= _finite("margin", margin) <= 1:
        raise ValueError(f"margin must be a share from 0 to 1, got {margin!r}")
    found = stats.binomtest(int(successes), int(seeds)).proportion_ci(CONFIDENCE, method="wilson")
    return Effect(successes / seeds, float(found.low), float(found.high), margin, seeds)


def all_of(*effects):
    """Effects of which a claim needs every one."""
    if not effects:
        raise ValueError("expected at least one effect, got none")
    return Together(effects)


def _finite(name, value):
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value)
