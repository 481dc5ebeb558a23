"""One vector or many: what an encoder-decoder can hand on, measured with and without attention.

    run("reverse", "dot", hidden_size=64, learning_rate=0.01, seed=0, updates=600)     seconds

Three tasks. "reverse" and "copy" are `tasks.reversal` on 2 to 12 symbols, scored at lengths up to 24. "dates" writes
the dates of `load_dates` as ISO 8601. All models are `EncoderDecoder`s trained by Adam under teacher forcing, with as
many updates each; what they are scored on they decode greedily. The true alignment of every task is known, so weights
of attention can be compared with it. A run depends on its arguments alone; from machine to machine the last digits of a
sum differ, and `agree` says what still has to hold.

Each configuration is tuned first, on a seed of its own, over rates that rise by factors of two until the best of them
has a worse one on either side. Then it runs on the seeds that are scored, at that rate. Two of those without attention
run again with five times the updates: whether what they lack is room or learning.
"""

import math
from functools import cache

import numpy as np
import torch
from torch.nn import functional as F

from unrolled import checks
from unrolled.data import load_dates
from unrolled.data.dates import ISO
from unrolled.data.tasks import reversal
from unrolled.studies import once
from unrolled.torch.seq2seq import EncoderDecoder
from unrolled.training import SEEDS, fit, interval, seed_everything, six_digits

BATCH = 32
SYMBOLS = 8                     # of "reverse" and "copy": 3 bits each
TRAINED = 2, 12                 # the fewest and the most of them in training
LENGTHS = tuple(range(2, 25, 2))
EVALUATION = 256                # sequences of each length, the same for all models and seeds
TENTHS = 10
START = 20                      # the update whose loss tells whether two runs began alike
TUNING_SEED = 100               # used for nothing else
ATTENTION = None, "additive", "dot", "general", "concat"


def train(task, attention, hidden_size, learning_rate, seed, updates):
    """Train one model and score it.

    Args:
        task: "reverse", "copy" or "dates".
        attention: None, "additive", "dot", "general" or "concat".
        hidden_size: H, the width of the vector that the encoder hands on. It reads "dates" in both directions.
        learning_rate: Adam's at the start; it falls linearly to zero.
        seed: of the weights and of every batch.
        updates: how many, a multiple of ten.

    Returns:
        The model, an `EncoderDecoder`, and a dict of numbers: `parameters`; `start_loss`, of update 20 or of the last
        where there are fewer; `loss` for each tenth of the run; `validation`, the loss on sequences never trained on,
        in nats a symbol; and what `score_reversal` or `score_dates` says.

    Raises:
        TypeError, ValueError: an argument outside what is listed above, or a loss that is not finite.
    """
    checks.choice("task", task, TASKS)
    checks.choice("attention", attention, ATTENTION)
    checks.positive_number("learning_rate", learning_rate)
    if checks.positive_int("updates", updates) % TENTHS:
        raise ValueError(f"updates must be a multiple of {TENTHS}, got {updates}")
    if seed not in range(2**32):
        raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1, got {seed!r}")
    seed_everything(seed)
    model, batch, held_out, score = TASKS[task](attention, hidden_size, seed, updates)
    losses = fit(model, lambda update: nats(model, *batch(update)), range(updates), learning_rate, decay=True)
    with torch.no_grad():
        validation = nats(model, *held_out).item()
    return model, {
        "parameters": sum(p.numel() for p in model.parameters()),
        "start_loss": losses[min(START, updates) - 1],
        "loss": [six_digits(value) for value in np.reshape(losses, (TENTHS, -1)).mean(1)],
        "validation": six_digits(validation),
        **score(model),
    }


def run(task, attention, hidden_size, learning_rate, seed, updates):
    """The record of `train`, with its arguments: what a sweep keeps."""
    settings = {"task": task, "attention": attention, "hidden_size": hidden_size, "learning_rate": learning_rate,
                "seed": seed, "updates": updates}
    return settings | train(**settings)[1]


