"""Time our layers against the library's and others, and print ratios: 0.5 is half the library's time, on any machine.

    python -m benchmarks            every model and size; a run that was stopped goes on where it was
    python -m benchmarks --fresh    from the start
    python -m benchmarks --record   and write benchmarks/results/<date>-<processor>.json

Float32, one thread, one core. Where there is a CUDA device our recurrent layers in torch race cuDNN on it too, with a
record of its own.
"""

import argparse
import contextlib
import hashlib
import json
import math
import os
import re
import statistics
import sys
import time
import warnings

import torch
from tools.origin import ROOT, origin
from tqdm import tqdm

from benchmarks import attention, models, timing
from benchmarks.models import Case, disagreement

UNFINISHED = ROOT / "_build/bench/unfinished.jsonl"
RESULTS = ROOT / "benchmarks/results"
PACKAGES = "torch", "numpy", "onnxruntime"
AGREEMENT = 1e-3                          # relative, float32, two hundred steps: the same function, or nothing is timed


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", action="store_true", help="forget what a stopped run has measured")
    parser.add_argument("--record", action="store_true", help=f"write the results to {RESULTS.relative_to(ROOT)}/")
    parser.add_argument("--seconds", type=float, default=2.0,
                        help=f"for each model and size, half of it for the forward pass alone, and at least "
                             f"{timing.ROUNDS} rounds of each (2)")
    parser.add_argument("--only", type=_size, nargs="+", metavar="T,B,H",
                        help="these sizes of the recurrent layers alone, kept nowhere")
    options = parser.parse_args()
    if options.record and options.only:
        parser.error("--record is for all sizes, --only for some")
    if not options.seconds > 0:
        parser.error(f"--seconds must be positive, got {options.seconds}")

    torch.set_num_threads(1)
    timing.assert_one_thread()
    if options.fresh:
        UNFINISHED.unlink(missing_ok=True)
    try:
        for device in devices():
            measured_on = origin(*PACKAGES, paths=models.FILES) | {"load": timing.load()}
            if device == "cuda":
                measured_on |= {"device": torch.cuda.get_device_name(), "host": measured_on["device"]}
                measured_on["versions"] |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
            rows = run(device, options, measured_on)
            report(rows, measured_on, device)
            if options.record:
                print(f"\nRecorded in {record(rows, measured_on, device).relative_to(ROOT)}")
    except KeyboardInterrupt:
        kept = "" if options.only else " What is measured is kept, the same command goes on."
        print(f"\nStopped.{kept}", file=sys.stderr)
        return 130
    if "cuda" not in devices():
        print("\nNo CUDA device here: cuDNN is not measured.")
    if not options.only:
        UNFINISHED.unlink(missing_ok=True)
    return 0


def devices():
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def run(device, options, measured_on):
    """Measure every model at every size on one device, but for what a stopped run has measured."""
    sizes = options.only or models.SIZES
    cases = [{"device": device, "model": model, "size": size} for model in models.MODELS for size in sizes]
    if device == "cpu" and not options.only:
        cases += [{"device": device} | case for case in attention.CASES]
    mark = fingerprint(measured_on)
    rows = {} if options.only else {key(row): row for row in unfinished(mark)}
    if done := sum(key(case) in rows for case in cases):
        print(f"Going on with a run that was stopped: {done} of {len(cases)} are measured.", file=sys.stderr)
    with timing.one_core(), timing.no_collection():
        for case in tqdm(cases, unit="size", smoothing=0, disable=None):
            if key(case) not in rows:
                rows[key(case)] = row = case | measure(case, options.seconds)
                if not options.only:
                    keep(row | {"fingerprint": mark})
    return [rows[key(case)] for case in cases]


