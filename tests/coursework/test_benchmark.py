"""The benchmark of the grader: it grades a class that it made up, and goes on where it was stopped."""

import json
import types

import pytest
from coursework.grader import grading


@pytest.fixture
def benchmark(sandboxed, tiny, tmp_path, monkeypatch):
    """The command, with the tiny assignment and folders of its own."""
    from benchmarks import coursework as module

    (tmp_path / "coursework/practice").mkdir(parents=True)
    (tmp_path / "coursework/practice/tiny.py").write_text(tiny.SOLUTION)
    monkeypatch.setitem(module.sys.modules, "coursework.assignments.tiny",
                        types.SimpleNamespace(ASSIGNMENT=tiny.ASSIGNMENT))
    monkeypatch.setattr(module, "origin", lambda *_, **__: {"date": "2000-01-01", "device": "A Processor"})
    for name, path in {"ROOT": "", "FOLDER": "bench", "RESULTS": "results"}.items():
        monkeypatch.setattr(module, name, tmp_path / path)
    return lambda *options: module.main(["--assignment", "tiny", "--jobs", "2", *options])


def test_a_stopped_benchmark_goes_on_and_is_recorded(benchmark, tmp_path, monkeypatch, capsys):
    append, done = grading.Journal.append, []

    def stopped(journal, key, result):
        if len(done) == 6:
            raise KeyboardInterrupt
        done.append(result.student)
        return append(journal, key, result)

    with monkeypatch.context() as patched:
        patched.setattr(grading.Journal, "append", stopped)
        assert benchmark("--submissions", "18") == 130
    assert benchmark("--submissions", "18", "--record") == 0
    assert "median seconds" in capsys.readouterr().out
    (path,) = (tmp_path / "results").iterdir()
    found = json.loads(path.read_text())
    assert (found["submissions"], found["assignment"], found["jobs"]) == (18, "tiny", 2)
    assert 0 < found["median seconds"] <= found["95 of 100 within"] <= found["longest"]
    assert found["submissions a minute"] * found["seconds for a thousand"] == pytest.approx(60_000, rel=0.01)
    assert not list((tmp_path / "bench/tiny").glob("*.jsonl"))


def test_a_wrong_grade_is_not_timed(benchmark, monkeypatch):
    grade_all = grading.grade_all

    def generous(*arguments, **options):
        results = grade_all(*arguments, **options)
        return [grading.Result(r.student, r.assignment, r.status, [{"earned": 1, "points": 1}]) for r in results]

    monkeypatch.setattr(grading, "grade_all", generous)
    with pytest.raises(AssertionError, match="student-0004 .wrong. has graded, 1.0"):
        benchmark("--submissions", "6")
