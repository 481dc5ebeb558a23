"""A page that trains, run again with other seeds: what its own code measures where training decides, as a study.

The page is executed in a fresh kernel in which `unrolled.training.SEEDS` are five other numbers. Each claim of kind
"trained" that only says what it found `here` leaves the values behind its effects; those of all runs are the record. A
page without such a claim is no study.
"""

import json
import sys

from tools.origin import ROOT

from unrolled.training import SEEDS

sys.path.append(str(ROOT / "tools"))            # whose modules find each other there
from notebook_form import page_name, pages, read
from notebook_kernel import execute

PAGES = {page_name(path).replace("/", "-"): path for path in pages() if "here=" in path.read_text(encoding="utf-8")}
BATCHES = 4                                     # of five seeds each
MORE = {"attention": 20}                        # chapters whose pages train one network a run: as many runs as seeds

BEFORE = """
import importlib, pkgutil
import unrolled.studies
for _, _file, _ in pkgutil.iter_modules(unrolled.studies.__path__):
    importlib.import_module("unrolled.studies." + _file)                # records keep their seeds
import unrolled.training
unrolled.training.SEEDS = range({first}, {first} + {count})
import unrolled.page.display

_claim, _found = unrolled.page.display.claim, {{}}

def _keep(key, figure, holds=None, kind="exact", when=None, on=None, here=None):
    if holds is None and here is not None:
        _found[key] = [part.groups for part in here.parts]
    else:
        _claim(key, figure, holds, kind, when, on, here)

unrolled.claim = unrolled.page.display.claim = _keep
"""
AFTER = "import json; print(json.dumps(_found))"


def run(page, first):
    """Run a page with the seeds first, first + 1, …, as many as it has.

    Args:
        page: a key of `PAGES`.
        first: the first seed, a multiple of their number.

    Returns:
        A dict of the arguments and `claims`: by key, the values of each effect.

    Raises:
        NotebookError: a cell failed.
    """
    path = PAGES[page]
    before = BEFORE.format(first=first, count=len(SEEDS))
    printed = execute(read(path), path.parent, before, AFTER)["printed"]
    return {"page": page, "first": first, "claims": json.loads(printed)}


def runs(page):
    """The runs of one page, as a study has them."""
    return [{"page": page, "first": len(SEEDS) * batch} for batch in range(MORE.get(page.partition("-")[0], BATCHES))]


def table(rows):
    """Lines: for each claim the values of all runs, one effect a line."""
    for key in sorted({key for row in rows for key in row["claims"]}):
        for effect in zip(*(row["claims"][key] for row in rows)):
            yield f"{key}: {json.dumps(effect)}"
