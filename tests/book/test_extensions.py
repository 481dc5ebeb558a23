"""The extensions on a small book: chapters that are folders and one that is a page, run side by side and told of."""

import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat import v4
from notebook_form import ROOT, dumps

CONFIGURATION = """
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_external_toc", "unrolled_directives", "unrolled_ledger",
              "unrolled_execution", "unrolled_quiz", "unrolled_touch"]
exclude_patterns = ["_build"]
nb_execution_mode = "cache"
nb_execution_timeout = 20
nb_execution_show_tb = True
suppress_warnings = ["mystnb.unknown_mime_type"]
"""
CONTENTS = {"format": "jb-book", "root": "book/index", "chapters": [
    {"file": "book/rnn/index", "sections": [{"file": "book/rnn/order"}, {"file": "book/rnn/causal"}]},
    {"file": "book/gru"}, {"file": "book/claims"}, {"file": "book/status"}]}
CLAIM = """
from IPython.display import display
bundle = {{"key": "{key}", "figure": "{figure}", "verdict": "holds", "kind": "exact", "basis": "exact"}}
shown = {{"application/vnd.unrolled.claim+json": bundle, "text/markdown": "**holds** `{key}`"}}
display(shown, raw=True)  # claim("{key}")
"""
QUIZ = [{"question": "Is *order* kept?", "options": [{"text": "yes", "right": "It is kept.", "holds": "True"},
                                                      {"text": "no", "wrong": "It is not lost.", "holds": "False"}]}]
MEET = """
import time
from pathlib import Path
Path("{own}.here").touch()
while not Path("{other}.here").exists():
    time.sleep(0.1)
"""


def notebook(title, *sources):
    cells = [v4.new_markdown_cell(f"# {title}\n\n```{{page-cost}}\n```"), *map(v4.new_code_cell, sources)]
    return dumps(v4.new_notebook(cells=cells))


