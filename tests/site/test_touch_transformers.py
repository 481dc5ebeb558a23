"""The numbers of the figures to touch in the second half of the chapter on Transformers. No site needed."""

import shutil

import pytest
import torch
from tests.site.test_touch import script

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
