"""Every assignment, public variant and random ones: solvable, not for nothing, and fair to each kind of bug."""

import ast
import functools
import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from coursework.family import tape, variants
from coursework.family.assignment import Direct, Lost
from notebook_form import chapter_of, pages

HERE = Path(__file__).parent
PRACTICE = HERE.parents[1] / "coursework/practice"
NAMES = sorted(path.stem for path in PRACTICE.glob("[a-z]*.py"))
DRAWN = 12


@functools.cache
def assignment(name):
    return importlib.import_module(f"coursework.assignments.{name}").ASSIGNMENT


@functools.cache
def drawn(name):
    """The specimen and some variants that terms may get."""
    return [dict(assignment(name).specimen)] + [variants.draw(assignment(name), f"term {k}") for k in range(DRAWN)]


@functools.cache
def solution(name):
    return (PRACTICE / f"{name}.py").read_text()


def mutants(name):
    spec = importlib.util.spec_from_file_location(f"mutants_{name}", HERE / f"mutants/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.MUTANTS


def defined(source):
    namespace = {}
    exec(compile(source, "<submission>", "exec", dont_inherit=True), namespace)
    return namespace


def graded(name, variant, student, seed=0):
    """Row -> (fraction earned, message)."""
    marks = {}
    with np.errstate(all="ignore"):                       # a student's overflow is no error of ours
        for k, row in enumerate(assignment(name).rows):
            try:
                row.check(student, np.random.default_rng([seed, k]), variant)
                marks[row.name] = 1.0, ""
            except Lost as lost:
                marks[row.name] = lost.earned, lost.message
    return marks


def points(name, marks):
    return sum(row.points * marks[row.name][0] for row in assignment(name).rows)


def full(name):
    return sum(row.points for row in assignment(name).rows)


def test_every_module_has_practice_and_mutants():
    folders = ("coursework/assignments", "coursework/practice", "tests/coursework/mutants")
    listed = [sorted(path.stem for path in (HERE.parents[1] / folder).glob("[a-z]*.py")) for folder in folders]
    assert listed[0] == listed[1] == listed[2] == NAMES
    assert NAMES == ["attention", "bptt", "gru", "lstm", "rnn", "transformers"]


@pytest.mark.parametrize("name", NAMES)
def test_rows_points_and_family(name):
    it = assignment(name)
    assert it.name == name
    assert it.chapter in {chapter_of(path) for path in pages()}
    assert 8 <= len(it.rows) <= 15
    assert full(name) + it.written(it.specimen)[2] == 100
    assert len({row.name for row in it.rows}) == len(it.rows)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.name) for row in it.rows)
    assert set(it.axes) == set(it.specimen)
    assert all(it.specimen[axis] in values and len(set(values)) == len(values) for axis, values in it.axes.items())
    assert np.prod([len(values) for values in it.axes.values()]) >= 48


@pytest.mark.parametrize("name", NAMES)
def test_secrets_rarely_share_a_variant_and_never_get_the_public_one(name):
    it = assignment(name)
    found = [variants.draw(it, f"secret {k}") for k in range(400)]
    assert dict(it.specimen) not in found
    same = np.mean([a == b for a, b in zip(found[::2], found[1::2])])
    assert same < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_submission_earns_every_point_of_every_variant(name):
    for k, variant in enumerate(drawn(name)):
        source = assignment(name).reference(variant)
        assert {node.names[0].name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import)} == {"numpy"}
        marks = graded(name, variant, Direct(defined(source)), seed=k)
        assert all(mark == (1.0, "") for mark in marks.values()), (variant, marks)


@pytest.mark.parametrize("name", NAMES)
def test_the_statement_is_a_notebook_that_earns_nothing_as_it_is(name):
    it = assignment(name)
    for variant in drawn(name):
        cells = it.statement(variant)
        nbformat.validate(nbformat.v4.new_notebook(cells=cells))
        graders = {cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader for cell in cells}
        assert len(graders) == len(cells)
        marked = {grade_id: m["points"] for grade_id, m in graders.items() if m["grade"]}
        assert marked == {row.name: row.points for row in it.rows} | {"written": it.written(variant)[2]}
        assert {grade_id for grade_id, m in graders.items() if m["solution"]} == {*it.functions, "written"}
        assert all(m["locked"] != m["solution"] and m["schema_version"] == 3 for m in graders.values())
        source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        assert "assert" not in source
        for signature in it.functions.values():
            assert f"def {signature}:" in source
        if variant in drawn(name)[:2]:
            marks = graded(name, variant, Direct(defined(source)))
            assert points(name, marks) == 0
            assert all("NotImplementedError" in message for _, message in marks.values())
        text = "\n".join(cell.source for cell in cells)
        assert text.count("<details>") == text.count("</details>") >= 2
        assert "{" not in "".join(line for line in text.splitlines() if line.startswith("|") and "$" not in line)


