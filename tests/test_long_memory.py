"""One run of a long-memory task: repeatable, stopped when solved, the function that its model's name says."""

import math

import numpy as np
import pytest
import torch

from unrolled.long_memory import EVERY, MODELS, TASKS, UPDATES, agree, run, shut, summary
from unrolled.torch import GRU, LSTM, RNN


@pytest.mark.parametrize("task", TASKS)
def test_the_same_arguments_give_the_same_bits_whatever_ran_before(task):
    first = run(task, "LSTM chrono", 6, seed=3, updates=30)
    run(task, "GRU", 5, seed=1, updates=3)
    assert run(task, "LSTM chrono", 6, seed=3, updates=30) == first
    assert run(task, "LSTM chrono", 6, seed=4, updates=30)["loss"] != first["loss"]


def test_a_solved_run_ends_at_the_look_that_finds_it_solved():
    row = run("delayed recall", "LSTM 1997", 5, seed=0)
    assert row["solved"] is True
    assert row["accuracy"] >= 0.99
    assert 0 < row["updates"] < UPDATES
    assert row["updates"] % EVERY == 0
    assert len(row["curve"]) == 1 + row["updates"] // EVERY
    assert row["curve"][-1] == pytest.approx(row["loss"], rel=1e-3)


def test_a_run_that_is_not_solved_uses_all_its_updates_and_is_looked_at_after_the_last():
    row = run("copy", "RNN", 20, seed=0, updates=27)
    assert row["solved"] is False
    assert row["updates"] == 27
    assert row["curve"][-1] == pytest.approx(row["loss"], rel=1e-3)
    assert len(row["curve"]) == 3                                   # before, after 25, after 27


@pytest.mark.parametrize("task", TASKS)
def test_an_untrained_network_scores_no_better_than_the_baseline(task):
    row = run(task, "LSTM", 10, seed=0, updates=1, learning_rate=1e-9)
    assert row["loss"] > 0.99 * TASKS[task].baseline
    assert row["start_loss"] > 0.8 * TASKS[task].baseline


def test_baselines_are_those_of_a_constant_guess():
    for spec in TASKS.values():
        _, y = spec.make(20_000, 5, seed=0)
        constant = y.var() if spec.classes is None else math.log(len(np.unique(y)))
        assert constant == pytest.approx(spec.baseline, rel=0.02)


@pytest.mark.parametrize(("task", "loss", "accuracy", "solved"), [
    ("copy", 0.5, 0.99, True),
    ("copy", 0.0, 0.989, False),
    ("adding", 0.01, None, True),
    ("adding", 0.011, None, False),
])
def test_solved_is_an_accuracy_or_for_numbers_an_error(task, loss, accuracy, solved):
    assert TASKS[task].solved(loss, accuracy) is solved


def gradients(layer, x):
    output, _ = layer(x)
    output.square().sum().backward()
    return output, {name: parameter.grad for name, parameter in layer.named_parameters()}


OURS = {                        # what each name promises, in code that reads like its equations
    "RNN": lambda: RNN(5, 7),
    "LSTM 1997": lambda: LSTM(5, 7, forget_gate=False),
    "LSTM 1997 shut": lambda: shut(LSTM(5, 7, forget_gate=False)),
    "LSTM": lambda: LSTM(5, 7),
    "LSTM bias 1": lambda: LSTM(5, 7, forget_bias=1.0),
    "LSTM chrono": lambda: LSTM(5, 7, chrono=50),
    "GRU": lambda: GRU(5, 7),
}


@pytest.mark.parametrize("model", MODELS)
def test_what_is_trained_computes_what_the_model_s_name_says(model):
    torch.manual_seed(0)
    ours = OURS[model]()
    torch.manual_seed(0)
    twin = MODELS[model](5, 7, 50)
    x = torch.randn(40, 3, 5)
    (expected, by_hand), (output, by_library) = gradients(ours, x), gradients(twin, x)
    torch.testing.assert_close(output, expected, rtol=2e-6, atol=2e-6)
    for name, grad in by_hand.items():
        got = by_library[name]
        if model.startswith("LSTM 1997"):
            assert not got[7:14].any()                              # the forget gate that is not there
            got = torch.cat([got[:7], got[14:]])
        torch.testing.assert_close(got, grad, rtol=0, atol=2e-6 * grad.abs().max().item())


