"""The numbers of the figures to touch in the chapter on the GRU: the package computes the same. No site needed."""

import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

import unrolled.numpy
import unrolled.torch
from unrolled import convert
from unrolled.studies import comparison
from unrolled.verdicts import effect

HERE = Path(__file__).parent
shared = runpy.run_path(str(HERE / "test_touch.py"))        # folders of tests are no packages to import from
script, before_sigmoid = shared["script"], shared["before_sigmoid"]

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.mark.parametrize(("at_alarm", "quiet", "r"), [(0.12, 0.88, 0.73), (0.5, 0.5, 0), (0, 1, 0.4), (0.3, 0, 1)])
def test_gru_unit_is_a_gru_with_held_gates(at_alarm, quiet, r):
    layer = unrolled.numpy.GRU(1, 1, dtype=np.float64)
    biases = np.array([before_sigmoid(r), before_sigmoid(quiet), 0], float)
    moved = before_sigmoid(at_alarm) - biases[1]
    layer.load_state_dict({"weight_ih_l0": np.array([[0], [moved], [2]]), "bias_ih_l0": biases,
                           "weight_hh_l0": np.array([[0.0], [0], [1]]), "bias_hh_l0": np.zeros(3)})
    states = layer.forward(np.eye(400, 1)[:, :, None])[0].ravel()
    found = script("gru-unit", "run", at_alarm, quiet, r, 12)
    np.testing.assert_allclose([step["h"] for step in found], states[:12], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose([step["kept"] for step in found[1:]], quiet * states[:11], rtol=1e-12, atol=1e-15)
    [fallen] = np.nonzero(states <= states[0] / 2 * (1 + 1e-12))
    assert script("gru-unit", "halfLife", at_alarm, quiet, r) == (fallen[0] if len(fallen) else None)


@pytest.mark.parametrize("H", [1, 4])
def test_gru_blocks_go_where_the_package_puts_them(H):
    rows = np.arange(3 * H, dtype=float)
    weights = {"weight_ih_l0": np.tile(rows[:, None], 3), "weight_hh_l0": np.tile(rows[:, None], H)}
    kernel, recurrent_kernel = convert.to_keras(weights, "GRU")[0]
    as_onnx = convert.to_onnx(weights, "GRU")[0]
    for row in range(3 * H):
        place = script("gru-blocks", "place", row, H, "keras")
        assert (kernel[:, place] == row).all()
        assert (recurrent_kernel[:, place] == row).all()
        place = script("gru-blocks", "place", row, H, "onnx")
        assert (as_onnx["W"][0, place] == row).all()
        assert (as_onnx["R"][0, place] == row).all()


@pytest.mark.parametrize(("to_reset", "to_update"), [(-1, -1), (0.5, 4), (-5, 2.5), (3, -4)])
def test_gru_ways_are_what_autograd_finds_one_by_one_and_the_package_together(to_reset, to_update):
    layer = unrolled.numpy.GRU(1, 1, dtype=np.float64)
    layer.load_state_dict({"weight_ih_l0": np.zeros((3, 1)), "weight_hh_l0": np.array([[1.0], [1], [2]]),
                           "bias_ih_l0": np.array([to_reset, to_update, 0.0]), "bias_hh_l0": np.zeros(3)})
    output, _ = layer.forward(np.zeros((1, 1)), np.ones((1, 1)))
    _, d_state, _ = layer.backward(np.ones_like(output))
    assert script("gru-ways", "forward", 1, to_reset, to_update)["next"] == pytest.approx(output.item(), rel=1e-12)
    ways = script("gru-ways", "ways", 1, to_reset, to_update)
    assert sum(ways.values()) == pytest.approx(d_state.item(), rel=1e-12)

    h = {way: torch.ones(1, dtype=torch.float64, requires_grad=True) for way in ways}       # one for each use
    r, z = torch.sigmoid(h["reset"] + to_reset), torch.sigmoid(h["update"] + to_update)
    state = z * h["kept"] + (1 - z) * torch.tanh(r * (2 * h["candidate"]))
    state.backward()
    np.testing.assert_allclose([*ways.values()], [h[way].grad.item() for way in ways], rtol=1e-12)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("batch_first", [False, True])
def test_gru_returns_what_the_library_returns(layers, directions, batch_first):
    T, B, H = 4, 5, 3
    layer = torch.nn.GRU(2, H, layers, bidirectional=directions == 2, batch_first=batch_first)
    x = torch.randn((B, T, 2) if batch_first else (T, B, 2), requires_grad=True)
    output, h_n = layer(x)
    assert script("gru-returns", "shapes", layers, directions, batch_first) == {
        "output": list(output.shape), "h_n": list(h_n.shape)}
    steps = (output.transpose(0, 1) if batch_first else output).unflatten(2, (directions, H))
    held = script("gru-returns", "held", layers, directions)
    assert len(held) == len(h_n)
    for entry, state in list(zip(held, h_n))[-directions:]:
        assert entry["layer"] == layers
        assert torch.equal(state, steps[entry["step"] - 1, :, int(entry["backwards"])])
    if layers == 1:
        for t in range(T):
            for direction in range(directions):
                [slopes] = torch.autograd.grad(steps[t, :, direction].sum(), x, retain_graph=True)
                reaches = [1 + s for s in range(T) if slopes.select(int(batch_first), s).any()]
                found = script("gru-returns", "read", bool(direction), t + 1)
                assert [reaches[0], reaches[-1]] == found


@pytest.mark.parametrize(("bias", "k"), [(0, 30), (1, 100), (3, 30), (-3, 2)])
def test_gru_reach_takes_powers_of_the_gate(bias, k):
    gate = 1 / (1 + np.exp(-np.full(k, float(bias))))
    assert script("gru-reach", "kept", bias, k) == pytest.approx(np.prod(gate), rel=1e-12)
    assert script("gru-reach", "perStep", float(np.prod(gate)), k) == pytest.approx(gate[0], rel=1e-12)


@pytest.mark.parametrize(("D", "H"), [(1, 1), (32, 96), (100, 20)])
def test_gru_costs_are_what_pytorch_counts_and_our_layers_keep(D, H):
    T, B = 50, 2
    for kind in ("GRU", "LSTM"):
        counts = script("gru-costs", "counts", kind, D, H)
        layer = getattr(torch.nn, kind)(D, H)
        assert counts["weights"] == sum(p.numel() for p in layer.parameters())
        with FlopCounterMode(display=False) as counter:
            getattr(unrolled.torch, kind)(D, H)(torch.randn(T, B, D))
        assert counts["products"] == counter.get_total_flops() / (2 * T * B)      # a product and a sum each
        assert counts["carried"] == sum(part.numel() for part in tree_leaves(layer(torch.zeros(1, D))[1]))
        ours = getattr(unrolled.numpy, kind)(D, H)
        x, h0, (W, U, b, b2) = np.zeros((T, B, D)), np.zeros((B, H)), ours.parameters.values()
        arrays = (unrolled.numpy.gru.run(x, h0, W, U, b, b2, reset_after=True) if kind == "GRU"
                  else unrolled.numpy.lstm.run(x, h0, h0, W, U, b + b2))
        starts = B * H * sum(len(array) == T + 1 for array in arrays)
        assert counts["kept"] == (sum(array.size for array in arrays) - starts) / (T * B)
    wanted = script("gru-costs", "counts", "LSTM", D, H)["weights"]
    assert script("gru-costs", "equalWidth", D, H) == comparison.width_for("GRU", D, wanted)


@pytest.mark.parametrize(("ours", "theirs"), [
    ([6.0, 6.1, 6.2, 6.1, 6.0], [6.4, 6.5, 6.4, 6.3, 6.4]), ([6.0, 6.1, 6.2], [6.1, 6.0, 6.2]),
    ([6.0, 6.001, 6.002], [6.003, 6.0, 6.001]), ([6.0, 7.0, 6.5], [6.4, 5.9, 6.1]), ([6.03, 6.031], [6.0, 6.001])])
def test_gru_margin_calls_two_groups_what_the_package_calls_them(ours, theirs):
    difference, half, word = comparison.difference(ours, theirs, per_cent=True)
    assert script("gru-margin", "verdict", difference, half, 1) == word
    assert script("gru-margin", "verdict", difference, half, 1000) == "equal"


@pytest.mark.parametrize("margin", [0, 1, 3, 6, 20])
def test_gru_parts_answers_as_an_effect_over_seeds_does(margin):
    ours, theirs = np.array([6.6, 6.7, 6.9, 6.8, 6.7]), np.array([6.4, 6.3, 6.5, 6.4, 6.4])
    difference, half, _ = comparison.difference(ours, theirs, per_cent=True)
    unit = 100 / theirs.mean()
    expected = effect(unit * ours, unit * theirs, margin=margin).holds
    assert script("gru-parts", "worse", difference, half, margin) == expected


@pytest.mark.parametrize(("u", "power", "n"), [(1, 40, 12), (1, 40, 64), (0.95, 40, 12), (1.05, 30, 20), (1, 4, 12)])
def test_gru_counter_is_a_gru_of_one_unit(u, power, n):
    layer = unrolled.numpy.GRU(1, 1, dtype=np.float64)
    biases = np.array([before_sigmoid(1), before_sigmoid(0), 0], float)                       # r = 1, z = 0
    layer.load_state_dict({"weight_ih_l0": np.array([[0], [0], [2.0**-power]]), "bias_ih_l0": biases,
                           "weight_hh_l0": np.array([[0], [0], [float(u)]]), "bias_hh_l0": np.zeros(3)})
    letters = np.concatenate([np.ones(n), -np.ones(4 * n)])
    states = layer.forward(letters[:, None])[0].ravel()
    found = script("gru-counter", "counts", u, 2.0**-power, n, 4 * n)
    np.testing.assert_allclose(found, states * 2.0**power, rtol=1e-12, atol=1e-9)
    negative = states[n:] < 0
    assert script("gru-counter", "turnsAt", u, 2.0**-power, n) == (negative.argmax() + 1 if negative.any() else None)


@pytest.mark.parametrize(("T", "h0"), [(1, 2.0), (4, 0.0), (8, -1.5)])
def test_gru_scan_takes_the_steps_of_the_packages_scan(T, h0):
    steps = np.random.default_rng(T).uniform(-1, 1, (T, 2))
    a, b = steps.T[:, :, None, None]
    states = script("gru-scan", "scan", steps.tolist(), h0)
    np.testing.assert_allclose(states, unrolled.numpy.minimal.scan(a, b, np.full((1, 1), h0)).ravel(), rtol=1e-12)
    by_loop = unrolled.torch.minimal.loop(*map(torch.from_numpy, (a, b)), torch.full((1, 1), h0, dtype=torch.float64))
    np.testing.assert_allclose(states, by_loop.ravel(), rtol=1e-12)
    for level, rules in enumerate(script("gru-scan", "levels", steps.tolist())):
        assert len(rules) == T // 2**level
        h = h0
        for at, (factor, term) in enumerate(rules):                 # each rule takes 2**level steps at once
            h = factor * h + term
            assert h == pytest.approx(by_loop[(at + 1) * 2**level - 1].item(), rel=1e-12)


def test_gru_scan_finds_a_state_in_the_round_after_those_that_it_needs():
    T = 8
    rounds = [script("gru-scan", "round", t, T) for t in range(1, T + 1)]
    assert rounds == [7, 6, 7, 5, 7, 6, 7, 4]                       # all eight merged in round 3, then down the tree
    assert max(rounds) == 2 * np.log2(T) + 1


@pytest.mark.parametrize("k", [-1, -0.5, 0, 0.5, 0.9])
@pytest.mark.parametrize("threshold", [0.9, 1, 1.3])
def test_gru_parity_is_a_scan_and_changes_its_answer_once_where_factors_are_positive(k, threshold):
    for bits in ([1] * 8, [1, 1, 0, 1, 0, 0, 1, 1]):
        a, b = (np.array(values, float)[:, None, None] for values in (
            [k if bit else 1 for bit in bits], [(1 - k) * bit for bit in bits]))
        states = unrolled.numpy.minimal.scan(a, b, np.zeros((1, 1))).ravel()
        np.testing.assert_allclose(script("gru-parity", "states", k, bits), states, rtol=1e-12, atol=1e-15)
        answers = script("gru-parity", "answers", k, threshold, bits)
        assert [answer["odd"] for answer in answers] == (states > threshold).tolist()
        assert [answer["right"] for answer in answers] == ((states > threshold) == np.cumsum(bits) % 2).tolist()
        changes = script("gru-parity", "changes", answers)
        assert changes == np.count_nonzero(np.diff(states > threshold))
        assert k <= 0 or changes <= 1
        assert k > -1 or all(answer["right"] for answer in answers)
