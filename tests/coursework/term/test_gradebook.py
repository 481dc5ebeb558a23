"""nbgrader's gradebook: points where they belong, a person's marks never touched, the same again however often."""

import dataclasses
import json
import shutil
import sqlite3

import nbformat
import pytest
from bs4 import BeautifulSoup
from coursework.grader.grading import Result
from coursework.term import collect, gradebook
from coursework.term.course import Refused, dumps, load, write
from nbconvert.exporters import HTMLExporter
from nbgrader.api import Gradebook
from tests.coursework import classroom

ASSIGNMENT = load("gru")
ROWS = {row.name: row.points for row in ASSIGNMENT.rows}


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    return classroom.enrolled(tmp_path_factory.mktemp("released") / "course", ASSIGNMENT)


@pytest.fixture
def course(released, tmp_path):
    """A course of its own with four students: answered, left blank, unreadable, nothing handed in."""
    shutil.copytree(released.folder, tmp_path / "course")
    course = type(released)(released.term, tmp_path / "course")
    variant = course.variant(ASSIGNMENT)
    source = tmp_path / "handed in"
    for student, data in {
            "ada": classroom.submission(ASSIGNMENT, variant, "forward = backward = None", "The limit is the identity."),
            "bob": classroom.submission(ASSIGNMENT, variant, None), "cleo": b"{"}.items():
        write(source / f"{student}.ipynb", data)
    (tmp_path / "roster.csv").write_text("student,name,email\nada,Ada <b>Lovelace</b>,ada@example.org\nbob,Bob,\n"
                                         "cleo,Cleo,\ndan,Dan,\n")
    collect.collect(course, "gru", source, tmp_path / "roster.csv")
    return course


def result(student, status="graded", fraction=1.0):
    rows = [{"name": name, "points": points, "earned": points * fraction, "message": "so it was" * (fraction < 1)}
            for name, points in ROWS.items()]
    return Result(student, "gru", status, rows if status == "graded" else [])


def results(**other):
    return {"ada": result("ada"), "bob": result("bob", fraction=0), "cleo": result("cleo", "rejected: no JSON"),
            "dan": result("dan", "missing")} | other


def dump(course):
    """Everything that the gradebook says, without its random ids."""
    with sqlite3.connect(course.path("gradebook.db")) as database:
        grades = database.execute(
            "select s.student_id, c.name, g.auto_score, g.manual_score, g.extra_credit, g.needs_manual_grade "
            "from grade g "
            "join submitted_notebook n on g.notebook_id = n.id join submitted_assignment s on n.assignment_id = s.id "
            "join base_cell c on g.cell_id = c.id order by 1, 2").fetchall()
        comments = database.execute(
            "select s.student_id, c.name, m.auto_comment, m.manual_comment from comment m "
            "join submitted_notebook n on m.notebook_id = n.id join submitted_assignment s on n.assignment_id = s.id "
            "join base_cell c on m.cell_id = c.id order by 1, 2").fetchall()
        return grades, comments, database.execute("select * from student order by 1").fetchall()


def mark(course, student, score, comment="", cell="written"):
    """What formgrader does when a person marks."""
    with Gradebook(course.database, course.term) as book:
        grade = book.find_grade(cell, "gru", "gru", student)
        grade.manual_score, grade.needs_manual_grade = score, False
        if cell == "written":
            book.find_comment(cell, "gru", "gru", student).manual_comment = comment
        book.db.commit()


def by_student(course, given=None):
    return {record.student: record for record in gradebook.records(course, ASSIGNMENT, given or results())}


def test_points_land_on_the_cells_of_their_rows(course):
    gradebook.record(course, ASSIGNMENT, results(bob=result("bob", fraction=0.25)))
    grades, comments, students = dump(course)
    scores = {(student, cell): (auto, bool(needs)) for student, cell, auto, _, _, needs in grades}
    assert {cell: scores["ada", cell] for cell in ROWS} == {cell: (points, False) for cell, points in ROWS.items()}
    assert {cell: scores["bob", cell] for cell in ROWS} == {cell: (points / 4, False) for cell, points in ROWS.items()}
    assert scores["ada", "written"] == (None, True)                     # for a person
    assert scores["bob", "written"] == (0, False)                       # the question was left as it was
    assert ("bob", "written", "No response.", None) in comments
    assert [row[0] for row in students] == ["ada", "bob", "cleo", "dan"]


def test_what_could_not_be_graded_is_no_zero_and_asks_for_a_person(course):
    crashed = dataclasses.replace(result("bob", fraction=0), status="crashed: code cell 2 ended the process")
    gradebook.record(course, ASSIGNMENT, results(bob=crashed))
    grades, _, _ = dump(course)
    for student in ("bob", "cleo"):
        assert {(auto, needs) for s, cell, auto, _, _, needs in grades if s == student and cell in ROWS} == {(None, 1)}
    assert "dan" not in {row[0] for row in grades}
    records = by_student(course, results(bob=crashed))
    assert [records[s].total for s in ("bob", "cleo", "dan")] == [None] * 3
    assert records["dan"].status == "missing"


