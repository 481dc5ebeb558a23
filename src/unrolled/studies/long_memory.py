"""Long memory: which network still solves which task at which lag, and what its start has to do with it.

    run("delayed recall", "LSTM chrono", lag=100, seed=0, learning_rate=0.03)      seconds

Networks of the same width read the sequence, and a linear layer reads their states: the RNN; the LSTM of 1997 without a
forget gate, once with torch's default start and once with input gates that start nearly shut, as Hochreiter &
Schmidhuber 1997 had theirs for the adding problem; the LSTM with torch's default start, with a forget bias of 1
(Jozefowicz et al. 2015), with chrono biases (Tallec & Ollivier 2018) for T_max = lag, and with either half of them; the
GRU with torch's start, and with chrono biases at its update gate. All are trained by Adam on full backpropagation
through time, 32 new sequences an update, the gradient clipped to norm 1, until they solve the task or their updates are
used up. So "LSTM 1997" is that paper's cell and not its truncated gradient. All start as `unrolled.torch` makes them;
then faster code takes over, which computes the same function (`library_twin`; the GRU's is our own, fused).

The learning rate is chosen for each network and task on two seeds that are not scored, at lag 30: the rate that solves
it on more of them, then in fewer updates, then with the lower loss. A network that no rate lifts above chance at lag 30
is tuned at lag 10; if none does there either, it gets the middle rate, and is called untuned.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.data import tasks
from unrolled.instruments.gradients import clip_grad_norm
from unrolled.torch import GRU, LSTM, RNN
from unrolled.training import SEEDS, seed_everything, six_digits

HIDDEN_SIZE = 32
BATCH = 32                      # new sequences at every update
UPDATES = 2000                  # at most
EVERY = 25                      # updates between two looks at the evaluation set
EVALUATION = 256                # sequences, the same for all models and seeds
START = 20                      # the update whose loss tells whether two runs began alike
CHANCE = 0.9                    # of the baseline's loss: whoever stays above it has learned nothing
GRID = 0.003, 0.01, 0.03        # the edge is passed, to 0.001 or 0.1, where it is best
TUNING_SEEDS = 100, 101
LAGS = 10, 30, 100, 200
STAGES = [("delayed recall", (10, 30, 100)), ("copy", (10, 30, 100)), ("adding", (10, 30, 100)),
          ("delayed recall", (200,)), ("adding", (200,))]


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


@torch.no_grad()
def half_of_chrono(layer, lag, gate):
    """The same LSTM with chrono biases at one gate alone, "forget" or "input"; the other starts as torch has it."""
    H = layer.hidden_size
    rows, sign = (slice(H, 2 * H), 1) if gate == "forget" else (slice(H), -1)
    layer.bias_ih_l0[rows] = sign * torch.empty(H).uniform_(1, lag - 1).log()
    layer.bias_hh_l0[rows] = 0.0
    return layer


@torch.no_grad()
def chrono_gru(layer, lag):
    """The same GRU with chrono biases at its update gate, whose 1 keeps: b_z = log u with u uniform in [1, lag - 1]."""
    rows = slice(layer.hidden_size, 2 * layer.hidden_size)
    layer.bias_ih_l0[rows] = torch.empty(layer.hidden_size).uniform_(1, lag - 1).log()
    layer.bias_hh_l0[rows] = 0.0
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
    "LSTM chrono forget": lambda D, H, lag: library_twin(half_of_chrono(LSTM(D, H), lag, "forget")),
    "LSTM chrono input": lambda D, H, lag: library_twin(half_of_chrono(LSTM(D, H), lag, "input")),
    "GRU": lambda D, H, lag: GRU(D, H, fused=True),
    "GRU chrono": lambda D, H, lag: chrono_gru(GRU(D, H, fused=True), lag),
}


def run(task, model, lag, seed, learning_rate, updates=UPDATES):
    """Train one model on one task.

    Args:
        task: a key of `TASKS`.
        model: a key of `MODELS`.
        lag: what the task makes of it: steps from the last symbol to the cue, T, or the number of distractors; at
            least 3.
        seed: of the weights and of every batch.
        learning_rate: Adam's.
        updates: how many there are at most; the run ends at the first look, one every 25 updates, that finds it solved.

    Returns:
        A dict of the arguments and of what came out: `solved`; `updates`, how many were made; `loss` and `accuracy` on
        the evaluation set at the end (None for a task that asks for a number); `best`, the lowest loss of all looks;
        `start_loss`, the training loss of update 20, or of the last where there were fewer.

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
    seed_everything(seed)
    layer = MODELS[model](spec.width, HIDDEN_SIZE, lag)
    readout = nn.Linear(HIDDEN_SIZE, spec.classes or 1)
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

    held_out, best = batch(EVALUATION, 0), math.inf
    for update in range(updates + 1):
        if update % EVERY == 0 or update == updates:
            with torch.no_grad():
                loss, accuracy = score(*held_out)
            best = min(best, loss.item())
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
        "task": task, "model": model, "lag": lag, "seed": seed, "learning_rate": learning_rate, "solved": solved,
        "updates": update, "loss": six_digits(loss), "accuracy": None if accuracy is None else six_digits(accuracy),
        "best": six_digits(best), "start_loss": six_digits(start_loss),
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


