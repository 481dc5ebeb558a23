"""The records that are in the tree: complete, of these experiments, and true when a slice of them is run again."""

import json
from pathlib import Path

import pytest

from unrolled.long_memory import LEARNING_RATES, RECORD, TASKS, agree, recorded, run

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def experiment(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from experiments import long_memory

    return long_memory


def arguments(runs):
    return [{key: row[key] for key in ("task", "model", "lag", "seed", "learning_rate")} for row in runs]


def test_every_run_of_the_experiment_is_on_record(experiment):
    assert arguments(recorded()["rows"]) == arguments(experiment.long_memory())


def test_the_learning_rates_are_those_that_tuning_found_best(experiment):
    tuned = json.loads((ROOT / "experiments/results/tuning.json").read_text(encoding="utf-8"))
    assert arguments(tuned["rows"]) == arguments(experiment.tuning())
    assert experiment.best_learning_rates(tuned["rows"]) == LEARNING_RATES
    assert not {row["seed"] for row in tuned["rows"]} & {row["seed"] for row in recorded()["rows"]}


def test_a_record_names_its_origin_of_a_clean_tree():
    for record in (recorded(), json.loads((ROOT / "experiments/results/tuning.json").read_text(encoding="utf-8"))):
        assert {"commit", "date", "device", "versions"} <= record.keys()
        assert len(record["commit"]) == 12              # a thirteenth would be of "-dirty"


def test_the_record_beside_the_experiment_is_the_one_that_the_package_brings_along():
    assert (ROOT / "experiments/results/long-memory.json").resolve() == RECORD.resolve()


@pytest.mark.parametrize("task", TASKS)
def test_runs_done_again_agree_with_the_record(task):
    solved = [row for row in recorded()["rows"] if row["task"] == task and row["solved"]]
    for row in sorted(solved, key=lambda row: row["updates"] * row["lag"])[:3]:
        assert agree(run(task, row["model"], row["lag"], row["seed"]), row)
