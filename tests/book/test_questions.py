"""The interview handbook: every question has an answer with an anchor, and every answer something that backs it."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache

import pytest
import yaml
from anki.collection import Collection, ImportAnkiPackageRequest
from bs4 import BeautifulSoup
from nbformat import v4
from notebook_form import BOOK, ROOT, dumps, pages, read
from unrolled_questions import LEVELS, ROUNDS, TOPICS, cards, plain, questions

QUESTIONS = questions(ROOT)
OWN = {key: entry for key, entry in QUESTIONS.items() if "answer" in entry}
CHAPTERS = sorted(path.parent.name for path in BOOK.glob("*/questions.ipynb"))
CLAIMS = yaml.safe_load((BOOK / "claims.yml").read_text(encoding="utf-8"))
SOURCES = {f"{document}-{number}" for document, many in {"000": 3, "001": 5, "002": 2, "003": 4, "004": 15}.items()
           for number in range(1, many + 1)}
ASKED = re.compile(r"^\*\*(.+?)\*\*\n+:{3,}\{dropdown\} Answer", re.MULTILINE)
ANSWER = re.compile(r"^:{3,}\{dropdown\} Answer\n(.*?)\n:{3,}", re.MULTILINE | re.DOTALL)
ELSEWHERE = re.compile(r"\b(cells? (above|below)|(next|folded|first|last) cell|this (page|chapter))\b", re.IGNORECASE)
SKIPPED = re.compile(r"\$[^$]+\$|(\{[a-z:]+\})?`[^`]*`")
DECIMAL = re.compile(r"(?<![\w.-])\d[\d,]*\.\d+|\d+(?=\s?%)")


@cache
def labels():
    """Every label of a figure."""
    found = set()
    for path in [*pages(), *BOOK.rglob("*.md")]:
        text = path.read_text(encoding="utf-8")
        found |= set(re.findall(r'"name": "(fig-[\w-]+)"|:name: (fig-[\w-]+)', text))
    return {one or other for one, other in found}


@cache
def held(page):
    """All code and all texts that it printed, of a page."""
    path = BOOK / f"{page}.ipynb"
    if not path.exists():
        return ""
    return json.dumps([[cell.source, cell.outputs] for cell in read(path).cells if cell.cell_type == "code"])


@cache
def figures():
    """What was measured for each claim."""
    outputs = (output for path in pages() for cell in read(path).cells for output in cell.get("outputs", []))
    bundles = (output.get("data", {}).get("application/vnd.unrolled.claim+json") for output in outputs)
    return {bundle["key"]: bundle["figure"] for bundle in bundles if bundle}


def own_words(entry):
    """What the file itself says in answer."""
    return "\n".join([entry.get("answer", ""), *(one["say"] for one in entry.get("follow-ups", ()))])


@pytest.mark.parametrize("entry", QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_is_complete(entry):
    assert set(entry) <= {"question", "topic", "level", "round", "sources", "chapter", "answer", "follow-ups", "proof"}
    assert ("chapter" in entry) != ("answer" in entry)
    assert entry["topic"] in TOPICS
    assert entry["level"] in LEVELS
    assert entry["round"] in ROUNDS
    assert entry["follow-ups"]
    assert all(set(one) == {"ask", "say"} and 3 <= len(one["say"].split()) <= 70 for one in entry["follow-ups"])


def test_every_question_of_the_sources_is_answered_and_no_question_is_asked_twice():
    assert {source for entry in QUESTIONS.values() for source in entry.get("sources", ())} == SOURCES
    twice = Counter((entry.get("chapter"), plain(entry["question"])) for entry in QUESTIONS.values())
    assert max(twice.values()) == 1, twice.most_common(1)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_question_of_a_chapter_is_listed_and_no_other(chapter):
    text = "\n\n".join(cell.source for cell in read(BOOK / chapter / "questions.ipynb").cells
                       if cell.cell_type == "markdown")
    listed = [plain(entry["question"]) for entry in QUESTIONS.values() if entry.get("chapter") == chapter]
    assert sorted(listed) == sorted(map(plain, ASKED.findall(text)))
    assert len(listed) == text.count("{dropdown} Answer")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_an_answer_can_be_read_without_the_page_it_stands_on(chapter):
    cells = read(BOOK / chapter / "questions.ipynb").cells
    answers = [answer for cell in cells for answer in ANSWER.findall(cell.source)]
    assert answers
    assert [found.group() for answer in answers if (found := ELSEWHERE.search(answer))] == []


@pytest.mark.parametrize("entry", QUESTIONS.values(), ids=QUESTIONS)
def test_what_backs_an_answer_exists(entry):
    proof = entry["proof"]
    assert set(proof) <= {"claims", "pages", "figures"}
    assert proof["pages"]
    assert set(proof.get("claims", ())) <= set(CLAIMS)
    assert set(proof.get("figures", ())) <= labels()
    assert all((BOOK / f"{page}.ipynb").exists() or (BOOK / f"{page}.md").exists() for page in proof["pages"])


@pytest.mark.parametrize("entry", OWN.values(), ids=OWN)
def test_an_answer_takes_two_minutes(entry):
    assert 120 <= len(re.sub(r"\$[^$]+\$", "x", entry["answer"]).split()) <= 200


@pytest.mark.parametrize("entry", QUESTIONS.values(), ids=QUESTIONS)
def test_numbers_stand_in_what_backs_them(entry):
    backing = [figures()[key] for key in entry["proof"].get("claims", ())]
    backing += [held(page) for page in [*entry["proof"]["pages"], f"{entry.get('chapter')}/questions"]]
    text = "\n".join(backing).replace(",", "").replace("_", "")
    for number in DECIMAL.findall(SKIPPED.sub(" ", own_words(entry))):
        assert re.search(rf"(?<![\d.]){re.escape(number.replace(',', ''))}(?!\.?\d)", text), number


# On a small book

CONFIGURATION = """
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_design", "sphinx_external_toc", "unrolled_directives",
              "unrolled_execution", "unrolled_ledger", "unrolled_questions"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
