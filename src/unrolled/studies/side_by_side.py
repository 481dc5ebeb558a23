"""Several copies of one model, a seed each, trained in one loop.

A small recurrent network spends most of its time on calling operations and not inside them, so five of them stacked
cost little more than one. The copies share no number: neither weights, nor the norm to which a gradient is clipped, nor
Adam's averages, which are kept entry by entry.
"""

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from unrolled import checks, training
from unrolled.training import seed_everything


class SideBySide(nn.Module):
    """Copies of a model, every array with the seeds in front.

    Args:
        build: makes one model; called once a seed, after seeding. Its operations must be ones that `torch.func.vmap`
            can map: those of `unrolled.torch` are, the library's recurrent layers are not.
        seeds: one copy each; `unrolled.training.SEEDS` if left out.

    Called with tensors, or tuples of them, that have the seeds in front, it returns what the model returns, likewise.
    """

    def __init__(self, build, seeds=None):
        super().__init__()
        models = []
        for seed in training.SEEDS if seeds is None else seeds:
            seed_everything(seed)
            models.append(build())
        weights, _ = stack_module_state(models)
        self.names, self._model = list(weights), [models[0]]         # in a list: its own weights are not trained
        self.weights = nn.ParameterList(weights.values())            # (seeds, …) each

    def forward(self, *inputs):
        weights = dict(zip(self.names, self.weights))
        return vmap(lambda one, *own: functional_call(self._model[0], one, own))(weights, *inputs)

    def state_dicts(self):
        """The weights of each copy by the model's own names, one dict a seed."""
        return [{name: stacked[i].detach() for name, stacked in zip(self.names, self.weights)}
                for i in range(len(self.weights[0]))]


def fit_each(model, losses, batches, learning_rate, max_norm=1.0, decay=False):
    """`unrolled.training.fit` for models side by side: Adam, and each seed's gradient clipped by its own norm.

    Args:
        model: a `SideBySide`.
        losses: a function of one batch that returns the loss of each seed, (seeds,).
        batches, learning_rate, max_norm, decay: as for `fit`.

    Returns:
        The losses before each update, (updates, seeds).

    Raises:
        ValueError: there is no batch, or a loss is not finite.
    """
    max_norm, batches = checks.positive_number("max_norm", max_norm), list(batches)
    if not batches:
        raise ValueError("expected at least one batch, got none")
    optimizer, parameters, history = torch.optim.Adam(model.parameters(), learning_rate), list(model.parameters()), []
    for update, batch in enumerate(batches):
        values = losses(batch)
        if not torch.isfinite(values).all():
            raise ValueError(f"expected finite losses, got {values.tolist()} at update {update}")
        optimizer.zero_grad()
        values.sum().backward()                                      # no copy's loss depends on another's weights
        norms = torch.stack([p.grad.flatten(1).norm(dim=1) for p in parameters]).norm(dim=0)          # (seeds,)
        for p in parameters:
            p.grad.mul_((max_norm / norms).clamp(max=1).view(-1, *[1] * (p.dim() - 1)))
        if decay:
            optimizer.param_groups[0]["lr"] = learning_rate * (1 - update / len(batches))
        optimizer.step()
        history.append(values.detach())
    return torch.stack(history)
