"""Long memory with a start for the lag: the LSTM and the GRU with chrono biases, and the GRU as the library starts it.

The tasks and the run are those of `unrolled.studies.long_memory`: delayed recall at a lag of 200, and copying three
symbols at a lag of 100. Adam, batch 32, gradients clipped to norm 1, at most 1,000 updates. The learning rate is chosen
for each network and task, at that lag, on two seeds that are not scored: the rate that solves it on more of them, then
in fewer updates, then with the lower loss. Rates are tried beyond the edge as long as the best lies there.
"""

from unrolled.studies import TUNING_SEEDS, long_memory, next_rates
from unrolled.studies.long_memory import best_of, tried

TASKS = {"delayed recall": 200, "copy": 100}
MODELS = "LSTM chrono", "GRU", "GRU chrono"
SEEDS = range(10)
RATES = 0.003, 0.01, 0.03
UPDATES = 1000


def run(task, model, lag, seed, learning_rate, updates):
    """One run of `long_memory.run`; see there."""
    return long_memory.run(task, model, lag, seed, learning_rate, updates)


def scored(rows, task, model):
    """The runs of the seeds that are scored."""
    return [row for row in rows if row["seed"] in SEEDS and (row["task"], row["model"]) == (task, model)]


def runs(small=False, rows=()):
    """What is to be run next: the rates, and then the seeds."""
    if small:
        return [] if rows else [_run(task, model, 5, 0, 0.01, 25) for task in TASKS for model in MODELS]
    more = []
    for task, lag in TASKS.items():
        for model in MODELS:
            trials = tried(rows, task, model, lag)
            rates = next_rates(sorted(trials), trials and best_of(trials), RATES, 3)
            seeds = [] if rates or scored(rows, task, model) else SEEDS
            more += [_run(task, model, lag, seed, rate) for rate in rates for seed in TUNING_SEEDS]
            more += [_run(task, model, lag, seed, best_of(trials)) for seed in seeds]
    return more


def _run(task, model, lag, seed, rate, updates=UPDATES):
    return {"task": task, "model": model, "lag": lag, "seed": seed, "learning_rate": rate, "updates": updates}


def table(rows):
    """Lines: by task and network, how many seeds solved it, and at which rate."""
    for task, lag in TASKS.items():
        for model in MODELS:
            found = scored(rows, task, model)
            solved = sum(row["solved"] for row in found)
            rate = found[0]["learning_rate"] if found else "none"
            yield f"{task:15} lag {lag:3} {model:12} {solved:2} of {len(found)}, rate {rate}"
