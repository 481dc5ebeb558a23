"""The font for equations keeps every sign that a formula draws."""

import pytest
from fontTools.ttLib import TTFont
from unrolled_fonts import MATH_FONT, subset_math


@pytest.mark.parametrize(("formula", "kept"), [("<msqrt><mi>T</mi></msqrt>", True), ("<mi>T</mi>", False)])
def test_a_root_keeps_its_sign_although_its_formula_does_not_write_one(formula, kept, tmp_path):
    (tmp_path / MATH_FONT).parent.mkdir(parents=True)
    page = tmp_path / "page.html"
    page.write_text(f"<math>{formula}</math>", encoding="utf-8")
    subset_math(tmp_path / MATH_FONT, [page])
    assert (ord("√") in TTFont(tmp_path / MATH_FONT).getBestCmap()) is kept
