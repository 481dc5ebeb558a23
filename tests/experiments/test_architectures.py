"""The experiment finds its learning rates by itself, and its record is what it would run."""

import math
from itertools import groupby

from unrolled.architectures import MODELS, TASKS, chosen, configurations, recorded, tuned
from unrolled.training import SEEDS

EXPERIMENT = "architectures"


def pretended(experiment, best):
    """All rows of the experiment, round by round, if the best rate of the k-th configuration were the k-th of these."""
    best, rows = dict(zip(experiment.CONFIGURATIONS, best)), []
    while more := experiment.architectures(rows=rows):
        for run in more:
            [configuration] = configurations([run])
            distance = abs(math.log2(run["learning_rate"] / best[configuration]))
            rows.append(run | {"validation": [distance], "test": {"96": run["seed"]}, "parameters": 1, "flops": 2})
    return rows


def test_the_search_finds_the_best_rate_from_either_side_and_then_runs_the_seeds(experiment):
    best = [0.01 * 2 ** (k % 9 - 4) for k in range(len(experiment.CONFIGURATIONS))]
    rows = pretended(experiment, best)
    assert configurations(rows) == experiment.CONFIGURATIONS
    for configuration, rate in zip(experiment.CONFIGURATIONS, best):
        found, tried = chosen(rows, *configuration), list(tuned(rows, *configuration))
        assert [(row["seed"], row["learning_rate"]) for row in found] == [(seed, rate) for seed in SEEDS]
        assert tried[0] < rate < tried[-1]
    assert len({str(row) for row in rows}) == len(rows), "and nothing twice"


def test_one_task_is_finished_before_the_next_begins(experiment):
    def tasks(of):
        return [key for key, _ in groupby((task, characters) for task, _, _, characters in of)]

    rows = pretended(experiment, [0.02] * len(experiment.CONFIGURATIONS))
    assert tasks(configurations([row])[0] for row in rows) == tasks(experiment.CONFIGURATIONS)


def test_every_model_is_asked_every_task_with_as_many_weights_and_one_with_as_much_arithmetic(experiment):
    assert {task for task, *_ in experiment.CONFIGURATIONS} == TASKS.keys()
    assert {model for _, model, *_ in experiment.CONFIGURATIONS} == MODELS.keys()
    widths = {width for task, model, width, _ in experiment.CONFIGURATIONS if (task, model) == ("text", "Transformer")}
    assert len(widths) == 2
    assert len(set(experiment.CONFIGURATIONS)) == len(experiment.CONFIGURATIONS)


def test_a_small_sweep_has_something_of_every_configuration(experiment):
    small = experiment.architectures(small=True)
    assert configurations(small) == experiment.CONFIGURATIONS
    assert {run["updates"] for run in small} == {10}
    assert not experiment.architectures(small=True, rows=small)


def test_the_table_says_of_every_configuration_how_it_did_or_that_it_is_being_tuned(experiment):
    rows = pretended(experiment, [0.02] * len(experiment.CONFIGURATIONS))
    lines = list(experiment.table(rows))
    assert len(lines) == len(experiment.CONFIGURATIONS)
    assert all("96: 2.000 ± 1.963" in line for line in lines)           # of the scores 0 ... 4
    assert "being tuned" in next(experiment.table(rows[:3]))


def test_the_record_lacks_nothing_that_the_experiment_would_run(experiment):
    rows = recorded()["rows"]
    assert configurations(rows) == experiment.CONFIGURATIONS
    assert experiment.architectures(rows=rows) == []
    assert {row["updates"] for row in rows if row["task"] == "text"} == {experiment.UPDATES["text"]}
