"""Studies that choose a learning rate: the best rate has a worse one on either side, and then the seeds are scored."""

import pytest

from unrolled.studies import SEEDS, adding_optimizers, by_rate, common_grid, more_updates, next_rates, reading


def test_rates_go_on_beyond_the_edge_at_which_the_best_lies():
    assert next_rates([], None, (1, 3), 3) == [1, 3]
    assert next_rates([1, 3], 1, (1, 3), 3) == [pytest.approx(1 / 3, rel=1e-5)]
    assert next_rates([1, 3], 3, (1, 3), 3) == [9]
    assert next_rates([1, 3, 9], 3, (1, 3), 3) == []
    assert next_rates([1], 1, (1,), 2) == [0.5, 2]


def followed(study, answer):
    rows = []
    while more := study.runs(rows=rows):
        rows += [run | answer(run["learning_rate"]) for run in more]
    return rows


def test_each_budget_of_the_reader_is_scored_at_its_best_rate():
    rows = followed(reading, lambda rate: {"validation": abs(rate - 0.04), "perplexity": rate})
    for budget in reading.BUDGETS:
        assert max(reading.tuned(rows, *budget)) > 0.04
        assert [(row["seed"], row["learning_rate"]) for row in reading.scored(rows, *budget)] == [
            (seed, 0.04) for seed in reading.SEEDS]


def test_each_optimiser_is_scored_at_its_best_rate():
    rows = followed(adding_optimizers, lambda rate: {"loss": [None if rate > 0.1 else abs(rate - 0.006)]})
    for optimizer in adding_optimizers.OPTIMIZERS:
        trials = adding_optimizers.tuned(rows, optimizer)
        best = min(trials, key=trials.get)
        assert min(trials) < best < max(trials)
        assert [(row["seed"], row["learning_rate"]) for row in adding_optimizers.scored(rows, optimizer)] == [
            (seed, best) for seed in SEEDS]


def test_a_rate_at_which_a_loss_is_not_finite_is_the_worst():
    row = {"optimizer": "SGD", "learning_rate": 1.0}
    rows = [row | {"seed": 100, "loss": [None]}, row | {"seed": 101, "loss": [0.1]}]
    assert adding_optimizers.tuned(rows, "SGD") == {1.0: float("inf")}


def test_a_rate_counts_once_all_seeds_have_run_it():
    ran = (100, 2), (101, 2), (100, 1), (0, 1)
    rows = [{"seed": seed, "learning_rate": rate, "loss": seed} for seed, rate in ran]
    assert by_rate(rows, lambda row: row["loss"]) == {2: 100.5}
    assert by_rate(rows, lambda row: row["loss"], (100,)) == {1: 100, 2: 100}


def test_each_budget_of_the_convolution_is_scored_at_its_best_rate():
    rows = followed(more_updates, lambda rate: {"validation": [2, abs(rate - 0.01)]})
    for updates in more_updates.BUDGETS:
        assert max(more_updates.tuned(rows, updates)) > 0.01
        assert [(row["seed"], row["learning_rate"]) for row in more_updates.scored(rows, updates)] == [
            (seed, 0.01) for seed in more_updates.SEEDS]


def test_all_networks_are_tried_at_the_same_rates_and_scored_at_two():
    at = {rate: abs(rate - 0.02) for rate in common_grid.RATES} | {0.16: 0}              # good by luck, at the edge
    rows = followed(common_grid, lambda rate: {"validation": [2, at[rate]]})
    for model in common_grid.MODELS:
        assert tuple(common_grid.tuned(rows, model)) == common_grid.RATES
        assert common_grid.learns(rows, model)
        assert common_grid.lowest_rate(rows, model) in (0.02, 0.16)
        assert common_grid.steady_rate(rows, model) == 0.01
        for rate in {common_grid.lowest_rate(rows, model), 0.01}:
            assert [row["seed"] for row in common_grid.scored(rows, model, rate)] == list(common_grid.SEEDS)


def test_a_network_that_no_rate_lifts_above_guessing_has_learned_nothing():
    row = {"model": "TCN", "learning_rate": 0.01, "validation": [1.38]}
    assert not common_grid.learns([row | {"seed": seed} for seed in (100, 101)], "TCN")
