"""How a time is taken: one core, one thread, everybody in turn."""

import contextlib
import gc
import math
import os
import time

import pyperf
import torch
from threadpoolctl import threadpool_info

SAMPLE_SECONDS = 0.02                     # short calls are repeated until a sample lasts this long
ROUNDS = 3                                # at least


def rounds(functions, seconds, clock=time.process_time):
    """Time functions that do the same work, in one process.

    They take turns, in an order that changes from round to round. What else the machine does, and how warm it is, then
    falls on all of them alike, while separate processes, pyperf's own way, would each meet another moment; two threads
    that wait for each other, the usual reason for separate processes, do not exist here.

    Args:
        functions: by name, without arguments.
        seconds: to spend, but at least `ROUNDS` rounds.
        clock: what is read before and after. The processor's time of this process does not run while others have the
            core, and with one thread it is otherwise the time on the wall; for work that is done elsewhere, on a GPU,
            take `time.perf_counter`.

    Returns:
        By name, the seconds a call took, one number a round.
    """
    names = list(functions)
    repeats = {name: max(1, math.ceil(SAMPLE_SECONDS / sample(functions[name], 1, clock))) for name in names}
    values = {name: [] for name in names}
    end = time.perf_counter() + seconds
    while len(values[names[0]]) < ROUNDS or time.perf_counter() < end:
        for name in names:
            values[name].append(sample(functions[name], repeats[name], clock))
        names = names[1:] + names[:1]
    return values


def sample(function, repeats, clock=time.process_time):
    """Seconds one call takes, on average over some."""
    start = clock()
    for _ in range(repeats):
        function()
    return (clock() - start) / repeats


def ratio(ours, theirs):
    """Time against time: the median of the rounds, the ratio of the fastest, and the rounds' spread."""
    # Round by round, so that what slows one round down slows both sides of its ratio.
    by_round = [one / other for one, other in zip(ours, theirs)]
    found = pyperf.Benchmark([pyperf.Run(by_round, metadata={"name": "ratio"}, collect_metadata=False)])
    return {
        "median": round(found.median(), 4),
        "minimum": round(min(ours) / min(theirs), 4),
        "spread": round(found.median_abs_dev(), 4),
        "rounds": len(by_round),
    }


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
