"""What recurrent networks, a convolutional one and a Transformer cost: operations, time, memory, state, depth.

    python -m benchmarks.costs             measure, print a summary; a run that was stopped goes on where it was
    python -m benchmarks.costs --fresh     from the start
    python -m benchmarks.costs --record    and write src/unrolled/studies/records/costs.json
    python -m benchmarks.costs --count-again depth      record the rows of a count anew, whose layers have changed since

One layer of each at the same width, float32, one thread; and at the end the networks of `architectures` that
have as many weights as each other. Operations and depths are counted on the plain layers; times and memory are those
of the fastest layer at hand. Rows of a GPU are absent until somebody measures on one.

A TCN of one block sees five steps. It is measured as it is, and with as many blocks as it takes to see all n: its rows
say `blocks` and `receptive_field`. The record has its origin; `load`, the load average before anything was measured,
and `highest_load`, the highest while it was, this process included; under `counted_again` the origin of each part whose
rows are newer; and one list of rows for each of these parts:

    operations        architecture, d, n: flops, attention_flops, parameters; of a TCN's one block
    forward           architecture, d, n (blocks, receptive_field): milliseconds, B = 1; of the Transformer also
                      attention_milliseconds, materialised_milliseconds, materialised_attention_milliseconds
    training          architecture, d, n (blocks, receptive_field): tokens_per_second, by, B, parameters
    memory            kind, n, backward: counted_bytes, resident_bytes of attention alone
    training_memory   architecture, d, n (blocks, receptive_field; kind of the Transformer, "tiled" or "materialised"):
                      counted_bytes, resident_bytes at the peak of a forward and a backward pass of a layer, B = 1
    streaming         architecture, d, n (blocks, receptive_field): microseconds, state_bytes, held_bytes
    trained           task, model, width, n: parameters of the layer, network_parameters of all, T, B,
                      tokens_per_second in training, microseconds, state_bytes, held_bytes after n steps

Every row of a time has `rounds`, how often it was taken (of `trained`: the training), and `spread`, the median distance
of a round from the median of all, relative to it; the largest of them where a row has several times. On a quiet
machine that is a few per cent.
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
from unrolled import studies
from unrolled.instruments.memory import PeakBytes
from unrolled.instruments.paths import path_length
from unrolled.studies import architectures
from unrolled.torch import TCN, CausalTransformer, scaled_dot_product

RECORD = studies.RECORDS / "costs.json"        # with the package, so that a chapter has it in Colab too
UNFINISHED = ROOT / "_build/bench/costs.jsonl"
ARCHITECTURES = "RNN", "LSTM", "GRU", "TCN", "Transformer"
HEAD = 32                                             # numbers a head
WIDTHS = 64, 256
TRAINED = "text", "delayed recall"                    # the tasks whose networks are measured
LENGTHS = 32, 64, 128, 256, 512, 1024, 2048, 4096
TRAINING_LENGTHS = 32, 128, 512, 2048
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


def blocks_for(n):
    """With how many blocks a TCN sees n steps."""
    blocks = 1
    while TCN(1, 1, blocks, device="meta").receptive_field < n:
        blocks += 1
    return blocks


def reach(model):
    """What a row says of a TCN: the steps that it sees."""
    return {"receptive_field": model.receptive_field} if isinstance(model, TCN) else {}


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
def forward(architecture, d, n, blocks=1):
    """Milliseconds of one forward pass, B = 1; of the Transformer, what attention alone takes of it, both ways."""
    x, model = torch.randn(n, 1, d), build(architecture, d, blocks).eval()
    functions = {"milliseconds": _call(model, x)}
    if architecture == "Transformer":
        q, k, v = (torch.randn(1, max(1, d // HEAD), n, min(d, HEAD)) for _ in "qkv")
        functions["attention_milliseconds"] = lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)
        if n <= MATERIALISED:
            functions["materialised_milliseconds"] = _call(build(architecture, d, fast=False).eval(), x)
            functions["materialised_attention_milliseconds"] = lambda: scaled_dot_product(q, k, v, is_causal=True)
    taken, spread = _milliseconds(functions)
    return reach(model) | taken | spread


def _call(model, x):
    return lambda: model(x)


def training(architecture, d, n, blocks=1):
    """Tokens a second, forward and backward, for batches of so many tokens whatever their length.

    Our own fused layers run beside the library's where there are any: the faster of them counts.
    """
    x, upstream = torch.randn(n, max(1, TOKENS // n), d), torch.randn(n, max(1, TOKENS // n), d)
    models = {"library": build(architecture, d, blocks)}
    if architecture in ("LSTM", "GRU"):
        models["fused"] = getattr(unrolled.torch, architecture)(d, d, fused=True)
    taken, spread = _milliseconds({name: _step(model, x, upstream) for name, model in models.items()})
    best = min(taken, key=taken.get)
    return reach(models["library"]) | {
        "tokens_per_second": round(1000 * x.shape[0] * x.shape[1] / taken[best]), "by": best, "B": x.shape[1],
        "parameters": sum(p.numel() for p in models[best].parameters())} | spread


def _step(model, x, upstream):
    """What gives the gradients of a model's parameters."""
    parameters = list(model.parameters())
    return lambda: torch.autograd.grad(model(x)[0], parameters, upstream)


