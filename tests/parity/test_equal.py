"""Every cell equals the library's, and the parity page says what this run says.

Every backend, in every configuration, against `torch.nn` on the CPU, and where `torch.nn` has no such cell against its
definition, gate by gate (conftest.py): outputs, final states and all gradients, with and without an initial state.
`pytest tests/parity --record-parity` writes what it measures to `book/_data/parity.json`:

    {"commit": …, "date": …, "device": …, "versions": {…},
     "rows": [{"cell": "LSTM", "options": {"fused": true}, "backend": "numpy", "input": "padded", "device": "CPU",
               "dtype": "float64", "against": "torch.nn", "varied": …, "configurations": 120, "output": 5.8e-16,
               "final_state": …, "input_gradients": …, "parameter_gradients": …, "tolerance": 1e-12,
               "status": "equal"}, …]}

Layers without a state, attention and layer norm, are called with every kind of mask; attention has "weights" where the
others have "final_state". The errors are the worst of all configurations, relative to the library's largest entry. A
row whose device is not there has no errors, and the status "not measured yet"; if it was measured before, on a machine
that had the device, it keeps what was found there, and says where. Without the option the committed record must list
the same rows.
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
from unrolled.instruments.parity import TOLERANCE, compare, compare_stateless, rms_error

RECORD = Path(__file__).parents[2] / "book/_data/parity.json"
INPUT_SIZE, HIDDEN_SIZE = 4, 6
LENGTHS = {"sorted": [7, 4, 4, 1], "unsorted": [1, 4, 7, 4]}
BACKENDS = ("numpy", "torch", "cudnn")
FAMILIES = [                                            # model, its options, which backends, against what
    ("RNN", {}, BACKENDS, "torch.nn"),
    ("LSTM", {}, BACKENDS, "torch.nn"),
    ("LSTM", {"fused": True}, BACKENDS[:2], "torch.nn"),
    ("LSTM", {"proj_size": 3}, BACKENDS[1:], "torch.nn"),
    ("LSTM", {"forget_gate": False}, BACKENDS[:2], "definition"),
    ("LSTM", {"forget_gate": "coupled"}, BACKENDS[:2], "definition"),
    ("LSTM", {"peephole": True}, BACKENDS[:2], "definition"),
    ("LSTM", {"layer_norm": True}, BACKENDS[:2], "definition"),
    ("LSTM", {"peephole": True, "forget_gate": "coupled", "layer_norm": True}, BACKENDS[:2], "definition"),
    ("GRU", {}, BACKENDS, "torch.nn"),
    ("GRU", {"fused": True}, BACKENDS[:2], "torch.nn"),
    ("GRU", {"reset_after": False}, BACKENDS[:2], "definition"),
]
STATELESS = [                                           # layer, its options, which backends, called how
    ("MultiheadAttention", {}, BACKENDS[:2], ("self-attention", "cross-attention")),
    ("MultiheadAttention", {"fused": True}, BACKENDS[1:2], ("self-attention", "cross-attention")),
    ("LayerNorm", {}, BACKENDS[:2], ("any rows",)),
]
# On a GPU: every hidden size at which cuDNN changes its algorithm, and every precision, against the CPU in float64.
CUDA_SIZES = (6, 128, 160, 256, 768)
CUDA_TOLERANCE = {"float64": 1e-12, "float32": 5e-6, "TF32": 2e-3, "float16": 5e-3, "bfloat16": 1e-2}


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the table."""

    cell: str
    options: tuple
    backend: str
    input: str
    device: str
    dtype: str
    against: str

    def definition(self):
        """What the row says before anything is measured."""
        return dataclasses.asdict(self) | {
            "options": dict(self.options),
            "varied": self.varied(),
            "configurations": len(self.configurations()),
            "tolerance": self.tolerance(),
        }

    def tolerance(self):
        """The largest error that passes."""
        if self.device == "CUDA":
            return CUDA_TOLERANCE[self.dtype]
        if dict(self.options).get("layer_norm") and self.dtype == "float32" and self.input != "one step":
            return 5e-4                                  # LN divides by a deviation: a small one multiplies rounding
        return TOLERANCE[self.dtype]

    def configurations(self):
        found = CONFIGURATIONS[self.device, self.input]
        if isinstance(found[0], Call):
            return found
        if self.cell.startswith("RNN"):
            return found
        found = [one for one in found if one.nonlinearity == "tanh"]
        if self.against == "definition":                # which takes one step and one gate at a time
            found = [one for one in found if one.lengths or one.num_layers is None or (one.seq_len, one.batch) in
                     ((1, 1), (7, 5), (7, None))]
        return found

    def varied(self):
        """In words, what the configurations differ in."""
        if self.device == "CUDA":
            return f"1 or 2 layers, 1 or 2 directions, H = {', '.join(map(str, CUDA_SIZES))}, T = 50, B = 8"
        if isinstance(self.configurations()[0], Call):
            return CALLS_VARY[self.input]
        activation = "tanh or relu, " * self.cell.startswith("RNN")
        if self.input == "one step":
            return f"{activation}bias, B = 1, 5 or none, h₀"
        lengths = "T = 1, 7" if self.against == "definition" else "T = 1, 7, 50"
        what = "sorted or not" if self.input == "packed" else f"{lengths}, B = 1, 5 or none, layout"
        return f"1 to 3 layers, 1 or 2 directions, {activation}bias, {what}, h₀"

    def columns(self):
        """What is measured: no final state where there is none, nor the weights of attention that never holds them."""
        shown = {"MultiheadAttention": {"weights"}, "LayerNorm": set()}.get(self.cell, {"final_state"})
        shown = set() if self.cell == "MultiheadAttention" and dict(self.options).get("fused") else shown
        output = set() if self.cell.endswith("Cell") else {"output"}
        return output | shown | {"input_gradients", "parameter_gradients"}

    def __str__(self):
        options = [f"{name}={value}" for name, value in self.options]
        return "-".join([self.backend, self.cell, *options, self.input, self.device, self.dtype])


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
    hidden_size: int = HIDDEN_SIZE

    def arguments(self, cell):
        """Keyword arguments of the constructor."""
        arguments = {"bias": self.bias} | ({"nonlinearity": self.nonlinearity} if cell.startswith("RNN") else {})
        if self.num_layers is not None:
            arguments |= {name: getattr(self, name) for name in ("num_layers", "bidirectional", "batch_first")}
        return arguments

    def x(self, dtype):
        """The input."""
        if self.lengths:
            sequences = [torch.randn(length, INPUT_SIZE, dtype=dtype) for length in LENGTHS[self.lengths]]
            return pack_sequence(sequences, enforce_sorted=self.lengths == "sorted")
        leading = [size for size in (self.seq_len, self.batch) if size is not None]
        return torch.randn(*(leading[::-1] if self.batch_first else leading), INPUT_SIZE, dtype=dtype)

    def state(self, dtype, cell, proj_size=0):
        """An initial state: h_0, or for an LSTM the pair (h_0, c_0)."""
        batch = len(LENGTHS[self.lengths]) if self.lengths else self.batch
        stacked = [] if self.num_layers is None else [self.num_layers * (1 + self.bidirectional)]
        leading = [*stacked, *([] if batch is None else [batch])]
        h = torch.randn(*leading, proj_size or self.hidden_size, dtype=dtype)
        return (h, torch.randn(*leading, self.hidden_size, dtype=dtype)) if cell.startswith("LSTM") else h

    def __str__(self):
        parts = [self.nonlinearity, "bias" if self.bias else "no bias"]
        if self.num_layers is not None:
            parts += [f"L{self.num_layers}", "two directions" if self.bidirectional else "one direction"]
        parts += [f"H{self.hidden_size}"] * (self.hidden_size != HIDDEN_SIZE)
        parts += [f"T{self.seq_len}"] * (self.seq_len is not None)
        parts.append(self.lengths or ("unbatched" if self.batch is None else f"B{self.batch}"))
        return "-".join(parts + ["batch first"] * self.batch_first)


