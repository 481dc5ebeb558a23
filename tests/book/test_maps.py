"""The maps: what they read from the pages, and that each page is a box and each need an arrow."""

import importlib
import json
import xml.etree.ElementTree as ET

import pytest
from nbformat import v4, writes
from notebook_form import ROOT

SVG = "{http://www.w3.org/2000/svg}"
HEAD = "> *Why?*\n\n{minutes} minutes to read · 9 seconds to run · you need: {need} · you may skip: nothing"
PAGES = {                                       # the chapter `rnn`, and one page of the next
    "rnn/order": ("Order", 12, "multiplication"),
    "rnn/proof": ("Proof", 8, "[order](order.ipynb)"),
    "rnn/use": ("Use", 5, "[order](order.ipynb), [proof](proof.ipynb)"),
    "lstm/cell": ("Cell", 9, "[RNNs](../rnn/index.md), [proof](../rnn/proof.ipynb#equal)"),
}


@pytest.fixture
def maps(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "book/_ext")
    return importlib.import_module("unrolled_maps")


@pytest.fixture
def book(tmp_path):
    """A book of two chapters; called with pages, it changes them."""
    def write(changes=()):
        pages = PAGES | dict(changes)
        for name, (title, minutes, need) in pages.items():
            path = tmp_path / f"book/{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            text = f"# {title}\n\n" + (HEAD.format(minutes=minutes, need=need) if minutes else "")
            path.write_text(writes(v4.new_notebook(cells=[v4.new_markdown_cell(text)])), encoding="utf-8")
            (path.parent / "index.md").write_text(f"# The {path.parent.name}\n", encoding="utf-8")
        parts = [{"chapters": [{"file": f"book/{chapter}/index",
                                "sections": [{"file": f"book/{name}"} for name in pages if name.startswith(chapter)]}]}
                 for chapter in ("rnn", "lstm")]
        (tmp_path / "_toc.yml").write_text(json.dumps({"parts": [*parts, {"chapters": [{"file": "book/claims"}]}]}))
        return tmp_path

    return write


def test_titles_minutes_and_needs_come_from_the_pages(maps, book):
    rnn, lstm = maps.chapters(book())
    assert [(one.title, one.minutes) for one in rnn.pages] == [("Order", 12), ("Proof", 8), ("Use", 5)]
    assert (rnn.title, rnn.minutes, rnn.needs) == ("The rnn", 25, [])
    assert rnn.pages[2].needs == ["rnn/order", "rnn/proof"]
    assert lstm.needs == ["rnn/index"]


def test_an_arrow_that_others_imply_is_left_out(maps, book):
    rnn, _ = maps.chapters(book())
    assert maps.arrows(rnn.pages) == [("rnn/order", "rnn/proof"), ("rnn/proof", "rnn/use")]
    assert maps.ranks(rnn.pages) == {"rnn/order": 0, "rnn/proof": 1, "rnn/use": 2}


@pytest.mark.parametrize(("change", "message"), [
    ({"rnn/use": ("Use", 5, "[gone](gone.ipynb)")}, "rnn/use needs rnn/gone, which is no page of the book"),
    ({"rnn/use": ("Use", None, "")}, "rnn/use has no head"),
])
def test_what_cannot_be_drawn_is_named(maps, book, change, message):
    with pytest.raises(ValueError, match=message):
        maps.chapters(book(change))


def links(drawing):
    svg = ET.fromstring(drawing)
    _, _, width, height = map(float, svg.get("viewBox").split())
    for box in svg.iter(f"{SVG}rect"):
        assert 0 <= float(box.get("x")) <= float(box.get("x")) + float(box.get("width")) <= width
        assert 0 <= float(box.get("y")) <= float(box.get("y")) + float(box.get("height")) <= height
    return [node.get("href") for node in svg.iter(f"{SVG}a")], len(list(svg.iter(f"{SVG}polygon"))), width


def test_every_page_of_a_chapter_is_a_box_that_leads_to_it(maps, book):
    rnn, _ = maps.chapters(book())
    found, heads, width = links(maps.draw_chapter(rnn, lambda name: f"{name}.html"))
    assert found == ["rnn/order.html", "rnn/proof.html", "rnn/use.html"]
    assert heads == 2
    assert width <= 343, "a phone shows it without shrinking"


@pytest.mark.parametrize("columns", [1, 2])
def test_the_map_of_the_book_leads_to_every_chapter_and_page(maps, book, columns):
    found, heads, width = links(maps.draw_book(maps.chapters(book()), lambda name: name, columns))
    assert found == ["rnn/index", "rnn/order", "rnn/proof", "rnn/use", "lstm/index", "lstm/cell"]
    assert heads == 1
    assert columns > 1 or width <= 343
