"""A clue at step 5 of 100: what happens to the gradient while a plain RNN learns to keep it, or does not.

The task and the network are those of chapter bptt: a bit, then 95 steps of noise of 0.1, then the question which bit it
was. 32 units as torch starts them, Adam at 0.003, 16 new sequences an update, no clipping, 800 updates. A network has
solved the task if it names the bit in more than nine of ten sequences over the last 20 updates.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from unrolled import checks
from unrolled.instruments.gradients import jacobian_norms, step_jacobians
from unrolled.studies import SEEDS, once
from unrolled.training import seed_everything, six_digits

LAG, WIDTH, BATCH, RATE, UPDATES, EVERY = 95, 32, 16, 0.003, 800, 20
PROBES = 8                      # sequences, the same for all looks, over which the gradient's norm is averaged


def sequences(count, generator):
    """A bit as ±1 and then `LAG` steps of noise, (LAG + 1, count, 2); and the bit, 0 or 1."""
    bit = torch.randint(2, (count,), generator=generator).float()
    x = 0.1 * torch.randn(LAG + 1, count, 2, generator=generator)
    x[0, :, 0] = 2 * bit - 1
    return x, bit


@torch.no_grad()
def look(rnn, x):
    """What can be seen of a network from outside.

    Returns:
        Three floats: log10 of ‖∂h_95/∂h_0‖, a mean over sequences; the largest absolute eigenvalue of U; its norm ‖U‖.
    """
    states, U = rnn(x)[0], rnn.weight_hh_l0
    norms = [jacobian_norms(step_jacobians(states[1:, i], U))[-1] for i in range(x.shape[1])]
    radius, norm = torch.linalg.eigvals(U).abs().max().item(), torch.linalg.matrix_norm(U, 2).item()
    return np.log10(np.maximum(norms, 1e-300)).mean(), radius, norm


def run(seed, updates=UPDATES):
    """Train one network and look at it every 20 updates, the first time before training.

    Args:
        seed: of the weights and of every sequence.
        updates: how many, a multiple of 20.

    Returns:
        A dict of the arguments; `accuracy`, of each 20 updates; and one entry a look: `gradient`, log10 of the norm of
        the gradient over the lag; `radius`, the spectral radius of U; `norm`, its spectral norm.

    Raises:
        ValueError: updates that cannot be divided by 20.
    """
    if checks.positive_int("updates", updates) % EVERY:
        raise ValueError(f"updates must be a multiple of {EVERY}, got {updates}")
    seed_everything(seed)
    rnn, readout = nn.RNN(2, WIDTH), nn.Linear(WIDTH, 1)
    optimizer = torch.optim.Adam([*rnn.parameters(), *readout.parameters()], RATE)
    generator, (probe, _) = torch.Generator().manual_seed(seed), sequences(PROBES, torch.Generator().manual_seed(10**6))
    hits, looks = [], [look(rnn, probe)]
    for update in range(1, updates + 1):
        x, bit = sequences(BATCH, generator)
        logit = readout(rnn(x)[0][-1])[:, 0]
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(logit, bit).backward()
        optimizer.step()
        hits.append(((logit > 0) == (bit > 0.5)).float().mean().item())
        if update % EVERY == 0:
            looks.append(look(rnn, probe))
    gradient, radius, norm = ([six_digits(value) for value in column] for column in zip(*looks))
    accuracy = [six_digits(sum(hits[at : at + EVERY]) / EVERY) for at in range(0, updates, EVERY)]
    return {"seed": seed, "updates": updates, "accuracy": accuracy, "gradient": gradient, "radius": radius,
            "norm": norm}


@once
def runs(small):
    """Twenty seeds."""
    return [{"seed": seed, "updates": EVERY} for seed in (0, 1)] if small else [{"seed": seed} for seed in SEEDS]


def solved(row):
    """More than nine of ten answers right over the last 20 updates."""
    return row["accuracy"][-1] > 0.9


def table(rows):
    """Lines: by seed the accuracy at the end, the gradient before and after, and the radius before and after."""
    for row in rows:
        yield (f"seed {row['seed']:2}: accuracy {row['accuracy'][-1]:.2f}   log10 gradient {row['gradient'][0]:.1f} → "
               f"{row['gradient'][-1]:.1f}   radius {row['radius'][0]:.2f} → {row['radius'][-1]:.2f}")