@dataclasses.dataclass(frozen=True)
class Call:
    """One way to build and to call a layer that carries no state."""

    arguments: tuple                       # of the constructor, by name
    steps: tuple = ()                      # T and S
    batch: int | None = None               # None: unbatched
    masks: str = "no mask"
    shape: tuple = ()                      # of layer norm's input

    def inputs(self, dtype):
        """By name."""
        if self.shape:
            return {"input": torch.randn(*self.shape, dtype=dtype)}
        options, (T, S), inputs = dict(self.arguments), self.steps, {}
        for name, steps, width in (("query", T, None), ("key", S, "kdim"), ("value", S, "vdim")):
            leading = [size for size in (steps, self.batch) if size is not None]
            leading = leading[::-1] if options["batch_first"] else leading
            inputs[name] = torch.randn(*leading, options.get(width, options["embed_dim"]), dtype=dtype)
        return inputs

    def call(self, dtype):
        """The masks by name: for each query there is a key left."""
        if self.shape:
            return {}
        (T, S), B, h = self.steps, self.batch or 1, dict(self.arguments)["num_heads"]
        left_out = torch.rand(B * h, T, S) < 0.4
        left_out[..., 0] = False
        padding = torch.arange(S) > torch.arange(B)[:, None] % S             # lengths 1, 2, …
        padding = padding if self.batch else padding[0]
        return {
            "no mask": {},
            "boolean": {"attn_mask": left_out[0]},
            "float a head": {"attn_mask": torch.randn(B * h, T, S, dtype=dtype).masked_fill(left_out, -torch.inf)},
            "padding": {"key_padding_mask": padding, "average_attn_weights": False},
            "causal and padding": {"key_padding_mask": padding, "attn_mask": torch.ones(T, S).triu(1).bool()},
        }[self.masks]

    def __str__(self):
        parts = [f"{name}={value}" for name, value in self.arguments]
        return "-".join([*parts, *map(str, self.steps), f"B{self.batch}", self.masks, *map(str, self.shape)])


