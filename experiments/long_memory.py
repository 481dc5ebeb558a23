"""Which model still solves which task at which lag: the runs, the choice of learning rates, and the tables."""

import statistics
from itertools import product

from unrolled.long_memory import LEARNING_RATES, MODELS, TASKS, UPDATES
from unrolled.training import SEEDS

LAGS = 10, 20, 50, 100, 200
GRID = 0.003, 0.01, 0.03, 0.1
TUNING_LAGS = 20, 50
TUNING_SEED = 99                # none of SEEDS: a model is not scored on the seed its learning rate was chosen for


def long_memory(small=False):
    """Every task, model, lag and seed; seed by seed, so that a sweep that was stopped has something of everything."""
    seeds, lags, updates = (SEEDS[:2], (5,), 40) if small else (SEEDS, LAGS, UPDATES)
    return [
        {"task": task, "model": model, "lag": lag, "seed": seed, "learning_rate": LEARNING_RATES[task][model],
         "updates": updates}
        for seed, task, model, lag in product(seeds, TASKS, MODELS, lags)
    ]


def tuning(small=False):
    """Every task, model and learning rate of the grid, at two lags, on the seed kept for this."""
    lags, updates = ((5,), 40) if small else (TUNING_LAGS, UPDATES)
    return [
        {"task": task, "model": model, "lag": lag, "seed": TUNING_SEED, "learning_rate": rate, "updates": updates}
        for task, model, lag, rate in product(TASKS, MODELS, lags, GRID)
    ]


def best_learning_rates(rows):
    """By task and model, the rate that needed fewest updates over all lags; the lower loss where that is a tie.

    A run that was not solved counts all the updates it was given.
    """
    def cost(task, model, rate):
        mine = [row for row in rows if (row["task"], row["model"], row["learning_rate"]) == (task, model, rate)]
        return sum(row["updates"] for row in mine), sum(row["loss"] for row in mine)

    return {task: {model: min(GRID, key=lambda rate: cost(task, model, rate)) for model in MODELS} for task in TASKS}


def table(rows):
    """Lines: for each task, model and lag, how many seeds solved it, and the median of the updates they needed."""
    lags = sorted({row["lag"] for row in rows})
    for task in TASKS:
        yield f"\n{task:16}" + "".join(f"{f'lag {lag}':>14}" for lag in lags)
        for model in MODELS:
            cells = []
            for lag in lags:
                mine = [row for row in rows if (row["task"], row["model"], row["lag"]) == (task, model, lag)]
                solved = [row["updates"] for row in mine if row["solved"]]
                after = f" @{statistics.median(solved):5.0f}" if solved else " " * 7
                cells.append(f"{len(solved)}/{len(mine)}{after}")
            yield f"  {model:14}" + "".join(f"{cell:>14}" for cell in cells)


def tuning_table(rows):
    """Lines: the learning rate that was best, by task and model."""
    for task, rates in best_learning_rates(rows).items():
        yield f"{task:16}" + "  ".join(f"{model} {rate}" for model, rate in rates.items())
