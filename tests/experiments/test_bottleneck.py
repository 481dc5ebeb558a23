"""The record of the encoder-decoders is that of the experiment, and its rates are those that tuning found best."""

from unrolled.bottleneck import chosen, recorded, tuned
from unrolled.training import SEEDS

EXPERIMENT = "bottleneck"


def arguments(rows):
    names = "task", "attention", "hidden_size", "learning_rate", "seed", "updates"
    return [tuple(row[name] for name in names) for row in rows]


def test_every_run_of_the_experiment_is_on_record_and_no_other(experiment):
    assert arguments(recorded()["rows"]) == arguments(experiment.bottleneck())


def test_the_rates_are_those_that_tuning_found_best_and_never_at_the_edge(experiment):
    rows = recorded()["rows"]
    for *configuration, rates, best in experiment.CONFIGURATIONS:
        assert tuple(tuned(rows, *configuration)) == rates, configuration
        assert {row["learning_rate"] for row in chosen(rows, *configuration)} == {best}, configuration
        assert [row["seed"] for row in chosen(rows, *configuration)] == list(SEEDS), configuration
        assert rates[0] < best < rates[-1], configuration


def test_a_small_sweep_has_something_of_every_configuration(experiment):
    small = experiment.bottleneck(small=True)
    assert len(small) == 2 * len(experiment.CONFIGURATIONS) + len(experiment.LONGER)
    assert {run["updates"] for run in small} == {10, 50}


def test_the_table_names_every_configuration(experiment):
    lines = list(experiment.table(recorded()["rows"]))
    assert len(lines) == len(experiment.CONFIGURATIONS) + len(experiment.LONGER)
    assert all("±" in line for line in lines)
