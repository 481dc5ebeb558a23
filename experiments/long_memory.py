"""Which model still solves which task at which lag: the runs, the choice of learning rates, and the tables."""

from itertools import chain, product

from unrolled.long_memory import LEARNING_RATES, MODELS, TASKS, UPDATES, summary
from unrolled.training import SEEDS

LAGS = {"copy": (10, 30, 100), "adding": (10, 30, 100, 200), "delayed recall": (10, 30, 100, 200)}
GRID = 0.003, 0.01, 0.03
TUNING_LAG = 30
TUNING_SEED = 99                # none of SEEDS: a model is not scored on the seed its learning rate was chosen for


def long_memory(small=False):
    """Every task, model, lag and seed; short lags first, because they are the quick ones."""
    lags = dict.fromkeys(TASKS, (5,)) if small else LAGS
    seeds, updates = (SEEDS[:2], 40) if small else (SEEDS, UPDATES)
    return [
        {"task": task, "model": model, "lag": lag, "seed": seed, "learning_rate": LEARNING_RATES[model],
         "updates": updates}
        for lag, seed, task, model in product(sorted({*chain(*lags.values())}), seeds, TASKS, MODELS)
        if lag in lags[task]
    ]


def tuning(small=False):
    """Every task, model and learning rate of the grid, at one lag, on the seed kept for this."""
    lag, updates = (5, 40) if small else (TUNING_LAG, UPDATES)
    return [
        {"task": task, "model": model, "lag": lag, "seed": TUNING_SEED, "learning_rate": rate, "updates": updates}
        for task, model, rate in product(TASKS, MODELS, GRID)
    ]


def best_learning_rates(rows):
    """By model, the rate that needed the fewest updates over all tasks; the lowest loss breaks ties.

    A run that did not solve its task counts with all the updates it was given, a loss as a part of the baseline.
    """
    def cost(model, rate):
        mine = [row for row in rows if (row["model"], row["learning_rate"]) == (model, rate)]
        return sum(row["updates"] for row in mine), sum(row["loss"] / TASKS[row["task"]].baseline for row in mine)

    return {model: min(GRID, key=lambda rate: cost(model, rate)) for model in MODELS}


def table(rows):
    """Lines: for each task, model and lag, how many seeds solved it, and the median of the updates they needed."""
    found = summary(rows)
    for task in TASKS:
        lags = sorted({row["lag"] for row in rows if row["task"] == task})
        yield f"\n{task:16}" + "".join(f"{f'lag {lag}':>14}" for lag in lags)
        for model in MODELS:
            cells = []
            for seeds, solved, needed in (found[task, model, lag] for lag in lags):
                cells.append(f"{solved}/{seeds}" + (f" @{needed:5.0f}" if solved else " " * 7))
            yield f"  {model:14}" + "".join(f"{cell:>14}" for cell in cells)


def tuning_table(rows):
    """Lines: by model and learning rate, the updates needed over all tasks, and the rate that is best."""
    yield f"{'updates at rate':16}" + "".join(f"{rate:>9}" for rate in GRID) + "     best"
    for model, best in best_learning_rates(rows).items():
        mine = [[row["updates"] for row in rows if (row["model"], row["learning_rate"]) == (model, r)] for r in GRID]
        yield f"  {model:14}" + "".join(f"{sum(updates):9}" for updates in mine) + f"{best:9}"
