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
