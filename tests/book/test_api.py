"""The page on the package leaves no module out, and no docstring says to Sphinx what it does not mean."""

import re
from pathlib import Path

import pytest

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
