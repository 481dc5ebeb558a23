"""No submission earns a point that it has not earned, learns what it must not, or touches anything outside.

All are graded in one batch, as a class would be, right submissions among them. The tests look at what became of each.
`COURSEWORK_ASSIGNMENT=rnn python -m pytest tests/coursework/hostile` attacks one of the book's assignments.
"""

import ctypes
import dataclasses
import importlib
import json
import os
import re
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from coursework.grader import grading, sandbox
from tests.coursework import tiny
from tests.coursework.hostile.submissions import book, submissions

ROOT = Path(__file__).resolve().parents[3]
NAME = os.environ.get("COURSEWORK_ASSIGNMENT")
ASSIGNMENT = importlib.import_module(f"coursework.assignments.{NAME}").ASSIGNMENT if NAME else tiny.ASSIGNMENT
RIGHT = ASSIGNMENT.reference(ASSIGNMENT.specimen)
CASES = submissions(ASSIGNMENT.functions, RIGHT)
LIMITS = sandbox.Limits(call=1.5, cells=2.0, total=40.0 if NAME else 12.0)      # a book's has more to call
EVERY = 6                                   # a right submission after so many others
ORPHANS = 36                                # PR_SET_CHILD_SUBREAPER

pytestmark = pytest.mark.usefixtures("sandboxed")


@dataclasses.dataclass
class Batch:
    """A class that was graded: results by name, the neighbours', and what lay on the disk before and after."""

    results: dict
    neighbours: list
    token: str
    secret: str
    before: dict
    after: dict
    left: list
    folder: Path


@pytest.fixture(scope="module")
def batch(tmp_path_factory, sandboxed):
    folder = tmp_path_factory.mktemp("class")
    token, secret = f"token{os.getpid()}x{time.time_ns()}", f"secret{time.time_ns()}"
    (folder / "secret.txt").write_text(secret)
    (folder / "neighbour.ipynb").write_bytes(book(RIGHT))
    paths = {}
    for number, (name, case) in enumerate(CASES.items()):
        path = folder / f"{name}.ipynb"
        if isinstance(case.data, bytes):
            path.write_bytes(_filled(case.data, token, folder))
        else:
            case.data(path)
        paths[f"{number:03}-{name}"] = path
        if number % EVERY == 0:
            paths[f"{number:03}~neighbour"] = folder / "neighbour.ipynb"
    before = _contents(folder)
    libc = ctypes.CDLL(None)
    libc.prctl(ORPHANS, 1, 0, 0, 0)         # whatever outlives its parent becomes a child of this process
    try:
        children = {child.pid for child in psutil.Process().children(recursive=True)}
        journal = tmp_path_factory.mktemp("journal") / "journal.jsonl"
        results = grading.grade_all(ASSIGNMENT, ASSIGNMENT.specimen, paths, "a secret", journal, jobs=2, limits=LIMITS,
                                    progress=False)
        left = _left(children)
    finally:
        libc.prctl(ORPHANS, 0, 0, 0, 0)
    by_name = {result.student[4:]: result for result in results}
    neighbours = [result for result in results if result.student.endswith("~neighbour")]
    return Batch(by_name, neighbours, token, secret, before, _contents(folder), left, folder)


def _filled(data, token, folder):
    words = {b"TOKEN": token, b"SECRET": str(folder / "secret.txt"), b"FOLDER": str(folder),
             b"REPOSITORY": str(ROOT)}
    for word, value in words.items():
        data = data.replace(word, value.encode())
    return data


def _contents(folder):
    return {path.name: path.read_bytes() if path.is_file() and not path.is_symlink() else None
            for path in folder.iterdir()}


def _left(known):
    """The sandbox's processes that are still there a second after the end."""
    deadline = time.monotonic() + 1
    while True:
        children = [child for child in psutil.Process().children(recursive=True) if child.pid not in known]
        left = [" ".join(child.cmdline()) for child in children if child.status() != psutil.STATUS_ZOMBIE]
        left = [line for line in left if "bwrap" in line or "worker.py" in line or "/python/bin" in line]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def test_there_are_at_least_fifty_hostile_submissions():
    assert sum(not case.full for case in CASES.values()) >= 50


@pytest.mark.parametrize("name", CASES)
def test_submission(batch, name):
    case, result = CASES[name], batch.results[name]
    shown = json.dumps(dataclasses.asdict(result))
    assert re.match(case.status, result.status), result
    if case.full:
        assert result.status == "graded"
        assert result.earned == result.points, result
    else:
        assert not result.earned, result
        assert result.error == ""
    if result.status == "graded":
        assert [row["name"] for row in result.rows] == [row.name for row in ASSIGNMENT.rows]
        assert all(row["message"] for row in result.rows if row["earned"] < row["points"])
    elif result.status.startswith(("rejected", "missing")):
        assert result.rows == []
        assert result.earned is None
    if case.says:
        assert re.search(case.says, shown)
    # nothing leaked: neither what it looked for nor a hidden input
    assert f"FOUND {batch.token}" not in shown
    assert batch.secret not in shown
    told = [row["message"] for row in result.rows] + result.notes
    assert not any(re.search(r"\d\.\d{3}", text.partition("(code cell")[0]) for text in told)
    # fit to be shown: short, printable, one line
    assert all(len(text) <= 500 and text.isprintable() for text in told)
    # and nobody else noticed
    assert all(other.earned == other.points for other in batch.neighbours)


def test_neighbours_are_all_graded(batch):
    assert len(batch.neighbours) == -(-len(CASES) // EVERY)
    assert {other.status for other in batch.neighbours} == {"graded"}


def test_no_file_was_touched_or_made(batch):
    assert batch.after == batch.before
    beside = Path(sandbox.worker.__file__).parent       # the worker's is the one file of ours that is bound inside
    places = [Path(place) for place in ("/", "/tmp", "/var/tmp", "/dev/shm", Path.home(), Path.cwd(),
                                        tempfile.gettempdir(), beside) if Path(place).is_dir()]
    assert [path for place in places for path in place.iterdir() if batch.token in path.name] == []


def test_no_process_is_left(batch):
    assert batch.left == []


def test_a_missing_sandbox_refuses_every_case(tmp_path, monkeypatch):
    """Fail closed: without bubblewrap nothing runs, and nothing is written."""
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox.check.cache_clear()
    try:
        (tmp_path / "a.ipynb").write_bytes(book(RIGHT))
        with pytest.raises(sandbox.SandboxMissing, match="apt install bubblewrap"):
            grading.grade_all(ASSIGNMENT, ASSIGNMENT.specimen, {"a": tmp_path / "a.ipynb"}, "s", tmp_path / "journal")
        assert not (tmp_path / "journal").exists()
    finally:
        sandbox.check.cache_clear()