MASKS = ("no mask", "boolean", "float a head", "padding", "causal and padding")
CALLS_VARY = {
    "self-attention": "1 or 3 heads, bias, T = S = 1, 7, 50, B = 1, 5 or none, layout, masks: none, boolean, float, "
                      "padding, causal and padding",
    "cross-attention": "T, S = 1, 7 or 7, 4, keys and values of other widths, bias, B = 1, 5 or none, layout, masks: "
                       "none, boolean, float, padding",
    "any rows": "one or two dimensions normalised, none to two more, gain, bias",
}


def _calls():
    layouts = [(1, False), (5, False), (5, True), (None, False)]
    attend = [(batch, {"bias": bias, "batch_first": first}) for bias, (batch, first) in product((True, False), layouts)]
    widths = [{}, {"kdim": 4, "vdim": 5}]
    affine = [{}, {"bias": False}, {"elementwise_affine": False}]
    rows = [((32,), ()), ((32,), (5,)), ((32,), (7, 5)), ((4, 8), ()), ((4, 8), (5,))]
    return {
        "self-attention": [Call(tuple({"embed_dim": 6, "num_heads": h, **options}.items()), (T, T), batch, masks)
                           for h, (batch, options), T, masks in product((1, 3), attend, (1, 7, 50), MASKS)],
        "cross-attention": [Call(tuple({"embed_dim": 6, "num_heads": 2, **options, **width}.items()), steps, batch, one)
                            for (batch, options), width, steps, one
                            in product(attend, widths, ((1, 7), (7, 4)), MASKS[:4])],
        "any rows": [Call(tuple({"normalized_shape": shape, **options}.items()), shape=(*leading, *shape))
                     for (shape, leading), options in product(rows, affine)],
    }


def _configurations():
    stacks = list(product(("tanh", "relu"), (True, False), (1, 2, 3), (False, True)))
    layouts = list(product((1, 7, 50), ((1, False), (5, False), (5, True)))) + [(7, (None, False))]
    return {
        ("CPU", "padded"): [Configuration(*stack, batch=batch, seq_len=seq_len, batch_first=batch_first)
                            for stack, (seq_len, (batch, batch_first)) in product(stacks, layouts)],
        ("CPU", "packed"): [Configuration(*stack, lengths=lengths) for stack, lengths in product(stacks, LENGTHS)],
        ("CPU", "one step"): [Configuration(nonlinearity, bias, batch=batch)
                              for nonlinearity, bias, batch in product(("tanh", "relu"), (True, False), (None, 1, 5))],
        ("CUDA", "padded"): [Configuration("tanh", True, layers, both, 8, 50, hidden_size=H)
                             for layers, both, H in product((1, 2), (False, True), CUDA_SIZES)],
    }


