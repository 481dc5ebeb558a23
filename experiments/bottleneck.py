"""What attention adds to an encoder-decoder: the runs, and the table.

Each configuration is tuned first, on a seed of its own, over rates that rise by factors of two until the best of them
has a worse one on either side. Then it runs on the seeds that are scored, at that rate.
"""

from unrolled.bottleneck import LENGTHS, TRAINED, TUNING_SEED, chosen
from unrolled.training import SEEDS, interval

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


def bottleneck(small=False):
    """Every configuration: its rates on the seed for tuning, then the best of them on the seeds that are scored."""
    runs = []
    for task, attention, hidden_size, rates, best in CONFIGURATIONS:
        pairs = [(rate, TUNING_SEED) for rate in rates] + [(best, seed) for seed in SEEDS]
        for rate, seed in pairs[:2] if small else pairs:
            runs.append({"task": task, "attention": attention, "hidden_size": hidden_size, "learning_rate": rate,
                         "seed": seed, "updates": 10 if small else UPDATES})
    return runs


def table(rows):
    """Lines: for each configuration its weights, its rate, and the sequences that are right from beginning to end."""
    for task, attention, hidden_size, *_ in CONFIGURATIONS:
        found = chosen(rows, task, attention, hidden_size)
        if len(found) < 2:
            score = "not run"
        elif task == "dates":
            score = _shares({part: [row["exact"][part] for row in found] for part in ("days", "formats")})
        else:
            wanted = [(n, LENGTHS.index(n)) for n in (TRAINED[1] - 4, TRAINED[1], TRAINED[1] + 4)]
            score = _shares({f"length {n}": [row["exact"][at] for row in found] for n, at in wanted})
        weights, rate = (found[0]["parameters"], found[0]["learning_rate"]) if found else (0, 0)
        yield f"{task:8} {attention or 'none':9} {hidden_size:4} units {weights:7,} weights, rate {rate:5}   {score}"


def _shares(values):
    return "   ".join("{} {:.2f} ± {:.2f}".format(name, *interval(shares)) for name, shares in values.items())
