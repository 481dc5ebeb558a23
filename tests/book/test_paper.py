"""A small book as an ePub and as LaTeX: each file of the one is XML, and the other holds what a page holds.

XeLaTeX does not run here: it needs gigabytes that `make pdf` asks for (tools/pdf-packages.txt).
"""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
import yaml
from nbformat import v4
from notebook_form import ROOT, dumps

CONFIGURATION = """
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_design", "sphinx_exercise", "sphinx_external_toc",
              "unrolled_directives", "unrolled_execution", "unrolled_ledger", "unrolled_quiz", "unrolled_questions",
              "unrolled_touch", "unrolled_mathml", "unrolled_latex"]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
exclude_patterns = ["_build"]
html_math_renderer = "mathml"
latex_engine = "xelatex"
nb_mime_priority_overrides = [["latex", "image/svg+xml", 5]]
nb_execution_mode = "cache"
numfig = math_numfig = True
math_eqref_format = "({number})"
suppress_warnings = ["mystnb.unknown_mime_type", "epub.unknown_project_files", "app.add_node", "app.add_directive"]
version = epub_copyright = epub_publisher = "1"
"""
CONTENTS = {"format": "jb-book", "root": "book/index", "chapters": [
    {"file": "book/rnn/index", "sections": [{"file": "book/rnn/order"}, {"file": "book/rnn/questions"}]},
    {"file": "book/claims"}, {"file": "book/handbook"}]}
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
print("─ → −")"""
ASKED = """# Questions

**1. Why?**

:::{dropdown} Answer
Because of $h_t$.
:::
"""
FILES = {
    "conf.py": CONFIGURATION, "_toc.yml": yaml.safe_dump(CONTENTS),
    "book/index.md": "# Front", "book/claims.md": "# Ledger\n\n```{claims}\n```", "book/rnn/index.md": "# Recurrence",
    "book/handbook.md": "# Handbook\n\n```{practice}\n```\n\n## On recurrence\n\n```{questions} recurrence\n```",
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

    def build(builder):
        command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", builder, "-d",
                   place / f"_build/read-{builder}", place, place / f"_build/{builder}"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120,
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


def test_the_latex_has_what_the_pages_have_and_no_leftovers(book):
    [path] = book("latex").glob("*.tex")
    text = path.read_text(encoding="utf-8")
    for inside in (r"\textcolor[HTML]{D55E00}", r"\textcolor[HTML]{0072B2}", "In order.", "The sum.", "Because of",
                   "It is not lost.", "No more.", "Pull.", "─ → −", r"\begin{longtable}",
                   r"\sphinxincludegraphics"):
        assert inside in text, inside
    for outside in (r"\textcolor{#", r"\begin{align*}", r"\begin{split}\begin{split}", "<details", "<math", "<div"):
        assert outside not in text, outside
