"""A small book as an ePub and as LaTeX: each file of the one is XML, and the other holds what a page holds.

XeLaTeX does not run here: it needs gigabytes that `make pdf` asks for (tools/pdf-packages.txt).
"""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from functools import cache

import pytest
import website
import yaml
from nbformat import v4
from notebook_form import ROOT, dumps
from unrolled_notebooks import coloured, inline

CONFIGURATION = '''
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_design", "sphinx_exercise", "sphinx_external_toc",
              "unrolled_directives", "unrolled_execution", "unrolled_ledger", "unrolled_quiz", "unrolled_questions",
              "unrolled_touch", "unrolled_mathml", "unrolled_latex", "unrolled_epub", "unrolled_maps",
              "sphinx_jupyterbook_latex", "sphinxcontrib.bibtex"]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
exclude_patterns = ["_build"]
html_math_renderer = "mathml"
latex_engine = "xelatex"
nb_mime_priority_overrides = [["latex", "image/svg+xml", 5]]
nb_execution_mode = "cache"
numfig = math_numfig = True
math_eqref_format = "({number})"
suppress_warnings = ["mystnb.unknown_mime_type", "epub.unknown_project_files", "app.add_node", "app.add_directive"]
epub_tocscope = "includehidden"
bibtex_bibfiles = ["book/references.bib"]
version = epub_copyright = epub_publisher = "1"


def setup(app):
    """Drawings stay as they are: the program that turns them into PDF need not be here."""
    app.connect("builder-inited", without_converter, priority=999)


def without_converter(app):
    found = app.registry.post_transforms
    found[:] = [one for one in found if one.__name__ != "ImagemagickConverter"]
'''
CONTENTS = {"format": "jb-book", "root": "book/index", "parts": [
    {"caption": "Recurrence", "numbered": 2, "chapters": [
        {"file": "book/rnn/index", "sections": [{"file": "book/rnn/order"}, {"file": "book/rnn/questions"}]}]},
    {"caption": "Back matter", "chapters": [
        {"file": "book/claims"}, {"file": "book/handbook"}, {"file": "book/bibliography"}, {"file": "book/last"}]}]}
PAGE = r"""# Order

$$
a &= \textcolor{#D55E00}{b} \\
c &= d < e
$$ (eq-sum)

$$
\begin{aligned}
f &= g & h &= k
\end{aligned}
$$

As {eq}`eq-sum` says, $x \textcolor{#0072B2}{y}$.

```{touch} memory
:name: fig-touch
Pull.
```

:::{exercise}
:label: exercise-sum
Add.
:::

:::{solution} exercise-sum
:class: dropdown
The sum.
:::
"""
CLAIM = """from IPython.display import SVG, display
bundle = {"key": "in-order", "figure": "1 < 2", "verdict": "holds", "kind": "exact", "basis": "exact"}
shown = {"application/vnd.unrolled.claim+json": bundle, "text/markdown": "**holds** `in-order`"}
display(shown, raw=True)  # claim("in-order")
display(SVG('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'))
print("─ → − กัน")"""
ASKED = """# Questions

**1. Why?**

:::{dropdown} Answer
Because of $h_t$.
:::
"""
CARDS = """::::{grid} 2
:::{grid-item-card} Order
:link: topic
:link-type: ref
What it says
:::
::::"""
FILES = {
    "conf.py": CONFIGURATION, "_toc.yml": yaml.safe_dump(CONTENTS),
    "book/index.md": "# Front", "book/claims.md": "# Ledger\n\n```{claims}\n```", "book/rnn/index.md": "# Recurrence",
    "book/bibliography.md": "# Bibliography\n\n```{bibliography}\n:all:\n```", "book/last.md": "# Last",
    "book/references.bib": "@misc{one, author = {Ann One}, title = {A Work}, year = {1990}}",
    "book/handbook.md": f"# Handbook\n\n{CARDS}\n\n```{{practice}}\n```\n\n(topic)=\n## On recurrence\n\n"
                        "```{questions} recurrence\n```",
    "book/rnn/questions.md": ASKED,
    "book/rnn/order.ipynb": dumps(v4.new_notebook(cells=[v4.new_markdown_cell(PAGE), v4.new_code_cell(CLAIM)])),
    "book/claims.yml": yaml.safe_dump({"in-order": {
        "chapter": "rnn", "claim": "In order.", "source": ["004"], "measured": "so", "quote": "A ‘quote’, W_h*h …"}}),
    "book/questions.yml": yaml.safe_dump({
        "why": {"question": "Why?", "topic": "recurrence", "level": "junior", "round": "coding", "chapter": "rnn",
                "proof": {"claims": ["in-order"], "pages": ["rnn/order"]}},
        "draw": {"question": "Draw $h_t$.", "topic": "recurrence", "level": "senior", "round": "coding",
                 "answer": "A *box* & more.", "follow-ups": [{"ask": "And?", "say": "No more."}],
                 "proof": {"pages": ["rnn/order"], "figures": ["fig-touch"]}}}),
    "book/rnn/quiz.yml": yaml.safe_dump({"order": [{"question": "Is $a < b$?", "options": [
        {"text": "yes & no", "right": "It *is*.", "holds": "True"},
        {"text": "$c_t$", "wrong": "It is not lost.", "holds": "False"}]}]}),
    "book/_data/status.json": json.dumps({}),
}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A function from a builder's name to the folder that it wrote, strictly."""
    place = tmp_path_factory.mktemp("paper")
    for name, text in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")

    @cache
    def build(builder):
        command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", builder, "-d",
                   place / f"_build/read-{builder}", place, place / f"_build/{builder}"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=600,
                             env=os.environ | {"PYTHONPATH": str(ROOT / "book/_ext"), "NO_COLOR": "1"})
        assert run.returncode == 0, run.stdout + run.stderr
        return place / f"_build/{builder}"

    return build


