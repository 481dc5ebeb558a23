"""Equations as MathML, written by the build: every browser and e-reader shows them without a script, and nothing moves
while a page loads. The library latex2mathml translates; here are the numbers, and what it does not know."""

import re

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number

FUNCTION = r"<mi>(?:arg|cos|dim|exp|lim|log|ln|max|min|sin|tanh)</mi>"
POWER = r"(?:<mn>[^<]*</mn>|<mi>[^<]*</mi>|<mrow>(?:<m[ion]>[^<]*</m[ion]>)*</mrow>)"
THIN = '<mspace width="0.1667em" />'
BEFORE = re.compile(rf"(</(?:mi|mn|msub|msup|msubsup|mrow|mfrac)>|&#x00029;</mo>)((?:<msu[bp]>)?{FUNCTION})")
ALONE = r"(?<!<msup>)(?<!<msub>)(?<!<msubsup>)"
NAME = rf"{ALONE}{FUNCTION}|<msu[bp]>{FUNCTION}{POWER}</msu[bp]>"
AFTER = re.compile(rf"({NAME})(<(?:mi|mn|msub|msup|msubsup|mfrac|mstyle)\b)")


def mathml(text, display="inline"):
    """MathML of a formula, with the thin space that TeX puts round a function's name, and none round a derivative."""
    found = convert(text, display=display).replace("<mo>&#x02202;</mo>", "<mi>&#x02202;</mi>")
    found = found.replace(' columnspacing=""', "")            # it writes one where a table has one column
    return AFTER.sub(rf"\1{THIN}\2", BEFORE.sub(rf"\1{THIN}\2", found))


def inline_math(self, node):
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def display_math(self, node):
    text = re.sub(r"\{(aligned|split)\}", "{align*}", node.astext().strip())         # the name that it knows
    if re.search(r"\\\\|&", text) and r"\begin{" not in text:
        text = rf"\begin{{align*}}{text}\end{{align*}}"
    self.body.append(self.starttag(node, "div", CLASS="math", tabindex="0"))   # a wide one scrolls
    self.body.append(mathml(text, "block"))
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
