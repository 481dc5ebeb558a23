"""One hundred steps back: which architecture learns to recall a symbol or to add two numbers, on one grid of rates?

The tasks, networks (40,000 weights a layer), batches and tests are those of `unrolled.architectures`. Every network is
tried at the same eight learning rates, on two seeds that are not scored, and gets the one with the lowest mean of the
best validation losses. A network that no rate brings below nine tenths of the loss of guessing has learned nothing at
any of them; it is scored all the same. Recall gets 400 updates; adding gets 2,000, since at 400 hardly any network has
begun to learn it. The TCN of three blocks sees 29 steps, so it is left out.
"""

import math
import statistics

from unrolled import architectures
from unrolled.studies import TUNING_SEEDS

WEIGHTS = 40_000
UPDATES = {"delayed recall": 400, "adding": 2_000}
SEEDS = {"delayed recall": range(20), "adding": range(10)}
GUESSING = {"delayed recall": math.log(4), "adding": 1 / 6}         # nats; squared error of always answering 1
MODELS = "RNN", "LSTM", "GRU", "TCN", "Transformer"
RATES = 0.00125, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16


def run(task, model, learning_rate, seed, updates):
    """One run of `unrolled.architectures.run` with 40,000 weights in the layer; see there."""
    width = architectures.width_for(model, architectures.INPUTS[task], WEIGHTS)
    return architectures.run(task, model, width, learning_rate, seed, updates)


def tuned(rows, task, model):
    """The mean of the best validation losses on the tuning seeds, by learning rate; of rates that both have run."""
    best = {}
    for row in rows:
        if (row["task"], row["model"]) == (task, model) and row["seed"] in TUNING_SEEDS:
            best.setdefault(row["learning_rate"], []).append(min(row["validation"]))
    return {rate: statistics.mean(best[rate]) for rate in sorted(best) if len(best[rate]) == len(TUNING_SEEDS)}


def best_rate(rows, task, model):
    """The learning rate with the lowest such mean."""
    trials = tuned(rows, task, model)
    return min(trials, key=trials.get)


def learns(rows, task, model):
    """Whether a rate brought the network below nine tenths of the loss of guessing."""
    return min(tuned(rows, task, model).values()) < 0.9 * GUESSING[task]


def scored(rows, task, model):
    """The rows of the scored seeds, in their order."""
    return sorted((row for row in rows if (row["task"], row["model"]) == (task, model)
                   and row["seed"] not in TUNING_SEEDS), key=lambda row: row["seed"])


def solved(row):
    """99 of 100 answers right; or a squared error of 0.01, a seventeenth of the guess."""
    score = row["test"]["100"]
    return score >= 0.99 if row["task"] == "delayed recall" else score <= 0.01


def runs(small=False, rows=()):
    """What is to be run next: every rate on the tuning seeds, and then the scored seeds, one task after the other."""
    if small:
        return [] if rows else [_run(task, model, 0.01, 0, 10) for task in UPDATES for model in MODELS]
    for task in UPDATES:
        more = []
        for model in MODELS:
            tried = tuned(rows, task, model)
            if len(tried) < len(RATES):
                more += [_run(task, model, rate, seed) for rate in RATES if rate not in tried for seed in TUNING_SEEDS]
            elif not scored(rows, task, model):
                more += [_run(task, model, best_rate(rows, task, model), seed) for seed in SEEDS[task]]
        if more:
            return more
    return []


def _run(task, model, rate, seed, updates=None):
    return {"task": task, "model": model, "learning_rate": rate, "seed": seed, "updates": updates or UPDATES[task]}


def table(rows):
    """Lines: by task and network its rate, whether it learns, how many seeds solve the task, and their scores."""
    for task in UPDATES:
        for model in MODELS:
            if found := scored(rows, task, model):
                yield (f"{task:15} {model:12} rate {found[0]['learning_rate']:<8} "
                       f"{'learns' if learns(rows, task, model) else 'at chance':10} "
                       f"{sum(map(solved, found)):2} of {len(found)} solved; "
                       + " ".join(f"{row['test']['100']:.3g}" for row in found))
