"""The plain notebooks, run as a reader runs them: in a folder of their own, without the book's settings.

One page of each chapter runs here, the one that takes least time. All run once a week, where Sphinx is not installed.
"""

import json
import os
import shutil
import subprocess
import sys
from itertools import groupby

import pytest
from notebook_form import ROOT


def quickest():
    """The page of each chapter that takes least time."""
    costs = json.loads((ROOT / "book/_data/status.json").read_text(encoding="utf-8"))["pages"]
    pages = sorted(costs, key=lambda name: (name.partition("/")[0], costs[name]["seconds"], name))
    return [next(group) for _, group in groupby(pages, key=lambda name: name.partition("/")[0])]


@pytest.fixture(scope="module")
def ran(site, tmp_path_factory):
    """What pytest says of one plain notebook of each chapter."""
    place = tmp_path_factory.mktemp("reader")
    for name in quickest():
        (place / name).parent.mkdir(exist_ok=True)
        shutil.copy(site / f"_sources/book/{name}.ipynb", place / f"{name}.ipynb")
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", place, "-p", "no:cacheprovider", "-q",
               "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=120", "--tb=short", place]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=900)


def test_a_plain_notebook_of_each_chapter_runs_in_a_folder_of_its_own(ran):
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-1000:]
