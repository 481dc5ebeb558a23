"""Many independent runs on Dask, each kept as soon as it is finished.

The client alone writes: one line a run into a journal, flushed to the disk before the next result is looked at. A sweep
that was killed goes on with the runs that the journal lacks, on whatever cluster there is now. A result depends on
nothing but its run's arguments, so neither the order nor the number of the workers can be seen in the rows.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import sys
from concurrent.futures import CancelledError
from pathlib import Path

import cloudpickle
from distributed import as_completed
from tools import origin
from tools.cluster import client_of
from tqdm import tqdm

PACKAGES = "torch", "numpy"                     # whose versions decide the digits
RETRIES = 2
HANDED_ON = Path(__file__).parent / "journals"      # of studies that one machine began and another shall finish


class SweepError(Exception):
    """The sweep cannot go on; the message is for the person at the terminal."""


def sweep(function, runs, journal, address=None, workers=1):
    """Do every run that the journal lacks.

    Args:
        function: called with one run's arguments, on a worker, which needs the package `unrolled` and not this folder;
            returns a dict that JSON can hold.
        runs: a list of dicts of arguments, no two equal.
        journal: a `Journal`.
        address: of a Dask scheduler; without one, a cluster of this machine is started, and stopped at the end.
        workers: how many processes that one has, of one thread each.

    Returns:
        Results by run (as `name` spells it), and for each run that failed although it was tried again, its error.

    Raises:
        SweepError: there is no scheduler at `address`, it has no worker, or it went away.
    """
    done = journal.read(runs)
    missing = [run for run in runs if name(run) not in done]
    failed = {}
    if missing:
        with client_of(address, workers, SweepError) as client:
            work = on_worker(function)
            futures = {}
            for run in missing:
                key = f"{journal.path.stem} {name(run)}"
                futures[client.submit(work, run, key=key, retries=RETRIES)] = run
            with tqdm(total=len(runs), initial=len(runs) - len(missing), unit="run", smoothing=0) as progress:
                for future in as_completed(futures):
                    run = futures[future]
                    try:
                        entry = future.result()                 # waits for it again, if it was lost with its worker
                    except CancelledError as error:
                        raise SweepError("the scheduler has gone; what is finished is kept") from error
                    except Exception as error:
                        failed[name(run)] = f"{type(error).__name__}: {error}".partition("\n")[0]
                        progress.write(f"FAILED {name(run)}: {failed[name(run)]}", file=sys.stderr)
                    else:
                        done[name(run)] = journal.append(run, entry)
                    progress.update()
    return done, failed


def on_worker(function):
    """What a worker does for one run: refuse, if it would not compute the same as the others; else call `function`."""
    expected = software(function.__module__)

    def work(run):
        found = software(function.__module__)
        if found != expected:
            wrong = ", ".join(f"{key} {found[key]} for {expected[key]}" for key in found if found[key] != expected[key])
            raise RuntimeError(f"the worker has other software than the client: {wrong}")
        return {"device": origin.processor(), "row": function(**run)}

    # A worker elsewhere has no `experiments` and no `tools` to import. Dask sends a nested function whole, and with it
    # what it needs of the modules named here.
    for module in (sys.modules[__name__], origin):
        cloudpickle.register_pickle_by_value(module)
    return work


def software(module, *pages):
    """What must be the same for two results of a module to belong together: versions, and the code behind them."""
    digest = hashlib.sha256()
    for path in sources(module, *pages):
        digest.update(code_of(path))
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version()} | versions | {"code": digest.hexdigest()[:12]}


def code_of(path):
    """What of a file counts: all of it; of a notebook the sources of its cells."""
    if path.suffix != ".ipynb":
        return path.read_bytes()
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code").encode()


def sources(module, *pages):
    """The files that decide what is computed.

    Args:
        module: of `unrolled`: its own file counts, those of all that it imports, and their data.
        *pages: notebooks, which count likewise.

    Returns:
        Paths, sorted.
    """
    found, waiting = {}, [module]
    for page in pages:
        waiting += imported(code_of(page).decode())
    while waiting:
        name = waiting.pop()
        if name in found or not name.startswith("unrolled."):
            continue
        found[name] = path = Path(importlib.util.find_spec(name).origin)
        waiting += imported(path.read_text(encoding="utf-8"))
    data = {other for path in found.values() for other in path.parent.glob(f"{path.stem}.*") if other.is_file()}
    return sorted({*data, *pages})                                              # elnino.py, and with it elnino.csv


def imported(source):
    """The modules of `unrolled` that a source imports. Lines of a notebook that are no Python are passed over."""
    source = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("%"))
    source = source.replace("except ModuleNotFoundError:     # Colab: fetch it", "except ModuleNotFoundError: pass")
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.startswith("unrolled.") and exists(name))


def exists(name):
    """Whether there is a module of this name; the name of a function or a class is none."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def name(run):
    """A run in words: its arguments in their order."""
    return ", ".join(f"{key} {value}" for key, value in run.items())


class Journal:
    """The finished runs of an experiment: a file of JSON lines, named after what computes them.

    A line is found by all arguments of its run, so another configuration takes from it only what it would compute
    again. Other versions and other code have a journal of their own. One that lies in `HANDED_ON` is gone on with.

    Args:
        folder: where it lies; made if there is none.
        title: how its name begins.
        module: what computes the runs, by its dotted name.
        *pages: notebooks that it runs.
    """

    def __init__(self, folder, title, module, *pages):
        fingerprint = hashlib.sha256(json.dumps(software(module, *pages)).encode()).hexdigest()[:12]
        self.path = Path(folder) / f"{title}-{fingerprint}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handed_on = HANDED_ON / self.path.name
        if handed_on.exists() and not self.path.exists():
            shutil.copyfile(handed_on, self.path)

    def read(self, runs):
        """The entries of these runs, by name; a line that a kill cut off is cut away, so the next one starts afresh."""
        if not self.path.exists():
            return {}
        whole, _, torn = self.path.read_bytes().rpartition(b"\n")
        if torn:
            os.truncate(self.path, len(whole) + bool(whole))
        entries = {entry.pop("run"): entry for entry in map(json.loads, whole.splitlines())}
        return {wanted: entries[wanted] for wanted in map(name, runs) if wanted in entries}

    def append(self, run, entry):
        """Put one entry on the disk, and return it."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"run": name(run)} | entry, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return entry

    def clear(self):
        """Forget everything."""
        self.path.unlink(missing_ok=True)


def write(path, runs, done, module, *pages):
    """Write origin and rows of a module, in the order of `runs`, in one step: one sees the old file or the new one.

    Returns:
        What was written, as a dict.
    """
    entries = [done[name(run)] for run in runs]
    head = origin.origin(*PACKAGES, paths=[*sources(module, *pages), "experiments"])
    head["device"] = " and ".join(sorted({entry["device"] for entry in entries}))
    rows = [entry["row"] for entry in entries]
    path = Path(path).resolve()                                     # a link stays a link
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            lines = ",\n".join("    " + json.dumps(row, ensure_ascii=False) for row in rows)      # a run a line
            file.write(json.dumps(head, indent=2, ensure_ascii=False).removesuffix("\n}"))
            file.write(f',\n  "rows": [\n{lines}\n  ]\n}}\n')
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return head | {"rows": rows}
