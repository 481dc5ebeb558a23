"""RNN, LSTM, GRU, TCN and Transformer on the same data, with as many weights: and with as much arithmetic.

Every network is an input, a sequence layer and a linear read-out. The recurrent layers are one layer deep: in time they
are as deep as the sequence is long, and with a fixed number of weights a second layer would halve the state. The TCN
has five blocks, so that a step sees 125 steps, more than a training sequence of any task has; with three it sees 29.
The Transformer has two blocks, the fewest in which one head can use what another found, and two heads a block.

With one seed every model gets the same batches in the same order, and a model's test scores are those of the weights
with the best validation loss. Texts and the sea are read in windows that begin with an empty state, in training and in
the test; the memory tasks draw new sequences for every update. The test is repeated on longer sequences than any in
training, with the same answers asked for where the data are fixed.

Each configuration is tuned first, on a seed of its own, over rates that rise by factors of two until the best of them
has a worse one on either side. Then it runs on the seeds that are scored, at that rate.

    run("text", "LSTM", width=84, learning_rate=0.01, seed=0, updates=400)          ten seconds
"""

import copy
import math
from itertools import groupby

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import unrolled.cudnn
from unrolled import checks
from unrolled.data import load_elnino, load_source_code
from unrolled.data.source_code import ALPHABET, encode
from unrolled.studies.comparison import EVALUATIONS, LEAD, TUNING_SEED, nearest_width, parameters
from unrolled.studies.long_memory import TASKS as MEMORY
from unrolled.torch import TCN, CausalTransformer
from unrolled.training import SEEDS, fit, interval, seed_everything, six_digits

EMBEDDING = 32                  # of a character, where the layer does not set it
HEADS = 2
INPUTS = {"text": EMBEDDING, "elnino": 3} | {name: MEMORY[name].width for name in ("delayed recall", "adding")}     # D
MODELS = {
    "RNN": unrolled.cudnn.RNN,
    "LSTM": unrolled.cudnn.LSTM,
    "GRU": unrolled.cudnn.GRU,
    "TCN": lambda D, H: TCN(D, H, num_layers=5),
    "TCN, short": lambda D, H: TCN(D, H, num_layers=3),
    "Transformer": lambda D, H: CausalTransformer(H, HEADS, num_layers=2),
    "Transformer, ALiBi": lambda D, H: CausalTransformer(H, HEADS, num_layers=2, positions="alibi"),
    "Transformer, rotary": lambda D, H: CausalTransformer(H, HEADS, num_layers=2, positions="rotary"),
}


class Network(nn.Module):
    """A sequence layer between its input and a linear read-out.

    Args:
        model: one of `MODELS`.
        inputs: numbers a step, D; of symbols, the size of their embedding.
        width: H, or d of a Transformer, whose input is brought to that size first.
        outputs: numbers asked for at a step.
        symbols: how many there are, if the input is one a step.
    """

    def __init__(self, model, inputs, width, outputs, symbols=None):
        super().__init__()
        self.layer = MODELS[model](inputs, width)
        size = width if isinstance(self.layer, CausalTransformer) else inputs
        if symbols:
            self.input = nn.Embedding(symbols, size)
        else:
            self.input = nn.Identity() if size == inputs else nn.Linear(inputs, size)
        self.readout = nn.Linear(width, outputs)

    def forward(self, x, last=0):                           # (T, B) symbols or (T, B, D)
        states, _ = self.layer(self.input(x))               # (T, B, H)
        return self.readout(states[-last:])                 # (last, B, outputs), of all steps if 0


def width_for(model, input_size, wanted, count=parameters):
    """The width, one that the heads can share, at which a layer has as nearly as possible so many weights.

    Args:
        model: one of `MODELS`.
        input_size: numbers a step, D.
        wanted: how many.
        count: what is counted instead, a function of the layer.

    Returns:
        An int.

    Raises:
        TypeError, ValueError: an unknown model, or not a positive whole number.
    """
    checks.choice("model", model, MODELS)
    step = 1 if not model.startswith("Transformer") else 2 * HEADS if model.endswith("rotary") else HEADS
    return step * nearest_width(lambda steps: count(MODELS[model](input_size, step * steps)), wanted)


def totals(task, model, width):
    """How many weights a network has.

    Args:
        task: one of `TASKS`.
        model, width: of its layer.

    Returns:
        Two ints: of the sequence layer, and of the whole network with its input and its read-out.

    Raises:
        TypeError, ValueError: an unknown task or model, or not a positive whole number.
    """
    sizes, *_ = TASKS[checks.choice("task", task, TASKS)](0, None)
    checks.choice("model", model, MODELS)
    network = Network(model, INPUTS[task], checks.positive_int("width", width), **sizes)
    return parameters(network.layer), parameters(network)


