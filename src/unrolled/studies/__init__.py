"""Studies: what is trained beforehand, with many seeds, so that a page can rest a verdict on it. One file a study.

A study is a module of this package with three functions, and its record lies beside it in `records/`:

    run(**arguments)        one run; a dict of these arguments and of what came out, which JSON can hold
    runs(small, rows)       the list of arguments of all runs; or, where later runs depend on earlier ones, of those
                            that are to be done next when these are the rows so far, [] when nothing is left
    table(rows)             lines to print

`python -m experiments NAME` does the runs on Dask, `--record` puts the result where `recorded(NAME)` finds it.

A page whose own cells train is a study as well: `python -m experiments page-NAME` runs it with other seeds and records
what its claims measured.
"""

import functools
import json
import statistics
from pathlib import Path

RECORDS = Path(__file__).parent / "records"
SEEDS = range(20)               # what a study scores, where an hour of two cores allows it
TUNING_SEEDS = 100, 101         # what a learning rate is chosen on; never scored


@functools.cache
def recorded(name):
    """The record of a study.

    Args:
        name: of the study, such as "order".

    Returns:
        A dict: `commit`, `date`, `device`, `versions`; `rows`, one dict of the study's `run` each.

    Raises:
        ValueError: there is no such record; the message lists those that there are.
    """
    path = RECORDS / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"name must be one of {sorted(p.stem for p in RECORDS.glob('*.json'))}, got {name!r}")
    return json.loads(path.read_text(encoding="utf-8"))


def rows(name, **wanted):
    """The rows of a study's record that have these values, such as `rows("order", model="RNN")`, in their order."""
    return [row for row in recorded(name)["rows"] if all(row[key] == value for key, value in wanted.items())]


def next_rates(tried, best, start, factor):
    """The learning rates to try next, so that in the end the best has a worse one on either side.

    Args:
        tried: those tried so far, in rising order.
        best: the best of them; not looked at if there is none.
        start: where to begin.
        factor: from one rate to the next beyond the edge.

    Returns:
        A list, empty once the best does not lie at the edge.
    """
    if not tried:
        return list(start)
    lower, higher = ([float(f"{rate:.6g}")] for rate in (best / factor, best * factor))
    return lower * (best == tried[0]) + higher * (best == tried[-1])


def by_rate(rows, value, seeds=TUNING_SEEDS):
    """The mean of `value(row)` over the seeds, by learning rate in rising order; of rates that all seeds have run."""
    found = {}
    for row in rows:
        if row["seed"] in seeds:
            found.setdefault(row["learning_rate"], []).append(value(row))
    return {rate: statistics.fmean(found[rate]) for rate in sorted(found) if len(found[rate]) == len(seeds)}


def of_seeds(rows, seeds=SEEDS):
    """The rows of these seeds, in the order of the seeds."""
    return sorted((row for row in rows if row["seed"] in seeds), key=lambda row: row["seed"])


def search(trials, scored, start, factor, seeds=SEEDS, tuning=TUNING_SEEDS):
    """What is to be run next where a rate is searched: rates on the tuning seeds, and then the seeds at the best.

    Args:
        trials: the loss of each rate tried so far, in rising order of the rates.
        scored: the rows of the scored seeds so far.
        start, factor: as for `next_rates`.
        seeds: what is scored.
        tuning: what the rate is chosen on.

    Returns:
        Pairs of a learning rate and a seed, [] when nothing is left.
    """
    best = min(trials, key=trials.get, default=None)
    if rates := next_rates(list(trials), best, start, factor):
        return [(rate, seed) for rate in rates for seed in tuning]
    return [] if scored else [(best, seed) for seed in seeds]


def once(make):
    """`runs` of a study whose later runs do not depend on the earlier ones: `make(small)` lists them all."""
    return lambda small=False, rows=(): [] if rows else make(small)


@functools.cache
def page_values(key):
    """What the pages' own code measured of a claim, run with other seeds beforehand (`experiments/pages.py`).

    Args:
        key: of the claim.

    Returns:
        A list, one entry a run of the page: the values of each of the claim's effects. None if no record has the claim.
    """
    for path in sorted(RECORDS.glob("page-*.json")):
        found = [row["claims"][key] for row in recorded(path.stem)["rows"] if key in row["claims"]]
        if found:
            return found
    return None
