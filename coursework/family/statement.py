"""The cells of a release notebook, with the metadata that nbgrader's gradebook reads (its schema, version 3)."""

import numpy as np
from nbformat import v4

from coursework.family import reference

INTRODUCTION = """# {title}

**Chapter** `{chapter}` · **{minutes} minutes** · **{difficulty}** · **{points:g} points**, {written:g} of them for a
written answer

Write the functions below in NumPy, forward and backward, with derivatives found on paper. The equations are *not* the
ones of any library: they were drawn for this term. Read them closely.

- Only NumPy can be imported where this notebook is marked. Every function is called with inputs that nobody has seen,
  in `float64` and once in `float32`. Arrays in, a **dict of arrays** out, with the names given below; more entries
  than asked for do no harm.
- `backward` is handed `cache`: arrays as a *right* `forward` returns them, together with its inputs. A mistake in your
  `forward` costs nothing there.
- Forward values count as right within 1e-4 of the largest entry, gradients within 1e-11 in `float64`: differences of
  `forward` do not reach that.
- A cell that says how many points a row has is locked: leave it as it is. Define functions, at the top level of a
  cell; no magics, no files.
"""


def named(cell, name):
    """The cell with this id: the same release again is the same file."""
    cell["id"] = name
    return cell


def markdown(text, grade_id):
    """A locked cell of text."""
    cell = v4.new_markdown_cell(text.strip())
    cell.metadata["nbgrader"] = _metadata(grade_id, "markdown", locked=True)
    return named(cell, grade_id)


def code(source, grade_id):
    """A locked cell of code that is not marked."""
    cell = v4.new_code_cell(source.strip())
    cell.metadata["nbgrader"] = _metadata(grade_id, "code", locked=True)
    return named(cell, grade_id)


def stub(name, signature, docstring):
    """The cell in which a function is written."""
    body = "\n".join(f"    {line}".rstrip() for line in docstring.strip().splitlines()).strip()
    cell = v4.new_code_cell(f'def {signature}:\n    """{body}\n    """\n    raise NotImplementedError')
    cell.metadata["nbgrader"] = _metadata(name, "code", solution=True)
    return named(cell, name)


def row(row):
    """The locked cell that tells the gradebook of a row."""
    cell = v4.new_code_cell(f"# {row.points:g} points. {row.title}\n# Marked outside of this notebook: nothing to run "
                            f"here.")
    cell.metadata["nbgrader"] = _metadata(row.name, "code", grade=True, locked=True, points=row.points)
    return named(cell, row.name)


def written(question, points):
    """The question, locked, and the cell for its answer, which a person marks."""
    cell = v4.new_markdown_cell("*Your answer here.*")
    cell.metadata["nbgrader"] = _metadata("written", "markdown", grade=True, solution=True, points=points)
    return [markdown(question, "written-question"), named(cell, "written")]


def hints(*texts):
    """Hints that open one after the other."""
    return "\n\n".join(folded(f"Hint {k}", text) for k, text in enumerate(texts, 1))


def folded(summary, text):
    """Text that opens behind its summary."""
    return f"<details><summary>{summary}</summary>\n\n{text.strip()}\n\n</details>"


def table(head, rows):
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def numbers(arrays):
    """Arrays as a statement prints them, name by name."""
    lines = [f"{name} = {np.array2string(np.asarray(a), precision=6, separator=', ', suppress_small=True)}"
             for name, a in _flat(arrays)]
    return "```\n" + "\n".join(" ".join(line.split()).replace("[ ", "[") for line in lines) + "\n```"


def hand_case(task, variant, given, names):
    """The case with the numbers that the reference finds."""
    outputs = reference.run(task.equations, variant, given)[0]
    return (f"## A case to check by hand\n\n`{task.function}` of\n\n{numbers(given)}\n\nreturns\n\n"
            f"{numbers({name: outputs[name] for name in names})}\n\n"
            "It is worth points together with the same case with other numbers.")


def build(assignment, variant, sections):
    """All cells of a release.

    Args:
        assignment: the `Assignment`.
        variant: axis -> value.
        sections: what is particular to it: pairs (grade_id, Markdown), and triples (function, signature, docstring)
            where a function is written.

    Returns:
        A list of cells: introduction, sections, one cell a row, and the written question.
    """
    question, _, points = assignment.written(variant)
    total = points + sum(r.points for r in assignment.rows)
    about = INTRODUCTION.format(title=assignment.title, chapter=assignment.chapter, minutes=assignment.minutes,
                                difficulty=assignment.difficulty, points=total, written=points)
    cells = [markdown(about, "introduction"), code("import numpy as np", "imports")]
    cells += [stub(*section) if len(section) == 3 else markdown(section[1], section[0]) for section in sections]
    listed = [[f"`{r.name}`", f"{r.points:g}", r.title] for r in assignment.rows]
    rows = table(["row", "points", "what it asks"], listed)
    cells.append(markdown(f"## What is marked\n\nBy the grader:\n\n{rows}", "rows"))
    return cells + [row(r) for r in assignment.rows] + written(question, points)


def _metadata(grade_id, cell_type, grade=False, solution=False, locked=False, points=None):
    metadata = {"grade": grade, "solution": solution, "locked": locked, "task": False, "grade_id": grade_id,
                "schema_version": 3, "cell_type": cell_type}
    return metadata | ({} if points is None else {"points": points})


def _flat(arrays):
    for name, value in arrays.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name, value
