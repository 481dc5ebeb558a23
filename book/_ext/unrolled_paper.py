"""Equations as MathML, for the ePub: e-readers show it and run no script."""

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number, wrap_displaymath


def inline_math(self, node):
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def display_math(self, node):
    text = node.astext() if node["nowrap"] else wrap_displaymath(node.astext(), None, False)
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})</span>')
    self.body.append(convert(text.strip(), display="block") + "</div>\n")
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
