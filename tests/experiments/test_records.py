"""The records that are in the tree: complete, of these experiments, and true when a slice of them is run again."""

import json
from pathlib import Path

import pytest

from unrolled.long_memory import LEARNING_RATES, TASKS, agree, recorded, run

EXPERIMENT = "long_memory"
ROOT = Path(__file__).resolve().parents[2]


def arguments(runs):
    return [{key: row[key] for key in ("task", "model", "lag", "seed", "learning_rate")} for row in runs]


def test_every_run_of_the_experiment_is_on_record(experiment):
    assert arguments(recorded()["rows"]) == arguments(experiment.long_memory())


def test_the_learning_rates_are_those_that_tuning_found_best(experiment):
    tuned = json.loads((ROOT / "experiments/results/tuning.json").read_text(encoding="utf-8"))
    assert arguments(tuned["rows"]) == arguments(experiment.tuning())
    assert experiment.best_learning_rates(tuned["rows"]) == LEARNING_RATES
    assert not {row["seed"] for row in tuned["rows"]} & {row["seed"] for row in recorded()["rows"]}


@pytest.mark.parametrize("task", TASKS)
def test_runs_done_again_agree_with_the_record(task):
    solved = [row for row in recorded()["rows"] if row["task"] == task and row["solved"]]
    for row in sorted(solved, key=lambda row: row["updates"] * row["lag"])[:3]:
        assert agree(run(task, row["model"], row["lag"], row["seed"]), row)
