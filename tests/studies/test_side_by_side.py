"""Models side by side are the models one by one."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

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
    with pytest.raises(ValueError, match="expected finite losses, got nan of seed 1 at update 0"):
        fit_each(model, lambda x: squares(model(x)[0], x) * torch.tensor([1, float("nan"), 1]), batches, 0.1)
    with pytest.raises(ValueError, match="at least one batch"):
        fit_each(model, lambda x: x, [], 0.1)


# What a copy keeps beside its weights


class Noted(nn.Module):
    """A layer with buffers of every kind: constant, changed in place, put anew, and not in the state_dict."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.register_buffer("shift", torch.randn(2))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.register_buffer("mean", torch.randn(2))
        self.register_buffer("last", torch.randn(2), persistent=False)

    def forward(self, x):
        self.calls += 1
        self.mean = 0.9 * self.mean + 0.1 * x.mean(0).detach()
        self.last.copy_(x[-1])
        return self.layer(x) + self.shift + self.mean + self.last


def normed():
    bare = nn.Linear(2, 3, bias=False)       # the gradient of a bias would be rounding alone, of which Adam makes steps
    return nn.Sequential(bare, nn.BatchNorm1d(3), nn.Tanh(), nn.BatchNorm1d(3, momentum=0.5))


def tied():
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2))
    model[2].weight = model[0].weight
    return model


def pruned():
    return prune.random_unstructured(nn.Linear(2, 2), "weight", 0.5)


def scaled():
    model = nn.Linear(2, 2)
    model.scale = nn.Parameter(torch.randn(()))
    return model


BUILDS = {
    "buffers": Noted, "batch norm": normed, "batch norm in evaluation": lambda: normed().eval(), "tied": tied,
    "weight norm": lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 2))), "pruned": pruned,
    "a scalar": scaled,
}


def alone(build, seed):
    seed_everything(seed)
    return build()


@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_a_copy_keeps_what_its_model_alone_keeps(build):
    model, models = SideBySide(build, SEEDS), [alone(build, seed) for seed in SEEDS]
    assert model.training == models[0].training
    for call in range(3):
        x = torch.randn(len(SEEDS), 5, 2, generator=torch.Generator().manual_seed(call))
        for got, one, own in zip(model(x), models, x, strict=True):
            torch.testing.assert_close(got, one(own))
    for got, one in zip(model.state_dicts(), models, strict=True):
        torch.testing.assert_close(got, dict(one.state_dict()))
        build().load_state_dict(got)                                     # strictly: every name and no other
    for i, one in enumerate(models):                                     # those that no state_dict holds, too
        for name, value in one.named_buffers():
            torch.testing.assert_close(model._arrays()[name][i], value)


@pytest.mark.parametrize("build", [Noted, normed, tied, scaled])
def test_training_with_buffers_is_training_one_by_one(build):
    random = torch.Generator().manual_seed(0)
    data = [torch.randn(len(SEEDS), 8, 2, generator=random, dtype=torch.float64) for _ in range(6)]
    model = SideBySide(build, SEEDS).double()
    history = fit_each(model, lambda x: (model(x) - x[..., :1]).square().mean((1, 2)), data, 0.05, max_norm=0.3)
    for i, seed in enumerate(SEEDS):
        one = alone(build, seed).double()
        losses = fit(one, lambda x, one=one, i=i: (one(x[i]) - x[i, :, :1]).square().mean(), data, 0.05, max_norm=0.3)
        torch.testing.assert_close(history[:, i], torch.tensor(losses, dtype=torch.float64))
        torch.testing.assert_close(model.state_dicts()[i], dict(one.state_dict()))


def test_modes_reach_the_model():
    model, x = SideBySide(normed, SEEDS), torch.randn(len(SEEDS), 5, 2)
    assert model.eval()(x).equal(model(x))                               # batch norm's averages stay as they are
    assert not model.train()(x).equal(model.eval()(x))


