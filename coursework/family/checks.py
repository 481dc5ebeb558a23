"""What the rows of the assignments share: tasks, cases, comparisons, and messages that say what went wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from coursework.family import reference
from coursework.family.assignment import Lost, Row
from coursework.family.variants import neighbours
from coursework.grader import worker

FORWARD, BACKWARD = 1e-4, 1e-11     # of the largest entry: float32 passes the first, differences not the second


@dataclass(frozen=True)
class Task:
    """One function that students write, and all that is needed to ask for it and to judge it.

    Args:
        function: its name.
        equations: function(xp, variant, **given) -> dict of arrays: what it must return, and more.
        draw: function(rng, variant, **sizes) -> given, its arguments.
        axes: the family's axes.
        says: axis -> sentence with {value} and {own}, for an answer that a neighbouring variant would give.
        layout: output -> letters of its axes, "T B H".
        slips: (sentence, function(variant, given) -> given) for mistakes that are made in every term.
        sizes: letters whose sizes are drawn.
    """

    function: str
    equations: Callable
    draw: Callable
    axes: Mapping[str, tuple]
    says: Mapping[str, str]
    layout: Mapping[str, str]
    slips: tuple = ()
    sizes: str = "TBDH"

    def outputs(self, variant, given):
        """What the reference returns."""
        return reference.run(self.equations, variant, given)[0]

    def suspects(self, variant, given, upstream=None):
        """Pairs (sentence, outputs or gradients) of the wrong answers that have a name."""
        part = 0 if upstream is None else 1
        shapes = _shapes(given)
        for axis, other in neighbours(self.axes, variant):
            sizes = dict.fromkeys(self.sizes, 2)
            mine, theirs = (_shapes(self.draw(np.random.default_rng(0), v, **sizes)) for v in (variant, other))
            if axis in self.says and _fits(theirs, mine):     # otherwise nobody gets that far
                sentence = self.says[axis].format(value=other[axis], own=variant[axis])
                yield sentence, reference.run(self.equations, other, given, upstream)[part]
        for sentence, change in self.slips:
            changed = change(variant, given)
            if changed is not None and _shapes(changed) == shapes:
                yield sentence, reference.run(self.equations, variant, changed, upstream)[part]


def _shapes(given):
    return {name: _shapes(value) if isinstance(value, dict) else np.shape(value) for name, value in given.items()}


def _fits(theirs, mine):
    """Whether everything that one variant needs, in its shape, is among what the other is given."""
    return all(name in mine and (_fits(shape, mine[name]) if isinstance(shape, dict) else shape == mine[name])
               for name, shape in theirs.items())


def sizes(rng, letters, **fixed):
    """Distinct sizes from 2 to about 7, so that swapped axes show; `fixed` ones as they are."""
    drawn = rng.permutation(np.arange(2, max(8, 2 + len(letters))))
    return {letter: int(n) for letter, n in zip(letters, drawn)} | fixed


def single(given):
    """The same with float32 arrays."""
    return {name: single(value) if isinstance(value, dict)
            else value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value
            for name, value in given.items()}


def with_weights(given, **changed):
    """The same arguments with other weights."""
    return {**given, "weights": {**given["weights"], **changed}}


def zeroed(name):
    """A slip: an argument or a weight that is left out."""
    def change(variant, given):
        if name in given:
            return {**given, name: 0 * given[name]}
        return with_weights(given, **{name: 0 * given["weights"][name]}) if name in given["weights"] else None

    return change


def transposed(name):
    """A slip: a square weight, or each square block of one, that is used transposed."""
    def change(variant, given):
        weight = given["weights"].get(name)
        if weight is None:
            return None
        return with_weights(given, **{name: np.concatenate(
            [block.T for block in np.split(weight, len(weight) // weight.shape[1])])})

    return change


def backwards_in_time(variant, given):
    """A slip: the last step first."""
    return {**given, "x": given["x"][::-1].copy()}


def large(variant, given, rng):
    """Inputs of a thousand: an exponential of which is inf."""
    return {**given, "x": 1e3 * given["x"]}


def float32(variant, given, rng):
    """Arguments in float32."""
    return single(given)


def close(got, want, tolerance, name, layout="", suspects=()):
    """Raise `Lost` unless `got[name]` is `want`: presence, shape, dtype, finite, values, in this order.

    Args:
        got: what the student's function returned, a dict of arrays.
        want: the right array.
        tolerance: largest error, relative to the largest entry of `want`.
        name: which entry.
        layout: letters of its axes, for messages.
        suspects: pairs (sentence, dict of arrays) of wrong answers that have a name; computed only if they are needed.

    Raises:
        Lost: with what was expected, what came, and what it looks like; never a number from a hidden case.
    """
    if name not in got:
        names = ", ".join(worker.one_line(key, 20) for key in list(got)[:12])       # a student's words: cut and masked
        raise Lost(f"the result has no {name!r}; it has {names or 'nothing'}", 0.0)
    array = np.asarray(got[name])
    if want.ndim == 0 and array.size == 1:
        array = array.reshape(())                         # a number is a number in brackets, too
    if array.shape != want.shape:
        note = ""
        if want.ndim > 1 and array.shape == want.swapaxes(0, 1).shape:
            note = ": its first two axes look swapped"
        elif array.shape == want.T.shape:
            note = ": it looks transposed"
        elif array.shape[1:] == want.shape[1:] and array.ndim == want.ndim:
            count = len(array) - len(want)
            note = f": {abs(count)} too {'many' if count > 0 else 'few'} along its first axis"
        raise Lost(f"{name!r} has the shape {array.shape}, expected {want.shape}{_letters(layout)}{note}", 0.0)
    if array.dtype.kind != "f":
        raise Lost(f"{name!r} has the dtype {array.dtype}, expected float64 or float32", 0.0)
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise Lost(f"{name!r} is not finite: {bad} of {array.size} entries are inf or nan{_letters(layout)}", 0.0)
    if _near(array, want, tolerance):
        return
    off = np.abs(array - want) > tolerance * np.abs(want).max(initial=0)
    first = ""
    if want.ndim > 1 and layout.startswith("T"):
        first = f", the first of them at step t = {int(np.argwhere(off)[0][0])} (from 0)"
    guess = _guess(array, want, name, tolerance, suspects)
    count = f"{int(off.sum())} of {off.size} entries{_letters(layout)}{first}"
    raise Lost(f"{name!r} is wrong in {count}. {guess}".strip(), 0.0)


def _letters(layout):
    return f" ({', '.join(layout.split())})" if layout else ""


def _near(array, want, tolerance):
    """Errors relative to the largest entry."""
    return array.shape == want.shape and bool(
        (np.abs(array - want) <= tolerance * np.abs(want).max(initial=0) + 1e-300).all())


def _guess(array, want, name, tolerance, suspects):
    """A sentence for the first wrong answer that has a name and agrees."""
    tolerance = max(tolerance, 1e-6)                      # a guess may be rougher than a mark
    for sentence, other in suspects:
        if name in other and _near(array, other[name], tolerance) and not _near(want, other[name], tolerance):
            return f"It looks like this: {sentence}."
    size = np.abs(want).max(initial=0)
    if not array.any():
        return "It is zero everywhere."
    if _near(-array, want, tolerance):
        return "Its sign is turned."
    ratio = float((array * want).sum() / (want * want).sum()) if size else 0.0
    if abs(ratio - 1) < 1e-6 and _near(array, want, 1e-4):
        return "It is nearly right: rounded on the way, or found by differences."
    if ratio and _near(array, ratio * want, tolerance):
        factor = max(abs(ratio), 1 / abs(ratio))
        if factor < 1000 and abs(factor - round(factor)) < 1e-6:
            share = f"{round(factor)}" if abs(ratio) > 1 else f"1/{round(factor)}"
            return f"It is the right answer times {'-' if ratio < 0 else ''}{share}."
        return "It is the right answer times a constant."
    if array.ndim == 2 and array.shape[0] == array.shape[1] and _near(array.T, want, tolerance):
        return "It looks transposed."
    if array.ndim > 2 and len(array) > 1:
        if _near(array[::-1], want, tolerance):
            return "The steps come in the wrong order: the last one first."
        if _near(array[1:], want[:-1], tolerance) or _near(array[:-1], want[1:], tolerance):
            return "It is off by one step."
    return ""


def each(attempts):
    """Run every attempt; raise the first `Lost` with the fraction that was right.

    Args:
        attempts: pairs (title, function(explain)); only the first that fails has to explain itself, which takes time.
    """
    attempts, lost = list(attempts), []
    for title, attempt in attempts:
        try:
            attempt(not lost)
        except Lost as error:
            lost.append((title, error))
    if lost:
        title, error = lost[0]
        count = f" ({len(lost)} of {len(attempts)} cases are wrong)" if len(attempts) > 1 else ""
        raise Lost(f"{title}: {error.message}{count}" if title else f"{error.message}{count}",
                   1 - len(lost) / len(attempts))


def described(case):
    """Sizes as a message writes them: "T = 3, B = 2"."""
    return ", ".join(f"{letter} = {n}" for letter, n in case.items())


def forward_row(task, name, points, title, names, cases=3, prepare=None, tolerance=FORWARD, together=False, **fixed):
    """A row that calls a function with random arguments and compares what it returns.

    Args:
        task: a `Task`.
        name, points, title: of the row.
        names: which outputs count.
        cases: how many random shapes, or a list of dicts with the sizes that are not random.
        prepare: function(variant, given, rng) -> given, for a case with a purpose.
        tolerance: as for `close`.
        together: all cases or nothing.
        fixed: sizes that are not random in any case.
    """
    def check(student, rng, variant):
        def attempt(explain, case):
            given = task.draw(rng, variant, **case)
            if prepare:
                given = prepare(variant, given, rng)
            want = task.outputs(variant, given)
            got = student.call(task.function, **given)
            for output in names:
                close(got, want[output], tolerance, output, task.layout.get(output, ""),
                      task.suspects(variant, given) if explain else ())

        each_case = [sizes(rng, task.sizes, **fixed, **(case if isinstance(case, dict) else {}))
                     for case in (range(cases) if isinstance(cases, int) else cases)]
        try:
            each((described(case), lambda explain, case=case: attempt(explain, case)) for case in each_case)
        except Lost as lost:
            raise Lost(lost.message, 0.0 if together else lost.earned) from None

    return Row(name, points, title, check)


def hand_row(task, points, hand, names, name="hand-case"):
    """The case whose numbers are in the statement, and the same case with other numbers: one alone earns nothing."""
    def check(student, rng, variant):
        given = hand(variant)
        got = student.call(task.function, **given)
        want = task.outputs(variant, given)
        for output in names:
            close(got, want[output], FORWARD, output, task.layout.get(output, ""), task.suspects(variant, given))
        other = nudged(given, rng)
        got, want = student.call(task.function, **other), task.outputs(variant, other)
        try:
            for output in names:
                close(got, want[output], FORWARD, output, task.layout.get(output, ""))
        except Lost as lost:
            raise Lost(f"the numbers of the statement come out, but with other numbers {lost.message}", 0.0) from None

    return Row(name, points, "The case worked out in the statement, and the same case with other numbers.", check)


def nudged(given, rng):
    """The same with every float moved a little."""
    return {name: nudged(value, rng) if isinstance(value, dict)
            else value * rng.uniform(0.5, 1.5, value.shape) if isinstance(value, np.ndarray) and value.dtype.kind == "f"
            else value for name, value in given.items()}


def backward_row(task, name, points, title, names, upstream, cases=3, backward="backward", cached=None, extra=None,
                 prepare=None, **fixed):
    """A row that hands `backward` the reference's intermediates and compares gradients with autograd's.

    Args:
        task: the `Task` of the forward function.
        name, points, title: of the row.
        names: which gradients; each counts alike, over all cases.
        upstream: outputs whose gradients arrive.
        cases: how many random shapes, or a list of dicts with the sizes that are not random.
        backward: name of the student's function.
        cached: arguments of forward that are in the cache too; all but "weights" if left out.
        extra: arguments of forward that are passed on as they are.
        prepare: function(variant, given, rng) -> given.
        fixed: sizes that are not random in any case.
    """
    def check(student, rng, variant):
        attempts = []
        for k in range(cases) if isinstance(cases, int) else cases:
            case = sizes(rng, task.sizes, **fixed, **(k if isinstance(k, dict) else {}))
            given = task.draw(rng, variant, **case)
            if prepare:
                given = prepare(variant, given, rng)
            attempts += _gradients(task, student, rng, variant, given, case, names, upstream, backward, cached, extra)
        each(attempts)

    return Row(name, points, title, check)


def _gradients(task, student, rng, variant, given, case, names, upstream, backward, cached, extra):
    """One attempt a gradient; the student's function is called once, when the first is tried."""
    outputs = task.outputs(variant, given)
    arriving = {output: np.asarray(rng.standard_normal(outputs[output].shape)) for output in upstream}
    _, want = reference.run(task.equations, variant, given, arriving)
    keep = [key for key in given if key != "weights" and key not in (extra or ())] if cached is None else cached
    arguments = {"cache": {key: given[key] for key in keep} | outputs, "weights": given["weights"]}
    arguments |= {key: given[key] for key in extra or ()} | {f"d_{output}": g for output, g in arriving.items()}
    called = []

    def got():
        if not called:
            try:
                called.append(student.call(backward, **arguments))
            except Lost as lost:
                called.append(lost)
        if isinstance(called[0], Lost):
            raise called[0]
        return called[0]

    def attempt(explain, gradient):
        close(got(), want[gradient], BACKWARD, gradient, task.layout.get(gradient[2:], ""),
              _backward_suspects(task, variant, given, arriving) if explain else ())

    present = [gradient for gradient in names if gradient in want]
    return [(described(case), lambda explain, gradient=gradient: attempt(explain, gradient)) for gradient in present]


def _backward_suspects(task, variant, given, arriving):
    """What `Task.suspects` names, and the two things that go wrong in time."""
    for sentence, outputs in task.suspects(variant, given, arriving):
        yield f"{sentence}, and differentiated that", outputs
    for name, gradient in arriving.items():
        if task.layout.get(name, "").startswith("T") and len(gradient) > 1:
            last = {**arriving, name: gradient * (np.arange(len(gradient)) == len(gradient) - 1).reshape(
                -1, *[1] * (gradient.ndim - 1))}
            yield f"only the last step's {'d_' + name} is used", reference.run(task.equations, variant, given, last)[1]
            first = {**arriving, name: np.concatenate([gradient[1:], 0 * gradient[:1]])}
            yield f"d_{name} is read one step too late", reference.run(task.equations, variant, given, first)[1]
