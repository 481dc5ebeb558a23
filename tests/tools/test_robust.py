"""The robust command: it finds a cell that fails, an output that differs and a verdict that flips, and nothing else."""

import json
import os
import platform
import subprocess
import sys

import nbformat
import notebook_form
import pytest
import robust
from nbformat import v4
from notebook_form import dumps, normalise
from notebooks import write

PAGE = {
    "steady": "import torch\nfrom unrolled import claim\nclaim('one-and-one', '2', 1 + 1 == 2)",
    "trained": "torch.manual_seed(0)\nweights = torch.nn.Linear(99, 9).weight.detach().square().sum().item()\n"
               "print(f'{weights:.12f}')",
    "knife edge": "claim('knife-edge', 'a digit', {stored!r} == f'{{weights:.12f}}')",
    "assert": "assert {stored!r} == f'{{weights:.12f}}'",
}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page whose second half hangs on the last digits of a weight."""
    monkeypatch.setattr(robust, "JOURNAL", tmp_path / "robust.jsonl")
    monkeypatch.setattr(notebook_form, "BOOK", tmp_path)
    path = tmp_path / "chapter/page.ipynb"

    def build(stored):
        cells = [v4.new_code_cell(source.format(stored=stored) if "stored" in source else source,
                                  metadata={"tags": ["nbval-check-output"] if name == "trained" else []})
                 for name, source in PAGE.items()]
        return v4.new_notebook(cells=cells)

    nb = build("")
    path.parent.mkdir()
    robust.execute(nb, tmp_path, keep_going=True)
    nb = build(nb.cells[1].outputs[0].text.strip())
    robust.execute(nb, tmp_path)
    write(path, dumps(normalise(nb)))
    return path


def test_here_everything_is_as_stored(page):
    row = robust.follow("as it is", page)
    assert (row["failed"], row["differs"], row["flipped"]) == ([], [], [])


def test_a_nudge_of_the_weights_finds_all_three_kinds(page):
    row = robust.follow("nudge 1", page)
    assert row["failed"][0].startswith("assert '")
    assert "AssertionError" in row["failed"][0]
    assert row["differs"] == ["torch.manual_seed(0)"]
    assert row["flipped"] == ["knife-edge: holds → does not hold"]


def test_what_is_done_is_kept_until_the_page_or_the_environment_changes(page, monkeypatch):
    first = robust.run(["nudge 1"], [page], {}, 1)
    assert first[0]["page"] == "chapter/page"
    robust.run(["nudge 1"], [page], {}, 1)
    assert len(robust.JOURNAL.read_text().splitlines()) == 1, "it did not run again"
    monkeypatch.setitem(robust.ENVIRONMENTS, "nudge 1", {})
    assert robust.run(["nudge 1"], [page], {}, 1) != first
    with robust.JOURNAL.open("a") as file:
        file.write('\n{"of": "x", "ro')                                               # what a kill leaves
    assert len(robust.journal()) == 2
    of, nb = robust.fingerprint(page), nbformat.read(page, 4)
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("Another word."), *nb.cells]), page)
    page.write_text(page.read_text().replace("import torch\\n", "import torch  # as always\\n\\n", 1))
    assert robust.fingerprint(page) == of
    page.write_text(page.read_text().replace("one-and-one", "one-and-two"))
    assert robust.fingerprint(page) != of


def test_a_nudge_leaves_the_pages_own_random_numbers_alone():
    import torch

    begin, uniform, normal = torch.optim.Optimizer.__init__, torch.Tensor.uniform_, torch.Tensor.normal_
    torch.manual_seed(0)
    plain = torch.nn.Linear(3, 2).weight.detach().clone(), torch.rand(3)
    try:
        exec(robust.NUDGE.replace("{seed}", "1"), {})
        torch.manual_seed(0)
        layer = torch.nn.Linear(3, 2)
        nudged, numbers = layer.weight.detach().clone(), torch.rand(3)
        torch.optim.Adam(layer.parameters())
        again = layer.weight.detach().clone()
    finally:
        torch.optim.Optimizer.__init__, torch.Tensor.uniform_, torch.Tensor.normal_ = begin, uniform, normal
    assert torch.equal(numbers, plain[1])
    assert 0 < (nudged / plain[0] - 1).abs().max() < 1e-6
    assert 0 < (again / nudged - 1).abs().max() < 1e-6


def test_the_list_has_ten_environments_and_five_nudges(capsys):
    assert robust.main(["--list"]) == 0
    names = capsys.readouterr().out.splitlines()
    assert len(names) >= 10
    assert len([name for name in names if name.startswith("nudge")]) == 5


@pytest.mark.parametrize(("arguments", "message"), [
    (["nowhere"], "there is no environment nowhere"),
    (["--pages", "rnn", "nowhere"], "there is no page or chapter nowhere"),
    (["--record", "nudge 1"], "--record is for all pages and at least ten environments"),
])
def test_a_wrong_argument_is_named(arguments, message, capsys):
    with pytest.raises(SystemExit):
        robust.main(arguments)
    assert message in capsys.readouterr().err


def test_the_record_is_of_all_pages_and_clean():
    if not robust.RECORD.exists():
        pytest.skip("not recorded yet: make robust")
    record = json.loads(robust.RECORD.read_text(encoding="utf-8"))
    assert len(record["commit"]) == 12
    assert len({row["environment"] for row in record["rows"]}) >= 10


OBEYED = '''
import numpy, scipy.linalg, threadpoolctl, torch
from numpy._core._multiarray_umath import __cpu_features__ as features
with torch.no_grad():
    torch.nn.LSTM(8, 8)(torch.mm(torch.ones(64, 64), torch.ones(64, 64))[:6, :8].reshape(3, 2, 8))
print("numpy", *[name for name in ("X86_V3", "X86_V4") if features.get(name)], "end")
print("aten", torch.backends.cpu.get_cpu_capability())
print("openblas", *{library.get("architecture") for library in threadpoolctl.threadpool_info()} - {None})
'''


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="instruction sets of another architecture")
@pytest.mark.parametrize(("environment", "signs"), [
    ("everything oldest", ["numpy end", "aten DEFAULT", "openblas Nehalem", "isa:Intel SSE4.1", "CNR:COMPATIBLE"]),
    ("everything AVX2", ["aten AVX2", "openblas Haswell", "isa:Intel AVX2"]),
])
def test_each_library_obeys_its_variable(environment, signs):
    """A variable that a library has renamed would be passed over in silence, and every page would pass."""
    variables = {"MKL_VERBOSE": "1", "ONEDNN_VERBOSE": "1"} | robust.ENVIRONMENTS[environment]
    run = subprocess.run([sys.executable, "-c", OBEYED], capture_output=True, text=True, timeout=120, check=True,
                         env=os.environ | variables)
    assert [sign for sign in signs if sign not in run.stdout] == []
    assert "X86_V4" not in run.stdout.partition("numpy")[2].partition("end")[0]
