r"""What the LaTeX writer needs told, so that the book can be one PDF; pages of the site do not change.

* Colours in formulas are named as xcolor wants them.
* The class is Sphinx's own manual: Jupyter Book's needs fonts that take a gigabyte, for commands that no page uses.
* A table of records may break between pages, and each column is as wide as its words need.
"""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

COLOR = re.compile(r"\\textcolor\{#([0-9A-Fa-f]{6})\}")


class ForLatex(SphinxPostTransform):
    default_priority = 5
    formats = ("latex",)

    def run(self, **options):
        for formula in self.document.findall(lambda node: isinstance(node, nodes.math | nodes.math_block)):
            text = COLOR.sub(r"\\textcolor[HTML]{\1}", formula.astext())
            formula.children = [nodes.Text(text)]
        for table in self.document.findall(nodes.table):
            if "record" in table["classes"]:
                table["classes"] += ["longtable", "colwidths-given"]
                for spec, width in zip(table.findall(nodes.colspec), widths(table), strict=True):
                    spec["colwidth"] = width


def widths(table):
    """A number for each column: its longest word or, if that is more, three times the root of a cell's mean length."""
    rows = [[entry.astext() for entry in row.findall(nodes.entry)] for row in table.findall(nodes.row)]
    return [max(min(max(len(word) for text in column for word in text.split()), 26) + 2,
                round((sum(map(len, column)) / len(column)) ** 0.5 * 3)) for column in zip(*rows, strict=True)]


def own_class(app, config):
    config.latex_theme = "manual"


def setup(app):
    app.connect("config-inited", own_class, priority=900)         # after sphinx-jupyterbook-latex
    app.add_post_transform(ForLatex)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