def flops(layer, seq_len):
    """Floating-point operations of a layer a step, forward, on a sequence of so many steps.

    torch counts those of the TCN and the Transformer, in products of matrices and convolutions; of attention it counts
    all T² scores, whether a kernel skips those of the future or not. It sees nothing of the library's recurrent layers:
    there every weight is used once a step, in one multiplication and one addition.

    Args:
        layer: of one of `MODELS`.
        seq_len: how many steps, T.

    Returns:
        A float.
    """
    if isinstance(layer, nn.RNNBase):
        return 2.0 * sum(p.numel() for p in layer.parameters() if p.dim() == 2)
    x = torch.zeros(seq_len, 1, layer.d_model if isinstance(layer, CausalTransformer) else layer.input_size)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(x)
    return counter.get_total_flops() / seq_len


def run(task, model, width, learning_rate, seed, updates, characters=None):
    """Train one network and test it where its validation loss was lowest.

    Args:
        task: "text", next character of Python's standard library; "elnino", sea temperature three months ahead;
            "delayed recall" or "adding" over 100 steps.
        model: one of `MODELS`.
        width: H, or d of a Transformer.
        learning_rate: Adam's at the start; it falls linearly to zero.
        seed: of weights and batches.
        updates: how many, a multiple of ten.
        characters: of the text, train on so many only; on all of them if left out.

    Returns:
        A dict of the arguments and of what came out: `parameters` of the layer; `flops` a step, forward, at the length
        of training; `loss` in training and `validation` loss, for each tenth of the run; `test`, by length of the test
        sequences, that of training first: the perplexity of a text, the root mean square error of the sea in °C, the
        accuracy of recall, the mean square error of adding.

    Raises:
        TypeError, ValueError: an unknown task or model, or a number out of range.
    """
    make = TASKS[checks.choice("task", task, TASKS)]
    checks.choice("model", model, MODELS)
    checks.positive_int("width", width)
    checks.positive_number("learning_rate", learning_rate)
    settings = {"task": task, "model": model, "width": width, "characters": characters,
                "learning_rate": learning_rate, "seed": seed, "updates": updates}
    return settings | train(make, INPUTS[task], model, width, learning_rate, seed, updates, characters)


def train(make, inputs, model, width, learning_rate, seed, updates, characters=None):
    """What `run` does, on any task: `make`, called with the seed and the characters, is like one of `TASKS`.

    Args:
        make: the task.
        inputs: numbers a step, D; of symbols, the size of their embedding.
        model, width, learning_rate, seed, updates, characters: as for `run`.

    Returns:
        What comes out of `run`, without the arguments.

    Raises:
        ValueError: updates that cannot be divided into tenths.
    """
    tenth = checks.positive_int("updates", updates) // EVALUATIONS
    if tenth * EVALUATIONS != updates:
        raise ValueError(f"updates must be a multiple of {EVALUATIONS}, got {updates}")
    seed_everything(seed)
    sizes, batch, error, held_out, tests = make(seed, characters)
    network = Network(model, inputs, width, **sizes)
    validation, best = [], None

    @torch.no_grad()
    def look():
        nonlocal best
        validation.append(float(error(network, *held_out)))
        if validation[-1] == min(validation):
            best = copy.deepcopy(network.state_dict())

    def loss(update):
        if update and update % tenth == 0:
            look()
        return error(network, *batch(update))

    losses = fit(network, loss, range(updates), learning_rate, decay=True)
    look()
    network.load_state_dict(best)
    with torch.no_grad():
        scores = {str(length): six_digits(score(network)) for length, score in tests.items()}
    return {
        "parameters": parameters(network.layer),
        "flops": round(flops(network.layer, len(held_out[0]))),
        "loss": [six_digits(value) for value in np.reshape(losses, (EVALUATIONS, -1)).mean(1)],
        "validation": [six_digits(value) for value in validation], "test": scores,
    }


def _text(seed, characters, window=64, batch=16, scored=32, longest=256):
    """Windows of 64 characters; in the test the same 32 characters are asked for after 32 others or more."""
    text = load_source_code()
    train = torch.from_numpy(encode(text.train[:characters]))
    rng = np.random.default_rng(seed)

    def draw(_):
        places = torch.from_numpy(rng.integers(len(train) - window, size=batch))
        steps = places + torch.arange(window + 1)[:, None]                      # (window + 1, batch)
        return train[steps[:-1]], train[steps[1:]]

    def error(network, x, y):
        return F.cross_entropy(network(x, last=len(y)).flatten(0, 1), y.flatten())

    def held_out(part, length, count):
        part = torch.from_numpy(encode(part))
        places = torch.linspace(longest, len(part) - 1, count).long()           # the last character of each window
        steps = places + torch.arange(-length, 1)[:, None]
        return part[steps[:-1]], part[steps[1:]][-scored:]

    tests = {length: lambda network, length=length: math.exp(error(network, *held_out(text.test, length, 300)))
             for length in (window, 2 * window, longest)}
    sizes = {"outputs": len(ALPHABET), "symbols": len(ALPHABET)}
    return sizes, draw, error, held_out(text.validation, window, 200), tests


