"""`show`, `table` and `claim`: what reaches a notebook, what reaches a terminal, and what is refused."""

import functools
import math
import sys
import types

import bs4
import numpy as np
import pytest

from unrolled import verdicts
from unrolled.page import display
from unrolled.verdicts import all_of, effect


class Sample:
    """A class with something of everything."""

    def method(self, x):
        """Double it.

        At length.
        """

        return 2 * x

    @property
    def size(self):
        return 3

    def only_documented(self):
        """Nothing but this."""

    def one_line(self): "kept, it shares the line"; return 1  # noqa: E702


def fenced():
    """Holds a fence: ```."""
    return "````"


@pytest.fixture
def notebook(monkeypatch):
    """A stand-in for a kernel: returns the list of displayed bundles."""
    shown = []
    fake = types.SimpleNamespace(
        get_ipython=lambda: types.SimpleNamespace(kernel=object()),
        display=types.SimpleNamespace(display=lambda bundle, raw: shown.append(bundle)),
    )
    monkeypatch.setitem(sys.modules, "IPython", fake)
    return shown


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)


def test_show_prints_the_source_in_a_terminal(terminal, capsys):
    assert display.show(Sample.method) is None
    out = capsys.readouterr().out
    assert out.startswith("def method(self, x):\n    ")
    assert "Double it." in out
    assert out.endswith("return 2 * x\n")


def test_show_without_docstrings_still_compiles_and_keeps_the_code(terminal, capsys):
    display.show(Sample, docstring=False)
    out = capsys.readouterr().out
    assert "Double it" not in out
    assert "something of everything" not in out
    assert "Nothing but this." in out, "a body must not become empty"
    assert "kept, it shares the line" in out
    assert "def method(self, x):\n        return 2 * x\n" in out, "the blank line after a docstring goes with it"
    space = {}
    exec(out, space)
    assert space["Sample"]().method(4) == 8


@pytest.mark.parametrize("obj", [Sample, Sample.method, Sample.size, Sample().method, display, fenced],
                         ids=["class", "function", "property", "bound method", "module", "with a fence"])
def test_show_gives_a_notebook_a_fence_that_its_source_cannot_close(notebook, obj):
    display.show(obj)
    (bundle,) = notebook
    opening, *lines, closing = bundle["text/markdown"].split("\n")
    assert opening == closing + "python"
    assert set(closing) == {"`"}
    assert closing not in "\n".join(lines)


def test_show_joins_several_objects_and_names_them(notebook):
    display.show(Sample.method, fenced)
    (bundle,) = notebook
    assert "return 2 * x\n\n\ndef fenced" in bundle["text/markdown"]
    assert bundle["text/plain"].startswith("source of ")
    assert "Sample.method, " in bundle["text/plain"]
    assert bundle["text/plain"].endswith(".fenced")


@pytest.mark.parametrize("obj", [3, "text", None, len, math.sin, dict, Sample(), functools.partial(fenced)],
                         ids=lambda obj: type(obj).__name__)
def test_show_refuses_what_has_no_source(obj):
    with pytest.raises(TypeError, match="show needs a function, class or module written in Python, got"):
        display.show(obj)


@pytest.mark.parametrize("holds", [True, np.True_, np.array(True)], ids=["bool", "numpy scalar", "0-d array"])
def test_claim_carries_its_row_in_a_bundle(notebook, holds):
    display.claim("order-matters", "0.51 against 0.99", holds)
    (bundle,) = notebook
    row = {"key": "order-matters", "figure": "0.51 against 0.99", "verdict": "holds", "kind": "exact", "basis": "exact"}
    assert bundle[display.CLAIM_MIME] == row
    assert bundle["text/markdown"] == "**holds** · measured: 0.51 against 0.99 · exact · claim `order-matters`"


@pytest.mark.parametrize(("holds", "when", "verdict"), [(True, None, "holds"), (True, "n < d", "holds if n < d"),
                                                  (False, None, "does not hold"), (np.False_, None, "does not hold")])
