"""Long memory at one learning rate a network: which of seven still solves which task at which lag, in 1,000 updates.

The older and cheaper sister of `long_memory`, whose tasks, networks and run it shares. Here a network has one rate for
all tasks, chosen at lag 30 on a seed that is not scored.
"""

from itertools import chain, product

from unrolled.studies import long_memory
from unrolled.studies.long_memory import TASKS, agree, summary
from unrolled.training import SEEDS

__all__ = ["LAGS", "LEARNING_RATES", "TASKS", "agree", "run", "runs", "summary", "table"]

UPDATES = 1000                  # at most
LAGS = {"copy": (10, 30, 100), "adding": (10, 30, 100, 200), "delayed recall": (10, 30, 100, 200)}
LEARNING_RATES = {"RNN": 0.01, "LSTM 1997": 0.03, "LSTM 1997 shut": 0.03, "LSTM": 0.03, "LSTM bias 1": 0.01,
                  "LSTM chrono": 0.03, "GRU": 0.03}


def run(task, model, lag, seed, learning_rate=None, updates=UPDATES):
    """One run of `long_memory`, at the rate found best for this network if none is given."""
    return long_memory.run(task, model, lag, seed, learning_rate or LEARNING_RATES[model], updates)


def runs(small=False, rows=()):
    """Every task, model, lag and seed; short lags first, because they are the quick ones."""
    lags = dict.fromkeys(TASKS, (5,)) if small else LAGS
    return [] if rows else [
        {"task": task, "model": model, "lag": lag, "seed": seed, "learning_rate": LEARNING_RATES[model],
         "updates": 40 if small else UPDATES}
        for lag, seed, task, model in product(sorted({*chain(*lags.values())}), SEEDS[:2] if small else SEEDS, TASKS,
                                              LEARNING_RATES)
        if lag in lags[task]
    ]


def table(rows):
    """Lines: for each task, model and lag, how many seeds solved it, and the median of the updates they needed."""
    found = summary(rows)
    for task in TASKS:
        lags = sorted({row["lag"] for row in rows if row["task"] == task})
        yield f"\n{task:16}" + "".join(f"{f'lag {lag}':>14}" for lag in lags)
        for model in LEARNING_RATES:
            cells = []
            for seeds, solved, needed in (found[task, model, lag] for lag in lags):
                cells.append(f"{solved}/{seeds}" + (f" @{needed:5.0f}" if solved else " " * 7))
            yield f"  {model:14}" + "".join(f"{cell:>14}" for cell in cells)
