"""One look for every figure: Okabe-Ito colours, a model keeps its own, and never colour alone."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

from unrolled.training import interval

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, GREY = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F",
)
MODELS = {"RNN": BLUE, "LSTM": VERMILLION, "GRU": GREEN, "TCN": PURPLE, "Transformer": ORANGE, "baseline": GREY}
GATES = {"forget": VERMILLION, "input": GREEN, "output": BLUE, "candidate": PURPLE, "update": ORANGE, "reset": SKY}
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1))]
MARKERS = ["o", "s", "^", "D", "v", "P"]


def use_style():
    """Set the style for this process, SVG output for notebooks, and one thread for torch."""
    plt.style.use(Path(__file__).with_name("unrolled.mplstyle"))
    torch.set_num_threads(1)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # a plain script
        return
    set_matplotlib_formats("svg")


def band(ax, x, runs, label, index=0, color=None, marker=True):
    """Draw the mean over seeds with its 95 % interval, named at the right end of the line.

    Args:
        ax: axes.
        x: (n,).
        runs: one row a seed, (seeds, n).
        label: the name at the end of the line.
        index: picks colour, dashes and marker together, so that no line is told by colour alone.
        color: instead of the colour of `index`.
        marker: draw a marker at every x.

    Returns:
        The line's mean, (n,).
    """
    color = color or list(MODELS.values())[index % len(MODELS)]
    mean, half = interval(runs)
    ax.fill_between(x, mean - half, mean + half, color=color, alpha=0.2, linewidth=0)
    ax.plot(x, mean, color=color, linestyle=DASHES[index % len(DASHES)],
            marker=MARKERS[index % len(MARKERS)] if marker else None)
    name_line(ax, x, mean, label, color)
    return mean


def name_line(ax, x, y, label, color, dy=0):
    """Write a line's name beside its last point; `dy` moves it, in points."""
    ax.annotate(label, (np.asarray(x)[-1], np.asarray(y)[-1]), xytext=(7, dy), textcoords="offset points",
                va="center", color=color, annotation_clip=False)


def counts(ax, table, rows, columns, most):
    """Draw a table of counts, darker for more.

    Args:
        ax: matplotlib axes.
        table: the counts, (rows, columns).
        rows, columns: what they are called.
        most: the count of the darkest cell.
    """
    ax.imshow(table, cmap="Greens", vmin=0, vmax=1.6 * most, aspect="auto")            # light enough for dark numbers
    for (row, column), count in np.ndenumerate(table):
        ax.text(column, row, count, ha="center", va="center", color="#222222")
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(False)
    ax.tick_params(length=0)


def dots(ax, rows, colors=None):
    """A dot plot: one row a model, one mark a seed, and the mean with its 95 % interval.

    Args:
        ax: axes; the quantity runs along x, the first row is on top.
        rows: values a seed by the row's name.
        colors: colour by name; a model of `MODELS` has its own, anything else is grey.

    Returns:
        (mean, half-width) by name; a row of one value (nothing is trained) has half-width 0.

    Raises:
        ValueError: a row without values, or with several that are not all finite.
    """
    if empty := [name for name, values in rows.items() if len(values) == 0]:
        raise ValueError(f"every row needs at least one value, got none for {', '.join(empty)}")
    colors = {**MODELS, **(colors or {})}
    summary = {}
    for height, (name, values) in enumerate(rows.items()):
        color = colors.get(name, GREY)
        summary[name] = interval(values) if len(values) > 1 else (float(values[0]), 0.0)
        ax.plot(values, [height] * len(values), MARKERS[height % len(MARKERS)], color=color, alpha=0.5)
        ax.errorbar(*summary[name][:1], height, xerr=summary[name][1], fmt="|", color=color, capsize=4, markersize=15)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    return summary
