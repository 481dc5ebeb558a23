"""Take in what students handed in: a folder or an LMS's zip, into `submitted/`, one notebook a student.

A member of an archive is never extracted to the place that it names: its bytes are read, up to a limit, and written
to a place that we name. The original is kept under `originals/`, and nothing there is ever overwritten.
"""

import csv
import dataclasses
import hashlib
import os
import re
import stat
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from coursework.family import notebook
from coursework.term.course import NAMES, Refused, dumps, plain, write

LARGEST = notebook.SIZE                  # bytes
MEMBERS = 100_000                        # files in one hand-in of a whole class
LONGEST = 100                            # bytes of a student's id, which is a folder's name
EACH = 20                                # notebooks of one student that are looked at

MOODLE = re.compile(r"(?P<name>.+)_(?P<number>\d+)_assignsubmission_[a-z]+_?(?P<file>.*)", re.DOTALL)
CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<number>\d+)_\d+_(?P<file>.+)", re.DOTALL)
IGNORED = re.compile(r"__MACOSX|\.ipynb_checkpoints|\.DS_Store|\._.*|Thumbs\.db|desktop\.ini|onlinetext\.html|"
                     r"timestamp\.txt|submission_secret\.txt")        # the last two are nbgrader's own


@dataclasses.dataclass(frozen=True)
class Member:
    """A file that was handed in: where it lay, when it was written, how to read it, what is wrong with it."""

    path: PurePosixPath
    modified: float
    read: Callable
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Handed:
    """A file, and whose it is as far as its place tells."""

    member: Member
    file: str
    student: str
    name: str = ""
    number: str = ""
    late: bool = False


@dataclasses.dataclass(frozen=True)
class Person:
    """One line of the roster; `columns` are the line as it came, for the LMS that wants it back."""

    student: str
    name: str
    email: str = ""
    number: str = ""
    columns: dict = dataclasses.field(default_factory=dict)


def collect(course, name, source, roster=None):
    """Take in one assignment's submissions.

    Args:
        course: a `Course`.
        name: the assignment's name.
        source: a notebook, a folder of notebooks, a folder with a folder for each student, `submitted/` of an nbgrader
            course, or the zip of all submissions from Canvas or Moodle.
        roster: a CSV of the class; once given it is remembered.

    Returns:
        The manifest, also in `collected/NAME.json`: for each student the file taken, its status where it cannot be
        graded, and notes; and the files that belong to nobody.

    Raises:
        Refused: there is nothing to read, or the roster is none.
    """
    if roster:
        text = Path(roster).read_bytes()
        people = read_roster(text)
        write(course.path("roster.csv"), text)
    elif course.path("roster.csv").exists():
        people = read_roster(course.path("roster.csv").read_bytes())
    else:
        people = []

    archive, found = members(Path(source))
    with archive:
        handed, ignored = sort_out(found, name)
        matched = match(handed, people)
        path = course.path("collected", f"{name}.json")
        students = course.manifest(name)["students"] if path.exists() else {}
        students = {student: entry for student, entry in students.items() if entry["status"] != "missing"}
        for student, entries in matched.items():
            students[student] = take(course, name, student, entries)
    for person in people:
        entry = students.setdefault(person.student, {"file": None, "status": "missing", "notes": []})
        entry.update(name=person.name, email=person.email, number=entry.get("number") or person.number,
                     columns=person.columns)
    if people:
        for student in set(students) - {person.student for person in people}:
            add(students[student]["notes"], "not in the roster")
    manifest = {"students": students, "ignored": ignored}
    write(path, dumps(manifest))
    return manifest


# Reading what was handed in

def members(source):
    """Every file of a folder or an archive.

    Returns:
        What to close when all is read, and a list of `Member`.

    Raises:
        Refused: there is no such file or folder, or it is neither folder, zip nor notebook.
    """
    if source.is_dir():
        return open(os.devnull, "rb"), _of_folder(source)
    if source.is_file() and source.suffix == ".ipynb":
        return open(os.devnull, "rb"), [_of_file(source, PurePosixPath(source.name))]
    if not source.is_file():
        raise Refused(f"There is no folder or file {source}.")
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise Refused(f"{source} is neither a folder nor a zip that can be read ({error}).") from error
    if len(archive.infolist()) > MEMBERS:
        raise Refused(f"{source} has {len(archive.infolist())} members, at most {MEMBERS} are read.")
    return archive, [_of_archive(archive, info) for info in archive.infolist() if not info.is_dir()]


def _of_folder(folder):
    found = []
    for where, folders, files in os.walk(folder, followlinks=False):
        links = [name for name in folders if Path(where, name).is_symlink()]
        for name in sorted(files + links):
            path = Path(where, name)
            found.append(_of_file(path, PurePosixPath(path.relative_to(folder).as_posix())))
            if len(found) > MEMBERS:
                raise Refused(f"{folder} has more than {MEMBERS} files.")
    return found


