"""Collecting: every shape gives the same `submitted/`, and no file that was handed in can do anything but be read."""

import os
import stat
import zipfile

import pytest
from coursework.term import collect
from coursework.term.course import Course, Refused
from hypothesis import given
from hypothesis import strategies as st

ADA, ZOE = b'{"cells": ["ada"]}', b'{"cells": ["zoe"]}'


@pytest.fixture
def course(tmp_path):
    course = Course("autumn-2027", tmp_path / "course")
    course.create()
    return course


@pytest.fixture
def archive(tmp_path):
    """Writes a zip of (name, bytes) pairs or (ZipInfo, bytes) pairs."""

    def make(*members, name="class.zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as file:
            for member, data in members:
                file.writestr(member, data)
        return tmp_path / name

    return make


@pytest.fixture
def folder(tmp_path):
    """Writes files below a folder."""

    def make(files):
        for name, data in files.items():
            path = tmp_path / "handed in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / "handed in"

    return make


def taken(course):
    """What will be graded: student -> bytes."""
    return {path.parts[-3]: path.read_bytes() for path in course.path("submitted").glob("*/gru/gru.ipynb")}


SHAPES = {
    "flat": ({"ada.ipynb": ADA, "zoe.ipynb": ZOE}, {"ada", "zoe"}),
    "folders": ({"ada/gru.ipynb": ADA, "ada/notes.txt": b"", "zoe/work/Untitled.ipynb": ZOE}, {"ada", "zoe"}),
    "wrapped": ({"all/ada/gru.ipynb": ADA, "all/zoe/gru.ipynb": ZOE}, {"ada", "zoe"}),
    "wrapped flat": ({"all/ada.ipynb": ADA, "all/zoe.ipynb": ZOE}, {"ada", "zoe"}),
    "nbgrader": ({"ada/gru/gru.ipynb": ADA, "zoe/gru/gru.ipynb": ZOE, "zoe/rnn/rnn.ipynb": b"other"}, {"ada", "zoe"}),
    "nbgrader, one student": ({"ada/gru/gru.ipynb": ADA}, {"ada"}),
    "canvas": ({"lovelaceada_12_340_gru.ipynb": ADA, "zoe_LATE_13_341_gru-1.ipynb": ZOE}, {"12", "13"}),
    "canvas, wrapped": ({"all/lovelaceada_12_340_gru.ipynb": ADA, "all/zoe_13_341_gru.ipynb": ZOE}, {"12", "13"}),
    "moodle": ({"Ada Lovelace_77_assignsubmission_file_/gru.ipynb": ADA,
                "Zoe_78_assignsubmission_file_/my gru.ipynb": ZOE,
                "Zoe_78_assignsubmission_onlinetext_/onlinetext.html": b"hello"}, {"Ada-Lovelace", "Zoe"}),
    "moodle, no folders": ({"Ada Lovelace_77_assignsubmission_file_gru.ipynb": ADA,
                            "Zoe_78_assignsubmission_file_x.ipynb": ZOE}, {"Ada-Lovelace", "Zoe"}),
}


@pytest.mark.parametrize("zipped", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_gives_one_notebook_a_student(course, folder, archive, shape, zipped):
    files, students = SHAPES[shape]
    manifest = collect.collect(course, "gru", archive(*files.items()) if zipped else folder(files))
    assert set(manifest["students"]) == students
    assert sorted(taken(course).values()) == sorted([ADA, ZOE][:len(students)])
    assert set(taken(course)) == students
    assert {entry["status"] for entry in manifest["students"].values()} == {None}
    assert course.manifest("gru") == manifest
    originals = {path.parent.name: path.read_bytes() for path in course.path("originals/gru").glob("*/*.ipynb")}
    assert originals == taken(course)


def test_late_and_numbers_are_kept(course, archive):
    students = collect.collect(course, "gru", archive(*SHAPES["canvas"][0].items()))["students"]
    assert {entry["number"]: entry["notes"] for entry in students.values()} == {"12": [], "13": ["late"]}


# Hostile archives and folders

@pytest.mark.parametrize("name", ["../evil.ipynb", "/tmp/evil_1_2_gru.ipynb", "a/../../../evil.ipynb", "..\\evil.ipynb",
                                  "C:\\evil.ipynb"])
def test_a_path_that_leads_out_is_not_taken(course, archive, tmp_path, name):
    source = archive((name, b"evil"), ("ada.ipynb", ADA))
    before = {path for path in tmp_path.rglob("*") if course.folder not in path.parents}
    manifest = collect.collect(course, "gru", source)
    assert taken(course) == {"ada": ADA}
    assert [reason for _, reason in manifest["ignored"]] == ["its path leads out of the archive"]
    assert {path for path in tmp_path.rglob("*") if course.folder not in path.parents} == before
    assert not [path for path in course.folder.rglob("*") if path.is_file() and path.read_bytes() == b"evil"]


def test_links_and_pipes_are_not_followed(course, folder, tmp_path):
    (tmp_path / "secret.ipynb").write_bytes(b"secret")
    source = folder({"ada/gru.ipynb": ADA})
    for name in ("link", "pipe", "linked"):
        (source / name).mkdir() if name != "linked" else (source / name).symlink_to(tmp_path)
    (source / "link/gru.ipynb").symlink_to(tmp_path / "secret.ipynb")
    os.mkfifo(source / "pipe/gru.ipynb")
    students = collect.collect(course, "gru", source)["students"]
    assert taken(course) == {"ada": ADA}
    assert students["link"]["status"] == \
        "rejected: no notebook that can be read (gru.ipynb: a link rather than a file)"
    assert "a device or a pipe" in students["pipe"]["status"]


def test_a_link_in_an_archive_is_not_made(course, archive):
    info = zipfile.ZipInfo("ada/gru.ipynb")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    students = collect.collect(course, "gru", archive((info, b"/etc/passwd"), ("zoe/gru.ipynb", ZOE)))["students"]
    assert taken(course) == {"zoe": ZOE}
    assert "a link rather than a file" in students["ada"]["status"]


def test_too_large_is_rejected_and_read_no_further_than_the_limit(course, archive, monkeypatch):
    monkeypatch.setattr(collect, "LARGEST", 1000)
    path = archive(("ada/gru.ipynb", b" " * 5000), ("bob/gru.ipynb", b" " * 5000), ("zoe/gru.ipynb", ZOE))
    content = bytearray(path.read_bytes())                # bob's entry claims 10 bytes, as a bomb would
    at = content.rindex(b"bob/gru.ipynb") - 46
    content[at + 24:at + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    students = collect.collect(course, "gru", path)["students"]
    assert taken(course) == {"zoe": ZOE}
    assert "at most" in students["ada"]["status"]
    assert students["bob"]["status"].startswith("rejected: ")
    assert not [path for path in course.path("originals").rglob("*") if path.is_file() and path.stat().st_size > 1000]


def test_one_damaged_member_stops_nobody_else(course, archive):
    path = archive(("ada/gru.ipynb", ADA * 50), ("zoe/gru.ipynb", ZOE))
    content = bytearray(path.read_bytes())
    content[45] ^= 0xFF                                   # in ada's compressed bytes
    path.write_bytes(content)
    students = collect.collect(course, "gru", path)["students"]
    assert taken(course) == {"zoe": ZOE}
    assert students["ada"]["status"].startswith("rejected: no notebook that can be read (gru.ipynb: ")


def test_what_is_no_notebook_is_rejected_by_name(course, folder):
    students = collect.collect(course, "gru", folder({"ada/report.pdf": b"%PDF", "zoe/gru.ipynb": ZOE}))["students"]
    assert students["ada"]["status"] == "rejected: no notebook that can be read (report.pdf is not a notebook)"


@given(st.text(min_size=1, max_size=300))
def test_an_id_is_one_plain_component_of_a_path(name):
    one = collect.slug(name)
    assert one == collect.slug(one)
    assert one not in ("", ".", "..")
    assert not set(one) & set("/\\:\0\n +*?<>|\"'")
    assert one[0] not in ".-_"
    assert len(one.encode()) <= collect.LONGEST


# Which notebook, and whose

@pytest.mark.parametrize(("files", "want"), [
    ({"Untitled.ipynb": ZOE, "gru.ipynb": ADA}, ADA), ({"a.ipynb": ZOE, "gru (1).ipynb": ADA, "z.ipynb": ZOE}, ADA),
    ({"gru-1.ipynb": ZOE, "gru.ipynb": ADA}, ADA)])
def test_of_several_notebooks_the_one_of_that_name_is_taken_and_noted(course, folder, files, want):
    students = collect.collect(course, "gru", folder({f"ada/{name}": data for name, data in files.items()}))["students"]
    assert taken(course) == {"ada": want}
    assert len(students["ada"]["notes"]) == 1
    assert students["ada"]["notes"][0].endswith("was taken")


def test_of_several_with_other_names_the_newest_is_taken(course, folder):
    source = folder({"ada/b.ipynb": ZOE, "ada/a.ipynb": ADA, "zoe/gru.ipynb": ZOE})
    os.utime(source / "ada/b.ipynb", (1, 1))
    collect.collect(course, "gru", source)
    assert taken(course) == {"ada": ADA, "zoe": ZOE}


def test_students_whose_names_collide_stay_two(course, archive):
    students = collect.collect(course, "gru", archive(
        ("Ann Lee_5_assignsubmission_file_/gru.ipynb", ADA), ("Ann-Lee_6_assignsubmission_file_/gru.ipynb", ZOE)))
    assert {entry["number"]: taken(course)[student] for student, entry in students["students"].items()} == \
        {"5": ADA, "6": ZOE}
    assert len({student.casefold() for student in taken(course)}) == 2


def test_handed_in_again_replaces_what_is_graded_and_keeps_both_originals(course, archive):
    collect.collect(course, "gru", archive(("ada/gru.ipynb", ADA), ("bob/gru.ipynb", ADA)))
    manifest = collect.collect(course, "gru", archive(("ada/gru.ipynb", ZOE), name="late.zip"))
    assert taken(course) == {"ada": ZOE, "bob": ADA}
    assert set(manifest["students"]) == {"ada", "bob"}
    assert {path.read_bytes() for path in course.path("originals/gru/ada").iterdir()} == {ADA, ZOE}


def test_a_worse_file_handed_in_later_is_not_graded_as_the_earlier_one(course, archive):
    collect.collect(course, "gru", archive(("ada/gru.ipynb", ADA)))
    manifest = collect.collect(course, "gru", archive(("ada/gru.pdf", b"%PDF"), name="late.zip"))
    assert taken(course) == {}
    assert manifest["students"]["ada"]["status"].startswith("rejected")


def test_what_nbgrader_collected_is_taken_where_it_lies(course):
    path = course.notebook("submitted", "gru", "ada")
    path.parent.mkdir(parents=True)
    path.write_bytes(ADA)
    path.chmod(0o444)
    assert collect.collect(course, "gru", course.path("submitted"))["students"]["ada"]["status"] is None
    assert taken(course) == {"ada": ADA}


# The roster

def csv_file(tmp_path, text):
    (tmp_path / "roster.csv").write_text(text, encoding="utf-8-sig")
    return tmp_path / "roster.csv"


def test_who_is_on_the_roster_and_handed_nothing_in_is_missing(course, folder, tmp_path):
    roster = csv_file(tmp_path, "student,name,email\nada,Ada Lovelace,ada@example.org\nbob,Bob,\n")
    manifest = collect.collect(course, "gru", folder({"ada.ipynb": ADA, "eve.ipynb": ZOE}), roster)
    assert {student: entry["status"] for student, entry in manifest["students"].items()} == \
        {"ada": None, "bob": "missing", "eve": None}
    assert manifest["students"]["ada"]["email"] == "ada@example.org"
    assert manifest["students"]["eve"]["notes"] == ["not in the roster"]
    again = collect.collect(course, "gru", folder({"bob.ipynb": ZOE}))          # the roster is remembered
    assert again["students"]["bob"]["status"] is None


def test_canvas_gradebook_as_roster(course, archive, tmp_path):
    roster = csv_file(tmp_path, "Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"
                                "\"Lovelace, Ada\",12,S12,ada,A\n\"B, Bob\",14,S14,bob,A\n")
    students = collect.collect(course, "gru", archive(*SHAPES["canvas"][0].items()), roster)["students"]
    assert {student: entry["status"] for student, entry in students.items()} == \
        {"12": None, "13": None, "14": "missing"}
    assert students["12"]["name"] == "Lovelace, Ada"
    assert students["12"]["columns"] == {"SIS User ID": "S12", "SIS Login ID": "ada", "Section": "A"}


def test_moodle_worksheet_as_roster(course, archive, tmp_path):
    roster = csv_file(tmp_path, "Identifier,Full name,Email address,Status,Grade,Maximum Grade\n"
                                "Participant 77,Ada Lovelace,a@example.org,,,\nParticipant 79,Bob,b@example.org,,,\n")
    students = collect.collect(course, "gru", archive(*SHAPES["moodle"][0].items()), roster)["students"]
    assert {student: entry["status"] for student, entry in students.items()} == \
        {"Ada-Lovelace": None, "Bob": "missing", "Zoe": None}


def test_names_are_matched_in_any_order_but_never_guessed(course, archive, tmp_path):
    roster = csv_file(tmp_path, "student,name\nal1,\"Lovelace, Ada\"\nx1,Zoe\nx2,Zoe\n")
    students = collect.collect(course, "gru", archive(*SHAPES["moodle"][0].items()), roster)["students"]
    assert students["al1"]["status"] is None
    assert students["x1"]["status"] == students["x2"]["status"] == "missing"    # two of that name: a person decides
    assert students["Zoe"]["notes"] == ["not in the roster"]


@pytest.mark.parametrize(("text", "message"), [
    ("", "This one has no lines"), ("a,b\n1,2\n", "This one has a, b"),
    ("student,name\nada,A\nADA,B\n", "names ada more than once")])
def test_what_is_no_roster_is_refused(text, message, refuses):
    with refuses(Refused, message):
        collect.read_roster(text.encode())


def test_what_is_no_hand_in_is_refused(course, tmp_path, refuses):
    with refuses(Refused, "There is no folder or file"):
        collect.collect(course, "gru", tmp_path / "nowhere")
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with refuses(Refused, "neither a folder nor a zip"):
        collect.collect(course, "gru", tmp_path / "x.zip")


def test_an_encrypted_member_is_rejected(course, archive):
    path = archive(("ada/gru.ipynb", ADA), ("zoe/gru.ipynb", ZOE))
    content = bytearray(path.read_bytes())
    content[6] |= 1                                       # local header, then the directory's
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    students = collect.collect(course, "gru", path)["students"]
    assert taken(course) == {"zoe": ZOE}
    assert "encrypted" in students["ada"]["status"]
