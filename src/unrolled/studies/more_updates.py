"""A convolution that does not learn to add within 400 updates: does it within 2,000?

The adding problem over 100 steps and the TCN with 40,000 weights of `unrolled.architectures`. At either budget it gets
the learning rate with the lowest mean of the best validation losses on two seeds that are not scored, from rates that
rise by factors of two until the best has a worse one on either side.
"""

import statistics

from unrolled import architectures
from unrolled.studies import TUNING_SEEDS, next_rates
from unrolled.training import SEEDS

TASK, MODEL, LENGTH = "adding", "TCN", "100"
WEIGHTS = 40_000
BUDGETS = 400, 2_000
RATES = 0.00125, 0.0025, 0.005


def run(updates, learning_rate, seed):
    """One run of `unrolled.architectures.run`; see there."""
    width = architectures.width_for(MODEL, architectures.INPUTS[TASK], WEIGHTS)
    return architectures.run(TASK, MODEL, width, learning_rate, seed, updates)


def tuned(rows, updates):
    """The mean of the best validation losses on the tuning seeds, by learning rate in rising order."""
    best = {}
    for row in rows:
        if row["updates"] == updates and row["seed"] in TUNING_SEEDS:
            best.setdefault(row["learning_rate"], []).append(min(row["validation"]))
    return {rate: statistics.mean(best[rate]) for rate in sorted(best)}


def scored(rows, updates):
    """The rows of the scored seeds, in their order."""
    return sorted((row for row in rows if row["updates"] == updates and row["seed"] in SEEDS),
                  key=lambda row: row["seed"])


def runs(small=False, rows=()):
    """What is to be run next: the rates, and then the seeds."""
    if small:
        return [] if rows else [{"updates": 10, "learning_rate": 0.01, "seed": seed} for seed in SEEDS[:2]]
    more = []
    for updates in BUDGETS:
        trials = tuned(rows, updates)
        best = min(trials, key=trials.get, default=None)
        wanted = next_rates(list(trials), best, RATES, 2)
        more += [_run(updates, rate, seed) for rate in wanted for seed in TUNING_SEEDS]
        if not wanted and not scored(rows, updates):
            more += [_run(updates, best, seed) for seed in SEEDS]
    return more


def _run(updates, rate, seed):
    return {"updates": updates, "learning_rate": rate, "seed": seed}


def table(rows):
    """Lines: by budget the rates tried, and the squared error of each scored seed."""
    for updates in BUDGETS:
        if found := scored(rows, updates):
            trials = ", ".join(f"{rate:g}: {loss:.4f}" for rate, loss in tuned(rows, updates).items())
            yield (f"{updates:5,} updates at {found[0]['learning_rate']:g}: "
                   + " ".join(f"{row['test'][LENGTH]:.4f}" for row in found) + f" (tuning {trials})")
