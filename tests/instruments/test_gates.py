"""Gates laid open: the library's own states come out, and facts about a text are told apart."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from unrolled.instruments.gates import auc, bracketed, indentation, opened


def test_the_states_are_the_librarys(close):
    torch.manual_seed(0)
    layer, x = nn.LSTM(3, 5), torch.randn(9, 2, 3)
    found, (output, (_, c_n)) = opened(layer, x), layer(x)
    close(found["h"], output.detach().numpy(), 1e-5)
    close(found["c"][-1], c_n[0].detach().numpy(), 1e-5)
    assert all(((found[gate] > 0) & (found[gate] < 1)).all() for gate in "ifo")


def test_a_stack_is_refused():
    with pytest.raises(ValueError, match="one layer"):
        opened(nn.LSTM(3, 5, num_layers=2), torch.zeros(4, 1, 3))


def test_brackets_and_indentation():
    assert "".join("01"[int(inside)] for inside in bracketed("f(a[1])+b\n(c\nd")) == "00111110000110"
    assert "".join("01"[int(space)] for space in indentation("  a b\n c")) == "11000010"
    assert bracketed(")(a").tolist() == [False, False, True]


def test_the_area_is_scikit_learns(close):
    random = np.random.default_rng(0)
    values, truth = random.standard_normal((40, 3)), random.random(40) < 0.4
    values[truth, 1] -= 1
    expected = np.array([roc_auc_score(truth, column) for column in values.T])
    close(auc(values, truth), np.maximum(expected, 1 - expected), 1e-12)


def test_one_kind_alone_cannot_be_separated():
    with pytest.raises(ValueError, match="both True and False"):
        auc(np.zeros((3, 1)), np.ones(3, bool))