def _of_file(path, shown):
    def read():
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)     # neither a link nor a pipe
        with os.fdopen(descriptor, "rb") as file:
            return file.read(LARGEST + 1)

    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        problem = "a link rather than a file"
    elif not stat.S_ISREG(status.st_mode):
        problem = "a device or a pipe rather than a file"
    else:
        problem = too_large(status.st_size)
    return Member(shown, status.st_mtime, read, problem)


def _of_archive(archive, info):
    def read():
        with archive.open(info) as file:
            return file.read(LARGEST + 1)               # whatever size the directory of the archive claims

    path = PurePosixPath(info.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", info.filename):
        problem = "its path leads out of the archive"
    elif stat.S_ISLNK(info.external_attr >> 16):
        problem = "a link rather than a file"
    elif info.flag_bits & 1:
        problem = "encrypted"
    else:
        problem = too_large(info.file_size)
    return Member(path, 0.0 + int("{:04}{:02}{:02}{:02}{:02}{:02}".format(*info.date_time)), read, problem)


def too_large(size):
    """What is wrong with a file of this size, if anything."""
    return f"it has {size / 2**20:.0f} MiB, at most {LARGEST >> 20} are read" if size > LARGEST else ""


# Whose is it?

def sort_out(found, name):
    """Tell from each file's place whose it is.

    Returns:
        A list of `Handed`, and a list of [path, reason] for the files that belong to nobody.
    """
    found = [member for member in found if not any(IGNORED.fullmatch(part) for part in member.path.parts)]
    in_nbgraders_shape = any(len(member.path.parts) >= 3 and member.path.parts[-2] in NAMES for member in found)
    if _wrapped(found, name) and not in_nbgraders_shape:
        found = [dataclasses.replace(member, path=PurePosixPath(*member.path.parts[1:])) for member in found]

    handed, ignored = [], []
    for member in found:
        if member.problem.startswith("its path"):
            ignored.append([plain(member.path), member.problem])
            continue
        *folders, file = member.path.parts
        places = [m for m in map(MOODLE.fullmatch, [*folders, file]) if m]
        if places:
            place = places[0]
            handed.append(Handed(member, place["file"] or file, "", place["name"], place["number"]))
        elif place := CANVAS.fullmatch(file):
            handed.append(Handed(member, place["file"], place["number"], place["name"], place["number"],
                                 bool(place["late"])))
        elif len(folders) >= 2 and folders[-1] in NAMES:
            if folders[-1] == name:
                handed.append(Handed(member, file, slug(folders[-2]), folders[-2]))
        elif folders:
            handed.append(Handed(member, file, slug(folders[0]), folders[0]))
        elif file.endswith(".ipynb"):
            handed.append(Handed(member, file, slug(file.removesuffix(".ipynb")), file.removesuffix(".ipynb")))
        else:
            ignored.append([plain(member.path), "neither a notebook nor in a student's folder"])
    return handed, ignored


def _wrapped(found, name):
    """Whether everything lies in one folder that is no student's, as in a zip of a folder."""
    if len({member.path.parts[0] for member in found}) != 1:
        return False
    depth = min(len(member.path.parts) for member in found)
    notebooks = [member.path.name for member in found if member.path.suffix == ".ipynb"]
    return depth >= 3 or depth == 2 and len(notebooks) > 1 and not any(_is_named(file, name) for file in notebooks)


def slug(name):
    """A folder's name for a student: letters, digits, dots, hyphens, underscores, and nothing that a path obeys."""
    safe = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFKC", name)).strip("-._")
    if not safe:
        return f"student-{_digest(name)}"
    if len(safe.encode()) <= LONGEST:
        return safe
    return f"{safe.encode()[:LONGEST - 9].decode(errors='ignore')}-{_digest(name)}"


def _digest(text):
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def match(handed, people):
    """Give every file to a student: by the LMS's number, else by id, else by name.

    Two who would share a folder do not: those whose names or numbers differ get their own.

    Returns:
        A dict student -> list of `Handed`.
    """
    by_number = {person.number: person.student for person in people if person.number}
    by_id = {person.student.casefold(): person.student for person in people}
    by_name = defaultdict(set)
    for person in people:
        by_name[_letters(person.name)].add(person.student)

    wanted = defaultdict(lambda: defaultdict(list))     # id, without regard to case -> who says so -> files
    for one in handed:
        same_name = by_name.get(_letters(one.name), ())
        if one.number and one.number in by_number:
            student = by_number[one.number]
        elif one.student.casefold() in by_id:
            student = by_id[one.student.casefold()]
        elif one.name and len(same_name) == 1:
            student, = same_name
        else:
            student = one.student or slug(one.name)
        known = student in by_id.values()
        wanted[student.casefold()][student if known else (student, one.name, one.number)].append(one)

    matched = {}
    for claims in wanted.values():
        for claim, entries in claims.items():
            student = claim if isinstance(claim, str) else claim[0]
            if len(claims) > 1 and not isinstance(claim, str):
                student = f"{student}-{entries[0].number or _digest(repr(claim))}"
            matched.setdefault(student, []).extend(entries)
    return matched


def _letters(name):
    """A name without regard to case, order of its parts, or punctuation: 'Lovelace, Ada' is 'ada lovelace'."""
    parts = re.findall(r"\w+", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(sorted(parts))


# Taking it

def take(course, name, student, entries):
    """Keep a student's originals, choose the notebook that counts, and put it where it will be graded."""
    first = entries[0]
    entry = {"name": plain(first.name or student), "number": first.number, "email": "", "columns": {}, "notes": [],
             "file": None, "status": None}
    if any(one.late for one in entries):
        add(entry["notes"], "late")
    candidates, problems = [], []
    for one in sorted(entries, key=lambda one: str(one.member.path))[:EACH]:
        if not one.file.lower().endswith(".ipynb"):
            problems.append(f"{plain(one.file)} is not a notebook")
            continue
        problem = one.member.problem
        content = b""
        if not problem:
            try:
                content = one.member.read()
                problem = too_large(len(content))
            except (OSError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile) as error:
                problem = f"cannot be read ({plain(error)[:120]})"
            except Exception as error:                  # zlib's and lzma's own errors: one bad member stops nobody
                problem = f"damaged ({type(error).__name__})"
        if problem:
            problems.append(f"{plain(one.file)}: {problem}")
            continue
        digest = hashlib.sha256(content).hexdigest()
        kept = course.path("originals", name, student, f"{digest[:12]}-{slug(one.file)}")
        if not kept.exists():
            write(kept, content)
        candidates.append((_is_named(one.file, name), one.member.modified, one.file, digest, content))
    if len(entries) > EACH:
        add(entry["notes"], f"{len(entries)} files, the first {EACH} were looked at")

    destination = course.notebook("submitted", name, student)
    if not candidates:
        destination.unlink(missing_ok=True)             # an earlier hand-in was replaced; its original is kept
        reason = "; ".join(problems[:3])
        return entry | {"status": f"rejected: no notebook that can be read ({reason})"}
    candidates.sort(key=lambda candidate: candidate[:4])
    *others, (_, _, file, digest, content) = candidates
    if {candidate[3] for candidate in others} - {digest}:
        add(entry["notes"], f"{len(candidates)} notebooks, {plain(file)} was taken")
    for problem in problems:
        add(entry["notes"], f"left aside: {problem}")
    if not destination.exists() or destination.is_symlink() or destination.read_bytes() != content:
        destination.unlink(missing_ok=True)             # what lies there may be read-only, or a link
        write(destination, content)
    return entry | {"file": plain(file), "sha256": digest}


def _is_named(file, name):
    """How well a file's name fits: 2 as released, 1 as released and copied or handed in again, 0 another."""
    stem = file[: -len(".ipynb")]
    if stem == name:
        return 2
    return int(bool(re.fullmatch(re.escape(name) + r"([-_ ]?(copy\d*|\d+|\(\d+\)))+", stem, re.IGNORECASE)))


def add(notes, text):
    if text not in notes:
        notes.append(text)


# The roster

def read_roster(content):
    """The class, from a CSV: ours (student, name, email, number), Canvas's gradebook, or Moodle's grading worksheet.

    Args:
        content: its bytes.

    Returns:
        A list of `Person`.

    Raises:
        Refused: it is none of the three, or names a student twice.
    """
    rows = list(csv.DictReader(content.decode("utf-8-sig", "replace").splitlines()))
    header = set(rows[0]) if rows else set()
    if {"student", "name"} <= header:
        people = [Person(slug(row["student"]), row["name"], row.get("email") or "", row.get("number") or "", {})
                  for row in rows if row["student"]]
    elif {"Student", "ID", "Section"} <= header:
        people = [Person(row["ID"], row["Student"], "", row["ID"],
                         {key: row.get(key) or "" for key in ("SIS User ID", "SIS Login ID", "Section")})
                  for row in rows if (row["ID"] or "").isdigit()]         # its other lines are points and remarks
    elif {"Identifier", "Full name"} <= header:
        people = [Person("", row["Full name"], row.get("Email address") or "", re.sub(r"\D", "", row["Identifier"]),
                         {key: value for key, value in row.items() if key and value is not None})
                  for row in rows if row["Identifier"]]
        slugs = [slug(person.name) for person in people]
        people = [dataclasses.replace(person, student=one if slugs.count(one) == 1 else f"{one}-{person.number}")
                  for person, one in zip(people, slugs)]
    else:
        raise Refused("A roster is a CSV with the columns student and name (email and number if you like), or "
                      "Canvas's gradebook, or Moodle's grading worksheet. This one has "
                      f"{', '.join(sorted(filter(None, header))) or 'no lines'}.")
    ids = [person.student.casefold() for person in people]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise Refused(f"The roster names {', '.join(twice[:5])} more than once.")
    return people