def test_claim_verdict(terminal, capsys, holds, when, verdict):
    display.claim("a-claim-2", "3 of 4", holds, when=when)
    assert capsys.readouterr().out == f"{verdict} · measured: 3 of 4 · exact · claim a-claim-2\n"


def test_a_claim_without_a_measurement_says_so_and_what_is_missing(terminal, capsys):
    display.claim("a-claim-3", "no GPU at hand", None)
    assert capsys.readouterr().out == "not measured yet · no GPU at hand · exact · claim a-claim-3\n"


def test_a_claim_of_history_is_cited_and_has_no_verdict_of_ours(terminal, capsys):
    display.claim("k", "the forget gate: Gers 2000", kind="cited")
    assert capsys.readouterr().out == "cited · the forget gate: Gers 2000 · cited · claim k\n"
    with pytest.raises(TypeError, match="what is cited is not measured"):
        display.claim("k", "f", True, "cited")


WIDE, NARROW = effect([0.0, 1.0, 1.0], margin=0.5), effect([0.9, 1.0, 1.1], margin=0.5)


@pytest.mark.parametrize(("holds", "options", "line"), [
    (NARROW, {}, "holds · measured: f · trained, 3 seeds · claim k"),
    (NARROW, {"when": "n < d"}, "holds if n < d · measured: f · trained, 3 seeds · claim k"),
    (WIDE, {"when": "n < d"}, "undecided · measured: f · trained, 3 seeds · claim k"),
    (all_of(NARROW, WIDE), {}, "undecided · measured: f · trained, 3 seeds · claim k"),
    (NARROW, {"here": NARROW}, "holds · measured: f · trained, 3 seeds · claim k"),
    (NARROW, {"here": WIDE}, f"holds · measured: f · this run: undecided, {WIDE} · trained, 3 seeds · claim k"),
    (None, {}, "not measured yet · f · trained · claim k"),
])
def test_claim_where_training_decides(terminal, capsys, holds, options, line):
    display.claim("k", "f", holds, "trained", **options)
    assert capsys.readouterr().out == f"{line}\n"


def test_claim_that_says_only_what_it_found_takes_verdict_and_figures_from_the_record(terminal, capsys, monkeypatch):
    display.claim("k", "{0.mean:.1f}: {0}", kind="trained", here=WIDE)
    line = f"not measured yet · 0.7: {WIDE} · this run: undecided, {WIDE} · trained · claim k\n"
    assert capsys.readouterr().out == line
    monkeypatch.setattr(verdicts.studies, "page_values", lambda _: [[NARROW.groups], [NARROW.groups]])
    display.claim("k", "{0.mean:.1f}", kind="trained", here=WIDE)
    line = f"holds · measured: 1.0 · this run: undecided, {WIDE} · trained, 6 seeds · claim k\n"
    assert capsys.readouterr().out == line


def test_claim_where_the_machine_decides(terminal, capsys):
    display.claim("k", "f", True, "timed", on="AMD EPYC")
    assert capsys.readouterr().out == "holds, on AMD EPYC · measured: f · timed · claim k\n"


@pytest.mark.parametrize("holds", [False, None])
def test_a_condition_of_what_does_not_hold_is_left_out_and_stops_nothing(terminal, capsys, holds):
    display.claim("k", "f", holds, when="n < d")
    assert "n < d" not in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((3, "f", True), TypeError, "key must be text, got int"),
    (("k", 0.37, True), TypeError, "figure must be text, got float"),
    (("k", "f", True, "exact", 5), TypeError, "when must be text, got int"),
    (("k", "f", 1), TypeError, "holds must be a bool"),
    (("k", "f", "yes"), TypeError, "holds must be a bool"),
    (("k", "f", np.array([True])), TypeError, "holds must be a bool"),
    (("k", "f", np.float64(1)), TypeError, "holds must be a bool"),
    (("k", "f", NARROW), TypeError, "holds must be a bool"),
    (("k", "f", True, "trained"), TypeError, "holds must be an effect"),
    (("k", "f", True, "drawn"), TypeError, "holds must be an effect"),
    (("k", "f", NARROW, "trained", None, None, True), TypeError, "here must be an effect"),
    (("k", "f", True, "exact", None, None, True), TypeError, "here must be an effect"),
    (("", "f", True), ValueError, "key must be one line"),
    (("k", "two\nlines", True), ValueError, "figure must be one line"),
    (("k", "f", True, "exact", " "), ValueError, "when must be one line"),
    (("Not a key", "f", True), ValueError, "lower case words"),
    (("k", "f", True, "measured"), ValueError, "kind must be one of exact, rounding, trained, drawn, timed"),
])
def test_claim_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        display.claim(*arguments)


