"""The experiment tunes the pairs by itself and nothing else, and its record is what it would run."""

import math

from unrolled import architectures
from unrolled.recall import TUNING_SEEDS, chosen, recorded, tuned
from unrolled.training import SEEDS

EXPERIMENT = "recall"


def pretended(experiment, best):
    """All rows of the experiment, round by round, if the k-th pair of model and number had the k-th best rate."""
    best, rows = dict(zip(experiment.PAIRS, best)), []
    while more := experiment.recall(rows=rows):
        for run in more:
            if run["part"] == "pairs":
                distance = abs(math.log2(run["learning_rate"] / best[run["model"], run["pairs"]]))
                rows.append(run | {"loss": {"150": distance}, "accuracy": {"150": run["seed"]}})
            else:
                rows.append(run | {"test": {str(run.get("lag", 64)): run["seed"]}})
    return rows


def test_the_search_finds_the_best_rate_from_either_side_and_then_runs_the_seeds(experiment):
    best = [0.01 * 2 ** (k % 7 - 3) for k in range(len(experiment.PAIRS))]
    rows = pretended(experiment, best)
    for one, rate in zip(experiment.PAIRS, best):
        found, tried = chosen(rows, *one), list(tuned(rows, *one))
        assert [(row["seed"], row["learning_rate"]) for row in found] == [(seed, rate) for seed in SEEDS]
        assert tried[0] < rate < tried[-1]
    assert len({str(row) for row in rows}) == len(rows), "and nothing twice"
    seeds = {row["seed"] for row in rows if row["part"] == "pairs"}
    assert seeds == {*TUNING_SEEDS, *SEEDS}


def test_every_model_runs_at_rates_around_its_own_and_none_of_those_runs_is_on_the_other_record(experiment):
    there = architectures.recorded()["rows"]
    runs = [row for row in pretended(experiment, [0.01] * 9) if row["part"] == "lag" and row["lag"] == 100]
    for model in experiment.AROUND:
        [width] = {run["width"] for run in runs if run["model"] == model}
        own = architectures.best_rate(there, "delayed recall", model, width, None)
        tried = {run["learning_rate"] for run in runs if run["model"] == model}
        assert {own / 2, own * 2} <= tried
        assert own not in tried


def test_a_small_sweep_has_something_of_every_part(experiment):
    small = experiment.recall(small=True)
    assert {run["part"] for run in small} >= {"pairs", "lag"}
    assert {run["updates"] for run in small} == {10}
    assert not experiment.recall(small=True, rows=small)


def test_the_table_has_a_line_for_every_question(experiment):
    rows = pretended(experiment, [0.01] * len(experiment.PAIRS))
    lines = list(experiment.table(rows))
    lags = {(row["model"], row["lag"]) for row in rows if row["part"] == "lag"}
    assert len(lines) == len(experiment.PAIRS) + len(lags) + 1
    assert all("150: 2.000 ± 1.963" in line for line in lines[: len(experiment.PAIRS)])        # of the scores 0 ... 4
    assert "64: 2.000 ± 1.963" in lines[-1]


def test_the_record_lacks_nothing_that_the_experiment_would_run(experiment):
    rows = recorded()["rows"]
    assert experiment.recall(rows=rows) == []
    assert {row["part"] for row in rows} == {"pairs", "lag", "total"}