def test_every_page_of_the_epub_is_xml_and_has_its_formulas_as_mathml(book):
    pages = sorted(book("epub").rglob("*.xhtml"))
    trees = {page.name: ElementTree.parse(page) for page in pages}          # raises at what is not well-formed
    math = "{http://www.w3.org/1998/Math/MathML}math"
    assert {"order.xhtml", "questions.xhtml", "handbook.xhtml", "claims.xhtml"} <= set(trees)
    for name, least in (("order.xhtml", 5), ("questions.xhtml", 1), ("handbook.xhtml", 2)):
        assert len(list(trees[name].iter(math))) >= least, name


def test_the_epub_folds_solutions_and_leaves_the_style_and_the_scripts_of_the_site_behind(book):
    folder = book("epub")
    page = ElementTree.parse(folder / "book/rnn/order.xhtml").getroot()
    ids = [node.get("id") for node in page.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    tags = [node.tag.rpartition("}")[2] for node in page.iter()]
    assert "script" not in tags
    assert "noscript" not in tags
    folded = [node for node in page.findall(".//{*}details") if "The sum." in "".join(node.itertext())]
    assert folded
    for summary in page.findall(".//{*}summary"):
        assert not [node.tag for node in summary.iter() if node.tag.rpartition("}")[2] in ("p", "div", "svg")]
    [packed] = folder.glob("*.epub")
    with zipfile.ZipFile(packed) as archive:
        assert {name for name in archive.namelist() if name.startswith("_static/")} == {
            "_static/pygments.css", "_static/unrolled.css"}


def test_the_epub_has_the_contents_of_the_book_and_says_what_its_pages_hold(book):
    folder = book("epub")
    contents = (folder / "nav.xhtml").read_text(encoding="utf-8")
    for page in ("book/rnn/index", "book/rnn/order", "book/handbook"):
        assert f'"{page}.xhtml"' in contents, page
    packed = (folder / "content.opf").read_text(encoding="utf-8")
    assert 'href="book/rnn/order.xhtml" media-type="application/xhtml+xml" properties="mathml' in packed
    for drawing in folder.rglob("*.svg"):
        assert "<!DOCTYPE" not in drawing.read_text(encoding="utf-8")


def test_the_latex_has_what_the_pages_have_and_no_leftovers(book):
    [path] = book("latex").glob("*.tex")
    text = path.read_text(encoding="utf-8")
    for inside in (r"\textcolor[HTML]{D55E00}", r"\textcolor[HTML]{0072B2}", "In order.", "The sum.", "Because of",
                   "It is not lost.", "No more.", "Pull.", r"─ → − \inscript{thai}{กัน}", r"\begin{longtable}",
                   r"\sphinxincludegraphics"):
        assert inside in text, inside
    for outside in (r"\textcolor{#", r"\begin{align*}", r"\begin{split}\begin{split}", "<details", "<math", "<div"):
        assert outside not in text, outside


def after(text, *parts):
    """Whether these parts follow each other in the text."""
    at = [text.find(part) for part in parts]
    return -1 not in at and at == sorted(at)


def test_on_paper_a_quiz_shows_its_options_and_the_answers_stand_at_the_back(book):
    [path] = book("latex").glob("*.tex")
    text = path.read_text(encoding="utf-8")
    assert after(text, r"\option{a}", r"\option{b}", r"\answersat{", r"\part{Back matter}", r"\chapter{Answers}",
                 "Question 1", r"\sphinxstylestrong{Right.}", "It is not lost.", r"\chapter{Ledger}")


def test_on_paper_the_back_matter_has_no_numbers_and_the_works_stand_in_their_place(book):
    [path] = book("latex").glob("*.tex")
    text = path.read_text(encoding="utf-8")
    assert after(text, r"\part{Recurrence}", r"\withoutnumbers", r"\part{Back matter}",
                 r"\begin{sphinxthebibliography}", "A work", r"\chapter{Last}")
    assert r"\chapter{Bibliography}" not in text


def test_on_paper_every_link_has_a_place_that_it_leads_to(book):
    [path] = book("latex").glob("*.tex")
    text = path.read_text(encoding="utf-8")
    links = set(re.findall(r"\\(?:hyperref\[|pageref\{|answersat\{)(?:\\detokenize\{)?([^}\]]+)\}", text))
    places = set(re.findall(r"\\label\{(?:\\detokenize\{)?([^}]+)\}", text))
    assert links
    assert links <= places, links - places
    assert any(link.endswith(":claim-in-order") for link in links)
    assert any(link.endswith(":row-in-order") for link in links)


def test_on_paper_cards_are_a_list_of_links(book):
    [path] = book("latex").glob("*.tex")
    text = path.read_text(encoding="utf-8")
    assert re.search(r"\\item .*\n\\sphinxAtStartPar\n.*hyperref\[.*:topic.*Order\}.*: What it says", text)


def test_what_xelatex_could_not_print_or_find_is_named():
    lines = ["Missing character: There is no ก (U+0E01) in font DejaVu Sans Mono/OT:script=latn!",
             "LaTeX Warning: Hyper reference `book/claims:row-a-rather-long-name-of-a-row-which-is-folded' on page 12 "
             "undefined on input line 9."]
    log = "\n".join(line[at:at + 79] for line in lines for at in range(0, len(line), 79))
    assert website.unprinted(log) == [
        "Hyper reference `book/claims:row-a-rather-long-name-of-a-row-which-is-folded' on page 12 undefined",
        "Missing character: There is no ก (U+0E01)"]
    assert website.unprinted("Overfull \\hbox (1.0pt too wide)") == []


def test_coloured_formulas_have_the_form_that_every_version_of_mathjax_reads():
    assert coloured(r"\textcolor{#D55E00}{b_{t}} &= \textcolor{#0072B2}{\{x\}}") == (
        r"{\color{#D55E00}{b_{t}}} &= {\color{#0072B2}{\{x\}}}")
    assert coloured(r"\textcolor{#D55E00}{\textcolor{#0072B2}{x} y}") == r"{\color{#D55E00}{{\color{#0072B2}{x}} y}}"


def test_markdown_in_a_summary_is_html_and_its_formulas_stay():
    assert inline("None of *days*, `a < b` and $a*b$ **too**") == (
        "None of <em>days</em>, <code>a &lt; b</code> and $a*b$ <strong>too</strong>")
    assert inline("2 * 3 * 4") == "2 * 3 * 4"