# table


ROWS = [("state < 4 kB", "stream", ["1", "22"]), ("depth", "depth", ["256", "12"])]


def test_table_gives_a_notebook_links_and_every_cell(notebook):
    display.table("Costs", ["layer", "LSTM", "Transformer"], ROWS)
    [bundle] = notebook
    soup = bs4.BeautifulSoup(bundle["text/html"], "html.parser")
    assert soup.div["aria-label"] == "Costs"
    assert [(link["href"][1:], link.text) for link in soup.find_all("a")] == [(to, name) for name, to, _ in ROWS]
    assert [[cell.text for cell in row.find_all("td")] for row in soup.tbody.find_all("tr")] == [row[2] for row in ROWS]


def test_a_unit_stands_below_the_name_of_its_row(notebook):
    display.table("Costs", ["layer", "LSTM"], [("state\nbytes, width 64", "stream", ["512"])])
    name = bs4.BeautifulSoup(notebook[0]["text/html"], "html.parser").tbody.th
    assert (name.a.text, name.small.text) == ("state", "bytes, width 64")
    assert "state, bytes, width 64  512" in notebook[0]["text/plain"]


def test_table_prints_aligned_columns_in_a_terminal(terminal, capsys):
    display.table("Costs", ["layer", "LSTM", "Transformer"], ROWS)
    head, state, depth = capsys.readouterr().out.splitlines()
    assert head.index("Transformer") == state.index("22") == depth.index("12")


def test_table_refuses_a_column_without_a_title(terminal):
    with pytest.raises(ValueError, match="every column must have a title, got"):
        display.table("Costs", ["", "LSTM"], ROWS[:1])


def test_table_refuses_a_row_of_another_length(terminal):
    with pytest.raises(ValueError, match="row 'depth' must have 1 cells, got 2"):
        display.table("Costs", ["layer", "LSTM"], ROWS[1:])


@pytest.mark.parametrize(("target", "address"), [
    ("state", "#state"), ("cache.html", "cache.html"), ("cache.html#state", "cache.html#state"),
])
def test_a_row_leads_to_an_anchor_or_to_another_page(notebook, target, address):
    display.table("Costs", ["layer", "LSTM"], [("state", target, ["512"])])
    assert bs4.BeautifulSoup(notebook[0]["text/html"], "html.parser").a["href"] == address


def test_numbers_for_a_figure_are_plain_and_rounded(notebook):
    display.to_touch("two-words", weights=np.array([[1 / 3, 2.0]]), letters=["a", "b"], steps=(1, 20000))
    [bundle] = notebook
    assert bundle[display.TOUCH_MIME] == {"key": "two-words", "numbers": {
        "weights": [[0.3333, 2.0]], "letters": ["a", "b"], "steps": [1, 20000]}}


@pytest.mark.parametrize(("key", "numbers"), [("Two Words", {"x": 1}), ("words", {}), ("words", {"x": math.nan}),
                                              ("words", {"x": np.array([1, np.inf])})])
def test_numbers_that_no_browser_reads_are_refused(key, numbers, notebook):
    with pytest.raises(ValueError, match="hyphens|JSON"):
        display.to_touch(key, **numbers)
    assert not notebook
