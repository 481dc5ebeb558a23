"""Grades for the world outside: a CSV with a status, Canvas's and Moodle's import shapes, Gradescope's results.json.

A number is written only where a grade exists. Where nobody has decided, an LMS gets an empty cell, and the status says
why.
"""

import csv
import html
import io
import json
import unicodedata

from coursework.term import feedback
from coursework.term.course import plain, write

MOODLE = ("Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed",
          "Last modified (submission)", "Last modified (grade)", "Feedback comments")


def export(course, assignment, records, written=True):
    """Write every shape into `export/NAME/`.

    Args:
        course: a `Course`.
        assignment: an `Assignment`.
        records: what `gradebook.records` returns.
        written: whether a grade needs the written answer; otherwise it is the points of the rows alone.

    Returns:
        The paths of the three tables and of Gradescope's folder, by name.
    """
    folder = course.path("export", assignment.name)
    tables = {"grades": table(assignment, records), "canvas": canvas(assignment, records, written),
              "moodle": moodle(records, written)}
    paths = {}
    for name, rows in tables.items():
        paths[name] = folder / f"{name}.csv"
        write(paths[name], as_csv(rows))
    paths["gradescope"] = folder / "gradescope"
    for record in records:
        text = json.dumps(gradescope(record), indent=1, sort_keys=True) + "\n"
        write(paths["gradescope"] / record.student / "results.json", text)
    return paths


def points(record, written=True):
    """A student's grade, or None."""
    return record.total if written else record.automatic


def possible(record, written=True):
    """The most it can be."""
    return sum(row["points"] for row in record.rows) + (record.written["points"] if written else 0)


def table(assignment, records):
    """Everything, one line a student."""
    names = [row.name for row in assignment.rows]
    head = ["student", "name", "email", "status", "points", "possible", "by the grader", "written answer"]
    lines = []
    for record in records:
        notes = list(record.notes)
        if record.automatic is not None and record.written["earned"] is None:
            notes.insert(0, "written answer to be marked")
        earned = [row["earned"] for row in record.rows]
        lines.append([record.student, record.name, record.email, record.status, record.total, possible(record),
                      record.automatic, record.written["earned"], *earned, "; ".join(notes)])
    return [[*head, *names, "notes"], *lines]


def canvas(assignment, records, written=True):
    """Canvas's gradebook import. Students whose Canvas number is unknown are left out: it could not match them."""
    shape = "Student", "ID", "SIS User ID", "SIS Login ID", "Section"
    known = [record for record in records if record.number.isdigit()]
    most = possible(records[0], written) if records else ""
    lines = [["Points Possible", "", "", "", "", most]]
    for record in known:
        columns = [record.columns.get(column, "") for column in shape[2:]]
        lines.append([record.name, record.number, *columns, points(record, written)])
    return [[*shape, assignment.title], *lines]


def moodle(records, written=True):
    """Moodle's grading worksheet, filled in. Students whose participant number is unknown are left out."""
    lines = []
    for record in records:
        if not record.number.isdigit():
            continue
        line = dict.fromkeys(MOODLE, "") | {"Full name": record.name, "Email address": record.email}
        own = "".join(c for c in record.columns.get("Identifier", "") if c.isdigit())
        if own == record.number:                        # a worksheet of another assignment numbers them otherwise
            line |= {key: value for key, value in record.columns.items() if key in MOODLE}
        line |= {"Identifier": line["Identifier"] or f"Participant {record.number}", "Grade": points(record, written),
                 "Maximum Grade": possible(record, written),
                 "Feedback comments": html.escape(f"{feedback.heading(record.status)} {feedback.summary(record)}")}
        lines.append([line[column] for column in MOODLE])
    return [list(MOODLE), *lines]


def gradescope(record):
    """Gradescope's results.json, as a dict. Without a grade it has no score."""
    tests = []
    for row in record.rows:
        test = {"name": row["title"], "name_format": "text", "max_score": row["points"], "visibility": "visible",
                "output": plain(row["message"]), "output_format": "text"}
        tests.append(test | ({} if row["earned"] is None else {"score": row["earned"]}))
    said = (f"{feedback.heading(record.status)} {feedback.meaning(record.status)}", feedback.summary(record))
    result = {"execution_time": round(record.seconds, 3), "visibility": "visible", "stdout_visibility": "hidden",
              "output_format": "text", "output": plain("\n".join(said)), "tests": tests,
              "extra_data": {"status": record.status}}
    if record.automatic is None:
        return result
    return result | {"score": record.automatic + (record.written["earned"] or 0)}


def as_csv(rows):
    """Rows as CSV, in which no cell can be read as a formula and an undecided one is empty."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows([[cell(value) for value in row] for row in rows])
    return file.getvalue()


def cell(value):
    """One cell: numbers as they are, text that a spreadsheet would compute behind an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return format(value, ".6g")
    text = " ".join(plain(value).split())
    seen = next((c for c in text if unicodedata.category(c)[0] not in "CZ"), "")    # what has no width does not count
    return f"'{text}" if unicodedata.normalize("NFKC", seen)[:1] in tuple("=+-@") else text
