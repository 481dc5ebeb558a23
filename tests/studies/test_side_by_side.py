"""Models side by side are the models one by one."""

import pytest
import torch
from torch import nn

import unrolled.torch
from unrolled.studies.side_by_side import SideBySide, fit_each
from unrolled.training import fit, seed_everything

SEEDS = (3, 1, 4)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.readout = unrolled.torch.LSTM(2, 4), nn.Linear(4, 1)

    def forward(self, x, state=None):
        states, state = self.layer(x, state)
        return self.readout(states), state


def one(seed):
    seed_everything(seed)
    return Reader()


@pytest.fixture
def batches():
    random = torch.Generator().manual_seed(0)
    return [torch.randn(len(SEEDS), 6, 5, 2, generator=random) for _ in range(8)]


def squares(output, x):
    return (output[..., 0] - 3 * x.cumsum(-3)[..., 0]).square().mean((-2, -1))


def test_each_copy_computes_what_the_model_of_its_seed_computes(batches):
    output, (h, c) = SideBySide(Reader, SEEDS)(batches[0])
    for i, seed in enumerate(SEEDS):
        expected, state = one(seed)(batches[0][i])
        torch.testing.assert_close(output[i], expected)
        torch.testing.assert_close((h[i], c[i]), state)


def test_states_are_carried_a_copy_at_a_time(batches):
    model = SideBySide(Reader, SEEDS)
    _, state = model(batches[0])
    output, _ = model(batches[1], state)
    expected, _ = one(SEEDS[2])(batches[1][2], tuple(part[2] for part in state))
    torch.testing.assert_close(output[2], expected)


@pytest.mark.parametrize("decay", [True, False])
def test_training_side_by_side_is_training_one_by_one(batches, decay):
    model = SideBySide(Reader, SEEDS)
    history = fit_each(model, lambda x: squares(model(x)[0], x), batches, 0.05, max_norm=0.3, decay=decay)
    for i, seed in enumerate(SEEDS):
        alone = one(seed)

        def loss(x, alone=alone, i=i):
            return squares(alone(x[i])[0], x[i])

        losses = fit(alone, loss, batches, 0.05, max_norm=0.3, decay=decay)
        torch.testing.assert_close(history[:, i], torch.tensor(losses), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model.state_dicts()[i], dict(alone.state_dict()), rtol=1e-3, atol=1e-5)


def test_the_gradient_really_was_clipped_in_that_comparison(batches):
    alone = one(SEEDS[0])
    squares(alone(batches[0][0])[0], batches[0][0]).backward()
    assert sum(p.grad.square().sum() for p in alone.parameters()).sqrt() > 0.3


def test_only_the_stacked_weights_are_parameters():
    model = SideBySide(Reader, SEEDS)
    assert sum(p.numel() for p in model.parameters()) == len(SEEDS) * sum(p.numel() for p in one(0).parameters())


def test_bad_losses_and_no_batches_are_named(batches):
    model = SideBySide(Reader, SEEDS)
    with pytest.raises(ValueError, match="finite losses, got .*nan.* at update 0"):
        fit_each(model, lambda x: squares(model(x)[0], x) * torch.tensor([1, float("nan"), 1]), batches, 0.1)
    with pytest.raises(ValueError, match="at least one batch"):
        fit_each(model, lambda x: x, [], 0.1)
