"""What is asked of a past is what the page says, and the record holds what its rules demand."""

import math

import pytest
import torch

from unrolled import studies
from unrolled.studies import architectures, recall
from unrolled.training import SEEDS, seed_everything

PAIRS = {"part": "pairs", "model": "LSTM", "pairs": 3, "learning_rate": 0.01, "seed": 0, "updates": 5}
LAG = {"part": "lag", "model": "GRU", "width": 4, "lag": 5, "learning_rate": 0.01, "seed": 0, "updates": 10}
TOTAL = {"part": "total", "model": "RNN", "width": 4, "learning_rate": 0.01, "seed": 0, "updates": 10}


@pytest.mark.parametrize("pairs", [1, 4, 32])
def test_the_answer_is_the_value_that_came_with_the_key(pairs):
    keys, values, answers = recall.questions(pairs, 200, torch.Generator().manual_seed(3))
    assert keys.shape == values.shape == (pairs + 1, 200)
    for b in range(200):
        known = dict(zip(keys[:-1, b].tolist(), values[:-1, b].tolist()))
        assert len(known) == pairs, "no key comes twice"
        assert known[keys[-1, b].item()] == answers[b]
    assert (values[-1] == recall.VALUES).all()
    assert set(answers.tolist()) == set(range(recall.VALUES))
    assert len(set(keys[-1].tolist())) > 20, "any key may be asked for"


def test_guessing_is_right_as_often_as_the_commonest_value_is():
    assert recall.guess(1) == 1
    # Two values of eight are equal once in eight times; if not, the guess is right every other time.
    assert math.isclose(recall.guess(2), 1 / 8 + 7 / 8 / 2, abs_tol=0.01)
    assert recall.guess(2) > recall.guess(4) > recall.guess(16) > 1 / 8


@pytest.mark.parametrize("model", recall.LAYERS)
def test_every_part_of_every_network_is_trained_and_sees_all_pairs(model):
    seed_everything(0)
    network = recall.Recall(model)
    keys, values, answers = recall.questions(4, 64, torch.Generator().manual_seed(0))
    given = network(keys, values)
    assert given.shape == (64, recall.VALUES)
    torch.nn.functional.cross_entropy(given, answers).backward()
    for name, p in network.named_parameters():
        # A constant on the keys moves no weight of a softmax.
        assert name == "layer.in_proj_bias" or p.grad.abs().sum() > 0, name
    for step in range(4):
        other = values.clone()
        other[step] = (other[step] + 1) % recall.VALUES
        assert ((network(keys, other) - given).abs().sum(-1) > 0).all(), step


@pytest.mark.parametrize("settings", [PAIRS, PAIRS | {"model": "attention"}, PAIRS | {"model": "GRU"}, LAG, TOTAL],
                         ids=lambda settings: f"{settings['part']} {settings['model']}")
def test_a_run_is_decided_by_its_arguments(settings):
    one, same, other = (recall.run(**settings | {"seed": seed}) for seed in (0, 0, 1))
    assert one == same
    assert one["loss"] != other["loss"]
    assert one | settings == one, "the arguments are part of the record"


def test_one_run_has_been_every_shorter_one(monkeypatch):
    monkeypatch.setattr(recall, "LOOKS", (2, 4, 6))
    found = {updates: recall.run(**PAIRS | {"updates": updates}) for updates in (2, 4, 6, 7)}
    assert list(found[7]["loss"]) == ["2", "4", "6", "7"]
    for updates in (2, 4, 6):
        assert found[updates]["loss"][str(updates)] == found[7]["loss"][str(updates)]
    assert list(found[4]["loss"]) == ["2", "4"]


def test_the_delayed_recall_is_that_of_the_architectures():
    there = architectures.run("delayed recall", "GRU", 4, 0.01, 0, 10)
    here = recall.run(**LAG | {"lag": 100})
    same = "parameters", "flops", "loss", "validation", "test"
    assert {name: here[name] for name in same} == {name: there[name] for name in same}
    assert list(recall.run(**LAG)["test"]) == ["5", "10"]


