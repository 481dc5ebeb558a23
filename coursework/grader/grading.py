"""Grading: one submission into a `Result`, and many into a journal that survives a kill.

A result depends on the submission, the assignment, its variant, the seed and the grader's code, and on nothing else:
not on the order, the number of processes, the other submissions, or how often the grading was stopped and started.
"""

import contextlib
import dataclasses
import fcntl
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
import time
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tools.cluster import client_of
from tqdm import tqdm

from coursework.family import notebook, reference
from coursework.family.assignment import Lost
from coursework.grader import sandbox

PACKAGES = "numpy", "torch"
CRASHED = "crashed: grader"
BORROWED = 5                            # lines of our own tape in a notebook that are no coincidence
AHEAD = 4                               # submissions a process that wait at the scheduler: their bytes are in memory


class GradingError(Exception):
    """The grading cannot go on; the message is for the person at the terminal. What is done is kept."""


@dataclasses.dataclass
class Result:
    """What became of a submission.

    Attributes:
        student, assignment: names.
        status: "graded", "rejected: …", "timed out", "crashed: …" or "missing".
        rows: dicts with `name`, `points`, `earned` and `message`; none where nothing could be graded.
        notes: remarks for the student, such as a cell that raised.
        error: for the instructor: the traceback of a fault of ours.
        seconds: how long it took, the only thing here that may differ between two gradings.
        versions: of Python, the packages and the grader's code.
    """

    student: str
    assignment: str
    status: str
    rows: list[dict] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)
    error: str = ""
    seconds: float = 0.0
    versions: dict = dataclasses.field(default_factory=dict)

    @property
    def earned(self):
        """The points of all rows; None where nothing could be graded, which is not zero."""
        return round(sum(row["earned"] for row in self.rows), 6) if self.rows else None

    @property
    def points(self):
        """What all rows are worth; None where nothing could be graded."""
        return round(sum(row["points"] for row in self.rows), 6) if self.rows else None


def grade(assignment, variant, data, seed, student="", limits=None):
    """Grade one submission.

    Args:
        assignment: an `Assignment`.
        variant: which of its family, axis -> value.
        data: the notebook's bytes; None where nothing was handed in.
        seed: the grading's secret, text: every submission gets the inputs that it draws.
        student: whose it is.
        limits: a `sandbox.Limits`.

    Returns:
        A `Result`, always.

    Raises:
        SandboxMissing: there is no sandbox, so there are no grades.
    """
    sandbox.check()
    began = time.monotonic()
    result = Result(student, assignment.name, "graded", versions=versions())
    if data is None:
        result.status = "missing"
        return result
    try:
        submission = notebook.read(data)
    except notebook.Rejected as reason:
        result.status = f"rejected: {reason}"
        return result
    with sandbox.Student(submission.code, limits) as functions:
        for row in assignment.rows:
            line = {"name": row.name, "points": row.points, "earned": 0.0, "message": ""}
            if result.status != "graded":
                result.rows.append(line | {"message": f"not reached: {result.status}"})
                continue
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")             # of a wrong answer's infinities, not of ours
                    row.check(functions, generator(seed, assignment.name, row.name), variant)
                line["earned"] = row.points
            except Lost as lost:
                line |= {"earned": round(row.points * lost.earned, 6), "message": lost.message}
            except sandbox.Expired:
                result.status = "timed out"
                line["message"] = f"not finished: {functions.limits.total:g} seconds were used up"
            except sandbox.Unusable as reason:
                result.status = str(reason)
                line["message"] = f"not reached: {reason}"
            except sandbox.SandboxMissing:
                raise
            except Exception:
                result.status, result.error = CRASHED, f"row {row.name}\n{traceback.format_exc()}"
                break
            result.rows.append(line)
        result.notes = [*submission.notes, *functions.notes]
    if (lines := reference.borrowed(submission.code)) >= BORROWED:
        result.notes.append(f"{lines} lines are those of the course's own differentiator, coursework/family/tape.py: "
                            "the gradients were not derived by hand, and a person decides what they are worth")
    if result.status == CRASHED:
        result.rows = []
    result.seconds = round(time.monotonic() - began, 4)
    return result


def generator(seed, assignment, row):
    """The generator of a row's hidden inputs: the same for all students, and for every grading with this seed."""
    digest = hashlib.sha256("\0".join(("inputs", str(seed), assignment, row)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest))


@functools.cache
def versions():
    """What computed a grade: versions, and a digest of the grader's code."""
    folder, digest = Path(__file__).parents[1], hashlib.sha256()      # the rows and the equations judge, too
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found | {"grader": digest.hexdigest()[:12]}


