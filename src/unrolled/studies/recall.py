"""What can be asked of a past: the value that belongs to a key, and a symbol after a lag. One run of either.

*Pairs.* A sequence holds n pairs of a key and a value, a pair a step; then comes one of the keys, and its value is
wanted. 32 keys, 8 values, and layers of 32 units: one head of attention that asks back once, from the last step, an
LSTM and a GRU. The learning rate stays constant, so that one run of 2,400 updates has been one of 150 and one of 600.
It is tuned for each model and number of pairs, on two seeds of their own: the best rate has the lowest held-out
cross-entropy, in the mean over the three looks and both seeds, and a worse one on either side.

*Lag.* The delayed recall of `architectures`, the same networks with 40,000 weights and as many updates, in
which a rate that was tuned on one seed decides too much. So nothing is tuned here: every model runs at several rates
that differ by factors of two, and what counts is of how many seeds each rate *solves* it, that is, answers more than 90
of 100 questions. A model reaches a lag if there is a rate that solves it with every seed that was run. Five seeds at
the lag of 100, around the rate that was tuned there; three on shorter ones, at two rates a model.

*Total.* The text of that comparison with a width at which the whole network, and not its layer, has as many weights as
the Transformer's.

All of it is held to half an hour on one core: hence the GRU with four pairs only, and two rates on the shorter lags.

    run("pairs", model="LSTM", pairs=4, learning_rate=0.01, seed=0, updates=600)                    two seconds
    run("lag", model="LSTM", width=95, lag=20, learning_rate=0.04, seed=0, updates=400)             two seconds
"""


import torch
from torch import nn
from torch.nn import functional as F

import unrolled.cudnn
from unrolled import checks, studies
from unrolled.studies import architectures, comparison
from unrolled.torch import MultiheadAttention
from unrolled.training import SEEDS, fit, interval, seed_everything, six_digits

KEYS, VALUES = 32, 8
WIDTH, BATCH = 32, 32
LOOKS = 150, 600, 2400          # updates after which the held-out questions are asked
HELD_OUT = 2000                 # questions
TUNING_SEEDS = 100, 101         # used for nothing else
SOLVED = 0.9                    # more right answers than this
LAYERS = {
    "attention": lambda: MultiheadAttention(WIDTH, 1),
    "LSTM": lambda: unrolled.cudnn.LSTM(WIDTH, WIDTH),
    "GRU": lambda: unrolled.cudnn.GRU(WIDTH, WIDTH),
}


class Recall(nn.Module):
    """Pairs of a key and a value, then a key: which value?

    Args:
        model: one of `LAYERS`.
    """

    def __init__(self, model):
        super().__init__()
        self.key, self.value = nn.Embedding(KEYS, WIDTH), nn.Embedding(VALUES + 1, WIDTH)   # and one for "?"
        self.layer = LAYERS[model]()
        self.readout = nn.Linear(WIDTH, VALUES)

    def forward(self, keys, values):                                # (n + 1, B) each
        x = self.key(keys) + self.value(values)                     # (n + 1, B, WIDTH)
        if isinstance(self.layer, MultiheadAttention):
            return self.readout(self.layer(x[-1:], x, x, need_weights=False)[0][0])
        return self.readout(self.layer(x)[0][-1])                   # (B, VALUES)


def questions(pairs, count, generator):
    """Sequences of pairs with the question last.

    Args:
        pairs: n, at most `KEYS`: no key comes twice.
        count: how many sequences.
        generator: a `torch.Generator`.

    Returns:
        keys and values, (n + 1, count) each, the last value being `VALUES`, which asks; answers, (count,).

    Raises:
        TypeError, ValueError: not positive whole numbers, or more pairs than keys.
    """
    if checks.positive_int("pairs", pairs) > KEYS:
        raise ValueError(f"pairs must be at most {KEYS}, got {pairs}")
    keys = torch.rand(checks.positive_int("count", count), KEYS, generator=generator).argsort(-1)[:, :pairs].T
    values = torch.randint(VALUES, (pairs, count), generator=generator)
    asked = torch.randint(pairs, (1, count), generator=generator)
    unknown = torch.full((1, count), VALUES)
    return torch.cat([keys, keys.gather(0, asked)]), torch.cat([values, unknown]), values.gather(0, asked)[0]


def guess(pairs, count=20_000):
    """Accuracy of naming the commonest of the values that were read, without any idea which key had it: a float."""
    _, values, _ = questions(pairs, count, torch.Generator().manual_seed(2))
    return (F.one_hot(values[:-1], VALUES).sum(0).amax(-1) / pairs).mean().item()