def _milliseconds(functions):
    """The median for each function; and how many rounds there were, and how far apart."""
    for function in functions.values():
        function()
    taken = timing.rounds(functions, SECONDS)
    return ({name: round(1000 * statistics.median(values), 4) for name, values in taken.items()},
            {"rounds": min(map(len, taken.values())), "spread": max(map(_spread, taken.values()))})


def _spread(values):
    middle = statistics.median(values)
    return round(statistics.median(abs(value - middle) for value in values) / middle, 4)


# Memory


KERNELS = {"materialised": SDPBackend.MATH, "tiled": SDPBackend.FLASH_ATTENTION}


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
    def run(q, k, v):
        with sdpa_kernel(KERNELS[kind]), torch.set_grad_enabled(backward):
            output = F.scaled_dot_product_attention(q, k, v)
        return torch.autograd.grad(output.sum(), [q, k, v]) if backward else output

    few, inputs = ([torch.randn(1, h, steps, d_h, requires_grad=backward) for _ in "qkv"] for steps in (2, n))
    with PeakBytes() as bytes_:
        run(*inputs)
    return {"counted_bytes": bytes_.peak, "resident_bytes": resident(lambda: run(*inputs), lambda: run(*few))}


def training_memory(architecture, d, n, blocks=1, kind=None):
    """Bytes that the gradients of a layer's parameters need at their peak, one sequence, beyond input and parameters.

    Args:
        architecture, d, n, blocks: of the layer, the fastest at hand, and the sequence.
        kind: how a Transformer attends, as for `memory`.

    Returns:
        `counted_bytes` and `resident_bytes`, as `memory` does.
    """
    model, kernel = build(architecture, d, blocks), sdpa_kernel(KERNELS[kind]) if kind else contextlib.nullcontext()
    few, whole = (_step(model, torch.randn(steps, 1, d), torch.randn(steps, 1, d)) for steps in (2, n))
    with kernel:
        few()
        with PeakBytes() as bytes_:
            whole()
        return reach(model) | {"counted_bytes": bytes_.peak, "resident_bytes": resident(whole, few)}


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
def streaming(architecture, d, n, blocks=1, tokens=20, rounds=3):
    """Microseconds for one more token when n have passed, a call each, and the bytes that are carried.

    A recurrent layer is stepped by the library's cell, which is faster for one step than its layer.

    Returns:
        The median, the bytes of the state, and those that are held for it: a cache may have room for more.
    """
    layer, x = build(architecture, d, blocks).eval(), torch.randn(n + 1 + tokens, 1, d)
    return reach(layer) | _stream(layer, layer(x[:n])[1], x[n:], rounds)


