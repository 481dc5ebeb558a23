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

from unrolled import checks, studies
from unrolled.training import interval

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Effect:
    """An effect over seeds.

    Attributes:
        mean, low, high: the effect and the ends of its 95 % interval, in the unit of the values.
        margin: what it is compared with; None where it is only told.
        seeds: how many values it rests on; the smaller number where two groups are compared.
        groups: the values, one tuple or two of them; or of a share, successes and seeds.
        kind: how it was made: "effect" or "share".
    """

    mean: float
    low: float
    high: float
    margin: float | None
    seeds: int
    groups: tuple
    kind: str = "effect"

    @property
    def half(self):
        """Half of the interval."""
        return (self.high - self.low) / 2

    @property
    def holds(self):
        """True above the margin, or if only told, False if not above it, None if these seeds do not decide."""
        if self.margin is None or self.low > self.margin:
            return True
        return False if self.high < self.margin or self.low == self.high else None

    @property
    def parts(self):
        return (self,)

    def pooled(self, groups):
        """The same question, put to the values of a record."""
        if self.kind == "share":
            successes, seeds = (sum(part) for part in zip(*groups))
            return share(successes, seeds, margin=self.margin)
        one, *other = (sum(map(list, part), []) for part in zip(*groups))
        return effect(one, *other, margin=self.margin)

    def __str__(self):
        if self.kind == "share":
            return "{} of {}".format(*self.groups)
        digits = 2 if self.half == 0 else max(0, min(6, 1 - math.floor(math.log10(self.half))))
        return f"{self.mean:.{digits}f} ± {self.half:.{digits}f}"


@dataclass(frozen=True)
class Together:
    """Several effects of which a claim needs all."""

    parts: tuple

    @property
    def holds(self):
        """False as soon as one is False; True if all are True; else None."""
        words = [part.holds for part in self.parts]
        if False in words:
            return False
        return None if None in words else True

    @property
    def seeds(self):
        """The smallest number of seeds."""
        return min(part.seeds for part in self.parts)

    def __str__(self):
        return "; ".join(map(str, self.parts))


def effect(values, other=None, *, margin=None):
    """The mean of values, or how much larger it is than that of others, against a margin.

    Args:
        values: one number a seed, at least two.
        other: one number a seed of an independent group, or None.
        margin: the size that the claim's words ask for, in the unit of the values; None to tell the effect only.

    Returns:
        An `Effect`, with Student's t interval of the mean, or Welch's of the difference.

    Raises:
        ValueError: fewer than two seeds, or a number that is not finite.
    """
    margin = None if margin is None else _finite("margin", margin)
    groups = tuple(tuple(map(float, np.ravel(group))) for group in (values, other) if group is not None)
    intervals = [interval(group) for group in groups]
    seeds = min(map(len, groups))
    if other is None:
        (mean, half), = intervals
        return Effect(float(mean), float(mean - half), float(mean + half), margin, seeds, groups)
    difference = float(intervals[0][0] - intervals[1][0])
    errors = [np.var(group, ddof=1) / len(group) for group in groups]
    if sum(errors) == 0:
        return Effect(difference, difference, difference, margin, seeds, groups)
    freedom = sum(errors) ** 2 / sum(error**2 / (len(group) - 1) for error, group in zip(errors, groups))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * math.sqrt(sum(errors)))
    return Effect(difference, difference - half, difference + half, margin, seeds, groups)


def share(successes, seeds, *, margin=None):
    """How large a share of all seeds succeeds, against a margin.

    Args:
        successes: how many of the seeds did.
        seeds: how many there are.
        margin: a share, from 0 to 1; None to tell it only.

    Returns:
        An `Effect`, with Wilson's interval: twenty of twenty seeds are compatible with a share of 0.84.

    Raises:
        TypeError, ValueError: counts that are no whole numbers, or do not fit; a margin that is no share.
    """
    checks.positive_int("seeds", seeds)
    if successes not in range(seeds + 1):
        raise ValueError(f"successes must be a whole number from 0 to {seeds}, got {successes!r}")
    if margin is not None and not 0 <= _finite("margin", margin) <= 1:
        raise ValueError(f"margin must be a share from 0 to 1, got {margin!r}")
    successes, seeds = int(successes), int(seeds)
    found = stats.binomtest(successes, seeds).proportion_ci(CONFIDENCE, method="wilson")
    return Effect(successes / seeds, float(found.low), float(found.high), margin, seeds, (successes, seeds), "share")


def all_of(*effects):
    """Effects of which a claim needs every one."""
    if not effects:
        raise ValueError("expected at least one effect, got none")
    return Together(tuple(part for one in effects for part in one.parts))


def recorded(key, here):
    """The effects of a claim over all seeds with which its page was run beforehand.

    Args:
        key: of the claim.
        here: the effects that the page has just measured, of its few seeds.

    Returns:
        The same effects over all recorded seeds; None if the claim is in no record.

    Raises:
        ValueError: the record is of another number of effects, so that it is older than the page.
    """
    values = studies.page_values(key)
    if values is None:
        return None
    if {len(one) for one in values} != {len(here.parts)}:
        raise ValueError(f"{key}: the page measures {len(here.parts)} effects, and the record holds another number")
    pooled = [part.pooled(groups) for part, groups in zip(here.parts, zip(*values))]
    return all_of(*pooled) if isinstance(here, Together) else pooled[0]


def _finite(name, value):
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    return float(value)
