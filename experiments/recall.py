"""What is recalled, by a key and after a lag, and a control of the size of a network: the runs, and the table."""

from experiments.architectures import UPDATES, equal_weights
from unrolled import architectures
from unrolled.comparison import nearest_width
from unrolled.recall import LOOKS, TUNING_SEEDS, best_rate, chosen, guess, solved, tuned
from unrolled.training import SEEDS, interval

PAIRS = [("attention", n) for n in (2, 4, 8, 16)] + [("LSTM", n) for n in (2, 4, 8, 16)] + [("GRU", 4)]
START = 0.01                                    # where tuning begins
LAG = 100                                       # of `architectures`
AROUND = {"Transformer": (0.25, 0.5, 2)} | dict.fromkeys(("LSTM", "GRU", "TCN", "TCN, short", "RNN"), (0.5, 2))
SHORTER = 5, 10, 20, 40, 80
SHORTER_RATES = {"LSTM": (0.08, 0.16), "TCN": (0.00125, 0.0025), "TCN, short": (0.00125, 0.0025)}
FEW = SEEDS[:3]


def recall(small=False, rows=()):
    """What is to be run next, when these are the rows so far."""
    if small:
        runs = [_pairs(*one, START, seed) for one in PAIRS for seed in (TUNING_SEEDS[0], 0)] + _fixed()[::20]
        return [] if rows else [run | {"updates": 10} for run in runs]
    if more := [run for one in PAIRS for run in _lacking(*one, rows)]:
        return more
    return [] if any(row["part"] == "lag" for row in rows) else _fixed()


def _fixed():
    """All but the pairs: what is run whatever comes out."""
    found = architectures.recorded()["rows"]
    widths = {model: width for _, model, width, _ in equal_weights("delayed recall", AROUND)}
    tuned_there = {model: architectures.best_rate(found, "delayed recall", model, widths[model], None)
                   for model in AROUND}
    around = [_lag(model, widths[model], LAG, times * tuned_there[model], seed)
              for model in AROUND for times in AROUND[model] for seed in SEEDS]
    shorter = [_lag(model, widths[model], lag, rate, seed) for model, rates in SHORTER_RATES.items()
               for lag in (*SHORTER, LAG) for rate in rates for seed in FEW]
    [(*reference, _)] = equal_weights("text", ["Transformer"])
    wanted = architectures.totals(*reference)[1]
    width = nearest_width(lambda width: architectures.totals("text", "RNN", width)[1], wanted)
    total = {"part": "total", "model": "RNN", "width": width, "updates": UPDATES["text"],
             "learning_rate": architectures.best_rate(found, *equal_weights("text", ["RNN"])[0])}
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
        return [_pairs(model, pairs, rate, seed) for rate in rates for seed in TUNING_SEEDS]
    scored = [row["seed"] for row in chosen(mine, model, pairs)]
    return [_pairs(model, pairs, best, seed) for seed in SEEDS if seed not in scored]


def _pairs(model, pairs, rate, seed):
    return {"part": "pairs", "model": model, "pairs": pairs, "learning_rate": rate, "seed": seed, "updates": LOOKS[-1]}


def _lag(model, width, lag, rate, seed):
    return {"part": "lag", "model": model, "width": width, "lag": lag, "learning_rate": rate, "seed": seed,
            "updates": UPDATES["delayed recall"]}


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
    everything = [*rows, *architectures.recorded()["rows"]]
    for model, lag in dict.fromkeys((row["model"], row["lag"]) for row in rows if row["part"] == "lag"):
        counts = "   ".join(f"{rate:.4g}: {right}/{count}"
                            for rate, (right, count, _) in solved(everything, model, lag).items())
        yield f"{model:11} lag {lag:3}   {counts}"
    if len(total := [row["test"] for row in rows if row["part"] == "total"]) > 1:
        yield "RNN, as many weights in all as the Transformer   " + "   ".join(
            "{}: {:.3f} ± {:.3f}".format(length, *interval([test[length] for test in total])) for length in total[0])