@pytest.mark.parametrize(("change", "error", "message"), [
    (PAIRS | {"part": "chess"}, ValueError, "part must be one of 'pairs', 'lag', 'total', got 'chess'"),
    (PAIRS | {"model": "RNN"}, ValueError, "model must be one of 'attention', 'LSTM', 'GRU', got 'RNN'"),
    (PAIRS | {"pairs": 33}, ValueError, "pairs must be at most 32, got 33"),
    (PAIRS | {"pairs": 0}, ValueError, "pairs must be at least 1, got 0"),
    (PAIRS | {"learning_rate": -1}, ValueError, "learning_rate must be a positive number, got -1"),
    (PAIRS | {"updates": 2.5}, TypeError, "updates must be "),
    (LAG | {"model": "attention"}, ValueError, "model must be one of 'RNN', "),
    (LAG | {"lag": 0}, ValueError, "lag must be at least 1, got 0"),
    (LAG | {"updates": 15}, ValueError, "updates must be a multiple of 10, got 15"),
], ids=lambda value: value["part"] if isinstance(value, dict) else None)
def test_a_wrong_argument_is_named(refuses, change, error, message):
    with refuses(error, message):
        recall.run(**change)


def rows(**losses):
    """A made record: all seeds at each learning rate, with these held-out losses after two looks."""
    base = {"part": "pairs", "model": "GRU", "pairs": 2}
    return [base | {"learning_rate": float(rate[1:]), "seed": seed, "loss": {"1": one, "2": other + seed / 1000}}
            for rate, (one, other) in losses.items() for seed in (*recall.TUNING_SEEDS, *SEEDS)]


def test_the_rate_is_chosen_on_the_seeds_for_tuning_by_all_looks():
    made = rows(_1=(0.9, 0.1), _2=(0.5, 0.4), _3=(0.7, 0.4))
    for row in made:
        if row["seed"] in SEEDS and row["learning_rate"] == 1:
            row["loss"] = {"1": 0.0, "2": 0.0}                  # better, on seeds that must not decide
    assert list(recall.tuned(made, "GRU", 2)) == [1, 2, 3]
    assert math.isclose(recall.tuned(made, "GRU", 2)[1], 0.5 + 0.1005 / 2)
    assert recall.best_rate(made, "GRU", 2) == 2
    assert [(row["seed"], row["learning_rate"]) for row in recall.chosen(made, "GRU", 2)] == [(s, 2) for s in SEEDS]


def test_what_was_not_run_is_named(refuses):
    with refuses(ValueError, "expected a model and a number of pairs of the record, got 'GRU' and 3"):
        recall.chosen(rows(_1=(0.1, 0.2)), "GRU", 3)


def test_seeds_that_solve_a_lag_are_counted_by_rate_and_over_both_records():
    here = [{"part": "lag", "model": "GRU", "lag": lag, "learning_rate": 0.1, "seed": seed, "test": {str(lag): right}}
            for lag in (5, 100) for seed, right in enumerate((1.0, 0.9, 0.901))]
    there = [{"task": task, "model": "GRU", "learning_rate": 0.05, "seed": seed, "test": {"100": 1.0}}
             for task in ("delayed recall", "adding") for seed in (0, 1, 100)]
    assert recall.solved(here, "GRU", 5) == {0.1: (2, 3, [1.0, 0.9, 0.901])}
    assert recall.solved([*here, *there], "GRU", 100) == {0.05: (2, 2, [1.0, 1.0]), 0.1: (2, 3, [1.0, 0.9, 0.901])}
    assert recall.solved(here, "LSTM", 5) == {}


def test_the_record_holds_five_seeds_of_every_number_of_pairs_and_no_rate_at_the_edge():
    record = [row for row in studies.rows("recall") if row["part"] == "pairs"]
    for model, pairs in {(row["model"], row["pairs"]) for row in record}:
        best, rates = recall.chosen(record, model, pairs), list(recall.tuned(record, model, pairs))
        assert [row["seed"] for row in best] == list(SEEDS)
        assert rates[0] < best[0]["learning_rate"] < rates[-1], (model, pairs)
        assert all(list(row["accuracy"]) == [str(look) for look in recall.LOOKS] for row in best)


def test_the_record_has_every_lag_at_more_than_one_rate():
    record = [row for row in studies.rows("recall") if row["part"] == "lag"]
    both = [*record, *studies.rows("architectures")]
    for model, lag in {(row["model"], row["lag"]) for row in record}:
        counts = recall.solved(both, model, lag)
        assert len(counts) >= 2, (model, lag)
        assert min(seeds for _, seeds, _ in counts.values()) >= 3
        if lag == 100:
            assert sum(seeds == len(SEEDS) for _, seeds, _ in counts.values()) >= 3, model


