"""A character model that reads on: perplexity of a plain RNN after less than a pass over the text, and after three.

Sixty-four readers start at 64 places of the training text and read on, 20 characters an update, carrying their state;
after the last character a reader goes on at the first one. Adam, gradients clipped to norm 1, a learning rate that
falls linearly to zero. The rate at the start is chosen for each width and budget on a seed that is not scored, by the
perplexity of 60,000 characters of the validation files, from rates that rise by factors of two until the best has a
worse one on either side. The test is that of chapter rnn: 60,000 characters of files that no network was trained on,
read by 50 readers.

The page on this network trains it with `read_part`, which goes once over a part of the text.
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
from unrolled.studies import TUNING_SEEDS, by_rate, of_seeds, search
from unrolled.studies.characters import CharacterModel, places, read_on
from unrolled.training import SEEDS, fit, interval, seed_everything, six_digits

READERS, CHUNK = 64, 20
RATES = 0.0025, 0.005, 0.01     # where tuning begins
TUNING = TUNING_SEEDS[:1]
BUDGETS = (128, 450), (128, 1_860), (128, 5_580), (256, 5_580)         # hidden_size, updates; 1,860 are one pass


def plain(hidden_size):
    """A character model around a plain RNN of that width, with fresh weights."""
    K = len(ALPHABET)
    return CharacterModel(nn.Embedding(K, 32), unrolled.cudnn.RNN(32, hidden_size), nn.Linear(hidden_size, K))


def read_part(train, seed, hidden_size=128, readers=64, chunk=20, updates=450, pause=None):
    """Train one once over a part of the text.

    Args:
        train: the text as indices, (characters,).
        seed: of the weights and of the place where the readers start.
        hidden_size: the width of the state, H.
        readers: how many read side by side, B.
        updates: how many.
        chunk, pause: as for `characters.read_on`.

    Returns:
        The model, and the loss before each update.
    """
    seed_everything(seed)
    model = plain(hidden_size)
    return model, read_on(model, places(train, seed, readers, chunk * updates, spare=1), chunk, pause=pause)


def perplexity(model, characters, readers=50):
    """Of a model on a text as indices, read by so many readers side by side."""
    places = characters[: len(characters) // readers * readers].reshape(readers, -1).T
    with torch.no_grad():
        logits, _ = model(places[:-1])
    return math.exp(F.cross_entropy(logits.flatten(0, 1), places[1:].flatten()))


def run(hidden_size, updates, seed, learning_rate):
    """Train one network.

    Args:
        hidden_size: the width of the state, H.
        updates: how many; each reads 1,280 characters.
        seed: of the weights and of the place where the readers start.
        learning_rate: Adam's at the start.

    Returns:
        A dict of the arguments; `validation` and `perplexity`, of 60,000 characters of the validation and of the test.

    Raises:
        TypeError, ValueError: a number out of range.
    """
    checks.positive_int("hidden_size", hidden_size)
    checks.positive_int("updates", updates)
    seed_everything(seed)
    text = load_source_code()
    train, *held_out = (torch.from_numpy(encode(part)) for part in
                        (text.train, text.validation[:60_000], text.test[:60_000]))
    model = plain(hidden_size)
    places = train[: len(train) // READERS * READERS].reshape(READERS, -1).T          # (T, readers)
    start, state = int(np.random.default_rng(seed).integers(len(places))), None

    def cross_entropy(characters, state=None):
        logits, state = model(characters[:-1], state)
        return F.cross_entropy(logits.flatten(0, 1), characters[1:].flatten()), state

    def loss(update):
        nonlocal state
        at = (start + CHUNK * update + torch.arange(CHUNK + 1)) % len(places)
        value, state = cross_entropy(places[at], state)
        state = state.detach()                                  # carry the state on, not the gradient
        return value

    fit(model, loss, range(updates), learning_rate, decay=True)
    with torch.no_grad():
        validation, test = (math.exp(cross_entropy(part.reshape(50, -1).T)[0]) for part in held_out)
    return {"hidden_size": hidden_size, "updates": updates, "seed": seed, "learning_rate": learning_rate,
            "validation": six_digits(validation), "perplexity": six_digits(test)}


def tuned(rows, *budget):
    """The validation perplexity of the tuning seed at a width and a number of updates, by rate in rising order."""
    return by_rate(_at(rows, budget), lambda row: row["validation"], TUNING)


def scored(rows, *budget):
    """The rows of the scored seeds at a width and a number of updates, in their order."""
    return of_seeds(_at(rows, budget), SEEDS)


def _at(rows, budget):
    return [row for row in rows if (row["hidden_size"], row["updates"]) == budget]


def runs(small=False, rows=()):
    """What is to be run next: at each budget the rates, and then the seeds."""
    if small:
        return [] if rows else [_run(16, 10, seed, 0.01) for seed in SEEDS[:2]]
    return [_run(*budget, seed, rate) for budget in BUDGETS
            for rate, seed in search(tuned(rows, *budget), scored(rows, *budget), RATES, 2, SEEDS, TUNING)]


def _run(hidden_size, updates, seed, rate):
    return {"hidden_size": hidden_size, "updates": updates, "seed": seed, "learning_rate": rate}


def table(rows):
    """Lines: by budget the rates tried, and the perplexity of the scored seeds."""
    for budget in BUDGETS:
        if found := scored(rows, *budget):
            trials = ", ".join(f"{rate:g}: {value:.2f}" for rate, value in tuned(rows, *budget).items())
            yield ("H = {}, {:5,} updates: ".format(*budget)
                   + "{:.2f} ± {:.2f}".format(*interval([row["perplexity"] for row in found]))
                   + f" at {found[0]['learning_rate']:g} (tuning {trials})")
