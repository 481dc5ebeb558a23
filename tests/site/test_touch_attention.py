"""The numbers of the figures to touch of the chapter on attention, as in test_touch.py."""

import shutil

import numpy as np
import pytest
import torch
from tests.site.test_touch import script

import unrolled.numpy

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

KEYS, VALUES = [[1, 0], [0, 2], [2, 0]], [7, 3, 6]


@pytest.mark.parametrize(("query", "target"), [([0, 1], 3), ([3, 0], 3), ([6, 0], 5.5), ([-1, 2.5], 7)])
def test_push_has_the_derivatives_of_autograd_and_descends(query, target):
    q = torch.tensor(query, dtype=torch.float64)
    K, v = torch.tensor(KEYS, dtype=torch.float64), torch.tensor(VALUES, dtype=torch.float64)
    for steps in range(6):
        q = q.detach().requires_grad_()
        scores = K @ q
        weights = scores.softmax(0)
        context = weights @ v
        d_scores, d_query = torch.autograd.grad((context - target) ** 2 / 2, (scores, q))
        found = script("push", "descend", query, KEYS, VALUES, target, steps)
        np.testing.assert_allclose(found, q.detach(), rtol=1e-12, atol=1e-14)
        forward = script("push", "forward", found, KEYS, VALUES)
        np.testing.assert_allclose(forward[0], weights.detach(), rtol=1e-12)
        np.testing.assert_allclose(forward[1], context.item(), rtol=1e-12)
        d_e = script("push", "d_e", found, KEYS, VALUES, target)
        np.testing.assert_allclose(d_e, d_scores, rtol=1e-9, atol=1e-13)
        d_weights = (context.item() - target) * np.array(VALUES)
        by_hand = unrolled.numpy.attention.softmax_backward(d_weights, weights.detach().numpy())
        np.testing.assert_allclose(d_e, by_hand, rtol=1e-9, atol=1e-13)
        q = q - 0.2 * d_query
