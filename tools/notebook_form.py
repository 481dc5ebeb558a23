"""Which notebooks the book has, and the normal form of their files: nothing of the machine, the editor or the moment.

A normal notebook holds sources, tags, figure texts and textual outputs. Images and the numbers of figures to touch
belong to the built site, which makes them anew. Cell ids are hashes of the sources, so inserting a cell changes no
other id.
"""

import hashlib
import json
import re
from pathlib import Path

import nbformat
from nbformat import v4

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
KEPT_FORMAT = re.compile(r"text/(plain|html|markdown|latex)|application/vnd\.unrolled\.claim\+json")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SETUP = """\
try:
    import unrolled
except ModuleNotFoundError:
    raise ModuleNotFoundError("This page needs the package `unrolled`: in a clone of the repository run "
                              "`make environment`, and open the page with the Python of .venv.") from None
from unrolled.page import plots

plots.use_style()"""
FOLDED = {"hide-cell", "hide-input", "remove-cell"}  # folded on the site, so Jupyter and Colab fold them as well
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
FORBIDDEN = {  # what an output must not hold, because the next machine or the next run would print something else
    "an absolute path": re.compile(
        r"(?<![\w.:/-])/(?:home|root|tmp|usr|opt|var|mnt|srv|work|private|content|Users)/[\w.+-]+|\b[A-Z]:\\{1,2}\w+"
    ),
    "a memory address": re.compile(r"\bat 0x[0-9a-f]{6,}"),
}


class NotebookError(Exception):
    """A notebook that cannot be read, executed or accepted; the message is for the person at the terminal."""


def pages():
    """Every notebook of the book, by path; a folder whose name begins with `.` or `_` holds none."""
    found = ((path, path.relative_to(BOOK).parts) for path in BOOK.rglob("*.ipynb"))
    return sorted(path for path, parts in found if not any(part.startswith((".", "_")) for part in parts))


def page_name(path):
    """A page's name: `rnn/order` for book/rnn/order.ipynb, `rnn` for book/rnn.ipynb."""
    return path.relative_to(BOOK).with_suffix("").as_posix()


def chapter_of(path):
    """The chapter that a page belongs to: `rnn` for both."""
    return page_name(path).partition("/")[0]


def read(path):
    """Read a notebook's file, or say in a sentence why not."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # a hand-edited file makes nbformat raise almost anything
        raise NotebookError(f"cannot be read: {error}") from error


def set_up(nb):
    """Write the set-up cell's source into the first code cell, which must carry the tag `setup`."""
    first = next((cell for cell in nb.cells if cell.cell_type == "code"), None)
    if first is None or "setup" not in first.metadata.get("tags", []):
        raise NotebookError("the first code cell must carry the tag `setup`")
    first.source = SETUP


def normalise(nb):
    """Return a copy of the notebook in normal form; empty cells are left out."""
    cells, copies, count = [], {}, 0
    for cell in nb.cells:
        source = cell.source.strip("\n")
        if not source.strip():
            continue
        name = hashlib.sha256(f"{cell.cell_type}\n{source}".encode()).hexdigest()[:8]
        copies[name] = copies.get(name, 0) + 1
        metadata = {key: cell.metadata[key] for key in ("mystnb", "tags") if cell.metadata.get(key)}
        if "tags" in metadata:
            metadata["tags"] = sorted(set(metadata["tags"]))
            if FOLDED & set(metadata["tags"]):
                hidden = {"source_hidden"} | ({"outputs_hidden"} if "hide-cell" in metadata["tags"] else set())
                metadata |= {"jupyter": dict.fromkeys(sorted(hidden), True), "cellView": "form"}
        new = {
            "cell_type": cell.cell_type,
            "id": name if copies[name] == 1 else f"{name}-{copies[name]}",
            "metadata": metadata,
            "source": source,
        }
        if cell.cell_type == "code":
            executed = cell.execution_count is not None
            count += executed
            new |= {"execution_count": count if executed else None, "outputs": _outputs(cell.outputs, count)}
        cells.append(nbformat.from_dict(new))
    return v4.new_notebook(cells=cells, metadata=nbformat.from_dict(METADATA))


def _outputs(outputs, count):
    """The textual outputs, consecutive streams merged, progress bars collapsed to their last state."""
    kept = []
    for output in outputs:
        if output.output_type == "stream":
            if kept and kept[-1].get("name") == output.name:
                kept[-1].text += output.text
            else:
                kept.append(v4.new_output("stream", name=output.name, text=output.text))
        elif output.output_type == "error":
            kept.append(output)
        elif data := {key: value for key, value in output.data.items() if KEPT_FORMAT.fullmatch(key)}:
            number = {"execution_count": count} if output.output_type == "execute_result" else {}
            kept.append(v4.new_output(output.output_type, data=nbformat.from_dict(data), **number))
    for output in kept:
        if output.output_type == "stream":
            text = ANSI.sub("", output.text).replace("\r\n", "\n")
            output.text = re.sub(r"[^\n]*\r(?!\n|$)", "", text).replace("\r", "")
    return [output for output in kept if output.output_type != "stream" or output.text]


def dumps(nb):
    """The text of a notebook's file: sorted keys, one space of indentation, one trailing newline."""
    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"


def complaints(text):
    """Return every reason why `text`, a notebook's file, is not what `run` would have written; [] for a normal one."""
    try:
        nb = nbformat.reads(text, as_version=4)
        nbformat.validate(nb)
    except Exception as error:
        return [f"not a notebook: {str(error).splitlines()[0]}"]
    found = []
    code = [(number, cell) for number, cell in enumerate(nb.cells, 1) if cell.cell_type == "code"]
    if not code or "setup" not in code[0][1].metadata.get("tags", []) or code[0][1].source != SETUP:
        found.append("the first code cell is not the set-up cell of the template, tagged `setup`")
    for number, cell in code:
        where = f"cell {number} ({(cell.source.strip() or 'empty').splitlines()[0]:.40})"
        if cell.execution_count is None:
            found.append(f"{where} has not been executed")
        for output in cell.outputs:
            found += [f"{where} {reason}" for reason in _faults(output)]
    normal = dumps(normalise(nb))
    if text != normal:
        old, new = text.splitlines(), normal.splitlines()
        at = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
        have, want = ("".join(lines[at : at + 1]).strip() or "nothing" for lines in (old, new))
        found.append(f"line {at + 1} is not normal: it holds {have:.80}, normal is {want:.80}")
    return found


def _faults(output):
    """What is wrong with one output, as ends of sentences."""
    if output.output_type == "error":
        yield f"holds an error: {output.ename}: {output.evalue}"
    elif output.get("name") == "stderr":
        yield f"writes to stderr: {output.text.strip().splitlines()[0]:.80}"
    for what, pattern in FORBIDDEN.items():
        if hit := pattern.search(json.dumps(output, ensure_ascii=False)):
            yield f"prints {what}: {hit.group()}"
    for key in output.get("data", {}):
        if not KEPT_FORMAT.fullmatch(key):
            yield f"keeps an output of type {key}"
