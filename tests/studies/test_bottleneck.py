"""The run behind the chapter on attention: what is trained, what is scored, and what a record must hold."""

import math

import pytest
import torch

from unrolled import studies
from unrolled.studies import bottleneck
from unrolled.studies.bottleneck import LENGTHS, SYMBOLS, TUNING_SEED
from unrolled.training import SEEDS, seed_everything

RUN = {"task": "reverse", "attention": "dot", "hidden_size": 6, "learning_rate": 0.01, "seed": 0, "updates": 10}


@pytest.mark.parametrize("task", bottleneck.TASKS)
def test_a_run_is_decided_by_its_arguments(task):
    one, same, other = (bottleneck.run(**RUN | {"task": task, "seed": seed}) for seed in (0, 0, 1))
    assert one == same
    assert one["validation"] != other["validation"]
    assert len(one["loss"]) == 10
    assert one | RUN | {"task": task} == one, "the arguments are part of the record"


def test_without_attention_there_is_nothing_to_agree_with():
    found = bottleneck.run(**RUN | {"attention": None})
    assert found["mass"] is found["hits"] is found["beside"] is None
    assert len(found["symbols"]) == len(found["exact"]) == len(LENGTHS)


def test_symbols_after_the_first_end_are_not_counted():
    seed_everything(0)
    model = bottleneck.EncoderDecoder(SYMBOLS, SYMBOLS, 4, 6)
    source, lengths = torch.randint(SYMBOLS, (3, 5)), torch.tensor([5, 2, 1])
    target = torch.tensor([[1, 2, 8], [3, 8, 8], [8, 8, 8]])
    each = -model.log_probability(source, lengths, target)
    assert torch.isclose(bottleneck.nats(model, source, lengths, target), each.sum() / (3 + 2 + 1), rtol=1e-6)


class Oracle:
    """Answers from the true alignment, so that every score must be perfect."""

    def __init__(self, shift=0):
        self.shift = shift

    def greedy(self, source, lengths, steps):
        n = source.shape[1]
        places = torch.arange(n - 1, -1, -1).roll(self.shift)
        end = torch.full((len(source), 1), SYMBOLS)
        symbols = torch.cat([source.flip(1), end], dim=1)
        weights = torch.nn.functional.one_hot(torch.cat([places, places[:1]]), n).float()
        return symbols, weights.expand(len(source), -1, -1)


def test_whoever_knows_the_answer_scores_one_and_a_map_that_is_off_is_seen():
    found = bottleneck.score_reversal(Oracle())
    assert found.pop("beside") == [0.0] * len(LENGTHS)
    assert all(values == [1.0] * len(LENGTHS) for values in found.values())
    off = bottleneck.score_reversal(Oracle(shift=1))
    assert off["exact"] == off["beside"] == [1.0] * len(LENGTHS)
    assert off["hits"] == off["mass"] == [0.0] * len(LENGTHS)


def test_equal_weights_agree_as_far_as_there_are_true_places():
    weights = torch.full((2, 3, 4), 0.25)
    alignments = [[(0,), (1, 2), ()], [(3,), (), (0, 1, 2, 3)]]
    mass, hits = bottleneck.agreement(weights, alignments)
    assert math.isclose(mass, (0.25 + 0.5 + 0.25 + 1) / 4, rel_tol=1e-6)
    assert hits == 0.5                                  # of equal weights the first counts as the largest


@pytest.mark.parametrize(("alignments", "message"), [
    ([[(0,)]], "alignments must be 1 of 2 steps each, as the weights are"),
    ([[(), ()]], "alignments must hold at least one position, got none"),
])
def test_an_alignment_that_says_nothing_of_the_weights_is_refused(refuses, alignments, message):
    with refuses(ValueError, message):
        bottleneck.agreement(torch.full((1, 2, 3), 1 / 3), alignments)


def test_batches_of_dates_are_of_the_training_part_and_none_comes_twice_in_a_pass():
    data, arrays = bottleneck.dates()
    _, batch, _, _ = bottleneck.TASKS["dates"]("dot", 4, 0, 600)
    batches = [batch(update) for update in range(600)]
    assert all(source.shape == (32, lengths.max()) for source, lengths, _ in batches)
    seen = [tuple(row[:n].tolist()) for source, lengths, _ in batches for row, n in zip(source, lengths)]
    train = {tuple(row[:n].tolist()) for row, n in zip(arrays["train"][0], arrays["train"][1])}
    assert len(set(seen)) == len(seen) == 600 * 32
    assert train.issuperset(seen)


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"task": "sort"}, ValueError, "task must be one of 'reverse', 'copy', 'dates', got 'sort'"),
    ({"attention": "self"}, ValueError, "attention must be one of None, 'additive', 'dot', 'general', 'concat'"),
    ({"updates": 15}, ValueError, "updates must be a multiple of 10, got 15"),
    ({"updates": 0}, ValueError, "updates must be at least 1, got 0"),
    ({"learning_rate": 0}, ValueError, "learning_rate must be a positive number, got 0"),
    ({"hidden_size": 0}, ValueError, "hidden_size must be at least 1, got 0"),
    ({"seed": -1}, ValueError, "seed must be a whole number from 0 to 2**32 - 1, got -1"),
], ids=lambda value: str(value) if isinstance(value, dict) else None)
def test_a_wrong_argument_is_named(refuses, change, error, message):
    with refuses(error, message):
        bottleneck.run(**RUN | change)


