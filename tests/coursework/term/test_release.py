"""A release: nbgrader's notebook of the drawn variant, and a refusal wherever it is unsolvable, free or leaking."""

import dataclasses
import html
import json

import nbformat
import pytest
from coursework.term import release
from coursework.term.course import Course, Refused, load, write
from tests.coursework import classroom

ASSIGNMENT = load("gru")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course in which a release has been made, nothing proved."""
    return classroom.enrolled(tmp_path_factory.mktemp("course") / "course", ASSIGNMENT)


@pytest.fixture
def prints(course):
    return release.fingerprints(course, ASSIGNMENT, course.variant(ASSIGNMENT))


# The secret

def test_a_secret_is_made_once_for_its_owner_alone_and_never_overwritten(tmp_path):
    one = Course("autumn-2027", tmp_path / "one")
    one.create()
    secret = one.secret
    assert one.path("secret").stat().st_mode & 0o777 == 0o600
    assert one.folder.stat().st_mode & 0o777 == 0o700
    one.create()
    assert one.secret == secret
    other = Course("autumn-2027", tmp_path / "other")
    other.create()
    assert other.secret != secret


def test_variant_and_seed_follow_the_secret_and_do_not_show_it(tmp_path):
    one, same, other = (Course("autumn-2027", tmp_path / name) for name in "abc")
    for course, secret in ((one, "0" * 64), (same, "0" * 64), (other, "1" * 64)):
        course.create()
        course.path("secret").write_text(secret)
    assert one.seed(ASSIGNMENT) == same.seed(ASSIGNMENT)
    assert one.variant(ASSIGNMENT) == same.variant(ASSIGNMENT)
    assert one.seed(ASSIGNMENT) != other.seed(ASSIGNMENT)
    assert one.seed(ASSIGNMENT) != one.seed(load("lstm"))
    assert one.secret not in one.seed(ASSIGNMENT)


def test_a_secret_that_others_can_read_or_that_is_damaged_is_refused(tmp_path, refuses):
    course = Course("autumn-2027", tmp_path / "course")
    with refuses(Refused, "`release` makes it, once a term"):
        _ = course.secret
    course.create()
    course.path("secret").chmod(0o640)
    with refuses(Refused, "chmod 600"):
        _ = course.secret
    course.path("secret").chmod(0o600)
    course.path("secret").write_text("hello")
    with refuses(Refused, "64 hexadecimal digits"):
        _ = course.secret


@pytest.mark.parametrize("term", ["", "Autumn 2027", "../x", "a/b", "-a", "a" * 41])
def test_a_term_is_a_plain_name(term, refuses):
    with refuses(Refused, "A term is a name such as autumn-2027"):
        Course(term)


def test_a_course_lies_outside_the_repository_unless_it_is_told_otherwise():
    folder = Course("autumn-2027").folder
    assert folder.name == "course-autumn-2027"
    assert folder.parent == release.ROOT.parent


def test_a_family_that_changed_after_the_release_is_refused(course, tmp_path, refuses):
    drawn = course.variant(ASSIGNMENT)
    axes = {axis: tuple(value for value in values if value != drawn[axis]) or values
            for axis, values in ASSIGNMENT.axes.items()}
    with refuses(Refused, "the family or the secret has changed"):
        course.variant(dataclasses.replace(ASSIGNMENT, axes=axes))


# What students get

def test_students_get_the_statement_with_its_stubs_and_marks_that_nbgrader_knows(course):
    variant = course.variant(ASSIGNMENT)
    book = nbformat.read(course.notebook("release", "gru"), as_version=4)
    statement = ASSIGNMENT.statement(variant)
    assert [cell.source for cell in book.cells] == [cell.source for cell in statement]
    points = {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points for cell in book.cells
              if cell.metadata.nbgrader.grade}
    assert points == {row.name: row.points for row in ASSIGNMENT.rows} | {"written": ASSIGNMENT.written(variant)[2]}
    stubs = [cell for cell in book.cells if cell.cell_type == "code" and cell.metadata.nbgrader.solution]
    assert [cell.metadata.nbgrader.grade_id for cell in stubs] == list(ASSIGNMENT.functions)
    assert all("raise NotImplementedError" in cell.source for cell in stubs)
    assert all(cell.metadata.nbgrader.checksum for cell in stubs)


def test_the_reference_is_nowhere_in_the_course(course, prints):
    lines, strings = prints
    assert len(lines) > 40
    assert release.leaks([course.path("source"), course.path("release")], prints) == []
    assert {path.name for path, _ in release.leaks([course.folder], ({}, strings))} == {"secret"}


def test_a_release_cell_that_is_not_the_statements_is_refused(course, tmp_path, refuses):
    book = nbformat.read(course.notebook("release", "gru"), as_version=4)
    statement = release.as_notebook(ASSIGNMENT.statement(course.variant(ASSIGNMENT)))
    next(cell for cell in book.cells if cell.metadata.nbgrader.solution).source = "def forward(): return 1"
    nbformat.write(book, tmp_path / "gru.ipynb")
    with refuses(Refused, "is not the statement with its stubs"):
        release.assert_stubs_only(tmp_path / "gru.ipynb", statement)


# Leaks

def test_a_line_of_the_reference_is_found_in_a_page_a_notebook_and_a_script(course, prints, tmp_path):
    line = max(prints[0], key=len)
    source = next(text for text in ASSIGNMENT.reference(course.variant(ASSIGNMENT)).splitlines()
                  if "".join(text.split()) == line)
    spans = "".join(f'<span class="n">{html.escape(word)}</span> ' for word in source.split(" "))
    write(tmp_path / "page.html", f"<p>Hello</p><pre>import numpy\n    {spans}\nx = 1</pre>")
    write(tmp_path / "book.ipynb", nbformat.writes(nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell(f"x = 1\n    {source}\n")])))
    write(tmp_path / "code.py", source)
    write(tmp_path / "search.js", json.dumps({"text": f"x = 1\n{source}\n"}))
    write(tmp_path / "clean.html", "<pre>import numpy as np\nx = 1</pre>")
    found = release.leaks([tmp_path, tmp_path / "nowhere"], prints)
    assert {path.name for path, _ in found} == {"page.html", "book.ipynb", "code.py", "search.js"}
    assert all(what.startswith("a line of the reference") for _, what in found)


def test_secret_seed_rubric_and_markers_are_found(course, prints, tmp_path):
    rubric = next(line for line in ASSIGNMENT.written(course.variant(ASSIGNMENT))[1].splitlines() if len(line) > 60)
    write(tmp_path / "a.bin", f"xx{course.secret}xx")
    write(tmp_path / "b.js", course.seed(ASSIGNMENT))
    write(tmp_path / "c.md", f"  {rubric}\n")
    write(tmp_path / "d.ipynb", nbformat.writes(nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell("### BEGIN SOLUTION")])))
    found = {path.name: what.split(",")[0] for path, what in release.leaks([tmp_path], prints)}
    assert found == {"a.bin": "the term's secret", "b.js": "the grading seed", "c.md": "a line of the rubric",
                     "d.ipynb": "the marker BEGINSOLUTION"}


# The whole, through the sandbox

def test_a_solvable_assignment_is_released_and_again_gives_the_same_bytes(sandboxed, tmp_path, refuses):
    course = Course("autumn-2027", tmp_path / "course")
    path = release.release(course, ASSIGNMENT, site=tmp_path / "no site")
    first = path.read_bytes()
    assert course.released() == {"gru": course.variant(ASSIGNMENT)}
    assert release.release(course, ASSIGNMENT, site=tmp_path / "no site").read_bytes() == first
    write(tmp_path / "site/leak.txt", course.secret)
    with refuses(Refused, "the term's secret"):
        release.release(course, ASSIGNMENT, site=tmp_path / "site")
    assert path.read_bytes() == first                     # what students have is still what they are graded by


def test_an_assignment_whose_reference_loses_points_is_not_released(sandboxed, tmp_path, refuses):
    other = dict(ASSIGNMENT.specimen)
    broken = dataclasses.replace(ASSIGNMENT, reference=lambda variant: ASSIGNMENT.reference(other))
    course = Course("autumn-2027", tmp_path / "course")
    with refuses(Refused, "the reference does not earn every point (graded)"):
        release.release(course, broken, site=tmp_path)
    assert not course.path("release").exists()
    assert course.released() == {}


def test_an_assignment_that_a_blank_notebook_earns_points_in_is_not_released(sandboxed, tmp_path, refuses):
    free = dataclasses.replace(ASSIGNMENT.rows[0], check=lambda student, rng, variant: None)
    with refuses(Refused, f"earns points in {free.name}"):
        release.release(Course("autumn-2027", tmp_path / "course"),
                        dataclasses.replace(ASSIGNMENT, rows=(free, *ASSIGNMENT.rows[1:])), site=tmp_path)


def test_a_leak_on_the_site_stops_the_release(sandboxed, tmp_path, refuses):
    course = Course("autumn-2027", tmp_path / "course")
    course.create()
    write(tmp_path / "site/page.html", f"<pre>{html.escape(ASSIGNMENT.reference(course.variant(ASSIGNMENT)))}</pre>")
    with refuses(Refused, "since something would leak"):
        release.release(course, ASSIGNMENT, site=tmp_path / "site")
    assert not course.notebook("release", "gru").exists()
    assert course.released() == {}
