"""A term's course folder: its secret, what is drawn from it, and where everything lies.

It is an nbgrader course, and it lies outside the repository: its secret must never be committed, and `make clean` must
not remove it.
"""

import contextlib
import fcntl
import hashlib
import hmac
import importlib
import json
import os
import re
import secrets
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMES = "rnn", "bptt", "lstm", "gru", "attention", "transformers"

# Control characters but tab and line end, marks that turn the direction of writing, halves of surrogate pairs.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

CONFIG = '''\
"""nbgrader's configuration of this course. Made once by `python -m coursework release`, and yours to change."""

import os

c = get_config()  # noqa: F821 (nbgrader defines it)
c.CourseDirectory.root = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.course_id = {term!r}

# The source notebooks hold no solution: there is none to strip, and no typing mistake in a marker can let one through.
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors." + name for name in (
        "IncludeHeaderFooter", "LockCells", "ClearOutput", "CheckCellMetadata", "ComputeChecksums", "SaveCells",
        "ClearHiddenTests", "ClearMarkScheme", "ComputeChecksums", "CheckCellMetadata")]

# What a student wrote is shown to whoever marks it: no script in it may run there.
c.HTMLExporter.sanitize_html = True
'''


class Refused(Exception):
    """A command cannot do what it was asked; the message says why, and what to do."""


class Course:
    """The course folder of one term.

    Args:
        term: a name such as "autumn-2027".
        folder: where it lies; beside the repository, as `course-TERM`, if it is not given.

    Raises:
        Refused: a term that is no such name.
    """

    def __init__(self, term, folder=None):
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", term) or len(term) > 40:
            raise Refused(f"A term is a name such as autumn-2027 (small letters, digits, hyphens), got {term!r}.")
        self.term = term
        self.folder = Path(folder).resolve() if folder else ROOT.parent / f"course-{term}"
        self.database = f"sqlite:///{self.folder / 'gradebook.db'}"

    def path(self, *parts):
        """A path in the folder."""
        return self.folder.joinpath(*parts)

    def notebook(self, kind, name, student=None):
        """Where nbgrader keeps a notebook: `kind` is source, release, submitted or autograded."""
        return self.path(kind, *([student] if student else []), name, f"{name}.ipynb")

    def create(self):
        """Make the folder, its configuration and its secret, and whatever of them there is already is kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)                        # grades and names: nobody else's business
        if not self.path("nbgrader_config.py").exists():
            self.path("nbgrader_config.py").write_text(CONFIG.format(term=self.term), encoding="utf-8")
        with contextlib.suppress(FileExistsError):      # O_EXCL: two commands at once cannot make two secrets
            descriptor = os.open(self.path("secret"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32) + "\n")

    @property
    def secret(self):
        """The term's secret.

        Raises:
            Refused: there is none, others may read it, or it is damaged.
        """
        path = self.path("secret")
        if not path.is_file():
            raise Refused(f"{path} does not exist. `release` makes it, once a term. If it was lost, restore it from "
                          "your backup: without it nobody can grade what was released.")
        if path.stat().st_mode & 0o077:
            raise Refused(f"{path} can be read by others. If nobody has: chmod 600 {path}")
        text = path.read_text(encoding="ascii", errors="replace").strip()
        if not re.fullmatch(r"[0-9a-f]{64}", text):
            raise Refused(f"{path} should hold 64 hexadecimal digits and does not. Restore it from your backup.")
        return text

    def derived(self, purpose):
        """A string that only the holder of the secret can compute, different for every purpose."""
        return hmac.new(self.secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def seed(self, assignment):
        """The seed of the random inputs that one assignment is graded with, text."""
        return self.derived(f"grading {assignment.name}")

    def variant(self, assignment):
        """The variant that this term's secret draws.

        Raises:
            Refused: it is not the one that was released, since the family has changed.
        """
        from coursework.family import variants

        drawn = variants.draw(assignment, self.secret)
        released = self.released().get(assignment.name)
        if released not in (None, drawn):
            raise Refused(f"{assignment.name} was released as {released}, and the secret now draws {drawn}: the family "
                          "or the secret has changed. Go back to the version of this repository that made the release.")
        return drawn

    def released(self):
        """The variants that were released, by assignment."""
        path = self.path("released.json")
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def remember_release(self, assignment, variant):
        """Note which variant was released."""
        write(self.path("released.json"), dumps(self.released() | {assignment.name: dict(variant)}))

    def manifest(self, name):
        """What was collected for an assignment.

        Raises:
            Refused: nothing was.
        """
        path = self.path("collected", f"{name}.json")
        if not path.exists():
            raise Refused(f"Nothing has been collected for {name}: give SUBMISSIONS, a folder or a zip.")
        return json.loads(path.read_text(encoding="utf-8"))

    def results(self, name):
        """The results of the last grading, student -> `grading.Result`; empty before the first."""
        from coursework.grader.grading import Result

        path = self.path("results", f"{name}.json")
        entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return {student: Result(**entry) for student, entry in entries.items()}

    @contextlib.contextmanager
    def writing(self):
        """Hold the course for one command that writes to it.

        Raises:
            Refused: another command holds it.
        """
        with open(self.path(".lock"), "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Refused(f"Another command is writing to {self.folder}. Wait until it is done.") from error
            yield


def load(name):
    """The assignment of this name.

    Raises:
        Refused: there is none.
    """
    if name not in NAMES:
        raise Refused(f"There is no assignment {name!r}. There are {', '.join(NAMES)}.")
    return importlib.import_module(f"coursework.assignments.{name}").ASSIGNMENT


def dumps(value):
    """JSON as every file here holds it."""
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write(path, content):
    """Write a file whole or not at all, text or bytes; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(".part")
    if isinstance(content, str):
        content = content.encode("utf-8", "replace")    # a lone surrogate from a broken notebook stops nobody
    temporary.write_bytes(content)
    temporary.replace(path)


def plain(text):
    """Text from elsewhere on its way to a person: no control characters, no reversed writing, no terminal codes."""
    return HIDDEN.sub("\N{REPLACEMENT CHARACTER}", str(text))
