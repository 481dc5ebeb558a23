"""The smallest assignment that has everything: y_t = tanh(w * y_{t-1} + x_t), forward, backward, a property."""

import numpy as np
from coursework.family.assignment import Assignment, Lost, Row

SOLUTION = '''
import numpy as np

def forward(x, h0, weights):
    h, hs = h0, []
    for x_t in x:
        h = np.tanh(weights["w"] * h + x_t)
        hs.append(h)
    return {"h": np.stack(hs)}

def backward(d_h, cache, weights):
    h, h0 = cache["h"], cache["h0"]
    previous = np.concatenate([h0[None], h[:-1]])
    d_x, flow = np.empty_like(h), np.zeros_like(h0)
    for t in reversed(range(len(h))):
        d_x[t] = (d_h[t] + flow) * (1 - h[t] ** 2)
        flow = weights["w"] * d_x[t]
    return {"x": d_x, "h0": flow, "w": (d_x * previous).sum((0, 1))}
'''
_OURS = {}
exec(SOLUTION, _OURS)


def _draw(rng, T, B, D):
    return {"x": rng.normal(size=(T, B, D)), "h0": rng.normal(size=(B, D)), "weights": {"w": rng.normal(size=D)}}


def _close(got, want, tolerance):
    if set(got) != set(want):
        raise Lost(f"expected the entries {', '.join(want)}")
    for name, right in want.items():
        if got[name].shape != right.shape:
            raise Lost(f"'{name}' has shape {got[name].shape}, expected {right.shape}")
        if not np.abs(got[name].astype(float) - right).max() <= tolerance * max(1, np.abs(right).max()):
            raise Lost(f"'{name}' is wrong")


def _example(student, rng, variant):
    got = student.call("forward", x=np.zeros((1, 1, 1)), h0=np.ones((1, 1)), weights={"w": np.ones(1)})
    _close(got, {"h": np.tanh([[[1.0]]])}, 1e-4)


def _random(student, rng, variant):
    for sizes in ((1, 1, 1), (5, 3, 2), (17, 2, 4)):
        given = _draw(rng, *sizes)
        _close(student.call("forward", **given), _OURS["forward"](**given), 1e-4)


def _gradients(student, rng, variant):
    for sizes in ((1, 1, 1), (6, 3, 2)):
        given = _draw(rng, *sizes)
        cache = {"h": _OURS["forward"](**given)["h"], "h0": given["h0"]}
        question = {"d_h": rng.normal(size=cache["h"].shape), "cache": cache, "weights": given["weights"]}
        _close(student.call("backward", **question), _OURS["backward"](**question), 1e-8)


def _chunked(student, rng, variant):
    given = _draw(rng, 8, 2, 3)
    whole = _OURS["forward"](**given)["h"]
    rest = student.call("forward", x=given["x"][5:], h0=whole[4], weights=given["weights"])
    _close(rest, {"h": whole[5:]}, 1e-4)


ASSIGNMENT = Assignment(
    name="tiny", title="A tiny recurrence", chapter="none", minutes=1, difficulty="standard",
    axes={"activation": ("tanh", "relu")}, specimen={"activation": "tanh"},
    functions={"forward": "forward(x, h0, weights)", "backward": "backward(d_h, cache, weights)"},
    statement=lambda variant: [],
    rows=(Row("forward-example", 1, "One step.", _example), Row("forward-random", 3, "Random shapes.", _random),
          Row("gradients", 4, "All gradients.", _gradients), Row("chunked", 2, "A part from the middle.", _chunked)),
    written=lambda variant: ("", "", 0), reference=lambda variant: SOLUTION)
