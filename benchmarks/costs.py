"""What recurrent networks, a convolutional one and a Transformer cost: operations, time, memory, state, depth.

    python -m benchmarks.costs             measure, print a summary; a run that was stopped goes on where it was
    python -m benchmarks.costs --fresh     from the start
    python -m benchmarks.costs --record    and write src/unrolled/data/costs.json

One layer of each at the same width, float32, one thread. Operations, bytes and depths are counted on the plain layers;
times are those of the fastest layer at hand. Rows of a GPU are absent until somebody measures on one.
"""

import argparse
import contextlib
import ctypes
import json
import os
import statistics
import sys
import time
import warnings

import torch
import torch.nn.functional as F
from tools.origin import ROOT, origin
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

import unrolled.torch
from benchmarks import timing
from benchmarks.__main__ import fingerprint
from unrolled.memory import PeakBytes
from unrolled.paths import path_length
from unrolled.torch import TCN, CausalTransformer, scaled_dot_product

RECORD = ROOT / "src/unrolled/data/costs.json"        # with the package, so that a chapter has it in Colab too
UNFINISHED = ROOT / "_build/bench/costs.jsonl"
ARCHITECTURES = "RNN", "LSTM", "GRU", "TCN", "Transformer"
HEAD = 32                                             # numbers a head
WIDTHS = 64, 256
LENGTHS = 32, 64, 128, 256, 512, 1024, 2048, 4096
TOKENS = 2048                                         # a batch for training: B = TOKENS / n sequences
MATERIALISED = 2048                                   # longer ones would take most of the time
SECONDS = 0.3                                         # for each case, but at least three rounds


