"""One hundred steps back: which architecture learns to name a symbol, if all are tried at the same learning rates?

The task (delayed recall), the networks (40,000 weights), the batches and the test are those of
`architectures`; 400 updates. Every network is tried at the same eight rates, on two seeds that are not scored.
Twenty seeds are then scored at two rates: the one with the lowest mean of the best validation losses, wherever it lies;
and the one that has the lowest mean together with its two neighbours, which keeps away from the edge of the grid and
from a rate that is good by luck. (The second rule was added when the first had picked, for three networks, the last
rate of the grid.) A network that no rate brings below nine tenths of the loss of guessing has learned nothing at any of
them; it is scored all the same. The TCN of three blocks sees 29 steps, so it is left out.
"""

import math

from unrolled.studies import SEEDS, TUNING_SEEDS, architectures, by_rate, of_seeds

WEIGHTS = 40_000
TASK, LAG, UPDATES = "delayed recall", "100", 400
GUESSING = math.log(4)          # nats
MODELS = "RNN", "LSTM", "GRU", "TCN", "Transformer"
RATES = 0.00125, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16


def run(model, learning_rate, seed, updates):
    """One run of `architectures.run` with 40,000 weights in the layer; see there."""
    width = architectures.width_for(model, architectures.INPUTS[TASK], WEIGHTS)
    return architectures.run(TASK, model, width, learning_rate, seed, updates)


def tuned(rows, model):
    """The mean of the best validation losses on the tuning seeds, by learning rate; of rates that both have run."""
    return by_rate([row for row in rows if row["model"] == model], lambda row: min(row["validation"]))


def lowest_rate(rows, model):
    """The learning rate with the lowest such mean."""
    trials = tuned(rows, model)
    return min(trials, key=trials.get)


def steady_rate(rows, model):
    """The learning rate, not the first nor the last, with the lowest sum of its mean and those of its neighbours."""
    trials = list(tuned(rows, model).items())
    around = {rate: sum(loss for _, loss in trials[at : at + 3]) for at, (rate, _) in enumerate(trials[1:-1])}
    return min(around, key=around.get)


def learns(rows, model):
    """Whether a rate brought the network below nine tenths of the loss of guessing."""
    return min(tuned(rows, model).values()) < 0.9 * GUESSING


def scored(rows, model, rate):
    """The rows of the scored seeds at a learning rate, in their order."""
    return of_seeds(row for row in rows if (row["model"], row["learning_rate"]) == (model, rate))


def solved(row):
    """99 of 100 answers right."""
    return row["test"][LAG] >= 0.99


def runs(small=False, rows=()):
    """What is to be run next: every rate on the tuning seeds, and then the scored seeds."""
    if small:
        return [] if rows else [_run(model, 0.01, 0, 10) for model in MODELS]
    more = []
    for model in MODELS:
        tried = tuned(rows, model)
        more += [_run(model, rate, seed) for rate in RATES if rate not in tried for seed in TUNING_SEEDS]
        if len(tried) == len(RATES):
            rates = dict.fromkeys((lowest_rate(rows, model), steady_rate(rows, model)))
            more += [_run(model, rate, seed) for rate in rates if not scored(rows, model, rate) for seed in SEEDS]
    return more


def _run(model, rate, seed, updates=UPDATES):
    return {"model": model, "learning_rate": rate, "seed": seed, "updates": updates}


def table(rows):
    """Lines: by network its rates and whether it learns, and by either rule how many seeds solve the task."""
    for model in MODELS:
        yield (f"{model:12} {'learns' if learns(rows, model) else 'at chance':10} "
               + ", ".join(f"{rate:g}: {loss:.3f}" for rate, loss in tuned(rows, model).items()))
        for rule, rate in ("lowest", lowest_rate(rows, model)), ("steady", steady_rate(rows, model)):
            found = scored(rows, model, rate)
            yield (f"{'':12} {rule} {rate:g}: {sum(map(solved, found))} of {len(found)} solved; "
                   + " ".join(f"{row['test'][LAG]:.2f}" for row in found))
