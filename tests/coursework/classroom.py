"""A class that never was: submissions good, half done, wrong, broken and hostile, in the shapes that LMSs hand out.

    python tests/coursework/classroom.py --term autumn-2027 gru FOLDER     canvas.zip, roster.csv and expected.json
"""

import argparse
import csv
import dataclasses
import functools
import io
import json
import random
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import nbformat
from nbformat import v4

TERM = "autumn-2027"
FIRST = ("Ada", "Zoë", "=HYPERLINK(1)", "Łukasz", "<b>Bold</b>", "李", "O'Neil", "-Nils", "Mary Ann", "@home")
LAST = ("Lovelace", "Åström", "Nguyen", "明", "Smith-Jones", "van der Berg", "Öz", "+Plus", "Null", "None")


@dataclasses.dataclass
class Student:
    """One of the class: what the LMS calls them, what they hand in (None: nothing), and what must come of it."""

    number: int
    name: str
    kind: str
    data: bytes | None
    file: str
    status: str
    earned: str              # "all", "some", "none" of the rows' points, or "" where there are no rows


def kinds(assignment, variant):
    """Every kind of submission: how often of 200, its code (or bytes), the status it must end in, what it must earn."""
    from coursework.family import variants

    reference = assignment.reference(variant)
    _, neighbour = next(variants.neighbours(assignment.axes, variant))
    first, *others = assignment.functions
    undone = "".join(f"\n\ndef {name}(*arguments, **named):\n    raise NotImplementedError\n" for name in others)
    inside = "def {}(**given):\n    {}\n"
    equal = ("import numpy as np\nclass Same(np.ndarray):\n    def __eq__(self, other): return True\n"
             "    def __array_ufunc__(self, *a, **k): return np.asarray(True)\n"
             "def {}(**given): return {{name: np.zeros((2, 2)).view(Same) for name in 'h r z n c y'.split()}}\n")
    patched = ("import numpy as np, builtins\nnp.testing.assert_allclose = lambda *a, **k: None\nnp.allclose = "
               "lambda *a, **k: True\nnp.array_equal = lambda *a, **k: True\nbuiltins.abs = lambda x: 0\n")

    def all_functions(body):
        return "\n".join(inside.format(name, body) for name in assignment.functions)

    return {
        "reference": (84, reference, "graded", "all"),
        "noisy": (6, "import warnings\nwarnings.warn('look')\nprint('hello')\n" + reference, "graded", "all"),
        "magics": (4, "%matplotlib inline\n!ls\n" + reference, "graded", "all"),
        "stripped": (6, reference, "graded", "all"),
        "neighbour": (30, assignment.reference(neighbour), "graded", "some"),
        "half": (16, reference + undone, "graded", "some"),
        "blank": (10, None, "graded", "none"),
        "typo": (5, "def forward(x:\n    return\n", "graded", "none"),
        "script": (3, all_functions("raise ValueError('<script>alert(1)</script> [x](javascript:alert(1))')"), "graded",
                   "none"),
        "equal": (2, "\n".join(equal.format(name) for name in assignment.functions), "graded", "none"),
        "patched": (2, patched + all_functions("return {}"), "graded", "none"),
        "exits": (2, "import os\nos._exit(0)\n", "", "none"),
        "endless": (1, all_functions("while True: pass"), "", "none"),
        "memory": (2, all_functions("return {'h': [0] * 10**12}"), "graded", "none"),
        "forks": (2, "import os\nwhile True: os.fork()\n", "", "none"),
        "outside": (2, "import socket\nopen('/etc/passwd').read()\nsocket.create_connection(('127.0.0.1', 80))\n",
                    "graded", "none"),
        "loud": (1, "while True: print('x' * 10**6)\n", "", "none"),
        "not json": (4, b"{'cells': [", "rejected", ""),
        "empty": (2, b"", "rejected", ""),
        "latin": (2, "{\"cells\": [\"é\"]}".encode("latin-1"), "rejected", ""),
        "pdf": (2, b"%PDF-1.7", "rejected", ""),
        "missing": (12, None, "missing", ""),
    }