def build(architecture, d, layers=1, device="cpu", fast=True):
    """Layers that read and give width d: the fastest at hand, or written out in single operations.

    The fastest: the library's recurrent layers, and a Transformer by fused kernels. A convolution is the library's.
    """
    torch.manual_seed(0)
    if architecture == "TCN":
        return TCN(d, d, layers, device=device)
    if architecture == "Transformer":
        return CausalTransformer(d, max(1, d // HEAD), layers, positions=None, fused=fast, device=device)
    return getattr(nn if fast else unrolled.torch, architecture)(d, d, layers, device=device)


# Operations


@torch.no_grad()
def operations(architecture, d, n):
    """Additions and multiplications of one forward pass, B = 1, and how many of them depend on n squared.

    Counted by torch as it computes, without numbers ("meta"). Scores and weighted sums, of future keys too, are the
    products of many small matrices, and nothing else is.
    """
    model = build(architecture, d, device="meta", fast=False)
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(n, 1, d, device="meta"))
    by = counter.get_flop_counts()["Global"]
    return {"flops": sum(by.values()), "attention_flops": by.get(torch.ops.aten.bmm, 0),
            "parameters": sum(p.numel() for p in model.parameters())}


# Time


@torch.no_grad()
def forward(architecture, d, n):
    """Milliseconds of one forward pass, B = 1; of the Transformer, what attention alone takes of it, both ways."""
    x = torch.randn(n, 1, d)
    functions = {"milliseconds": _call(build(architecture, d).eval(), x)}
    if architecture == "Transformer":
        q, k, v = (torch.randn(1, max(1, d // HEAD), n, min(d, HEAD)) for _ in "qkv")
        functions["attention_milliseconds"] = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
        if n <= MATERIALISED:
            functions["materialised_milliseconds"] = _call(build(architecture, d, fast=False).eval(), x)
            functions["materialised_attention_milliseconds"] = lambda: scaled_dot_product(q, k, v, is_causal=True)
    return _milliseconds(functions)


def _call(model, x):
    return lambda: model(x)


def training(architecture, d, n):
    """Tokens a second, forward and backward, for batches of so many tokens whatever their length.

    Our own fused layers run beside the library's where there are any: the faster of them counts.
    """
    x, upstream = torch.randn(n, max(1, TOKENS // n), d), torch.randn(n, max(1, TOKENS // n), d)
    models = {"library": build(architecture, d)}
    if architecture in ("LSTM", "GRU"):
        models["fused"] = getattr(unrolled.torch, architecture)(d, d, fused=True)

    def step(model):
        parameters = list(model.parameters())
        return lambda: torch.autograd.grad(model(x)[0], parameters, upstream)

    taken = _milliseconds({name: step(model) for name, model in models.items()})
    best = min(taken, key=taken.get)
    return {"tokens_per_second": round(1000 * x.shape[0] * x.shape[1] / taken[best]), "by": best,
            "B": x.shape[1], "parameters": sum(p.numel() for p in models[best].parameters())}


def _milliseconds(functions):
    for function in functions.values():
        function()
    return {name: round(1000 * statistics.median(values), 4)
            for name, values in timing.rounds(functions, SECONDS).items()}


# Memory


def memory(kind, n, backward, h=4, d_h=HEAD):
    """Bytes that attention of one sequence needs at its peak, beyond its inputs, counted and as the system sees them.

    Args:
        kind: "materialised", torch's own with all the scores at once; or "tiled".
        n: steps.
        backward: with the gradients of q, k and v.
        h, d_h: heads and their width.

    Returns:
        `counted_bytes`: of tensors, exact (see `PeakBytes`); `resident_bytes`: how much further the resident memory of
        a process of its own went, scratch space included, or None where the system does not tell.
    """
    backend = {"materialised": SDPBackend.MATH, "tiled": SDPBackend.FLASH_ATTENTION}[kind]

    def run(q, k, v):
        with sdpa_kernel(backend), torch.set_grad_enabled(backward):
            output = F.scaled_dot_product_attention(q, k, v)
        return torch.autograd.grad(output.sum(), [q, k, v]) if backward else output

    few, inputs = ([torch.randn(1, h, steps, d_h, requires_grad=backward) for _ in "qkv"] for steps in (2, n))
    with PeakBytes() as bytes_:
        run(*inputs)
    return {"counted_bytes": bytes_.peak, "resident_bytes": resident(lambda: run(*inputs), lambda: run(*few))}


def resident(function, first=lambda: None):
    """By how many bytes a call raises the peak of resident memory, in a process forked for it; None if unknown.

    What `first` does, a small call of the same kind, loads the library's code before anything is measured.
    """
    if not (hasattr(os, "fork") and os.access("/proc/self/clear_refs", os.W_OK)):
        return None
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)              # of threads that a fork leaves behind
        child = os.fork()
    if child == 0:
        try:
            first()
            with contextlib.suppress(AttributeError, OSError):
                ctypes.CDLL(None).malloc_trim(0)                     # growth into what is free already is not seen
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")                                          # the peak starts again from what is there now
            before = _status("VmRSS")
            function()
            os.write(write, str(_status("VmHWM") - before).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as file:
        told = file.read()
    os.waitpid(child, 0)
    return max(0, int(told)) if told else None


def _status(name):
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith(name))


# Streaming


@torch.no_grad()
def streaming(architecture, d, n, layers=1, tokens=20, rounds=3):
    """Microseconds for one more token when n have passed, a call each, and the bytes that are carried.

    A recurrent layer is stepped by the library's cell, which is faster for one step than its layer.

    Returns:
        The median, the bytes of the state, and those that are held for it: a cache may have room for more.
    """
    model = build(architecture, d, layers).eval()
    x, taken, step = torch.randn(n + 1 + tokens, 1, d), [], lambda x, state: model(x, state)[1]
    _, first = model(x[:n])
    if architecture not in ("TCN", "Transformer"):
        cell = getattr(nn, f"{architecture}Cell")(d, d)
        first = tuple(part[0] for part in first) if isinstance(first, tuple) else first[0]
        step = lambda x, state: cell(x[0], state)                                                # noqa: E731
    for _ in range(rounds):
        state = step(x[n : n + 1], first)
        for t in range(n + 1, n + 1 + tokens):
            start = time.process_time()
            state = step(x[t : t + 1], state)
            taken.append(time.process_time() - start)
    reach = {"receptive_field": model.receptive_field} if architecture == "TCN" else {}
    held = {part.untyped_storage().data_ptr(): part.untyped_storage().nbytes() for part in tensors(state)}
    scale = n / (n + 1 + tokens) if architecture == "Transformer" else 1  # the state after n, not after those timed
    return {"microseconds": round(1e6 * statistics.median(taken), 2), **reach,
            "state_bytes": round(scale * sum(part.nbytes for part in tensors(state))),
            "held_bytes": sum(held.values())}


def tensors(state):
    """The tensors of any nesting of lists and tuples."""
    return [state] if isinstance(state, torch.Tensor) else [one for part in state for one in tensors(part)]


# Depth


def depth(architecture, n, d=8):
    """The way from x_1 to the last of n outputs, in products of matrices and in operations: shortest and longest.

    A convolutional network gets as many layers as it needs to see x_1 at all, the others have one.
    """
    layers = 1
    if architecture == "TCN":
        while build("TCN", d, layers).receptive_field < n:
            layers += 1
    model = build(architecture, d, layers, fast=False).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()                                             # no relu is shut, which would hide a way
    x = torch.rand(n, 1, d, dtype=torch.float64, requires_grad=True)
    last = model(x)[0][-1]
    found = {f"{which}_{count}": path_length(last, x, count, longest=which == "longest")[0]
             for count in ("products", "operations") for which in ("shortest", "longest")}
    return {"layers": layers} | found


# Everything

PARTS = {"operations": operations, "forward": forward, "training": training, "memory": memory,
         "streaming": streaming, "depth": depth}


def cases():
    """Every measurement: the part it belongs to, and its arguments."""
    every = [{"architecture": a, "d": d} for d in WIDTHS for a in ARCHITECTURES]
    found = [("operations", one | {"n": n}) for one in every for n in LENGTHS
             if n <= 256 or one["architecture"] in ("TCN", "Transformer")]          # the others: as much for each step
    found += [("forward", one | {"n": n}) for one in every for n in LENGTHS]
    found += [("training", one | {"n": n}) for one in every for n in (32, 128, 512, 2048)]
    found += [("memory", {"kind": kind, "n": n, "backward": backward}) for n in LENGTHS if n >= 128
              for kind in ("materialised", "tiled") for backward in (False, True)]
    found += [("streaming", one | {"n": n}) for one in every for n in (10, 100, 1000, 4000)]
    found += [("streaming", {"architecture": "TCN", "d": d, "n": n, "layers": 10}) for d in WIDTHS for n in (10, 4000)]
    return found + [("depth", {"architecture": a, "n": n}) for n in (4, 8, 16, 32) for a in ARCHITECTURES]


def measure(measured_on):
    """All cases, but for those that a stopped run has measured: {part: rows}."""
    mark, done = fingerprint(measured_on), {}
    with contextlib.suppress(FileNotFoundError):
        for line in UNFINISHED.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                kept = json.loads(line)
                if kept.pop("fingerprint") == mark:
                    done[json.dumps([kept["part"], kept["given"]])] = kept["found"]
    rows = {part: [] for part in PARTS}
    with timing.one_core(), timing.no_collection():
        for part, given in tqdm(cases(), unit="case", smoothing=0, disable=None):
            found = done.get(json.dumps([part, given]))
            if found is None:
                found = PARTS[part](**given)
                UNFINISHED.parent.mkdir(parents=True, exist_ok=True)
                with UNFINISHED.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"part": part, "given": given, "found": found, "fingerprint": mark}) + "\n")
            rows[part].append(given | found)
    return rows


def crossover(rows, whole, part):
    """The smallest n from which `part` is at least half of `whole`, in rows of one architecture and width; or None."""
    return next((row["n"] for row in rows if part in row and 2 * row[part] >= row[whole]), None)


def report(rows):
    print("\nFrom which length attention's own part is half of a Transformer layer or more")
    for d in WIDTHS:
        mine = {part: [r for r in rows[part] if r["architecture"] == "Transformer" and r["d"] == d]
                for part in ("operations", "forward")}
        print(f"d = {d}: in operations {crossover(mine['operations'], 'flops', 'attention_flops')}, in time "
              f"{crossover(mine['forward'], 'milliseconds', 'attention_milliseconds')} tiled, "
              f"{crossover(mine['forward'], 'materialised_milliseconds', 'materialised_attention_milliseconds')} "
              f"materialised (of {', '.join(map(str, LENGTHS))})")
    for part, what in (("training", "tokens_per_second"), ("streaming", "microseconds"), ("streaming", "state_bytes"),
                       ("depth", "shortest_products"), ("depth", "longest_products")):
        shown = [row for row in rows[part] if "layers" not in row or part == "depth"]
        lengths = sorted({row["n"] for row in shown})
        print(f"\n{part + ': ' + what:32}" + "".join(f"{f'n = {n}':>12}" for n in lengths))
        for d, a in dict.fromkeys((row.get("d"), row["architecture"]) for row in shown):
            values = {row["n"]: row[what] for row in shown if (row.get("d"), row["architecture"]) == (d, a)}
            print(f"{a + (f', d = {d}' if d else ''):32}" + "".join(f"{values[n]:>12}" for n in lengths))
    print(f"\n{'memory: counted / resident MiB':32}{'n':>8}{'forward':>20}{'and backward':>20}")
    for kind, n in dict.fromkeys((row["kind"], row["n"]) for row in rows["memory"]):
        both = [f"{row['counted_bytes'] / 2**20:.1f} / {(row['resident_bytes'] or 0) / 2**20:.1f}"
                for row in rows["memory"] if (row["kind"], row["n"]) == (kind, n)]
        print(f"{kind:32}{n:>8}" + "".join(f"{one:>20}" for one in both))


def record(rows, measured_on):
    """Write the results in one step, a case a line."""
    draft = RECORD.with_suffix(".new")
    head = json.dumps(measured_on, indent=1).removesuffix("\n}")
    parts = ",\n".join(f' "{part}": [\n' + ",\n".join("  " + json.dumps(row) for row in mine) + "\n ]"
                       for part, mine in rows.items())
    draft.write_text(f"{head},\n{parts}\n}}\n", encoding="utf-8")
    os.replace(draft, RECORD)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", action="store_true", help="forget what a stopped run has measured")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.name}")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    timing.assert_one_thread()
    if options.fresh:
        UNFINISHED.unlink(missing_ok=True)
    measured_on = origin("torch", "numpy", paths=["benchmarks/*.py", "src/unrolled/*.py", "src/unrolled/torch"])
    measured_on |= {"load": timing.load(), "tokens_per_batch": TOKENS, "head_width": HEAD}
    rows = measure(measured_on)
    report(rows)
    if options.record:
        record(rows, measured_on)
        print(f"\nRecorded in {RECORD}")
    UNFINISHED.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