def test_frozen_weights_stay_frozen():
    def build():
        model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        model[0].requires_grad_(False)
        return model

    model = SideBySide(build, SEEDS)
    before = copy.deepcopy(model.state_dicts())
    fit_each(model, lambda x: model(x).square().mean((1, 2)), [torch.randn(3, 4, 2)], 0.1)
    for old, new in zip(before, model.state_dicts()):
        assert [name for name in old if not old[name].equal(new[name])] == ["1.weight", "1.bias"]


def test_buffers_move_and_are_copied_with_the_weights():
    model = copy.deepcopy(SideBySide(Noted, SEEDS)).double()
    output = model(torch.randn(len(SEEDS), 5, 2, dtype=torch.float64))
    assert {output.dtype, *(d["mean"].dtype for d in model.state_dicts())} == {torch.float64}
    other = SideBySide(Noted, [7, 8, 9]).double()
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(other.state_dicts(), model.state_dicts())


# Right, or refused


def with_attribute(value):
    def build():
        model = nn.Linear(2, 2)
        model.extra = value()
        return model

    return build


def grown():
    model = nn.Sequential(nn.Linear(2, 2))
    for _ in range(int(torch.randint(0, 2**31, ()) % 97)):
        model.append(nn.Linear(2, 2))
    return model


@pytest.mark.parametrize("value", [
    lambda: torch.randn(2), lambda: torch.rand(()).item(), lambda: torch.randn(2).numpy(), lambda: [torch.randn(2)],
    lambda: {"a": (1, torch.rand(()).item())},
], ids=["tensor", "number", "array", "list", "dict"])
def test_attributes_that_differ_are_refused(refuses, value):
    with refuses(ValueError, "the models must differ in parameters and buffers only, since the first one runs for all; "
                             "got different extra"):
        SideBySide(with_attribute(value), SEEDS)


@pytest.mark.parametrize("value", [lambda: torch.ones(2), lambda: 0.5, lambda: [1, "a"], lambda: torch.tanh,
                                   lambda: (lambda x: x), torch.Generator],
                         ids=["tensor", "number", "list", "function", "lambda", "generator"])
def test_attributes_that_are_the_same_are_taken(value):
    SideBySide(with_attribute(value), SEEDS)


def test_other_differences_are_refused(refuses):
    with refuses(ValueError, "the models must have the same parts, got other ones in "):
        SideBySide(grown, SEEDS)
    with refuses(ValueError, "got different p"):
        SideBySide(lambda: nn.Dropout(torch.rand(()).item()), SEEDS)
    with refuses(ValueError, "got different 0.training"):
        SideBySide(lambda: nn.Sequential(nn.Dropout().train(torch.rand(()).item() < 0.4)), range(9))
    model = nn.Linear(2, 2)
    with refuses(ValueError, "build must make a new model at each call, got the same one twice"):
        SideBySide(lambda: model, SEEDS)


class Counted(nn.Linear):
    def get_extra_state(self):
        return 3

    def set_extra_state(self, state):
        pass


def test_a_state_dict_of_more_than_arrays_is_refused(refuses):
    with refuses(TypeError, "state_dict must hold parameters and buffers only, got _extra_state"):
        SideBySide(lambda: Counted(2, 2), SEEDS)


def right_or_refused(build, x):
    try:
        output = SideBySide(build, SEEDS)(x)
    except (RuntimeError, ValueError):
        return
    for i, seed in enumerate(SEEDS):
        seed_everything(0)
        expected = alone(build, seed)(x[i])
        torch.testing.assert_close(output[i] if torch.is_tensor(output) else output[0][i],
                                   expected if torch.is_tensor(expected) else expected[0])


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("module", [unrolled.torch, nn], ids=["ours", "library"])
def test_layers_are_right_or_refused(kind, module):
    right_or_refused(lambda: getattr(module, kind)(2, 3), torch.randn(len(SEEDS), 4, 5, 2))


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_fused_layers_are_right_or_refused(kind):
    right_or_refused(lambda: getattr(unrolled.torch, kind)(2, 3, fused=True), torch.randn(len(SEEDS), 4, 5, 2))