def classroom(assignment, variant, size=200, seed=0):
    """A class of `size` students, the same for the same seed; every kind occurs at least once.

    Returns:
        A list of `Student`.
    """
    rng, every = random.Random(seed), kinds(assignment, variant)
    drawn = [*every, *rng.choices(list(every), [often for often, *_ in every.values()], k=max(0, size - len(every)))]
    rng.shuffle(drawn)
    students = []
    for k, kind in enumerate(drawn):
        _, code, status, earned = every[kind]
        name = f"{FIRST[k % len(FIRST)]} {LAST[k // len(FIRST) % len(LAST)]}" + f" {k}" * (k >= 100)
        if kind == "missing":
            data = None
        elif isinstance(code, bytes):
            data = code
        else:
            data = submission(assignment, variant, code, answer=f"Answer {k}: $h_t$ <img src=x onerror=alert({k})>",
                              strip=kind == "stripped")
        stem = rng.choice([assignment.name, f"{assignment.name}-1", "Untitled"])
        file = "report.pdf" if kind == "pdf" else f"{stem}.ipynb"
        students.append(Student(10_000 + k, name, kind, data, file, status, earned))
    return students


def enrolled(folder, assignment):
    """A course in which the assignment is in nbgrader's gradebook, made without grading anything."""
    from coursework.term.course import Course

    shutil.copytree(_template(assignment.name).name, folder)
    return Course(TERM, folder)


@functools.cache
def _template(name):
    """Such a course, made once in a process: nbgrader takes seconds to make a gradebook."""
    from coursework.term import release
    from coursework.term.course import Course, load, write

    folder, assignment = tempfile.TemporaryDirectory(), load(name)
    course = Course(TERM, folder.name)
    course.create()
    variant = course.variant(assignment)
    write(course.notebook("source", name), nbformat.writes(release.as_notebook(assignment.statement(variant))))
    release.generate(course, name)
    course.remember_release(assignment, variant)
    return folder


def submission(assignment, variant, code, answer="", strip=False):
    """A notebook as a student would hand it in: the statement with `code` in its first stub; None leaves it blank."""
    cells = assignment.statement(variant)
    stubs = [cell for cell in cells if cell.cell_type == "code" and cell.metadata.nbgrader.solution]
    if code is not None:
        stubs[0].source = code
        for cell in stubs[1:]:
            cell.source = ""
        cells[-1].source = answer
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs = [v4.new_output("display_data", {"text/html": "<script>alert('output')</script>"})]
        if strip:
            del cell.metadata["nbgrader"]
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return nbformat.writes(v4.new_notebook(cells=cells, metadata=metadata)).encode()


def canvas_zip(students):
    """What Canvas hands out as "Download submissions"."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for student in students:
            if student.data is not None:
                short = "".join(c for c in student.name.lower() if c.isalnum()) or "x"
                archive.writestr(f"{short}_{student.number}_{student.number + 70_000}_{student.file}", student.data)
    return file.getvalue()


def canvas_roster(students):
    """What Canvas hands out as "Export entire gradebook"."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["Student", "ID", "SIS User ID", "SIS Login ID", "Section"])
    writer.writerow(["    Points Possible", "", "", "", ""])
    for student in students:
        writer.writerow([student.name, student.number, f"S{student.number}", f"u{student.number}", "A"])
    return file.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--term", required=True)
    parser.add_argument("--course", type=Path)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from coursework.term.course import Course, load

    assignment = load(options.name)
    students = classroom(assignment, Course(options.term, options.course).variant(assignment), options.size)
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "canvas.zip").write_bytes(canvas_zip(students))
    (options.folder / "roster.csv").write_text(canvas_roster(students), encoding="utf-8")
    expected = {student.number: [student.kind, student.status, student.earned] for student in students}
    (options.folder / "expected.json").write_text(json.dumps(expected, indent=1))


if __name__ == "__main__":
    main()
