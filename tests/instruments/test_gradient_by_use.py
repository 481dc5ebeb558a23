"""The terms of dL/dU, one for each use of U."""

import pytest
import torch
from torch import nn

import unrolled.torch
from unrolled.instruments.gradients import gradient_by_use


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("make", [nn.RNN, unrolled.torch.RNN])
def test_the_terms_sum_to_the_gradient_of_the_shared_weight(make, nonlinearity, bias):
    torch.manual_seed(0)
    layer = make(3, 5, nonlinearity=nonlinearity, bias=bias, dtype=torch.float64)
    x, h_0 = torch.randn(20, 2, 3, dtype=torch.float64), torch.randn(1, 2, 5, dtype=torch.float64)
    weights = torch.randn(20, 2, 5, dtype=torch.float64)
    terms = gradient_by_use(layer, lambda states: (weights * states).sum(), x, h_0)
    (weights * layer(x, h_0)[0]).sum().backward()
    assert terms.shape == (20, 5, 5)
    torch.testing.assert_close(terms.sum(0), layer.weight_hh_l0.grad, rtol=1e-12, atol=1e-14)


def test_uses_after_the_loss_get_nothing():
    layer = nn.RNN(3, 5)
    terms = gradient_by_use(layer, lambda states: states[4].sum(), torch.randn(10, 2, 3))
    assert terms[1:5].abs().amax((1, 2)).min() > 0
    assert not terms[5:].any()
    assert not terms[0].any()                               # h_0 is zero, so its use of U moves nothing


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"bidirectional": True}, {"batch_first": True}])
def test_only_one_plain_layer_is_taken(options):
    with pytest.raises(ValueError, match="one layer, one direction"):
        gradient_by_use(nn.RNN(3, 5, **options), torch.sum, torch.randn(4, 2, 3))


def test_the_input_must_fit():
    with pytest.raises(ValueError, match=r"input must have shape \(T, B, 3\)"):
        gradient_by_use(nn.RNN(3, 5), torch.sum, torch.randn(4, 3))
