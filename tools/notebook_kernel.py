"""Execute a notebook in a fresh kernel of this environment, on one thread, and say what it cost."""

import contextlib
import os
import threading
import time

import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import v4
from notebook_form import ANSI, NotebookError
from traitlets.config import Config

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}

# The kernel's own high-water mark. Not ru_maxrss on Linux: that one starts at the size of the process that forked it.
PEAK_MIB = """
import re, resource, sys
if sys.platform == "linux":
    print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 2**10)
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))
"""


class Watch(threading.Thread):
    """Follow the resident memory of a process and its children; `peak_mib` is the largest sum seen."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.process, self.done, self.peak_mib = psutil.Process(pid), threading.Event(), 0.0
        self.start()

    def run(self):
        while not self.done.wait(0.05):
            with contextlib.suppress(psutil.Error):
                tree = [self.process, *self.process.children(recursive=True)]
                self.peak_mib = max(self.peak_mib, sum(process.memory_info().rss for process in tree) / 2**20)


@contextlib.contextmanager
def one_core():
    """Processes started inside stay on one core, where the system lets us choose."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if allowed:
        os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        if allowed:
            os.sched_setaffinity(0, allowed)


def execute(nb, folder, before="", after="", env=None, progress=None, timeout=600, keep_going=False, python=None):
    """Execute a notebook in place.

    Args:
        nb: the notebook; its outputs are replaced.
        folder: working directory of the kernel.
        before, after: code of ours, run around the chapter and outside its history.
        env: environment variables for the kernel, on top of this process's and `ONE_THREAD`.
        progress: called as `progress(index, cell, seconds)` after each code cell.
        timeout: seconds a cell may take.
        keep_going: a cell that raises keeps its error as its output, and the next one runs.
        python: the interpreter of the kernel; this one if left out.

    Returns:
        dict: `seconds` of wall time from the kernel's start to its last cell; `peak_mib`, the largest resident memory
        of the kernel and its children; `printed`, what `after` printed.

    Raises:
        NotebookError: a cell failed, took too long or killed the kernel; the message holds the cell's source.
    """
    client = NotebookClient(
        nb,
        timeout=timeout,
        allow_errors=keep_going,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        config=Config(KernelManager={"transport_encryption": "auto"}),  # or each kernel warns that it talks in clear
    )
    environment = {**os.environ, **ONE_THREAD, "JUPYTER_PREFER_ENV_PATH": "1", **(env or {})}
    watch, cell, started = None, None, time.perf_counter()
    if python:
        client.create_kernel_manager().kernel_spec.argv[0] = str(python)
    try:
        with client.setup_kernel(env=environment):
            watch = Watch(int(_ask(client, "import os; print(os.getpid())")))
            _ask(client, before)
            for index, cell in enumerate(nb.cells):
                if cell.cell_type == "code" and cell.source.strip():
                    begun = time.perf_counter()
                    client.execute_cell(cell, index)
                    if progress:
                        progress(index, cell, time.perf_counter() - begun)
            seconds = time.perf_counter() - started
            peak_mib, printed = float(_ask(client, PEAK_MIB)), _ask(client, after)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        source = "" if cell is None or cell.source in str(error) else f"\nin the cell\n{cell.source}"
        raise NotebookError(f"{ANSI.sub('', str(error)).strip()}{source}") from error
    finally:
        if watch:
            watch.done.set()
    return {"seconds": seconds, "peak_mib": max(peak_mib, watch.peak_mib), "printed": printed}


def _ask(client, source):
    """Run code of ours in the chapter's kernel, outside its history, and return what it prints."""
    cell = v4.new_code_cell(source)
    client.nb.cells.append(cell)  # nbclient executes cells of its notebook only
    client.execute_cell(cell, len(client.nb.cells) - 1, store_history=False)
    client.nb.cells.pop()
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
