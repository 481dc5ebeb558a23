"""The numbers of the figures to touch in the first half of the chapter on Transformers. No site needed."""

import shutil

import numpy as np
import pytest
from tests.site.test_touch import script

import unrolled.numpy

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("factor", [0, 0.5, 1, 10])
def test_lookup_attends_as_the_package_does(factor, is_causal):
    q, k, v = (np.array(rows, float) for rows in (
        [[0, 2], [2, 0], [0, 2]], [[2, 0], [0, 2], [1, 0]], [[4, 1], [0, 6], [2, 2]]))     # those of the page
    outputs, weights = unrolled.numpy.attention.scaled_dot_product(factor * q, k, v, is_causal=is_causal)
    for t in range(3):
        found = script("lookup", "scaled_dot_product", t, factor, is_causal)
        np.testing.assert_allclose(found["weights"], weights[t], rtol=1e-12)
        np.testing.assert_allclose(found["output"], outputs[t], rtol=1e-12)