@pytest.mark.parametrize("name", NAMES)
def test_statements_of_different_variants_differ(name):
    it = assignment(name)
    for _, other in variants.neighbours(it.axes, it.specimen):
        assert [c.source for c in it.statement(other)] != [c.source for c in it.statement(it.specimen)], other


@pytest.mark.parametrize("name", NAMES)
def test_the_practice_solution_earns_every_point_for_several_seeds(name):
    for seed in range(4):
        marks = graded(name, dict(assignment(name).specimen), Direct(defined(solution(name))), seed)
        assert all(mark == (1.0, "") for mark in marks.values()), marks


class Zeros:
    """Answers zeros of the right shapes: what the right function returns, times nothing."""

    def __init__(self, inner, factor=0.0):
        self.inner, self.factor = inner, factor

    def call(self, function, /, **arguments):
        return {name: self.factor * value for name, value in self.inner.call(function, **arguments).items()}


@pytest.mark.parametrize("name", NAMES)
def test_zeros_and_ones_of_the_right_shapes_earn_nothing(name):
    student = Zeros(Direct(defined(solution(name))))
    assert points(name, graded(name, dict(assignment(name).specimen), student)) == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_of_a_neighbouring_variant_loses_points_and_is_named(name):
    it = assignment(name)
    named, asked = 0, 0
    for axis, other in variants.neighbours(it.axes, it.specimen):
        marks = graded(name, dict(it.specimen), Direct(defined(it.reference(other))))
        assert points(name, marks) <= 0.95 * full(name), (axis, other[axis])
        asked += not any("raised" in message for _, message in marks.values())      # for want of a weight of its own
        named += any("It looks like this" in message for _, message in marks.values())
    assert named >= 0.7 * asked


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_of_one_term_is_none_of_the_next(name):
    it = assignment(name)
    for this, last in zip(drawn(name)[2:5], drawn(name)[1:4]):
        if this != last:
            marks = graded(name, this, Direct(defined(it.reference(last))))
            assert points(name, marks) <= 0.95 * full(name), (this, last)


class Spy:
    """Passes every call on, and remembers the numbers that went in."""

    def __init__(self, inner):
        self.inner, self.seen = inner, []

    def call(self, function, /, **arguments):
        def remember(value):
            if isinstance(value, dict):
                for entry in value.values():
                    remember(entry)
            elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
                self.seen.append(np.abs(value).ravel())

        remember(arguments)
        return self.inner.call(function, **arguments)

    def gave_away(self, message):
        """Whether a number in the message, to its digits, is one that went in."""
        seen = np.concatenate(self.seen)
        return [number for number in re.findall(r"\d+\.\d\d+", message)
                if (np.abs(seen - float(number)) <= 0.5 * 10.0 ** -len(number.split(".")[1])).any()]


@pytest.mark.parametrize("name", NAMES)
def test_hand_made_bugs_lose_points_only_in_their_own_rows_and_are_told_no_hidden_value(name):
    bugs, source = mutants(name), solution(name)
    assert len(bugs) >= 20
    rows = {row.name for row in assignment(name).rows}
    survived = []
    for old, new, own in bugs:
        assert source.count(old) == 1, f"{old!r} is in the practice solution {source.count(old)} times"
        assert own <= rows, own - rows
        student = Spy(Direct(defined(source.replace(old, new))))
        marks = graded(name, dict(assignment(name).specimen), student)
        lost = {row for row, (earned, _) in marks.items() if earned < 1}
        assert lost <= own, (new, lost - own, marks)
        if not lost:
            survived.append(new)
        for _, message in marks.values():
            assert len(message) < 600
            assert not student.gave_away(message), message
    assert len(survived) <= 0.05 * len(bugs), survived


def test_the_spy_would_see_a_value():
    student = Spy(Direct({"forward": lambda x: {"y": x}}))
    student.call("forward", x=np.array([0.123456, -4.5678]))
    assert student.gave_away("is 4.57, expected 1.00") == ["4.57"]
    assert not student.gave_away("of 3.21")


