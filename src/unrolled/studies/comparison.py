"""RNN, GRU, LSTM and relatives on text and on the sea: one cell, one task, one seed at a time.

Whatever is compared gets the same data, the same optimiser and the same number of updates. Only the cell, its width and
its learning rate differ, and the learning rate is picked on a seed that is used for nothing else. The order of the data
is drawn after the weights and from the same generator, so each model reads stretches of its own: two runs with the same
seed are not a pair, and their scores are to be compared as those of independent groups.
"""

import bisect
import math
import warnings

import numpy as np
import torch
from scipy import stats
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

import unrolled.cudnn
import unrolled.torch
from unrolled import checks
from unrolled.data import load_elnino, load_source_code
from unrolled.data.source_code import ALPHABET, encode
from unrolled.instruments.gradients import detach
from unrolled.studies import once
from unrolled.training import SEEDS, fit, interval, seed_everything, six_digits

LEAD = 3                                                    # months ahead
OPEN = 40.0                                                 # a pre-activation whose sigmoid is 1 in float32
TUNING_SEED = 100                                           # used for nothing else
EVALUATIONS = 10                                            # a run looks at the validation part this often


class SharedInputGRU(nn.Module):
    """A GRU whose gates and candidate share one input matrix W_x, as some texts print it: D·H weights for 3·D·H."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = unrolled.cudnn.GRU(input_size, hidden_size)
        self.weight_x = nn.Parameter(self.gru.weight_ih_l0[:hidden_size].detach().clone())
        self.gru.weight_ih_l0.requires_grad_(False)         # replaced in every call

    def forward(self, x, state=None):
        return functional_call(self.gru, {"weight_ih_l0": self.weight_x.repeat(3, 1)}, (x, state))


class NoResetGRU(nn.Module):
    """A GRU whose reset gate is held open, r = 1: only the rows of z and n are trained."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.gru = unrolled.cudnn.GRU(input_size, hidden_size)
        rows = {name: p.detach()[hidden_size:].clone() for name, p in self.gru.named_parameters()}
        self.rows = nn.ParameterDict(rows)
        self.gru.requires_grad_(False)                      # replaced in every call
        for name, p in self.gru.named_parameters():
            p[:hidden_size] = OPEN if name == "bias_ih_l0" else 0

    def forward(self, x, state=None):
        fixed = {name: p[: self.gru.hidden_size] for name, p in self.gru.named_parameters()}
        whole = {name: torch.cat([fixed[name], rows]) for name, rows in self.rows.items()}
        return functional_call(self.gru, whole, (x, state))


CELLS = {
    "RNN": unrolled.cudnn.RNN,
    "LSTM": unrolled.cudnn.LSTM,
    "GRU": unrolled.cudnn.GRU,
    "GRU, reset before": lambda D, H: unrolled.torch.GRU(D, H, reset_after=False),
    "GRU, one W": SharedInputGRU,
    "GRU, no reset": NoResetGRU,
    "minGRU": unrolled.torch.MinGRU,
}


def parameters(layer):
    """How many numbers of a layer are trained."""
    return sum(p.numel() for p in layer.parameters() if p.requires_grad)


def width_for(cell, input_size, wanted):
    """The hidden size at which a layer of that cell has as nearly as possible `wanted` parameters."""
    checks.choice("cell", cell, CELLS)
    return nearest_width(lambda hidden_size: parameters(CELLS[cell](input_size, hidden_size)), wanted)


def nearest_width(count, wanted):
    """The width at which `count`, a function that grows with it, is as near as possible to `wanted`."""
    checks.positive_int("wanted", wanted)
    enough = 1
    while count(enough) < wanted:
        enough *= 2
    above = 1 + bisect.bisect_left(range(1, enough), wanted, key=count)         # the narrowest with at least as many
    return min((max(1, above - 1), above), key=lambda width: abs(count(width) - wanted))