def measure(case, seconds):
    """Times over the library's at one size, by pass and name; and why something could not be measured.

    Raises:
        AssertionError: somebody computes another function.
    """
    if case["model"] == "decoding":
        return attention.decoding(**case["size"], seconds=seconds)
    recurrent, found = case["model"] in models.MODELS, {}
    subject = Case(case["model"], **case["size"], device=case["device"]) if recurrent else None
    for name, backward in models.PASSES.items():
        if recurrent:
            functions = subject.functions(backward)
        else:
            functions = attention.FUNCTIONS[case["model"]](**case["size"], backward=backward)
        library = next(iter(functions))
        reference = functions[library]()
        if recurrent and case["size"] in models.COMPILED and case["model"] != "RNN" and case["device"] == "cpu":
            try:
                functions["torch.compile"] = compiled(subject, backward)
            except Exception as error:                                   # no C++ compiler, or one that gives up
                found["not measured"] = {"torch.compile": f"{type(error).__name__}: {error}".splitlines()[0]}
        for ours, function in functions.items():
            error = disagreement(function(), reference)
            assert error < AGREEMENT, f"{ours} and {library} disagree at {case['size']}: {error:.1e}"
        clock = time.process_time if case["device"] == "cpu" else time.perf_counter
        times = timing.rounds(functions, seconds / 2, clock)
        theirs = times.pop(library)
        found[name] = {ours: timing.ratio(values, theirs) for ours, values in times.items()}
    return found


def compiled(subject, backward):
    """The compiled layer, called once, since the first call is the one that compiles."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                                  # the compiler's own, of its own parts
        function = subject.compiled(backward)
        function()
    return function


# What is printed


def report(rows, measured_on, device):
    """Print, for each model, everybody's geometric mean over the sizes, and where each target stands."""
    versions = ", ".join(f"{name} {version}" for name, version in measured_on["versions"].items())
    print(f"\nFloat32, D = H, one thread, {measured_on['device']}, {versions}")
    libraries = {model: f"{'nn' if device == 'cpu' else 'unrolled.cudnn'}.{model}" for model in models.MODELS}
    for model, library in (libraries | attention.REFERENCES).items():
        if mine := [row for row in rows if row["model"] == model]:
            table(mine, library)
    for row in (row for row in rows if row["model"] == "decoding"):
        size, cost = ", ".join(f"{k} = {v}" for k, v in row["size"].items()), row["cost of a token"]
        ratio = row["recomputation over cache"]["median"]
        print(f"\nDecoding, {size}: recomputation takes {ratio:.1f} x as long.")
        print(f"A token costs {cost['start_microseconds']:.0f} µs, and {cost['nanoseconds_per_cached_token']:.1f} ns "
              f"for each one cached (R² = {cost['r_squared']:.3f}).")
    if device == "cpu":
        print("\nTargets, forward and backward, geometric mean over the sizes")
        for target in targets(rows):
            print(f"{target['what']:66}{target['limit']:>14}{target['found']:>8.2f}   {target['verdict']}")
    if measured_on["load"] is not None and measured_on["load"] > 0.5:
        print(f"The machine was not idle: {measured_on['load']:.1f} processes were running or waiting at the start.")


def table(rows, library):
    """Everybody's geometric mean over the sizes of one model, and over those of each batch."""
    batches = sorted({row["size"]["B"] for row in rows})
    columns = "".join(f"{f'B = {B}':>8}" for B in batches)
    over = "".join(f"{name:>{14 + 8 * len(batches)}}" for name in models.PASSES)
    print(f"\n{f'time over that of {library}':40}{over}")
    print(f"{'(geometric mean of the sizes)':40}" + f"{'all':>14}{columns}" * len(models.PASSES))
    for name in dict.fromkeys(name for row in rows for part in models.PASSES for name in row[part]):
        cells = []
        for part in models.PASSES:
            cells.append(f"{mean(rows, part, name):>14}")
            cells += [f"{mean([r for r in rows if r['size']['B'] == B], part, name):>8}" for B in batches]
        sizes = {len([row for row in rows if name in row[part]]) for part in models.PASSES} - {0, len(rows)}
        print(f"{name:40}" + "".join(cells) + "".join(f"   ({count} sizes only)" for count in sizes))
    for reason in dict.fromkeys(f"{name}: not measured, {why}" for row in rows
                                for name, why in row.get("not measured", {}).items()):
        print(reason)


