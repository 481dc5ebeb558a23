"""The record of the comparison is that of the experiment, and the rates it uses are those that tuning found best."""

from unrolled.comparison import chosen, recorded, tuned
from unrolled.training import SEEDS

EXPERIMENT = "comparison"


def arguments(rows):
    names = "task", "cell", "hidden_size", "characters", "learning_rate", "seed", "updates"
    return [tuple(row[name] for name in names) for row in rows]


def test_every_run_of_the_experiment_is_on_record_and_no_other(experiment):
    assert sorted(map(str, arguments(recorded()["rows"]))) == sorted(map(str, arguments(experiment.comparison())))


def test_the_rates_are_those_that_tuning_found_best_and_never_at_the_edge(experiment):
    rows = recorded()["rows"]
    for *configuration, rates, best in experiment.CONFIGURATIONS:
        assert tuple(tuned(rows, *configuration)) == rates, configuration
        assert {row["learning_rate"] for row in chosen(rows, *configuration)} == {best}, configuration
        assert rates[0] < best < rates[-1], configuration


def test_a_small_sweep_has_something_of_every_configuration(experiment):
    small = experiment.comparison(small=True)
    assert len(small) == 2 * len(experiment.CONFIGURATIONS)
    assert {run["updates"] for run in small} == {10}


def test_the_table_names_every_configuration(experiment):
    lines = list(experiment.table(recorded()["rows"]))
    assert len(lines) == len(experiment.CONFIGURATIONS)
    assert all("±" in line for line in lines)


def test_the_record_has_five_seeds():
    assert all(len(chosen(recorded()["rows"], *key)) == len(SEEDS)
               for key in {(r["task"], r["cell"], r["hidden_size"], r["characters"]) for r in recorded()["rows"]})
