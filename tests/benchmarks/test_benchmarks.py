"""The benchmark compares like with like, goes on after a stop, says when a target is missed. No time is asserted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SIZES = [{"T": 3, "B": 1, "H": 4}, {"T": 2, "B": 2, "H": 5}]
ATTENTION = [{"model": "MultiheadAttention", "size": {"T": 3, "B": 2, "d": 8, "h": 2}},
             {"model": "scaled_dot_product", "size": {"T": 3, "B": 2, "h": 2, "d_h": 4}},
             {"model": "decoding", "size": {"tokens": 4, "d": 8, "h": 2, "L": 1}}]
RESULTS = {"RNN": 2, "LSTM": 3, "GRU": 2}                               # output and final state, or states
EVERYTHING = [(model, size) for model in RESULTS for size in SIZES] + [tuple(case.values()) for case in ATTENTION]


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The module with two small sizes, nothing to compile, and a folder of its own for what it writes."""
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import __main__ as module

    monkeypatch.setattr(module.models, "SIZES", SIZES)
    monkeypatch.setattr(module.models, "COMPILED", [])
    monkeypatch.setattr(module.attention, "CASES", ATTENTION)
    monkeypatch.setattr(module.attention, "LENGTHS", range(2, 7, 2))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "UNFINISHED", tmp_path / "unfinished.jsonl")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(module, "devices", lambda: ["cpu"])
    monkeypatch.setattr(module.timing, "SAMPLE_SECONDS", 1e-5)
    monkeypatch.setattr(module.timing, "assert_one_thread", lambda: None)   # other tests have started threads
    return module


@pytest.fixture
def run(bench, monkeypatch):
    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--seconds", "0.0001", *arguments])
        return bench.main()

    return command


@pytest.mark.parametrize(("module", "arguments", "shown"), [
    ("benchmarks", ["--only", "3,1,4", "2,2,5"],
     ["time over that of nn.RNN", "unrolled.numpy.LSTM fused", "onnxruntime", "textbook",
      "unrolled.torch.GRU fused over nn.GRU", "the textbook's LSTM over unrolled.numpy.LSTM fused"]),
    ("benchmarks.ladder", [], ["the textbook's loop", "blocks in one piece, a cacheful at a time", "nn.LSTM"]),
], ids=["benchmarks", "ladder"])
def test_it_runs_as_a_command_with_one_thread(module, arguments, shown):
    command = [sys.executable, "-W", "error", "-m", module, "--seconds", "0.01", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for text in shown:
        assert text in done.stdout


# What is timed


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "forward and backward"])
@pytest.mark.parametrize("model", RESULTS)
def test_what_is_timed_is_the_same_function_with_every_gradient(bench, model, backward):
    subject = bench.Case(model, T=5, B=2, H=4)
    functions = subject.functions(backward)
    reference = functions[f"nn.{model}"]()
    gradients = 1 + (RESULTS[model] - 1) + 4                            # input, states, four parameters
    assert len(reference) == RESULTS[model] + backward * gradients
    others = {f"unrolled.{backend}.{model}" for backend in ("numpy", "torch")}
    others |= {"textbook"} | {name + " fused" for name in others} if model != "RNN" else set()
    others |= set() if backward else {"onnxruntime"}
    assert functions.keys() == {f"nn.{model}"} | others
    for name, function in functions.items():
        assert bench.disagreement(function(), reference) < 2e-6, name


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "forward and backward"])
@pytest.mark.parametrize("case", ATTENTION[:2], ids=lambda case: case["model"])
def test_attention_that_is_timed_is_the_same_function_with_every_gradient(bench, case, backward):
    functions = bench.attention.FUNCTIONS[case["model"]](**case["size"], backward=backward)
    library, gradients = bench.attention.REFERENCES[case["model"]], 5 if case["model"] == "MultiheadAttention" else 3
    assert next(iter(functions)) == library                              # x and four parameters, or q, k and v
    assert len(functions) == 4
    reference = functions[library]()
    assert len(reference) == 1 + backward * gradients
    for name, function in functions.items():
        assert bench.disagreement(function(), reference) < 2e-6, name


def test_decoding_is_timed_against_runs_over_everything_so_far(bench, monkeypatch):
    calls, make = [], bench.attention.transformer

    def watched(*sizes):
        model = make(*sizes)
        model.register_forward_pre_hook(lambda model, args: calls.append((len(args[0]), len(args) > 1 and args[1])))
        return model

    monkeypatch.setattr(bench.attention, "transformer", watched)
    monkeypatch.setattr(bench.attention.timing, "rounds", lambda functions, *_: {k: [f() or 1.0]
                                                                                 for k, f in functions.items()})
    monkeypatch.setattr(bench.attention, "cost_by_length", lambda *_: ([1, 2], [1.0, 3.0]))
    found = bench.attention.decoding(tokens=40, d=8, h=2, L=1, seconds=0)
    runs, steps = calls[:20], calls[20:]
    assert sum(length for length, _ in runs) * 2 == pytest.approx(sum(range(1, 41)), rel=0.03)
    assert [length for length, _ in steps] == [1] * 40
    assert all(cache for _, cache in steps[1:])
    assert found["recomputation over cache"]["median"] == 2.0            # 20 runs stand for 40
    assert found["cost of a token"]["nanoseconds_per_cached_token"] == pytest.approx(2e9)