CONFIGURATIONS = _configurations() | {("CPU", how): calls for how, calls in _calls().items()}


def _rows():
    for (model, options, backends, against), backend in product(FAMILIES, BACKENDS):
        if backend not in backends:
            continue
        kinds = ["padded"] + ["packed"] * (backend != "numpy" and not options.get("fused"))
        kinds += ["one step"] * (options.keys().isdisjoint(("fused", "proj_size")))
        for kind, dtype in product(kinds, TOLERANCE):
            cell = model + "Cell" * (kind == "one step")
            yield Row(cell, tuple(options.items()), backend, kind, "CPU", dtype, against)
    for (layer, options, backends, called), backend in product(STATELESS, BACKENDS):
        for how, dtype in product(called if backend in backends else (), TOLERANCE):
            yield Row(layer, tuple(options.items()), backend, how, "CPU", dtype, "torch.nn")
    for model in ("RNN", "LSTM", "GRU"):
        for dtype in CUDA_TOLERANCE:
            yield Row(model, (), "cudnn", "padded", "CUDA", dtype, "torch.nn on the CPU, float64")
        for options, dtype in product([{}] + [{"fused": True}] * (model != "RNN"), ("float64", "float32")):
            yield Row(model, tuple(options.items()), "torch", "padded", "CUDA", dtype, "torch.nn on the CPU, float64")


ROWS = list(_rows())


def cases():
    for row in ROWS:
        if row.device == "CUDA" and not torch.cuda.is_available():
            yield pytest.param(row, None, id=str(row), marks=pytest.mark.skip(reason="no CUDA device"))
            continue
        for configuration in row.configurations():
            yield pytest.param(row, configuration, id=f"{row}-{configuration}")


@pytest.fixture(scope="module")
def measured():
    """The worst error by row and result, and how many configurations each row saw."""
    return defaultdict(lambda: defaultdict(float)), Counter()


COLUMNS = {"output": "output", "h_n": "final_state", "c_n": "final_state", "d_input": "input_gradients",
           "d_h_0": "input_gradients", "d_c_0": "input_gradients", "weights": "weights", "d_query": "input_gradients",
           "d_key": "input_gradients", "d_value": "input_gradients"}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(("row", "configuration"), list(cases()))
def test_equal_to_the_library(measured, definition, row, configuration):
    worst, seen = measured
    if isinstance(configuration, Call):
        runs = [stateless(row, configuration)]
    else:
        runs = on_a_gpu(row, configuration) if row.device == "CUDA" else on_the_cpu(row, configuration, definition)
    for errors in runs:
        for name, error in errors.items():
            column = COLUMNS.get(name, "parameter_gradients")
            worst[row][column] = max(worst[row][column], error)
        assert {name: error for name, error in errors.items() if error > row.tolerance()} == {}
    seen[row] += 1


def on_the_cpu(row, configuration, definition):
    """Relative errors, without and with an initial state."""
    torch.manual_seed(0)
    dtype, options, arguments = getattr(torch, row.dtype), dict(row.options), configuration.arguments(row.cell)
    sizes = INPUT_SIZE, configuration.hidden_size
    if row.against == "torch.nn":
        proj_size = {name: value for name, value in options.items() if name == "proj_size"}
        library = getattr(nn, row.cell)(*sizes, **arguments, **proj_size, dtype=dtype)
    else:
        library = definition(getattr(unrolled.torch, row.cell)(*sizes, **arguments, **options, dtype=dtype))
    own = np.dtype(row.dtype) if row.backend == "numpy" else dtype
    ours = getattr(getattr(unrolled, row.backend), row.cell)(*sizes, **arguments, **options, dtype=own)
    x = configuration.x(dtype)
    for state in (None, configuration.state(dtype, row.cell, options.get("proj_size", 0))):
        yield compare(ours, library, x, state)


