"""A character model that reads on: perplexity of a plain RNN after less than a pass over the text, and after three.

Sixty-four readers start at 64 places of the training text and read on, 20 characters an update, carrying their state;
after the last character a reader goes on at the first one. Adam, gradients clipped to norm 1, a learning rate that
falls linearly to zero. The rate at the start is chosen for each width and budget on a seed that is not scored, by the
perplexity of 60,000 characters of the validation files, from rates that rise by factors of two until the best has a
worse one on either side. The test is that of chapter rnn: 60,000 characters of files that no network was trained on,
read by 50 readers.

The page on this network trains it with `read_on`, which goes once over a part of the text, and compares it with
`tables`, which count.
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
from unrolled.training import SEEDS, fit, interval, seed_everything, six_digits

READERS, CHUNK = 64, 20
RATES = 0.0025, 0.005, 0.01     # where tuning begins
TUNING = TUNING_SEEDS[:1]
LEAN = 30                       # observations' worth of trust in the table of one order less
BUDGETS = (128, 450), (128, 1_860), (128, 5_580), (256, 5_580)         # hidden_size, updates; 1,860 are one pass


class CharacterModel(nn.Module):
    """Logits of the next character at every step.

    Args:
        hidden_size: the width of the state, H.
    """

    def __init__(self, hidden_size):
        super().__init__()
        self.embed = nn.Embedding(len(ALPHABET), 32)
        self.rnn = unrolled.cudnn.RNN(32, hidden_size)
        self.readout = nn.Linear(hidden_size, len(ALPHABET))

    def forward(self, characters, state=None):                  # (T, B)
        """Read characters, (T, B), from a state or from zeros; logits (T, B, K), and the state after the last."""
        states, state = self.rnn(self.embed(characters), state)  # (T, B, H)
        return self.readout(states), state                      # (T, B, K)


def read_on(train, seed, hidden_size=128, readers=64, chunk=20, updates=450, pause=None):
    """Train a character model on one stretch of the text for each reader; no character is read twice.

    Args:
        train: the text as indices, (characters,).
        seed: of the weights and of the place where the readers start.
        hidden_size: the width of the state.
        readers: how many read side by side, B.
        chunk: characters that each of them reads an update, T.
        updates: how many.
        pause: called with the number of the update and the model before each update, or None.

    Returns:
        The model, and the loss before each update.
    """
    seed_everything(seed)
    model = CharacterModel(hidden_size)
    places = train[: len(train) // readers * readers].reshape(readers, -1).T    # (characters of a reader, readers)
    start = int(np.random.default_rng(seed).integers(len(places) - chunk * updates - 1))
    state = None

    def loss(t):
        nonlocal state
        if pause:
            pause((t - start) // chunk, model)
        logits, state = model(places[t : t + chunk], state)     # what was read so far, right or wrong
        state = state.detach()                                  # carry the state on, not the gradient
        following = places[t + 1 : t + chunk + 1]               # what really came next
        return F.cross_entropy(logits.flatten(0, 1), following.flatten())

    chunks = range(start, start + chunk * updates, chunk)
    losses = fit(model, loss, chunks, learning_rate=0.01, decay=True)
    return model, losses


def perplexity(model, characters, readers=50):
    """Of a model on a text as indices, read by so many readers side by side."""
    places = characters[: len(characters) // readers * readers].reshape(readers, -1).T
    with torch.no_grad():
        logits, _ = model(places[:-1])
    return math.exp(F.cross_entropy(logits.flatten(0, 1), places[1:].flatten()))


def tables(read, test, orders=5):
    """Perplexity of tables that counted a text: of single characters, of pairs, and so on.

    The table of order n says how often each character followed the n - 1 before it, and leans on the table of order
    n - 1 as if it had seen that one's answer `LEAN` times.

    Args:
        read: the text that is counted, as indices, (characters,).
        test: the text that is predicted; its first `orders` - 1 characters are only looked back at.
        orders: how many tables.

    Returns:
        The perplexity and the number of entries of each, two lists.
    """
    p, perplexities, entries = np.full(len(test) - orders + 1, 1 / len(ALPHABET)), [], []
    for n in range(1, orders + 1):
        followed, size = _times_seen(read, n, _windows(test, n)[orders - n :])
        context = _times_seen(read, n - 1, _windows(test, n - 1)[orders - n : -1])[0] if n > 1 else len(read)
        p = (followed + LEAN * p) / (context + LEAN)
        perplexities.append(math.exp(-np.log(p).mean()))
        entries.append(size)
    return perplexities, entries


def _windows(characters, n):
    """Each stretch of n characters as one number, (N - n + 1,)."""
    codes = torch.zeros(len(characters) - n + 1, dtype=torch.int64)
    for i in range(n):
        codes = codes * len(ALPHABET) + characters[i : i + len(codes)]
    return codes.numpy()


def _times_seen(read, n, wanted):
    """How often each wanted stretch of n occurs in what was read, and how many different ones do."""
    seen, counts = np.unique(_windows(read, n), return_counts=True)
    at = np.searchsorted(seen, wanted).clip(max=len(seen) - 1)
    return np.where(seen[at] == wanted, counts[at], 0), len(seen)


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
    model = CharacterModel(hidden_size)
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
