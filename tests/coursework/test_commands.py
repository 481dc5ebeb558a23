"""The commands as an instructor types them: a small class from release to export, killed half-way and started again."""

import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from coursework import __main__ as commands
from coursework import practice
from coursework.grader import sandbox
from coursework.term import release
from coursework.term.course import NAMES, Course, load
from tests.coursework import classroom
from tests.coursework.term.test_gradebook import dump

ASSIGNMENT = load("gru")
PRACTICE = sorted(path.stem for path in practice.FOLDER.glob("[a-z]*.py"))
KINDS = ("reference", "stripped", "magics", "neighbour", "half", "blank", "typo", "script", "exits", "not json",
         "latin", "pdf", "missing")


@pytest.fixture(scope="module")
def term(sandboxed, tmp_path_factory):
    """A course with a release, and a class's hand-ins as Canvas gives them out."""
    folder = tmp_path_factory.mktemp("term")
    course = classroom.enrolled(folder / "course", ASSIGNMENT)
    everyone = classroom.classroom(ASSIGNMENT, course.variant(ASSIGNMENT), size=60, seed=1)
    students = [next(student for student in everyone if student.kind == kind) for kind in KINDS]
    random.Random(0).shuffle(students)
    (folder / "canvas.zip").write_bytes(classroom.canvas_zip(students))
    (folder / "roster.csv").write_text(classroom.canvas_roster(students), encoding="utf-8")
    return course, students, folder


def arguments(course, command, *rest):
    return [command, "--term", course.term, "--course", str(course.folder), *map(str, rest)]


def copied(course, folder):
    shutil.copytree(course.folder, folder)
    return Course(course.term, folder)


@pytest.fixture(scope="module")
def graded(term):
    """The class, graded without a pause."""
    course, students, folder = term
    course = copied(course, folder / "graded")
    handed_in = folder / "canvas.zip", "--roster", folder / "roster.csv"
    assert commands.main(arguments(course, "grade", "gru", *handed_in)) == 0
    return course


def test_every_submission_ends_as_it_must(term, graded):
    results = graded.results("gru")
    for student in term[1]:
        result = results[str(student.number)]
        assert result.status.startswith(student.status), student.kind
        share = {None: "", 0: "none", sum(row.points for row in ASSIGNMENT.rows): "all"}.get(result.earned, "some")
        assert share == student.earned, student.kind