def _elnino(seed, _, months=36, batch=32, warm_up=12):
    """Windows of three years; at each month the anomaly `LEAD` months later is asked for, the first year unscored."""
    sea = load_elnino()
    anomaly = torch.from_numpy(sea.anomaly).float()
    phase = torch.from_numpy(sea.month) * (2 * math.pi / 12)
    x = torch.stack([anomaly, phase.sin(), phase.cos()], -1).float()            # (months, 3)
    rng = np.random.default_rng(seed)

    def windows(starts):
        steps = torch.as_tensor(starts) + torch.arange(months)[:, None]
        return x[steps], anomaly[steps + LEAD][warm_up:]

    def held_out(part):                                     # every window: a month counts with each of its pasts
        return windows(np.arange(sea.parts[part].start - warm_up, sea.parts[part].stop - LEAD - months + 1))

    def draw(_):
        return windows(rng.integers(sea.parts["train"].stop - months - LEAD + 1, size=batch))

    def error(network, x, y):
        return F.mse_loss(network(x, last=len(y))[..., 0], y)

    tests = {months: lambda network: math.sqrt(error(network, *held_out("test")))}
    return {"outputs": 1}, draw, error, held_out("validation"), tests


def memory(name, lag=100, batch=16, evaluation=256):
    """A task of `unrolled.studies.long_memory`, asked for at the last step; in the test also over twice as many steps.

    Args:
        name: of the task.
        lag: in training, and of the first test.
        batch, evaluation: sequences of an update, and of the validation and either test.

    Returns:
        A function, one of `TASKS`.
    """
    spec = MEMORY[name]

    def sequences(count, lag, key):
        x, y = map(torch.from_numpy, spec.make(count, lag, key))
        return x.transpose(0, 1).contiguous(), y                                # (T, B, D); (B,)

    def error(network, x, y):
        answers = network(x, last=1)[0]                                         # (B, K)
        return F.cross_entropy(answers, y) if spec.classes else F.mse_loss(answers[:, 0], y)

    def score(network, lag):
        x, y = sequences(evaluation, lag, (0, 1))
        if not spec.classes:
            return error(network, x, y)
        return (network(x, last=1)[0].argmax(-1) == y).float().mean()

    def task(seed, _):
        tests = {lag * times: lambda network, times=times: score(network, lag * times) for times in (1, 2)}

        def draw(update):
            return sequences(batch, lag, (1 + seed, update))                    # never a key of an evaluation set

        return {"outputs": spec.classes or 1}, draw, error, sequences(evaluation, lag, (0, 0)), tests

    return task


TASKS = {"text": _text, "elnino": _elnino} | {name: memory(name) for name in ("delayed recall", "adding")}



def configurations(rows):
    """What was compared: the (task, model, width, characters) of the rows, each once, in their order."""
    return list(dict.fromkeys((row["task"], row["model"], row["width"], row["characters"]) for row in rows))


def tuned(rows, *configuration):
    """One configuration's runs on the seed for tuning, by learning rate in rising order.

    Args:
        rows: of the record.
        *configuration: one of `configurations`.

    Returns:
        Rows by learning rate.

    Raises:
        ValueError: no such configuration.
    """
    if configuration not in configurations(rows):
        raise ValueError(f"expected a configuration of the record, got {configuration}")
    mine = [row for row in rows if configurations([row]) == [configuration] and row["seed"] == TUNING_SEED]
    return {row["learning_rate"]: row for row in sorted(mine, key=lambda row: row["learning_rate"])}


def best_rate(rows, *configuration):
    """The learning rate with the lowest validation loss on the seed for tuning. Arguments and errors as for `tuned`."""
    trials = tuned(rows, *configuration)
    return min(trials, key=lambda rate: min(trials[rate]["validation"]))


def chosen(rows, *configuration):
    """One configuration's runs on `SEEDS`, at its best rate, one a seed. Arguments and errors as for `tuned`."""
    rate = best_rate(rows, *configuration)
    mine = [row for row in rows if configurations([row]) == [configuration] and row["learning_rate"] == rate]
    return sorted((row for row in mine if row["seed"] in SEEDS), key=lambda row: row["seed"])