def run(part, **settings):
    """One run of a part.

    Args:
        part: "pairs", "lag" or "total".
        **settings: of all parts `model`, `learning_rate` of Adam, `seed` and `updates`; of "pairs", whose models are
            `LAYERS`, also `pairs`; of "lag" also `width` and `lag`, and of "total" `width`, whose models are those of
            `architectures`.

    Returns:
        A dict of the arguments and of what came out. Of "pairs": `parameters` of the layer; `accuracy` and `loss`, the
        cross-entropy, of `HELD_OUT` questions, by the number of updates, `LOOKS` as far as they go and the last. Of
        the others: what `architectures.run` gives, with the accuracy at the lag and at twice the lag in
        `test`, or the perplexity by length.

    Raises:
        TypeError, ValueError: an unknown part or model, or a number out of range.
    """
    return {"part": part} | settings | PARTS[checks.choice("part", part, PARTS)](**settings)


def _pairs(model, pairs, learning_rate, seed, updates):
    checks.choice("model", model, LAYERS)
    checks.positive_number("learning_rate", learning_rate)
    checks.positive_int("updates", updates)
    held_out = questions(pairs, HELD_OUT, torch.Generator().manual_seed(2**31))
    seed_everything(seed)
    network, found = Recall(model), {"accuracy": {}, "loss": {}}
    generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def look(after):
        *question, answers = held_out
        given = network(*question)
        found["accuracy"][str(after)] = six_digits((given.argmax(-1) == answers).float().mean())
        found["loss"][str(after)] = six_digits(F.cross_entropy(given, answers))

    def loss(update):
        if update in LOOKS:
            look(update)
        *question, answers = questions(pairs, BATCH, generator)
        return F.cross_entropy(network(*question), answers)

    fit(network, loss, range(updates), learning_rate)
    look(updates)
    return {"parameters": architectures.parameters(network.layer)} | found


def _lag(model, width, lag, learning_rate, seed, updates):
    checks.choice("model", model, architectures.MODELS)
    checks.positive_int("width", width)
    checks.positive_number("learning_rate", learning_rate)
    task = architectures.memory("delayed recall", checks.positive_int("lag", lag))
    return architectures.train(task, architectures.INPUTS["delayed recall"], model, width, learning_rate, seed, updates)


def _total(model, width, learning_rate, seed, updates):
    return architectures.run("text", model, width, learning_rate, seed, updates)


PARTS = {"pairs": _pairs, "lag": _lag, "total": _total}



def tuned(rows, model, pairs):
    """The learning rates that were tried for a model and a number of pairs.

    Args:
        rows: of the record.
        model, pairs: as for `run`.

    Returns:
        By learning rate, rising, the held-out cross-entropy that decides: in the mean over looks and `TUNING_SEEDS`.

    Raises:
        ValueError: no such runs.
    """
    losses = {}
    for row in _of(rows, part="pairs", model=model, pairs=pairs):
        if row["seed"] in TUNING_SEEDS:
            losses.setdefault(row["learning_rate"], []).extend(row["loss"].values())
    if not losses:
        raise ValueError(f"expected a model and a number of pairs of the record, got {model!r} and {pairs!r}")
    return {rate: sum(values) / len(values) for rate, values in sorted(losses.items())}


def best_rate(rows, model, pairs):
    """The learning rate that `tuned` found best. Arguments and errors as there."""
    tried = tuned(rows, model, pairs)
    return min(tried, key=tried.get)


def chosen(rows, model, pairs):
    """The runs on `SEEDS` at the best rate, one a seed. Arguments and errors as for `tuned`."""
    found = _of(rows, part="pairs", model=model, pairs=pairs, learning_rate=best_rate(rows, model, pairs))
    return sorted((row for row in found if row["seed"] in SEEDS), key=lambda row: row["seed"])


def solved(rows, model, lag):
    """Of how many seeds a model solves delayed recall, at each rate.

    Args:
        rows: of the record, and for the lag of 100 also those that `architectures` has recorded.
        model, lag: as for `run`.

    Returns:
        By learning rate, rising, triples of how many of `SEEDS` solved it, how many were run, and their accuracies.
    """
    same = [row for row in _of(rows, model=model)
            if row.get("lag") == lag or (row.get("task") == "delayed recall" and lag == 100)]
    right = {}
    for row in sorted(same, key=lambda row: (row["learning_rate"], row["seed"])):
        if row["seed"] in SEEDS:
            right.setdefault(row["learning_rate"], []).append(row["test"][str(lag)])
    return {rate: (sum(value > SOLVED for value in values), len(values), values) for rate, values in right.items()}


def _of(rows, **which):
    return [row for row in rows if all(row.get(name) == value for name, value in which.items())]


# The runs, and the table

PAIRS = [("attention", n) for n in (2, 4, 8, 16)] + [("LSTM", n) for n in (2, 4, 8, 16)] + [("GRU", 4)]
START = 0.01                                    # where tuning begins
LAG = 100                                       # of `architectures`
AROUND = {"Transformer": (0.25, 0.5, 2)} | dict.fromkeys(("LSTM", "GRU", "TCN", "TCN, short", "RNN"), (0.5, 2))
SHORTER = 5, 10, 20, 40, 80
SHORTER_RATES = {"LSTM": (0.08, 0.16), "TCN": (0.00125, 0.0025), "TCN, short": (0.00125, 0.0025)}
FEW = SEEDS[:3]


