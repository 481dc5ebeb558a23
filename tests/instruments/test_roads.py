"""The Jacobian of an LSTM's state: equal to autograd, and its direct road is the product of the forget gates."""

from functools import reduce

import numpy as np
import pytest
import torch

import unrolled.numpy
import unrolled.torch
from unrolled.instruments.gradients import temporal_jacobian
from unrolled.instruments.roads import reach, state_jacobians

X = np.random.default_rng(0).standard_normal((7, 3))


def layer(**options):
    return unrolled.numpy.LSTM(3, 5, dtype=np.float64, seed=0, **options)


def test_the_product_of_the_blocks_is_what_autograd_finds(close):
    numpy_layer = layer()
    cell = unrolled.torch.LSTMCell(3, 5, dtype=torch.float64)
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in numpy_layer.parameters.items()})

    def step(x_t, state):
        return torch.cat(cell(x_t, tuple(state.split(5))))

    found = temporal_jacobian(step, torch.zeros(10, dtype=torch.float64), torch.from_numpy(X)).numpy()
    close(reduce(np.matmul, state_jacobians(numpy_layer, X)[0][::-1]), found, 1e-12)


def test_without_recurrent_weights_the_direct_road_is_the_whole(close):
    numpy_layer = layer()
    numpy_layer.parameters["weight_hh_l0"][:] = 0
    direct, whole = reach(numpy_layer, X, (1, 3, 7))
    close(direct, whole, 1e-12)
    _, f = state_jacobians(numpy_layer, X)
    close(direct, np.array([f[-k:].prod(0).max() for k in (1, 3, 7)]), 1e-12)


def test_a_step_back_has_the_forget_gate_alone(close):
    direct, whole = reach(layer(), X, [1])
    close(direct, whole, 1e-12)


@pytest.mark.parametrize("options", [{"peephole": True}, {"forget_gate": False}, {"num_layers": 2},
                                     {"bidirectional": True}], ids=str)
def test_other_layers_are_refused(options):
    with pytest.raises(ValueError, match="six standard equations"):
        state_jacobians(layer(**options), X)


@pytest.mark.parametrize("back", [[], [0], [8]], ids=str)
def test_a_distance_beyond_the_sequence_is_refused(back):
    with pytest.raises(ValueError, match="back must lie"):
        reach(layer(), X, back)
