"""The page on the package leaves no module out, and no docstring says to Sphinx what it does not mean."""

import ast
import re
from io import StringIO
from pathlib import Path

import pytest
from docutils.core import publish_doctree
from sphinx.ext.napoleon import Config, GoogleDocstring

ROOT = Path(__file__).parent.parent.parent
# What raises the errors that every other docstring lists, and what the layers call their parameters.
INTERNAL = {"checks", "shapes"}


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "src/unrolled").glob("[a-z]*.py")))
def test_every_public_module_is_on_the_page(module):
    documented = f"automodule:: unrolled.{module}\n" in (ROOT / "book/api.md").read_text(encoding="utf-8")
    assert documented != (module in INTERNAL)


@pytest.mark.parametrize("path", sorted((ROOT / "src/unrolled").rglob("*.py")), ids=lambda path: path.stem)
def test_no_argument_is_described_by_what_sphinx_reads_as_a_list(path):
    source = path.read_text(encoding="utf-8")
    assert re.findall(r"^ +\w+(?:, \w+)*: \(?(?:[A-Za-z]|\d+|[ivxlc]+)[.)](?:$| .*)", source, re.MULTILINE) == []


@pytest.mark.parametrize("path", sorted((ROOT / "src/unrolled").rglob("*.py")), ids=lambda path: path.stem)
def test_every_docstring_is_what_sphinx_can_read(path):
    documented = (ast.FunctionDef, ast.ClassDef)
    complaints = StringIO()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            config, what = Config(napoleon_use_ivar=True), "class" if isinstance(node, ast.ClassDef) else "function"
            publish_doctree(str(GoogleDocstring(text, config, what=what)), source_path=f"{path.name}: {node.name}",
                            settings_overrides={"warning_stream": complaints, "report_level": 2})
    assert complaints.getvalue() == ""
