"""The command: what it says when it is done, stopped, or asked for something that it cannot do."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def module(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT)
    from experiments import __main__ as module

    monkeypatch.setattr(module.unrolled.studies, "RECORDS", tmp_path / "results")
    return module


@pytest.fixture
def experiments(module, tmp_path):
    """The command, with a folder of its own."""
    return lambda *arguments: module.main([*arguments, "--folder", str(tmp_path / "build")])


@pytest.fixture
def no_cluster(module, monkeypatch):
    """Runs that cost nothing, done in this process, and the list of those that were done."""
    done, name = [], sys.modules["experiments.sweep"].name

    def sweep(function, runs, journal, address, workers):
        kept = journal.read(runs)
        for run in runs:
            if name(run) not in kept:
                done.append(run)
                row = run | {"solved": run["lag"] < 50, "updates": 100 + run["seed"], "loss": run["learning_rate"]}
                kept[name(run)] = journal.append(run, {"device": "none", "row": row})
        return kept, {}

    monkeypatch.setattr(module, "sweep", sweep)
    return done


def test_a_finished_experiment_is_kept_and_can_be_recorded_without_running_again(
        experiments, no_cluster, tmp_path, capsys):
    assert experiments("long-memory") == 0
    runs = len(no_cluster)
    result = tmp_path / "build/long-memory.json"
    assert len(json.loads(result.read_text(encoding="utf-8"))["rows"]) == runs
    out = capsys.readouterr().out
    assert "5/5 @  102" in out                      # all seeds below lag 50, the median of 100 ... 104 updates
    assert "0/5" in out
    assert experiments("long-memory", "--record") == 0
    assert len(no_cluster) == runs
    assert (tmp_path / "results/long-memory.json").read_bytes() == result.read_bytes()
    kept = re.findall(r"Going on: (\d+) of \1 runs are kept", capsys.readouterr().err)      # round by round
    assert sum(map(int, kept)) == runs


def test_fresh_forgets(experiments, no_cluster, capsys):
    experiments("long-memory", "--small")
    runs = len(no_cluster)
    experiments("long-memory", "--small", "--fresh")
    assert len(no_cluster) == 2 * runs
    assert "Going on" not in capsys.readouterr().err


def test_failed_runs_are_named_and_nothing_is_written(module, experiments, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(module, "sweep", lambda *_: ({}, {"task copy, model RNN": "ValueError: no good"}))
    assert experiments("long-memory", "--small") == 1
    err = capsys.readouterr().err
    assert "1 of 60 runs failed; the others are kept." in err
    assert "  task copy, model RNN: ValueError: no good" in err
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(("error", "code", "message"), [
    (KeyboardInterrupt(), 130, "Stopped. What is finished is kept, the same command goes on."),
    (OSError("disk full"), 1, "long-memory-small: disk full"),
])
def test_what_stops_it_is_said(module, experiments, monkeypatch, capsys, error, code, message):
    def stops(*_):
        raise error

    monkeypatch.setattr(module, "sweep", stops)
    assert experiments("long-memory", "--small") == code
    assert message in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::ResourceWarning")      # a connection that was refused, Dask forgets to close
@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1:1"])
def test_an_address_without_a_scheduler_is_named(module, experiments, monkeypatch, capsys, address):
    monkeypatch.setattr(sys.modules["tools.cluster"], "PATIENCE", "1s")
    assert experiments("long-memory", "--small", "--scheduler", address) == 1
    assert f"there is no Dask scheduler at {address}" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "the following arguments are required: NAME"),
    (["short-memory"], "invalid choice: 'short-memory'"),
    (["long-memory", "--workers", "0"], "expected a whole number of at least 1, got '0'"),
    (["long-memory", "--workers", "two"], "expected a whole number of at least 1, got 'two'"),
    (["long-memory", "--small", "--record"], "--record is for the whole study, --small is not"),
    (["long-memory", "--scheduler", "tcp://x:1", "--workers", "2"], "--workers is for this machine"),
])
def test_a_wrong_argument_is_named(experiments, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        experiments(*arguments)
    assert message in capsys.readouterr().err


def test_help_says_what_there_is(experiments, capsys):
    with pytest.raises(SystemExit, match="0"):
        experiments("--help")
    out = capsys.readouterr().out
    for word in ("long-memory", "page-rnn", "--scheduler", "--workers", "--fresh", "--record", "--small", "--folder"):
        assert word in out
