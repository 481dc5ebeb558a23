"""The study of long memory: repeatable, its record whole in the groups that it has, and halves that are halves."""

from itertools import product

import pytest
import torch

from unrolled import studies
from unrolled.studies.long_memory import MODELS, STAGES, TASKS, TUNING_SEEDS, learning_rate, run, scored
from unrolled.training import SEEDS


def test_the_same_arguments_give_the_same_bits():
    arguments = {"task": "copy", "model": "GRU chrono", "lag": 5, "seed": 3, "learning_rate": 0.01, "updates": 26}
    row = run(**arguments)
    assert run(**arguments) == row
    assert {key: row[key] for key in arguments} == arguments
    assert {"solved", "updates", "loss", "accuracy", "best", "start_loss"} <= row.keys()


def test_a_learning_rate_is_chosen_on_seeds_that_are_not_scored():
    assert TUNING_SEEDS == studies.TUNING_SEEDS
    assert not set(TUNING_SEEDS) & set(SEEDS)


def test_the_record_has_all_networks_and_seeds_of_each_task_and_lag_that_it_has():
    rows = studies.recorded("long-memory")["rows"]
    groups = {(row["task"], row["lag"]) for row in scored(rows)}
    assert groups <= {(task, lag) for task, lags in STAGES for lag in lags}
    found = [(row["task"], row["lag"], row["model"], row["seed"]) for row in scored(rows)]
    assert sorted(found) == sorted((*group, *which) for group in groups for which in product(MODELS, SEEDS))
    for row in scored(rows):
        assert row["learning_rate"] == learning_rate(rows, row["task"], row["model"])[0]


@pytest.mark.parametrize("half", ["forget", "input"])
def test_a_half_of_chrono_sets_one_gate_and_leaves_the_other(half):
    bias = {}
    for name in ("LSTM", f"LSTM chrono {half}"):
        torch.manual_seed(0)
        layer = MODELS[name](TASKS["copy"].width, 32, 100)
        bias[name] = (layer.bias_ih_l0 + layer.bias_hh_l0).detach()
    default, changed = bias.values()
    ours = slice(32, 64) if half == "forget" else slice(32)
    assert changed[ours].abs().max() > 3
    assert (changed[ours] * (1 if half == "forget" else -1) >= 0).all()
    kept = torch.ones(128, dtype=bool)
    kept[ours] = False
    assert torch.equal(changed[kept], default[kept])
