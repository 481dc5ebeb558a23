r"""What the LaTeX writer needs told, so that the book can be one PDF; pages of the site do not change.

* Colours in formulas are named as xcolor wants them.
* The class is Sphinx's own manual: Jupyter Book's needs fonts that take a gigabyte, for commands that no page uses.
* A table of records may break between pages, and each column is as wide as its words need. Cards become a list.
* What a link leads to and Sphinx gives no label there (a cell, a row, a question) gets one.
* A quiz shows its options; the answers of all are a chapter at the back.
* Text in another script than Latin and Greek says so, and is set in a font that has it.
* The back matter has no numbers, and the works cited stand where the contents put them.

The commands and fonts are in unrolled.sty beside this file.
"""

import re
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.builders.latex.nodes import thebibliography
from sphinx.transforms.post_transforms import SphinxPostTransform
from unrolled_quiz import answers, quiz_node

COLOR = re.compile(r"\\textcolor\{#([0-9A-Fa-f]{6})\}")
EQUATION = re.compile(r"%(.*)#equation-(.*)")
SCRIPTS = {name: re.compile(f"[{letters}]+") for name, letters in (
    ("hebrew", "\u0590-\u05FF"), ("arabic", "\u0600-\u06FF"), ("devanagari", "\u0900-\u097F"),
    ("gujarati", "\u0A80-\u0AFF"), ("thai", "\u0E00-\u0E7F"), ("burmese", "\u1000-\u109F"),
    ("chinese", "\u2E80-\u9FFF"))}
WORKS = "book/bibliography"


class label_node(nodes.Invisible, nodes.Element):
    """A place that a link can lead to."""


def latex(text):
    return nodes.raw("", text, format="latex")


def cards(document):
    """Replace each grid of cards by a list, which a page without the site's style can show."""
    def parts(node, kind):
        return list(node.findall(lambda one: isinstance(one, nodes.Element) and one.get("design_component") == kind))

    for grid in parts(document, "grid-container"):
        found = nodes.bullet_list()
        for card in parts(grid, "card"):
            [title], line = parts(card, "card-title"), nodes.paragraph()
            name = title.astext()
            link = next(iter(card.findall(addnodes.pending_xref)), None)
            if link is not None:
                link["classes"], link["refexplicit"], link.children = [], True, []
                link += nodes.inline("", name)
            line += link if link is not None else nodes.strong("", name)
            for text in [one for one in card.findall(nodes.paragraph) if one.astext() != name]:
                line += [nodes.Text(": "), *text.children]
            found += nodes.list_item("", line)
        grid.replace_self(found)


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
        cards(self.document)
        self.label()
        self.answers()

    def label(self):
        """Give cells, rows and lines that have names the labels that links to them need."""
        for node in list(self.document.findall(lambda one: isinstance(one, nodes.container | nodes.row
                                                                      | nodes.paragraph) and one["ids"])):
            labels = [label_node(name=name) for name in node["ids"]]
            if isinstance(node, nodes.container):
                node.parent.insert(node.parent.index(node), labels)
            else:
                inside = next(iter(node.findall(nodes.paragraph)), node)
                inside.insert(0, labels)

    def answers(self):
        """Move the answers of every quiz into a chapter, the first of the back matter."""
        found = list(self.document.findall(quiz_node))
        if not found:
            return
        chapter = nodes.section("", nodes.title("", "Answers"), ids=["answers"])
        chapter += nodes.paragraph("", "Of the questions that stand at the end of the pages, in the order of the book.")
        for quiz in found:
            page = f"book/{quiz['page']}"
            chapter += [label_node(name=page), nodes.rubric("", self.title(page)), *answers(quiz)]
            quiz += latex("\n\\answersat{" + f"answers:{page}" + "}\n")
        parts = [one for one in self.document.findall(nodes.compound)
                 if "toctree-wrapper" in one["classes"] and unnumbered(self.app, one.get("caption"))]
        file = addnodes.start_of_file("", chapter, docname="answers")
        if parts:
            parts[0].insert(0, file)
        else:
            self.document.append(file)

    def title(self, page):
        """A page's title behind its number, which is text here: the chapter has none."""
        number = self.env.toc_secnumbers.get(page, {}).get("", ())
        return " ".join(filter(None, (".".join(map(str, number)), self.env.titles[page].astext())))



def unnumbered(app, caption):
    """Whether the part of the contents with this caption has no numbers."""
    contents = yaml.safe_load((app.srcdir / "_toc.yml").read_text(encoding="utf-8"))
    return any(part.get("caption") == caption and not part.get("numbered") for part in contents.get("parts", ()))


class Arranged(SphinxPostTransform):
    """What can be done only when links are resolved and the parts are in their order."""

    default_priority = 900
    formats = ("latex",)

    def run(self, **options):
        for link in self.document.findall(nodes.reference):
            if found := EQUATION.fullmatch(link.get("refuri", "")):           # the label that Sphinx gives
                link["refuri"] = f"%equation:{found[1]}#{found[2]}"
        front = next(iter(self.document.findall(nodes.section)), None)
        if front is not None:
            front.insert(1, latex("\n\\frontheading{" + front[0].astext() + "}\n"))
        for part in list(self.document.findall(addnodes.start_of_file)):
            if unnumbered(self.app, part["docname"]):
                part.parent.insert(part.parent.index(part), latex("\n\\withoutnumbers\n"))
            works = next(iter(self.document.findall(thebibliography)), None)
            if part["docname"] == WORKS and works is not None:
                works.parent.remove(works)
                part.children = []
                part += [label_node(name=":doc"), works]


def widths(table):
    """A number for each column: its longest word or, if that is more, three times the root of a cell's mean length, or
    a quarter of its longest cell's."""
    rows = [[entry.astext() for entry in row.findall(nodes.entry)] for row in table.findall(nodes.row)]
    return [max(min(max(len(word) for text in column for word in text.split()), 26) + 2,
                min(round(max(map(len, column)) / 4), 20),
                round((sum(map(len, column)) / len(column)) ** 0.5 * 3)) for column in zip(*rows, strict=True)]


def visit_label(self, node):
    self.body.append(self.hypertarget(node["name"]))
    raise nodes.SkipNode


def name_scripts(app, failure):
    """Mark each run of letters of another script in the files that LaTeX reads."""
    if failure or app.builder.name != "latex":
        return
    for path in Path(app.outdir).glob("*.tex"):
        text = path.read_text(encoding="utf-8")
        for name, run in SCRIPTS.items():
            text = run.sub(rf"\\inscript{{{name}}}{{\g<0>}}", text)
        path.write_text(text, encoding="utf-8")


def own_class(app, config):
    config.latex_theme = "manual"


def setup(app):
    app.connect("config-inited", own_class, priority=900)         # after sphinx-jupyterbook-latex
    app.connect("build-finished", name_scripts)
    app.add_node(label_node, latex=(visit_label, None))
    app.add_post_transform(ForLatex)
    app.add_post_transform(Arranged)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
