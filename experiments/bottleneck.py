"""What attention adds to an encoder-decoder: the runs, and the table.

Each configuration is tuned first, on a seed of its own, over rates that rise by factors of two until the best of them
has a worse one on either side. Then it runs on the seeds that are scored, at that rate. Two of those without attention
run again with five times the updates: whether what they lack is room or learning.
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
LONGER = [("reverse", None, 64), ("dates", None, 64)]       # at the rate that is best for UPDATES, not tuned again
LONGER_UPDATES = 5 * UPDATES


def bottleneck(small=False):
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
