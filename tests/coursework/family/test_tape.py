"""The tape's gradients are torch's, for every function that equations may use."""

import ast
import inspect
import sys

import numpy as np
import pytest
from coursework.family import reference, tape

CASES = {
    "arithmetic": lambda xp, a, b: 2 * a - b / (1 + a**2) + 1 / (3 - b) - (-a) * b + (1 - a) / 2,
    "broadcast": lambda xp, a, b: a[0] * b + a[:, :, :1] / 3 + b[:1] * a,
    "product": lambda xp, a, b: a @ b.mT + a[0] @ b.mT,
    "index": lambda xp, a, b: xp.stack([a[0], a[1], a[0]], 0)[1:] * b[None, 0, 1:2],
    "shape": lambda xp, a, b: a.reshape(2, 3, 2, 2).swapaxes(1, 2) * b.reshape(2, 1, 3, 4)[:, :, :, :2],
    "functions": lambda xp, a, b: xp.tanh(a) + xp.sigmoid(b) + xp.arctan(a) * xp.abs(b) + xp.sqrt(1 + a**2),
    "sums": lambda xp, a, b: a / xp.sum(b**2, -1, keepdims=True) + xp.sum(a, 0) * xp.sum(b, 1)[:, None],
    "softmax": lambda xp, a, b: xp.softmax(a, -1) * b + xp.softmax(b, 0),
    "where": lambda xp, a, b: xp.softmax(xp.where(xp.arange(4) < 3, a * b, -float("inf")), -1) * a,
    "compare": lambda xp, a, b: xp.where(a > b, a * a, b) + xp.where(a > 0.5, 1.0, b),
    "join": lambda xp, a, b: xp.concatenate([a, b * a, xp.zeros_like(b)], -1) * xp.concatenate([b, b, a], -1),
    "detach": lambda xp, a, b: a.detach() * b + a * b.detach(),
}


@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_torchs(case, close):
    rng = np.random.default_rng(0)
    given = {"a": rng.standard_normal((2, 3, 4)), "weights": {"b": rng.standard_normal((2, 3, 4))}}

    def equations(xp, variant, a, weights):
        return {"y": CASES[case](xp, a, weights["b"])}

    upstream = {"y": rng.standard_normal(reference.run(equations, {}, given)[0]["y"].shape)}
    mine, torchs = (module.run(equations, {}, given, upstream) for module in (tape, reference))
    close(mine[0]["y"], torchs[0]["y"])
    assert sorted(mine[1]) == sorted(torchs[1]) == ["d_a", "d_b"]
    for name in torchs[1]:
        assert np.abs(torchs[1][name]).max() > 0
        close(mine[1][name], torchs[1][name])


def test_a_gradient_that_arrives_nowhere_is_zero_and_several_outputs_add_up(close):
    given = {"a": np.array([1.0, 2.0]), "b": np.array([3.0])}

    def equations(xp, variant, a, b):
        return {"y": a * a, "z": 3 * a}

    for module in (tape, reference):
        _, gradients = module.run(equations, {}, given, {"y": np.ones(2), "z": np.ones(2)})
        close(gradients["d_a"], np.array([5.0, 7.0]))
        close(gradients["d_b"], np.zeros(1))


def test_a_thousand_steps_are_no_recursion(close):
    limit = sys.getrecursionlimit()

    def equations(xp, variant, a):
        for _ in range(limit):
            a = a * 1.0
        return {"y": a}

    close(tape.run(equations, {}, {"a": np.ones(1)}, {"y": np.ones(1)})[1]["d_a"], np.ones(1))


def test_it_needs_nothing_but_numpy():
    tree = ast.parse(inspect.getsource(tape))
    imported = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert imported == ["numpy"]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
