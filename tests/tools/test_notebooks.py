"""The notebook tool: the same bytes on every run, nothing lost on failure, reasons that a person can act on."""

import json
import platform
import random
import subprocess
import sys

import notebook_form
import notebooks
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v4
from notebook_form import complaints, dumps, normalise, read


def code(source, *outputs, tags=(), count=1):
    return v4.new_code_cell(source, metadata={"tags": list(tags)}, outputs=list(outputs), execution_count=count)


def stream(text, name="stdout"):
    return v4.new_output("stream", name=name, text=text)


def texts(*outputs):
    """What normalising leaves of a cell's outputs."""
    (cell,) = normalise(v4.new_notebook(cells=[code("x", *outputs)])).cells
    return [output.get("text", output.get("data")) for output in cell.outputs]


# The normal form.


@given(st.lists(st.tuples(st.sampled_from(["a", "b = 1", "", "\n", "é\r\nü", "x\n"]), st.text()), max_size=6))
def test_normalising_twice_changes_nothing(cells):
    nb = v4.new_notebook(cells=[code(source, stream(text)) for source, text in cells])
    once = dumps(normalise(nb))
    assert once == dumps(normalise(notebook_form.nbformat.reads(once, as_version=4)))
    assert once.endswith("}\n")
    assert not once.endswith("\n\n")


def test_inserting_a_cell_changes_no_other_id():
    cells = [v4.new_markdown_cell("# Title"), code("a = 1"), code("show()"), code("show()")]
    before = [cell.id for cell in normalise(v4.new_notebook(cells=cells)).cells]
    cells.insert(1, code("new = 2"))
    after = [cell.id for cell in normalise(v4.new_notebook(cells=cells)).cells]
    assert before == after[:1] + after[2:]
    assert len(set(after)) == len(after)


def test_editor_traces_do_not_reach_the_file():
    cells = [code("a = 1", tags=["b", "a"]), code("c = 3")]
    plain = dumps(normalise(v4.new_notebook(cells=cells)))
    cells[0].metadata |= {"execution": {"iopub.status.busy": "2026"}, "scrolled": True, "tags": ["a", "b"]}
    cells[0].id, cells[0].execution_count, cells[1].execution_count = f"{random.getrandbits(32):x}", 41, 57
    noisy = v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "mine", "display_name": "M"}, "widgets": {}})
    assert dumps(normalise(noisy)) == plain


@pytest.mark.parametrize(("outputs", "kept"), [
    ([stream("a\n"), stream("b\n")], ["a\nb\n"]),
    ([stream("a\n"), stream("w", "stderr"), stream("b\n")], ["a\n", "w", "b\n"]),
    ([stream("\r 10%"), stream("\r 99%\n"), stream("done\n")], [" 99%\ndone\n"]),
    ([stream("50%\r100%\r\nnext\n")], ["100%\nnext\n"]),
    ([stream("\x1b[31mred\x1b[0m\n")], ["red\n"]),
    ([stream("")], []),
    ([v4.new_output("display_data", {"image/png": "x", "text/plain": "<Figure>"})], [{"text/plain": "<Figure>"}]),
    ([v4.new_output("display_data", {"image/svg+xml": "<svg/>"})], []),
    ([v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/html": "<b/>"})],
     [{"text/html": "<b/>"}]),
    ([v4.new_output("display_data", {"application/vnd.unrolled.claim+json": {"key": "k"}})],
     [{"application/vnd.unrolled.claim+json": {"key": "k"}}]),
])
def test_outputs_that_are_kept(outputs, kept):
    assert texts(*outputs) == kept


def test_setup_cell_says_in_a_sentence_what_to_do_where_the_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "unrolled", None)
    with pytest.raises(ModuleNotFoundError, match="in a clone of the repository run `make environment`"):
        exec(notebook_form.SETUP, {})


# The commands.


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A book of its own for the tool."""
    for module in (notebook_form, notebooks):
        monkeypatch.setattr(module, "BOOK", tmp_path / "book")
    monkeypatch.setattr(notebooks, "DRAFTS", tmp_path / "_build/drafts")
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    (tmp_path / "book").mkdir()
    return tmp_path


def save(folder, *cells, name="tiny"):
    path = folder / f"book/{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(dumps(v4.new_notebook(cells=[code("", tags=["setup"]), *cells])))
    return path


def test_run_gives_the_same_bytes_twice_and_check_accepts_them(folder, capfd):
    path = save(folder, code("from unrolled import claim\nclaim('k', '1', True)"), code("print('a')\n6 * 7"))
    assert notebooks.main(["run", str(path)]) == 0
    once = path.read_bytes()
    assert notebooks.main(["run", str(path)]) == 0
    assert path.read_bytes() == once
    assert notebooks.main(["check", str(path)]) == 0
    out, err = capfd.readouterr()
    assert "2/3" in out, "progress names each cell"
    assert err == "", "a run is silent on stderr"
    assert sorted(path.parent.iterdir()) == [path]
    assert complaints(once.decode()) == []


@pytest.mark.parametrize(("source", "message"), [
    ("first = 1\n1 / 0", "ZeroDivisionError"),
    ("import os; os._exit(3)", "died"),
])
def test_a_failing_cell_is_shown_and_leaves_the_file_alone(folder, capfd, source, message):
    path = save(folder, code(source))
    before = path.read_bytes()
    assert notebooks.main(["run", str(path)]) == 1
    err = capfd.readouterr().err
    assert message in err
    assert source in err
    assert "\x1b" not in err
    assert path.read_bytes() == before
    assert sorted(path.parent.iterdir()) == [path]


def test_one_bad_notebook_does_not_hide_the_others(folder, capfd):
    bad, good = save(folder, name="bad"), save(folder, name="good")
    bad.write_text("not json")
    assert notebooks.main(["run"]) == 1
    assert "bad: cannot be read" in capfd.readouterr().err
    assert notebooks.main(["check", str(good)]) == 0
    assert notebooks.main(["check"]) == 1
    assert "not a notebook" in capfd.readouterr().err


def test_a_notebook_without_a_setup_cell_is_refused(folder, capfd):
    path = folder / "book/tiny.ipynb"
    path.write_text(dumps(v4.new_notebook(cells=[code("x = 1")])))
    assert notebooks.main(["run", str(path)]) == 1
    assert "must carry the tag `setup`" in capfd.readouterr().err


DRAFT = """\
# Title

