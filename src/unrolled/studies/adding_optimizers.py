"""The same clipped gradients, two optimisers: who learns to add two numbers within 600 updates?

The adding problem over 50 steps and the network of chapter bptt: 32 rectified units whose U starts as the identity, 16
new sequences an update, every gradient clipped to norm 1. Plain gradient descent and Adam each get the learning rate
with the lowest mean loss of the last 50 updates on two seeds that are not scored, from rates that rise by factors of
about three until the best has a worse one on either side. A loss that is not finite counts as infinite.
"""

import math
import statistics

import torch
from torch import nn
from torch.nn import functional as F

from unrolled import checks
from unrolled.data.tasks import adding_problem
from unrolled.instruments.gradients import clip_grad_norm
from unrolled.studies import by_rate, of_seeds, search
from unrolled.training import seed_everything, six_digits

STEPS, WIDTH, BATCH, UPDATES, LAST = 50, 32, 16, 600, 50
OPTIMIZERS = {"SGD": torch.optim.SGD, "Adam": torch.optim.Adam}
RATES = {"SGD": (0.003, 0.01, 0.03), "Adam": (0.0007, 0.002, 0.006)}


def run(optimizer, learning_rate, seed, updates=UPDATES):
    """Train one network.

    Args:
        optimizer: a key of `OPTIMIZERS`.
        learning_rate: its rate, constant.
        seed: of the weights and of every batch.
        updates: how many, at least 50.

    Returns:
        A dict of the arguments; `loss`, the mean squared error of each 50 updates, None where one was not finite; and
        `clipped`, the share of updates whose gradient was longer than 1.
    """
    seed_everything(seed)
    rnn, readout = nn.RNN(2, WIDTH, nonlinearity="relu"), nn.Linear(WIDTH, 1)
    nn.init.eye_(rnn.weight_hh_l0)
    parameters = [*rnn.parameters(), *readout.parameters()]
    step = OPTIMIZERS[checks.choice("optimizer", optimizer, OPTIMIZERS)](parameters, learning_rate)
    losses, longer = [], 0
    for update in range(updates):
        x, y = map(torch.from_numpy, adding_problem(BATCH, STEPS, (1 + seed, update)))
        loss = F.mse_loss(readout(rnn(x.transpose(0, 1))[0][-1])[:, 0], y)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            losses += [math.inf] * (updates - len(losses))
            break
        step.zero_grad()
        loss.backward()
        longer += float(clip_grad_norm(parameters, 1.0)) > 1
        step.step()
    means = [statistics.fmean(losses[at : at + LAST]) for at in range(0, updates, LAST)]
    return {"optimizer": optimizer, "learning_rate": learning_rate, "seed": seed, "updates": updates,
            "loss": [six_digits(mean) if math.isfinite(mean) else None for mean in means],
            "clipped": six_digits(longer / updates)}


def tuned(rows, optimizer):
    """The mean loss of the last 50 updates on the tuning seeds, by learning rate in rising order."""
    mine = [row for row in rows if row["optimizer"] == optimizer]
    return by_rate(mine, lambda row: math.inf if row["loss"][-1] is None else row["loss"][-1])


def scored(rows, optimizer):
    """The rows of the scored seeds, in their order."""
    return of_seeds(row for row in rows if row["optimizer"] == optimizer)


def runs(small=False, rows=()):
    """What is to be run next: the rates, and then the seeds."""
    if small:
        return [] if rows else [_run(optimizer, 0.01, seed, LAST) for optimizer in OPTIMIZERS for seed in (0, 1)]
    return [_run(optimizer, rate, seed) for optimizer in OPTIMIZERS
            for rate, seed in search(tuned(rows, optimizer), scored(rows, optimizer), RATES[optimizer], 3)]


def _run(optimizer, rate, seed, updates=UPDATES):
    return {"optimizer": optimizer, "learning_rate": rate, "seed": seed, "updates": updates}


def table(rows):
    """Lines: by optimiser the rates tried, and the loss of the last 50 updates of each scored seed."""
    for optimizer in OPTIMIZERS:
        trials = tuned(rows, optimizer).items()
        yield f"{optimizer} tuning: " + ", ".join(f"{rate:g}: {loss:.4f}" for rate, loss in trials)
        if found := scored(rows, optimizer):
            yield f"{optimizer} at {found[0]['learning_rate']:g}: " + " ".join(
                "inf" if row["loss"][-1] is None else f"{row['loss'][-1]:.3f}" for row in found)
