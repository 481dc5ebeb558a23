"""The numbers of the figures to touch: what their scripts compute equals what the package computes. No site needed."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import unrolled.numpy
import unrolled.torch

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


def before_sigmoid(gate):
    """The bias that holds a gate there."""
    return float(np.log(gate / (1 - gate))) if 0 < gate < 1 else 800 * (2 * gate - 1)


def steps_with_held_gates(i, f, o, seconds):
    """The states and cells of a unit whose biases hold its gates; its input opens the input gate, as on the page."""
    unit = unrolled.numpy.LSTMCell(1, 1, dtype=np.float64)
    biases = np.array([before_sigmoid(i), before_sigmoid(f), 0, before_sigmoid(o)])
    unit.load_state_dict({"weight_ih": np.array([[2 - biases[0]], [0], [2], [0]]), "bias_ih": biases,
                          "weight_hh": np.array([[0.0], [0], [1], [0]]), "bias_hh": np.zeros(4)})
    h, c, found = np.zeros(1), np.zeros(1), []
    for t in range(seconds):
        h, c = unit.forward(np.array([float(t == 0)]), (h, c))
        found.append((h[0], c[0]))
    return np.array(found)


@pytest.mark.parametrize(("i", "f", "o"), [(0.12, 0.88, 0.73), (0, 1, 0.5), (0.3, 1, 1), (1, 0, 0.2), (0, 0.5, 0)])
def test_gates_are_an_lstm_with_held_gates(i, f, o):
    expected = steps_with_held_gates(i, f, o, 400)
    steps = script("gates", "run", i, f, o, 12)
    np.testing.assert_allclose([(step["h"], step["c"]) for step in steps], expected[:12], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose([step["kept"] + step["written"] for step in steps], expected[:12, 1], rtol=1e-12)
    [fallen] = np.nonzero(expected[:, 1] <= expected[0, 1] / 2 * (1 + 1e-12))
    assert script("gates", "halfLife", i, f, o) == (fallen[0] if len(fallen) else None)


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize(("r", "U"), [([1, 0], [[0, 1], [1, 0]]), ([1, 0.35], [[1, 1], [1, 1]]),
                                      ([0.3, 0.3], [[0, 1], [1, 0]]), ([1, 0], [[1, 0], [0, 1]])])
def test_reset_is_a_gru_whose_update_gate_keeps_nothing(r, U, reset_after):
    layer = unrolled.numpy.GRU(2, 2, dtype=np.float64, reset_after=reset_after)
    biases = [*map(before_sigmoid, r), -800.0, -800.0, 0.0, 0.0]                 # r, z, n: two rows each
    layer.load_state_dict({"weight_ih_l0": np.zeros((6, 2)), "weight_hh_l0": np.vstack([np.zeros((4, 2)), U]),
                           "bias_ih_l0": np.array(biases), "bias_hh_l0": np.zeros(6)})
    h = [1.0, -1.0]
    output, _ = layer.forward(np.zeros((1, 1, 2)), np.array([[h]]))
    np.testing.assert_allclose(script("reset", "road", h, r, U, reset_after)[-1], output[0, 0], rtol=1e-12, atol=1e-15)


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


@pytest.mark.parametrize(("n", "d"), [(4, 8), (64, 16), (192, 32), (100, 4)])
def test_costs_are_what_pytorch_counts_and_a_layer_keeps(n, d):
    layers = {
        "RNN": unrolled.torch.RNN(d, d),
        "LSTM": unrolled.torch.LSTM(d, d),
        "Transformer": unrolled.torch.CausalTransformer(d, 2, fused=False),
    }
    counted = {}
    for name, layer in layers.items():
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            _, state = layer(torch.randn(n, 1, d))
        counted[name] = counter.get_total_flops()
        carried = sum(part.numel() for part in tree_leaves(state))
        assert script("costs", "carried", name, n, d) == carried
    assert script("costs", "recurrent", "RNN", n, d) == counted["RNN"]
    assert script("costs", "recurrent", "LSTM", n, d) == counted["LSTM"]
    cost = script("costs", "transformer", n, d)
    assert cost["matrices"] + cost["pairs"] == counted["Transformer"]
    with FlopCounterMode(display=False) as counter:
        unrolled.torch.attention.scaled_dot_product(*torch.randn(3, 1, 2, n, d // 2))
    assert cost["pairs"] == counter.get_total_flops()


@pytest.mark.parametrize("d", [64, 768, 4096])
def test_costs_of_pairs_and_matrices_are_equal_at_six_widths(d):
    cost = script("costs", "transformer", 6 * d, d)
    assert cost["pairs"] == cost["matrices"]


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