```{code-cell}
:tags: [setup]
```

```{code-cell}
---
tags: [hide-input]
mystnb: {image: {alt: A line that rises}}
---
%time x = 1
```

:::{dropdown} Answer
Yes, $x = 1$.
:::
"""


def test_a_draft_becomes_a_notebook_and_comes_back(folder, capfd):
    notebooks.write(folder / "_build/drafts/tiny.md", DRAFT)
    assert notebooks.main(["from-text", "tiny"]) == 0
    nb = read(folder / "book/tiny.ipynb")
    assert [cell.cell_type for cell in nb.cells] == ["markdown", "code", "code", "markdown"]
    assert nb.cells[1].source == notebook_form.SETUP
    assert nb.cells[2].metadata == {
        "tags": ["hide-input"], "mystnb": {"image": {"alt": "A line that rises"}}, "jupyter": {"source_hidden": True},
        "cellView": "form",
    }
    first = (folder / "book/tiny.ipynb").read_bytes()
    assert notebooks.main(["to-text", "tiny"]) == 1, "the draft differs, and is not overwritten"
    assert (folder / "_build/drafts/tiny.md").read_text() == DRAFT
    assert notebooks.main(["to-text", "tiny", "--force"]) == 0
    assert notebooks.main(["from-text", "tiny"]) == 0
    assert (folder / "book/tiny.ipynb").read_bytes() == first
    assert notebooks.main(["from-text", "absent"]) == 1
    assert "absent.md" in capfd.readouterr().err
    assert notebooks.main(["to-text", "tiny", str(folder / "book/tiny.ipynb"), "--force"]) == 0


def test_pages_lie_in_the_book_and_in_its_chapters_folders(folder, capfd):
    paths = [save(folder, name=name) for name in ("gru", "rnn/causal", "rnn/order", "rnn")]
    for name in ("rnn/.ipynb_checkpoints/order-checkpoint", "_build/copy", "_data/other"):
        (folder / f"book/{name}.ipynb").parent.mkdir()
        save(folder, name=name)
    assert sorted(notebook_form.pages()) == sorted(paths)
    assert [notebook_form.page_name(path) for path in paths] == ["gru", "rnn/causal", "rnn/order", "rnn"]
    assert [notebook_form.chapter_of(path) for path in paths] == ["gru", "rnn", "rnn", "rnn"]
    assert notebooks.main(["to-text", "rnn/order"]) == 0
    assert (folder / "_build/drafts/rnn/order.md").exists()
    assert notebooks.main(["check", "rnn/order", str(paths[1])]) == 1
    assert [line.partition(":")[0] for line in capfd.readouterr().err.splitlines() if line[0] != " "] == [
        "rnn/order", "rnn/causal"]
    with pytest.raises(SystemExit):
        notebooks.main(["check", str(folder / "elsewhere.ipynb")])
    assert "elsewhere.ipynb does not lie under book/" in capfd.readouterr().err


def test_measure_records_cost_and_origin(folder):
    save(folder, code("x = 1"), name="a/tiny")
    git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    assert notebooks.main(["measure"]) == 0
    record = json.loads((folder / "book/_data/status.json").read_text())
    assert set(record) == {"pages", "commit", "date", "device", "versions"}
    assert set(record["versions"]) == {"python", "torch", "numpy", "matplotlib"}
    assert record["pages"]["a/tiny"]["seconds"] > 0
    assert 50 < record["pages"]["a/tiny"]["peak_mib"] < 1024
    assert platform.node() not in record["device"]


@pytest.mark.parametrize("path", ["", "/nowhere"], ids=["no repository", "no git"])
def test_measure_says_that_it_needs_git(folder, capfd, monkeypatch, path):
    save(folder, code("x = 1"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    if path:
        monkeypatch.setenv("PATH", path)
    assert notebooks.main(["measure"]) == 1
    assert "measure: a measurement names its commit, and git could not tell it" in capfd.readouterr().err
    assert not (folder / "book/_data").exists()


def test_measure_of_nothing_is_refused(folder, capfd):
    assert notebooks.main(["measure"]) == 1
    assert "no notebook to measure" in capfd.readouterr().err
