"""Feedback: every row, every status, and whatever a student wrote is text in it."""

import re

import pytest
from bs4 import BeautifulSoup
from coursework.term import feedback
from coursework.term.course import Course, load, write
from coursework.term.gradebook import Record
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

ASSIGNMENT = load("gru")
EVIL = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "`<b onclick=x()>`", "[x](javascript:alert(1))",
    "![x](http://192.0.2.1/x.png)", "</td></table><iframe src=//192.0.2.1>", "\x1b[31mred\x1b]0;title\x07", "\ud800",
    "# heading\n\n- item\n\n```\ncode", "<http://192.0.2.1>", "&lt;script&gt;", "a\u202eb", "${7*7}",
    "`` `a` ``")


def record(status="graded", message="", name="Ada Lovelace", earned=1.0, written=None, **other):
    rows = [{"name": row.name, "title": row.title, "points": row.points, "message": message,
             "earned": None if earned is None else row.points * earned} for row in ASSIGNMENT.rows]
    known = {"student": "ada", "email": "", "number": "12", "columns": {}, "notes": [], "seconds": 0.1} | other
    return Record(name=name, status=status, rows=rows, **known,
                  written={"points": 10, "earned": written, "comment": message, "remarks": {"forward": message}})


def hostile(text):
    return record(f"rejected: {text}", text, text, notes=[text])


@pytest.mark.parametrize("text", EVIL)
def test_a_page_has_no_tag_attribute_or_link_of_a_student(text):
    page = BeautifulSoup(feedback.page(ASSIGNMENT, hostile(text)), "html.parser")
    assert {tag.name for tag in page.find_all()} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "p", "strong", "table", "thead", "tbody", "tr", "th",
        "td", "span", "code"}
    assert {(tag.name, name) for tag in page.find_all() for name in tag.attrs} <= {
        ("html", "lang"), ("meta", "charset"), ("meta", "http-equiv"), ("meta", "content"), ("meta", "name"),
        ("th", "scope"), ("td", "class"), ("span", "class")}
    assert len(page.find_all("tr")) == len(ASSIGNMENT.rows) + 3
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800]", page.get_text())


@given(st.text(max_size=200))
@example("\n".join(EVIL))
def test_markdown_renders_to_what_a_student_wrote_as_text(text):
    rendered = MarkdownIt("commonmark", {"html": True}).render(feedback.markdown(ASSIGNMENT, hostile(text)))
    page = BeautifulSoup(rendered, "html.parser")
    assert {tag.name for tag in page.find_all()} <= {"h1", "p", "strong", "ul", "li", "code", "br"}
    assert len(page.find_all("li")) == len(ASSIGNMENT.rows) + 2
    assert len(page.find_all("h1")) == 1


def test_a_message_is_readable_in_both():
    one = record(message="`forward` raised ValueError: shapes (3,4) and (5,) <b>", earned=0)
    text = BeautifulSoup(feedback.page(ASSIGNMENT, one), "html.parser").get_text()
    rendered = BeautifulSoup(MarkdownIt().render(feedback.markdown(ASSIGNMENT, one)), "html.parser").get_text()
    for shown in (text, rendered):
        assert "forward raised ValueError: shapes (3,4) and (5,) <b>" in shown
        for row in ASSIGNMENT.rows:
            assert f"0 / {row.points:g}" in shown


@pytest.mark.parametrize(("one", "said"), [
    (record(), "90 of 90 points by the grader; the written answer, worth 10, has not been marked yet."),
    (record(written=7.5), "97.5 of 100 points."),
    (record("rejected: the file is not JSON", earned=None), "Points have not been decided yet."),
    (record("crashed: grader", earned=None), "Points have not been decided yet."),
    (record("missing", earned=None), "No points, since nothing was handed in."),
    (record("timed out", earned=0.5), "45 of 90 points by the grader")])
def test_every_status_is_explained_and_an_undecided_one_is_no_zero(one, said):
    text = BeautifulSoup(feedback.page(ASSIGNMENT, one), "html.parser").get_text()
    assert said in text
    assert feedback.heading(one.status) in text
    assert feedback.meaning(one.status) in text
    if one.automatic is None:
        assert "– / 12" in text
        assert "0 / 12" not in text


def test_files_lie_where_nbgrader_looks_for_them(tmp_path):
    course = Course("autumn-2027", tmp_path)
    write(course.path("submitted/ada/gru/timestamp.txt"), "2027-10-01 12:00:00 UTC")
    assert feedback.feedback(course, ASSIGNMENT, [record()]) == 1
    assert sorted(path.name for path in tmp_path.glob("feedback/ada/gru/*")) == ["gru.html", "gru.md", "timestamp.txt"]