def test_killed_half_way_and_started_again_ends_in_the_same_gradebook(term, graded):
    course, _, folder = term
    course = copied(course, folder / "killed")
    command = [sys.executable, "-m", "coursework", *arguments(course, "grade", "gru", folder / "canvas.zip", "--roster",
                                                              folder / "roster.csv", "--jobs", 1)]
    journal = course.path("journal/gru.jsonl")
    grader = subprocess.Popen(command, cwd=release.ROOT, start_new_session=True, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while grader.poll() is None and time.monotonic() < deadline and not (
                journal.exists() and journal.read_bytes().count(b"\n") >= 3):
            time.sleep(0.01)
    finally:
        os.killpg(grader.pid, signal.SIGKILL)
        grader.wait()
    kept = journal.read_bytes().count(b"\n")
    assert 3 <= kept < 11
    assert not course.path("results/gru.json").exists()
    assert commands.main(arguments(course, "grade", "gru")) == 0
    assert dump(course) == dump(graded)
    assert journal.read_bytes().count(b"\n") == len(list(course.path("submitted").glob("*/gru/gru.ipynb")))


def test_feedback_and_export_of_a_class(term, graded, capsys):
    students = term[1]
    assert commands.main(arguments(graded, "feedback", "gru")) == 0
    assert commands.main(arguments(graded, "export", "gru")) == 0
    assert "written answers are not marked" in capsys.readouterr().out
    for student in students:
        text = graded.path(f"feedback/{student.number}/gru/gru.html").read_text()
        assert "<script" not in text
    with graded.path("export/gru/grades.csv").open(encoding="utf-8", newline="") as file:
        lines = {line["student"]: line for line in csv.DictReader(file)}
    assert len(lines) == len(students)
    for student in students:
        line = lines[str(student.number)]
        assert line["status"].startswith(student.status)
        assert bool(line["by the grader"]) == (student.earned != "")
    assert json.loads(graded.path(f"export/gru/gradescope/{students[0].number}/results.json").read_text())["tests"]


@pytest.mark.parametrize(("given", "said"), [
    (["grade", "gru", "--term", "Autumn"], "A term is a name such as autumn-2027"),
    (["grade", "gru", "--term", "never"], "There is no course folder"),
    (["feedback", "chess", "--course", "{course}", "--term", "autumn-2027"], "There is no assignment 'chess'"),
    (["feedback", "gru", "--course", "{course}", "--term", "autumn-2027"], "gru has not been graded yet"),
    (["grade", "gru", "--course", "{course}", "--term", "autumn-2027"], "Nothing has been collected for gru"),
    (["grade", "gru", "nowhere.zip", "--course", "{course}", "--term", "autumn-2027"], "There is no folder or file"),
    (["grade", "gru", "--roster", "x.csv", "--course", "{course}", "--term", "autumn-2027"], "goes with SUBMISSIONS")])
def test_what_cannot_be_done_says_why_and_fails(given, said, tmp_path, capsys):
    course = tmp_path / "course"
    course.mkdir(mode=0o700)
    assert commands.main([part.replace("{course}", str(course)) for part in given]) == 1
    assert said in capsys.readouterr().err


def test_two_commands_do_not_write_to_one_course(tmp_path, capsys):
    course = Course("autumn-2027", tmp_path)
    with course.writing():
        assert commands.main(arguments(course, "grade", "gru", tmp_path)) == 1
    assert "Another command is writing" in capsys.readouterr().err


def test_without_a_sandbox_nothing_is_graded_or_released(tmp_path, capsys, monkeypatch):
    def missing():
        raise sandbox.SandboxMissing("there is no program bwrap on the PATH")

    course = classroom.enrolled(tmp_path / "course", ASSIGNMENT)
    (tmp_path / "ada.ipynb").write_bytes(classroom.submission(ASSIGNMENT, course.variant(ASSIGNMENT), "x = 1"))
    monkeypatch.setattr(sandbox, "check", missing)
    for command in (["grade", "gru", tmp_path / "ada.ipynb"], ["release", "gru"]):
        assert commands.main(arguments(course, *command)) == 1
        assert "apt install bubblewrap" in capsys.readouterr().err
    assert not course.path("results").exists()
    assert not course.path("journal").exists()


@pytest.mark.parametrize("name", NAMES)
def test_the_guide_says_what_an_assignment_is_worth_and_how_long_it_takes(name):
    one = load(name)
    newest = max((release.ROOT / "benchmarks/results/coursework").glob(f"*-{name}.json"))       # dates come first
    timed = json.loads(newest.read_text(encoding="utf-8"))
    assert timed["submissions"] == 1000
    cells = [f"`{name}`", one.minutes, one.difficulty, len(one.rows),
             f"{sum(row.points for row in one.rows):g} + {one.written(dict(one.specimen))[2]:g}",
             f"{timed['median seconds']:.2f}", f"{timed['seconds for a thousand'] / 60:.1f}"]
    guide = (release.ROOT / "book/teach.md").read_text(encoding="utf-8")
    assert f"| {' | '.join(map(str, cells))} |\n" in guide


@pytest.mark.parametrize("name", PRACTICE)
def test_practice_notebooks_are_what_the_command_writes(name):
    path = practice.FOLDER / f"{name}.ipynb"
    assert path.read_text(encoding="utf-8") == nbformat.writes(practice.notebook(name)) + "\n", "run: make practice"


@pytest.mark.parametrize("name", PRACTICE)
def test_the_practice_solution_passes_its_own_check(name, capsys):
    namespace, most = {}, sum(row.points for row in load(name).rows)
    exec((practice.FOLDER / f"{name}.py").read_text(), namespace)
    practice.check(name, namespace)
    assert capsys.readouterr().out.endswith(f"\n{most:g} of {most:g} points\n")
    practice.check(name, {})
    assert capsys.readouterr().out.endswith(f"\n0 of {most:g} points\n")
