"""The numbers of the figures to touch in the second half of the chapter on Transformers. No site needed."""

import math
import shutil

import pytest
import torch
from tests.site.test_touch import script
from torch.utils._pytree import tree_leaves

import unrolled.torch
from unrolled.instruments.paths import path_length
from unrolled.studies.comparison import difference
from unrolled.torch import TCN
from unrolled.torch.tcn import CausalConvolution

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.mark.parametrize(("taps", "blocks"), [(2, 1), (2, 3), (3, 4), (3, 6), (4, 5)])
def test_field_is_that_of_a_tcn(taps, blocks):
    gaps = script("field", "gaps", blocks, True, 2)
    assert script("field", "receptive_field", taps, gaps) == TCN(1, 1, blocks, taps).receptive_field


@pytest.mark.parametrize(("taps", "blocks", "doubling", "per_block"), [
    (2, 3, True, 1), (3, 2, True, 2), (4, 3, False, 1), (2, 1, True, 2), (3, 4, True, 1)])
def test_field_sees_what_has_a_derivative(taps, blocks, doubling, per_block):
    gaps, steps = script("field", "gaps", blocks, doubling, per_block), 100
    levels = [torch.ones(1, 1, steps, requires_grad=True)]
    for gap in gaps:
        convolution = CausalConvolution(1, 1, taps, gap)
        torch.nn.init.ones_(convolution.weight)
        levels.append(convolution(levels[-1], torch.zeros(1, 1, convolution.reach))[0])
    slopes = torch.autograd.grad(levels[-1][0, 0, -1], levels)
    seen = [slope[0, 0].flip(0).nonzero()[:, 0].tolist() for slope in slopes]
    assert script("field", "seen", taps, gaps) == seen
    assert script("field", "receptive_field", taps, gaps) == seen[0][-1] + 1


@pytest.mark.parametrize("n", [2, 5, 8, 10])
def test_rounds_with_enough_processors_are_the_longest_way_that_autograd_finds(n):
    x = torch.rand(n, 1, 1, dtype=torch.float64, requires_grad=True)
    layers = math.ceil(math.log2(n))
    convolutions = [CausalConvolution(1, 1, 2, 2**row).double() for row in range(layers)]
    levels = [x.permute(1, 2, 0)]
    for convolution in convolutions:
        levels.append(convolution(levels[-1], torch.zeros(1, 1, convolution.reach, dtype=torch.float64))[0])
    last = {"recurrence": unrolled.torch.RNN(1, 1, dtype=torch.float64)(x)[0][-1], "convolution": levels[-1][0, 0, -1],
            "attention": (torch.ones(n, n, dtype=torch.float64).tril() @ x[:, 0])[-1]}
    for construction, output in last.items():
        operations = script("rounds", "operations", construction, n)
        longest = path_length(output, x, "products", longest=True)[0]
        assert max(script("rounds", "schedule", operations, 1000)) == longest
    convolution, waited_for = script("rounds", "operations", "convolution", n), {n * layers - 1}
    for at in reversed(range(n * layers)):
        waited_for.update(convolution[at]["needs"] if at in waited_for else ())
    slopes = torch.cat([slope[0, 0] for slope in torch.autograd.grad(last["convolution"], levels[1:])])
    assert len(convolution) == n * layers
    assert waited_for == set(slopes.nonzero()[:, 0].tolist())
    assert len(script("rounds", "operations", "attention", n)) == torch.ones(n, n).tril().sum()


@pytest.mark.parametrize("processors", [1, 2, 4, 64])
@pytest.mark.parametrize("construction", ["recurrence", "convolution", "attention"])
def test_rounds_wait_for_what_is_needed_and_waste_no_processor(construction, processors):
    operations = script("rounds", "operations", construction, 8)
    rounds = script("rounds", "schedule", operations, processors)
    for at, operation in enumerate(operations):
        begins = 1 + max((rounds[need] for need in operation["needs"]), default=0)
        assert begins <= rounds[at]
        assert all(rounds.count(full) == processors for full in range(begins, rounds[at]))
    assert max(map(rounds.count, rounds)) <= processors


def test_sums_add_up_to_the_cell_and_the_state_of_an_lstm():
    torch.manual_seed(0)
    lstm, x = unrolled.torch.LSTM(2, 3, dtype=torch.float64), torch.randn(6, 1, 2, dtype=torch.float64)
    output, (_, c_n) = lstm(x)
    W, U, b, b2 = (p.detach() for p in lstm.parameters())
    h = torch.cat([torch.zeros(1, 3), output[:-1, 0].detach()])
    i, f, g, o = (x[:, 0] @ W.T + h @ U.T + b + b2).chunk(4, dim=-1)
    gates = {"i": i.sigmoid(), "f": f.sigmoid(), "g": g.tanh(), "o": o.sigmoid()}
    given = {name: gate.tolist() for name, gate in gates.items()}
    for unit in range(3):
        found = [script("sums", "of", given, unit, s) for s in range(6)]
        assert [len(share) for share, _ in found] == [6, 5, 4, 3, 2, 1]
        kept, shown = (sum(shares[part][-1] * given["g"][s][unit] for s, shares in enumerate(found)) for part in (0, 1))
        assert kept == pytest.approx(c_n[0, 0, unit].item(), rel=1e-12)
        assert shown == pytest.approx(output[-1, 0, unit].item(), rel=1e-12)
        first = gates["i"][1, unit] * gates["f"][2:, unit].cumprod(0)
        assert found[1][0][1:] == pytest.approx(first.tolist(), rel=1e-12)


def test_sums_rise_where_they_are_greater_than_before():
    assert script("sums", "rises", [0.5, 0.6, 0.6, 0.2, 0.3]) == 2


def test_ahead_tells_apart_what_the_pages_tell_apart():
    scores = {"near": [5.0, 5.2, 5.1], "far": [6.0, 6.2, 6.3], "first": [4.0, 4.1, 4.2], "wide": [3.0, 5.0, 8.0]}
    for values in scores.values():
        mean, half, word = difference(values, [5.1, 5.0, 5.3])
        assert (script("ahead", "side", [mean, mean - half, mean + half], 0) != 0) == (word == "different")
    assert script("ahead", "order", [[3.0, 2, 4], None, [-1, -2, 0], [1, 1, 1]]) == [2, 3, 0]


def test_ahead_places_values_and_ratios():
    assert script("ahead", "place", 0.3, [0, 1.5], False) == pytest.approx(0.2)
    assert script("ahead", "place", 7, [0, 1.5], False) == 1
    ends = -50, 300                                                      # half to four times as much
    assert [script("ahead", "place", value, ends, True) for value in (-50, 0, 100)] == pytest.approx([0, 1 / 3, 2 / 3])


@pytest.mark.parametrize("n", [1, 5, 60, 300])
def test_choose_counts_what_a_layer_keeps(n):
    blocks = next(blocks for blocks in range(1, 20) if TCN(1, 1, blocks).receptive_field >= n)
    layers = {"RNN": unrolled.torch.RNN(64, 64), "LSTM": unrolled.torch.LSTM(64, 64), "TCN": TCN(64, 64, blocks),
              "Transformer": unrolled.torch.CausalTransformer(64, 4, positions=None)}
    for name, layer in layers.items():
        with torch.no_grad():
            _, state = layer(torch.randn(n, 1, 64))
        if name == "Transformer":
            cut = [part[:, :, -255:] for part in tree_leaves(state)]             # as on the page about the cache
            assert script("choose", "carried", "window", n) == sum(4 * part.numel() for part in cut)
        assert script("choose", "carried", name, n) == sum(part.nbytes for part in tree_leaves(state))
