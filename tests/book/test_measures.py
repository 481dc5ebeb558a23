"""Every page can be read in twenty minutes: its words, cells, seconds and memory, and what its head says of them.

Its height is measured in a browser (tests/site), its seconds and its memory by `make measure`.
"""

import json

import page_measures as measures
import pytest
from nbformat import v4
from notebook_form import ROOT, page_name, pages, read

PAGES = [path for path in pages() if "/" in page_name(path)]
COSTS = json.loads((ROOT / "book/_data/status.json").read_text(encoding="utf-8"))["pages"]
NEAR = 2                                                    # minutes by which a head may differ from the count


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_a_page_is_short(path):
    nb = read(path)
    assert measures.words(nb) <= measures.WORDS
    assert len(measures.visible(nb)) <= measures.CELLS
    assert measures.lines_before_the_first_equation(nb) <= measures.LINES_FIRST


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_a_page_says_how_long_it_takes(path):
    nb = read(path)
    said = measures.head(nb)
    assert said, "no head of the form that tools/page_measures.py describes"
    assert abs(said["minutes"] - measures.minutes(nb)) <= NEAR
    assert said["minutes"] <= measures.MINUTES
    assert said["need"].strip()
    assert said["skip"].strip()


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_a_page_runs_within_its_measure_alone(path):
    cost = COSTS[page_name(path)]
    assert cost["seconds"] <= measures.SECONDS
    assert cost["peak_mib"] <= measures.MIB
    said = measures.head(read(path))["seconds"]
    assert abs(said - cost["seconds"]) <= 2 + cost["seconds"] / 2, "of the order that the reader was told"


def test_every_cost_is_of_a_page():
    assert set(COSTS) == {page_name(path) for path in pages()}


@pytest.mark.parametrize(("text", "count"), [
    ("Two words.", 2),
    ("The state $h_t$ of an RNN's cell is 0.5.", 7),
    ("$$\nh = x\n$$ (eq)", 1),
    (":::{admonition} A title\n:class: dropdown\nThree more words\n:::", 3),
    ("See [the page](rnn/order.ipynb) and {term}`state`.", 5),
    ("| a | b |\n|:-:|:-:|\n| one | two |", 4),
])
def test_words_are_counted_as_a_reader_meets_them(text, count):
    assert measures.words(v4.new_notebook(cells=[v4.new_markdown_cell(text)])) == count


def test_folded_cells_are_not_visible_and_lines_stop_at_the_first_equation():
    cells = [v4.new_code_cell("import torch", metadata={"tags": ["hide-input"]}), v4.new_code_cell("a = 1\nb = 2"),
             v4.new_markdown_cell("$$ h = x $$"), v4.new_code_cell("c = 3")]
    nb = v4.new_notebook(cells=cells)
    assert len(measures.visible(nb)) == 2
    assert measures.lines_before_the_first_equation(nb) == 2


def test_the_head_is_read_in_its_parts():
    text = "# T\n\n> *Why?*\n\n18 minutes to read · 9 seconds to run · you need: sums · you may skip: the end"
    nb = v4.new_notebook(cells=[v4.new_markdown_cell(text)])
    assert measures.head(nb) == {"minutes": 18, "seconds": 9, "need": "sums", "skip": "the end"}