def scored(rows):
    """The rows of the seeds that are scored."""
    return [row for row in rows if row["seed"] in SEEDS]


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
    alike = "task", "model", "lag", "seed", "learning_rate", "solved"
    close = math.isclose(one["start_loss"], other["start_loss"], rel_tol=tolerance)
    return close and all(one[name] == other[name] for name in alike)


def tried(rows, task, model, lag):
    """The tuning rows of a network and a task at one lag, by learning rate."""
    found = {}
    for row in rows:
        if row["seed"] in TUNING_SEEDS and (row["task"], row["model"], row["lag"]) == (task, model, lag):
            found.setdefault(row["learning_rate"], []).append(row)
    return found


def best_of(trials):
    """The rate that solves it on more seeds, then in fewer updates, then with the lower loss."""
    def cost(rate):
        group = trials[rate]
        return -sum(row["solved"] for row in group), sum(row["updates"] for row in group), sum(r["loss"] for r in group)

    return min(trials, key=cost)


def beats_chance(trials, task):
    """Whether any seed at any rate has learned anything."""
    return any(row["loss"] < CHANCE * TASKS[task].baseline for group in trials.values() for row in group)


def learning_rate(rows, task, model):
    """The rate that tuning chose for a network and a task, and the lag it was chosen at; None if none beat chance."""
    for lag in (30, 10):
        trials = tried(rows, task, model, lag)
        if trials and beats_chance(trials, task):
            return best_of(trials), lag
    return GRID[1], None


def lacking(rows, task, model):
    """(lag, rate) that tuning of a network on a task still has to try; [] when it is finished."""
    for lag in (30, 10):
        trials = tried(rows, task, model, lag)
        if not trials:
            return [(lag, rate) for rate in GRID]
        if beats_chance(trials, task):
            beyond = {GRID[0]: 0.001, GRID[-1]: 0.1}.get(best_of(trials))
            return [(lag, beyond)] if beyond and beyond not in trials else []
    return []


def runs(small=False, rows=()):
    """What is to be run next: for one task after the other tuning, and then all networks and seeds, lag by lag."""
    if small:
        return [] if rows else [_run(task, model, 5, seed, 0.01, 40) for task in TASKS for model in MODELS
                                for seed in (TUNING_SEEDS[0], 0)]
    done = {(row["task"], row["model"], row["lag"]) for row in scored(rows)}
    for task, lags in STAGES:
        if more := [_run(task, model, lag, seed, rate) for model in MODELS for lag, rate in lacking(rows, task, model)
                    for seed in TUNING_SEEDS]:
            return more
        for lag in lags:
            if more := [_run(task, model, lag, seed, learning_rate(rows, task, model)[0])
                        for model in MODELS if (task, model, lag) not in done for seed in SEEDS]:
                return more
    return []


def _run(task, model, lag, seed, rate, updates=UPDATES):
    return {"task": task, "model": model, "lag": lag, "seed": seed, "learning_rate": rate, "updates": updates}


def table(rows):
    """Lines: by task, network and lag, how many seeds solved it, the median of the updates they needed; the rates."""
    found = summary(scored(rows))
    for task in TASKS:
        lags = sorted({row["lag"] for row in scored(rows) if row["task"] == task})
        yield f"\n{task:20}" + "".join(f"{f'lag {lag}':>14}" for lag in lags) + "   learning rate, chosen at lag"
        for model in MODELS:
            cells = []
            for seeds, solved, needed in (found.get((task, model, lag), (0, 0, None)) for lag in lags):
                cells.append(f"{solved}/{seeds}" + (f" @{needed:5.0f}" if solved else " " * 7))
            rate, at = learning_rate(rows, task, model)
            yield f"  {model:18}" + "".join(f"{cell:>14}" for cell in cells) + f"   {rate:<6} {at or 'none'}"