@pytest.mark.parametrize("build", [
    lambda: nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)),
    lambda: unrolled.torch.GRU(2, 3, 2, dropout=0.5),
], ids=["dropout", "dropout between layers"])
def test_dropout_is_refused_while_training_and_right_in_evaluation(build):
    x = torch.randn(len(SEEDS), 4, 5, 2)
    with pytest.raises(RuntimeError, match="random"):
        SideBySide(build, SEEDS)(x)
    output = SideBySide(lambda: build().eval(), SEEDS)(x)
    for i, seed in enumerate(SEEDS):
        expected = alone(build, seed).eval()(x[i])
        torch.testing.assert_close((output if torch.is_tensor(output) else output[0])[i],
                                   expected if torch.is_tensor(expected) else expected[0])


# What is not finite is named, with its seed


def numbers():
    return SideBySide(lambda: nn.Linear(1, 1, bias=False), SEEDS)


def roots(model):
    """A finite loss whose gradient is NaN for the middle copy."""
    zeros = torch.tensor([1.0, 0.0, 1.0])
    return (model(torch.ones(3, 1, 1)).flatten() * zeros).abs().sqrt()


def test_a_gradient_that_is_not_finite_is_named_even_at_the_last_update(refuses):
    model = numbers()
    before = copy.deepcopy(model.state_dicts())
    with refuses(ValueError, "expected finite norms of the gradients, got nan of seed 1 at update 0"):
        fit_each(model, lambda _: roots(model), [0], 0.1)
    torch.testing.assert_close(model.state_dicts(), before)


def test_fit_refuses_the_same(refuses):
    model = nn.Linear(1, 1, bias=False)
    with refuses(ValueError, "expected a finite gradient norm, got nan"):
        fit(model, lambda _: (model(torch.ones(1, 1)) * 0).abs().sqrt().sum(), [0], 0.1)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named_though_no_loss_reads_them(refuses, value):
    def build():
        model = nn.Linear(1, 1)
        model.unread = nn.Parameter(torch.zeros(2))
        return model

    model = SideBySide(build, SEEDS)
    with torch.no_grad():
        model._arrays()["unread"][2, 1] = value
    with refuses(ValueError, f"expected finite weights unread, got {value} of seed 4 after the last update"):
        fit_each(model, lambda _: model(torch.ones(3, 1, 1)).flatten(), [0], 0.1)
    one = build()
    nn.init.constant_(one.unread, value)
    with refuses(ValueError, "expected finite weights after the last update, got others in unread"):
        fit(one, lambda _: one(torch.ones(1, 1)).sum(), [0], 0.1)


def test_a_step_that_overflows_is_named(refuses):
    model = numbers()
    nn.init.constant_(model.weights[0], -3.39e38)
    with refuses(ValueError, "expected finite weights weight, got inf of seed 3, inf of seed 1, inf of seed 4"):
        fit_each(model, lambda _: model(torch.ones(3, 1, 1)).flatten(), [0], 3e37)


def test_a_gradient_whose_square_is_no_float32_is_clipped_all_the_same():
    model = numbers()
    before = torch.stack([d["weight"] for d in model.state_dicts()])
    fit_each(model, lambda _: model(torch.full((3, 1, 1), 1e25)).flatten() * 1e5, [0], 0.1)
    after = torch.stack([d["weight"] for d in model.state_dicts()])
    torch.testing.assert_close(before - after, torch.full_like(before, 0.1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("losses", [lambda v: v.mean(), lambda v: v[:, None], lambda v: v[:2]],
                         ids=["mean", "column", "two"])
def test_losses_that_are_not_one_a_seed_are_refused(refuses, losses):
    model = numbers()
    with refuses(ValueError, "losses must have shape (3,), got "):
        fit_each(model, lambda _: losses(model(torch.ones(3, 1, 1)).flatten()), [0], 0.1)
