"""Practice: the specimen of every family as a public notebook with a self-check, and its solution written by hand.

The self-check runs the rows in the notebook's own process. It is for learning: it can be fooled, and earns nothing.
"""

import inspect
from pathlib import Path

import nbformat
import numpy as np
from nbformat import v4
from tools.notebook_form import METADATA

from coursework.family.assignment import Direct, Lost
from coursework.family.statement import folded, named
from coursework.term.course import load

FOLDER = Path(__file__).resolve().parent
SEED = 20270101                          # any: practice has nothing to hide

INTRODUCTION = """# Practice: {title}

**Chapter** `{chapter}` · **{minutes} minutes** · **{difficulty}**

This is the open sibling of a graded assignment: the same kind of cell, with equations of its own. Write the functions
in NumPy, with derivatives found on paper. The self-check tries every row that a grader would, as often as you like.
Hints open one by one. The solution is at the end, folded: leave it closed until you have something to compare it with.

`backward` is handed `cache`: arrays as a *right* `forward` returns them, together with its inputs. A mistake in your
`forward` costs nothing there.
"""

CHECK = '''\
import sys

sys.path.insert(0, "../..")              # the repository, for those who run this where it lies
from coursework import practice

practice.check("{name}", globals())'''


def check(name, namespace, seed=SEED):
    """Try every row on functions of this process, and print what each says.

    Args:
        name: the assignment's name.
        namespace: the functions by name; `globals()` in a notebook.
        seed: of the random inputs; another gives others.

    Returns:
        Nothing; what is printed ends with the points.
    """
    assignment = load(name)
    student, earned = Direct(namespace), 0.0
    for row in assignment.rows:
        message, fraction = "", 1.0
        try:
            with np.errstate(all="ignore"):
                row.check(student, np.random.default_rng([seed, len(row.name)]), dict(assignment.specimen))
        except Lost as lost:
            message, fraction = lost.message, lost.earned
        earned += fraction * row.points
        print(f"{fraction * row.points:4.3g} of {row.points:<3g} {row.name}" + (f": {message}" if message else ""))
    print(f"\n{earned:g} of {sum(row.points for row in assignment.rows):g} points")


def notebook(name):
    """The practice notebook of an assignment: statement, stubs, hints, self-check, solution.

    Args:
        name: the assignment's name.

    Returns:
        A notebook.
    """
    from importlib import import_module

    assignment = load(name)
    cells = []
    for cell in assignment.statement(dict(assignment.specimen)):
        nbgrader = cell.metadata.pop("nbgrader", {})
        if nbgrader.get("grade_id") == "introduction":
            cell.source = INTRODUCTION.format(title=assignment.title, chapter=assignment.chapter,
                                              minutes=assignment.minutes, difficulty=assignment.difficulty).strip()
        if not nbgrader.get("grade") and nbgrader.get("grade_id") != "written-question":
            cells.append(cell)
    question, rubric, _ = assignment.written(dict(assignment.specimen))
    solution = inspect.getsource(import_module(f"coursework.practice.{name}"))
    cells += [
        named(v4.new_markdown_cell("## Try it\n\nRun this as often as you like."), "check-text"),
        named(v4.new_code_cell(CHECK.format(name=name)), "check"),
        named(v4.new_markdown_cell(question.strip() + "\n\n" + folded("What a good answer says", rubric)),
              "question"),
        named(v4.new_markdown_cell("## A solution\n\n" + folded("Show it", f"```python\n{solution.strip()}\n```")),
              "solution")]
    return v4.new_notebook(cells=cells, metadata=METADATA)


def write(names):
    """Write `coursework/practice/NAME.ipynb` for each name; the same sources give the same bytes.

    Returns:
        Their paths.
    """
    paths = []
    for name in names:
        paths.append(FOLDER / f"{name}.ipynb")
        paths[-1].write_text(nbformat.writes(notebook(name)) + "\n", encoding="utf-8")
    return paths
