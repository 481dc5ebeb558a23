"""A right answer earns every point, however it is written."""

import pytest
from coursework.grader import grading
from tests.coursework import tiny

STYLES = {
    "loops": '''
import numpy as np
import math

def forward(x, h0, weights):
    T, B, D = x.shape
    h = np.zeros((T, B, D))
    for t in range(T):
        for b in range(B):
            for d in range(D):
                before = h0[b, d] if t == 0 else h[t - 1, b, d]
                h[t, b, d] = math.tanh(weights["w"][d] * before + x[t, b, d])
    return {"h": h}

def backward(d_h, cache, weights):
    h, h0, w = cache["h"], cache["h0"], weights["w"]
    T, B, D = h.shape
    d_x, d_h0, d_w = np.zeros((T, B, D)), np.zeros((B, D)), np.zeros(D)
    for b in range(B):
        for d in range(D):
            flow = 0.0
            for t in range(T - 1, -1, -1):
                d_x[t, b, d] = (d_h[t, b, d] + flow) * (1.0 - h[t, b, d] * h[t, b, d])
                flow = w[d] * d_x[t, b, d]
                d_w[d] += d_x[t, b, d] * (h0[b, d] if t == 0 else h[t - 1, b, d])
            d_h0[b, d] = flow
    return {"x": d_x, "h0": d_h0, "w": d_w}
''',
    "einsum": '''
import numpy as np

def forward(x, h0, weights):
    h = [h0]
    for x_t in x:
        h.append(np.tanh(np.einsum("bd,d->bd", h[-1], weights["w"]) + x_t))
    return {"h": np.array(h[1:])}

def backward(d_h, cache, weights):
    h = np.concatenate([cache["h0"][None], cache["h"]])
    d_x = []
    flow = np.zeros_like(cache["h0"])
    for t in range(len(d_h), 0, -1):
        d_x.insert(0, np.einsum("bd,bd->bd", d_h[t - 1] + flow, 1 - h[t] ** 2))
        flow = np.einsum("d,bd->bd", weights["w"], d_x[0])
    return {"w": np.einsum("tbd,tbd->d", d_x, h[:-1]), "h0": flow, "x": d_x}
''',
    "float32": tiny.SOLUTION.replace("h, hs = h0, []", "x, h, hs = x.astype(np.float32), h0.astype(np.float32), []"),
    "noisy": "import warnings\n" + tiny.SOLUTION.replace(
        "    h, hs", "    warnings.warn('overflow?', RuntimeWarning)\n    print(x)\n    np.log(0 * x)\n    h, hs"),
    "fortran-order": tiny.SOLUTION.replace("np.stack(hs)", "np.asfortranarray(np.stack(hs))"),
    "big-endian": tiny.SOLUTION.replace("np.stack(hs)", "np.stack(hs).astype('>f8')"),
    "list-of-steps": tiny.SOLUTION.replace("np.stack(hs)", "hs"),
    "class-and-helpers": '''
from __future__ import annotations
import functools
from dataclasses import dataclass
import numpy as np

@dataclass
class Cell:
    w: np.ndarray
    def step(self, h: Later, x): return np.tanh(self.w * h + x)

@functools.lru_cache
def name(): return "h"
''' + tiny.SOLUTION.replace('np.tanh(weights["w"] * h + x_t)', 'Cell(weights["w"]).step(h, x_t)').replace(
        'return {"h"', "return {name()"),
    "in-place": tiny.SOLUTION.replace("h, hs = h0, []", "h, hs = h0, []; x += 0; weights['w'] *= 1; h0 -= 0"),
    "guarded-main": tiny.SOLUTION + '\nif __name__ == "__main__":\n    print(forward)\nelse:\n    del forward',
}


@pytest.mark.parametrize("style", STYLES)
def test_every_style_of_a_right_answer_earns_every_point(style, sandboxed, book):
    result = grading.grade(tiny.ASSIGNMENT, tiny.ASSIGNMENT.specimen, book(STYLES[style]), "a secret")
    assert (result.status, result.earned, result.notes) == ("graded", 10, []), result
