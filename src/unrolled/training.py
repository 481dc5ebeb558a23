"""The little that every experiment needs: a seed, a loop, an interval."""

import random

import numpy as np
import torch
from scipy import stats

from unrolled import checks
from unrolled.instruments.gradients import clip_grad_norm
from unrolled.numpy.stack import plain

SEEDS = range(5)


def seed_everything(seed):
    """Seed Python, NumPy and torch, and keep torch to one thread, all for the whole process: sums come in one order."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  scikit-learn still draws from it
    torch.manual_seed(seed)
    torch.set_num_threads(1)


def fit(model, loss, batches, learning_rate, max_norm=1.0, decay=False):
    """Train with Adam and clipped gradients, one update a batch.

    Args:
        model: the module whose parameters are trained.
        loss: a function of one batch that returns a scalar tensor.
        batches: a sequence; its length is the number of updates.
        learning_rate: Adam's.
        max_norm: the gradient's norm is clipped to this.
        decay: let the learning rate fall linearly to zero; otherwise it stays.

    Returns:
        The loss before each update, as a list of floats.

    Raises:
        ValueError: there is no batch, or a loss, a gradient's norm or, in the end, a weight is not finite: what came.
    """
    optimizer = torch.optim.Adam(model.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0 if decay else 1.0, total_iters=len(batches))
    losses = []
    for step, batch in enumerate(batches):
        value = loss(batch)
        if not torch.isfinite(value):
            raise ValueError(f"expected a finite loss, got {value.item()} at update {step}; the last was {losses[-1:]}")
        optimizer.zero_grad()
        value.backward()
        clip_grad_norm(model.parameters(), max_norm)
        optimizer.step()
        schedule.step()
        losses.append(value.item())
    if not losses:
        raise ValueError("expected at least one batch, got none")
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise ValueError(f"expected finite weights after the last update, got others in {name}")
    return losses


def six_digits(value):
    """A number as a record keeps it: more digits are more than two machines agree on."""
    return float(f"{float(value):.6g}")


def interval(values, confidence=0.95):
    """Mean and half-width of Student's t interval over seeds.

    Args:
        values: one number a seed, at least two; or an array with seeds along its first axis.
        confidence: of the interval for the mean.

    Returns:
        mean and half-width, floats or arrays.

    Raises:
        TypeError: a masked array or another subclass, of which only the numbers would be read.
        ValueError: fewer than two seeds, or values that are not finite.
    """
    values = plain("values", values).astype(np.float64)
    if values.ndim == 0 or len(values) < 2:
        raise ValueError(f"an interval needs at least two seeds, got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite")
    checks.fraction("confidence", confidence)
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(0, ddof=1) / np.sqrt(len(values))
    return values.mean(0), half
