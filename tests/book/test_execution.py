"""Every page runs where readers run it, on one core in 2 GiB of address space, and runs all it shows."""

import json
import re

import pytest
from nbformat import v4
from notebook_form import ROOT, NotebookError, chapter_of, page_name, pages, read
from notebook_kernel import execute, one_core

GIB = 2**30
PEAK_MIB = 1024
SECONDS = 60  # a target for a quiet machine; told, never judged, because this one may be busy

LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_AS, ({0}, {0}))"
TRACE = "import notebook_trace; notebook_trace.start()"
# Each malloc arena reserves 64 MiB of addresses that nobody uses; with two of them the limit is about real memory.
ENVIRONMENT = {"PYTHONPATH": str(ROOT / "tools"), "MALLOC_ARENA_MAX": "2"}


def follow(nb, folder, limit=2 * GIB):
    """Execute a notebook in a small machine; return its cost and what it never entered."""
    before = f"{LIMIT.format(limit)}\n{TRACE}"
    with one_core():
        cost = execute(nb, folder, before, "notebook_trace.report()", ENVIRONMENT)
    return cost | json.loads(cost["printed"])


@pytest.fixture(scope="module", params=pages(), ids=page_name)
def page(request):
    """A page's name, its notebook with every output, and what the execution cost and left out."""
    nb = read(request.param)
    return page_name(request.param), nb, follow(nb, request.param.parent)


def test_every_definition_on_the_page_is_executed(page):
    _, nb, cost = page
    assert bool(cost["shown"]) == any(re.search(r"(?<!plt\.)\bshow\(", cell.source) for cell in nb.cells
                                      if cell.cell_type == "code")
    assert cost["never"] == []


@pytest.mark.parametrize("chapter", sorted(set(map(chapter_of, pages()))))
def test_every_chapter_shows_the_code_that_it_explains(chapter):
    sources = [cell.source for path in pages() if chapter_of(path) == chapter for cell in read(path).cells]
    assert any("show(" in source for source in sources)


def test_memory_stays_below_a_gibibyte_at_its_peak(page):
    name, _, cost = page
    late = "" if cost["seconds"] <= SECONDS else f", over the {SECONDS} s that a quiet core should need"
    print(f"{name}: {cost['peak_mib']:.0f} MiB, {cost['seconds']:.0f} s followed call by call{late}")
    assert cost["peak_mib"] < PEAK_MIB


def test_every_cell_that_makes_an_image_describes_it(page):
    _, nb, _ = page
    for cell in nb.cells:
        formats = [key for output in cell.get("outputs", []) for key in output.get("data", {})]
        if any(key.startswith("image/") for key in formats):
            assert cell.metadata.get("mystnb", {}).get("image", {}).get("alt"), cell.source


# The follower itself.


def notebook(*sources):
    return v4.new_notebook(cells=[v4.new_code_cell(source) for source in sources])


MODULE = '''
import functools

def used():
    def inner():
        return 1
    return [inner() for _ in range(2)]

def unused():
    return 0

class Layer:
    size = 3

    @property
    def width(self):
        return self.size

    @staticmethod
    @functools.cache
    def helper():
        return (lambda: 2)

    def forward(self):
        return self.helper()

    def backward(self):
        def adjoint():
            return 1
        return 2
'''


@pytest.mark.parametrize(("cells", "never"), [
    (["show(m.used)", "m.used()"], []),
    (["show(m.used)"], ["used (m.py", "used.<locals>.inner (m.py"]),
    (["m.unused"], []),
    (["show(m.Layer)", "m.Layer().forward(); m.Layer().width; m.Layer().backward()"],
     ["Layer.backward.<locals>.adjoint (m.py"]),
    (["show(m.Layer)", "m.Layer()"],
     ["Layer.width", "Layer.helper", "Layer.forward", "Layer.backward (", "Layer.backward.<locals>.adjoint"]),
    (["show(m.Layer.forward, m.Layer.width, docstring=False)", "m.Layer().forward()"], ["Layer.width (m.py"]),
    (["show(m)", "m.used(); m.unused()"],
     ["Layer.width", "Layer.helper", "Layer.forward", "Layer.backward (", "Layer.backward.<locals>.adjoint"]),
    (["def f(): return 1", "f()"], []),
    (["def f(): return 1"], ["f (a cell"]),
    (["class A:\n    def g(self): pass\n    def h(self): pass", "A().g()"], ["A.h (a cell"]),
    (["f = lambda: 1"], []),
], ids=lambda value: " ; ".join(value)[:50] if value and isinstance(value[0], str) else "nothing")
def test_follower_names_what_never_ran(cells, never, tmp_path):
    (tmp_path / "m.py").write_text(MODULE)
    found = follow(notebook("import m; from unrolled import show", *cells), tmp_path)["never"]
    assert len(found) == len(never)
    for name in never:
        assert any(line.startswith(name) for line in found), (name, found)


def test_address_space_is_limited(tmp_path):
    with pytest.raises(NotebookError, match="MemoryError"):
        follow(notebook("import numpy as np", "np.ones(2**28)"), tmp_path)  # 2 GiB on top of what is there already


def test_peak_counts_children_and_not_the_parent(tmp_path):
    lean = follow(notebook("x = 1"), tmp_path, limit=4 * GIB)["peak_mib"]
    hold = "x = bytearray(300 << 20); import time; time.sleep(1)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    assert lean < 150
    assert 300 + lean * 0.8 < follow(notebook(child), tmp_path, limit=4 * GIB)["peak_mib"] < 400 + lean
