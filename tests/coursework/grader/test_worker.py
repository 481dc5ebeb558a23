"""What the worker makes of cells and results; it is tried here without a sandbox, on our own code."""

import numpy as np
import pytest
from coursework.grader import worker


@pytest.mark.parametrize("source", [
    "%matplotlib inline\nx = 1", "!ls\nx = 1", "x = 1\nx?\n?x\nx??",
    "if True:\n    %time y = 2\nx = 1", "files = !ls\nx = 1",
    "t = %timeit -o 1\nx = 1",
    "%%time\nx = 1", "\n\n%%capture out\nx = 1", "x = (5\n% 2)",
    "x = 1\ntext = '''\n%magic\n!shell\n'''\nassert text == '\\n%magic\\n!shell\\n'",
    "x = 1  # why?",
])
def test_magics_are_comments_and_everything_else_stays(source):
    namespace = {}
    assert worker.run_cells([source], namespace) == []
    assert namespace["x"] == 1


def test_a_cell_of_another_language_is_left_out():
    namespace = {}
    assert worker.run_cells(["%%bash\nx = 1", "%%html\n<b>", "%%writefile x.py\ny = 1"], namespace) == []
    assert not {"x", "y"} & set(namespace)


def test_a_cell_that_fails_stops_no_other():
    namespace = {}
    errors = worker.run_cells(["x = 1", "def f(:", "1 / 0", "raise SystemExit", "y = 2"], namespace)
    assert (namespace["x"], namespace["y"]) == (1, 2)
    assert [(error["cell"], error["type"]) for error in errors] == [
        (2, "SyntaxError"), (3, "ZeroDivisionError"), (4, "SystemExit")]
    assert [error["line"] for error in errors] == [1, 1, 1]


def test_a_message_shows_no_hidden_number():
    x = np.random.default_rng(0).normal(size=(2, 3))
    text = worker.one_line(f"got {x} and {x.tolist()} and {x[0, 0]!r} and {float(x[0, 0] * 1e-20)}, shapes (2, 3)")
    assert not any(str(abs(value))[:5] in text for value in x.flat)
    assert "1e" not in text
    assert "(2, 3)" in worker.one_line("shapes (2, 3) and 17 do not fit")