class Styled:
    """A right solution in another style: arguments and results pass through a function."""

    def __init__(self, inner, before, after):
        self.inner, self.before, self.after = inner, before, after

    def call(self, function, /, **arguments):
        result = self.inner.call(function, **{name: self.before(function, value) for name, value in arguments.items()})
        return {name: self.after(function, value) for name, value in result.items()}


def _rounded(function, value):
    """float32 inside, where a task is no gradient."""
    if isinstance(value, dict):
        return {name: _rounded(function, entry) for name, entry in value.items()}
    return value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value


def _as_fortran(function, value):
    if isinstance(value, dict):
        return {name: _as_fortran(function, entry) for name, entry in value.items()}
    return np.asfortranarray(value) if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_in_other_styles_earn_every_point(name):
    inner = Direct(defined(solution(name)))
    forward = {row.name for row in assignment(name).rows if "gradient" not in row.title and row.name != "stability"}
    single = graded(name, dict(assignment(name).specimen), Styled(inner, _rounded, _rounded))
    assert not {row: single[row] for row in forward if single[row][0] < 1}
    fortran = graded(name, dict(assignment(name).specimen), Styled(inner, _as_fortran, _as_fortran))
    assert points(name, fortran) == full(name), fortran


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"bptt"}))      # its loss is a mean
def test_a_loop_over_sequences_earns_every_point(name):
    """One sequence of the batch at a time: gradients of weights add up, all others are put together."""
    task = importlib.import_module(f"coursework.assignments.{name}").TASK
    inner = Direct(defined(solution(name)))
    axis = {key: letters.split().index("B") for key, letters in task.layout.items() if "B" in letters}

    class Loops:
        def call(self, function, /, **arguments):
            flat = {**arguments, **arguments.get("cache", {})}
            key = next(key for key in axis if key in flat)
            parts = [inner.call(function, **cut(arguments, b)) for b in range(flat[key].shape[axis[key]])]
            return {key: np.concatenate([p[key] for p in parts], where(key)) if where(key) is not None
                    else sum(p[key] for p in parts) for key in parts[0]}

    def where(key):
        return axis.get(key.removeprefix("d_"))

    def cut(arguments, b):
        return {key: cut(value, b) if key == "cache" else value if where(key) is None
                else np.take(value, [b], where(key)) for key, value in arguments.items()}

    marks = graded(name, dict(assignment(name).specimen), Loops())
    assert points(name, marks) == full(name), marks


@pytest.mark.parametrize("name", NAMES)
def test_differences_of_forward_are_no_gradients(name):
    """Central differences at their best step reach about 1e-10, and the rows ask for more."""
    variant = dict(assignment(name).specimen)
    inner = Direct(defined(solution(name)))

    class Differences:
        def call(self, function, /, **arguments):
            result = inner.call(function, **arguments)
            if function != "backward":
                return result
            cache, weights = arguments["cache"], arguments["weights"]
            task = importlib.import_module(f"coursework.assignments.{name}").TASK
            keys = [k for k in inspect.signature(task.equations).parameters if k not in ("xp", "variant", "weights")]
            given = {k: cache[k] if k in cache else arguments[k] for k in keys} | {"weights": weights}
            flat = given | weights

            def loss():
                outputs = tape.run(task.equations, variant, given)[0]
                return sum((g * outputs[key.removeprefix("d_")]).sum() for key, g in arguments.items()
                           if key.startswith("d_"))

            for key, gradient in result.items():          # the first three entries; the others stay exact
                array, exact = flat[key.removeprefix("d_")], gradient.copy()
                for index in list(np.ndindex(array.shape))[:3]:
                    kept, step = array[index], 6e-6
                    array[index] = kept + step
                    up = loss()
                    array[index] = kept - step
                    gradient[index] = (up - loss()) / (2 * step)
                    array[index] = kept
                np.testing.assert_allclose(gradient, exact, atol=1e-6 * max(1, np.abs(exact).max()))
            return result

    marks = graded(name, variant, Differences())
    rows = [row for row in assignment(name).rows if row.name.startswith("backward")]
    earned = sum(row.points * marks[row.name][0] for row in rows)
    # What the output is linear in has no error of differences, so its row may be earned: values, the readout.
    assert earned <= 0.5 * sum(row.points for row in rows), {row.name: marks[row.name] for row in rows}
