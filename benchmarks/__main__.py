"""Time our layers against the library's, and print ratios: 0.5 is half the library's time, on any machine.

    python -m benchmarks            every size; a run that was stopped goes on where it was
    python -m benchmarks --fresh    from the start
    python -m benchmarks --record   and write benchmarks/results/<date>-<processor>.json
"""

import argparse
import contextlib
import gc
import hashlib
import json
import math
import os
import re
import statistics
import sys

import pyperf
import torch
from threadpoolctl import threadpool_info
from tools.origin import ROOT, origin
from tqdm import tqdm

from benchmarks import rnn

UNFINISHED = ROOT / "_build/bench/unfinished.jsonl"
RESULTS = ROOT / "benchmarks/results"
SAMPLE_SECONDS = 0.02                     # short calls are repeated until a sample lasts this long


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", action="store_true", help="forget what a stopped run has measured")
    parser.add_argument("--record", action="store_true", help=f"write the results to {RESULTS.relative_to(ROOT)}/")
    parser.add_argument("--seconds", type=float, default=5.0,
                        help="to spend on each size, but at least five rounds (5)")
    parser.add_argument("--only", type=_size, nargs="+", metavar="T,B,H", help="these sizes, kept nowhere")
    options = parser.parse_args()
    if options.record and options.only:
        parser.error("--record is for all sizes, --only for some")
    if not options.seconds > 0:
        parser.error(f"--seconds must be positive, got {options.seconds}")

    torch.set_num_threads(1)
    assert_one_thread()
    measured_on = origin("torch", "numpy", paths=rnn.FILES) | {"load": load()}
    if options.fresh:
        UNFINISHED.unlink(missing_ok=True)
    sizes = options.only or rnn.SIZES
    rows = {} if options.only else {key(row["size"]): row for row in unfinished(fingerprint(measured_on))}
    if rows:
        print(f"Going on with a run that was stopped: {len(rows)} of {len(sizes)} sizes are measured.", file=sys.stderr)
    try:
        with one_core(), no_collection():
            for size in tqdm(sizes, unit="size", smoothing=0):
                if key(size) not in rows:
                    rows[key(size)] = row = {"size": size, "ratios": measure(size, options.seconds)}
                    if not options.only:
                        keep(row | {"fingerprint": fingerprint(measured_on)})
    except KeyboardInterrupt:
        kept = "" if options.only else f" {len(rows)} of {len(sizes)} sizes are kept, the same command goes on."
        print(f"\nStopped.{kept}", file=sys.stderr)
        return 130
    rows = [rows[key(size)] for size in sizes]
    report(rows, measured_on)
    if options.record:
        print(f"\nRecorded in {record(rows, measured_on).relative_to(ROOT)}")
    if not options.only:
        UNFINISHED.unlink(missing_ok=True)
    return 0


def measure(size, seconds):
    """Ratios of our times to the library's, by layer: median of the rounds, of the minima, and the rounds' spread.

    The layers take turns in one process, in an order that changes from round to round. What else the machine does, and
    how warm it is, then falls on all of them alike, while separate processes, pyperf's own way, would each meet another
    moment; two threads that wait for each other, the usual reason for separate processes, do not exist here.
    """
    functions = rnn.implementations(**size)
    names = list(functions)
    reference = functions[rnn.LIBRARY]()
    for name in names:
        assert rnn.disagreement(functions[name](), reference) < 1e-3, f"{name} and {rnn.LIBRARY} disagree at {size}"
    repeats = {name: max(1, math.ceil(SAMPLE_SECONDS / sample(functions[name], 1))) for name in names}
    values = {name: [] for name in names}
    end = pyperf.perf_counter() + seconds
    while len(values[rnn.LIBRARY]) < 5 or pyperf.perf_counter() < end:
        for name in names:
            values[name].append(sample(functions[name], repeats[name]))
        names = names[1:] + names[:1]
    library = values.pop(rnn.LIBRARY)
    found = {}
    for name, ours in values.items():
        # Round by round, so that what slows one round down slows both sides of its ratio.
        by_round = [one / other for one, other in zip(ours, library)]
        ratios = pyperf.Benchmark([pyperf.Run(by_round, metadata={"name": name}, collect_metadata=False)])
        found[name] = {
            "median": round(ratios.median(), 4),
            "minimum": round(min(ours) / min(library), 4),
            "spread": round(ratios.median_abs_dev(), 4),
            "rounds": len(by_round),
        }
    return found