def mean(rows, part, name):
    found = [row[part][name]["median"] for row in rows if name in row[part]]
    return f"{geometric_mean(found):.2f}" if found else ""


def targets(rows):
    """Where each target stands: what, its limit, what was found, and whether that is enough."""
    found = []
    part = list(models.PASSES)[-1]
    for name, limit in models.TARGETS.items():
        model = name.split(".")[-1].removesuffix(" fused")
        value = geometric_mean(row[part][name]["median"] for row in rows if row["model"] == model)
        found.append({"what": f"{name} over nn.{model}", "limit": f"at most {limit}", "found": round(value, 4),
                      "verdict": "met" if value <= limit else "MISSED"})
    for name, limit in models.TEXTBOOK_TARGETS.items():
        model = name.split(".")[-1].removesuffix(" fused")
        value = geometric_mean(row[part]["textbook"]["median"] / row[part][name]["median"]
                               for row in rows if row["model"] == model)
        found.append({"what": f"the textbook's {model} over {name}", "limit": f"at least {limit:g}",
                      "found": round(value, 4), "verdict": "met" if value >= limit else "MISSED"})
    for name, (model, limit) in attention.TARGETS.items():
        if values := [row[part][name]["median"] for row in rows if row["model"] == model]:
            value = geometric_mean(values)
            found.append({"what": f"{name} over {attention.REFERENCES[model]}", "limit": f"at most {limit}",
                          "found": round(value, 4), "verdict": "met" if value <= limit else "MISSED"})
    if values := [row["recomputation over cache"]["median"] for row in rows if row["model"] == "decoding"]:
        value, limit = geometric_mean(values), attention.DECODING_TARGET
        found.append({"what": f"recomputation over cached decoding of {attention.TOKENS} tokens",
                      "limit": f"at least {limit:g}", "found": round(value, 4),
                      "verdict": "met" if value >= limit else "MISSED"})
    return found


def geometric_mean(ratios):
    return math.exp(statistics.fmean(map(math.log, ratios)))


def record(rows, measured_on, device):
    """Write the results in one step, and return where."""
    slug = re.sub(r"[^a-z0-9]+", "-", measured_on["device"].lower()).strip("-")
    path = RESULTS / f"{measured_on['date']}-{slug}.json"
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    summary = {"targets": targets(rows)} if device == "cpu" else {}
    head = json.dumps(measured_on | summary, indent=2, ensure_ascii=False).removesuffix("\n}")
    lines = ",\n".join("    " + json.dumps(row) for row in rows)          # one size a line, so that a diff can be read
    draft.write_text(f'{head},\n  "rows": [\n{lines}\n  ]\n}}\n', encoding="utf-8")
    os.replace(draft, path)
    return path


# A run that can be stopped


def key(case):
    return case["device"], case["model"], *case["size"].values()


def fingerprint(measured_on):
    """What must be the same for two halves of a run to belong together: machine, versions, the code that is timed."""
    digest = hashlib.sha256(json.dumps([measured_on["device"], measured_on["versions"]]).encode())
    for path in sorted(path for name in models.FILES for path in ROOT.glob(name if "." in name else f"{name}/*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def keep(row):
    """Append one line."""
    UNFINISHED.parent.mkdir(parents=True, exist_ok=True)
    with UNFINISHED.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def unfinished(wanted):
    """The lines of a stopped run that belong to this one; a line cut off in the middle does not count."""
    rows = []
    with contextlib.suppress(FileNotFoundError):
        for line in UNFINISHED.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                row = json.loads(line)
                if row.pop("fingerprint") == wanted:
                    rows.append(row)
    return rows


def _size(text):
    try:
        T, B, H = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected T,B,H such as 35,1,64, got {text!r}") from None
    if min(T, B, H) < 1:
        raise argparse.ArgumentTypeError(f"T, B and H must be at least 1, got {text!r}")
    return {"T": T, "B": B, "H": H}


if __name__ == "__main__":
    sys.exit(main())
