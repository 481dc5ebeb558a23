"""The drawings: well-formed, titled, complete, and inside their frame."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from unrolled import diagrams

SVG = "{http://www.w3.org/2000/svg}"
DRAWINGS = {
    "unrolled": lambda: diagrams.unrolled_graph(3),
    "unrolled, 5 steps": lambda: diagrams.unrolled_graph(5),
    "backward": lambda: diagrams.backward_graph(4),
    "task shapes": diagrams.task_shapes,
}


def parse(drawing):
    return ET.fromstring(drawing.data)


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_a_drawing_has_a_title_and_stays_inside_its_frame(draw):
    svg = parse(draw())
    _, _, width, height = map(float, svg.get("viewBox").split())
    assert svg.find(f"{SVG}title").text
    corners = [(float(node.get("x")), float(node.get("y"))) for node in svg.iter() if node.get("x")]
    for head in svg.iter(f"{SVG}polygon"):
        corners += [tuple(map(float, point.split(","))) for point in head.get("points").split()]
    assert len(corners) > 20
    assert all(0 <= x <= width and 0 <= y <= height for x, y in corners)


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_the_unrolled_graph_draws_each_step_and_the_folded_cell(steps):
    labels = ["".join(node.itertext()) for node in parse(diagrams.unrolled_graph(steps)).iter(f"{SVG}text")]
    for t in ["t", *range(1, steps + 1)]:
        assert all(labels.count(f"{letter}{t}") == 1 for letter in "xhy")
    assert labels.count("U") == labels.count("V") == labels.count("W") == steps + 1


def test_the_front_page_shows_the_drawing_that_the_code_draws():
    saved = Path(__file__).parent.parent / "book/_static/unrolled-graph.svg"
    assert saved.read_text(encoding="utf-8").strip() == diagrams.unrolled_graph().data
