"""Run a study on Dask, with as many processes as this machine has cores, or on any cluster.

    python -m experiments --list                    all names: the files of `unrolled.studies`, and the book's chapters
    python -m experiments architectures             one of them
    python -m experiments architectures --record    and put the result where the pages read it
    python -m experiments page-rnn                  a page's own code with other seeds: what its claims measure;
                                                    page-rnn-order for rnn/order

Every finished run is kept at once. Whatever stops a study, the same command goes on where it was, and the file it
writes in the end is the same, byte for byte, as if nothing had happened.
"""

import argparse
import importlib
import os
import pkgutil
import sys
from pathlib import Path

from tools.origin import ROOT

import unrolled.studies
from experiments import pages
from experiments.sweep import Journal, SweepError, name, sweep, write
from unrolled.studies import once

# What is to be run, or still to be run when these are the rows so far; what does one run; and what is printed of them.
STUDIES = {}
for _, file, _ in pkgutil.iter_modules(unrolled.studies.__path__):
    module = importlib.import_module(f"unrolled.studies.{file}")
    if hasattr(module, "runs"):                         # others help the studies
        STUDIES[file.replace("_", "-")] = module.runs, module.run, module.table
for page in pages.PAGES:
    make = once(lambda small, page=page: pages.runs(page)[: 1 if small else None])
    STUDIES[f"page-{page}"] = make, pages.run, pages.table
BUILD = ROOT / "_build/experiments"


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES, metavar="NAME", help="one of " + ", ".join(STUDIES))
    parser.add_argument("--list", action=Names, help="name them")
    parser.add_argument("--scheduler", metavar="ADDRESS",
                        help="a Dask scheduler such as tcp://10.0.0.1:8786; its workers need the package `unrolled`")
    parser.add_argument("--workers", type=_positive, metavar="N",
                        help="processes on this machine, one thread each (one a core)")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier run of this has kept")
    parser.add_argument("--record", action="store_true", help="write the result to where the pages read it")
    parser.add_argument("--small", action="store_true", help="a few short runs of everything, to see that it works")
    parser.add_argument("--folder", type=Path, default=BUILD, metavar="PATH",
                        help="where journal and result lie (_build/experiments)")
    options = parser.parse_args(arguments)
    if options.record and options.small:
        parser.error("--record is for the whole study, --small is not")
    if options.scheduler and options.workers:
        parser.error("--workers is for this machine; a scheduler has its own")

    make, function, table = STUDIES[options.study]
    title = options.study + "-small" * options.small
    runs, rows, done = [], [], {}
    try:
        journal = Journal(options.folder, title, function.__module__, *page_of(title))
        if options.fresh:
            journal.clear()
        while more := make(options.small, rows):
            if kept := len(journal.read(more)):
                print(f"Going on: {kept} of {len(more)} runs are kept.", file=sys.stderr)
            runs += more
            done, failed = sweep(function, runs, journal, options.scheduler, options.workers or os.cpu_count())
            if failed:
                print(f"\n{len(failed)} of {len(runs)} runs failed; the others are kept. The same command tries again:",
                      *(f"  {which}: {why}" for which, why in failed.items()), sep="\n", file=sys.stderr)
                return 1
            rows = [done[name(run)]["row"] for run in runs]
        path = (unrolled.studies.RECORDS if options.record else options.folder) / f"{title}.json"
        result = write(path, runs, done, function.__module__, *page_of(title))
    except KeyboardInterrupt:
        print("\nStopped. What is finished is kept, the same command goes on.", file=sys.stderr)
        return 130
    except (SweepError, OSError) as error:
        print(f"{title}: {error}", file=sys.stderr)
        return 1
    print(*table(result["rows"]), sep="\n")
    print(f"\nWritten: {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
    return 0


def page_of(title):
    """The page that a study runs, in a list; none for the others."""
    return [pages.PAGES[title.removeprefix("page-").removesuffix("-small")]] if title.startswith("page-") else []


class Names(argparse.Action):
    """Print the names of all studies, a line each, and stop."""

    def __init__(self, option_strings, dest, **options):
        super().__init__(option_strings, dest, nargs=0, **options)

    def __call__(self, parser, *_):
        print(*STUDIES, sep="\n")
        parser.exit()


def _positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
