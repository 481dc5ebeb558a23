"""The run behind every comparison of cells: what is trained, what is scored, and what a record must hold."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch import nn

from unrolled import studies
from unrolled.data import load_elnino
from unrolled.instruments.parity import relative_error
from unrolled.studies import comparison
from unrolled.training import SEEDS, seed_everything

RUN = {"task": "elnino", "cell": "GRU", "hidden_size": 4, "learning_rate": 0.01, "seed": 0, "updates": 10}


@pytest.mark.parametrize("cell", comparison.CELLS)
def test_every_cell_reads_a_sequence_and_is_trained(cell):
    seed_everything(0)
    layer = comparison.CELLS[cell](3, 5)
    output, state = layer(torch.randn(7, 2, 3))
    assert output.shape == (7, 2, 5)
    again, _ = layer(torch.randn(7, 2, 3), state)
    (output.square().sum() + again.square().sum()).backward()
    for name, p in layer.named_parameters():
        assert not p.requires_grad or p.grad.abs().sum() > 0, name


def test_one_input_matrix_is_a_gru_with_three_equal_ones():
    seed_everything(0)
    shared, library = comparison.SharedInputGRU(3, 5), nn.GRU(3, 5)
    library.load_state_dict(shared.gru.state_dict() | {"weight_ih_l0": shared.weight_x.repeat(3, 1)})
    x = torch.randn(6, 2, 3)
    assert torch.equal(shared(x)[0], library(x)[0])
    assert comparison.parameters(library) - comparison.parameters(shared) == 2 * 3 * 5


def test_no_reset_is_the_equation_with_r_equal_to_one():
    seed_everything(0)
    layer, x, h = comparison.NoResetGRU(3, 5), torch.randn(6, 3), torch.zeros(5)
    W, U, b, b2 = (layer.rows[name + "_l0"].chunk(2) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    for x_t in x:
        z = torch.sigmoid(W[0] @ x_t + b[0] + U[0] @ h + b2[0])
        n = torch.tanh(W[1] @ x_t + b[1] + U[1] @ h + b2[1])
        h = (1 - z) * n + z * h
    assert relative_error(layer(x)[0][-1].detach().numpy(), h.detach().numpy()) < 1e-6
    assert comparison.parameters(layer) == 2 * (3 * 5 + 5 * 5 + 2 * 5)


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM", "minGRU"])
@pytest.mark.parametrize("wanted", [200, 5000])
def test_the_width_for_a_number_of_weights_is_the_nearest(cell, wanted):
    def off(hidden_size):
        return abs(comparison.parameters(comparison.CELLS[cell](7, hidden_size)) - wanted)

    width = comparison.width_for(cell, 7, wanted)
    assert off(width) <= min(off(width + 1), off(max(1, width - 1)))


@pytest.mark.parametrize("task", comparison.TASKS)
def test_a_run_is_decided_by_its_arguments(task):
    one, same, other = (comparison.run(**RUN | {"task": task, "seed": seed}) for seed in (0, 0, 1))
    assert one == same
    assert one["test"] != other["test"]
    assert len(one["loss"]) == len(one["validation"]) == 10
    assert one | RUN | {"task": task} == one, "the arguments are part of the record"


def test_the_score_is_the_one_of_the_best_validation():
    result = comparison.run(**RUN | {"updates": 200, "learning_rate": 0.05, "hidden_size": 16})
    assert result["validation"][-1] > min(result["validation"]), "this run overfits, or the test below says nothing"
    assert result["test"] != result["last"]


def test_the_model_that_comes_back_has_the_last_score():
    _, score, record = comparison.train(**RUN)
    assert math.isclose(score("test"), record["last"], rel_tol=1e-5)
    assert math.isclose(score("validation"), record["validation"][-1], rel_tol=1e-5)


def test_a_short_text_is_read_again_from_its_beginning():
    result = comparison.run("text", "RNN", 4, 0.01, seed=0, updates=40, characters=64 * 25)    # one chunk of 20 a pass
    assert np.isfinite(result["loss"]).all()


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"task": "chess"}, ValueError, "task must be one of 'text', 'elnino', got 'chess'"),
    ({"cell": "TCN"}, ValueError, "cell must be one of 'RNN', "),
    ({"updates": 15}, ValueError, "updates must be a multiple of 10, got 15"),
    ({"updates": 0}, ValueError, "updates must be at least 1, got 0"),
    ({"learning_rate": 0}, ValueError, "learning_rate must be a positive number, got 0"),
    ({"hidden_size": 0}, ValueError, "hidden_size must be at least 1, got 0"),
], ids=lambda value: str(value) if isinstance(value, dict) else None)
def test_a_wrong_argument_is_named(refuses, change, error, message):
    with refuses(error, message):
        comparison.run(**RUN | change)


def rows(**scores):
    """A made record: one run on the seed for tuning and five more, for each learning rate and its validation score."""
    base = {"task": "elnino", "cell": "GRU", "hidden_size": 4, "characters": None}
    return [base | {"learning_rate": float(rate[1:]), "seed": seed, "validation": [9.0, score], "test": seed}
            for rate, score in scores.items() for seed in (comparison.TUNING_SEED, *SEEDS)]


@pytest.mark.parametrize(("shift", "word"), [(0.0, "equal"), (0.005, "equal"), (0.2, "different"), (-0.2, "different")])
def test_two_groups_are_equal_different_or_undecided(shift, word):
    one = np.array([4.0, 4.002, 3.998, 4.001, 3.999])
    mean, half, found = comparison.difference(one + shift, one)
    assert math.isclose(mean, shift, abs_tol=1e-12)
    assert half > 0
    assert found == word
    assert comparison.difference(10 * one + 10 * shift, 10 * one, per_cent=True)[2] == word
    assert math.isclose(comparison.difference(2 * one, one, per_cent=True)[0], 100)


def test_the_linear_baseline_is_the_ridge_regression_of_scikit_learn():
    sea, months = load_elnino(), 12
    rows = {name: range(max(part.start, months - 1), part.stop - comparison.LEAD)
            for name, part in sea.parts.items()}

    def given(t):
        return [*sea.anomaly[t - months + 1 : t + 1], *(f(2 * np.pi * sea.month[t] / 12) for f in (np.sin, np.cos)), 1]

    x, y = ({name: [make(t) for t in rows[name]] for name in ("train", "test")}
            for make in (given, lambda t: sea.anomaly[t + comparison.LEAD]))
    model = Ridge(alpha=1.0, fit_intercept=False).fit(x["train"], y["train"])
    error = math.sqrt(np.mean((model.predict(x["test"]) - y["test"]) ** 2))
    assert math.isclose(comparison.sea_baselines()["linear, 12 months"], error, rel_tol=1e-9)


@pytest.mark.filterwarnings("error")
def test_seeds_that_all_score_the_same_are_compared_in_silence():
    assert comparison.difference([1.0] * 5, [0.3, 0.4, 0.35, 0.3, 0.4])[2] == "different"


def test_five_scattered_seeds_decide_nothing():
    assert comparison.difference([1, 2, 3, 4, 5], [1.5, 2, 3.5, 4, 5])[2] == "undecided"


def test_the_learning_rate_is_chosen_on_the_seed_for_tuning_alone():
    made = rows(_1=0.7, _2=0.5, _3=0.6)
    for row in made:
        if row["seed"] in SEEDS and row["learning_rate"] == 1:
            row["validation"] = [0.1, 0.1]                      # better, on seeds that must not decide
    found = comparison.chosen(made, "elnino", "GRU", 4)
    assert [row["seed"] for row in found] == list(SEEDS)
    assert {row["learning_rate"] for row in found} == {2}
    assert list(comparison.tuned(made, "elnino", "GRU", 4)) == [1, 2, 3]


def test_a_configuration_that_was_not_run_is_named(refuses):
    with refuses(ValueError, "expected a configuration of the record, got"):
        comparison.chosen(rows(_1=0.5), "elnino", "GRU", 5)


def test_the_record_holds_five_seeds_of_every_configuration_and_no_rate_at_the_edge():
    made = studies.rows("comparison")
    for key in {(row["task"], row["cell"], row["hidden_size"], row["characters"]) for row in made}:
        best = comparison.chosen(made, *key)
        rates = list(comparison.tuned(made, *key))
        assert [row["seed"] for row in best] == list(SEEDS), key
        assert rates[0] < best[0]["learning_rate"] < rates[-1], key


def test_the_record_is_what_a_run_gives():
    row = next(row for row in studies.rows("comparison") if row["cell"] == "LSTM" and row["task"] == "elnino")
    again = comparison.run(*(row[name] for name in ("task", "cell", "hidden_size", "learning_rate", "seed", "updates")))
    assert math.isclose(again["loss"][0], row["loss"][0], rel_tol=1e-3)
    assert math.isclose(again["test"], row["test"], rel_tol=0.1)


# The runs, and the record


def arguments(rows):
    names = "task", "cell", "hidden_size", "characters", "learning_rate", "seed", "updates"
    return [tuple(row[name] for name in names) for row in rows]


def test_every_run_of_the_experiment_is_on_record_and_no_other():
    assert sorted(map(str, arguments(studies.rows("comparison")))) == sorted(map(str, arguments(comparison.runs())))


def test_the_rates_are_those_that_tuning_found_best_and_never_at_the_edge():
    rows = studies.rows("comparison")
    for *configuration, rates, best in comparison.CONFIGURATIONS:
        assert tuple(comparison.tuned(rows, *configuration)) == rates, configuration
        assert {row["learning_rate"] for row in comparison.chosen(rows, *configuration)} == {best}, configuration
        assert rates[0] < best < rates[-1], configuration


def test_a_small_sweep_has_something_of_every_configuration():
    small = comparison.runs(small=True)
    assert len(small) == 2 * len(comparison.CONFIGURATIONS)
    assert {run["updates"] for run in small} == {10}


def test_the_table_names_every_configuration():
    lines = list(comparison.table(studies.rows("comparison")))
    assert len(lines) == len(comparison.CONFIGURATIONS)
    assert all("±" in line for line in lines)