def test_again_is_the_same_and_what_a_person_entered_stays(course):
    gradebook.record(course, ASSIGNMENT, results())
    mark(course, "ada", 7.5, "Well argued.")
    mark(course, "bob", 3.0, cell="stability")
    before = dump(course)
    for _ in range(2):
        gradebook.record(course, ASSIGNMENT, results())
        assert dump(course) == before
    records = by_student(course)
    assert (records["ada"].written["earned"], records["ada"].written["comment"]) == (7.5, "Well argued.")
    assert records["ada"].total == sum(ROWS.values()) + 7.5
    assert records["bob"].automatic == 3


def test_a_regrade_changes_the_graders_points_and_no_others(course):
    gradebook.record(course, ASSIGNMENT, results())
    mark(course, "ada", 7.5)
    gradebook.record(course, ASSIGNMENT, results(ada=result("ada", fraction=0.5)))
    assert by_student(course)["ada"].total == sum(ROWS.values()) / 2 + 7.5


def test_an_answer_handed_in_after_marking_is_marked_again(course, tmp_path):
    gradebook.record(course, ASSIGNMENT, results())
    mark(course, "ada", 7.5)
    another = classroom.submission(ASSIGNMENT, course.variant(ASSIGNMENT), "x = 1", "Another.")
    write(tmp_path / "late/ada.ipynb", another)
    collect.collect(course, "gru", tmp_path / "late")
    for _ in range(2):
        gradebook.record(course, ASSIGNMENT, results())
        assert by_student(course)["ada"].written["earned"] is None      # until a person has looked
    mark(course, "ada", 9)
    gradebook.record(course, ASSIGNMENT, results())
    assert by_student(course)["ada"].written["earned"] == 9


def test_a_notebook_that_was_graded_and_then_replaced_by_a_broken_one_keeps_no_points(course):
    gradebook.record(course, ASSIGNMENT, results())
    gradebook.record(course, ASSIGNMENT, results(ada=result("ada", "rejected: broken")))
    assert by_student(course)["ada"].automatic is None


def test_what_the_marker_opens_holds_the_answer_and_no_markup_of_the_student(course, tmp_path):
    evil = ('<script>alert(1)</script> <img src=x onerror=alert(1)> ![x](http://192.0.2.1/x.png) '
            '[y](javascript:alert(1)) $h_t$\n\n[z]: http://192.0.2.1\n')
    data = json.loads(classroom.submission(ASSIGNMENT, course.variant(ASSIGNMENT), "print('<script>')", evil))
    write(tmp_path / "late/ada.ipynb", json.dumps(data))
    collect.collect(course, "gru", tmp_path / "late")
    gradebook.record(course, ASSIGNMENT, results())
    copy = nbformat.read(course.notebook("autograded", "gru", "ada"), as_version=4)
    nbformat.validate(copy)
    assert "alert('output')" not in json.dumps([cell.get("outputs", []) for cell in copy.cells])
    page, _ = HTMLExporter(template_name="basic").from_notebook_node(copy)
    tags = BeautifulSoup(page, "html.parser")
    assert not tags.find_all(["script", "img", "iframe", "style", "form"])
    assert not [tag for tag in tags.find_all() for name in tag.attrs if name.startswith("on")]
    assert not [link for link in tags.find_all("a") if not link["href"].startswith(("#", "http://192.0.2.1"))]
    assert "$h_t$" in page
    assert "onerror=alert(1)&gt;" in page
    marks = [cell.metadata.get("nbgrader", {}) for cell in copy.cells]
    assert {mark.grade_id for mark in marks if mark.get("grade")} == {*ROWS, "written"}


def test_the_answer_is_found_where_names_of_cells_are_lost(course, tmp_path):
    data = classroom.submission(ASSIGNMENT, course.variant(ASSIGNMENT), "x = 1", "Without a name.", strip=True)
    write(tmp_path / "late/ada.ipynb", data)
    collect.collect(course, "gru", tmp_path / "late")
    gradebook.record(course, ASSIGNMENT, results())
    assert by_student(course)["ada"].written["earned"] is None
    copy = nbformat.read(course.notebook("autograded", "gru", "ada"), as_version=4)
    assert copy.cells[-1].source == "Without a name."


def test_rows_other_than_the_released_ones_are_refused(course, refuses):
    fewer = dataclasses.replace(ASSIGNMENT, rows=ASSIGNMENT.rows[1:])
    with refuses(Refused, "was released with other rows than it has now"):
        gradebook.record(course, fewer, results())
    write(course.path("collected/rnn.json"), dumps({"students": {}, "ignored": []}))
    with refuses(Refused, "has not been released"):
        gradebook.record(course, dataclasses.replace(ASSIGNMENT, name="rnn"), {})
