"""One submission and many: statuses, seeds, journals, kills, engines."""

import dataclasses
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from coursework.family import notebook, tape
from coursework.family.assignment import Lost, Row
from coursework.grader import grading, sandbox
from distributed import LocalCluster

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.usefixtures("sandboxed")


@pytest.fixture
def graded(tiny, book):
    """The result of one submission with these cells, and perhaps other rows."""

    def grade(*cells, rows=None, seed="a", **options):
        assignment = dataclasses.replace(tiny.ASSIGNMENT, **({"rows": rows} if rows else {}))
        return grading.grade(assignment, assignment.specimen, book(*cells), seed, "ann", **options)

    return grade


@pytest.fixture
def everybody(tiny, book, tmp_path):
    """A class: paths by student."""
    wrong = tiny.SOLUTION.replace("1 - h[t] ** 2", "1 + h[t] ** 2")
    sources = {"ann": tiny.SOLUTION, "bob": wrong, "cid": "import numpy", "dan": "def forward(x): return 1"}
    paths = {"fay": None, "gus": tmp_path / "absent.ipynb", "hal": tmp_path / "hal.ipynb"}
    (tmp_path / "hal.ipynb").write_bytes(b"{")
    for name, source in sources.items():
        paths[name] = tmp_path / f"{name}.ipynb"
        paths[name].write_bytes(book(source))
    return paths


@pytest.fixture(scope="module")
def cluster(sandboxed):
    """The address of a Dask cluster: it is started once, and not for every test."""
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0",
                      scheduler_kwargs={"dashboard": False}) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def grade_all(tiny, everybody, tmp_path, cluster):
    def run(seed="a", journal="journal.jsonl", **options):
        return grading.grade_all(tiny.ASSIGNMENT, tiny.ASSIGNMENT.specimen, everybody, seed, tmp_path / journal,
                                 **{"engine": cluster, "progress": False} | options)

    return run


def without_seconds(results):
    return [dataclasses.asdict(result) | {"seconds": 0} for result in results]


def test_points_are_earned_row_by_row(graded, tiny):
    result = graded(tiny.SOLUTION.replace("1 - h[t] ** 2", "1 + h[t] ** 2"))
    assert result.status == "graded"
    assert {row["name"]: row["earned"] for row in result.rows} == {
        "forward-example": 1, "forward-random": 3, "gradients": 0, "chunked": 2}
    assert (result.earned, result.points) == (6, 10)
    assert result.rows[2]["message"] == "'x' is wrong"
    assert set(result.versions) >= {"python", "numpy", "grader"}


def test_partial_credit_is_a_fraction_of_the_row(graded, tiny):
    def check(student, rng, variant):
        raise Lost("one of three", earned=1 / 3)

    result = graded(tiny.SOLUTION, rows=(Row("a", 4, "", check),))
    assert result.rows == [{"name": "a", "points": 4, "earned": 1.333333, "message": "one of three"}]


def test_a_fault_of_ours_is_a_status_and_never_a_zero(graded, tiny):
    def check(student, rng, variant):
        raise KeyError("ours")

    result = graded(tiny.SOLUTION, rows=(*tiny.ASSIGNMENT.rows, Row("broken", 1, "", check)))
    assert result.status == "crashed: grader"
    assert result.rows == []
    assert result.earned is None
    assert "KeyError: 'ours'" in result.error


def test_time_that_is_used_up_is_a_status_and_earned_points_stay(graded, tiny):
    limits = sandbox.Limits(call=30, total=3)
    result = graded(tiny.SOLUTION + "\ndef backward(**given):\n    while True: pass", limits=limits)
    assert result.status == "timed out"
    assert [row["earned"] for row in result.rows] == [1, 3, 0, 0]
    assert result.rows[2]["message"] == "not finished: 3 seconds were used up"
    assert result.rows[3]["message"] == "not reached: timed out"