def test_a_line_is_found_and_what_is_no_line_is_told(bench):
    exact = bench.attention.line([100, 200, 300, 400], [11e-6, 12e-6, 13e-6, 14e-6])
    assert exact == {"start_microseconds": 10.0, "nanoseconds_per_cached_token": 10.0, "r_squared": 1.0}
    assert bench.attention.line([1, 2, 3, 4], [1.0, 9.0, 2.0, 8.0])["r_squared"] < 0.5


@pytest.mark.parametrize(("model", "name", "found", "verdict"), [
    ("MultiheadAttention", "unrolled.torch.MultiheadAttention fused", 1.04, "met"),
    ("MultiheadAttention", "unrolled.torch.MultiheadAttention fused", 1.06, "MISSED"),
    ("scaled_dot_product", "unrolled.numpy.scaled_dot_product", 1.6, "MISSED"),
    ("decoding", "recomputation", 21.0, "met"), ("decoding", "recomputation", 19.9, "MISSED"),
])
def test_a_target_of_attention_says_where_it_stands(bench, model, name, found, verdict):
    row = {"model": model, "recomputation over cache": {"median": found}, "forward and backward":
           {name: {"median": found}}}
    (target,) = [target for target in bench.targets([*rows_with(bench), row]) if target["what"].startswith(f"{name} o")]
    assert (target["found"], target["verdict"]) == (found, verdict)


def test_what_is_not_the_same_function_is_not_timed(bench, monkeypatch):
    functions = bench.Case("GRU", T=5, B=2, H=4).functions(backward=True)
    right = functions["unrolled.numpy.GRU"]
    functions["unrolled.numpy.GRU"] = lambda: [1.01 * array for array in right()]
    monkeypatch.setattr(bench.Case, "functions", lambda self, backward: functions)
    with pytest.raises(AssertionError, match="unrolled.numpy.GRU and nn.GRU disagree at"):
        bench.measure({"device": "cpu", "model": "GRU", "size": {"T": 5, "B": 2, "H": 4}}, 0.001)


