"""The next character of a text at growing budgets: which architecture is ahead, and after how many updates?

The networks, their widths (40,000 weights a layer), batches and test windows are those of `architectures`;
here the number of updates varies. Each network is tuned at each budget, over rates that rise by factors of two until
the best has a worse one on either side. Besides the perplexity of the whole test, each run keeps the mean loss of each
of thirty groups of windows: how they spread is the test's own sampling error.
"""

import math

import numpy as np
import torch
from scipy import stats

from unrolled.data import load_source_code
from unrolled.data.source_code import encode
from unrolled.studies import TUNING_SEEDS
from unrolled.studies.architectures import INPUTS, MODELS, TASKS, train, width_for
from unrolled.training import SEEDS

WEIGHTS = 40_000
BUDGETS = 400, 4_000, 16_000
LONGEST = "LSTM", "GRU", "Transformer", "Transformer, rotary"       # what is also given the largest budget
START = {"RNN": 0.005, "LSTM": 0.02, "GRU": 0.01, "TCN": 0.005, "Transformer": 0.01}      # where tuning begins
GROUPS = 30                     # of ten neighbouring test windows each
WINDOW = 64


def run(model, updates, learning_rate, seed):
    """Train one network on the text.

    Args:
        model: one of `architectures.MODELS`.
        updates: how many, a multiple of ten.
        learning_rate: Adam's at the start; it falls linearly to zero.
        seed: of weights and batches.

    Returns:
        A dict of the arguments, `width`, and what `architectures.train` returns; and `groups`, the mean loss
        in nats of each thirtieth of the test windows.
    """
    width = width_for(model, INPUTS["text"], WEIGHTS)
    groups = []

    def make(seed, characters):
        sizes, draw, error, held_out, tests = TASKS["text"](seed, characters)

        def with_groups(network):
            x, y = held_out_windows()
            for part in torch.arange(x.shape[1]).chunk(GROUPS):
                groups.append(round(error(network, x[:, part], y[:, part]).item(), 4))
            return math.exp(error(network, x, y))

        return sizes, draw, error, held_out, tests | {WINDOW: with_groups}

    found = train(make, INPUTS["text"], model, width, learning_rate, seed, updates)
    return {"model": model, "updates": updates, "learning_rate": learning_rate, "seed": seed, "width": width,
            **found, "groups": groups}


def held_out_windows(length=WINDOW, count=300, scored=32, longest=256):
    """The test of `architectures`: the last 32 characters of 300 windows.

    Returns:
        x, (length, count), and y, (scored, count): codes of characters.
    """
    part = torch.from_numpy(encode(load_source_code().test))
    places = torch.linspace(longest, len(part) - 1, count).long()
    steps = places + torch.arange(-length, 1)[:, None]
    return part[steps[:-1]], part[steps[1:]][-scored:]


def tuned(rows, model, updates):
    """The rows of a model and a budget on the seed for tuning, by learning rate in rising order."""
    mine = [row for row in rows if (row["model"], row["updates"], row["seed"]) == (model, updates, TUNING_SEEDS[0])]
    return {row["learning_rate"]: row for row in sorted(mine, key=lambda row: row["learning_rate"])}


def best_rate(rows, model, updates):
    """The learning rate with the lowest validation loss on the seed for tuning."""
    trials = tuned(rows, model, updates)
    return min(trials, key=lambda rate: min(trials[rate]["validation"]))


def chosen(rows, model, updates):
    """The rows of a model and a budget on the scored seeds at the best rate, one a seed."""
    rate = best_rate(rows, model, updates)
    mine = [row for row in rows if (row["model"], row["updates"], row["learning_rate"]) == (model, updates, rate)]
    return sorted((row for row in mine if row["seed"] in SEEDS), key=lambda row: row["seed"])


def groups(rows, model, updates):
    """Mean losses of the scored runs in nats, (seeds, groups of windows)."""
    return np.array([row["groups"] for row in chosen(rows, model, updates)])


def finished(rows, models):
    """The budgets at which every one of these models has all its scored seeds."""
    return [updates for updates in BUDGETS if any(row["updates"] == updates for row in rows) and all(
        len(chosen(rows, model, updates)) == len(SEEDS) for model in models)]


def further(rows, one, other, updates, confidence=0.95):
    """How much larger the perplexity of one model is than that of another, in per cent.

    The interval holds two uncertainties: of the seeds, and of the test, by its groups of windows, which are paired
    between the models. The degrees of freedom are those of the seeds, the fewer of the two.

    Args:
        rows: of the record.
        one, other: models.
        updates: the budget.
        confidence: of the interval.

    Returns:
        The mean and the ends of the interval.
    """
    pair = [groups(rows, name, updates) for name in (one, other)]
    paired = pair[0].mean(0) - pair[1].mean(0)
    error = math.sqrt(sum(part.mean(1).var(ddof=1) / len(part) for part in pair) + paired.var(ddof=1) / len(paired))
    half = stats.t.ppf((1 + confidence) / 2, len(pair[0]) - 1) * error
    return [100 * math.expm1(paired.mean() + side * half) for side in (0, -1, 1)]


def runs(small=False, rows=()):
    """What is to be run next: tuning and then the scored seeds, one budget after the other."""
    if small:
        return [] if rows else [_run(model, 10, 0.01, seed) for model in MODELS for seed in (TUNING_SEEDS[0], 0)]
    for updates in BUDGETS:
        models = [model for model in MODELS if updates < BUDGETS[-1] or model in LONGEST]
        if more := [run for model in models for run in _lacking(rows, model, updates)]:
            return more
    return []


def _lacking(rows, model, updates):
    tried = tuned(rows, model, updates)
    best = best_rate(rows, model, updates) if tried else START[model.partition(",")[0]]
    if rates := [rate for rate in (best / 2, best, best * 2) if rate not in tried]:
        return [_run(model, updates, rate, TUNING_SEEDS[0]) for rate in rates]
    scored = {row["seed"] for row in chosen(rows, model, updates)}
    return [_run(model, updates, best, seed) for seed in SEEDS if seed not in scored]


def _run(model, updates, learning_rate, seed):
    return {"model": model, "updates": updates, "learning_rate": learning_rate, "seed": seed}


def table(rows):
    """Lines: for each budget and model the rate and the test perplexities by length of window."""
    for updates in sorted({row["updates"] for row in rows}):
        for model in MODELS:
            if found := tuned(rows, model, updates) and chosen(rows, model, updates):
                scores = "   ".join(f"{length}: " + " ".join(f"{row['test'][length]:.2f}" for row in found)
                                    for length in found[0]["test"])
                yield f"{updates:6} updates  {model:20} rate {found[0]['learning_rate']:<8.4g} {scores}"