exclude_patterns = ["_build"]
html_baseurl = "https://example.org/course"
nb_execution_mode = "off"
numfig = True
suppress_warnings = ["mystnb.unknown_mime_type", "myst-nb.lexer", "epub.unknown_project_files", "app.add_directive"]
version = epub_copyright = epub_publisher = "1"
"""
CONTENTS = {"format": "jb-book", "root": "book/index", "chapters": [
    {"file": "book/handbook"}, {"file": "book/rnn/order"}, {"file": "book/rnn/questions"}]}
ENTRIES = {
    "count": {"question": "How many `weights` for $H$ units?", "topic": "recurrence", "level": "junior",
              "round": "coding", "sources": ["004-1"], "chapter": "rnn",
              "follow-ups": [{"ask": "Really?", "say": "Yes, $H < 3$."}],
              "proof": {"claims": ["in-order"], "pages": ["rnn/order"]}},
    "draw": {"question": "Draw it.", "topic": "recurrence", "level": "senior", "round": "phone screen",
             "answer": "A *box* and $h_t$.", "follow-ups": [{"ask": "And?", "say": "No more."}],
             "proof": {"pages": ["rnn/order"]}}}
CELL = ('from IPython.display import display\nbundle = {}\n'
        'display({"application/vnd.unrolled.claim+json": bundle}, raw=True)  # claim("in-order")')
CHAPTER = """# Questions

**1. How many `weights` for $H$ units?**

:::{dropdown} Answer
It takes $H^2$, see [order](order.ipynb) and *count*.