def test_a_notebook_that_always_ends_the_process_is_a_status(graded, tiny):
    result = graded(*["import os\nos._exit(0)"] * 3, tiny.SOLUTION)
    assert result.status == "crashed: code cell 3 ended the process (exit status 0)"
    assert result.earned == 0
    assert len(result.notes) == 2


def test_the_same_seed_draws_the_same_and_another_seed_something_else(graded, tiny):
    drawn = []

    def check(student, rng, variant):
        drawn.append(rng.normal())

    rows = (Row("a", 1, "", check), Row("b", 1, "", check))
    for seed in ("a", "a", "b"):
        graded(tiny.SOLUTION, rows=rows, seed=seed)
    a, b, again_a, again_b, other_a, other_b = drawn
    assert (a, b) == (again_a, again_b)
    assert len({a, b, other_a, other_b}) == 4


def test_a_class_ends_in_explicit_statuses_in_the_order_of_names(grade_all, everybody):
    results = grade_all()
    assert [result.student for result in results] == sorted(everybody)
    told = {result.student: (result.status.partition(":")[0], result.earned) for result in results}
    assert told == {"ann": ("graded", 10), "bob": ("graded", 6), "cid": ("graded", 0), "dan": ("graded", 0),
                    "fay": ("missing", None), "gus": ("missing", None), "hal": ("rejected", None)}


def test_a_second_run_grades_only_what_is_new_or_torn(grade_all, everybody, tmp_path, monkeypatch, book):
    first = grade_all()
    journal = tmp_path / "journal.jsonl"
    whole = journal.read_bytes()
    monkeypatch.setattr(grading, "client_of", None)               # a second grading would need it
    assert grade_all() == first
    assert journal.read_bytes() == whole
    monkeypatch.undo()

    lines = whole.splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-2]) + lines[-2][:40])
    again = grade_all()
    assert without_seconds(again) == without_seconds(first)
    assert len(journal.read_bytes().splitlines()) == len(lines)

    everybody["ann"].write_bytes(book("import numpy"))            # handed in again: that one alone is graded again
    changed = grade_all()
    assert changed[0].earned == 0
    assert changed[1:] == again[1:]
    assert without_seconds(grade_all(seed="b")) == without_seconds(changed)       # right and wrong do not hang on luck
    assert len(journal.read_bytes().splitlines()) == len(lines) + 1 + len(everybody)


@pytest.mark.parametrize("changed", ["family/reference.py", "assignments/gru.py", "grader/worker.py"])
def test_whatever_of_our_code_has_changed_it_is_another_grader(monkeypatch, tmp_path, changed):
    copy = tmp_path / "coursework"
    shutil.copytree(ROOT / "coursework", copy, ignore=shutil.ignore_patterns("*.ipynb", "__pycache__"))
    monkeypatch.setattr(grading, "__file__", str(copy / "grader/grading.py"))
    assert grading.versions.__wrapped__() == grading.versions()
    with (copy / changed).open("a") as file:
        file.write("# another\n")
    assert grading.versions.__wrapped__()["grader"] != grading.versions()["grader"]


def test_a_damaged_journal_is_not_overwritten(grade_all, tmp_path):
    (tmp_path / "journal.jsonl").write_text("no json\n")
    with pytest.raises(grading.GradingError, match="move it away"):
        grade_all()
    assert (tmp_path / "journal.jsonl").read_text() == "no json\n"


def test_one_writer(grade_all, tmp_path):
    with (grading.Journal(tmp_path / "journal.jsonl"),
          pytest.raises(grading.GradingError, match="another grader is writing")):
        grade_all()


def test_no_scheduler_is_an_error_and_not_a_zero(grade_all, monkeypatch):
    monkeypatch.setattr(sys.modules["tools.cluster"], "PATIENCE", "1s")
    with pytest.raises(grading.GradingError, match="no Dask scheduler at tcp://127.0.0.1:9"):
        grade_all(engine="tcp://127.0.0.1:9")


