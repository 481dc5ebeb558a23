"""The instructor's side of the coursework: release, collect, grade, give back, export.

    python -m coursework release  --term autumn-2027
    python -m coursework grade    --term autumn-2027 gru SUBMISSIONS
    python -m coursework feedback --term autumn-2027 gru
    python -m coursework export   --term autumn-2027 gru

A term's course folder lies beside the repository, as course-TERM, unless --course names another.
"""

import argparse
import collections
import dataclasses
import sys
from pathlib import Path

from coursework.term.course import NAMES, Course, Refused, dumps, load, write


def main(arguments=None):
    """Run one command.

    Returns:
        The exit status: 0, or 1 where something was refused or broke off, with the reason on standard error.
    """
    options = parser().parse_args(arguments)
    from coursework.grader.grading import GradingError
    from coursework.grader.sandbox import SandboxMissing

    try:
        if options.command is practice:
            practice(options)
        else:
            course = Course(options.term, options.course)
            if options.command is not release and not course.folder.is_dir():
                raise Refused(f"There is no course folder {course.folder}. `release` makes it; --course names another.")
            options.command(course, options)
    except (Refused, GradingError, SandboxMissing) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. What is graded is kept; the same command goes on.", file=sys.stderr)
        return 130
    return 0


def parser():
    """The commands and their options."""
    main = argparse.ArgumentParser(prog="python -m coursework", description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = main.add_subparsers(required=True, metavar="command")

    def command(function, help, name=None, term=True):
        one = commands.add_parser(name or function.__name__, help=help, description=help)
        one.set_defaults(command=function)
        if term:
            one.add_argument("--term", required=True, help="its name, such as autumn-2027")
            one.add_argument("--course", type=path, help="the course folder (../course-TERM)")
        return one

    one = command(release, "write the notebooks of a term, or refuse where one is unsolvable or leaks")
    one.add_argument("names", nargs="*", metavar="ASSIGNMENT", help=f"of {', '.join(NAMES)} (all)")

    one = command(collect, "take in submissions: a folder, or the zip of all of them from Canvas or Moodle")
    one.add_argument("name", metavar="ASSIGNMENT")
    one.add_argument("submissions", type=path)
    one.add_argument("--roster", type=path, help="CSV of the class, so that who is missing is named; remembered")

    one = command(grade, "grade what is collected, in the sandbox, into the gradebook; a stopped run goes on")
    one.add_argument("name", metavar="ASSIGNMENT")
    one.add_argument("submissions", type=path, nargs="?", help="collect these first")
    one.add_argument("--roster", type=path, help="CSV of the class, with SUBMISSIONS")
    one.add_argument("--engine", default="local", help="local, or a Dask scheduler's address (local)")
    one.add_argument("--jobs", type=int, help="processes on this machine (one a core)")

    one = command(give_back, "write an HTML and a Markdown file for each student", name="feedback")
    one.add_argument("name", metavar="ASSIGNMENT")

    one = command(export, "write grades as CSV, for Canvas, for Moodle, for Gradescope")
    one.add_argument("name", metavar="ASSIGNMENT")
    one.add_argument("--without-written", action="store_true", help="the LMS gets the points of the rows alone")

    one = command(practice, "write the public practice notebooks into coursework/practice/", term=False)
    one.add_argument("names", nargs="*", metavar="ASSIGNMENT", help=f"of {', '.join(NAMES)} (all)")
    return main


def path(text):
    """A path as it was typed; not every shell knows a ~ behind an equals sign."""
    return Path(text).expanduser()


def release(course, options):
    from coursework.term.release import SITE
    from coursework.term.release import release as one

    assignments = [load(name) for name in options.names or NAMES]
    course.create()
    with course.writing():
        for assignment in assignments:
            path = one(course, assignment)
            drawn = ", ".join(f"{axis}: {value}" for axis, value in course.released()[assignment.name].items())
            print(f"{assignment.name}: reference 100 %, blank 0 %, no leak. {drawn}\n  {path}")
    if not SITE.is_dir():
        print(f"The website is not built, so it was not searched for leaks ({SITE}).")
    print(f"The secret of this term is in {course.path('secret')}. Keep a copy in a safe place, and show it to nobody.")


def collect(course, options):
    load(options.name)
    with course.writing():
        take(course, options)


def take(course, options):
    """Collect, and say what came."""
    from coursework.term.collect import collect as one

    manifest = one(course, options.name, options.submissions, options.roster)
    students = manifest["students"]
    ready = sum(entry["status"] is None for entry in students.values())
    print(f"{options.name}: {ready} of {len(students)} students have a notebook to grade.")
    for student, entry in sorted(students.items()):
        for remark in [entry["status"]] * bool(entry["status"]) + entry["notes"]:
            print(f"  {student}: {remark}")
    for path, reason in manifest["ignored"]:
        print(f"  not taken: {path}: {reason}")


def grade(course, options):
    from coursework.grader import grading
    from coursework.term import gradebook

    assignment = load(options.name)
    with course.writing():
        if options.submissions:
            take(course, options)
        elif options.roster:
            raise Refused("--roster goes with SUBMISSIONS.")
        students = course.manifest(assignment.name)["students"]
        waiting = {student: course.notebook("submitted", assignment.name, student)
                   for student, entry in students.items() if entry["status"] is None}
        gradebook.read_release(course, assignment.name)         # or a class is graded for nothing
        graded = grading.grade_all(assignment, course.variant(assignment), waiting, course.seed(assignment),
                                   course.path("journal", f"{assignment.name}.jsonl"), options.engine, options.jobs)
        results = {result.student: result for result in graded}
        for student in students.keys() - results.keys():        # decided when they were collected
            results[student] = grading.Result(student, assignment.name, students[student]["status"])
        gradebook.record(course, assignment, results)
        write(course.path("results", f"{assignment.name}.json"),
              dumps({student: dataclasses.asdict(result) for student, result in results.items()}))
    report(results)


def report(results):
    """Print how many have which status, and name whoever is not simply graded or missing."""
    kinds = collections.Counter(result.status.split(":")[0] for result in results.values())
    print(", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items())))
    for student, result in sorted(results.items()):
        if result.status not in ("graded", "missing"):
            print(f"  {student}: {result.status}")
        if result.error:
            print("".join(f"    {line}\n" for line in result.error.splitlines()), end="", file=sys.stderr)


def give_back(course, options):
    from coursework.term import feedback

    assignment, records = known(course, options)
    written = feedback.feedback(course, assignment, records)
    print(f"{written} students: {course.path('feedback')}/STUDENT/{assignment.name}/{assignment.name}.html and .md")
    unmarked(records)


def export(course, options):
    from coursework.term import export

    assignment, records = known(course, options)
    paths = export.export(course, assignment, records, written=not options.without_written)
    for path in paths.values():
        print(path)
    for what, table in (("canvas", export.canvas(assignment, records)[2:]), ("moodle", export.moodle(records)[1:])):
        if len(table) < len(records):
            print(f"  {what}: {len(records) - len(table)} of {len(records)} students are left out: their number there "
                  "is not known. It comes with that LMS's zip, or with its gradebook as --roster.")
    empty = [record for record in records if export.points(record, not options.without_written) is None]
    if empty:
        print(f"  {len(empty)} of {len(records)} have no grade, and an empty cell: grades.csv says why.")
    if not options.without_written:
        unmarked(records)


def known(course, options):
    """The assignment, and everything known of every student.

    Raises:
        Refused: nothing has been graded.
    """
    from coursework.term import gradebook

    assignment = load(options.name)
    results = course.results(assignment.name)
    if not results:
        raise Refused(f"{assignment.name} has not been graded yet.")
    return assignment, gradebook.records(course, assignment, results)


def unmarked(records):
    """Say how many written answers nobody has marked."""
    number = sum(record.written["earned"] is None and record.status == "graded" for record in records)
    if number:
        print(f"  {number} written answers are not marked. Mark them in nbgrader's formgrader, then run this again.")


def practice(options):
    from coursework.practice import write as write_notebooks

    for path in write_notebooks([load(name).name for name in options.names or NAMES]):
        print(path)


if __name__ == "__main__":
    sys.exit(main())
