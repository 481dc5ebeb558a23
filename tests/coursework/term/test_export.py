"""Exports: a number only where there is a grade, a status everywhere, no cell that a spreadsheet would run."""

import csv
import dataclasses
import io
import json

import pytest
from coursework.term import export
from coursework.term.course import Course, load
from coursework.term.gradebook import Record
from hypothesis import example, given
from hypothesis import strategies as st

ASSIGNMENT = load("gru")
MOST = sum(row.points for row in ASSIGNMENT.rows)


def record(student, status="graded", earned=1.0, written=8.0, **other):
    rows = [{"name": row.name, "title": row.title, "points": row.points, "message": "<b>so</b>",
             "earned": None if earned is None else row.points * earned} for row in ASSIGNMENT.rows]
    known = {"name": student.title(), "email": "", "number": "", "columns": {}, "notes": [], "seconds": 0.25} | other
    return Record(student=student, status=status, rows=rows, **known,
                  written={"points": 10, "earned": written, "comment": "", "remarks": {}})


CLASS = [
    record("ada", number="12", columns={"SIS User ID": "S12", "SIS Login ID": "ada", "Section": "A"}),
    record("bob", earned=0.5, written=None, number="13"),
    record("cleo", "rejected: <i>no JSON</i>", None, None, number="14"),
    record("dan", "missing", None, None, number="15"),
    record("eve", "crashed: grader", None, None),
    record("fay", earned=0, written=0.0, number="17"),
]


def read(rows):
    return list(csv.DictReader(io.StringIO(export.as_csv(rows))))


def test_the_table_has_a_status_for_everyone_and_a_zero_only_where_it_was_earned():
    lines = read(export.table(ASSIGNMENT, CLASS))
    assert [(line["student"], line["status"], line["points"], line["by the grader"]) for line in lines] == [
        ("ada", "graded", "98", "90"), ("bob", "graded", "", "45"), ("cleo", "rejected: <i>no JSON</i>", "", ""),
        ("dan", "missing", "", ""), ("eve", "crashed: grader", "", ""), ("fay", "graded", "0", "0")]
    assert lines[1]["notes"] == "written answer to be marked"
    assert [line["forward-random"] for line in lines] == ["12", "6", "", "", "", "0"]


def test_canvas_gets_its_own_columns_back_and_blanks_where_nothing_is_decided():
    rows = export.canvas(ASSIGNMENT, CLASS)
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", ASSIGNMENT.title]
    lines = read(rows)
    assert lines[0]["Student"] == "Points Possible"
    assert lines[0][ASSIGNMENT.title] == "100"
    assert [(line["ID"], line[ASSIGNMENT.title]) for line in lines[1:]] == [
        ("12", "98"), ("13", ""), ("14", ""), ("15", ""), ("17", "0")]
    assert (lines[1]["SIS User ID"], lines[1]["SIS Login ID"], lines[1]["Section"]) == ("S12", "ada", "A")


def test_moodle_gets_its_worksheet_back():
    own = {"Identifier": "Participant 12", "Full name": "Ada L.", "Email address": "a@example.org",
           "Status": "Submitted", "Last modified (grade)": "-", "Grade": "", "Group": "7"}
    other = own | {"Identifier": "Participant 99"}        # the worksheet of another assignment
    lines = read(export.moodle([dataclasses.replace(CLASS[0], columns=own),
                                dataclasses.replace(CLASS[1], columns=other), *CLASS[2:]]))
    assert tuple(lines[0]) == export.MOODLE
    assert [(line["Identifier"], line["Grade"]) for line in lines] == [
        ("Participant 12", "98"), ("Participant 13", ""), ("Participant 14", ""), ("Participant 15", ""),
        ("Participant 17", "0")]
    assert (lines[0]["Full name"], lines[0]["Status"], lines[1]["Full name"]) == ("Ada L.", "Submitted", "Bob")
    assert lines[2]["Feedback comments"].startswith("Rejected: &lt;i&gt;no JSON&lt;/i&gt;.")


def test_without_the_written_answer_the_rows_are_the_grade():
    assert [line["Grade"] for line in read(export.moodle(CLASS, written=False))] == ["90", "45", "", "", "0"]
    assert read(export.canvas(ASSIGNMENT, CLASS, written=False))[0][ASSIGNMENT.title] == "90"


def test_gradescope_gets_each_row_and_no_score_where_there_is_none():
    ada, bob, cleo = (json.loads(json.dumps(export.gradescope(one))) for one in CLASS[:3])
    assert (ada["score"], bob["score"]) == (98, 45)
    assert [test["score"] for test in ada["tests"]] == [row.points for row in ASSIGNMENT.rows]
    assert {test["output_format"] for test in ada["tests"]} == {"text"}
    assert "score" not in cleo
    assert not [test for test in cleo["tests"] if "score" in test]
    assert cleo["extra_data"]["status"] == "rejected: <i>no JSON</i>"


@given(st.text(max_size=40))
@example("=cmd|' /C calc'!A0")
@example("+1")
@example("-1")
@example("@SUM(A1)")
@example("\t=1")
@example("\r=1")
@example(" =1")
@example("＝1")
@example("\ufeff=1")
@example("\x00=1")
def test_no_name_is_a_formula(name):
    line, = read(export.table(ASSIGNMENT, [record("ada", name=name, notes=[name])]))
    for text in (line["name"], line["notes"]):
        assert text.lstrip(" \t\r\n\ufeff\u200b")[:1] not in tuple("=+-@＝＋－＠")
        assert not set(text) & set("\0\r\n\t")


@pytest.mark.parametrize("name", ["=1", "+Plus", "-Nils", "@home"])
def test_a_name_behind_an_apostrophe_is_still_that_name(name):
    line, = read(export.table(ASSIGNMENT, [record("ada", name=name)]))
    assert line["name"] == f"'{name}"


def test_everything_is_written(tmp_path):
    paths = export.export(Course("autumn-2027", tmp_path), ASSIGNMENT, CLASS)
    assert sorted(paths) == ["canvas", "grades", "gradescope", "moodle"]
    assert len(list(csv.reader(io.StringIO(paths["grades"].read_text(encoding="utf-8"))))) == len(CLASS) + 1
    assert len(list(paths["gradescope"].glob("*/results.json"))) == len(CLASS)
