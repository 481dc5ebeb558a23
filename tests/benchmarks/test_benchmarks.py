"""The benchmark compares like with like, goes on after a stop, says when a target is missed. No time is asserted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SIZES = [{"T": 3, "B": 1, "H": 4}, {"T": 2, "B": 2, "H": 5}]


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """The module with two small sizes, and a folder of its own for what it writes."""
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import __main__ as module

    monkeypatch.setattr(module.rnn, "SIZES", SIZES)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "UNFINISHED", tmp_path / "unfinished.jsonl")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(module, "SAMPLE_SECONDS", 1e-4)
    monkeypatch.setattr(module, "assert_one_thread", lambda: None)      # other tests have started threads of their own
    return module


@pytest.fixture
def run(bench, monkeypatch):
    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--seconds", "0.001", *arguments])
        return bench.main()

    return command


def test_it_runs_as_a_command_with_one_thread():
    command = [sys.executable, "-W", "error", "-m", "benchmarks", "--seconds", "0.01", "--only", "3,1,4", "2,2,5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "unrolled.numpy.RNN : nn.RNN" in done.stdout
    assert "unrolled.numpy.RNN: geometric mean" in done.stdout
    assert "unrolled.torch.RNN: geometric mean" in done.stdout


def test_what_is_timed_is_the_same_function_with_every_gradient(bench):
    functions = bench.rnn.implementations(T=5, B=2, H=4)
    reference = functions["nn.RNN"]()
    assert len(reference) == 8                                          # output, h_n, d_x, d_h0, four parameters
    for name, function in functions.items():
        assert bench.rnn.disagreement(function(), reference) < 2e-6, name


def test_what_is_not_the_same_function_is_not_timed(bench, monkeypatch):
    functions = bench.rnn.implementations(T=5, B=2, H=4)
    right = functions["unrolled.numpy.RNN"]
    functions["unrolled.numpy.RNN"] = lambda: [1.01 * array for array in right()]
    monkeypatch.setattr(bench.rnn, "implementations", lambda **size: functions)
    with pytest.raises(AssertionError, match="unrolled.numpy.RNN and nn.RNN disagree at"):
        bench.measure({"T": 5, "B": 2, "H": 4}, 0.001)


def test_short_long_narrow_and_wide_are_all_timed(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import rnn

    assert len(rnn.SIZES) == 36
    assert {(size["T"], size["B"], size["H"]) for size in rnn.SIZES} >= {(35, 1, 64), (200, 64, 512), (100, 32, 256)}


def test_a_finished_run_is_recorded_and_leaves_nothing_unfinished(bench, run, capsys):
    assert run("--record") == 0
    (path,) = bench.RESULTS.iterdir()
    recorded = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem.startswith(recorded["date"])
    assert {"commit", "device", "versions", "load", "summary"} <= recorded.keys()
    assert [row["size"] for row in recorded["rows"]] == SIZES
    assert recorded["rows"][0]["ratios"]["unrolled.numpy.RNN"]["rounds"] >= 5
    assert not bench.UNFINISHED.exists()
    assert f"Recorded in results/{path.name}" in capsys.readouterr().out


def test_a_stopped_run_goes_on_where_it_was(bench, run, monkeypatch, capsys):
    measure, measured = bench.measure, []

    def stop_at_the_second(size, seconds):
        if measured:
            raise KeyboardInterrupt
        measured.append(size)
        return measure(size, seconds)

    monkeypatch.setattr(bench, "measure", stop_at_the_second)
    assert run() == 130
    assert "1 of 2 sizes are kept, the same command goes on" in capsys.readouterr().err
    with bench.UNFINISHED.open("a") as file:
        file.write('{"size": {"T": 2, "B"')                             # a line that a kill cut off
    monkeypatch.setattr(bench, "measure", lambda size, seconds: measured.append(size) or measure(size, seconds))
    assert run() == 0
    assert measured == SIZES
    assert "1 of 2 sizes are measured" in capsys.readouterr().err


@pytest.mark.parametrize("change", ["--fresh", "other code"])
def test_halves_that_do_not_belong_together_are_not_joined(bench, run, monkeypatch, change):
    ratios = {name: {"median": 0.001, "minimum": 0.001, "spread": 0, "rounds": 5} for name in bench.rnn.TARGETS}
    bench.keep({"size": SIZES[0], "ratios": ratios, "fingerprint": bench.fingerprint(bench.origin("torch", "numpy"))})
    if change == "other code":
        (bench.ROOT / "benchmarks").mkdir()
        (bench.ROOT / "benchmarks/new.py").write_text("x = 1\n")
    assert run("--record", *([change] if change.startswith("-") else [])) == 0
    (path,) = bench.RESULTS.iterdir()
    assert json.loads(path.read_text(encoding="utf-8"))["rows"][0]["ratios"] != ratios


@pytest.mark.parametrize(("median", "verdict"), [(1.19, "target 1.2: met"), (1.21, "target 1.2: MISSED")])
def test_a_target_says_where_it_stands(bench, median, verdict):
    ratios = {name: {"median": median, "minimum": 0.5} for name in bench.rnn.TARGETS}
    found = bench.summaries([{"size": size, "ratios": ratios} for size in SIZES])
    assert found["unrolled.numpy.RNN"]["verdict"] == verdict
    assert found["unrolled.numpy.RNN"]["median"] == median
    assert found["unrolled.torch.RNN"]["verdict"] == "no target"


def test_the_mean_of_ratios_is_geometric(bench):
    assert bench.geometric_mean([0.5, 2.0]) == pytest.approx(1.0)


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
