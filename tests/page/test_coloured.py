"""`coloured`: every character once, a colour by its sign, and something that is no colour beside it."""

import sys
import types

import bs4
import numpy as np
import pytest

from unrolled.page.coloured import coloured


@pytest.fixture
def shown(monkeypatch):
    """A stand-in for a kernel: the list of displayed bundles."""
    bundles = []
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(
        get_ipython=lambda: types.SimpleNamespace(kernel=object()),
        display=types.SimpleNamespace(display=lambda bundle, raw: bundles.append(bundle))))
    return bundles


def spans(bundle):
    return {span.text: span["style"] for span in bs4.BeautifulSoup(bundle["text/html"], "html.parser")("span")}


def test_every_character_is_there_once_and_a_line_break_is_seen(shown):
    text = "if a < b:\n    c &= 'x'"
    coloured(text, np.linspace(-1, 1, len(text)), "a ramp")
    soup = bs4.BeautifulSoup(shown[0]["text/html"], "html.parser")
    assert soup.text == text.replace("\n", "↵\n")


def test_the_sign_decides_the_colour_and_zero_has_none(shown):
    coloured("abc", [-1, 0, 1], "three")
    found = spans(shown[0])
    assert all(part in found["a"] for part in ("213, 94, 0", "dotted"))
    assert all(part in found["c"] for part in ("0, 114, 178", "solid"))
    assert "b" not in found


def test_a_larger_value_is_darker_and_a_weak_one_has_no_line(shown):
    coloured("abc", [0.2, 0.9, 7], "three")
    weak, strong, beyond = spans(shown[0]).values()
    assert ["border" in style for style in (weak, strong, beyond)] == [False, True, True]
    alpha = [float(style.partition("178, ")[2].partition(")")[0]) for style in (weak, strong, beyond)]
    assert alpha[0] < alpha[1] < alpha[2] <= 0.55


def test_the_colours_can_be_heard(shown):
    coloured('x = "on"\n', [0, 0, 0, 0, 0.9, 0.9, 0.9, 0.9, -0.8], "unit 3")
    spoken = bs4.BeautifulSoup(shown[0]["text/html"], "html.parser").find(role="img")["aria-label"]
    assert spoken == 'unit 3. Strongly negative: line break. Strongly positive: "on".'


def test_a_terminal_gets_signs_below_the_text(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    coloured("ab\nc", [0.9, 0.1, 0, -0.9], "unit 3")
    assert capsys.readouterr().out == "unit 3\nab\n+.\nc\n-\n"


@pytest.mark.parametrize(("text", "values", "label", "message"), [
    ("ab", [0.1], "unit", "one value for each of 2 characters"),
    ("ab", [0.1, np.nan], "unit", "finite"),
    ("", [], "unit", "an empty one"),
    ("a", [0.1], " ", "an empty one"),
])
def test_what_does_not_fit_is_refused(text, values, label, message):
    with pytest.raises(ValueError, match=message):
        coloured(text, values, label)
