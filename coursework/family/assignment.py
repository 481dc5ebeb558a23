"""What a graded assignment is: its rows, its family of variants, and how a row calls a student's functions."""

import dataclasses
from collections.abc import Callable, Mapping

from coursework.grader import worker


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the marks: points for one property of the student's functions.

    Attributes:
        name: unique in its assignment, in kebab-case.
        points: what it is worth.
        title: one public sentence, shown in the statement and in the feedback.
        check: `check(student, rng, variant)`; returns where the row is earned, raises `Lost` where it is not.
    """

    name: str
    points: float
    title: str
    check: Callable


@dataclasses.dataclass(frozen=True)
class Assignment:
    """A family of variants with one statement, one set of rows and one reference.

    Attributes:
        name, title, chapter, minutes, difficulty: shown in the statement and in the guide.
        axes: the family, axis -> its possible values; a variant is a dict, axis -> value.
        specimen: the variant of the public practice notebook, never drawn for a term.
        functions: the functions that a student must write, name -> signature.
        statement: `statement(variant)` -> the cells of the release notebook.
        rows: the automatic rows.
        written: `written(variant)` -> question and rubric in Markdown, and its points.
        reference: `reference(variant)` -> source text that must earn every point.
    """

    name: str
    title: str
    chapter: str
    minutes: int
    difficulty: str
    axes: Mapping[str, tuple]
    specimen: Mapping[str, str]
    functions: Mapping[str, str]
    statement: Callable
    rows: tuple[Row, ...]
    written: Callable
    reference: Callable


class Lost(Exception):
    """A row is lost, or a part of it.

    Args:
        message: for the student: what is wrong and where to look, and no value of a hidden input.
        earned: the fraction of the row that is earned all the same, 0 to 1.
    """

    def __init__(self, message, earned=0.0):
        if not 0 <= earned <= 1:
            raise ValueError(f"a row can be earned from 0 to 1, got {earned}")
        super().__init__(message)
        self.message = message
        self.earned = earned


class Direct:
    """Calls functions in this process, as `sandbox.Student` calls a student's in the sandbox. For our own code only.

    Args:
        namespace: the functions, by name.
    """

    def __init__(self, namespace):
        self.namespace = namespace

    def call(self, function, /, **arguments):
        """Call one function.

        Args:
            function: its name.
            **arguments: arrays, dicts of arrays, numbers, None; passed on as copies.

        Returns:
            What it returned, as a dict of arrays: an array becomes {"result": array}, a tuple {"0": …, "1": …}.

        Raises:
            Lost: the function is missing, raised, or returned something else.
        """
        arrays, error = worker.call(self.namespace, function, _copied(arguments))
        if error:
            raise Lost(explain(function, error))
        return arrays


def explain(function, error, cells=()):
    """Say to a student why a call gave no result.

    Args:
        function: the function's name.
        error: what `worker.call` says of it. It may come from hostile code: nothing in it is believed.
        cells: the sources of the student's code cells.
    """
    kind = error.get("kind")
    message = worker.one_line(error.get("message", ""))
    if kind == "missing":
        return f"there is no function `{function}` in your notebook"
    if kind == "result":
        return f"`{function}` returned {message}"
    said = worker.one_line(error.get("type", "an error"), 60) + (f": {message}" if message else "")
    return f"`{function}` raised {said}{where(error, cells)}"


def where(error, cells):
    """The student's line that an error names, with its text, or nothing."""
    cell, line = error.get("cell"), error.get("line")
    if not (type(cell) is int and type(line) is int and 1 <= cell <= len(cells)):
        return ""
    lines = cells[cell - 1].split("\n")
    text = lines[line - 1].strip() if 1 <= line <= len(lines) else ""
    return f" (code cell {cell}, line {line}" + (f": `{worker.one_line(text, 80)}`)" if text else ")")


def _copied(value):
    if isinstance(value, dict):
        return {name: _copied(entry) for name, entry in value.items()}
    return value.copy() if hasattr(value, "copy") else value