@pytest.fixture
def book(tmp_path):
    """The sources of a small book."""
    row = {"source": ["004"], "measured": "so", "quote": "They ‘peek’, W_h*h_{t-1} *too* …"}
    claims = {"in-order": row | {"claim": "In order.", "chapter": "rnn"},
              "is-causal": row | {"claim": "Causal.", "chapter": "rnn", "source": ["003", "004"], "quote": "003: No …"},
              "has-gates": {"source": ["folklore"], "measured": "so", "claim": "Gated.", "chapter": "gru"}}
    names = ("gru", "rnn/causal", "rnn/order")
    status = {"pages": {name: {"seconds": 1.0, "peak_mib": 100 + at} for at, name in enumerate(names)},
              "commit": "0" * 12, "date": "2026-01-01", "device": "a processor, one core", "versions": {"python": "3"}}
    files = {
        "conf.py": CONFIGURATION, "_toc.yml": yaml.safe_dump(CONTENTS),
        "book/claims.yml": yaml.safe_dump(claims), "book/_data/status.json": json.dumps(status),
        "book/index.md": "# Front", "book/claims.md": "# Ledger\n\n```{claims}\n```\n\n```{claim-counts}\n```",
        "book/status.md": "# Cost\n\n```{status}\n```",
        "book/rnn/index.md": "# Recurrence\n\n```{claims} rnn\n```",
        "book/rnn/order.ipynb": notebook("Order", CLAIM.format(key="in-order", figure="one")),
        "book/rnn/causal.ipynb": notebook("Causality", CLAIM.format(key="is-causal", figure="two")),
        "book/gru.ipynb": notebook("Gates", CLAIM.format(key="has-gates", figure="three")),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def build(book):
    """Build strictly; return the exit status, what was said, and the pages that ran."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", "html", book, book / "_build/html"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120,
                         env=os.environ | {"PYTHONPATH": str(ROOT / "book/_ext"), "NO_COLOR": "1"})
    said = run.stdout + run.stderr
    return run.returncode, said, re.findall(r"^(\S+): (?:\d+\.\d s|failed)$", said, re.MULTILINE)


def rows(book, page):
    """The texts of a page's table, without its head."""
    soup = BeautifulSoup((book / f"_build/html/book/{page}.html").read_text(encoding="utf-8"), "html.parser")
    lines = soup.select("table.record:not(.counts) tr")[1:]
    return [[cell.get_text(" ", strip=True) for cell in line.find_all("td")] for line in lines]


def test_pages_in_folders_and_beside_them_are_found_run_and_told_of(book):
    code, said, ran = build(book)
    assert code == 0, said
    assert sorted(ran) == ["gru", "rnn/causal", "rnn/order"]
    assert [row[2] for row in rows(book, "claims")] == ["three", "one", "two"]
    assert [row[2] for row in rows(book, "rnn/index")] == ["one", "two"], "of all pages of the chapter"
    assert [row[0] for row in rows(book, "claims")] == [
        "Gated. (folklore)", "In order. “They ‘peek’, W_h*h_{t-1} *too* …” (source 004)",
        "Causal. 003: “No …” (source 003, 004)"], "our words, and the source's as it prints them"
    soup = BeautifulSoup((book / "_build/html/book/claims.html").read_text(encoding="utf-8"), "html.parser")
    counted = [cell.get_text(strip=True) for cell in soup.select(".counts tr:last-child td")]
    assert counted == ["All", "3", "0", "0", "0", "0", "0", "3"]
    status = rows(book, "status")
    assert [row[0] for row in status] == ["Recurrence : Order", "Recurrence : Causality", "Gates"], "as in the contents"
    assert [row[3] for row in status] == ["102", "101", "100"]
    page = (book / "_build/html/book/rnn/order.html").read_text(encoding="utf-8")
    assert "with 102 MiB of memory at its peak" in page
    assert 'id="claim-in-order"' in page
    judged = page.partition("<strong>holds</strong>")[0]
    assert 'In order.<span class="source"' in judged, "the sentence stands above its verdict, in our words alone"
    assert 'href="../claims.html#row-in-order"' in page
    assert 'id="row-in-order"' in (book / "_build/html/book/claims.html").read_text(encoding="utf-8")
    assert 'href="order.html#claim-in-order"' in (book / "_build/html/book/rnn/index.html").read_text(encoding="utf-8")


def test_a_page_that_changes_runs_again_alone_and_the_ledger_follows(book):
    assert build(book)[0] == 0
    assert build(book)[2] == []
    (book / "book/rnn/order.ipynb").write_text(notebook("Order", CLAIM.format(key="in-order", figure="four")))
    code, said, ran = build(book)
    assert code == 0, said
    assert ran == ["rnn/order"]
    assert [row[2] for row in rows(book, "claims")] == ["three", "four", "two"]
    assert [row[2] for row in rows(book, "rnn/index")] == ["four", "two"]


@pytest.mark.skipif(os.cpu_count() == 1, reason="on one core, pages run one after the other")
def test_pages_run_side_by_side_each_in_its_folder(book):
    for own, other, key in (("order", "causal", "in-order"), ("causal", "order", "is-causal")):
        sources = MEET.format(own=own, other=other), CLAIM.format(key=key, figure="met")
        (book / f"book/rnn/{own}.ipynb").write_text(notebook(own, *sources))
    code, said, _ = build(book)
    assert code == 0, said


@pytest.mark.parametrize(("source", "message"), [
    ("first = 1\n1 / 0", "ZeroDivisionError"),
    ("import time\ntime.sleep(99)", "timed out"),
    ("import os\nos._exit(3)", "Kernel died"),
], ids=["error", "timeout", "death"])
def test_a_page_that_fails_fails_the_build_and_is_named_with_its_cell(book, source, message):
    path, good = book / "book/rnn/order.ipynb", (book / "book/rnn/order.ipynb").read_text()
    path.write_text(notebook("Order", source))
    (book / "conf.py").write_text(CONFIGURATION.replace("timeout = 20", "timeout = 3"))
    code, said, ran = build(book)
    assert code != 0
    assert sorted(ran) == ["gru", "rnn/causal", "rnn/order"], "the others run to their end"
    assert "A notebook did not run to its end:\nrnn/order: " in said
    assert message in said
    assert source in said or message == "Kernel died", "a dead kernel does not say where"
    path.write_text(good)
    code, said, ran = build(book)
    assert code == 0, said
    assert ran == ["rnn/order"], "the others are kept"


def test_a_quiz_stands_at_the_end_of_its_page_and_follows_its_file(book):
    path = book / "book/rnn/quiz.yml"
    for explanation in ("It is kept.", "It is kept, step by step."):
        QUIZ[0]["options"][0]["right"] = explanation
        path.write_text(yaml.safe_dump({"order": QUIZ}))
        code, said, _ = build(book)
        assert code == 0, said
        page = BeautifulSoup((book / "_build/html/book/rnn/order.html").read_text(encoding="utf-8"), "html.parser")
        assert [one.get_text(strip=True) for one in page.select("h2")][-1].startswith("Check yourself")
        assert page.select_one(".quiz .question p").get_text() == "1. Is order kept?"
        assert page.select_one("details.right > div").get_text().strip() == f"Right. {explanation}"
        assert page.select_one("details.wrong > summary > span:last-child").get_text() == "no"
    assert 'class="quiz"' not in (book / "_build/html/book/rnn/causal.html").read_text(encoding="utf-8")


def test_a_quiz_of_no_page_stops_the_build(book):
    (book / "book/rnn/quiz.yml").write_text(yaml.safe_dump({"ordre": QUIZ}))
    code, said, _ = build(book)
    assert code != 0
    assert "quiz of ordre, which is no page" in said


def test_a_figure_gets_the_numbers_that_its_page_hands_over_and_a_term_its_link(book):
    configuration = CONFIGURATION.replace('"unrolled_touch"', '"unrolled_touch", "unrolled_terms", "unrolled_mathml"')
    configuration += "html_math_renderer = 'mathml'\nmyst_enable_extensions = ['dollarmath']"
    (book / "conf.py").write_text(configuration)
    (book / "book/glossary.md").write_text("# Glossary\n\n```{glossary}\nhidden state\n    What is kept.\n```\n")
    chapters = [*CONTENTS["chapters"], {"file": "book/glossary"}]
    (book / "_toc.yml").write_text(yaml.safe_dump(CONTENTS | {"chapters": chapters}))
    figure = "```{touch} memory\n:data: nights\n:name: fig-nights\nPull.\n```"
    text = "Hidden states and a hidden state.\n\n$$a &= b \\\\ c &= d$$"
    page = v4.new_notebook(cells=[
        v4.new_markdown_cell(f"# Order\n\n{text}\n\n{figure}"),
        v4.new_code_cell("from unrolled.page import display\n"
                         "display.to_touch('nights', rang=[1, 0], say='</script>')"),
        v4.new_code_cell(CLAIM.format(key="in-order", figure="one"))])
    (book / "book/rnn/order.ipynb").write_text(dumps(page))
    code, said, _ = build(book)
    assert code == 0, said
    soup = BeautifulSoup((book / "_build/html/book/rnn/order.html").read_text(encoding="utf-8"), "html.parser")
    handed = soup.select_one('[data-touch="memory"] script[type="application/json"]').string
    assert json.loads(handed) == {"rang": [1, 0], "say": "</script>"}
    assert [link["href"] for link in soup.select("a:has(.term)")] == ["../glossary.html#term-hidden-state"]
    assert soup.select_one("a .term").get_text() == "Hidden states"
    assert [row.get_text() for row in soup.select("math mtr")] == ["a=b", "c=d"]
    (book / "book/rnn/order.ipynb").write_text(dumps(page).replace("to_touch('nights'", "to_touch('days'"))
    code, said, _ = build(book)
    assert code != 0
    assert "no cell of this page hands over 'nights', only ['days']" in said


@pytest.mark.parametrize("address", ["", "https://github.com/owner/name"])
def test_buttons_and_addresses_are_those_of_the_repository_or_are_not_there(book, address, monkeypatch):
    monkeypatch.setenv("REPOSITORY", address)
    theme = {"repository_branch": "main", "launch_buttons": {
        "notebook_interface": "jupyterlab", "binderhub_url": "https://binder.example"}}
    configuration = CONFIGURATION.replace('"unrolled_quiz"', '"unrolled_html", "sphinx_sitemap", "sphinxext.opengraph"')
    (book / "conf.py").write_text(f"{configuration}\nhtml_theme = 'sphinx_book_theme'\nhtml_theme_options = {theme}")
    code, said, _ = build(book)
    assert code == 0, said
    soup = BeautifulSoup((book / "_build/html/book/rnn/order.html").read_text(encoding="utf-8"), "html.parser")
    links = {link["href"] for link in soup.select(".article-header-buttons a, link[rel=canonical]")}
    outside = {link.partition("?title=")[0] for link in links if link.startswith("http")}
    assert outside == ({
        address, f"{address}/issues/new", f"{address}/edit/main/book/rnn/order.ipynb",
        "https://owner.github.io/name/book/rnn/order.html",
        "https://binder.example/v2/gh/owner/name/notebooks?urlpath=lab/tree/book/rnn/order.ipynb",
    } if address else set())
