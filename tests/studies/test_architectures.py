"""The run behind the comparison of architectures: equal shares of everything, and what a record must hold."""

import math
from itertools import groupby, pairwise

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import unrolled.torch
from unrolled import studies
from unrolled.studies import architectures
from unrolled.studies.comparison import TUNING_SEED
from unrolled.training import SEEDS, seed_everything

RUN = {"task": "elnino", "model": "GRU", "width": 4, "learning_rate": 0.01, "seed": 0, "updates": 10}
REACH = {"TCN": 125, "TCN, short": 29}          # steps that an answer depends on; the others see all


@pytest.fixture(scope="module")
def record():
    return studies.rows("architectures")


@pytest.mark.parametrize("model", architectures.MODELS)
def test_every_part_of_every_network_is_trained(model):
    seed_everything(0)
    network = architectures.Network(model, 3, 8, 2)
    answers = network(torch.randn(7, 5, 3))
    assert answers.shape == (7, 5, 2)
    answers.square().sum().backward()
    for name, p in network.named_parameters():
        assert p.grad.abs().sum() > 0, name


@pytest.mark.parametrize("model", architectures.MODELS)
def test_the_last_answers_are_those_of_all_steps(model):
    seed_everything(0)
    network, symbols = architectures.Network(model, 6, 8, 5, symbols=4), torch.randint(4, (9, 3))
    assert torch.equal(network(symbols)[-2:], network(symbols, last=2))


@pytest.mark.parametrize("model", architectures.MODELS)
def test_an_answer_depends_on_no_later_step_and_on_as_many_earlier_ones_as_is_said(model):
    seed_everything(0)
    network, x = architectures.Network(model, 3, 8, 1).double(), torch.randn(140, 1, 3, dtype=torch.float64)
    x.requires_grad_()
    network(x)[129].backward()
    seen = x.grad.abs().sum((1, 2)).nonzero().flatten()
    assert seen.max() == 129
    assert 130 - seen.min() == REACH.get(model, 130)


@pytest.mark.parametrize("model", architectures.MODELS)
@pytest.mark.parametrize("wanted", [3000, 40_000])
def test_the_width_is_the_nearest_that_the_heads_can_share(model, wanted):
    def off(width):
        return abs(architectures.parameters(architectures.MODELS[model](7, width)) - wanted)

    width = architectures.width_for(model, 7, wanted)
    step = {"Transformer, rotary": 4}.get(model, 2 if model.startswith("Transformer") else 1)
    assert width % step == 0
    assert off(width) <= min(off(width + step), off(width - step))


@pytest.mark.parametrize(("task", "model", "around"), [
    ("text", "LSTM", 96 * 32 + 96 * 9), ("text", "Transformer", 96 * 8 + 96 * 9), ("elnino", "GRU", 9),
    ("delayed recall", "TCN", 4 * 9), ("delayed recall", "Transformer", 10 * 8 + 4 * 9), ("adding", "RNN", 9)])
def test_a_network_has_its_layers_weights_and_those_of_input_and_read_out(task, model, around):
    layer, network = architectures.totals(task, model, 8)
    assert layer == architectures.run(**RUN | {"task": task, "model": model, "width": 8})["parameters"]
    assert network == layer + around


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_recurrent_layer_computes_what_torch_counts_of_its_plain_twin(kind):
    T, D, H = 11, 5, 8
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        getattr(unrolled.torch, kind)(D, H)(torch.zeros(T, 1, D))
    assert architectures.flops(architectures.MODELS[kind](D, H), T) * T == counter.get_total_flops()


@pytest.mark.parametrize("model", [model for model in architectures.MODELS if model.startswith("T")])
@pytest.mark.parametrize("seq_len", [1, 12, 60])
def test_the_others_compute_twice_their_weights_a_step_and_attention_its_scores_and_sums(model, seq_len):
    layer = architectures.MODELS[model](7, 8)
    weights = sum(p.numel() for p in layer.parameters() if p.dim() > 1)
    attention = 2 * 4 * seq_len * 8 if model.startswith("Transformer") else 0
    assert math.isclose(architectures.flops(layer, seq_len), 2 * weights + attention)


@pytest.mark.parametrize("task", architectures.TASKS)
def test_a_run_is_decided_by_its_arguments(task):
    one, same, other = (architectures.run(**RUN | {"task": task, "seed": seed}) for seed in (0, 0, 1))
    assert one == same
    assert one["loss"] != other["loss"]
    assert len(one["loss"]) == len(one["validation"]) == 10
    assert one | RUN | {"task": task} == one, "the arguments are part of the record"