def stateless(row, call):
    """Relative errors of a layer that carries no state."""
    torch.manual_seed(0)
    dtype, options, arguments = getattr(torch, row.dtype), dict(row.options), dict(call.arguments)
    library = getattr(nn, row.cell)(**arguments, dtype=dtype)
    for parameter in library.parameters():
        if parameter.dim() == 1 or row.cell == "LayerNorm":                  # a gain of 1 or a bias of 0 would hide one
            nn.init.uniform_(parameter, -0.5, 0.5)                           # that is left out
    own = np.dtype(row.dtype) if row.backend == "numpy" else dtype
    ours = getattr(getattr(unrolled, row.backend), row.cell)(**arguments, **options, dtype=own)
    fused = {"need_weights": False} if options.get("fused") and row.cell == "MultiheadAttention" else {}
    return compare_stateless(ours, library, call.inputs(dtype), seed=1, **call.call(dtype), **fused)


def on_a_gpu(row, configuration, device="cuda"):
    """Root mean square errors against the CPU in float64, which gets the weights and inputs as `dtype` rounds them."""
    torch.manual_seed(0)
    dtype = torch.float32 if row.dtype == "TF32" else getattr(torch, row.dtype)
    options = dict(row.options) | ({"allow_tf32": True} if row.dtype == "TF32" else {})
    sizes, arguments = (INPUT_SIZE, configuration.hidden_size), configuration.arguments(row.cell)
    library = getattr(nn, row.cell)(*sizes, **arguments).to(dtype).double()
    ours = getattr(getattr(unrolled, row.backend), row.cell)(*sizes, **arguments, **options, device=device, dtype=dtype)
    x, state = configuration.x(dtype), configuration.state(dtype, row.cell)
    yield compare(ours, library, x.double(), tuple(part.double() for part in state) if isinstance(state, tuple)
                  else state.double(), error=rms_error)


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_what_measures_on_a_gpu_measures_right(cell, dtype):
    row = Row(cell, (), "cudnn", "padded", "CUDA", dtype, "")
    for configuration in row.configurations()[:2]:
        (errors,) = on_a_gpu(row, configuration, device="cpu")
        assert max(errors.values()) <= 2 * CUDA_TOLERANCE[dtype]         # the CPU adds in bfloat16, cuDNN in float32
        assert dtype == "float64" or min(errors.values()) > 1e-9


def test_the_page_lists_these_rows_with_errors_within_their_tolerance(measured, request):
    if request.config.getoption("record_parity"):
        record(*measured)
    rows = json.loads(RECORD.read_text(encoding="utf-8"))["rows"]
    definitions = [row.definition() for row in ROWS]
    assert [{name: row[name] for name in definitions[0]} for row in rows] == definitions
    for row, measured_row in zip(rows, ROWS):
        errors = {column: row[column] for column in {*COLUMNS.values(), "parameter_gradients"} if column in row}
        if row["status"] == "not measured yet":
            assert row["device"] == "CUDA"
            assert not errors
        else:
            assert row["status"] == "equal"
            assert errors.keys() == measured_row.columns()
            assert max(errors.values()) <= row["tolerance"]


def record(worst, seen):
    """Write the record in one step; a run that left anything out writes nothing."""
    before = json.loads(RECORD.read_text(encoding="utf-8"))["rows"] if RECORD.exists() else []
    layers = [f"src/unrolled/{name}" for name in ("numpy", "torch", "cudnn", "checks.py", "shapes.py", "parity.py")]
    measured_on = origin("torch", "numpy", paths=layers)
    rows = []
    for row in ROWS:
        line = row.definition()
        if row.device == "CUDA" and not torch.cuda.is_available():
            kept = [one for one in before if {name: one.get(name) for name in line} == line and "measured_on" in one]
            rows.append(kept[0] if kept else line | {"status": "not measured yet"})
            continue
        assert seen[row] == line["configurations"], f"{row}: every configuration must have passed"
        line |= {column: float(f"{error:.1e}") or 0 for column, error in sorted(worst[row].items())}
        if row.device == "CUDA":
            line["measured_on"] = measured_on | {"device": torch.cuda.get_device_name(),
                                                 "cudnn": torch.backends.cudnn.version()}
        rows.append(line | {"status": "equal"})
    RECORD.parent.mkdir(exist_ok=True)
    draft = RECORD.with_suffix(".json.new")
    draft.write_text(json.dumps(measured_on | {"rows": rows}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(draft, RECORD)
