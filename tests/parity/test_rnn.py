"""RNN and RNNCell equal the library's, and the parity page says what this run says.

Every backend, in every configuration, against `torch.nn` on the CPU: outputs, final states and all gradients, with and
without an initial state. `pytest tests/parity --record-parity` writes what it measures to `book/_data/parity.json`:

    {"commit": …, "date": …, "device": …, "versions": {…},
     "rows": [{"backend": "numpy", "cell": "RNN", "input": "padded", "device": "CPU", "dtype": "float64", "varied": …,
               "configurations": 240, "output": 5.8e-16, "final_state": …, "input_gradients": …,
               "parameter_gradients": …, "tolerance": 1e-12, "status": "equal"}, …]}

The errors are the worst of all configurations, relative to the library's largest entry. A row whose device is not there
has no errors, and the status "not measured yet". Without the option the committed record must list the same rows.
"""

import dataclasses
import json
import os
from collections import Counter, defaultdict
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from origin import origin
from torch import nn
from torch.nn.utils.rnn import pack_sequence

import unrolled.cudnn
import unrolled.numpy
import unrolled.torch
from unrolled.parity import TOLERANCE, compare

RECORD = Path(__file__).parents[2] / "book/_data/parity.json"
INPUT_SIZE, HIDDEN_SIZE = 4, 6
LENGTHS = {"sorted": [7, 4, 4, 1], "unsorted": [1, 4, 7, 4]}
VARIED = {
    "padded": "1 to 3 layers, 1 or 2 directions, tanh or relu, bias, T = 1, 7, 50, B = 1, 5 or none, layout, h₀",
    "packed": "1 to 3 layers, 1 or 2 directions, tanh or relu, bias, sorted or not, h₀",
    "one step": "tanh or relu, bias, B = 1, 5 or none, h₀",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the table."""

    backend: str
    cell: str
    input: str
    device: str
    dtype: str

    def definition(self):
        """What the row says before anything is measured."""
        return dataclasses.asdict(self) | {
            "varied": VARIED[self.input],
            "configurations": len(CONFIGURATIONS[self.input]),
            "tolerance": self.tolerance(),
        }

    def tolerance(self):
        return 5e-6 if self.device == "CUDA" else TOLERANCE[self.dtype]     # cuDNN sums in an order of its own

    def __str__(self):
        return "-".join(dataclasses.astuple(self))


@dataclasses.dataclass(frozen=True)
class Configuration:
    """One way to build a layer, and an input for it."""

    nonlinearity: str
    bias: bool
    num_layers: int | None = None          # None for a cell
    bidirectional: bool = False
    batch: int | None = None               # None: unbatched
    seq_len: int | None = None
    batch_first: bool = False
    lengths: str | None = None

    def options(self):
        """Keyword arguments of the constructor."""
        options = {"nonlinearity": self.nonlinearity, "bias": self.bias}
        if self.num_layers is not None:
            options |= {name: getattr(self, name) for name in ("num_layers", "bidirectional", "batch_first")}
        return options

    def x(self, dtype):
        """The input."""
        if self.lengths:
            sequences = [torch.randn(length, INPUT_SIZE, dtype=dtype) for length in LENGTHS[self.lengths]]
            return pack_sequence(sequences, enforce_sorted=self.lengths == "sorted")
        leading = [size for size in (self.seq_len, self.batch) if size is not None]
        return torch.randn(*(leading[::-1] if self.batch_first else leading), INPUT_SIZE, dtype=dtype)

    def state(self, dtype):
        """An initial state."""
        batch = len(LENGTHS[self.lengths]) if self.lengths else self.batch
        stacked = [] if self.num_layers is None else [self.num_layers * (1 + self.bidirectional)]
        return torch.randn(*stacked, *([] if batch is None else [batch]), HIDDEN_SIZE, dtype=dtype)

    def __str__(self):
        parts = [self.nonlinearity, "bias" if self.bias else "no bias"]
        if self.num_layers is not None:
            parts += [f"L{self.num_layers}", "two directions" if self.bidirectional else "one direction"]
        parts += [f"T{self.seq_len}"] * (self.seq_len is not None)
        parts.append(self.lengths or ("unbatched" if self.batch is None else f"B{self.batch}"))
        return "-".join(parts + ["batch first"] * self.batch_first)


def _configurations():
    stacks = list(product(("tanh", "relu"), (True, False), (1, 2, 3), (False, True)))
    layouts = list(product((1, 7, 50), ((1, False), (5, False), (5, True)))) + [(7, (None, False))]
    return {
        "padded": [Configuration(*stack, batch=batch, seq_len=seq_len, batch_first=batch_first)
                   for stack, (seq_len, (batch, batch_first)) in product(stacks, layouts)],
        "packed": [Configuration(*stack, lengths=lengths) for stack, lengths in product(stacks, LENGTHS)],
        "one step": [Configuration(nonlinearity, bias, batch=batch)
                     for nonlinearity, bias, batch in product(("tanh", "relu"), (True, False), (None, 1, 5))],
    }


CONFIGURATIONS = _configurations()
ROWS = [
    Row(backend, "RNNCell" if kind == "one step" else "RNN", kind, "CPU", dtype)
    for backend, kind, dtype in product(("numpy", "torch", "cudnn"), CONFIGURATIONS, TOLERANCE)
    if (backend, kind) != ("numpy", "packed")
] + [Row(*row, "CUDA", "float32") for row in (("torch", "RNN", "padded"), ("cudnn", "RNN", "padded"),
                                              ("cudnn", "RNN", "packed"))]


def cases():
    for row in ROWS:
        if row.device == "CUDA" and not torch.cuda.is_available():
            yield pytest.param(row, None, id=str(row), marks=pytest.mark.skip(reason="no CUDA device"))
            continue
        for configuration in CONFIGURATIONS[row.input]:
            yield pytest.param(row, configuration, id=f"{row}-{configuration}")


@pytest.fixture(scope="module")
def measured():
    """The worst error by row and result, and how many configurations each row saw."""
    return defaultdict(lambda: defaultdict(float)), Counter()


COLUMNS = {"output": "output", "h_n": "final_state", "d_input": "input_gradients", "d_h_0": "input_gradients"}


@pytest.mark.parametrize(("row", "configuration"), list(cases()))
def test_equal_to_the_library(measured, row, configuration):
    worst, seen = measured
    dtype, device = getattr(torch, row.dtype), {"CPU": "cpu", "CUDA": "cuda"}[row.device]
    torch.manual_seed(0)
    library = getattr(nn, row.cell)(INPUT_SIZE, HIDDEN_SIZE, **configuration.options(), dtype=dtype)
    options = {"dtype": np.dtype(row.dtype)} if row.backend == "numpy" else {"dtype": dtype, "device": device}
    options |= configuration.options()
    ours = getattr(getattr(unrolled, row.backend), row.cell)(INPUT_SIZE, HIDDEN_SIZE, **options)
    x = configuration.x(dtype)
    for state in (None, configuration.state(dtype)):
        errors = compare(ours, library, x, state)
        for name, error in errors.items():
            column = COLUMNS.get(name, "parameter_gradients")
            worst[row][column] = max(worst[row][column], error)
        assert {name: error for name, error in errors.items() if error > row.tolerance()} == {}
    seen[row] += 1


def test_the_page_lists_these_rows_with_errors_within_their_tolerance(measured, request):
    if request.config.getoption("record_parity"):
        record(*measured)
    rows = json.loads(RECORD.read_text(encoding="utf-8"))["rows"]
    definitions = [row.definition() for row in ROWS]
    assert [{name: row[name] for name in definitions[0]} for row in rows] == definitions
    for row in rows:
        errors = [row[column] for column in {*COLUMNS.values(), "parameter_gradients"} if column in row]
        if row["status"] == "not measured yet":
            assert row["device"] == "CUDA"
            assert not errors
        else:
            assert row["status"] == "equal"
            assert len(errors) == (3 if row["cell"].endswith("Cell") else 4)
            assert max(errors) <= row["tolerance"]


def record(worst, seen):
    """Write the record in one step; a run that left anything out writes nothing."""
    rows = []
    for row in ROWS:
        line = row.definition()
        tolerance = line.pop("tolerance")
        if row.device == "CUDA" and not torch.cuda.is_available():
            rows.append(line | {"tolerance": tolerance, "status": "not measured yet"})
            continue
        assert seen[row] == line["configurations"], f"{row}: every configuration must have passed"
        order = [column for column in ("output", "final_state", "input_gradients", "parameter_gradients")
                 if column in worst[row]]
        rows.append(line | {column: float(f"{worst[row][column]:.1e}") or 0 for column in order}
                    | {"tolerance": tolerance, "status": "equal"})
    RECORD.parent.mkdir(exist_ok=True)
    draft = RECORD.with_suffix(".json.new")
    layers = [f"src/unrolled/{name}" for name in ("numpy", "torch", "cudnn", "checks.py", "parity.py")]
    text = json.dumps(origin("torch", "numpy", paths=layers) | {"rows": rows}, indent=2, ensure_ascii=False)
    draft.write_text(text + "\n", encoding="utf-8")
    os.replace(draft, RECORD)