@pytest.mark.parametrize("task", architectures.TASKS)
def test_every_model_is_given_the_same_batches_whatever_it_draws_itself(task):
    def batches(seed, draws):
        _, batch, *_ = architectures.TASKS[task](seed, None)
        made = []
        for update in range(2):
            torch.randn(draws)
            np.random.rand(draws)  # noqa: NPY002  as a model might
            made += batch(update)
        return made

    one, same, other = batches(3, draws=1), batches(3, draws=5), batches(4, draws=1)
    assert all(map(torch.equal, one, same))
    assert not torch.equal(one[0], one[2]), "no batch is the one before"
    assert not torch.equal(one[0], other[0]), "nor that of another seed"


def test_longer_windows_of_the_text_end_with_the_same_questions():
    class Echo(torch.nn.Module):
        """Answers nothing, and remembers what it was asked."""

        def forward(self, x, last):
            asked.append((x[-last:], len(x)))
            return torch.zeros(last, x.shape[1], 96)

    asked = []
    *_, tests = architectures.TASKS["text"](0, None)
    for score in tests.values():
        assert math.isclose(score(Echo()), 96, rel_tol=1e-5), "who answers nothing is as wrong as a guess"
    assert [length for _, length in asked] == list(tests) == [64, 128, 256]
    for (one, _), (other, _) in pairwise(asked):
        assert torch.equal(one, other)


@pytest.mark.parametrize("task", ["delayed recall", "adding"])
def test_what_a_memory_task_is_scored_on_is_in_no_batch(task):
    _, batch, _, (held_out, _), _ = architectures.TASKS[task](0, None)
    for update in range(3):
        x, _ = batch(update)
        assert not any(torch.equal(x[:, b], held_out[:, e]) for b in range(16) for e in range(256))


def test_the_weights_that_are_scored_are_those_of_the_best_validation_loss(monkeypatch):
    made = []
    initialise = architectures.Network.__init__
    monkeypatch.setattr(architectures.Network, "__init__",
                        lambda self, *sizes, **more: made.append(self) or initialise(self, *sizes, **more))
    result = architectures.run(**RUN | {"updates": 100, "learning_rate": 0.05, "width": 16})
    assert min(result["validation"]) < result["validation"][-1], "this run overfits, or the test says nothing"
    _, _, error, held_out, tests = architectures.TASKS["elnino"](0, None)
    with torch.no_grad():
        assert math.isclose(error(made[0], *held_out), min(result["validation"]), rel_tol=1e-5)
        assert math.isclose(tests[36](made[0]), result["test"]["36"], rel_tol=1e-5)


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"task": "chess"}, ValueError, "task must be one of 'text', 'elnino', 'delayed recall', 'adding', got 'chess'"),
    ({"model": "minGRU"}, ValueError, "model must be one of 'RNN', "),
    ({"width": 0}, ValueError, "width must be at least 1, got 0"),
    ({"model": "Transformer", "width": 5}, ValueError, "5"),
    ({"updates": 15}, ValueError, "updates must be a multiple of 10, got 15"),
    ({"learning_rate": 0}, ValueError, "learning_rate must be a positive number, got 0"),
], ids=lambda value: str(value) if isinstance(value, dict) else None)
def test_a_wrong_argument_is_named(refuses, change, error, message):
    with refuses(error, message):
        architectures.run(**RUN | change)


def rows(**scores):
    """A made record: one run on the seed for tuning and five more, for each learning rate and its validation loss."""
    base = {"task": "elnino", "model": "GRU", "width": 4, "characters": None}
    return [base | {"learning_rate": float(rate[1:]), "seed": seed, "validation": [9.0, score], "test": {"36": seed}}
            for rate, score in scores.items() for seed in (TUNING_SEED, *SEEDS)]


def test_the_learning_rate_is_chosen_on_the_seed_for_tuning_alone():
    made = rows(_1=0.7, _2=0.5, _3=0.6)
    for row in made:
        if row["seed"] in SEEDS and row["learning_rate"] == 1:
            row["validation"] = [0.1, 0.1]                      # better, on seeds that must not decide
    [configuration] = architectures.configurations(made)
    assert list(architectures.tuned(made, *configuration)) == [1, 2, 3]
    assert architectures.best_rate(made, *configuration) == 2
    found = architectures.chosen(made, *configuration)
    assert [(row["seed"], row["learning_rate"]) for row in found] == [(seed, 2) for seed in SEEDS]


def test_a_configuration_that_was_not_run_is_named(refuses):
    with refuses(ValueError, "expected a configuration of the record, got"):
        architectures.chosen(rows(_1=0.5), "elnino", "GRU", 5, None)


def test_the_record_holds_five_seeds_of_every_configuration_and_no_rate_at_the_edge(record):
    for configuration in architectures.configurations(record):
        best = architectures.chosen(record, *configuration)
        rates = list(architectures.tuned(record, *configuration))
        assert [row["seed"] for row in best] == list(SEEDS), configuration
        assert rates[0] < best[0]["learning_rate"] < rates[-1], configuration
        assert all(above == 2 * below for below, above in pairwise(rates)), configuration