def runs(small=False, rows=()):
    """What is to be run next, when these are the rows so far."""
    if small:
        runs = [_ask_pairs(*one, START, seed) for one in PAIRS for seed in (TUNING_SEEDS[0], 0)] + _fixed()[::20]
        return [] if rows else [run | {"updates": 10} for run in runs]
    if more := [run for one in PAIRS for run in _lacking(*one, rows)]:
        return more
    return [] if any(row["part"] == "lag" for row in rows) else _fixed()


def _fixed():
    """All but the pairs: what is run whatever comes out."""
    found = studies.rows("architectures")
    widths = {model: width for _, model, width, _ in architectures.equal_weights("delayed recall", AROUND)}
    tuned_there = {model: architectures.best_rate(found, "delayed recall", model, widths[model], None)
                   for model in AROUND}
    around = [_ask_lag(model, widths[model], LAG, times * tuned_there[model], seed)
              for model in AROUND for times in AROUND[model] for seed in SEEDS]
    shorter = [_ask_lag(model, widths[model], lag, rate, seed) for model, rates in SHORTER_RATES.items()
               for lag in (*SHORTER, LAG) for rate in rates for seed in FEW]
    [(*reference, _)] = architectures.equal_weights("text", ["Transformer"])
    wanted = architectures.totals(*reference)[1]
    width = comparison.nearest_width(lambda width: architectures.totals("text", "RNN", width)[1], wanted)
    total = {"part": "total", "model": "RNN", "width": width, "updates": architectures.UPDATES["text"],
             "learning_rate": architectures.best_rate(found, *architectures.equal_weights("text", ["RNN"])[0])}
    runs = list({str(run): run for run in (*around, *shorter, *(total | {"seed": seed} for seed in SEEDS))}.values())
    runs.sort(key=lambda run: run["model"] in ("RNN", "TCN", "TCN, short") and run.get("lag") == LAG)  # slow ones last
    done = {(row["model"], row["learning_rate"], row["seed"]) for row in found if row["task"] == "delayed recall"}
    return [run for run in runs if not (run.get("lag") == LAG
                                        and (run["model"], run["learning_rate"], run["seed"]) in done)]


def _lacking(model, pairs, rows):
    """The runs that a model with so many pairs lacks: of tuning, or else of the seeds that are scored."""
    mine = [row for row in rows if (row["part"], row["model"], row.get("pairs")) == ("pairs", model, pairs)]
    best = best_rate(mine, model, pairs) if mine else START
    tried = tuned(mine, model, pairs) if mine else {}
    if rates := [rate for rate in (best / 2, best, best * 2) if rate not in tried]:
        return [_ask_pairs(model, pairs, rate, seed) for rate in rates for seed in TUNING_SEEDS]
    scored = [row["seed"] for row in chosen(mine, model, pairs)]
    return [_ask_pairs(model, pairs, best, seed) for seed in SEEDS if seed not in scored]


def _ask_pairs(model, pairs, rate, seed):
    return {"part": "pairs", "model": model, "pairs": pairs, "learning_rate": rate, "seed": seed, "updates": LOOKS[-1]}


def _ask_lag(model, width, lag, rate, seed):
    return {"part": "lag", "model": model, "width": width, "lag": lag, "learning_rate": rate, "seed": seed,
            "updates": architectures.UPDATES["delayed recall"]}


def table(rows):
    """Lines: accuracy by pairs and updates, seeds that solve a lag by rate, perplexity of equal networks."""
    for model, pairs in PAIRS:
        found = chosen(rows, model, pairs)
        if len(found) < 2:
            yield f"{model:10} {pairs:2} pairs   being tuned"
            continue
        scores = "   ".join("{}: {:.3f} ± {:.3f}".format(look, *interval([row["accuracy"][look] for row in found]))
                            for look in found[0]["accuracy"])
        yield f"{model:10} {pairs:2} pairs   rate {found[0]['learning_rate']:<7.4g} {scores}   guess {guess(pairs):.2f}"
    everything = [*rows, *studies.rows("architectures")]
    for model, lag in dict.fromkeys((row["model"], row["lag"]) for row in rows if row["part"] == "lag"):
        counts = "   ".join(f"{rate:.4g}: {right}/{count}"
                            for rate, (right, count, _) in solved(everything, model, lag).items())
        yield f"{model:11} lag {lag:3}   {counts}"
    if len(total := [row["test"] for row in rows if row["part"] == "total"]) > 1:
        yield "RNN, as many weights in all as the Transformer   " + "   ".join(
            "{}: {:.3f} ± {:.3f}".format(length, *interval([test[length] for test in total])) for length in total[0])
