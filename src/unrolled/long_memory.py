"""Long memory, measured: one task, one model, one lag, one seed, trained until it is solved or its updates are used up.

    run("delayed recall", "LSTM chrono", lag=100, seed=0)      seconds
    recorded()                                                 what `python -m experiments long-memory --record` found

A run depends on its arguments alone: on the same kind of machine they give the same dict, to the last bit. On another
the last digits of a sum differ, and training makes that grow; `agree` says what still has to hold.

Models of the same width read the sequence, and a linear layer reads their states: the RNN; the LSTM of 1997 without a
forget gate, once with torch's default start and once with input gates that start nearly shut, as Hochreiter &
Schmidhuber 1997 had theirs for the adding problem; the LSTM with torch's default start, with a forget bias of 1
(Jozefowicz et al. 2015), and with chrono biases (Tallec & Ollivier 2018) for T_max = lag; the GRU. All are trained by
Adam on full backpropagation through time, so "LSTM 1997" is that paper's cell and not its truncated gradient. All start
as `unrolled.torch` makes them; then the library's kernels take over, which compute the same function, faster
(`library_twin`).
"""

import json
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.data import tasks
from unrolled.instruments.gradients import clip_grad_norm
from unrolled.torch import GRU, LSTM, RNN
from unrolled.training import seed_everything

HIDDEN_SIZE = 32
BATCH = 32                      # new sequences at every update
UPDATES = 1000                  # at most
EVERY = 25                      # updates between two looks at the evaluation set
EVALUATION = 256                # sequences, the same for all models and seeds
START = 20                      # the update whose loss tells whether two runs began alike
RECORD = Path(__file__).parent / "data/long-memory.json"


@dataclass(frozen=True)
class Task:
    """What is asked, and when it counts as solved.

    Attributes:
        make: a function (count, lag, seed) of `unrolled.data.tasks`.
        width: D, how many numbers a step has.
        classes: K, what an answer is chosen from; None where it is a number.
        baseline: the loss of always guessing the same: a cross-entropy in nats, or a squared error.
    """

    make: Callable
    width: int
    classes: int | None
    baseline: float

    def solved(self, loss, accuracy):
        """99 of 100 answers right; or a squared error of 0.01, a seventeenth of the guess."""
        return loss <= 0.01 if self.classes is None else accuracy >= 0.99


def copy_memory(count, lag, seed):
    """`tasks.copy_memory` with 3 symbols out of 4, so that a run takes seconds."""
    return tasks.copy_memory(count, lag, seed, symbols=4, length=3)


@torch.no_grad()
def shut(layer, bias=-3.0):
    """The same layer with input gates that start nearly shut: whatever comes in changes the cell by a twentieth."""
    layer.bias_ih_l0[: layer.hidden_size], layer.bias_hh_l0[: layer.hidden_size] = bias, 0.0
    return layer


TASKS = {
    "copy": Task(copy_memory, 6, 4, math.log(4)),
    "adding": Task(tasks.adding_problem, 2, None, 1 / 6),
    "delayed recall": Task(tasks.delayed_recall, 9, 4, math.log(4)),
}
MODELS = {
    "RNN": lambda D, H, lag: library_twin(RNN(D, H)),
    "LSTM 1997": lambda D, H, lag: library_twin(LSTM(D, H, forget_gate=False)),
    "LSTM 1997 shut": lambda D, H, lag: library_twin(shut(LSTM(D, H, forget_gate=False))),
    "LSTM": lambda D, H, lag: library_twin(LSTM(D, H)),
    "LSTM bias 1": lambda D, H, lag: library_twin(LSTM(D, H, forget_bias=1.0)),
    "LSTM chrono": lambda D, H, lag: library_twin(LSTM(D, H, chrono=lag)),
    "GRU": lambda D, H, lag: library_twin(GRU(D, H)),
}
LEARNING_RATES = {              # the best of what `python -m experiments tuning` tries, on a seed apart
    "RNN": 0.01,
    "LSTM 1997": 0.03,
    "LSTM 1997 shut": 0.03,
    "LSTM": 0.03,
    "LSTM bias 1": 0.01,
    "LSTM chrono": 0.03,
    "GRU": 0.03,
}