$$
h_1 = 1
$$
:::
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The sources of a small book with a handbook."""
    root = tmp_path_factory.mktemp("book")
    bundle = {"key": "in-order", "figure": "one", "verdict": "holds", "kind": "exact", "basis": "exact"}
    output = v4.new_output("display_data", {"application/vnd.unrolled.claim+json": bundle})
    order = [v4.new_markdown_cell("# Order"), v4.new_code_cell(CELL, outputs=[output])]
    claim = {"in-order": {"source": ["004"], "measured": "so", "claim": "In order.", "chapter": "rnn"}}
    handbook = "# Handbook\n\n```{practice}\n```\n\n(topic)=\n## Recurrence\n\n```{questions} recurrence\n```"
    files = {"conf.py": CONFIGURATION, "_toc.yml": yaml.safe_dump(CONTENTS), "book/index.md": "# Front",
             "book/claims.yml": yaml.safe_dump(claim), "book/questions.yml": yaml.safe_dump(ENTRIES),
             "book/handbook.md": handbook, "book/_static/practice.js": "",
             "book/rnn/order.ipynb": dumps(v4.new_notebook(cells=order)),
             "book/rnn/questions.ipynb": dumps(v4.new_notebook(cells=[v4.new_markdown_cell(CHAPTER)]))}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def build(book, builder):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", builder, book, book / f"_build/{builder}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120,
                         env=os.environ | {"PYTHONPATH": str(ROOT / "book/_ext"), "NO_COLOR": "1"})
    return run.returncode, run.stdout + run.stderr


@pytest.fixture(scope="module")
def site(book):
    code, said = build(book, "html")
    assert code == 0, said
    return book / "_build/html"


def parsed(site, page):
    return BeautifulSoup((site / f"book/{page}.html").read_text(encoding="utf-8"), "html.parser")


def test_a_chapters_answer_is_borrowed_and_its_links_lead_from_the_handbook(site):
    soup = parsed(site, "handbook")
    answer = soup.select_one("section#count details.answer")
    assert "It takes" in answer.get_text()
    assert [link["href"] for link in answer.find_all("a")] == ["rnn/order.html", "rnn/questions.html#question-count"]
    assert parsed(site, "rnn/questions").select_one("p#question-count").get_text().startswith("1. How many")
    assert soup.select_one("section#draw details.answer em").get_text() == "box"
    assert [one.get_text() for one in soup.select("section#count .facts span")] == ["junior", "coding", "source 004-1"]
    assert soup.select_one('section#count a[href="rnn/order.html#claim-in-order"]').get_text() == "holds"
    assert not soup.find("details", open=True)


def test_the_deck_is_read_by_anki_and_says_what_the_page_says(site, tmp_path):
    collection = Collection(str(tmp_path / "collection.anki2"))
    for _ in range(2):                                          # a deck that is imported again adds nothing
        request = ImportAnkiPackageRequest(package_path=str(site / "_static/unrolled.apkg"))
        collection.import_anki_package(request)
    notes = [collection.get_note(number) for number in collection.find_notes("")]
    collection.close()
    page = (site / "book/handbook.html").read_text(encoding="utf-8")
    wanted = [[*texts, tags] for *texts, tags in cards(page, "https://example.org/course/book/handbook.html")]
    assert sorted([*note.fields, note.tags] for note in notes) == sorted([*one[:3], sorted(one[3])] for one in wanted)
    first = next(note for note in notes if note.fields[0] == "count")
    assert sorted(first.tags) == ["coding", "junior", "recurrence"]
    assert r"\(H^2\)" in first.fields[2]
    assert r"\(H &lt; 3\)" in first.fields[2]
    assert 'href="https://example.org/course/book/rnn/order.html"' in first.fields[2]
    assert "<details" not in first.fields[2]


def test_without_an_address_a_card_has_no_links(site):
    page = (site / "book/handbook.html").read_text(encoding="utf-8")
    assert all("<a" not in back and "order" in back.lower() for _, _, back, _ in cards(page, ""))


@pytest.mark.parametrize("builder", ["text", "latex", "epub"])
def test_other_builders_show_the_answers(book, builder):
    code, said = build(book, builder)
    assert code == 0, said
    if builder == "text":
        text = (book / "_build/text/book/handbook.txt").read_text(encoding="utf-8")
        assert "It takes" in text
        assert "No more." in text


@pytest.mark.parametrize(("file", "change", "message"), [
    ("book/questions.yml", ("How many", "How few"), "no such question"),
    ("book/rnn/questions.ipynb", ("How many", "How few"), "questions.yml does not list"),
    ("book/questions.yml", ("- in-order", "- out-of-order"), "out-of-order"),
])
def test_a_question_that_is_not_where_it_should_be_fails_the_strict_build(book, site, file, change, message):
    path = book / file
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace(*change), encoding="utf-8")
    code, said = build(book, "html")
    path.write_text(good, encoding="utf-8")
    assert code != 0
    assert message in said