def nats(model, source, lengths, target):
    """Cross-entropy under teacher forcing, a symbol, the first `end` counted and nothing after it: a scalar tensor."""
    logits, _ = model(source, lengths, target)                       # (B, T, K + 1)
    counted = (target == model.end).cumsum(1) <= 1
    return F.cross_entropy(logits[counted], target[counted])


def score_reversal(model, reverse=True):
    """Decode sequences of every length of `LENGTHS`.

    Returns:
        A dict of lists, one number a length: `symbols`, the share of symbols named right; `exact`, of sequences right
        from the first symbol to the end; `mass` and `hits` of `agreement`; and `beside`, the share of steps at which
        the largest weight lies one place to the right of the true one, of those where there is such a place. The last
        three are None without attention.
    """
    found = {"symbols": [], "exact": [], "mass": [], "hits": [], "beside": []}
    for n in LENGTHS:
        source, lengths, target = _tensors(reversal(EVALUATION, (n, n), 0, SYMBOLS, reverse))
        symbols, weights = model.greedy(source, lengths, n + 1)
        right = symbols == target
        found["symbols"].append(six_digits(right[:, :n].float().mean()))
        found["exact"].append(six_digits(right.all(1).float().mean()))
        if weights is not None:
            order = range(n - 1, -1, -1) if reverse else range(n)
            mass, hits = agreement(weights[:, :n], [[(place,) for place in order]] * EVALUATION)
            next_to_it = [(place + 1,) if place + 1 < n else () for place in order]
            _, beside = agreement(weights[:, :n], [next_to_it] * EVALUATION)
            found["mass"].append(six_digits(mass))
            found["hits"].append(six_digits(hits))
            found["beside"].append(six_digits(beside))
    return {name: values or None for name, values in found.items()}


def score_dates(model):
    """Decode the parts "days", other days in formats of training, and "formats", other formats.

    Returns:
        A dict with an entry a part in each of its own: `exact`, the share of dates right in all ten characters;
        `characters`, the share right at each of the ten; `locales`, dates right and dates asked for by locale; `mass`
        and `hits` of `agreement`, None without attention.
    """
    found = {"exact": {}, "characters": {}, "locales": {}, "mass": {}, "hits": {}}
    data, arrays = dates()
    for part in ("days", "formats"):
        source, lengths, target = arrays[part]
        symbols, weights = model.greedy(source, lengths, target.shape[1])
        right = symbols == target
        exact, locales = right.all(1), {}
        for written, good in zip(data.parts[part], exact.tolist()):
            counts = locales.setdefault(written.format.locale, [0, 0])
            counts[0] += good
            counts[1] += 1
        found["exact"][part] = six_digits(exact.float().mean())
        found["characters"][part] = [six_digits(share) for share in right.float().mean(0)]
        found["locales"][part] = dict(sorted(locales.items()))
        if weights is not None:
            mass, hits = agreement(weights, [written.alignment for written in data.parts[part]])
            found["mass"][part], found["hits"][part] = six_digits(mass), six_digits(hits)
    return {name: values or None for name, values in found.items()}


def true_places(alignments, shape):
    """The true alignment as a map.

    Args:
        alignments: for each of B sequences and T steps, the positions of the source that decide it.
        shape: (B, T, S), of the weights that it is laid beside.

    Returns:
        A boolean tensor, (B, T, S), True at those positions.

    Raises:
        ValueError: not one alignment a sequence and step.
    """
    true = torch.zeros(shape, dtype=torch.bool)
    if len(alignments) != len(true) or any(len(steps) != true.shape[1] for steps in alignments):
        raise ValueError(f"alignments must be {true.shape[0]} of {true.shape[1]} steps each, as the weights are")
    for row, steps in zip(true, alignments):
        for step, places in zip(row, steps):
            step[list(places)] = True
    return true


def agreement(weights, alignments):
    """How far weights of attention agree with the true alignment; steps that come from nowhere are left out.

    Args:
        weights: a_ts, (B, T, S).
        alignments: as for `true_places`.

    Returns:
        mass: the share of the weight that lies on them, 0 to 1, averaged over steps.
        hits: the share of steps at which the largest weight lies on one of them.

    Raises:
        ValueError: not one alignment a sequence and step, or none of them says anything.
    """
    true = true_places(alignments, weights.shape)
    known = true.any(-1)                                             # (B, T)
    if not known.any():
        raise ValueError("alignments must hold at least one position, got none")
    largest = true.gather(-1, weights.argmax(-1, keepdim=True))[..., 0]
    return (weights * true).sum(-1)[known].mean().item(), largest[known].float().mean().item()


