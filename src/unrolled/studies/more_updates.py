"""A convolution that does not learn to add within 400 updates: does it within 2,000?

The adding problem over 100 steps and the TCN with 40,000 weights of `architectures`. At either budget it gets
the learning rate with the lowest mean of the best validation losses on two seeds that are not scored, from rates that
rise by factors of two until the best has a worse one on either side.
"""

from unrolled.studies import architectures, by_rate, of_seeds, search
from unrolled.training import SEEDS

TASK, MODEL, LENGTH = "adding", "TCN", "100"
WEIGHTS = 40_000
BUDGETS = 400, 2_000
RATES = 0.00125, 0.0025, 0.005


def run(updates, learning_rate, seed):
    """One run of `architectures.run`; see there."""
    width = architectures.width_for(MODEL, architectures.INPUTS[TASK], WEIGHTS)
    return architectures.run(TASK, MODEL, width, learning_rate, seed, updates)


def tuned(rows, updates):
    """The mean of the best validation losses on the tuning seeds, by learning rate in rising order."""
    return by_rate([row for row in rows if row["updates"] == updates], lambda row: min(row["validation"]))


def scored(rows, updates):
    """The rows of the scored seeds, in their order."""
    return of_seeds([row for row in rows if row["updates"] == updates], SEEDS)


def runs(small=False, rows=()):
    """What is to be run next: the rates, and then the seeds."""
    if small:
        return [] if rows else [{"updates": 10, "learning_rate": 0.01, "seed": seed} for seed in SEEDS[:2]]
    return [{"updates": updates, "learning_rate": rate, "seed": seed} for updates in BUDGETS
            for rate, seed in search(tuned(rows, updates), scored(rows, updates), RATES, 2, SEEDS)]


def table(rows):
    """Lines: by budget the rates tried, and the squared error of each scored seed."""
    for updates in BUDGETS:
        if found := scored(rows, updates):
            trials = ", ".join(f"{rate:g}: {loss:.4f}" for rate, loss in tuned(rows, updates).items())
            yield (f"{updates:5,} updates at {found[0]['learning_rate']:g}: "
                   + " ".join(f"{row['test'][LENGTH]:.4f}" for row in found) + f" (tuning {trials})")
