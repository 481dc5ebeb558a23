"""Several copies of one model, a seed each, trained in one loop.

A small recurrent network spends most of its time on calling operations and not inside them, so five of them stacked
cost little more than one. The copies share no number: neither weights nor buffers, nor the norm to which a gradient is
clipped, nor Adam's averages, which are kept entry by entry.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from unrolled import checks, training
from unrolled.training import seed_everything


class SideBySide(nn.Module):
    """Copies of a model, every array with the seeds in front.

    Args:
        build: makes one model; called once a seed, after seeding. Its operations must be ones that `torch.func.vmap`
            can map: those of `unrolled.torch` in their plain form are, those of the library's recurrent layers are not,
            and a call with what vmap has no rule for raises its RuntimeError. So does a call that draws at random, such
            as dropout in training mode: a copy would draw other numbers than its model alone.
        seeds: one copy each; `unrolled.training.SEEDS` if left out.

    Called with tensors, or tuples of them, that have the seeds in front, it returns what the model returns, likewise.
    Each copy keeps its buffers, and what a call does to them (batch norm's averages) it does to each copy's own. Frozen
    weights stay frozen; `train()` and `eval()` reach the model.

    Raises:
        TypeError: a model whose `state_dict` holds more than its parameters and buffers.
        ValueError: models that differ in more than their parameters and buffers, since one of them runs for all: in
            their parts, their modes, numbers or tensors among their attributes; or one model built twice.
    """

    def __init__(self, build, seeds=None):
        super().__init__()
        self.seeds, models = list(training.SEEDS if seeds is None else seeds), []
        for seed in self.seeds:
            seed_everything(seed)
            models.append(build())
        _check_alike(models)
        weights, buffers = stack_module_state(models)
        self._model, self.training = [_WithBuffers(models[0])], models[0].training    # in a list: it is not trained
        self.names, self.buffer_names = list(weights), list(buffers)
        self.weights = nn.ParameterList(nn.Parameter(w.detach(), w.requires_grad) for w in weights.values())
        for number, value in enumerate(buffers.values()):                             # (seeds, …) each
            self.register_buffer(f"buffer_{number}", value)
        self.state_names = _state_names(models[0])

    def _arrays(self):
        """Parameters and buffers by the model's own names, stacked."""
        buffers = [getattr(self, f"buffer_{number}") for number in range(len(self.buffer_names))]
        return dict(zip(self.names, self.weights)) | dict(zip(self.buffer_names, buffers))

    def forward(self, *inputs):
        results, buffers = vmap(lambda arrays, *own: functional_call(
            self._model[0], {f"model.{name}": array for name, array in arrays.items()}, own))(self._arrays(), *inputs)
        for number, name in enumerate(self.buffer_names):
            setattr(self, f"buffer_{number}", buffers[name])
        return results

    def train(self, mode=True):
        """Set the mode of the model too."""
        self._model[0].train(mode)
        return super().train(mode)

    def state_dicts(self):
        """The `state_dict` of each copy, under the model's own names, one a seed."""
        arrays = self._arrays()
        return [{name: arrays[of][i].detach() for name, of in self.state_names.items()}
                for i in range(len(self.seeds))]


class _WithBuffers(nn.Module):
    """A model that also returns its buffers: a call may have put others in their place, not only changed them."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *inputs):
        return self.model(*inputs), dict(self.model.named_buffers())


def _state_names(model):
    """{name in the state_dict: name among parameters and buffers}; they differ where one tensor has several names."""
    names = {id(value): name for name, value in [*model.named_parameters(), *model.named_buffers()]}
    state_dict = model.state_dict(keep_vars=True)
    if other := [name for name, value in state_dict.items() if id(value) not in names]:
        raise TypeError(f"state_dict must hold parameters and buffers only, got {', '.join(other)}")
    return {name: names[id(value)] for name, value in state_dict.items()}


def _check_alike(models):
    """Raise unless the models differ in their parameters and buffers only."""
    if len({id(model) for model in models}) < len(models):
        raise ValueError("build must make a new model at each call, got the same one twice")
    first = _described(models[0]) if models else {}
    for model in models[1:]:
        other = _described(model)
        if first.keys() != other.keys():
            raise ValueError("the models must have the same parts, got other ones in "
                             + ", ".join(sorted(first.keys() ^ other.keys())))
        if unlike := [name for name, value in first.items() if not _same(value, other[name])]:
            raise ValueError("the models must differ in parameters and buffers only, since the first one runs for all; "
                             f"got different {', '.join(unlike)}")


def _described(model):
    """What a model is besides the values of its parameters and buffers: parts, their types, modes and attributes."""
    found = {name: tuple(value.shape) for name, value in [*model.named_parameters(), *model.named_buffers()]}
    hooks_and_such = vars(nn.Module()).keys() - {"training"}
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        found[f"{prefix}type"] = type(module).__qualname__
        found |= {prefix + name: value for name, value in vars(module).items() if name not in hooks_and_such}
    return found


def _same(one, other):
    """Whether two attributes hold the same numbers and words; objects of other kinds are taken for the same."""
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):                                    # with a grad_fn: computed from weights, and
        return one.grad_fn is not None or torch.equal(one, other)        # again in each call, as weight norm does
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return one == other if isinstance(one, int | float | complex | str | bytes) else True


def fit_each(model, losses, batches, learning_rate, max_norm=1.0, decay=False):
    """`unrolled.training.fit` for models side by side: Adam, and each seed's gradient clipped by its own norm.

    Args:
        model: a `SideBySide`.
        losses: a function of one batch that returns the loss of each seed, (seeds,).
        batches, learning_rate, max_norm, decay: as for `fit`.

    Returns:
        The losses before each update, (updates, seeds).

    Raises:
        ValueError: there is no batch, the losses are not one a seed, no parameter has a gradient, or a loss, a gradient
            or, in the end, a weight is not finite: what came, of which seeds, and at which update.
    """
    max_norm, batches = checks.positive_number("max_norm", max_norm), list(batches)
    if not batches:
        raise ValueError("expected at least one batch, got none")
    optimizer, history = torch.optim.Adam(model.parameters(), learning_rate), []
    for update, batch in enumerate(batches):
        values = losses(batch)
        checks.shape("losses", values, (len(model.seeds),))
        _check_finite("losses", values, model.seeds, f"at update {update}")
        optimizer.zero_grad()
        values.sum().backward()                                      # no copy's loss depends on another's weights
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        if not grads:
            raise ValueError("expected parameters with a gradient, got none")
        norms = [torch.linalg.vector_norm(grad.reshape(len(grad), -1), dim=1, dtype=torch.float64) for grad in grads]
        norms = torch.stack(norms).norm(dim=0)                       # (seeds,)  1e20² is no float32
        _check_finite("norms of the gradients", norms, model.seeds, f"at update {update}")
        scale = (max_norm / norms).clamp(max=1)
        for grad in grads:
            grad.mul_(scale.to(grad.dtype).view(-1, *[1] * (grad.dim() - 1)))
        if decay:
            optimizer.param_groups[0]["lr"] = learning_rate * (1 - update / len(batches))
        optimizer.step()
        history.append(values.detach())
    for name, weight in zip(model.names, model.weights):
        sums = weight.detach().reshape(len(weight), -1).abs().amax(1)
        _check_finite(f"weights {name}", sums, model.seeds, "after the last update")
    return torch.stack(history)


def _check_finite(what, values, seeds, when):
    wrong = [f"{value} of seed {seed}" for value, seed in zip(values.tolist(), seeds) if not math.isfinite(value)]
    if wrong:
        raise ValueError(f"expected finite {what}, got {', '.join(wrong)} {when}")