def grade_all(assignment, variant, submissions: Mapping, seed, journal, engine="local", jobs=None, limits=None,
              progress=True):
    """Grade many submissions; those that the journal holds, of the same bytes, seed and grader, are not graded again.

    Args:
        assignment, variant, seed, limits: as in `grade`.
        submissions: student -> path of the notebook, or None where there is none.
        journal: path of the JSON lines; made if there is none. One process at a time may write it.
        engine: "local", or the address of a Dask scheduler whose workers have this repository on their path.
        jobs: how many processes on this machine; as many as it has cores by default.
        progress: show a progress bar, on standard error.

    Returns:
        The results in the order of the students' names.

    Raises:
        SandboxMissing: no sandbox, here or on a worker.
        GradingError: another grader writes this journal, or the scheduler does not answer.
    """
    sandbox.check()
    with Journal(journal) as kept:
        done, waiting = {}, {}
        for student, path in sorted(submissions.items()):
            data, problem = _look(path)
            key = fingerprint(assignment, variant, data, seed, student, limits, problem)
            if key in kept.results:
                done[student] = kept.results[key]
            elif problem:
                result = Result(student, assignment.name, f"rejected: {problem}", versions=versions())
                done[student] = kept.append(key, result)
            else:
                waiting[student] = key, path                    # not the bytes: a thousand notebooks fill a memory

        def tasks():
            for student, (key, path) in waiting.items():
                data, problem = _look(path)
                if key != fingerprint(assignment, variant, data, seed, student, limits, problem):
                    raise GradingError(f"{path} has changed since the grading began; start it again")
                yield student, key, data

        work = _job(assignment, variant, seed, limits)
        with tqdm(total=len(submissions), initial=len(done), unit="submission", smoothing=0, file=sys.stderr,
                  disable=not progress) as bar:
            for student, key, result in _run(work, tasks(), len(waiting), engine, jobs, assignment.name):
                done[student] = kept.append(key, result)
                bar.update()
    return [done[student] for student in sorted(done)]


def _look(path):
    """A submission's bytes, or None where there is none, and why it cannot be read, or None."""
    try:
        return None if path is None else notebook.load(path), None
    except FileNotFoundError:
        return None, None
    except notebook.Rejected as reason:
        return None, str(reason)


def _job(assignment, variant, seed, limits):
    """What a process does for one submission."""
    expected = versions()

    def work(student, data):
        if (found := versions()) != expected:
            raise GradingError(f"a worker has other software than the grader: {found}, expected {expected}")
        return dataclasses.asdict(grade(assignment, variant, data, seed, student, limits))

    return work


def _run(work, tasks, count, engine, jobs, name):
    """Do the work on Dask, a bounded number ahead; yields student, key and result as they come."""
    if not count:
        return
    from concurrent.futures import CancelledError

    from distributed import KilledWorker, as_completed

    address = None if engine == "local" else engine
    with client_of(address, min(jobs or os.cpu_count(), count), GradingError) as client:
        futures, completed = {}, as_completed()

        def submit():
            for student, key, data in tasks:
                future = client.submit(work, student, data, key=f"{name}-{key}", pure=False)
                futures[future] = student, key
                completed.add(future)
                return

        for _ in range(AHEAD * sum(client.nthreads().values())):
            submit()
        for future in completed:
            student, key = futures.pop(future)
            try:
                result = Result(**future.result())
            except KilledWorker as error:                       # three processes died of it, and none of the others'
                result = Result(student, name, CRASHED, error=str(error), versions=versions())
            except CancelledError as error:
                raise GradingError("the scheduler has gone; what is graded is kept") from error
            yield student, key, result
            submit()


def fingerprint(assignment, variant, data, seed, student, limits=None, problem=None):
    """What a result depends on, as a short text: the journal finds a submission's result by it."""
    parts = [assignment.name, [(row.name, row.points) for row in assignment.rows], sorted(variant.items()), str(seed),
             student, dataclasses.asdict(limits or sandbox.Limits()), versions(), problem,
             None if data is None else hashlib.sha256(data).hexdigest()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


class Journal:
    """Results on the disk, one JSON line each, written by one process at a time; a context.

    Args:
        path: of the file; its folder is made if there is none.

    Attributes:
        results: key -> `Result`.

    Raises:
        GradingError: another process writes it, or a line of it is damaged.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("a+b")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.file.close()
            raise GradingError(f"another grader is writing {self.path}") from error
        self.file.seek(0)
        whole, _, torn = self.file.read().rpartition(b"\n")
        if torn:                                                # a kill cut it off: the next line starts afresh
            self.file.truncate(len(whole) + bool(whole))
        try:
            entries = [json.loads(line) for line in whole.splitlines()]
            self.results = {entry.pop("key"): Result(**entry) for entry in entries}
        except (ValueError, KeyError, TypeError) as error:
            self.file.close()
            raise GradingError(f"{self.path} is no journal of this grader: {error}; move it away") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def append(self, key, result):
        """Put one result on the disk, and return it."""
        self.file.write(json.dumps({"key": key} | dataclasses.asdict(result)).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())
        self.results[key] = result
        return result
