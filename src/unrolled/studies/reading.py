"""A character model that reads on: perplexity of a plain RNN after less than a pass over the text, and after three.

Sixty-four readers start at 64 places of the training text and read on, 20 characters an update, carrying their state;
after the last character a reader goes on at the first one. Adam, gradients clipped to norm 1, a learning rate that
falls linearly from 0.01 to zero. The test is that of chapter rnn: 60,000 characters of files that no network was
trained on, read by 50 readers.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import unrolled.cudnn
from unrolled import checks
from unrolled.data import load_source_code
from unrolled.data.source_code import ALPHABET, encode
from unrolled.studies import once
from unrolled.training import SEEDS, fit, interval, seed_everything, six_digits

READERS, CHUNK, RATE = 64, 20, 0.01
BUDGETS = (128, 450), (128, 1_860), (128, 5_580), (256, 5_580)         # hidden_size, updates; 1,860 are one pass


def run(hidden_size, updates, seed):
    """Train one network.

    Args:
        hidden_size: the width of the state, H.
        updates: how many; each reads 1,280 characters.
        seed: of the weights and of the place where the readers start.

    Returns:
        A dict of the arguments, and `perplexity` on the test.

    Raises:
        TypeError, ValueError: a number out of range.
    """
    checks.positive_int("hidden_size", hidden_size)
    checks.positive_int("updates", updates)
    seed_everything(seed)
    text = load_source_code()
    train, test = (torch.from_numpy(encode(part)) for part in (text.train, text.test[:60_000]))
    embed, layer = nn.Embedding(len(ALPHABET), 32), unrolled.cudnn.RNN(32, hidden_size)
    readout = nn.Linear(hidden_size, len(ALPHABET))
    places = train[: len(train) // READERS * READERS].reshape(READERS, -1).T          # (T, readers)
    start, state = int(np.random.default_rng(seed).integers(len(places))), None

    def cross_entropy(characters, state=None):
        states, state = layer(embed(characters[:-1]), state)
        return F.cross_entropy(readout(states).flatten(0, 1), characters[1:].flatten()), state

    def loss(update):
        nonlocal state
        at = (start + CHUNK * update + torch.arange(CHUNK + 1)) % len(places)
        value, state = cross_entropy(places[at], state)
        state = state.detach()                                  # carry the state on, not the gradient
        return value

    fit(nn.ModuleList([embed, layer, readout]), loss, range(updates), RATE, decay=True)
    with torch.no_grad():
        value, _ = cross_entropy(test.reshape(50, -1).T)
    return {"hidden_size": hidden_size, "updates": updates, "seed": seed, "perplexity": six_digits(math.exp(value))}


@once
def runs(small):
    """Every budget on five seeds."""
    budgets, seeds = (((16, 10),), SEEDS[:2]) if small else (BUDGETS, SEEDS)
    return [{"hidden_size": hidden_size, "updates": updates, "seed": seed}
            for hidden_size, updates in budgets for seed in seeds]


def table(rows):
    """Lines: the perplexity of each budget."""
    for hidden_size, updates in sorted({(row["hidden_size"], row["updates"]) for row in rows}):
        scores = [row["perplexity"] for row in rows
                  if (row["hidden_size"], row["updates"]) == (hidden_size, updates)]
        yield f"H = {hidden_size}, {updates:5,} updates: " + "{:.2f} ± {:.2f}".format(*interval(scores))