def test_the_learning_rate_is_chosen_on_the_seed_for_tuning_alone():
    base = {"task": "copy", "attention": None, "hidden_size": 4, "updates": 10}
    made = [base | {"learning_rate": rate, "seed": seed, "validation": loss if seed == TUNING_SEED else -rate}
            for rate, loss in ((1.0, 0.7), (2.0, 0.5), (3.0, 0.6)) for seed in (TUNING_SEED, *SEEDS)]
    found = bottleneck.chosen(made, "copy", None, 4)
    assert [row["seed"] for row in found] == list(SEEDS)
    assert {row["learning_rate"] for row in found} == {2.0}


def test_runs_of_another_number_of_updates_are_kept_apart():
    base = {"task": "copy", "attention": None, "hidden_size": 4, "learning_rate": 1.0, "validation": 0.5}
    made = [base | {"seed": seed, "updates": updates} for updates in (10, 50) for seed in SEEDS]
    made.append(base | {"seed": TUNING_SEED, "updates": 10})
    for asked, updates in ((None, 10), (10, 10), (50, 50)):
        found = bottleneck.chosen(made, "copy", None, 4, asked)
        assert [row["updates"] for row in found] == [updates] * len(SEEDS)


def test_a_configuration_that_was_not_run_is_named(refuses):
    with refuses(ValueError, "expected a configuration of the record, got"):
        bottleneck.chosen([], "copy", None, 4)


def test_a_run_is_trained_again_at_the_rate_of_the_record_with_the_seed_that_is_asked_for(monkeypatch):
    monkeypatch.setattr(bottleneck, "train", lambda *arguments: arguments)
    rows = studies.rows("bottleneck")
    assert bottleneck.again(rows, "reverse", "general", seed=7) == ("reverse", "general", 64, 0.005, 7, 600)


def test_a_recorded_run_done_again_begins_as_the_record_says():
    row = next(row for row in studies.rows("bottleneck") if row["attention"] == "dot" and row["task"] == "reverse")
    names = "task", "attention", "hidden_size", "learning_rate", "seed", "updates"
    again = bottleneck.run(**{name: row[name] for name in names})
    assert bottleneck.agree(again, row)
    assert math.isclose(again["validation"], row["validation"], rel_tol=0.5, abs_tol=0.01)
    assert not bottleneck.agree(again | {"start_loss": 1.01 * row["start_loss"]}, row)
    assert not bottleneck.agree(again | {"seed": row["seed"] + 1}, row)


# The runs, and the record


def arguments(rows):
    names = "task", "attention", "hidden_size", "learning_rate", "seed", "updates"
    return [tuple(row[name] for name in names) for row in rows]


def test_every_run_of_the_experiment_is_on_record_and_no_other():
    assert arguments(studies.rows("bottleneck")) == arguments(bottleneck.runs())


def test_the_rates_are_those_that_tuning_found_best_and_never_at_the_edge():
    rows = studies.rows("bottleneck")
    for *configuration, rates, best in bottleneck.CONFIGURATIONS:
        assert tuple(bottleneck.tuned(rows, *configuration)) == rates, configuration
        assert {row["learning_rate"] for row in bottleneck.chosen(rows, *configuration)} == {best}, configuration
        assert [row["seed"] for row in bottleneck.chosen(rows, *configuration)] == list(SEEDS), configuration
        assert rates[0] < best < rates[-1], configuration


def test_a_small_sweep_has_something_of_every_configuration():
    small = bottleneck.runs(small=True)
    assert len(small) == 2 * len(bottleneck.CONFIGURATIONS) + len(bottleneck.LONGER)
    assert {run["updates"] for run in small} == {10, 50}


def test_the_table_names_every_configuration():
    lines = list(bottleneck.table(studies.rows("bottleneck")))
    assert len(lines) == len(bottleneck.CONFIGURATIONS) + len(bottleneck.LONGER)
    assert all("±" in line for line in lines)