def test_the_recorded_layers_are_of_one_size_or_of_one_cost(record):
    for row in record:
        assert (math.isclose(row["parameters"], 40_000, rel_tol=0.02)
                or math.isclose(row["flops"], 80_000, rel_tol=0.03)), row


def test_the_record_is_what_a_run_gives(record):
    row = next(row for row in record if row["model"] == "LSTM" and row["task"] == "elnino")
    again = architectures.run(*(row[name] for name in ("task", "model", "width", "learning_rate", "seed", "updates")))
    assert again.keys() == row.keys()
    assert math.isclose(again["loss"][0], row["loss"][0], rel_tol=1e-3)
    assert math.isclose(again["test"]["36"], row["test"]["36"], rel_tol=0.1)


# The runs, and the record


def pretended(best):
    """All rows of the experiment, round by round, if the best rate of the k-th configuration were the k-th of these."""
    best, rows = dict(zip(architectures.CONFIGURATIONS, best)), []
    while more := architectures.runs(rows=rows):
        for run in more:
            [configuration] = architectures.configurations([run])
            distance = abs(math.log2(run["learning_rate"] / best[configuration]))
            rows.append(run | {"validation": [distance], "test": {"96": run["seed"]}, "parameters": 1, "flops": 2})
    return rows


def test_the_search_finds_the_best_rate_from_either_side_and_then_runs_the_seeds():
    best = [0.01 * 2 ** (k % 9 - 4) for k in range(len(architectures.CONFIGURATIONS))]
    rows = pretended(best)
    assert architectures.configurations(rows) == architectures.CONFIGURATIONS
    for configuration, rate in zip(architectures.CONFIGURATIONS, best):
        found, tried = architectures.chosen(rows, *configuration), list(architectures.tuned(rows, *configuration))
        assert [(row["seed"], row["learning_rate"]) for row in found] == [(seed, rate) for seed in SEEDS]
        assert tried[0] < rate < tried[-1]
    assert len({str(row) for row in rows}) == len(rows), "and nothing twice"


def test_one_task_is_finished_before_the_next_begins():
    def tasks(of):
        return [key for key, _ in groupby((task, characters) for task, _, _, characters in of)]

    rows = pretended([0.02] * len(architectures.CONFIGURATIONS))
    assert tasks(architectures.configurations([row])[0] for row in rows) == tasks(architectures.CONFIGURATIONS)


def test_every_model_is_asked_every_task_with_as_many_weights_and_one_with_as_much_arithmetic():
    assert {task for task, *_ in architectures.CONFIGURATIONS} == architectures.TASKS.keys()
    assert {model for _, model, *_ in architectures.CONFIGURATIONS} == architectures.MODELS.keys()
    widths = {width for *which, width, _ in architectures.CONFIGURATIONS if which == ["text", "Transformer"]}
    assert len(widths) == 2
    assert len(set(architectures.CONFIGURATIONS)) == len(architectures.CONFIGURATIONS)


def test_a_small_sweep_has_something_of_every_configuration():
    small = architectures.runs(small=True)
    assert architectures.configurations(small) == architectures.CONFIGURATIONS
    assert {run["updates"] for run in small} == {10}
    assert not architectures.runs(small=True, rows=small)


def test_the_table_says_of_every_configuration_how_it_did_or_that_it_is_being_tuned():
    rows = pretended([0.02] * len(architectures.CONFIGURATIONS))
    lines = list(architectures.table(rows))
    assert len(lines) == len(architectures.CONFIGURATIONS)
    assert all("96: 2.000 ± 1.963" in line for line in lines)           # of the scores 0 ... 4
    assert "being tuned" in next(architectures.table(rows[:3]))


def test_the_record_lacks_nothing_that_the_experiment_would_run():
    rows = studies.rows("architectures")
    assert architectures.configurations(rows) == architectures.CONFIGURATIONS
    assert architectures.runs(rows=rows) == []
    assert {row["updates"] for row in rows if row["task"] == "text"} == {architectures.UPDATES["text"]}


def test_scores_are_one_a_seed_and_alike_picks_the_nearest_size():
    rows = studies.rows("architectures")
    near = architectures.alike(rows, "text")
    assert len(architectures.scores(rows, near["LSTM"])) == len(architectures.SEEDS)
    assert {architectures.chosen(rows, *one)[0]["parameters"] // 1000 for one in near.values()} <= {39, 40}
    cheaper = architectures.alike(rows, "text", by="flops", wanted=80_000)["Transformer"]
    assert cheaper[2] < near["Transformer"][2]
    longest = architectures.scores(rows, near["Transformer"], "256")
    assert (longest > architectures.scores(rows, near["Transformer"])).all()
