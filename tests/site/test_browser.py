"""Every page in a real browser, at 1280 and 375 pixels, in light and dark."""

import itertools
from collections import Counter

import pytest
from page_measures import PIXELS

LIMIT = 500_000                                           # gzipped bytes of a page and everything that it loads
SHIFT = 0.05                                              # cumulative, without that which a reader causes


def found(browsed, what):
    """One line for each thing of that kind that the browser met, with the page and the window it met it in."""
    return [f"{visit['page']} at {visit['width']} {visit['scheme']}: {item}"
            for visit in browsed["visits"] for item in visit[what]]


def test_every_page_was_visited_in_every_window(browsed, pages):
    visits = Counter((visit["page"], visit["width"], visit["scheme"]) for visit in browsed["visits"])
    assert visits == Counter(itertools.product(pages, (1280, 375), ("light", "dark")))


def test_dark_mode_follows_the_reader(browsed):
    theme = {(visit["scheme"], visit["theme"]) for visit in browsed["visits"] if visit["page"] != "index.html"}
    assert theme == {("light", "light"), ("dark", "dark")}


@pytest.mark.parametrize("what", ["external", "failed", "errors", "violations", "mathErrors", "images", "sticksOut",
                                  "islands"])
def test_no_page_has(browsed, what):
    """No request to another host, failed request, console message, accessibility violation, TeX error, broken image,
    nothing that sticks out of the window, and no light ground on a dark page."""
    assert not found(browsed, what), "\n".join(found(browsed, what))


def test_no_page_scrolls_sideways(browsed):
    wide = [(visit["page"], visit["width"], visit["overflow"]) for visit in browsed["visits"] if visit["overflow"] > 0]
    assert not wide


def test_pages_are_light(browsed):
    heavy = {visit["page"]: visit["gzipped"] for visit in browsed["visits"] if visit["gzipped"] > LIMIT}
    assert not heavy, f"gzipped bytes, {LIMIT} allowed: {heavy}"


def test_no_page_moves_while_it_loads(browsed):
    moved = {(visit["page"], visit["width"]): visit["shift"] for visit in browsed["visits"] if visit["shift"] > SHIFT}
    assert not moved, f"layout shift, {SHIFT} allowed: {moved}"


def test_lighthouse_misses_nothing(audited):
    """Accessibility, good practice and search engines on a page of each kind; its marks for speed are a machine's."""
    assert len(audited) > 10
    less = [visit for visit in audited if set(visit["scores"].values()) != {1}]
    assert not less


def test_a_term_shows_its_definition_under_the_mouse_and_under_the_focus(browsed):
    by_mouse, by_focus = browsed["hover"]["shown"]
    assert by_mouse == by_focus
    assert len(by_mouse.split()) > 5


def test_no_page_of_a_chapter_is_taller_than_its_measure(browsed):
    tall = {visit["page"]: visit["height"] for visit in browsed["visits"]
            if visit["width"] == 1280 and visit["page"].count("/") == 2 and visit["height"] > PIXELS}
    assert not tall, f"pixels at 1,280, {PIXELS} allowed: {tall}"


FIRST = {"recurrent": "rnn/", "positional encoding": "transformers-vs-rnn/", "padding mask": "attention/",
         "vanishing gradient": "bptt/", "forget gate": "lstm/"}


def test_search_puts_a_page_that_teaches_first(browsed):
    assert {search["word"] for search in browsed["searches"]} == set(FIRST)
    for search in browsed["searches"]:
        assert f"/book/{FIRST[search['word']]}" in search["found"][0], search
        assert not search["external"]
        assert not search["errors"]


def test_keyboard_skips_to_the_content_and_shows_where_it_is(browsed):
    for page in browsed["keyboard"]:
        assert page["first"] == {"text": "Skip to main content", "outline": "solid"}
        assert page["inside"]


def test_a_quiz_is_answered_by_keyboard_and_its_count_is_kept_until_it_is_started_again(browsed):
    quiz = browsed["quiz"]
    assert not quiz["before"]
    assert sorted({text.split(".")[0] for text in quiz["shown"]}) == ["Not so", "Right"]
    assert quiz["counted"] == quiz["kept"] == quiz["expected"]
    assert not quiz["after"]


def test_questions_are_practised_by_keyboard_and_a_mark_is_kept(browsed):
    steps = browsed["practice"]
    assert steps["before"].startswith(f"{steps['all']} questions fit.")
    assert steps["focus"] == "question"
    assert steps["still"] == "2:00", "nothing moves by itself"
    assert "1:50" < steps["ran"] < "2:00"
    assert steps["words"] > 20
    assert steps["kept"].endswith("you knew 0, and 1 not yet.")
    assert steps["filtered"].startswith("1 question fits.")
    assert steps["ids"] == 0, "a copy would make an anchor stand twice"


def test_figures_answer_to_the_keyboard_and_to_a_finger(browsed):
    dead = [one for one in browsed["touch"] if not one["answered"]]
    assert not dead, "\n".join(map(str, dead))
    assert {one["finger"] for one in browsed["touch"]} == {True, False}
    small = [one for one in browsed["touch"] if one["finger"] and min(one["width"], one["height"]) < 24]
    assert not small, "\n".join(map(str, small))


def test_the_list_of_a_pages_sections_marks_the_one_that_is_read(browsed):
    sections = browsed["sections"]
    assert sections["top"] == sections["back"] == []
    assert sections["count"] > 3
    assert sections["down"] == [[at] for at in range(sections["count"])]


def test_contents_open_and_close_on_a_telephone(browsed):
    assert browsed["menu"] == {"before": False, "opened": True, "closed": True}


@pytest.mark.parametrize("what", ["errors", "overflow", "undrawn", "flat"])
def test_in_firefox_no_page_has(second, pages, what):
    """No script error, nothing that scrolls sideways, no figure without its words, no formula without a height."""
    assert [visit["page"] for visit in second] == pages
    bad = {visit["page"]: visit[what] for visit in second if visit[what]}
    assert not bad, bad