def scores(rows, configuration, length=None):
    """Test scores of one configuration, one a seed.

    Args:
        rows: of the record.
        configuration: one of `configurations`.
        length: of the tested sequences, as the record names it; as long as in training if left out.

    Returns:
        An array, one number for each of `SEEDS`. Errors as for `tuned`.
    """
    runs = chosen(rows, *configuration)
    return np.array([run["test"][length or next(iter(run["test"]))] for run in runs])


def alike(rows, task, characters=None, by="parameters", wanted=40_000):
    """The configuration of each model on a task that comes closest to so many weights, or operations a step.

    Args:
        rows: of the record.
        task: its name.
        characters: of the training text that were used; None for all.
        by: "parameters" of the layer, or "flops" a step.
        wanted: how many.

    Returns:
        Configurations by model, in the order of the rows.
    """
    sizes = {}
    for one in configurations(rows):
        if one[0] == task and one[3] == characters:
            off = abs(chosen(rows, *one)[0][by] - wanted)
            sizes.setdefault(one[1], []).append((off, one))
    return {model: min(options)[1] for model, options in sizes.items()}


# The runs, and the table

WEIGHTS = 40_000                                # of the sequence layer
OPERATIONS = 2 * WEIGHTS                        # a step, forward: what so many weights cost where each is used once
WINDOW = 64                                     # of a text
UPDATES = {"text": 400, "elnino": 300, "delayed recall": 400, "adding": 400}
RATES = {"RNN": 0.005, "LSTM": 0.02, "GRU": 0.01, "TCN": 0.005, "Transformer": 0.005}      # where tuning begins
PLAIN = "RNN", "LSTM", "GRU", "TCN", "TCN, short", "Transformer"


def equal_weights(task, models, characters=None):
    """Configurations (task, model, width, characters) with `WEIGHTS` weights each."""
    return [(task, model, width_for(model, INPUTS[task], WEIGHTS), characters) for model in models]


def equal_operations(model):
    """The configuration of a model that spends `OPERATIONS` on a character."""
    return "text", model, width_for(model, INPUTS["text"], OPERATIONS, lambda layer: flops(layer, WINDOW)), None


# The other five spend `OPERATIONS` as they are: only attention computes with what is no weight.
CONFIGURATIONS = [
    *equal_weights("text", PLAIN),
    *equal_weights("delayed recall", PLAIN),
    *equal_weights("text", PLAIN, 20_000),
    *equal_weights("elnino", PLAIN),
    equal_operations("Transformer"),
    *equal_weights("text", (model for model in MODELS if model not in PLAIN)),
    *equal_weights("adding", PLAIN),
]


def runs(small=False, rows=()):
    """What is to be run next, when these are the rows so far: all that the first unfinished group of a task lacks."""
    if small:
        return [] if rows else [_run(one, 0.01, seed, 10) for one in CONFIGURATIONS for seed in (TUNING_SEED, 0)]
    for _, group in groupby(CONFIGURATIONS, key=lambda one: (one[0], one[3])):
        if more := [run for one in group for run in _lacking(one, rows)]:
            return more
    return []


def _lacking(configuration, rows):
    """The runs that one configuration lacks: of tuning, or else of the seeds that are scored."""
    task, model, *_ = configuration
    rows = [row for row in rows if configurations([row]) == [configuration]]
    best = best_rate(rows, *configuration) if rows else RATES[model.partition(",")[0]]
    tried = tuned(rows, *configuration) if rows else {}
    if rates := [rate for rate in (best / 2, best, best * 2) if rate not in tried]:
        return [_run(configuration, rate, TUNING_SEED, UPDATES[task]) for rate in rates]
    scored = [row["seed"] for row in chosen(rows, *configuration)]
    return [_run(configuration, best, seed, UPDATES[task]) for seed in SEEDS if seed not in scored]


def _run(configuration, rate, seed, updates):
    task, model, width, characters = configuration
    return {"task": task, "model": model, "width": width, "characters": characters, "learning_rate": rate,
            "seed": seed, "updates": updates}


def table(rows):
    """Lines: for each configuration its layer's weights and operations a step, its rate, and its scores by length."""
    for one in configurations(rows):
        task, model, width, characters = one
        found = chosen(rows, *one)
        if len(found) < 2:
            yield f"{task:15} {model:19} {width:4} units   being tuned"
            continue
        scores = "   ".join("{}: {:.3f} ± {:.3f}".format(length, *interval([row["test"][length] for row in found]))
                            for length in found[0]["test"])
        text = f"{characters:,} characters" if characters else ""
        yield (f"{task:15} {model:19} {width:4} units {found[0]['parameters']:7,} weights {found[0]['flops']:8,} FLOPs "
               f"{found[0]['learning_rate']:8.4g}   {scores}   {text}").rstrip()
