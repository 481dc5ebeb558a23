"""The one writer of points into nbgrader's gradebook, and the reader of what stands there.

A row's points are the `auto_score` of its cell. What a person entered, a score or a comment, is never touched: grading
again, or after a kill, ends in the same gradebook.
"""

import dataclasses
import json
import warnings

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from sqlalchemy.exc import SAWarning
from tqdm import tqdm

from coursework.family import notebook
from coursework.term.course import Refused, plain, write

WRITTEN = "written"                      # the cell of the answer that a person marks
COUNTS = "graded", "timed out"           # the statuses whose points are points; of the others a person decides
UNANSWERED = "No response."              # nbgrader's own words


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of one student's work: from the roster, the hand-in, the grader and the gradebook.

    `rows` are dicts with name, title, points, earned (None where nobody has decided) and message. `written` has points,
    earned (None until it is marked) and comment.
    """

    student: str
    name: str
    email: str
    number: str
    columns: dict
    notes: list
    status: str
    rows: list
    written: dict
    seconds: float

    @property
    def automatic(self):
        """The points of the rows, or None where any is undecided."""
        earned = [row["earned"] for row in self.rows]
        return None if None in earned else round(sum(earned), 6)

    @property
    def total(self):
        """The points of everything, or None where anything is undecided."""
        parts = self.automatic, self.written["earned"]
        return None if None in parts else round(sum(parts), 6)


def record(course, assignment, results):
    """Write every result into the gradebook, and a copy of each notebook for whoever marks the written answers.

    Args:
        course: a `Course`.
        assignment: an `Assignment` that was released.
        results: a dict student -> `grading.Result`.

    Raises:
        Refused: the assignment was not released, or with other rows.
    """
    name, students = assignment.name, course.manifest(assignment.name)["students"]
    released = read_release(course, name)
    question, rubric, _ = assignment.written(course.variant(assignment))
    with Gradebook(course.database, course.term) as book:
        try:
            sheet = book.find_notebook(name, name)
            cells = {cell.id: cell.name for cell in [*sheet.grade_cells, *sheet.solution_cells]}
            rows = {cell.name for cell in sheet.grade_cells}
        except MissingEntry as error:
            raise Refused(f"{name} is not in the gradebook: release it first.") from error
        if rows != {row.name for row in assignment.rows} | {WRITTEN}:
            raise Refused(f"{name} was released with other rows than it has now. Go back to the version of this "
                          "repository that made the release.")
        for student, entry in tqdm(students.items(), desc="gradebook", unit="student", disable=None):
            _enrol(book, student, entry)
            result = results.get(student)
            if result and result.status != "missing":
                answer, code = _handed_in(course, name, student, released)
                _enter(book, course, name, student, result, answer, cells)
                copy = _copy(released, code, answer, result, question, rubric)
                write(course.notebook("autograded", name, student), copy)


def _enrol(book, student, entry):
    name = plain(entry["name"]).replace("<", "‹").replace(">", "›")      # formgrader shows it
    last, comma, first = name.partition(", ")
    if not comma:
        first, _, last = name.partition(" ")
    book.update_or_create_student(student, first_name=first[:128], last_name=last[:128],
                                  email=entry["email"][:128] or None, lms_user_id=entry["number"] or None)


def _enter(book, course, name, student, result, answer, cells):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)      # nbgrader's own: it fills a submission before it adds it
        submission, = book.update_or_create_submission(name, student).notebooks
    earned = {row["name"]: row["earned"] for row in result.rows if result.status in COUNTS}
    unanswered = answer == ""
    for grade in submission.grades:
        cell = cells[grade.cell_id]
        if cell == WRITTEN:
            grade.auto_score = 0.0 if unanswered else None
        else:
            grade.auto_score = earned.get(cell)
        if grade.manual_score is None:
            grade.needs_manual_grade = grade.auto_score is None
        elif cell == WRITTEN and answer != _marked_answer(course, name, student):
            grade.needs_manual_grade = True             # the answer is another than the one that was marked
    for comment in submission.comments:
        if cells[comment.cell_id] == WRITTEN:
            comment.auto_comment = UNANSWERED if unanswered else None
    book.db.commit()


def _marked_answer(course, name, student):
    path = course.notebook("autograded", name, student)
    if not path.exists():
        return None
    return _cell(nbformat.read(path, as_version=4), WRITTEN).metadata.get("answer")


def read_release(course, name):
    """The release notebook.

    Raises:
        Refused: there is none.
    """
    path = course.notebook("release", name)
    if not path.exists():
        raise Refused(f"{name} has not been released: {path} does not exist.")
    return nbformat.read(path, as_version=4)


def _cell(book, grade_id):
    return next(cell for cell in book.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def _handed_in(course, name, student, released):
    """The written answer and the code cells of a submission, or None and no cells if it cannot be read.

    The answer is whatever text the student added, wherever, since names of cells get lost.
    """
    try:
        cells = notebook.read(notebook.load(course.notebook("submitted", name, student))).cells
    except (notebook.Rejected, OSError):
        return None, []
    ours = {cell.source.strip() for cell in released.cells}
    marks = [cell.metadata.get("nbgrader", {}) for cell in released.cells]
    rows = {mark.grade_id for mark in marks if mark.get("grade")}
    own = [cell.source.strip() for cell in cells if cell.kind != "code" and cell.source.strip() not in ours]
    code = [cell for cell in cells if cell.kind == "code" and cell.grade_id not in rows]
    return "\n\n".join(filter(None, own)), code


def _copy(released, cells, answer, result, question, rubric):
    """The notebook that the marker sees: the student's code and answer as text, the grader's remarks, the rubric.

    Nothing that a student's notebook brings along is in it, no output and no markup, since it is shown in the
    marker's browser.
    """
    solutions = {cell.metadata.nbgrader.grade_id: cell for cell in released.cells
                 if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "code"}
    copied = [_markdown(f"**{inert(result.status)}**")]
    for cell in cells:
        known = solutions.pop(cell.grade_id, None)
        copied.append(_code(plain(cell.source), known.metadata if known else {}))
    for missing in solutions.values():                  # its cell must be there for a comment to have a place
        copied.append(_code("# This cell was not in the notebook.", missing.metadata))
    rows = {row["name"]: row for row in result.rows}
    for cell in released.cells:
        meta = cell.metadata.get("nbgrader", {})
        if meta.get("grade") and cell.cell_type == "code":
            row = rows.get(meta.grade_id)
            said = f"{row['earned']:g} of {row['points']:g}. {plain(row['message'])}" if row else plain(result.status)
            copied.append(_code(cell.source, cell.metadata, said.strip() + "\n"))
    copied.append(_markdown(f"{question}\n\n---\n\n**For the marker**\n\n{rubric}"))
    copied.append(_markdown(inert(answer or ""), _cell(released, WRITTEN).metadata | {"answer": answer}))
    for number, cell in enumerate(copied):
        cell["id"] = f"cell-{number}"                   # the same submission again is the same file
    copy = {"cells": copied, "metadata": released.metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(copy, indent=1, sort_keys=True) + "\n"


def _markdown(source, metadata=None):
    return {"cell_type": "markdown", "metadata": metadata or {}, "source": source}


def _code(source, metadata, output=None):
    outputs = [] if output is None else [{"output_type": "stream", "name": "stdout", "text": output}]
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "outputs": outputs, "source": source}


def inert(text):
    """Markdown whose HTML, images and links are only text; formulas and emphasis stay."""
    return plain(text).replace("&", "&amp;").replace("<", "&lt;").replace("](", "]&#40;").replace("]:", "]&#58;")


def records(course, assignment, results):
    """Everything known, one `Record` a student, in the order of their ids.

    Args:
        course: a `Course`.
        assignment: an `Assignment`.
        results: a dict student -> `grading.Result`.
    """
    written_points = assignment.written(course.variant(assignment))[2]
    marks = {}
    with Gradebook(course.database, course.term) as book:
        for submission in book.assignment_submissions(assignment.name):
            for sheet in submission.notebooks:
                marks[submission.student_id] = (
                    {grade.cell.name: grade for grade in sheet.grades},
                    {comment.cell.name: comment.comment for comment in sheet.comments})
        return [_record(assignment, student, entry, results.get(student), *marks.get(student, ({}, {})), written_points)
                for student, entry in sorted(course.manifest(assignment.name)["students"].items())]


def _record(assignment, student, entry, result, grades, comments, written_points):
    said = {row["name"]: row["message"] for row in result.rows} if result else {}
    rows = [{"name": row.name, "title": row.title, "points": row.points, "message": said.get(row.name, ""),
             "earned": _score(grades.get(row.name))} for row in assignment.rows]
    written = {"points": written_points, "earned": _score(grades.get(WRITTEN)), "comment": comments.get(WRITTEN) or ""}
    written["remarks"] = {cell: text for cell, text in sorted(comments.items()) if text and cell != WRITTEN}
    status = result.status if result else entry["status"] or "not graded yet"
    notes = [*entry["notes"], *(result.notes if result else ())]
    return Record(student, entry["name"], entry["email"], entry["number"], entry["columns"], notes, status, rows,
                  written, result.seconds if result else 0.0)


def _score(grade):
    """A person's score, else the grader's, with extra credit; None where there is neither, or a person is to look."""
    if grade is None or grade.needs_manual_grade or grade.manual_score is None and grade.auto_score is None:
        return None
    return float(grade.score)
