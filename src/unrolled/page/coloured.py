"""A text whose characters carry a number each, shown as colour behind them."""

import html
import itertools

import numpy as np

from unrolled.page import display

LEVELS = 6                                      # shades on either side of zero; a run of one shade is one piece of HTML
STRONG = 0.5                                    # from here on a character is marked without colour, too
NEGATIVE, POSITIVE = "213, 94, 0", "0, 114, 178"            # Okabe-Ito's vermillion and blue
OPAQUE = 0.5                                    # at most: the page's own text colour stays legible, light or dark


def coloured(text, values, label):
    """Display a text with one colour behind the characters of negative values and another behind the positive ones.

    Vermillion is negative, blue is positive, and no colour is zero. Strongly negative characters are underlined with
    dots and strongly positive ones with a line, so that nothing is told by colour alone. A line break is shown as ↵.
    Where no HTML can be shown, a row of signs stands below each line of the text.

    Args:
        text: what was read.
        values: one number a character, from -1 to 1; what lies beyond is shown like the end of the scale.
        label: what the numbers are, for those who hear it, such as "activation of unit 7 over a line of Python".

    Raises:
        ValueError: another number of values than of characters, a value that is not finite, or an empty text or label.
    """
    values = np.asarray(values, np.float64)
    if not text or not label.strip():
        raise ValueError("coloured needs a text and a label, got an empty one")
    if values.shape != (len(text),):
        raise ValueError(f"expected one value for each of {len(text)} characters, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite")
    values = values.clip(-1, 1)
    shades = np.rint(values * LEVELS).astype(int).tolist()
    parts, at = [], 0
    for shade, run in itertools.groupby(shades):
        length = len(list(run))
        shown = html.escape(text[at : at + length]).replace("\n", "↵\n")
        parts.append(f'<span style="{style}">{shown}</span>' if (style := _style(shade)) else shown)
        at += length
    box = ("font-family: monospace; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.7; "
           "padding: 0.5em 0.8em; border: 1px solid rgba(127, 127, 127, 0.4); border-radius: 6px")
    spoken = f"{label}. Strongly negative: {_spoken(text, values < -STRONG)}. " \
             f"Strongly positive: {_spoken(text, values > STRONG)}."
    display._put({"text/html": f'<pre class="coloured" role="img" aria-label="{html.escape(spoken)}" style="{box}">'
                               f'{"".join(parts)}</pre>',
                  "text/plain": _signs(text, values, label)}, otherwise=_signs(text, values, label))


def _style(shade):
    """The CSS of a shade from -LEVELS to LEVELS; none for zero."""
    if shade == 0:
        return ""
    colour = NEGATIVE if shade < 0 else POSITIVE
    style = f"background: rgba({colour}, {OPAQUE * abs(shade) / LEVELS:.2f})"
    if abs(shade) > STRONG * LEVELS:
        style += f"; border-bottom: 2px {'dotted' if shade < 0 else 'solid'} rgb({colour})"
    return style


def _spoken(text, marked, most=12):
    """The marked stretches of the text, the first few of them."""
    runs = ["".join(char for char, _ in run) for mark, run in itertools.groupby(zip(text, marked), lambda pair: pair[1])
            if mark]
    words = [" ".join(run.split()) or ("line break" if "\n" in run else "space") for run in runs]
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "") or "nothing"


def _signs(text, values, label):
    """The text, and below each line + and - for strong values, a dot for the others."""
    marks = "".join("+" if value > STRONG else "-" if value < -STRONG else "." for value in values)
    lines, at = [label], 0
    for line in text.split("\n"):
        lines += [line, marks[at : at + len(line)]]
        at += len(line) + 1
    return "\n".join(lines)
