"""The two tasks of bits and the networks side by side that learn them."""

import numpy as np
import pytest
import torch
from torch import nn

from unrolled.studies import bits
from unrolled.training import seed_everything


def test_each_network_is_torchs_own_of_its_seed():
    model, x = bits.Networks([3, 4], 2, 5), torch.randn(6, 2, 7, 2)
    states, last = model.states(x)
    for place, seed in enumerate([3, 4]):
        seed_everything(seed)
        expected = nn.RNN(2, 5)(x[:, place])[0]
        torch.testing.assert_close(states[:, place], expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(last, states[-1])


def test_a_state_can_be_carried_on():
    model, x = bits.Networks(range(2), 1, 4), torch.randn(9, 2, 3, 1)
    whole, (first, state) = model(x)[0], model(x[:4])
    torch.testing.assert_close(torch.cat([first, model(x[4:], state)[0]]), whole, rtol=1e-5, atol=1e-6)


def test_the_echo_asks_for_the_bit_of_eight_steps_ago():
    x, asked = bits.echo(40, 2, torch.Generator().manual_seed(0), batch=3)
    assert torch.equal((x[: -bits.LAG, ..., 0] + 1) / 2, asked[bits.LAG :])


def test_recall_starts_with_its_bit_and_goes_on_with_noise():
    x, bit = bits.recall(10, 2, torch.Generator().manual_seed(0), batch=400)
    assert torch.equal((x[0, ..., 0] + 1) / 2, bit)
    assert x[1:].std().item() == pytest.approx(0.1, rel=0.05)


def test_training_the_read_out_alone_leaves_the_recurrence_as_it_was_drawn():
    model, score = bits.train_echo(range(2), 8, read_out_only=True, updates=2)
    fresh = bits.Networks(range(2), 1)
    assert torch.equal(model.U, fresh.U)
    assert not torch.equal(model.V, fresh.V)
    assert score.shape == (2,)


def test_a_short_lag_is_learned():
    assert np.all(bits.train_recall(range(2), 2, nn.init.orthogonal_, updates=100) > 0.9)