class Reader(nn.Module):
    """One layer of a cell with a linear read-out at every step; `symbols` inputs are embedded first."""

    def __init__(self, cell, input_size, hidden_size, outputs, symbols=None):
        super().__init__()
        self.embed = nn.Embedding(symbols, input_size) if symbols else nn.Identity()
        self.layer = CELLS[checks.choice("cell", cell, CELLS)](input_size, hidden_size)
        self.readout = nn.Linear(hidden_size, outputs)

    def forward(self, x, state=None):                       # (T, B) symbols or (T, B, D)
        states, state = self.layer(self.embed(x), state)    # (T, B, H)
        return self.readout(states), state                  # (T, B, outputs)



def train(task, cell, hidden_size, learning_rate, seed, updates, characters=None):
    """Train one network and follow it on data that it is not trained on.

    Args:
        task: "text": next character of Python's standard library, scored in perplexity. "elnino": sea temperature
            three months ahead, scored by its root mean square error in °C.
        cell: one of `CELLS`.
        hidden_size: the width of the state, H.
        learning_rate: Adam's at the start; it falls linearly to zero.
        seed: of the weights and the order of the data.
        updates: how many, a multiple of ten.
        characters: of the text, train on so many only; on all of them if left out.

    Returns:
        The model, a `Reader`; a function from "validation" or "test" to its score on that part; and a record, a dict
        of numbers: "parameters" of the layer; "loss" in training and score on the "validation" part, for each tenth of
        the run; "test", the score on the test part where the validation score was best; "last", that at the end.

    Raises:
        TypeError, ValueError: an unknown task or cell, or a number out of range.
    """
    task = TASKS[checks.choice("task", task, TASKS)]
    tenth = checks.positive_int("updates", updates) // EVALUATIONS
    if tenth * EVALUATIONS != updates:
        raise ValueError(f"updates must be a multiple of {EVALUATIONS}, got {updates}")
    checks.positive_number("learning_rate", learning_rate)
    seed_everything(seed)
    model, loss, score = task(cell, hidden_size, characters)
    scores = []

    def follow(update):
        if update and update % tenth == 0:
            scores.append((score("validation"), score("test")))
        return loss()

    losses = fit(model, follow, range(updates), learning_rate, decay=True)
    scores.append((score("validation"), score("test")))
    validation, test = zip(*scores)
    return model, score, {
        "parameters": parameters(model.layer),
        "loss": [six_digits(value) for value in np.reshape(losses, (EVALUATIONS, -1)).mean(1)],
        "validation": [six_digits(value) for value in validation],
        "test": six_digits(test[int(np.argmin(validation))]),
        "last": six_digits(test[-1]),
    }


def run(task, cell, hidden_size, learning_rate, seed, updates, characters=None):
    """The record of `train`, with its arguments: what a sweep keeps."""
    settings = {"task": task, "cell": cell, "hidden_size": hidden_size, "characters": characters,
                "learning_rate": learning_rate, "seed": seed, "updates": updates}
    return settings | train(**settings)[2]


def sea_baselines(months=12, ridge=1.0):
    """What the sea's temperature can be forecast by without a network: errors on the test part, in °C.

    Args:
        months: how far the linear regression looks back.
        ridge: its penalty on squared weights.

    Returns:
        A dict of floats by name: the calendar month's mean, today's anomaly carried forward, a linear regression on the
        last months, the season and a constant.
    """
    sea = load_elnino()
    phase = 2 * np.pi * sea.month / 12

    def lags(part):
        now = np.arange(max(part.start, months - 1), part.stop - LEAD)
        season = [np.sin(phase[now]), np.cos(phase[now]), np.ones(len(now))]
        return np.column_stack([sea.anomaly[now - k] for k in range(months)] + season), sea.anomaly[now + LEAD]

    features, ahead = lags(sea.parts["train"])
    weights = np.linalg.solve(features.T @ features + ridge * np.eye(features.shape[1]), features.T @ ahead)
    features, ahead = lags(sea.parts["test"])
    forecasts = {"calendar month": 0 * ahead, "today's anomaly": features[:, 0],
                 f"linear, {months} months": features @ weights}
    return {name: float(np.sqrt(np.mean((forecast - ahead) ** 2))) for name, forecast in forecasts.items()}


