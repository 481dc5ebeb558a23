"""RNN, GRU, LSTM and relatives on text and on the sea: the runs, and the table.

Each configuration is tuned first, on a seed of its own, over rates that rise by factors of two until the best of them
has a worse one on either side. Then it runs on the seeds that are scored, at that rate.
"""

from unrolled.comparison import TUNING_SEED, chosen
from unrolled.training import SEEDS, interval

UPDATES = {"text": 600, "elnino": 300}
SEA_RATES = 0.00125, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08
CONFIGURATIONS = [                              # task, cell, hidden_size, characters; rates tried; the best of them
    ("elnino", "RNN", 16, None, SEA_RATES, 0.005),
    ("elnino", "GRU", 16, None, SEA_RATES, 0.04),
    ("elnino", "LSTM", 16, None, SEA_RATES, 0.02),
    ("elnino", "RNN", 34, None, SEA_RATES, 0.01),
    ("elnino", "GRU", 19, None, SEA_RATES, 0.005),
    ("text", "RNN", 96, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "GRU", 96, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "LSTM", 96, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "RNN", 207, None, (0.005, 0.01, 0.02), 0.01),
    ("text", "GRU", 113, None, (0.005, 0.01, 0.02), 0.01),
    ("text", "GRU, one W", 96, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "GRU, no reset", 96, None, (0.005, 0.01, 0.02), 0.01),
    ("text", "minGRU", 96, None, (0.005, 0.01, 0.02, 0.04, 0.08), 0.04),
    ("text", "minGRU", 567, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "GRU, reset before", 96, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "RNN", 96, 20_000, (0.00125, 0.0025, 0.005, 0.01, 0.02), 0.0025),
    ("text", "GRU", 96, 20_000, (0.00125, 0.0025, 0.005, 0.01, 0.02), 0.0025),
    ("text", "LSTM", 96, 20_000, (0.0025, 0.005, 0.01, 0.02), 0.005),
    ("text", "GRU", 96, 200_000, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "LSTM", 96, 200_000, (0.005, 0.01, 0.02, 0.04, 0.08), 0.04),
]


def comparison(small=False):
    """Every configuration: its rates on the seed for tuning, then the best of them on the seeds that are scored."""
    runs = []
    for task, cell, hidden_size, characters, rates, best in CONFIGURATIONS:
        updates = 10 if small else UPDATES[task]
        pairs = [(rate, TUNING_SEED) for rate in rates] + [(best, seed) for seed in SEEDS]
        for rate, seed in pairs[:2] if small else pairs:
            runs.append({"task": task, "cell": cell, "hidden_size": hidden_size, "characters": characters,
                         "learning_rate": rate, "seed": seed, "updates": updates})
    return runs


def table(rows):
    """Lines: for each configuration the weights of its layer, the rate picked and the score on the test part."""
    for task, cell, hidden_size, characters, *_ in CONFIGURATIONS:
        found = chosen(rows, task, cell, hidden_size, characters)
        score = "{:.2f} ± {:.2f}".format(*interval([row["test"] for row in found])) if len(found) > 1 else "not run"
        text = "all" if characters is None else f"{characters:,}"
        weights = found[0]["parameters"] if found else 0
        yield f"{task:7} {cell:18} {hidden_size:4} units {weights:7,} weights   {text:>7} characters   {score}"
