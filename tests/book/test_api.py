"""The page on the package leaves no module out."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
# What raises the errors that every other docstring lists, and what the layers call their parameters.
INTERNAL = {"checks", "shapes"}


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "src/unrolled").glob("[a-z]*.py")))
def test_every_public_module_is_on_the_page(module):
    documented = f"automodule:: unrolled.{module}\n" in (ROOT / "book/api.md").read_text(encoding="utf-8")
    assert documented != (module in INTERNAL)
