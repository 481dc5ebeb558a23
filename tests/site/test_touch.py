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


# The page's two matrices, a rotation, one that flips, and none of these
@pytest.mark.parametrize("U", [[[0.7, 0.2], [0.2, 0.7]], [[0.5, 2], [0, 0.5]], [[0.8, -0.6], [0.6, 0.8]],
                               [[-1, 3], [-1, -1]], [[0, 0], [0, 0]], [[1.2, -0.4], [0.3, -0.9]]])
def test_circle_has_the_radius_and_the_norm_of_every_power(U):
    matrix = np.array(U, float)
    np.testing.assert_allclose(script("circle", "radius", U), np.abs(np.linalg.eigvals(matrix)).max(), rtol=1e-12)
    for k in (0, 1, 8):
        power = np.linalg.matrix_power(matrix, k)
        np.testing.assert_allclose(script("circle", "power", U, k), power, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(script("circle", "norm", power.tolist()), np.linalg.norm(power, 2), rtol=1e-12)
        np.testing.assert_allclose(script("circle", "times", power.tolist(), [0.6, -2]), power @ [0.6, -2], rtol=1e-12)
        # Its end lies on the ellipse of U, and as far from the centre as the norm says
        far = np.array(script("circle", "longest", power.tolist()))
        sides, sizes, _ = np.linalg.svd(power)
        np.testing.assert_allclose(np.hypot(*far), sizes[0], rtol=1e-12)
        if sizes[0] > 1.001 * sizes[1]:
            np.testing.assert_allclose(abs(far @ sides[:, 0]), sizes[0], rtol=1e-12)


@pytest.fixture(scope="module")
def cliff_page():
    """The functions `cliff` and `descend` as their page has them."""
    page = HERE.parents[1] / "book/bptt/exploding-and-clipping.ipynb"
    sources = ["".join(cell["source"]) for cell in json.loads(page.read_text(encoding="utf-8"))["cells"]]
    source, = (source for source in sources if "def cliff(" in source)
    exec(source, functions := {"np": np})
    return functions


@pytest.mark.parametrize(("w", "b"), [(1.2, -0.3), (0.958, -0.004), (0.6, 0.2), (1.6, -0.1), (1.0, 2.97)])
def test_cliff_has_the_loss_and_the_gradient_of_the_page(cliff_page, w, b):
    loss, gradient = script("cliff", "cliff", w, b)
    expected, slopes = cliff_page["cliff"](w, b)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("threshold", "updates"), [(None, 2), (None, 40), (0.2, 40), (0.5, 7), (3.0, 40)])
def test_cliff_descends_as_the_page_does(cliff_page, threshold, updates):
    path, _ = cliff_page["descend"]((1.2, -0.3), threshold or np.inf, updates)
    found = script("cliff", "descend", [1.2, -0.3], threshold, updates)
    np.testing.assert_allclose(found, path, rtol=1e-12, atol=1e-12)