def test_a_dask_cluster_and_this_machine_give_the_same_results(grade_all):
    here = grade_all(engine="local", jobs=2, journal="here.jsonl")
    assert without_seconds(grade_all(journal="there.jsonl")) == without_seconds(here)


SCRIPT = """
import sys
sys.path[:0] = [sys.argv[1]]
from coursework.grader import grading
from tests.coursework import tiny
from pathlib import Path
if __name__ == "__main__":
    folder = Path(sys.argv[2])
    paths = {path.stem: path for path in folder.glob("*.ipynb")}
    grading.grade_all(tiny.ASSIGNMENT, tiny.ASSIGNMENT.specimen, paths, "a", folder / "journal.jsonl", jobs=2)
"""


def test_a_grader_killed_half_way_goes_on_and_ends_in_the_same_results(tiny, book, tmp_path):
    """SIGKILL to the grader alone: its processes and sandboxes go too, nothing is lost and nothing is graded twice."""
    wrong = tiny.SOLUTION.replace("1 - h[t] ** 2", "1 + h[t] ** 2")
    for number in range(16):
        (tmp_path / f"{number:02}.ipynb").write_bytes(book(wrong if number % 3 else tiny.SOLUTION, f"# {number}"))
    (tmp_path / "grade.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "grade.py"), str(ROOT), str(tmp_path)]
    journal = tmp_path / "journal.jsonl"
    grader = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 3):
        assert grader.poll() is None, grader.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    family = psutil.Process(grader.pid).children(recursive=True)
    grader.send_signal(signal.SIGKILL)
    grader.wait()
    grader.stderr.close()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert alive == []
    finished = journal.read_bytes()
    finished = finished[: finished.rfind(b"\n") + 1]
    assert finished.count(b"\n") < 16

    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "16/16" in done.stderr                                # the progress bar
    assert journal.read_bytes().startswith(finished)
    entries = [json.loads(line) for line in journal.read_bytes().splitlines()]
    assert sorted(entry["student"] for entry in entries) == [f"{number:02}" for number in range(16)]
    for entry in entries:
        assert sum(row["earned"] for row in entry["rows"]) == (6 if int(entry["student"]) % 3 else 10)


def test_a_notebook_that_changes_while_it_waits_is_an_error(grade_all, everybody, monkeypatch, book):
    look = grading._look
    looks = []

    def changing(path):
        looks.append(path)
        if looks.count(path) == 2 and path == everybody["ann"]:
            path.write_bytes(book("pass"))
        return look(path)

    monkeypatch.setattr(grading, "_look", changing)
    with pytest.raises(grading.GradingError, match="ann.ipynb has changed"):
        grade_all()


def test_the_courses_own_differentiator_is_named_where_it_is_handed_in(graded, tiny):
    pasted = "\n".join(line.rstrip() + "  " for line in inspect.getsource(tape).splitlines())
    assert not any("differentiator" in note for note in graded(tiny.SOLUTION).notes)
    result = graded(tiny.SOLUTION, pasted)
    assert any("differentiator" in note for note in result.notes)
    assert result.earned == result.points                                # a person decides, not the grader


def test_results_are_plain_json(graded, tiny):
    result = graded(tiny.SOLUTION)
    assert grading.Result(**json.loads(json.dumps(dataclasses.asdict(result)))) == result


def test_reading_leaves_no_descriptor_open(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for path in (tmp_path, tmp_path / "link"):
        with pytest.raises(notebook.Rejected):
            notebook.load(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_infinities_of_a_wrong_answer_are_no_fault_of_ours(graded, tiny):
    source = tiny.SOLUTION.replace("np.stack(hs)", "np.stack(hs) * np.float32(3e38) * np.float32(10)")
    with np.errstate(all="raise"):
        result = graded(source)
    assert result.status == "graded"