def test_training_leaves_the_absent_forget_gate_of_1997_where_it_is():
    torch.manual_seed(0)
    twin = MODELS["LSTM 1997"](5, 7, 50)
    optimizer = torch.optim.Adam(twin.parameters(), 0.1)
    before = {name: value.clone() for name, value in twin.state_dict().items()}
    for _ in range(20):
        optimizer.zero_grad()
        gradients(twin, torch.randn(10, 3, 5))
        optimizer.step()
    for name, value in twin.state_dict().items():
        assert torch.equal(value[7:14], before[name][7:14])
        assert not torch.equal(value[:7], before[name][:7])


def test_the_starts_differ_in_the_gates_that_their_names_say():
    torch.manual_seed(0)
    start = {name: make(5, 64, 100) for name, make in MODELS.items()}
    bias = {name: (layer.bias_ih_l0 + layer.bias_hh_l0).detach() for name, layer in start.items()}
    i, f = slice(0, 64), slice(64, 128)
    assert (bias["LSTM bias 1"][f] == 1).all()
    assert (bias["LSTM 1997 shut"][i] == -3).all()
    assert (bias["LSTM 1997"][f].sigmoid() == 1).all()
    assert (bias["LSTM"].abs() <= 2 / 8).all()
    chrono = bias["LSTM chrono"]
    assert torch.equal(chrono[i], -chrono[f])
    assert ((chrono[f] >= 0) & (chrono[f] <= math.log(99))).all()
    assert chrono[f].exp().mean().item() == pytest.approx(50, abs=10)       # time constants up to the lag


def test_a_summary_counts_seeds_and_takes_the_median_of_those_that_solved_it():
    seeds = [(True, 100), (True, 400), (True, 200), (False, 1000)]
    rows = [{"task": "copy", "model": "GRU", "lag": 10, "solved": solved, "updates": n} for solved, n in seeds]
    rows.append(rows[-1] | {"lag": 30})
    assert summary(rows) == {("copy", "GRU", 10): (4, 3, 200), ("copy", "GRU", 30): (1, 0, None)}


def test_rows_agree_if_they_began_alike_and_ended_in_the_same_verdict():
    row = run("delayed recall", "LSTM 1997", 5, seed=0, updates=50)
    assert agree(row, row)
    assert agree(row | {"start_loss": row["start_loss"] * 1.0005, "updates": row["updates"] + EVERY}, row)
    assert not agree(row | {"start_loss": row["start_loss"] * 1.002}, row)
    assert not agree(row | {"solved": not row["solved"]}, row)
    assert not agree(row | {"seed": 1}, row)


@pytest.mark.parametrize(("arguments", "options", "error", "message"), [
    (("coping", "RNN", 9, 0), {}, ValueError, "task must be one of 'copy', 'adding', 'delayed recall', got 'coping'"),
    (("copy", "TCN", 9, 0), {}, ValueError, "model must be one of 'RNN', 'LSTM 1997'"),
    (("copy", "RNN", 2, 0), {}, ValueError, "lag must be at least 3, got 2"),
    (("copy", "RNN", 9.5, 0), {}, TypeError, "lag must be a whole number, got float 9.5"),
    (("copy", "RNN", 9, -1), {}, ValueError, "seed must be a whole number from 0 to 2**32 - 1, got -1"),
    (("copy", "RNN", 9, 0), {"updates": 0}, ValueError, "updates must be at least 1, got 0"),
    (("copy", "RNN", 9, 0), {"learning_rate": -1}, ValueError, "learning_rate must be a positive number, got -1"),
    (("copy", "RNN", 9, 0), {"hidden_size": 0}, ValueError, "hidden_size must be at least 1, got 0"),
])
def test_a_wrong_argument_is_named(refuses, arguments, options, error, message):
    with refuses(error, message):
        run(*arguments, **options)


def test_a_loss_that_is_not_finite_is_named_with_its_update(refuses):
    with refuses(ValueError, "expected a finite loss, got"):
        run("adding", "RNN", 5, 0, learning_rate=1e30)