@cache
def dates():
    """The dates and, by part, their arrays of `Dates.encode` as tensors: drawn once a process."""
    data = load_dates()
    return data, {name: _tensors(data.encode(part)) for name, part in data.parts.items()}



def tuned(rows, task, attention, hidden_size):
    """One configuration's runs on the seed for tuning, by learning rate in rising order.

    Args:
        rows: of the record.
        task, attention, hidden_size: the configuration.

    Returns:
        Rows by learning rate.

    Raises:
        ValueError: no such configuration.
    """
    wanted = {"task": task, "attention": attention, "hidden_size": hidden_size}
    found = {row["learning_rate"]: row for row in rows
             if row["seed"] == TUNING_SEED and all(row[name] == value for name, value in wanted.items())}
    if not found:
        raise ValueError(f"expected a configuration of the record, got {wanted}")
    return dict(sorted(found.items()))


def chosen(rows, task, attention, hidden_size, updates=None):
    """One configuration's runs on `SEEDS`, at the learning rate with the lowest validation loss on the seed for tuning.

    Args:
        rows, task, attention, hidden_size: as for `tuned`.
        updates: how many the runs had; if left out, as many as those for tuning.

    Returns:
        Rows, one a seed.

    Raises:
        ValueError: no such configuration.
    """
    trials = tuned(rows, task, attention, hidden_size)
    rate = min(trials, key=lambda rate: trials[rate]["validation"])
    wanted = {"task": task, "attention": attention, "hidden_size": hidden_size, "learning_rate": rate,
              "updates": updates or trials[rate]["updates"]}
    found = [row for row in rows if row["seed"] in SEEDS and all(row[name] == wanted[name] for name in wanted)]
    return sorted(found, key=lambda row: row["seed"])


def again(rows, task, attention, hidden_size=64, seed=0):
    """Train a recorded run once more, at the rate and for the updates of the record.

    Args:
        rows, task, attention, hidden_size: as for `tuned`.
        seed: of the weights and of every batch; one of `SEEDS` is a run of the record.

    Returns:
        The model, and the dict of `train`.

    Raises:
        ValueError: no such configuration.
    """
    row = chosen(rows, task, attention, hidden_size)[0]
    return train(task, attention, hidden_size, row["learning_rate"], seed, row["updates"])


def agree(one, other, tolerance=1e-3):
    """Whether two results can be the same run on two machines.

    Args:
        one, other: what `run` returned, or rows of the record.
        tolerance: the largest difference of the losses at update 20, relative.

    Returns:
        True where the arguments are equal and the losses at update 20 are close.
    """
    alike = "task", "attention", "hidden_size", "learning_rate", "seed", "updates", "parameters"
    close = math.isclose(one["start_loss"], other["start_loss"], rel_tol=tolerance)
    return close and all(one[name] == other[name] for name in alike)


def _tensors(arrays):
    return tuple(torch.from_numpy(array) for array in arrays)


def _reversal(reverse):
    def task(attention, hidden_size, seed, _):
        model = EncoderDecoder(SYMBOLS, SYMBOLS, 16, hidden_size, attention)

        def batch(update):
            return _tensors(reversal(BATCH, TRAINED, (1 + seed, update), SYMBOLS, reverse))

        held_out = _tensors(reversal(EVALUATION, TRAINED, 0, SYMBOLS, reverse))
        return model, batch, held_out, lambda model: score_reversal(model, reverse)

    return task


