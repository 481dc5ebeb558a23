"""Keep the book's notebooks executed and normal, so that a re-run gives the same bytes and a diff reads well.

    python tools/notebooks.py run [rnn/order …]         execute top to bottom, normalise, write
    python tools/notebooks.py check [rnn/order …]       is every file what `run` would have written?
    python tools/notebooks.py measure [rnn/order …]     record their time and memory on one core
    python tools/notebooks.py from-text rnn/order …     _build/drafts/rnn/order.md (Jupytext, md:myst) to a notebook
    python tools/notebooks.py to-text rnn/order …       and back

A page is named by its path under book/, without the suffix, or by the path of its file. Without names, `run`, `check`
and `measure` take every page of the book.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import jupytext
from notebook_form import BOOK, ROOT, NotebookError, complaints, dumps, normalise, page_name, pages, read, set_up
from notebook_kernel import execute, one_core
from origin import origin

DRAFTS = ROOT / "_build/drafts"


def write(path, text):
    """Write a file atomically: an interrupted write leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def run(path):
    """Execute a notebook and write it in normal form; on failure the file keeps its bytes."""
    nb = read(path)
    set_up(nb)

    def progress(index, cell, seconds):
        first = cell.source.strip().splitlines()[0]
        print(f"  {index + 1:3d}/{len(nb.cells)} {seconds:6.1f} s  {first:.70}", flush=True)

    print(page_name(path), flush=True)
    cost = execute(nb, path.parent, progress=progress)
    write(path, dumps(normalise(nb)))
    print(f"  {cost['seconds']:.1f} s, {cost['peak_mib']:.0f} MiB at its peak")


def check(path):
    """Raise NotebookError with every reason why the file is not what `run` would have written."""
    if found := complaints(path.read_text(encoding="utf-8")):
        raise NotebookError("\n  ".join(["is not normal; `tools/notebooks.py run` mends most of this:", *found]))
    print(f"{page_name(path)}: normal")


def from_text(path):
    """Convert the draft of that name to a notebook, without outputs: `run` it next."""
    draft = DRAFTS / f"{page_name(path)}.md"
    try:
        nb = jupytext.read(draft, fmt="md:myst")
    except OSError:
        raise
    except Exception as error:  # Jupytext and nbformat have no common error for a malformed draft
        raise NotebookError(f"the draft cannot be read: {str(error).splitlines()[0]}") from error
    set_up(nb)
    write(path, dumps(normalise(nb)))


def to_text(path, force=False):
    """Convert a notebook to a draft; a draft that differs is kept, unless `force`."""
    draft = DRAFTS / f"{page_name(path)}.md"
    text = jupytext.writes(read(path), fmt="md:myst")
    if draft.exists() and draft.read_text(encoding="utf-8") != text and not force:
        raise NotebookError("the draft differs from the notebook; --force overwrites it")
    write(draft, text)


def measure(paths):
    """Execute pages on one core and write their time and peak memory to `book/_data/status.json`."""
    if not paths:
        raise NotebookError("there is no notebook to measure")
    record = {"pages": {}} | origin("torch", "numpy", "matplotlib", root=ROOT, paths=("src", "book/*.ipynb"))
    record["device"] += ", one core"
    for path in paths:
        print(f"{page_name(path)} …", end=" ", flush=True)
        nb = read(path)
        with one_core():
            cost = execute(nb, path.parent)
        record["pages"][page_name(path)] = {"seconds": round(cost["seconds"], 1), "peak_mib": round(cost["peak_mib"])}
        print(f"{cost['seconds']:.1f} s, {cost['peak_mib']:.0f} MiB")
    write(BOOK / "_data/status.json", json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def located(name):
    """The path of the page that an argument means."""
    path = Path(name).resolve() if name.endswith(".ipynb") else BOOK / f"{name}.ipynb"
    if not path.is_relative_to(BOOK):
        raise argparse.ArgumentTypeError(f"{name} does not lie under {BOOK.name}/")
    return path


def main(arguments=None):
    """Run one command over its notebooks; return 1 if any of them failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for action, many in ((run, "*"), (check, "*"), (measure, "*"), (from_text, "+"), (to_text, "+")):
        command = commands.add_parser(action.__name__.replace("_", "-"), help=action.__doc__)
        command.add_argument("names", nargs=many, type=located, help="rnn/order, or book/rnn/order.ipynb")
        command.set_defaults(action=action)
    commands.choices["to-text"].add_argument("--force", action="store_true", help="overwrite a draft that differs")
    options = vars(parser.parse_args(arguments))
    command, action = options.pop("command"), options.pop("action")
    paths = options.pop("names") or pages()
    failed = False
    for item in [paths] if action is measure else paths:
        try:
            action(item, **options)
        except (NotebookError, OSError) as error:
            print(f"{command if action is measure else page_name(item)}: {error}", file=sys.stderr)
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
