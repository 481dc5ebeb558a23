"""RNN, LSTM, GRU, TCN and Transformer with as many weights, and with as much arithmetic: the runs, and the table.

Each configuration is tuned first, on a seed of its own, over rates that rise by factors of two until the best of them
has a worse one on either side. Then it runs on the seeds that are scored, at that rate. One task after another, so what
is finished can be read.
"""

from itertools import groupby

from unrolled.architectures import INPUTS, MODELS, best_rate, chosen, configurations, flops, tuned, width_for
from unrolled.comparison import TUNING_SEED
from unrolled.training import SEEDS, interval

WEIGHTS = 40_000                                # of the sequence layer
OPERATIONS = 2 * WEIGHTS                        # a step, forward: what so many weights cost where each is used once
WINDOW = 64                                     # of a text
UPDATES = {"text": 400, "elnino": 300, "delayed recall": 400, "adding": 400}
RATES = {"RNN": 0.005, "LSTM": 0.02, "GRU": 0.01, "TCN": 0.005, "Transformer": 0.005}      # where tuning begins
PLAIN = "RNN", "LSTM", "GRU", "TCN", "TCN, short", "Transformer"


def equal_weights(task, models, characters=None):
    """Configurations (task, model, width, characters) with `WEIGHTS` weights each."""
    return [(task, model, width_for(model, INPUTS[task], WEIGHTS), characters) for model in models]


def equal_operations(model):
    """The configuration of a model that spends `OPERATIONS` on a character."""
    return "text", model, width_for(model, INPUTS["text"], OPERATIONS, lambda layer: flops(layer, WINDOW)), None


# The other five spend `OPERATIONS` as they are: only attention computes with what is no weight.
CONFIGURATIONS = [
    *equal_weights("text", PLAIN),
    *equal_weights("delayed recall", PLAIN),
    *equal_weights("text", PLAIN, 20_000),
    *equal_weights("elnino", PLAIN),
    equal_operations("Transformer"),
    *equal_weights("text", (model for model in MODELS if model not in PLAIN)),
    *equal_weights("adding", PLAIN),
]


def architectures(small=False, rows=()):
    """What is to be run next, when these are the rows so far: all that the first unfinished group of a task lacks."""
    if small:
        return [] if rows else [_run(one, 0.01, seed, 10) for one in CONFIGURATIONS for seed in (TUNING_SEED, 0)]
    for _, group in groupby(CONFIGURATIONS, key=lambda one: (one[0], one[3])):
        if more := [run for one in group for run in _lacking(one, rows)]:
            return more
    return []


def _lacking(configuration, rows):
    """The runs that one configuration lacks: of tuning, or else of the seeds that are scored."""
    task, model, *_ = configuration
    rows = [row for row in rows if configurations([row]) == [configuration]]
    best = best_rate(rows, *configuration) if rows else RATES[model.partition(",")[0]]
    tried = tuned(rows, *configuration) if rows else {}
    if rates := [rate for rate in (best / 2, best, best * 2) if rate not in tried]:
        return [_run(configuration, rate, TUNING_SEED, UPDATES[task]) for rate in rates]
    scored = [row["seed"] for row in chosen(rows, *configuration)]
    return [_run(configuration, best, seed, UPDATES[task]) for seed in SEEDS if seed not in scored]


def _run(configuration, rate, seed, updates):
    task, model, width, characters = configuration
    return {"task": task, "model": model, "width": width, "characters": characters, "learning_rate": rate,
            "seed": seed, "updates": updates}


def table(rows):
    """Lines: for each configuration its layer's weights and operations a step, its rate, and its scores by length."""
    for one in configurations(rows):
        task, model, width, characters = one
        found = chosen(rows, *one)
        if len(found) < 2:
            yield f"{task:15} {model:19} {width:4} units   being tuned"
            continue
        scores = "   ".join("{}: {:.3f} ± {:.3f}".format(length, *interval([row["test"][length] for row in found]))
                            for length in found[0]["test"])
        text = f"{characters:,} characters" if characters else ""
        yield (f"{task:15} {model:19} {width:4} units {found[0]['parameters']:7,} weights {found[0]['flops']:8,} FLOPs "
               f"{found[0]['learning_rate']:8.4g}   {scores}   {text}").rstrip()
