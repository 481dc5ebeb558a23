"""Coupled gates: does an LSTM learn to remember sooner if one number decides both what it keeps and what it writes?

    run("LSTM, coupled", learning_rate=0.03, first=0, seeds=20)        a minute

Delayed recall at a lag of 30 (`unrolled.data.tasks`): name the first of 31 symbols at the end. A GRU, an LSTM, and an
LSTM with f = 1 - i, of 32 units each and as `unrolled.torch` starts them. Adam, 32 new sequences an update for each
seed, the gradient of each clipped to norm 1, a constant learning rate. A seed has solved the task at the first update
that ends 25 with 99 of 100 answers right.

The learning rate is chosen for each network on ten seeds that are not scored: the rate at which more of them solve the
task, then the one with more right answers at the end. Rates rise by factors of about three until the best has a worse
one on either side.
"""

import torch
import torch.nn.functional as F
from torch import nn

import unrolled.torch
from unrolled import checks
from unrolled.data.tasks import delayed_recall
from unrolled.studies import next_rates
from unrolled.studies.side_by_side import SideBySide, fit_each
from unrolled.training import six_digits

LAG, WIDTH, BATCH, UPDATES, WINDOW = 30, 32, 32, 1000, 25
RATES = 0.003, 0.01, 0.03, 0.1
FIRST_TUNING, TUNING, SCORED = 100, 10, 20                  # seeds 100 ... 109 choose, seeds 0 ... 19 are scored
MODELS = {
    "GRU": lambda: unrolled.torch.GRU(9, WIDTH),
    "LSTM": lambda: unrolled.torch.LSTM(9, WIDTH),
    "LSTM, coupled": lambda: unrolled.torch.LSTM(9, WIDTH, forget_gate="coupled"),
}


class Recall(nn.Module):
    """Name the first symbol after the last step."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.readout = layer, nn.Linear(WIDTH, 4)

    def forward(self, x):                                   # (T, B, 9)
        return self.readout(self.layer(x)[0][-1])           # (B, 4)


def run(model, learning_rate, first, seeds, updates=UPDATES):
    """Train copies of one network side by side, a seed each.

    Args:
        model: a key of `MODELS`.
        learning_rate: Adam's.
        first, seeds: the seeds are first, first + 1, …, as many as `seeds`.
        updates: how many, at least 25.

    Returns:
        A dict of the arguments and, one entry a seed: `accuracy`, over the last 25 updates; `solved`, the update at
        which it had solved the task, or None.
    """
    build = MODELS[checks.choice("model", model, MODELS)]
    copies, right = SideBySide(lambda: Recall(build()), range(first, first + seeds)), []

    def losses(key):
        x, y = map(torch.from_numpy, delayed_recall(seeds * BATCH, LAG, (first, key)))
        x = x.view(seeds, BATCH, LAG + 2, 9).transpose(1, 2).contiguous()       # (seeds, T, B, 9)
        answers, y = copies(x), y.view(seeds, BATCH)                            # (seeds, B, 4)
        right.append((answers.argmax(-1) == y).float().mean(1))
        return F.cross_entropy(answers.transpose(1, 2), y, reduction="none").mean(1)

    fit_each(copies, losses, range(updates), learning_rate)
    means = torch.stack(right).unfold(0, WINDOW, 1).mean(-1)                    # (updates - 24, seeds)
    good = means >= 0.99
    solved = [int(one.float().argmax()) + WINDOW if one.any() else None for one in good.T]
    return {"model": model, "learning_rate": learning_rate, "first": first, "seeds": seeds, "updates": updates,
            "accuracy": [six_digits(value) for value in means[-1]], "solved": solved}


def tuned(rows, model):
    """The tuning run of a network by learning rate, in rising order."""
    found = {row["learning_rate"]: row for row in rows if (row["model"], row["first"]) == (model, FIRST_TUNING)}
    return dict(sorted(found.items()))


def best_rate(rows, model):
    """The rate at which more tuning seeds solve the task, then the one with more right answers at the end."""
    trials = tuned(rows, model)
    return max(trials, key=lambda rate: (sum(one is not None for one in trials[rate]["solved"]),
                                         sum(trials[rate]["accuracy"])))


def scored(rows, model):
    """The run of the seeds that are scored."""
    [row] = [row for row in rows if (row["model"], row["first"]) == (model, 0)]
    return row


def runs(small=False, rows=()):
    """What is to be run next: the rates, further ones while the best lies at the edge, and then the seeds."""
    if small:
        return [] if rows else [_run(model, 0.01, 0, 2, WINDOW) for model in MODELS]
    if not rows:
        return [_run(model, rate, FIRST_TUNING, TUNING) for model in MODELS for rate in RATES]
    more = []
    for model in MODELS:
        rates = next_rates(list(tuned(rows, model)), best_rate(rows, model), RATES, 3)
        more += [_run(model, rate, FIRST_TUNING, TUNING) for rate in rates]
    if more or any(row["first"] == 0 for row in rows):
        return more
    return [_run(model, best_rate(rows, model), 0, SCORED) for model in MODELS]


def _run(model, rate, first, seeds, updates=UPDATES):
    return {"model": model, "learning_rate": rate, "first": first, "seeds": seeds, "updates": updates}


def table(rows):
    """Lines: each run's network and rate, how many seeds solved the task, and the updates that the median one took."""
    for row in rows:
        needed = sorted(one for one in row["solved"] if one)
        median = f", median of these {needed[len(needed) // 2]} updates" if needed else ""
        kind = "scored" if row["first"] == 0 else "tuning"
        yield f"{kind} {row['model']:14} rate {row['learning_rate']:<6}: {len(needed)} of {row['seeds']} solved{median}"