def _dates(attention, hidden_size, seed, updates):
    """Batches of texts about equally long: shuffled, sorted within sixteen batches, and their batches shuffled."""
    data, arrays = dates()
    model = EncoderDecoder(len(data.alphabet) + 1, len(ISO), 32, hidden_size, attention, bidirectional=True)
    source, lengths, target = arrays["train"]
    rng, order = np.random.default_rng((1 + seed, 0)), []
    while len(order) < updates:
        rows = rng.permutation(len(source))
        for pool in np.split(rows, range(16 * BATCH, len(rows), 16 * BATCH)):
            pool = pool[np.argsort(lengths[pool].numpy(), kind="stable")]
            order += list(rng.permutation(pool[: len(pool) // BATCH * BATCH].reshape(-1, BATCH)))

    def batch(update):
        rows = torch.from_numpy(order[update])
        return source[rows, : lengths[rows].max()], lengths[rows], target[rows]

    return model, batch, arrays["validation"], score_dates


TASKS = {"reverse": _reversal(True), "copy": _reversal(False), "dates": _dates}


# The runs, and the table

UPDATES = 600
CONFIGURATIONS = [                              # task, attention, hidden_size; rates tried; the best of them
    ("dates", None, 64, (0.005, 0.01, 0.02), 0.01),
    ("dates", "additive", 64, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("dates", "dot", 64, (0.005, 0.01, 0.02), 0.01),
    ("reverse", None, 32, (0.01, 0.02, 0.04), 0.02),
    ("reverse", None, 64, (0.005, 0.01, 0.02, 0.04), 0.01),
    ("reverse", None, 128, (0.005, 0.01, 0.02), 0.01),
    ("reverse", "additive", 64, (0.005, 0.01, 0.02), 0.01),
    ("reverse", "dot", 64, (0.005, 0.01, 0.02), 0.01),
    ("reverse", "general", 64, (0.0025, 0.005, 0.01, 0.02), 0.005),
    ("copy", "dot", 64, (0.005, 0.01, 0.02), 0.01),
]
LONGER = [("reverse", None, 64), ("dates", None, 64)]       # at the rate that is best for UPDATES, not tuned again
LONGER_UPDATES = 5 * UPDATES


def _runs(small):
    """Every configuration: its rates on the seed for tuning, then the best of them on the seeds that are scored."""
    runs, rate_of = [], {}
    for task, attention, hidden_size, rates, best in CONFIGURATIONS:
        rate_of[task, attention, hidden_size] = best
        pairs = [(rate, TUNING_SEED) for rate in rates] + [(best, seed) for seed in SEEDS]
        for rate, seed in pairs[:2] if small else pairs:
            runs.append({"task": task, "attention": attention, "hidden_size": hidden_size, "learning_rate": rate,
                         "seed": seed, "updates": 10 if small else UPDATES})
    for task, attention, hidden_size in LONGER:
        for seed in SEEDS[:1] if small else SEEDS:
            runs.append({"task": task, "attention": attention, "hidden_size": hidden_size,
                         "learning_rate": rate_of[task, attention, hidden_size], "seed": seed,
                         "updates": 50 if small else LONGER_UPDATES})
    return runs


runs = once(_runs)


def table(rows):
    """Lines: for each configuration its weights, its rate, and the sequences that are right from beginning to end."""
    kinds = [(*configuration[:3], None) for configuration in CONFIGURATIONS]
    kinds += [(*configuration, LONGER_UPDATES) for configuration in LONGER]
    for task, attention, hidden_size, updates in kinds:
        found = chosen(rows, task, attention, hidden_size, updates)
        if len(found) < 2:
            score = "not run"
        elif task == "dates":
            score = _shares({part: [row["exact"][part] for row in found] for part in ("days", "formats")})
        else:
            wanted = [(n, LENGTHS.index(n)) for n in (TRAINED[1] - 4, TRAINED[1], TRAINED[1] + 4)]
            score = _shares({f"length {n}": [row["exact"][at] for row in found] for n, at in wanted})
        weights, rate = (found[0]["parameters"], found[0]["learning_rate"]) if found else (0, 0)
        yield (f"{task:8} {attention or 'none':9} {hidden_size:4} units {weights:7,} weights, rate {rate:5}, "
               f"{updates or UPDATES:5,} updates   {score}")


def _shares(values):
    return "   ".join("{} {:.2f} ± {:.2f}".format(name, *interval(shares)) for name, shares in values.items())