def test_short_long_narrow_and_wide_are_all_timed(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import models

    assert len(models.SIZES) == 36
    assert {(size["T"], size["B"], size["H"]) for size in models.SIZES} >= {(35, 1, 64), (200, 64, 512), (100, 32, 256)}
    assert all(size in models.SIZES for size in models.COMPILED)


def test_what_cannot_be_compiled_says_why_and_the_run_goes_on(bench, run, monkeypatch, capsys):
    def gives_up(self, backward):
        raise RuntimeError("no C++ compiler found\nand more")

    monkeypatch.setattr(bench.models, "COMPILED", SIZES[:1])
    monkeypatch.setattr(bench.Case, "compiled", gives_up)
    assert run("--record") == 0
    assert "torch.compile: not measured, RuntimeError: no C++ compiler found\n" in capsys.readouterr().out
    (path,) = bench.RESULTS.iterdir()
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert sum("not measured" in row for row in rows) == 2              # of LSTM and GRU, at one size


def test_what_is_compiled_is_timed_where_it_should_be(bench, monkeypatch):
    monkeypatch.setattr(bench.models, "COMPILED", SIZES[:1])
    monkeypatch.setattr(bench.Case, "compiled", lambda self, backward: self.torch_layer(self.library, backward))
    found = [bench.measure({"device": "cpu", "model": "LSTM", "size": size}, 0.0001) for size in SIZES]
    assert ["torch.compile" in row["forward and backward"] for row in found] == [True, False]


def test_every_rung_of_the_ladder_is_the_same_function(bench):
    from benchmarks import ladder

    subject = bench.Case("LSTM", T=5, B=2, H=4)
    reference = subject.torch_layer(subject.library, backward=True)()
    for name, version in ladder.VERSIONS.items():
        function = subject.by_hand(*version)
        function()                                                      # the second call must not see the first
        assert bench.disagreement(function(), reference) < 2e-6, name


def test_the_ladder_on_record_has_every_rung(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import ladder

    recorded = json.loads(ladder.RECORD.read_text(encoding="utf-8"))
    assert {"commit", "date", "device", "versions", "load"} <= recorded.keys()
    assert [result["size"] for result in recorded["results"]] == ladder.SIZES
    for result in recorded["results"]:
        assert [row["trick"] for row in result["rows"]] == list(ladder.VERSIONS)


# Runs, and runs that stop


def test_a_finished_run_is_recorded_and_leaves_nothing_unfinished(bench, run, capsys):
    assert run("--record") == 0
    (path,) = bench.RESULTS.iterdir()
    recorded = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem.startswith(recorded["date"])
    assert {"commit", "device", "versions", "load", "targets"} <= recorded.keys()
    assert [(row["model"], row["size"]) for row in recorded["rows"]] == EVERYTHING
    ratio = recorded["rows"][0]["forward and backward"]["unrolled.numpy.RNN"]
    assert ratio["rounds"] >= bench.timing.ROUNDS
    assert not bench.UNFINISHED.exists()
    printed = capsys.readouterr().out
    assert f"Recorded in results/{path.name}" in printed
    assert "No CUDA device here: cuDNN is not measured." in printed


def test_a_stopped_run_goes_on_where_it_was(bench, run, monkeypatch, capsys):
    measure, measured = bench.measure, []

    def stop_at_the_second(case, seconds):
        if measured:
            raise KeyboardInterrupt
        measured.append(case)
        return measure(case, seconds)

    monkeypatch.setattr(bench, "measure", stop_at_the_second)
    assert run() == 130
    assert "What is measured is kept, the same command goes on" in capsys.readouterr().err
    with bench.UNFINISHED.open("a") as file:
        file.write('{"model": "RNN", "size": {"T": 2, "B"')             # a line that a kill cut off
    monkeypatch.setattr(bench, "measure", lambda case, seconds: measured.append(case) or measure(case, seconds))
    assert run() == 0
    assert [(case["model"], case["size"]) for case in measured] == EVERYTHING
    assert "1 of 9 are measured" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["--fresh", "other code"])
def test_halves_that_do_not_belong_together_are_not_joined(bench, run, change):
    case = {"device": "cpu", "model": "RNN", "size": SIZES[0]}
    row = case | bench.measure(case, 0.0001)
    row["forward"]["unrolled.numpy.RNN"]["median"] = 1e-9
    bench.keep(row | {"fingerprint": bench.fingerprint(bench.origin(*bench.PACKAGES))})
    if change == "other code":
        (bench.ROOT / "benchmarks").mkdir()
        (bench.ROOT / "benchmarks/new.py").write_text("x = 1\n")
    assert run("--record", *([change] if change.startswith("-") else [])) == 0
    (path,) = bench.RESULTS.iterdir()
    recorded = json.loads(path.read_text(encoding="utf-8"))
    assert recorded["rows"][0]["forward"]["unrolled.numpy.RNN"]["median"] > 1e-6


# What the numbers mean


def rows_with(bench, **medians):
    """Rows in which everybody takes as long as the library, but for those named."""
    names = [*bench.models.TARGETS, "textbook"]
    part = {name: {"median": medians.get(name, 1.0)} for name in names}
    return [{"model": model, "size": size, "forward and backward": part} for model in RESULTS for size in SIZES]


@pytest.mark.parametrize(("name", "found", "verdict"), [
    ("unrolled.numpy.RNN", 1.19, "met"), ("unrolled.numpy.RNN", 1.21, "MISSED"),
    ("unrolled.numpy.LSTM fused", 1.21, "MISSED"), ("unrolled.numpy.GRU fused", 0.99, "met"),
    ("unrolled.torch.LSTM fused", 1.01, "MISSED"), ("unrolled.torch.GRU fused", 0.86, "MISSED"),
])
def test_a_target_says_where_it_stands(bench, name, found, verdict):
    (target,) = [target for target in bench.targets(rows_with(bench, **{name: found}))
                 if target["what"].startswith(f"{name} over")]
    assert target["found"] == found
    assert target["verdict"] == verdict


@pytest.mark.parametrize(("ours", "verdict"), [(0.3, "met"), (0.4, "MISSED")])
def test_the_textbook_must_be_slower(bench, ours, verdict):
    targets = bench.targets(rows_with(bench, **{"unrolled.numpy.GRU fused": ours}))
    (target,) = [target for target in targets if target["what"].startswith("the textbook's GRU")]
    assert target["found"] == pytest.approx(1 / ours, abs=1e-4)
    assert target["verdict"] == verdict


def test_the_mean_of_ratios_is_geometric(bench):
    assert bench.geometric_mean([0.5, 2.0]) == pytest.approx(1.0)


def test_a_ratio_is_taken_round_by_round(bench):
    ratio = bench.timing.ratio([2.0, 20.0, 2.0], [1.0, 10.0, 4.0])      # the second round was slow for both
    assert ratio == {"median": 2.0, "minimum": 2.0, "spread": 0.0, "rounds": 3}


@pytest.mark.parametrize(("arguments", "message"), [
    (["--seconds", "0"], "--seconds must be positive, got 0.0"),
    (["--only", "35,1"], "expected T,B,H such as 35,1,64, got '35,1'"),
    (["--only", "35,0,64"], "T, B and H must be at least 1, got '35,0,64'"),
    (["--only", "3,1,4", "--record"], "--record is for all sizes, --only for some"),
])
def test_a_wrong_argument_is_named(run, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        run(*arguments)
    assert message in capsys.readouterr().err