def _stream(layer, first, x, rounds, around=lambda step: step):
    """Step on from a state, a call for each step of x, the first of them untimed: what `streaming` returns."""
    step, kept = layer, sum(part.nbytes for part in tensors(first))
    if isinstance(layer, nn.RNNBase):
        first = tuple(part[0] for part in first) if isinstance(first, tuple) else first[0]
        cell = getattr(nn, f"{layer.mode.partition('_')[0]}Cell")(layer.input_size, layer.hidden_size)

        def step(x_t, state):
            state = cell(x_t[0], state)
            return (state[0] if isinstance(state, tuple) else state), state

    step, taken = around(step), []
    for _ in range(rounds):
        state = step(x[:1], first)[1]
        for t in range(1, len(x)):
            start = time.process_time()
            state = step(x[t : t + 1], state)[1]
            taken.append(time.process_time() - start)
    held = {part.untyped_storage().data_ptr(): part.untyped_storage().nbytes() for part in tensors(state)}
    return {"microseconds": round(1e6 * statistics.median(taken), 2), "state_bytes": kept,
            "held_bytes": sum(held.values()), "rounds": len(taken), "spread": _spread(taken)}


def tensors(state):
    """The tensors of any nesting of lists and tuples."""
    return [state] if isinstance(state, torch.Tensor) else [one for part in state for one in tensors(part)]


# The networks that were trained


def trained(task, model, width, n):
    """A network of `architectures`: its training on that task's batches, and a stream after n steps.

    Args:
        task, model, width: of a configuration of its record.
        n: steps that have passed in the stream. A batch has the length that it has in training, T.

    Returns:
        `parameters` of the layer, `network_parameters` with input and read-out; `T` and `B` of a batch;
        `tokens_per_second` forward, loss and backward; and what `streaming` returns, for a step of the whole network.
    """
    sizes, batch, error, *_ = architectures.TASKS[task](0, None)
    torch.manual_seed(0)
    network = architectures.Network(model, architectures.INPUTS[task], width, **sizes)
    x, y = batch(0)
    parameters = list(network.parameters())
    taken, spread = _milliseconds({"step": lambda: torch.autograd.grad(error(network, x, y), parameters)})

    def around(step):
        def whole(x_t, state):
            output, state = step(network.input(x_t), state)
            return network.readout(output), state
        return whole

    stream = x[:, :1].repeat(1 + (n + 21) // len(x), *[1] * (x.dim() - 1))[: n + 21]
    with torch.no_grad():
        first = network.layer(network.input(stream[:n]))[1]
        streamed = _stream(network.layer, first, stream[n:], 3, around)
    return {
        "parameters": architectures.parameters(network.layer), "network_parameters": architectures.parameters(network),
        "T": len(x), "B": x.shape[1], "tokens_per_second": round(1000 * x.shape[0] * x.shape[1] / taken["step"]),
        **streamed, "spread": max(spread["spread"], streamed["spread"]), "rounds": spread["rounds"],
    }


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
         "training_memory": training_memory, "streaming": streaming, "trained": trained, "depth": depth}


def cases():
    """Every measurement: the part it belongs to, and its arguments."""
    every = [{"architecture": a, "d": d} for d in WIDTHS for a in ARCHITECTURES]
    found = [("operations", one | {"n": n}) for one in every for n in LENGTHS
             if n <= 256 or one["architecture"] in ("TCN", "Transformer")]          # the others: as much for each step
    found += [("forward", one) for one in _with_blocks(every, LENGTHS)]
    found += [("training", one) for one in _with_blocks(every, TRAINING_LENGTHS)]
    found += [("memory", {"kind": kind, "n": n, "backward": backward}) for n in LENGTHS if n >= 128
              for kind in KERNELS for backward in (False, True)]
    found += [("training_memory", one | kind) for one in _with_blocks(every, TRAINING_LENGTHS)
              for kind in ([{"kind": kind} for kind in KERNELS] if one["architecture"] == "Transformer" else [{}])]
    found += [("streaming", one) for one in _with_blocks(every, (10, 100, 1000, 4000))]
    found += [("trained", {"task": task, "model": model, "width": width, "n": 1000})
              for task, model, width, characters in architectures.configurations(studies.rows("architectures"))
              if task in TRAINED and characters is None]
    return found + [("depth", {"architecture": a, "n": n}) for n in (4, 8, 16, 32) for a in ARCHITECTURES]


