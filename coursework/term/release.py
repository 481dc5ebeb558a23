"""Release an assignment: write what students get, and refuse where it is unsolvable, too easy, or leaks.

The reference is never written into the course folder. The source notebook has stubs only, so that there is nothing to
strip, and no typing mistake in a marker can publish a solution.
"""

import html
import json
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbformat import v4
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from tools.notebook_form import METADATA
from traitlets.config.loader import PyFileConfigLoader

from coursework.grader import grading
from coursework.term.course import ROOT, Refused, write

SITE = ROOT / "_build/html"
DISTINCTIVE = 30                         # characters, without blanks: a line that nobody else writes by chance
MARKERS = "BEGINSOLUTION", "BEGINHIDDENTESTS", "BEGINMARKSCHEME"
TEXTS = {".html", ".ipynb", ".md", ".txt", ".js", ".json", ".py", ".css", ".xml", ".inv", ".svg", ".rst", ".csv"}


def release(course, assignment, site=SITE):
    """Write the source and release notebooks of the variant that the term's secret draws.

    Args:
        course: a `Course`; its folder and its secret are made if there are none.
        assignment: an `Assignment`.
        site: the built website, searched for leaks where it exists.

    Returns:
        The path of the notebook that students get.

    Raises:
        Refused: the reference loses points, a blank notebook earns some, something leaks, or nbgrader objects. Then
            there is no release notebook but an earlier one.
    """
    course.create()
    variant = course.variant(assignment)
    released = course.notebook("release", assignment.name)
    before = released.read_bytes() if released.exists() else None
    try:
        blank = as_notebook(assignment.statement(variant))
        prove(assignment, variant, course.seed(assignment))
        write(course.notebook("source", assignment.name), nbformat.writes(blank) + "\n")
        generate(course, assignment.name)
        assert_stubs_only(released, blank)
        found = leaks([released.parent, Path(site)], fingerprints(course, assignment, variant))
        if found:
            raise Refused(f"{assignment.name} is not released, since something would leak:\n" + "\n".join(
                f"  {path}: {what}" for path, what in found[:20])
                + "\nRemove it from there (for the site: `make clean book`), then release again.")
    except Refused:
        shutil.rmtree(released.parent, ignore_errors=True)
        if before is not None:                          # students have it, and it is what their work is compared with
            write(released, before)
        raise
    course.remember_release(assignment, variant)
    return released


def as_notebook(cells):
    """Cells as a notebook for the Python kernel."""
    return v4.new_notebook(cells=cells, metadata=METADATA)


# Solvable, and not for free

def reference_submission(assignment, variant):
    """The notebook that must earn every point: the release, its first stub replaced by the reference."""
    notebook = as_notebook(assignment.statement(variant))
    stubs = [cell for cell in notebook.cells
             if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution")]
    stubs[0].source = assignment.reference(variant)
    for cell in stubs[1:]:
        cell.source = "# see above"
    return notebook


def prove(assignment, variant, seed):
    """Grade the reference and a blank notebook, in the sandbox, as every submission is graded.

    Raises:
        Refused: the reference does not earn every point, or the blank one earns any.
    """
    reference, blank = (
        grading.grade(assignment, variant, nbformat.writes(notebook).encode(), seed)
        for notebook in (reference_submission(assignment, variant), as_notebook(assignment.statement(variant))))
    possible = {row.name: row.points for row in assignment.rows}
    lost = [row for row in reference.rows if row["earned"] != possible.get(row["name"])]
    if reference.status != "graded" or lost or len(reference.rows) != len(possible):
        raise Refused(f"{assignment.name} is not released: the reference does not earn every point "
                      f"({reference.status}).\n" + reference.error + "\n".join(
                          f"  {row['name']}: {row['earned']:g} of {row['points']:g}. {row['message']}" for row in lost)
                      + "\nThe assignment or the grader has a mistake; report it with these lines.")
    free = [row["name"] for row in blank.rows if row["earned"]]
    if blank.status != "graded" or free or len(blank.rows) != len(possible):
        raise Refused(f"{assignment.name} is not released: a blank notebook is {blank.status!r} and earns points in "
                      f"{', '.join(free) or 'no row'}.\nThe assignment or the grader has a mistake; report it.")


# nbgrader

def generate(course, name):
    """Run nbgrader's own `generate_assignment`, which writes the release notebook and its cells into the gradebook.

    Raises:
        Refused: nbgrader does not succeed, for instance since submissions were graded and the rows have changed.
    """
    programs = str(Path(sys.executable).parent)         # nbgrader calls alembic by its name to make the gradebook
    if programs not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([programs, os.environ["PATH"]])
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course.folder)).load_config()
    result = NbGraderAPI(CourseDirectory(config=config), config=config).generate_assignment(name)
    if not result["success"]:
        log = result.get("log") or result.get("error") or "it does not say why"
        raise Refused(f"nbgrader does not generate {name}:\n{log.strip()}")


def assert_stubs_only(path, statement):
    """Compare a release with the statement it was made from.

    Raises:
        Refused: a cell is another than in the statement.
    """
    released = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    if released != [cell.source for cell in statement.cells]:
        raise Refused(f"{path} is not the statement with its stubs. Is nbgrader_config.py changed? Delete it, and the "
                      "next release writes it again.")


# Leaks

def fingerprints(course, assignment, variant):
    """What must not be found anywhere public.

    Returns:
        Two dicts, what is looked for -> what it is: whole lines without blanks, and strings anywhere.
    """
    public = {_bare(line) for cell in assignment.statement(variant) for line in cell.source.splitlines()}
    lines = {}
    for what, text in (("a line of the reference", assignment.reference(variant)),
                       ("a line of the rubric", assignment.written(variant)[1])):
        for line in text.splitlines():
            if len(_bare(line)) >= DISTINCTIVE and _bare(line) not in public:
                lines[_bare(line)] = f"{what}, {line.strip()!r}"
    return lines, {course.secret: "the term's secret", course.seed(assignment): "the grading seed"}


def leaks(folders, prints):
    """Search folders for fingerprints.

    Args:
        folders: searched with everything below them; one that does not exist is left out.
        prints: what `fingerprints` returns.

    Returns:
        A list of (path, what was found).
    """
    lines, strings = prints
    found = []
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
            raw = path.read_bytes()
            found += [(path, what) for string, what in strings.items() if string.encode() in raw]
            if path.suffix in TEXTS:
                text = raw.decode("utf-8", "replace")
                seen = {_bare(line) for line in _lines(path, text)}
                found += [(path, what) for line, what in lines.items() if line in seen]
                found += [(path, f"the marker {marker}") for marker in MARKERS
                          if path.suffix == ".ipynb" and any(marker in line for line in seen)]
    return found


def _lines(path, text):
    """The lines that a reader of a file sees: without HTML's tags, with JSON's line ends as such."""
    if path.suffix == ".html":
        text = html.unescape(re.sub(r"<[^<>]*>", "", text))
    elif path.suffix == ".ipynb":
        try:
            cells = json.loads(text).get("cells", [])
            return [line for cell in cells for line in "".join(cell.get("source", "")).splitlines()]
        except (ValueError, AttributeError, TypeError):
            pass                                        # not a notebook after all: as text
    elif path.suffix in (".js", ".json"):
        text = text.replace("\\n", "\n").replace('\\"', '"')
    return text.splitlines()


def _bare(line):
    return re.sub(r"\s+", "", line)
