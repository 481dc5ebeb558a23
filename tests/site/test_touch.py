"""The numbers of the figures to touch: what their scripts compute equals what the package computes. No site needed."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import unrolled.numpy

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


def script(figure, function, *arguments):
    """What a function of a figure returns."""
    command = ["node", HERE / "numbers.js", figure, function, json.dumps(arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


@pytest.mark.parametrize("weight", [-2.0, 0.0, 0.5, 2.5])
def test_memory_is_a_recurrent_layer_of_one_unit(weight):
    layer = unrolled.numpy.RNN(1, 1, bias=False, dtype=np.float64)
    layer.load_state_dict({"weight_ih_l0": np.ones((1, 1)), "weight_hh_l0": np.array([[weight]])})
    alarms = [1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0]
    output, _ = layer.forward(np.array(alarms, float)[:, None, None])
    np.testing.assert_allclose(script("memory", "states", weight, alarms), output[:, 0, 0], rtol=1e-14)


@pytest.mark.parametrize("scores", [[0.0, 2.0, 0.0], [-3.0, 0.5], [800.0, 799.0, -800.0]])
def test_query_takes_the_softmax_of_the_package(scores):
    expected = unrolled.numpy.attention.softmax(np.array(scores))
    np.testing.assert_allclose(script("query", "softmax", scores), expected, rtol=1e-12)


@pytest.mark.parametrize("query", [[0, 1], [1, 0], [0, 0], [-1.5, 4], [2.25, -2]])
@pytest.mark.parametrize("scale", [1, 0.5**0.5])
def test_query_attends_as_the_package_does(query, scale):
    keys, values = [[1, 0], [0, 2], [2, 0]], [7, 3, 6]
    q, k, v = (np.array(rows, float) for rows in ([query], keys, [[value] for value in values]))
    output, weights = unrolled.numpy.attention.scaled_dot_product(q, k, v, scale=scale)
    found = script("query", "scaled_dot_product", query, keys, values, scale)
    np.testing.assert_allclose(found[0], output[0, 0], rtol=1e-12)
    np.testing.assert_allclose(found[1], weights[0], rtol=1e-12)
