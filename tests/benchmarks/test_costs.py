"""What is measured of costs is what its name says: against formulas, and on small sizes. No time is asserted."""

import json
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def costs(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import costs as module

    monkeypatch.setattr(module, "RECORD", tmp_path / "costs.json")
    monkeypatch.setattr(module, "UNFINISHED", tmp_path / "bench/costs.jsonl")
    monkeypatch.setattr(module, "SECONDS", 1e-4)
    monkeypatch.setattr(module.timing, "SAMPLE_SECONDS", 1e-5)
    monkeypatch.setattr(module.timing, "assert_one_thread", lambda: None)   # other tests have started threads
    return module


@pytest.mark.parametrize("d", [32, 64])
@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize(("architecture", "per_token"), [("RNN", 4), ("LSTM", 16), ("GRU", 12), ("TCN", 12),
                                                         ("Transformer", 24)])
def test_operations_are_those_of_the_formulas(costs, architecture, per_token, n, d):
    found, squared = costs.operations(architecture, d, n), 4 * n**2 * d * (architecture == "Transformer")
    assert found["flops"] == per_token * n * d**2 + squared
    assert found["attention_flops"] == squared
    assert 2 * (found["parameters"] - found["parameters"] % d**2) == per_token * d**2


def test_attentions_own_part_is_half_of_a_layer_from_six_times_its_width(costs):
    rows = [{"n": n} | costs.operations("Transformer", 32, n) for n in (191, 192, 193)]
    assert costs.crossover(rows, "flops", "attention_flops") == 6 * 32
    assert costs.crossover(rows[:1], "flops", "attention_flops") is None


@pytest.mark.parametrize("backward", [False, True])
def test_tiled_attention_holds_no_square(costs, backward):
    materialised, tiled = ([costs.memory(kind, n, backward)["counted_bytes"] for n in (256, 512)]
                           for kind in ("materialised", "tiled"))
    assert materialised[1] > 4 * 4 * 512**2                                  # the scores of four heads, float32
    assert materialised[1] / materialised[0] > 3.5
    assert tiled[1] / tiled[0] == pytest.approx(2, rel=0.01)


def test_resident_memory_is_what_a_call_touches(costs):
    found = costs.resident(lambda: torch.ones(16, 2**20))                    # 64 MiB
    if found is None:
        pytest.skip("this system does not tell")
    assert 2**26 <= found < 1.2 * 2**26
    assert costs.resident(lambda: None) < 2**22
    few, freed = 2**12, [torch.ones(2**12) for _ in range(2**12)]            # 64 MiB in small pieces
    del freed                                                                # free again, but this process has them
    assert costs.resident(lambda: [torch.ones(few) for _ in range(2**11)]) >= 2**25


@pytest.mark.parametrize("n", [5, 13, 29, 125, 1021])
def test_a_convolutional_network_gets_the_fewest_blocks_that_see_all(costs, n):
    for steps, blocks in ((n, costs.blocks_for(n)), (n + 1, costs.blocks_for(n) + 1)):
        assert costs.blocks_for(steps) == blocks
        assert [costs.build("TCN", 2, some).receptive_field >= steps for some in (blocks - 1, blocks) if some] == (
            [False, True] if blocks > 1 else [True])


def test_every_convolutional_network_is_measured_with_one_block_and_with_all_that_it_needs(costs):
    for part in ("forward", "training", "training_memory", "streaming"):
        cases = [given for which, given in costs.cases() if which == part]
        assert len({str(one) for one in cases}) == len(cases)
        for one in cases:
            assert ("blocks" in one) == (one["architecture"] == "TCN"), one
        blocks = {(one["d"], one["n"], one["blocks"]) for one in cases if "blocks" in one}
        assert blocks == {(one["d"], one["n"], some) for one in cases for some in (1, costs.blocks_for(one["n"]))}


@pytest.mark.parametrize("part", ["forward", "training", "training_memory", "streaming"])
def test_the_blocks_that_are_asked_for_are_measured(costs, part, monkeypatch):
    monkeypatch.setattr(costs, "TOKENS", 16)
    assert costs.PARTS[part]("TCN", 4, 16, blocks=3)["receptive_field"] == 29
    assert "receptive_field" not in costs.PARTS[part]("LSTM", 4, 16)


@pytest.mark.parametrize("architecture", ["RNN", "LSTM", "GRU", "TCN", "Transformer"])
def test_what_training_holds_grows_with_the_length_and_covers_every_output_and_gradient(costs, architecture):
    found = [costs.training_memory(architecture, 32, n)["counted_bytes"] for n in (100, 200, 400)]
    weights = sum(p.nbytes for p in costs.build(architecture, 32).parameters())
    assert found[0] > weights + 4 * 100 * 32
    assert (found[2] - found[1]) / (found[1] - found[0]) == pytest.approx(2, rel=0.1)   # with a workspace rounded up


def test_scores_that_are_written_out_are_held_in_training_too(costs):
    tiled, materialised = ([costs.training_memory("Transformer", 32, n, kind=kind)["counted_bytes"] for n in (256, 512)]
                           for kind in ("tiled", "materialised"))
    assert materialised[1] - tiled[1] > 4 * 512**2                           # one head's weights, float32
    assert tiled[1] < 2.1 * tiled[0] < materialised[1]


@pytest.mark.parametrize("n", [3, 40])
@pytest.mark.parametrize(("architecture", "numbers"), [
    ("RNN", lambda n: 64), ("LSTM", lambda n: 128), ("GRU", lambda n: 64), ("TCN", lambda n: 4 * 64),
    ("Transformer", lambda n: 2 * n * 64),
])
def test_the_state_of_a_stream_is_weighed(costs, architecture, numbers, n):
    found = costs.streaming(architecture, 64, n, tokens=2, rounds=1)
    assert found["state_bytes"] == 4 * numbers(n)
    assert found["held_bytes"] >= found["state_bytes"]
    assert found["microseconds"] > 0


def test_a_stream_goes_on_from_n_tokens(costs, monkeypatch):
    seen, build = [], costs.build

    def watched(*arguments):
        model = build(*arguments)
        model.register_forward_pre_hook(lambda _, args: seen.append(
            (len(args[0]), args[1][0][0].shape[2] if len(args) > 1 else 0)))
        return model

    monkeypatch.setattr(costs, "build", watched)
    costs.streaming("Transformer", 64, 5, tokens=2, rounds=2)
    assert seen == [(5, 0), *[(1, 5), (1, 6), (1, 7)] * 2]


def test_a_spread_is_the_median_distance_from_the_median_in_shares_of_it(costs, monkeypatch):
    monkeypatch.setattr(costs.timing, "rounds", lambda functions, seconds: {"a": [1, 2, 2, 3, 8], "b": [4, 4, 4]})
    assert costs._milliseconds({}) == ({"a": 2000, "b": 4000}, {"rounds": 3, "spread": 0.5})


@pytest.mark.parametrize(("model", "numbers"), [("RNN", 8), ("LSTM", 16), ("GRU", 8), ("TCN", 2 * (9 + 8 + 30 * 16)),
                                                ("Transformer", 2 * 2 * 12 * 8)])
def test_the_networks_that_were_trained_are_measured_on_their_own_batches(costs, model, numbers):
    found = costs.trained("delayed recall", model, 8, n=12)
    assert (found["T"], found["B"]) == (102, 16)
    assert found["state_bytes"] == 4 * numbers
    assert found["network_parameters"] - found["parameters"] == 4 * 9 + (9 * 8 + 8) * (model == "Transformer")
    assert min(found["tokens_per_second"], found["microseconds"]) > 0


def test_a_stream_of_cells_goes_through_the_whole_network(costs, monkeypatch):
    seen, forward = [], torch.nn.Linear.forward
    monkeypatch.setattr(torch.nn.Linear, "forward", lambda self, x: seen.append(x.shape) or forward(self, x))
    costs.trained("text", "LSTM", 8, n=2)
    assert {tuple(shape) for shape in seen} == {(64, 16, 8), (1, 8)}


@pytest.mark.parametrize("architecture", ["LSTM", "TCN", "Transformer"])
def test_batches_for_training_have_equally_many_tokens(costs, architecture, monkeypatch):
    monkeypatch.setattr(costs, "TOKENS", 12)
    monkeypatch.setattr(costs, "_milliseconds", lambda functions: (
        {name: 2.0 for name, f in functions.items() if f()}, {}))
    found = [costs.training(architecture, 32, n) for n in (3, 6)]
    assert [one["B"] for one in found] == [4, 2]
    assert [one["tokens_per_second"] for one in found] == [6000, 6000]


def test_the_fast_layer_is_the_plain_one(costs):
    for architecture in costs.ARCHITECTURES:
        fast, plain = (costs.build(architecture, 32, fast=fast) for fast in (True, False))
        plain.load_state_dict(fast.state_dict())
        x = torch.randn(5, 2, 32)
        assert torch.allclose(fast(x)[0], plain(x)[0], atol=1e-5), architecture


def test_depth_finds_the_layers_that_a_convolutional_network_needs(costs):
    assert [costs.depth("TCN", n)["layers"] for n in (4, 6, 13, 14)] == [1, 2, 2, 3]
    assert costs.depth("RNN", 5)["longest_products"] == 5
    assert costs.depth("LSTM", 5)["shortest_products"] == 1
    assert costs.depth("Transformer", 5) == costs.depth("Transformer", 9)


def test_a_run_that_was_stopped_goes_on_and_is_recorded(costs, monkeypatch, capsys):
    wanted, measured = [], []
    for part in costs.PARTS:
        wanted += [case for case in costs.cases() if case[0] == part][:1]
    monkeypatch.setattr(costs, "cases", lambda: wanted)
    monkeypatch.setattr(costs, "report", lambda rows: None)
    for part, function in list(costs.PARTS.items()):
        def watched(part=part, function=function, **given):
            if part == "memory" and len(measured) == 3:
                measured.append("stopped")
                raise KeyboardInterrupt
            measured.append(part)
            return function(**given)
        monkeypatch.setitem(costs.PARTS, part, watched)
    with pytest.raises(KeyboardInterrupt):
        costs.main([])
    assert costs.main(["--record"]) == 0
    assert measured == ["operations", "forward", "training", "stopped", "memory", "training_memory", "streaming",
                        "trained", "depth"]
    recorded = json.loads(costs.RECORD.read_text(encoding="utf-8"))
    assert {"commit", "date", "device", "versions", "load", "highest_load"} <= recorded.keys()
    assert all(recorded[part][0].items() >= given.items() for part, given in wanted)
    assert not costs.UNFINISHED.exists()


def test_the_record_says_how_busy_the_machine_was_at_worst(costs, monkeypatch):
    monkeypatch.setattr(costs, "cases", lambda: [("operations", {"architecture": "RNN", "d": 2, "n": n})
                                                 for n in (1, 2, 3)])
    loads = iter([0.5, 7.25, 1.0])
    monkeypatch.setattr(costs.timing, "load", lambda: next(loads))
    rows, highest = costs.measure({"device": "", "versions": {}})
    assert highest == 7.25
    assert [row["n"] for row in rows["operations"]] == [1, 2, 3]
    assert costs.measure({"device": "", "versions": {}}) == (rows, highest), "also of what a stopped run has kept"


def test_the_costs_on_record_are_all_there_and_can_be_reported(monkeypatch, capsys):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import costs

    recorded = json.loads(costs.RECORD.read_text(encoding="utf-8"))
    given = [(part, {name: row[name] for name in one}) for part, one in costs.cases()
             for row in recorded[part] if row.items() >= one.items()]
    assert [case for case in costs.cases() if case not in given] == []
    costs.report(recorded)
    assert "in operations 512" in capsys.readouterr().out                    # the first of the lengths above 6 · 64


def test_a_count_made_anew_changes_its_rows_alone_and_says_where_they_are_from(costs, monkeypatch):
    monkeypatch.setattr(costs, "cases", lambda: [("operations", {"architecture": "RNN", "d": 2, "n": 1}),
                                                 ("depth", {"architecture": "RNN", "n": 3})])
    old = {part: [{"kept": part}] for part in costs.PARTS} | {"commit": "before"}
    costs.RECORD.write_text(json.dumps(old), encoding="utf-8")
    assert costs.main(["--count-again", "depth"]) == 0
    new = json.loads(costs.RECORD.read_text(encoding="utf-8"))
    assert [row["longest_products"] for row in new.pop("depth")] == [3]
    assert {"commit", "date", "device", "versions"} == new.pop("counted_again")["depth"].keys()
    del old["depth"]
    assert new == old