def difference(one, other, per_cent=False):
    """One group of scores minus another: the rule by which the pages call two models different.

    The seeds of two models are no pairs, so the 95 % interval is Welch's, for two independent groups. If it lies
    within one per cent of `other` around zero, the two are "equal"; else, if it leaves out zero, "different"; else the
    seeds leave it "undecided".

    Args:
        one, other: scores, one a seed.
        per_cent: of the mean of `other`.

    Returns:
        Difference of the means, half of its interval, and the word.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)                     # seeds that all score the same are no fault
        between = stats.ttest_ind(one, other, equal_var=False).confidence_interval()
    scale = abs(float(np.mean(other)))
    word = "different" if between.low > 0 or between.high < 0 else "undecided"
    if max(-between.low, between.high) < 0.01 * scale:
        word = "equal"
    unit = 100 / scale if per_cent else 1
    return float(unit * (between.low + between.high) / 2), float(unit * (between.high - between.low) / 2), word



def tuned(rows, task, cell, hidden_size, characters=None):
    """One configuration's runs on the seed for tuning, by learning rate in rising order.

    Args:
        rows: of the record.
        task, cell, hidden_size, characters: the configuration.

    Returns:
        Rows by learning rate.

    Raises:
        ValueError: no such configuration.
    """
    wanted = {"task": task, "cell": cell, "hidden_size": hidden_size, "characters": characters, "seed": TUNING_SEED}
    found = {row["learning_rate"]: row for row in rows if all(row[name] == value for name, value in wanted.items())}
    if not found:
        raise ValueError(f"expected a configuration of the record, got {wanted}")
    return dict(sorted(found.items()))


def chosen(rows, task, cell, hidden_size, characters=None):
    """One configuration's runs on `SEEDS`, at the learning rate with the best validation score on the seed for tuning.

    Args:
        rows, task, cell, hidden_size, characters: as for `tuned`.

    Returns:
        Rows, one a seed.

    Raises:
        ValueError: no such configuration.
    """
    trials = tuned(rows, task, cell, hidden_size, characters)
    rate = min(trials, key=lambda rate: min(trials[rate]["validation"]))
    wanted = {"task": task, "cell": cell, "hidden_size": hidden_size, "characters": characters, "learning_rate": rate}
    found = [row for row in rows if row["seed"] in SEEDS and all(row[name] == wanted[name] for name in wanted)]
    return sorted(found, key=lambda row: row["seed"])


def _text(cell, hidden_size, characters, readers=64, chunk=20):
    """Readers start at as many places of the text and read on; a short text is read again from its beginning."""
    text = load_source_code()
    train = torch.from_numpy(encode(text.train[:characters]))
    held_out = {"validation": torch.from_numpy(encode(text.validation[:20_000])),
                "test": torch.from_numpy(encode(text.test[:60_000]))}
    places = train[: len(train) // readers * readers].reshape(readers, -1).T    # (steps, readers)
    model = Reader(cell, 32, hidden_size, len(ALPHABET), symbols=len(ALPHABET))
    at, state = int(torch.randint(len(places), ())), None

    def cross_entropy(logits, following):
        return F.cross_entropy(logits.flatten(0, 1), following.flatten())

    def loss():
        nonlocal at, state
        if at + chunk >= len(places):
            at, state = 0, None
        logits, state = model(places[at : at + chunk], state)
        state = detach(state)                               # carry the state on, not the gradient
        at += chunk
        return cross_entropy(logits, places[at - chunk + 1 : at + 1])

    @torch.no_grad()
    def score(part):
        columns = held_out[part].reshape(50, -1).T          # 50 readers again
        return math.exp(cross_entropy(model(columns[:-1])[0], columns[1:]))

    return model, loss, score


def _elnino(cell, hidden_size, _, months=36, batch=32, warm_up=12):
    """Windows of three years; at each month the anomaly `LEAD` months later is asked for, the first year unscored."""
    sea = load_elnino()
    anomaly = torch.from_numpy(sea.anomaly).float()
    phase = torch.from_numpy(sea.month) * (2 * math.pi / 12)
    x = torch.stack([anomaly, phase.sin(), phase.cos()], -1).float()            # (months, 3)
    model = Reader(cell, 3, hidden_size, 1)

    def error(forecasts, months_ahead):
        return (forecasts[..., 0] - months_ahead)[warm_up:].square().mean()

    def loss():
        steps = torch.randint(sea.parts["train"].stop - months - LEAD + 1, (batch,)) + torch.arange(months)[:, None]
        return error(model(x[steps])[0], anomaly[steps + LEAD])

    @torch.no_grad()
    def score(part):
        start, stop = sea.parts[part].start - warm_up, sea.parts[part].stop - LEAD
        return math.sqrt(error(model(x[start:stop, None])[0], anomaly[start + LEAD : stop + LEAD, None]))

    return model, loss, score


TASKS = {"text": _text, "elnino": _elnino}


# The runs, and the table

UPDATES = {"text": 600, "elnino": 300}
SEA_RATES = 0.00125, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.08
CONFIGURATIONS = [                              # task, cell, hidden_size, characters; rates tried; the best of them
    ("elnino", "RNN", 16, None, SEA_RATES, 0.005),
    ("elnino", "GRU", 16, None, SEA_RATES, 0.04),
    ("elnino", "LSTM", 16, None, SEA_RATES, 0.02),
    ("elnino", "RNN", 34, None, SEA_RATES, 0.01),
    ("elnino", "GRU", 19, None, SEA_RATES, 0.005),
    ("text", "RNN", 96, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "GRU", 96, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "LSTM", 96, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "RNN", 207, None, (0.005, 0.01, 0.02), 0.01),
    ("text", "GRU", 113, None, (0.005, 0.01, 0.02), 0.01),
    ("text", "GRU, one W", 96, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "GRU, no reset", 96, None, (0.005, 0.01, 0.02), 0.01),
    ("text", "minGRU", 96, None, (0.005, 0.01, 0.02, 0.04, 0.08), 0.04),
    ("text", "minGRU", 567, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "GRU, reset before", 96, None, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "RNN", 96, 20_000, (0.00125, 0.0025, 0.005, 0.01, 0.02), 0.0025),
    ("text", "GRU", 96, 20_000, (0.00125, 0.0025, 0.005, 0.01, 0.02), 0.0025),
    ("text", "LSTM", 96, 20_000, (0.0025, 0.005, 0.01, 0.02), 0.005),
    ("text", "GRU", 96, 200_000, (0.005, 0.01, 0.02, 0.04), 0.02),
    ("text", "LSTM", 96, 200_000, (0.005, 0.01, 0.02, 0.04, 0.08), 0.04),
]


def _runs(small):
    """Every configuration: its rates on the seed for tuning, then the best of them on the seeds that are scored."""
    runs = []
    for task, cell, hidden_size, characters, rates, best in CONFIGURATIONS:
        updates = 10 if small else UPDATES[task]
        pairs = [(rate, TUNING_SEED) for rate in rates] + [(best, seed) for seed in SEEDS]
        for rate, seed in pairs[:2] if small else pairs:
            runs.append({"task": task, "cell": cell, "hidden_size": hidden_size, "characters": characters,
                         "learning_rate": rate, "seed": seed, "updates": updates})
    return runs


runs = once(_runs)


def table(rows):
    """Lines: for each configuration the weights of its layer, the rate picked and the score on the test part."""
    for task, cell, hidden_size, characters, *_ in CONFIGURATIONS:
        found = chosen(rows, task, cell, hidden_size, characters)
        score = "{:.2f} ± {:.2f}".format(*interval([row["test"] for row in found])) if len(found) > 1 else "not run"
        text = "all" if characters is None else f"{characters:,}"
        weights = found[0]["parameters"] if found else 0
        yield f"{task:7} {cell:18} {hidden_size:4} units {weights:7,} weights   {text:>7} characters   {score}"
