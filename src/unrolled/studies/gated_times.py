"""What a GRU costs beside an LSTM: processor times of both, written alike, in the library, and with oneDNN off.

    run("library", "training step", gru_width=96, lstm_width=96, repeat=0)         seconds

PyTorch runs `nn.LSTM` in single precision on oneDNN's kernels and `nn.GRU` on general ones. "library, no oneDNN" is the
intervention: the same two layers with `torch.backends.mkldnn` off. A time is the least of some rounds, GRU and LSTM in
turns, on one thread.
"""

import time

import numpy as np
import torch
from torch import nn

import unrolled.numpy
import unrolled.torch
from unrolled import checks
from unrolled.studies import once
from unrolled.training import seed_everything, six_digits

BACKENDS = {"NumPy": unrolled.numpy, "plain torch": unrolled.torch, "library": nn, "library, no oneDNN": nn}
WIDTHS = 32, 96, 256
EQUAL_WEIGHTS = 113, 96                         # a GRU's width and the LSTM's with as many weights, for 32 inputs
REPEATS = range(5)


def training_step(kind, backend, width):
    """A function that runs forward and backward once: 20 steps, 32 sequences, 32 inputs."""
    x, layer = torch.randn(20, 32, 32), getattr(backend, kind)(32, width)
    if backend is unrolled.numpy:
        up = np.ones((20, 32, width), np.float32)
        return lambda: (layer.forward(x.numpy()), layer.backward(up))
    return lambda: layer(x)[0].sum().backward()


def one_step(kind, backend, width):
    """A function that takes one step of one sequence, as a stream does."""
    x, layer = torch.randn(1, 1, 32), getattr(backend, kind)(32, width)
    if backend is unrolled.numpy:
        return lambda: layer.forward(x.numpy())
    return torch.no_grad()(lambda: layer(x))


PARTS = {"training step": (training_step, 20), "one step": (one_step, 200)}         # what is timed; rounds


def run(backend, part, gru_width, lstm_width, repeat):
    """Time a GRU and an LSTM.

    Args:
        backend: a key of `BACKENDS`.
        part: a key of `PARTS`.
        gru_width, lstm_width: their hidden sizes.
        repeat: a number that tells repetitions apart.

    Returns:
        A dict of the arguments and `gru`, `lstm`: milliseconds of the processor.
    """
    make, rounds = PARTS[checks.choice("part", part, PARTS)]
    seed_everything(repeat)
    layers = BACKENDS[checks.choice("backend", backend, BACKENDS)]
    calls = make("GRU", layers, gru_width), make("LSTM", layers, lstm_width)
    took = np.empty((rounds, 2))
    [before, *_] = torch.backends.mkldnn.set_flags(not backend.endswith("no oneDNN"))
    try:
        for times in took:
            for i, call in enumerate(calls):
                begun = time.process_time()
                call()
                times[i] = time.process_time() - begun
    finally:
        torch.backends.mkldnn.set_flags(before)
    gru, lstm = 1000 * took.min(0)
    return {"backend": backend, "part": part, "gru_width": gru_width, "lstm_width": lstm_width, "repeat": repeat,
            "gru": six_digits(gru), "lstm": six_digits(lstm)}


@once
def runs(small):
    sizes = [(backend, part, width, width) for part in PARTS for backend in BACKENDS for width in WIDTHS]
    sizes += [(backend, "training step", *EQUAL_WEIGHTS) for backend in BACKENDS]
    names = "backend", "part", "gru_width", "lstm_width"
    return [dict(zip(names, size)) | {"repeat": repeat} for size in sizes for repeat in REPEATS][: 2 if small else None]


def ratio(rows, backend, part, gru_width, lstm_width):
    """GRU over LSTM, the median of the repetitions."""
    wanted = {"backend": backend, "part": part, "gru_width": gru_width, "lstm_width": lstm_width}
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return float(np.median([row["gru"] / row["lstm"] for row in found]))


def table(rows):
    """Lines: GRU over LSTM for everything that was timed."""
    names = "backend", "part", "gru_width", "lstm_width"
    for size in dict.fromkeys(tuple(row[name] for name in names) for row in rows):
        yield "{:19} {:13} {:3} units against {:3}: GRU / LSTM ".format(*size) + f"{ratio(rows, *size):.2f}"
