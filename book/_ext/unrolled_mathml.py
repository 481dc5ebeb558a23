"""Equations as MathML, written by the build: every browser and e-reader shows them without a script, and nothing moves
while a page loads. The library latex2mathml translates; here are the numbers, and what it does not know."""

import re
from html import unescape

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


LONG = 24                                                  # letters; half a line of a telephone
OPEN, CLOSE = '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline"><mrow>', "</mrow></math>"
BREAKS = re.compile(r"<mo>(&#x0003D;|&#x0002B;|&#x02212;|&#x02248;|&#x0003C;|&#x02264;)</mo>")


def breakable(found):
    """A formula in pieces, each of which begins with an operator of the outermost level."""
    body, pieces, depth, start = found.removeprefix(OPEN).removesuffix(CLOSE), [], 0, 0
    for tag in re.finditer(r"<(/?)(\w+)[^>]*?(/?)>", body):
        operator = BREAKS.match(body, tag.start())
        if depth == 0 and operator and tag.start() > start:
            pieces.append(body[start:tag.start()])
            start = tag.start()
        depth += 0 if tag[3] else -1 if tag[1] else 1
    pieces.append(body[start:])
    return "".join(OPEN + BREAKS.sub(r'<mo form="infix">\1</mo>', piece, count=piece.startswith("<mo>")) + CLOSE
                   if piece.startswith("<mo>") else OPEN + piece + CLOSE for piece in pieces)


def mathml(text, display="inline"):
    """MathML of a formula, with the thin space that TeX puts round a function's name, and none round a derivative."""
    found = convert(text, display=display).replace("<mo>&#x02202;</mo>", "<mi>&#x02202;</mi>")
    found = re.sub(r">\\[lr]Vert<", ">&#x02016;<", found).replace(r">\arg<", ">arg<")      # two names it does not know
    found = found.replace("<mo>&#x02016;</mo>", '<mo stretchy="false">&#x02016;</mo>')        # as high as its letters
    found = found.replace(' columnspacing=""', "")            # it writes one where a table has one column
    return AFTER.sub(rf"\1{THIN}\2", BEFORE.sub(rf"\1{THIN}\2", found))


def inline_math(self, node):
    """A long formula is several, so that a line can end before one of its operators."""
    found = mathml(node.astext())
    if len(unescape(re.sub("<[^>]*>", "", found))) > LONG:
        found = breakable(found)
    self.body.append(found)
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