def sample(function, repeats):
    """Seconds one call takes, on average over some."""
    start = pyperf.perf_counter()
    for _ in range(repeats):
        function()
    return (pyperf.perf_counter() - start) / repeats


def report(rows, measured_on):
    """Print a table for each of our layers, and where each target stands."""
    lengths = sorted({row["size"]["T"] for row in rows})
    widths = sorted({(row["size"]["B"], row["size"]["H"]) for row in rows})
    print(f"\nForward and backward, float32, D = H, one thread, {measured_on['device']}, "
          f"torch {measured_on['versions']['torch']}, numpy {measured_on['versions']['numpy']}")
    for name in rnn.TARGETS:
        found = {key(row["size"]): row["ratios"][name] for row in rows}
        print(f"\n{name} : {rnn.LIBRARY}    time against time: median of the rounds (of the fastest)\n")
        print("  B    H " + "".join(f"{f'T = {T}':>15}" for T in lengths))
        for B, H in widths:
            cells = [found.get((T, B, H)) for T in lengths]
            text = [f"{cell['median']:.2f} ({cell['minimum']:.2f})" if cell else "" for cell in cells]
            print(f"{B:3} {H:4} " + "".join(f"{cell:>15}" for cell in text))
    print()
    for name, summary in summaries(rows).items():
        print(f"{name}: geometric mean {summary['median']:.2f} (minima {summary['minimum']:.2f}), {summary['verdict']}")
    if measured_on["load"] is not None and measured_on["load"] > 0.5:
        print(f"The machine was not idle: {measured_on['load']:.1f} processes were running or waiting at the start.")


def summaries(rows):
    """The geometric mean over all sizes, by layer, and what it means for the target."""
    found = {}
    for name, target in rnn.TARGETS.items():
        means = {
            statistic: round(geometric_mean(row["ratios"][name][statistic] for row in rows), 4)
            for statistic in ("median", "minimum")
        }
        met = target is None or means["median"] <= target
        verdict = "no target" if target is None else f"target {target}: {'met' if met else 'MISSED'}"
        found[name] = means | {"target": target, "verdict": verdict}
    return found


def geometric_mean(ratios):
    return math.exp(statistics.fmean(map(math.log, ratios)))


def record(rows, measured_on):
    """Write the results in one step, and return where."""
    slug = re.sub(r"[^a-z0-9]+", "-", measured_on["device"].lower()).strip("-")
    path = RESULTS / f"{measured_on['date']}-{slug}.json"
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    head = json.dumps(measured_on | {"summary": summaries(rows)}, indent=2, ensure_ascii=False).removesuffix("\n}")
    lines = ",\n".join("    " + json.dumps(row) for row in rows)          # one size a line, so that a diff can be read
    draft.write_text(f'{head},\n  "rows": [\n{lines}\n  ]\n}}\n', encoding="utf-8")
    os.replace(draft, path)
    return path


# A run that can be stopped


def key(size):
    return size["T"], size["B"], size["H"]


def fingerprint(measured_on):
    """What must be the same for two halves of a run to belong together: machine, versions, the code that is timed."""
    digest = hashlib.sha256(json.dumps([measured_on["device"], measured_on["versions"]]).encode())
    for path in sorted(path for name in rnn.FILES for path in ROOT.glob(name if "." in name else f"{name}/*.py")):
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


# One core, one thread


def assert_one_thread():
    """Stop unless every library that was loaded really uses one thread."""
    busy = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info() if pool["num_threads"] != 1}
    if busy or torch.get_num_threads() != 1:
        raise SystemExit(f"expected one thread a library, got {busy or torch.get_num_threads()}")


@contextlib.contextmanager
def one_core():
    """Stay on one core, where the system lets a process choose."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def no_collection():
    """Keep the garbage collector from striking in the middle of somebody's turn."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def load():
    """Processes running or waiting over the last minute, where the system counts them."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


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
