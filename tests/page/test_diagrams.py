"""The drawings: well-formed, titled, complete, and inside their frame."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from unrolled.page.diagrams.attention import answer_tree, encoder_decoder, lookup
from unrolled.page.diagrams.bptt import backward_graph, checkpoints, tally, truncation, worked_chain
from unrolled.page.diagrams.gru import STAGES, gru_cell, scan_tree, slider, two_resets
from unrolled.page.diagrams.lstm import lstm_cell, lstm_growing, two_roads
from unrolled.page.diagrams.rnn import (
    both_directions,
    output_and_state,
    packing,
    task_shapes,
    two_nights,
    two_units,
    unrolled_graph,
)
from unrolled.page.diagrams.transformers import block, decision, growing_cache, heads, paths, three_uses, two_memories
from unrolled.page.plots import BLUE, GATES, VERMILLION
from unrolled.studies import page_values

SVG = "{http://www.w3.org/2000/svg}"
QUESTIONS = [("a stream?", ("yes", "streaming"), "an LSTM", ("no", "at-once")),
             ("a known reach,\nand short?", ("yes", "field"), "a TCN", ("no", "reach"))]
WORDS, KEYS, VALUES = ("17", "March", "2026"), ((1, 0), (0, 2), (2, 0)), (7, 3, 6)
ANSWERS = {"": {"a": 0.6, "b": 0.4}, "a": {"a": 0.5, "b": 0.5}, "b": {"a": 0.9, "b": 0.1}}
STATIC = Path(__file__).parents[2] / "book/_static"
DRAWINGS = {
    "unrolled": lambda: unrolled_graph(3),
    "unrolled, 5 steps": lambda: unrolled_graph(5),
    "backward": lambda: backward_graph(4),
    "worked by hand": lambda: worked_chain([1, 0, 0], 0.5, [0.762, 0.363, 0.18], -0.82, [-0.072, -0.345, -0.793]),
    "truncation": truncation,
    "checkpoints": checkpoints,
    "task shapes": task_shapes,
    "two nights": two_nights,
    "two units": two_units,
    "output and state": output_and_state,
    "both directions": both_directions,
    "packing": packing,
    "packing, longer": lambda: packing(("if", "return", "x", "else")),
    "tally": lambda: tally("solved", [("one", (3, 20)), ("other", (20, 20))]),
    "encoder and decoder": encoder_decoder,
    "encoder and decoder with attention": lambda: encoder_decoder(attention=True),
    "one query": lambda: lookup(WORDS, (0, 1), KEYS, VALUES),
    "answers": lambda: answer_tree(ANSWERS, "aa", "ba"),
    "LSTM": lstm_cell,
    "LSTM of 1997": lambda: lstm_cell(forget_gate=False),
    "LSTM with peepholes": lambda: lstm_cell(peephole=True),
    "LSTM, a sum with its numbers": lambda: lstm_growing(0, x="part", g="1", before="0", after="1", written="1"),
    "LSTM, three gates with their numbers": lambda: lstm_growing(3, f="1", i="0", g="0", o="1", kept="1", h="0.76"),
    "two roads": two_roads,
    "GRU": gru_cell,
    "GRU, reset before": lambda: gru_cell(reset_after=False),
    **{f"GRU, {stage}": lambda stage=stage: gru_cell(stage=stage) for stage in STAGES},
    "slider": lambda: slider(0.8, 0.2, (0.9, 0.5, 0.1)),
    "two resets": two_resets,
    "scan": lambda: scan_tree([(0.5, 1), (0.5, 1), (1, 2), (0.5, 0)]),
    "paths": paths,
    "decision": lambda: decision(QUESTIONS, "a Transformer"),
    "block": block,
    "heads": heads,
    "three heads": lambda: heads(3),
    "cache": growing_cache,
    "two memories": two_memories,
    "three uses": three_uses,
}


def parse(drawing):
    return ET.fromstring(drawing.data)


@pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)
def test_a_drawing_has_a_title_and_stays_inside_its_frame(draw):
    svg = parse(draw())
    _, _, width, height = map(float, svg.get("viewBox").split())
    assert svg.find(f"{SVG}title").text
    corners = [(float(node.get("x")), float(node.get("y"))) for node in svg.iter() if node.get("x")]
    corners += [(float(node.get("cx")), float(node.get("cy"))) for node in svg.iter(f"{SVG}circle")]
    for head in svg.iter(f"{SVG}polygon"):
        corners += [tuple(map(float, point.split(","))) for point in head.get("points").split()]
    assert len(corners) > 12
    assert all(0 <= x <= width and 0 <= y <= height for x, y in corners)


def test_one_arrow_of_state_crosses_each_cut_and_no_arrow_of_gradient():
    svg = parse(truncation(3, 4))
    arrows = [node for node in svg.iter(f"{SVG}path") if "L" in node.get("d")]
    forward, backward = ([node for node in arrows if node.get("stroke") == color] for color in (BLUE, VERMILLION))
    assert len(forward) == 11
    assert len(backward) == 9


def test_checkpoints_keep_the_last_state_of_each_segment_until_it_has_been_run_again():
    svg = parse(checkpoints(3, 3))
    boxes = [node.get("stroke") for node in svg.iter(f"{SVG}rect")]
    assert boxes.count(BLUE) == 3 + 3 + 2                       # the forward pass, then the segments still to come
    assert boxes.count(VERMILLION) == 3 + 3                     # so at most 3 + 3 states at once, T / s + s


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_the_unrolled_graph_draws_each_step_and_the_folded_cell(steps):
    labels = ["".join(node.itertext()) for node in parse(unrolled_graph(steps)).iter(f"{SVG}text")]
    for t in ["t", *range(1, steps + 1)]:
        assert all(labels.count(f"{letter}{t}") == 1 for letter in "xhy")
    assert labels.count("U") == labels.count("V") == labels.count("W") == steps + 1


def labels_of(drawing):
    return ["".join(node.itertext()) for node in parse(drawing).iter(f"{SVG}text")]


def test_the_two_nights_show_what_the_recurrence_computes():
    labels = labels_of(two_nights())
    assert [label for label in labels if len(label) == 5 and label[1] == "."] == [
        "0.762", "0.363", "0.180", "0.000", "0.000", "0.762"]


@pytest.mark.parametrize("words", [("loop", "if", "x"), ("x", "loop", "if"), ("ab", "cd")])
def test_the_pack_that_is_drawn_is_torchs(words):
    pack = pack_sequence([torch.tensor([ord(letter) for letter in word]) for word in words], enforce_sorted=False)
    flat = [chr(code) for code in pack.data]
    labels = labels_of(packing(words))
    assert labels[labels.index("data") + 1 : -1] == flat
    assert [int(label) for label in labels if label.isdigit()] == pack.batch_sizes.tolist()
    assert [label for label in labels if "words" in label] == [f"words[{k}]" for k in pack.sorted_indices.tolist()]


@pytest.mark.parametrize("draw", [two_nights, two_units, output_and_state, both_directions, packing])
def test_a_drawing_of_the_plain_network_is_legible_on_a_phone(draw):
    svg = parse(draw())
    assert float(svg.get("width")) <= 560
    assert min(float(node.get("font-size")) for node in svg.iter(f"{SVG}text")) >= 13


def test_the_overview_of_the_plain_network_shows_the_drawing_that_the_code_draws():
    saved = Path(__file__).parents[2] / "book/_static/two-nights.svg"
    assert saved.read_text(encoding="utf-8").strip() == two_nights().data


@pytest.mark.parametrize("attention", [False, True])
def test_only_attention_reads_every_state_of_the_encoder(attention):
    svg = parse(encoder_decoder(attention))
    labels = ["".join(node.itertext()) for node in svg.iter(f"{SVG}text")]
    for letter, steps in {"x": 4, "h": 4, "s": 3}.items():
        assert all(labels.count(f"{letter}{k}") == 1 for k in range(1, steps + 1))
    assert [labels.count(f"a2{s}") for s in range(1, 5)] == [int(attention)] * 4


def test_a_lookup_writes_the_weights_and_their_mean():
    labels = ["".join(node.itertext()) for node in parse(lookup(WORDS, (0, 1), KEYS, VALUES)).iter(f"{SVG}text")]
    assert [labels.count("0.107"), labels.count("0.787"), labels.count("3.746")] == [2, 1, 1]


def test_a_tree_writes_the_probability_of_each_answer():
    labels = ["".join(node.itertext()) for node in parse(answer_tree(ANSWERS, "aa", "ba")).iter(f"{SVG}text")]
    assert [label for label in labels if label in ("0.30", "0.36", "0.04")] == ["0.30", "0.30", "0.36", "0.04"]


def test_the_overview_of_attention_shows_what_the_code_draws():
    assert (STATIC / "attention.svg").read_text(encoding="utf-8") == encoder_decoder(attention=True).data + "\n"


def widths(svg):
    return [float(node.get("stroke-width")) for node in svg.iter(f"{SVG}path")]


@pytest.mark.parametrize("forget_gate", [True, False])
def test_the_path_of_an_lstm_cell_is_the_thickest_line_and_meets_what_the_equation_says(forget_gate):
    svg = parse(lstm_cell(forget_gate=forget_gate))
    labels = ["".join(node.itertext()) for node in svg.iter(f"{SVG}text")]
    height = {"".join(node.itertext()): float(node.get("y")) for node in svg.iter(f"{SVG}text")}["ct"] - 5
    thickest = [node for node in svg.iter(f"{SVG}path") if float(node.get("stroke-width")) == max(widths(svg))]
    assert all(f",{height:.0f}" in node.get("d") for node in thickest)
    on_path = [node for node in svg.iter(f"{SVG}circle") if float(node.get("cy")) == height and node.get("stroke")]
    assert len(on_path) == 1 + forget_gate                     # c_t = f * c_{t-1} + …, or c_{t-1} + …
    assert len(thickest) == 1 + len(on_path)
    assert labels.count("σ") == 2 + forget_gate
    assert labels.count("forget") == forget_gate


@pytest.mark.parametrize("stage", range(4))
def test_a_growing_lstm_has_one_gate_more_at_each_stage_and_ends_as_the_whole(stage):
    labels = ["".join(node.itertext()) for node in parse(lstm_growing(stage, after="7")).iter(f"{SVG}text")]
    assert labels.count("σ") == stage
    assert labels.count("×") == stage
    assert labels.count("7") == 1
    whole, grown = (parse(drawing).findall(f"{SVG}path") for drawing in (lstm_cell(), lstm_growing(3)))
    assert [path.attrib for path in whole] == [path.attrib for path in grown]


def test_there_are_four_stages():
    with pytest.raises(ValueError, match="stage"):
        lstm_growing(4)


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_one_road_is_the_thick_line_and_the_other_is_dashed(steps):
    paths = list(parse(two_roads(steps)).iter(f"{SVG}path"))
    thick = [path for path in paths if float(path.get("stroke-width")) == 6]
    dashed = [path for path in paths if path.get("stroke-dasharray")]
    assert len(thick) == len(dashed) == 2 * (steps - 1)


def test_the_overview_of_the_lstm_shows_the_drawing_that_the_code_draws():
    saved = Path(__file__).parents[2] / "book/_static/lstm-cell.svg"
    assert saved.read_text(encoding="utf-8").strip() == lstm_cell().data


@pytest.mark.parametrize(("peephole", "lines"), [(True, 3), (False, 0)])
def test_peepholes_are_one_dashed_line_a_gate(peephole, lines):
    paths = parse(lstm_cell(peephole=peephole)).iter(f"{SVG}path")
    assert sum(node.get("stroke-dasharray") is not None for node in paths) == lines


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_resets_of_a_gru_differ_in_the_order_of_matrix_and_gate(reset_after):
    svg = parse(gru_cell(reset_after))
    labels = {"".join(node.itertext()): float(node.get("x")) for node in svg.iter(f"{SVG}text")}
    gate = min(float(node.get("cx")) for node in svg.iter(f"{SVG}circle") if node.get("stroke") == GATES["reset"])
    assert (labels["U"] < gate) == reset_after


def test_the_state_of_a_gru_has_the_thickest_line():
    widths = [float(node.get("stroke-width")) for node in parse(gru_cell()).iter(f"{SVG}path")]
    assert widths.count(max(widths)) == 3                       # to the gate, to the sum, to h_t


def test_each_stage_of_a_gru_adds_to_the_one_before():
    parts = [[node.tag + "".join(node.itertext()) for node in parse(gru_cell(stage=stage)).iter()] for stage in STAGES]
    assert len(parts[0]) < len(parts[1]) < len(parts[2])
    labels = [{"".join(node.itertext()) for node in parse(gru_cell(stage=stage)).iter(f"{SVG}text")}
              for stage in STAGES]
    assert labels[1] - labels[0] == {"U"}
    assert labels[2] - labels[1] == {"r", "reset"}


def test_a_slider_stands_at_the_new_state():
    svg = parse(slider(0.8, 0.2, (1, 0.25)))
    knobs = [float(node.get("cx")) for node in svg.iter(f"{SVG}circle")]
    labels = ["".join(node.itertext()) for node in svg.iter(f"{SVG}text")]
    assert knobs == [410, 150 + 260 / 4]
    assert "new state 0.8" in labels
    assert "0.35" in labels


def test_the_numbers_on_the_two_roads_are_those_of_the_equations():
    h, r, swap = np.array([1, -1]), np.array([1, 0]), np.array([[0, 1], [1, 0]])
    roads = [(h, r * h, swap @ (r * h), np.tanh(swap @ (r * h))),
             (h, swap @ h, r * (swap @ h), np.tanh(r * (swap @ h)))]
    labels = ["".join(node.itertext()) for node in parse(two_resets()).iter(f"{SVG}text")]
    drawn = [float(label.replace("−", "-")) for label in labels if label.lstrip("−").replace(".", "").isdigit()]
    assert drawn == [round(float(value), 2) for road in roads for station in road for value in station]


def test_a_scan_merges_steps_into_one_that_does_the_same():
    steps, h = [(0.5, 1), (0.25, 2), (1, 2), (0.5, 0)], 4.0
    labels = ["".join(node.itertext()) for node in parse(scan_tree(steps)).iter(f"{SVG}text")]
    factor, term = next(label for label in reversed(labels) if "·" in label).split(" · h + ")
    expected = h
    for a, b in steps:
        expected = a * expected + b
    assert float(factor) * h + float(term) == expected


def test_the_gru_overview_shows_the_drawing_that_the_code_draws():
    saved = Path(__file__).parents[2] / "book/_static/gru-two-roads.svg"
    assert saved.read_text(encoding="utf-8").strip() == two_resets().data


def test_the_front_page_shows_the_drawing_that_the_code_draws():
    saved = Path(__file__).parents[2] / "book/_static/unrolled-graph.svg"
    assert saved.read_text(encoding="utf-8").strip() == unrolled_graph().data


def test_the_front_page_shows_what_the_record_counts():
    late, default, orthogonal = (
        tuple(map(sum, zip(*part))) for part in zip(*(effects[1:] for effects in page_values("bptt-step-5-to-100"))))
    drawn = tally("Who names a bit that came 95 steps ago?", [
        ("PyTorch's weights, 100 updates", default), ("PyTorch's weights, 800 updates", late),
        ("orthogonal weights, 100 updates", orthogonal)])
    saved = Path(__file__).parents[2] / "book/_static/clue.svg"
    assert saved.read_text(encoding="utf-8").strip() == drawn.data


@pytest.mark.parametrize("steps", [4, 8, 16])
def test_the_marked_path_takes_a_map_a_step_one_a_doubling_or_one(steps):
    svg = parse(paths(steps))
    arrows = list(svg.iter(f"{SVG}polygon"))
    assert len(arrows) == (steps + 1) + (steps.bit_length() - 1) + 1      # a recurrence's way in and way out, too
    labels = ["".join(node.itertext()) for node in svg.iter(f"{SVG}text")]
    assert [f"{steps} maps on the way", f"{steps.bit_length() - 1} maps on the way", "1 map on the way"] == [
        label for label in labels if "on the way" in label]


def test_the_paths_are_legible_on_a_phone():
    svg = parse(paths())
    assert float(svg.get("width")) <= 343
    assert min(float(node.get("font-size")) for node in svg.iter(f"{SVG}text")) >= 13


def test_every_edge_of_a_flow_chart_is_a_link_and_every_arrow_has_one():
    svg = parse(decision(QUESTIONS, "a Transformer"))
    links = [(node.get("href"), "".join(node.itertext())) for node in svg.iter(f"{SVG}a")]
    assert links == [("#streaming", "yes"), ("#at-once", "no"), ("#field", "yes"), ("#reach", "no")]
    assert len(list(svg.iter(f"{SVG}polygon"))) == len(links)


def test_a_flow_chart_is_legible_on_a_phone():
    svg = parse(decision(QUESTIONS, "a Transformer"))
    assert float(svg.get("width")) <= 343                   # 375 pixels less the page's margins: no need to shrink it
    assert min(float(node.get("font-size")) for node in svg.iter(f"{SVG}text")) >= 12


def test_an_edge_of_a_flow_chart_may_lead_to_another_page():
    svg = parse(decision([("a stream?", ("yes", "cache.html#state"), "an LSTM", ("no", "reach"))], "a Transformer"))
    assert [node.get("href") for node in svg.iter(f"{SVG}a")] == ["cache.html#state", "#reach"]


def test_the_residual_line_of_a_block_is_the_thickest_and_only_post_norm_has_a_norm_on_it():
    svg = parse(block())
    widths = [float(node.get("stroke-width")) for node in svg.iter(f"{SVG}path")]
    assert widths.count(max(widths)) == 2                       # a line each
    rows = [float(node.get("y1") or node.get("d").split(",")[1].split(" ")[0])
            for node in svg.iter(f"{SVG}path") if float(node.get("stroke-width")) == max(widths)]
    norms = [float(node.get("y")) + float(node.get("height")) / 2 for node in svg.iter(f"{SVG}rect")
             if float(node.get("height")) == 28]
    assert [norms.count(row) for row in rows] == [2, 0]
    assert len(norms) == 4


@pytest.mark.parametrize("steps", [3, 5])
def test_a_causal_mask_lets_through_the_diagonal_and_what_is_below(steps):
    labels = ["".join(node.itertext()) for node in parse(growing_cache(steps)).iter(f"{SVG}text")]
    assert labels.count("✓") == steps * (steps + 1) // 2
    assert labels.count("−∞") == steps * (steps - 1) // 2
    assert labels.count("+") == steps


def test_the_overview_of_the_transformers_shows_the_drawing_that_the_code_draws():
    saved = Path(__file__).parents[2] / "book/_static/two-memories.svg"
    assert saved.read_text(encoding="utf-8").strip() == two_memories().data
