"""Figures, tested by the data and the marks they hold."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from unrolled.page import plots
from unrolled.training import interval

RUNS = np.array([[1.0, 2.0, 4.0], [2.0, 2.5, 3.0], [3.0, 2.0, 2.0]])


@pytest.fixture
def ax():
    with mpl.rc_context():
        plots.use_style()
        figure, ax = plt.subplots()
        yield ax
        plt.close(figure)


def test_the_style_sets_one_thread_and_a_clear_ground(ax):
    assert torch.get_num_threads() == 1
    assert mpl.rcParams["savefig.transparent"] is True


def test_no_two_models_and_no_two_gates_share_a_colour():
    for colours in (plots.MODELS, plots.GATES):
        assert len(set(colours.values())) == len(colours)


def test_lines_differ_by_more_than_colour():
    assert len({str(dash) for dash in plots.DASHES}) == len(plots.DASHES) >= len(plots.MODELS)
    assert len(set(plots.MARKERS)) == len(plots.MARKERS) >= len(plots.MODELS)


def test_a_band_shows_mean_and_interval_and_writes_the_name_at_its_end(ax):
    x = [10, 20, 30]
    returned = plots.band(ax, x, RUNS, "GRU", index=2)
    mean, half = interval(RUNS)
    assert np.array_equal(returned, mean)
    (drawn,) = ax.lines
    assert np.array_equal(drawn.get_xydata(), np.column_stack([x, mean]))
    assert to_hex(drawn.get_color()).upper() == plots.MODELS["GRU"]
    assert drawn.get_linestyle() == plots.DASHES[2]
    assert drawn.get_marker() == plots.MARKERS[2]
    (shade,) = ax.collections
    heights = shade.get_paths()[0].vertices
    assert heights[:, 1].min() == pytest.approx((mean - half).min())
    assert heights[:, 1].max() == pytest.approx((mean + half).max())
    (name,) = ax.texts
    assert name.get_text() == "GRU"
    assert name.xy == (30, mean[-1])


def test_two_bands_differ_in_colour_dash_and_marker(ax):
    for index in (0, 1):
        plots.band(ax, [1, 2, 3], RUNS, f"line {index}", index)
    one, other = ax.lines
    assert one.get_color() != other.get_color()
    assert one.get_linestyle() != other.get_linestyle()
    assert one.get_marker() != other.get_marker()


def test_a_band_without_markers_in_a_colour_of_ones_own(ax):
    plots.band(ax, [1, 2, 3], RUNS, "line", color=plots.GREY, marker=False)
    assert ax.lines[0].get_marker() in (None, "None")
    assert to_hex(ax.lines[0].get_color()).upper() == plots.GREY


def test_a_name_can_be_moved_off_another(ax):
    plots.name_line(ax, [1, 2], [3, 4], "a", "red")
    plots.name_line(ax, [1, 2], [3, 4], "b", "red", dy=9)
    assert [text.xyann for text in ax.texts] == [(7, 0), (7, 9)]


def test_counts_are_written_in_their_cells_and_darker_for_more(ax):
    plots.counts(ax, np.array([[0, 5, 3]]), ["only"], ["a", "b", "c"], most=5)
    assert [text.get_text() for text in ax.texts] == ["0", "5", "3"]
    assert [label.get_text() for label in (*ax.get_xticklabels(), *ax.get_yticklabels())] == ["a", "b", "c", "only"]
    [image] = ax.images
    none, all_of_them, some = image.cmap(image.norm(image.get_array()[0]))[:, :3].sum(1)
    assert all_of_them < some < none


def test_dots_show_every_seed_the_mean_and_its_interval_first_row_on_top(ax):
    rows = {"RNN": [0.5, 0.7, 0.9], "GRU": [0.8, 0.9], "chance": [0.1]}
    summary = plots.dots(ax, rows, {"GRU": "#000000"})
    assert summary["RNN"] == interval(rows["RNN"])
    assert summary["chance"] == (0.1, 0.0)
    seeds = [line for line in ax.lines if len(line.get_xdata()) and line.get_marker() in plots.MARKERS]
    assert [list(line.get_xdata()) for line in seeds] == list(rows.values())
    assert [set(line.get_ydata()) for line in seeds] == [{0}, {1}, {2}]
    assert [to_hex(line.get_color()).upper() for line in seeds] == [plots.MODELS["RNN"], "#000000", plots.GREY]
    assert [text.get_text() for text in ax.get_yticklabels()] == list(rows)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    spreads = [container.lines[2][0].get_segments()[0][:, 0] for container in ax.containers]
    for (low, high), (mean, half) in zip(spreads, summary.values()):
        assert (low, high) == pytest.approx((mean - half, mean + half))


@pytest.mark.parametrize(("draw", "message"), [
    (lambda ax: plots.band(ax, [1, 2, 3], RUNS[:1], "RNN"), "an interval needs at least two seeds, got shape (1, 3)"),
    (lambda ax: plots.band(ax, [1, 2, 3], RUNS * np.nan, "RNN"), "values must be finite"),
    (lambda ax: plots.dots(ax, {"RNN": [0.5, 0.7], "GRU": []}), "every row needs at least one value, got none for GRU"),
    (lambda ax: plots.dots(ax, {"RNN": [0.5, np.inf]}), "values must be finite"),
], ids=["one seed", "NaN", "empty row", "inf"])
def test_what_cannot_be_drawn_is_named(ax, refuses, draw, message):
    with refuses(ValueError, message):
        draw(ax)
