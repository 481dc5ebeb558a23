"""Time the grader of the coursework on a class that was made up: seconds a submission, submissions a minute.

    python -m benchmarks.coursework                          1,000 submissions of one assignment, on every core
    python -m benchmarks.coursework --assignment lstm        of another one
    python -m benchmarks.coursework --fresh                  from the start, where a stopped run would go on
    python -m benchmarks.coursework --record                 and write it to benchmarks/results/coursework/

Most of the class is right, as classes are; the others are wrong, raise, or lack a function. The whole command is on the
clock that gives submissions a minute: starting the processes, loading the libraries, writing the journal.
"""

import argparse
import importlib
import json
import os
import re
import statistics
import sys
import time
from pathlib import Path

from coursework.grader import grading
from tools.origin import ROOT, origin

from benchmarks import timing

FOLDER = ROOT / "_build/bench/coursework"
RESULTS = ROOT / "benchmarks/results/coursework"
TARGETS = {"median seconds": 0.3, "seconds for a thousand": 300}
# One in so many of the class is of this kind; whoever is of none is right.
KINDS = {"wrong": 5, "raises": 11, "lacks a function": 17}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coursework", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--assignment", default="rnn", help="its name in coursework/assignments (rnn)")
    parser.add_argument("--submissions", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (every core)")
    parser.add_argument("--fresh", action="store_true", help="forget what a stopped run has graded")
    parser.add_argument("--record", action="store_true", help=f"write the result to {RESULTS.relative_to(ROOT)}/")
    options = parser.parse_args(arguments)
    if options.submissions < 1 or options.jobs < 1:
        parser.error("--submissions and --jobs must be at least 1")
    try:
        assignment = importlib.import_module(f"coursework.assignments.{options.assignment}").ASSIGNMENT
    except ModuleNotFoundError as error:
        parser.error(f"there is no assignment {options.assignment}: {error}")
    measured_on = origin("numpy", "torch", paths=("coursework", "benchmarks/coursework.py"))
    measured_on |= {"cores": os.cpu_count(), "load": timing.load()}

    folder = FOLDER / options.assignment
    paths, kinds = made_up_class(assignment, options.submissions, folder)
    journal, clock = folder / "journal.jsonl", folder / "clock.jsonl"
    if options.fresh:
        journal.unlink(missing_ok=True)
        clock.unlink(missing_ok=True)
    before, began = lines(journal), time.perf_counter()
    try:
        results = grading.grade_all(assignment, assignment.specimen, paths, "benchmark", journal, jobs=options.jobs)
    except KeyboardInterrupt:
        print("\nStopped. What is graded is kept, the same command goes on.", file=sys.stderr)
        return 130
    finally:                                # each part of a run that was stopped counts with its own start
        with clock.open("a") as file:
            file.write(json.dumps([lines(journal) - before, time.perf_counter() - began]) + "\n")
    counted, wall = map(sum, zip(*map(json.loads, clock.read_text().splitlines())))
    expect(assignment, results, kinds)

    seconds = sorted(result.seconds for result in results)
    found = {
        "assignment": assignment.name, "rows": len(assignment.rows), "submissions": len(results), "jobs": options.jobs,
        "median seconds": round(statistics.median(seconds), 4),
        "95 of 100 within": round(seconds[int(0.95 * (len(seconds) - 1))], 4),
        "longest": seconds[-1],
        "submissions a minute": round(60 * counted / wall, 1),
        "seconds for a thousand": round(1000 * wall / counted, 1),
    }
    for name, value in found.items():
        target = f"   (at most {TARGETS[name]})" if name in TARGETS else ""
        print(f"{name:24} {value}{target}")
    if options.record:
        device = re.sub(r"\W+", "-", " ".join(measured_on["device"].split()[:2])).strip("-").lower()
        path = RESULTS / f"{measured_on['date']}-{device}-{assignment.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(measured_on | found, indent=2) + "\n")
        print(f"\nRecorded in {path.relative_to(ROOT)}")
    journal.unlink()                        # the next run measures again
    clock.unlink()
    return 0


def lines(path):
    """How many lines a file has; none where there is no file."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def made_up_class(assignment, count, folder):
    """Write the class.

    Returns:
        Paths and kinds by student.
    """
    folder.mkdir(parents=True, exist_ok=True)
    practice = ROOT / "coursework/practice" / f"{assignment.name}.py"
    right, names = practice.read_text(), list(assignment.functions)
    wrapped = "\n".join(f"_{name} = {name}\ndef {name}(**given):\n"
                        f"    return {{key: value + 0.5 for key, value in _{name}(**given).items()}}" for name in names)
    cells = {"right": [right], "wrong": [right, wrapped], "lacks a function": [right, f"del {names[0]}"],
             "raises": [f"def {name}(**given):\n    raise ValueError('not yet')" for name in names]}
    paths, kinds = {}, {}
    for number in range(count):
        student = f"student-{number:04}"
        kinds[student] = next((kind for kind, every in KINDS.items() if number % every == every - 1), "right")
        sources = [f"# {student}", *cells[kinds[student]]]
        entries = [{"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
                   for source in sources]
        paths[student] = Path(folder, f"{student}.ipynb")
        paths[student].write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": entries}))
    return paths, kinds


def expect(assignment, results, kinds):
    """Time nothing that is wrong: right answers have all points, the others what they have earned."""
    for result in results:
        share = result.earned / result.points if result.status == "graded" else None
        kind = kinds[result.student]
        right = share == 1 if kind == "right" else share is not None and (share < 1 if kind[0] == "l" else share == 0)
        assert right, f"{result.student} ({kind}) has {result.status}, {share}: {result.rows or result.error}"


if __name__ == "__main__":
    raise SystemExit(main())
