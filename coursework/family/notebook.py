"""Reading a notebook that anybody may have sent: what can be graded is, what cannot is rejected with a reason."""

import dataclasses
import json
import os
import stat

SIZE = 20 << 20                       # bytes of a notebook
CELLS = 1000
CODE = 1 << 20                        # characters of code in all cells


class Rejected(Exception):
    """The file cannot be graded; the message says why, to the student."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell: its kind ("code", "markdown", "raw"), its text, and nbgrader's name for it, or None."""

    kind: str
    source: str
    grade_id: str | None


@dataclasses.dataclass(frozen=True)
class Notebook:
    """What is left of a notebook: its cells, and remarks for the student."""

    cells: tuple[Cell, ...]
    notes: tuple[str, ...]

    @property
    def code(self):
        """The sources of the code cells, in their order."""
        return tuple(cell.source for cell in self.cells if cell.kind == "code")


def load(path):
    """The bytes of a submitted file; links, devices and pipes are not followed, opened or waited for.

    Raises:
        FileNotFoundError: there is none.
        Rejected: it is no ordinary file, cannot be read, or is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Rejected("the file is a link, expected the notebook itself" if os.path.islink(path)
                       else f"the file cannot be read: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Rejected("this is no ordinary file, expected a notebook")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(SIZE + 1)
    except OSError as error:
        raise Rejected(f"the file cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(data) > SIZE:
        raise Rejected(f"the file has more than {SIZE >> 20} MiB; clear the outputs and save it again")
    return data


def read(data):
    """Parse a notebook of format 4, whatever its metadata look like.

    Args:
        data: the file's bytes.

    Raises:
        Rejected: it is no such notebook.
    """
    if len(data) > SIZE:
        raise Rejected(f"the file has more than {SIZE >> 20} MiB; clear the outputs and save it again")
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Rejected(f"the file is not UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}") from error
    except (ValueError, RecursionError) as error:
        at = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        problem = f"the file is not JSON, and so no notebook{at}" if data.strip() else "the file is empty"
        raise Rejected(problem) from error
    if not isinstance(content, dict):
        raise Rejected(f"the file holds a JSON {_kind(content)}, expected a notebook")
    version = content.get("nbformat", 4)
    if version != 4 or "worksheets" in content:
        raise Rejected("the notebook is not of format 4; open it in a current Jupyter and save it again")
    if (language := _language(content.get("metadata"))) not in ("python", ""):
        raise Rejected(f"the notebook's kernel runs {language[:40]!a}, expected Python")
    entries = content.get("cells")
    if not isinstance(entries, list):
        raise Rejected(f"the notebook's cells are a JSON {_kind(entries)}, expected an array")
    if len(entries) > CELLS:
        raise Rejected(f"the notebook has {len(entries)} cells, at most {CELLS} are read")

    cells, notes, names = [], [], set()
    for number, entry in enumerate(entries, 1):
        cell = _cell(entry)
        if cell is None:
            notes.append(f"cell {number} of the file is no notebook cell; it was left out")
            continue
        if cell.grade_id is not None and cell.grade_id in names:
            notes.append(f"cell {number} of the file is a second '{_short(cell.grade_id)}'; the last definition counts")
        names.add(cell.grade_id)
        cells.append(cell)
    notebook = Notebook(tuple(cells), tuple(notes[:20]))
    if not any(source.strip() for source in notebook.code):
        raise Rejected("the notebook has no code")
    if sum(map(len, notebook.code)) > CODE:
        raise Rejected(f"the notebook has more than {CODE >> 20} MiB of code")
    return notebook


def _cell(entry):
    if not isinstance(entry, dict):
        return None
    source = entry.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if entry.get("cell_type") not in ("code", "markdown", "raw") or not isinstance(source, str):
        return None
    name = entry.get("metadata")
    for key in ("nbgrader", "grade_id"):
        name = name.get(key) if isinstance(name, dict) else None
    source = source.encode("utf-8", "replace").decode()            # half a surrogate pair is in no UTF-8
    return Cell(entry["cell_type"], source, name if isinstance(name, str) else None)


def _language(metadata):
    """The language that the notebook says it is in, in small letters; empty where it does not say."""
    for key, field in (("kernelspec", "language"), ("language_info", "name")):
        told = metadata.get(key) if isinstance(metadata, dict) else None
        told = told.get(field) if isinstance(told, dict) else None
        if isinstance(told, str) and told:
            return told.lower()
    return ""


def _kind(value):
    return {dict: "object", list: "array", str: "string", type(None): "null"}.get(type(value), "value")


def _short(text):
    return "".join(c if c.isprintable() else " " for c in text[:60])