def _with_blocks(every, lengths):
    """Each layer at each length; a TCN with one block, and with as many as it takes to see all of it."""
    return [one | {"n": n} | blocks for one in every for n in lengths
            for blocks in ([{"blocks": 1}, {"blocks": blocks_for(n)}] if one["architecture"] == "TCN" else [{}])]


def measure(measured_on):
    """All cases, but for those that a stopped run has measured: {part: rows}, and the highest load on the way."""
    mark, done, loads = fingerprint(measured_on), {}, []
    with contextlib.suppress(FileNotFoundError):
        for line in UNFINISHED.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                kept = json.loads(line)
                if kept.pop("fingerprint") == mark:
                    done[json.dumps([kept["part"], kept["given"]])] = kept["found"], kept["load"]
    rows = {part: [] for part in PARTS}
    with timing.one_core(), timing.no_collection():
        for part, given in tqdm(cases(), unit="case", smoothing=0, disable=None):
            key = json.dumps([part, given])
            if key not in done:
                done[key] = PARTS[part](**given), timing.load()
                line = {"part": part, "given": given, "found": done[key][0], "load": done[key][1], "fingerprint": mark}
                UNFINISHED.parent.mkdir(parents=True, exist_ok=True)
                with UNFINISHED.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
            rows[part].append(given | done[key][0])
            loads.append(done[key][1])
    return rows, max((load for load in loads if load is not None), default=None)


def count_again(part):
    """Put new rows of this part into the record, and their own origin beside it."""
    old = json.loads(RECORD.read_text(encoding="utf-8"))
    rows = {name: old.pop(name) for name in PARTS}
    rows[part] = [given | PARTS[part](**given) for which, given in cases() if which == part]
    record(rows, old | {"counted_again": old.get("counted_again", {}) | {part: measured_here()}})


def measured_here():
    return origin("torch", "numpy", paths=["benchmarks/*.py", "src/unrolled/*.py", "src/unrolled/torch"])


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
        shown = [row for row in rows[part] if part == "depth" or row.get("blocks") != 1]
        lengths = sorted({row["n"] for row in shown})
        print(f"\n{part + ': ' + what:32}" + "".join(f"{f'n = {n}':>12}" for n in lengths))
        for d, a in dict.fromkeys((row.get("d"), row["architecture"]) for row in shown):
            values = {row["n"]: row[what] for row in shown if (row.get("d"), row["architecture"]) == (d, a)}
            print(f"{a + (f', d = {d}' if d else ''):32}" + "".join(f"{values[n]:>12}" for n in lengths))
    print("\nThe networks that were trained, of text and of the memory task" + " " * 4 + "steps/s       µs    bytes")
    for row in rows["trained"]:
        print(f"{row['task'] + ', ' + row['model']:40} {row['width']:4} units, n = {row['n']:5}"
              f"{row['tokens_per_second']:10}{row['microseconds']:10.0f}{row['state_bytes']:10}")
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
    parser.add_argument("--count-again", choices=("operations", "depth"), metavar="PART",
                        help="record this part anew, operations or depth, and nothing else")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    timing.assert_one_thread()
    if options.count_again:
        count_again(options.count_again)
        return 0
    if options.fresh:
        UNFINISHED.unlink(missing_ok=True)
    measured_on = measured_here() | {"load": timing.load(), "tokens_per_batch": TOKENS, "head_width": HEAD}
    rows, measured_on["highest_load"] = measure(measured_on)
    report(rows)
    if options.record:
        record(rows, measured_on)
        print(f"\nRecorded in {RECORD}")
    UNFINISHED.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