def test_the_control_has_as_many_weights_in_all_as_the_transformer():
    [width] = {row["width"] for row in studies.rows("recall") if row["part"] == "total"}
    transformer = architectures.width_for("Transformer", architectures.INPUTS["text"], 40_000)
    wanted = architectures.totals("text", "Transformer", transformer)[1]
    assert math.isclose(architectures.totals("text", "RNN", width)[1], wanted, rel_tol=0.01)


def test_the_record_is_what_a_run_gives():
    rows = studies.rows("recall")
    pairs = next(row for row in rows if row["part"] == "pairs" and row["model"] == "LSTM" and row["pairs"] == 2)
    lag = next(row for row in rows if row["part"] == "lag" and row["model"] == "LSTM" and row["lag"] == 5)
    again = recall.run(**{name: pairs[name] for name in PAIRS} | {"updates": 150})
    assert math.isclose(again["loss"]["150"], pairs["loss"]["150"], rel_tol=0.01)
    again = recall.run(**{name: lag[name] for name in LAG})
    assert again.keys() == lag.keys()
    assert math.isclose(again["loss"][0], lag["loss"][0], rel_tol=1e-3)


# The runs, and the record


def pretended(best):
    """All rows of the experiment, round by round, if the k-th pair of model and number had the k-th best rate."""
    best, rows = dict(zip(recall.PAIRS, best)), []
    while more := recall.runs(rows=rows):
        for run in more:
            if run["part"] == "pairs":
                distance = abs(math.log2(run["learning_rate"] / best[run["model"], run["pairs"]]))
                rows.append(run | {"loss": {"150": distance}, "accuracy": {"150": run["seed"]}})
            else:
                rows.append(run | {"test": {str(run.get("lag", 64)): run["seed"]}})
    return rows


def test_the_search_finds_the_best_rate_from_either_side_and_then_runs_the_seeds():
    best = [0.01 * 2 ** (k % 7 - 3) for k in range(len(recall.PAIRS))]
    rows = pretended(best)
    for one, rate in zip(recall.PAIRS, best):
        found, tried = recall.chosen(rows, *one), list(recall.tuned(rows, *one))
        assert [(row["seed"], row["learning_rate"]) for row in found] == [(seed, rate) for seed in SEEDS]
        assert tried[0] < rate < tried[-1]
    assert len({str(row) for row in rows}) == len(rows), "and nothing twice"
    seeds = {row["seed"] for row in rows if row["part"] == "pairs"}
    assert seeds == {*recall.TUNING_SEEDS, *SEEDS}


def test_every_model_runs_at_rates_around_its_own_and_none_of_those_runs_is_on_the_other_record():
    there = studies.rows("architectures")
    runs = [row for row in pretended([0.01] * 9) if row["part"] == "lag" and row["lag"] == 100]
    for model in recall.AROUND:
        [width] = {run["width"] for run in runs if run["model"] == model}
        own = architectures.best_rate(there, "delayed recall", model, width, None)
        tried = {run["learning_rate"] for run in runs if run["model"] == model}
        assert {own / 2, own * 2} <= tried
        assert own not in tried


def test_a_small_sweep_has_something_of_every_part():
    small = recall.runs(small=True)
    assert {run["part"] for run in small} >= {"pairs", "lag"}
    assert {run["updates"] for run in small} == {10}
    assert not recall.runs(small=True, rows=small)


def test_the_table_has_a_line_for_every_question():
    rows = pretended([0.01] * len(recall.PAIRS))
    lines = list(recall.table(rows))
    lags = {(row["model"], row["lag"]) for row in rows if row["part"] == "lag"}
    assert len(lines) == len(recall.PAIRS) + len(lags) + 1
    assert all("150: 2.000 ± 1.963" in line for line in lines[: len(recall.PAIRS)])        # of the scores 0 ... 4
    assert "64: 2.000 ± 1.963" in lines[-1]


def test_the_record_lacks_nothing_that_the_experiment_would_run():
    rows = studies.rows("recall")
    assert recall.runs(rows=rows) == []
    assert {row["part"] for row in rows} == {"pairs", "lag", "total"}