def run(task, model, lag, seed, learning_rate=None, updates=UPDATES, hidden_size=HIDDEN_SIZE):
    """Train one model on one task.

    Args:
        task: a key of `TASKS`.
        model: a key of `MODELS`.
        lag: what the task makes of it: steps from the last symbol to the cue, T, or the number of distractors; at
            least 3.
        seed: of the weights and of every batch.
        learning_rate: Adam's; what was found best for this model if left out.
        updates: how many there are at most; the run ends at the first look, one every 25 updates, that finds it solved.
        hidden_size: the width of the state, H.

    Returns:
        A dict of the arguments and of what came out: `solved`; `updates`, how many were made; `loss` and `accuracy` on
        the evaluation set at the end (None for a task that asks for a number); `start_loss`, the training loss of
        update 20, or of the last where there were fewer; `curve`, the evaluation set's loss at every look, to four
        digits.

    Raises:
        TypeError, ValueError: an argument outside what is listed above, or a loss that is not finite.
    """
    spec = TASKS[checks.choice("task", task, TASKS)]
    checks.choice("model", model, MODELS)
    if checks.positive_int("lag", lag) < 3:
        raise ValueError(f"lag must be at least 3, got {lag}")
    if seed not in range(2**32):
        raise ValueError(f"seed must be a whole number from 0 to 2**32 - 1, got {seed!r}")
    checks.positive_int("updates", updates)
    if learning_rate is None:
        learning_rate = LEARNING_RATES[model]
    seed_everything(seed)
    layer = MODELS[model](spec.width, hidden_size, lag)
    readout = nn.Linear(hidden_size, spec.classes or 1)
    parameters = [*layer.parameters(), *readout.parameters()]
    optimizer = torch.optim.Adam(parameters, checks.positive_number("learning_rate", learning_rate))

    def batch(count, key):
        x, y = map(torch.from_numpy, spec.make(count, lag, key))
        return x.transpose(0, 1).contiguous(), y                        # (T, B, D); (B,) or (B, n)

    def score(x, y):
        """Loss and accuracy of the answers at the last step, or the last n."""
        states, _ = layer(x)                                            # (T, B, H)
        answers = readout(states[-math.prod(y.shape[1:]):])             # (n, B, K)
        if spec.classes is None:
            return F.mse_loss(answers[0, :, 0], y), None
        y = y.reshape(len(y), -1).T                                     # (n, B)
        right = (answers.detach().argmax(-1) == y).float().mean().item()
        return F.cross_entropy(answers.flatten(0, 1), y.flatten()), right

    held_out, curve = batch(EVALUATION, 0), []
    for update in range(updates + 1):
        if update % EVERY == 0 or update == updates:
            with torch.no_grad():
                loss, accuracy = score(*held_out)
            curve.append(float(f"{loss.item():.4g}"))
            if solved := spec.solved(loss.item(), accuracy):
                break
        if update == updates:
            break
        train_loss, _ = score(*batch(BATCH, (1 + seed, update)))        # no batch is ever the evaluation set
        if not torch.isfinite(train_loss):
            raise ValueError(f"expected a finite loss, got {train_loss.item()} at update {update}")
        if update < START:
            start_loss = train_loss.item()
        optimizer.zero_grad()
        train_loss.backward()
        clip_grad_norm(parameters, 1.0)
        optimizer.step()
    return {
        "task": task, "model": model, "lag": lag, "seed": seed, "learning_rate": learning_rate,
        "hidden_size": hidden_size, "solved": solved, "updates": update, "loss": loss.item(), "accuracy": accuracy,
        "start_loss": start_loss, "curve": curve,
    }


@torch.no_grad()
def library_twin(layer):
    """The layer of `torch.nn` that computes the same function, weights included.

    The cell of 1997 is one whose forget gate cannot move: no weights and a bias so large that σ is 1 in float32 and its
    slope 0. Its gradient is then exactly 0, and Adam leaves it where it is.

    Args:
        layer: an RNN, GRU or LSTM of `unrolled.torch` with one layer, one direction, and torch's own equations or
            `forget_gate=False`.

    Returns:
        An `nn.RNN`, `nn.GRU` or `nn.LSTM`.
    """
    H = layer.hidden_size
    twin = getattr(nn, type(layer).__name__)(layer.input_size, H)
    weights = layer.state_dict()
    if getattr(layer, "forget_gate", True) is False:
        for name, value in weights.items():                            # blocks i, g, o become i, f, g, o
            closed = torch.full_like(value[:H], 50.0 if name == "bias_ih_l0" else 0.0)
            weights[name] = torch.cat([value[:H], closed, value[H:]])
    twin.load_state_dict(weights)
    return twin


def recorded():
    """The record of all runs.

    Returns:
        A dict: `commit`, `date`, `device`, `versions`; `rows`, one dict of `run` each.
    """
    return json.loads(RECORD.read_text(encoding="utf-8"))


def summary(rows):
    """What all seeds together say.

    Args:
        rows: of the record, or of `run`.

    Returns:
        By (task, model, lag): how many seeds there are, how many of them solved it, and the median of the updates that
        these needed, None where there is none.
    """
    groups = {}
    for row in rows:
        groups.setdefault((row["task"], row["model"], row["lag"]), []).append(row)
    found = {}
    for key, group in groups.items():
        needed = [row["updates"] for row in group if row["solved"]]
        found[key] = len(group), len(needed), statistics.median(needed) if needed else None
    return found


def agree(one, other, tolerance=1e-3):
    """Whether two results can be the same run on two machines.

    Args:
        one, other: what `run` returned, or rows of the record.
        tolerance: the largest difference of the losses at update 20, relative.

    Returns:
        True where arguments and verdict are equal and the losses at update 20 are close.
    """
    alike = "task", "model", "lag", "seed", "learning_rate", "hidden_size", "solved"
    close = math.isclose(one["start_loss"], other["start_loss"], rel_tol=tolerance)
    return close and all(one[name] == other[name] for name in alike)
