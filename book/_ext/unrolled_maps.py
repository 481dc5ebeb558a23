"""Maps of what builds upon what, read from the pages themselves: every box is a link.

    {page-map} CHAPTER  the pages of one chapter, each below those that its head says it needs
    {page-map}          the whole book: a box a chapter with the links of its pages, arrows between chapters

At its end each page names those that build upon it.

Chapters and their order come from `_toc.yml`, a page's title from its first heading, its minutes and its needs from its
head (`tools/page_measures.py`). A need that is no page of the book is a warning, which fails the strict build.
"""

import html
import os
import posixpath
import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from unrolled.page.diagrams.drawing import INK, PALE, Drawing
from unrolled.page.plots import BLUE

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
from notebook_form import read
from page_measures import head

logger = logging.getLogger(__name__)
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")
FAINT = "#A8A8A8"
BOX, HIGH, ACROSS, DOWN, LINE = 160, 58, 16, 30, 19             # a box, the gaps between boxes, a line of text


@dataclass
class Page:
    """A page of the book, or a chapter's overview.

    Attributes:
        name: its document under book/, without suffix: `rnn/order`.
        title: its first heading.
        minutes: to read it.
        needs: names of the pages that it builds upon.
        pages: of a chapter.
    """

    name: str
    title: str
    minutes: int = 0
    needs: list = field(default_factory=list)
    pages: list = field(default_factory=list)


def chapters(root):
    """The chapters that are folders, in the order of the book, each with its pages.

    Raises:
        ValueError: a page without a head, or one that needs what is no page.
    """
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    found = []
    for part in toc["parts"]:
        for entry in part["chapters"]:
            if "sections" in entry:
                chapter = Page(entry["file"].removeprefix("book/"), heading(root / f"{entry['file']}.md"))
                chapter.pages = [page(root, section["file"]) for section in entry["sections"]]
                chapter.minutes = sum(one.minutes for one in chapter.pages)
                found.append(chapter)
    folders = {chapter.name.partition("/")[0]: chapter.name for chapter in found}
    for chapter in found:
        for one in chapter.pages:
            for name in one.needs:
                if not any((root / f"book/{name}{suffix}").exists() for suffix in (".ipynb", ".md")):
                    raise ValueError(f"{one.name} needs {name}, which is no page of the book")
        elsewhere = {folders.get(name.partition("/")[0]) for one in chapter.pages for name in one.needs}
        chapter.needs = [name for name in folders.values() if name in elsewhere - {chapter.name}]
    return found


def page(root, document):
    """One page, read from its notebook."""
    path = root / f"{document}.ipynb"
    said, name = head(read(path)), document.removeprefix("book/")
    if said is None:
        raise ValueError(f"{name} has no head that says its minutes and what it needs")
    needs = [posixpath.normpath(posixpath.join(posixpath.dirname(name), target)).rpartition(".")[0]
             for target in LINK.findall(said["need"])]
    return Page(name, heading(path), said["minutes"], needs)


def heading(path):
    """The first heading of a notebook or of a Markdown file."""
    text = "".join(read(path).cells[0].source) if path.suffix == ".ipynb" else path.read_text(encoding="utf-8")
    return re.search(r"^# (.+)$", text, re.MULTILINE)[1].replace("`", "").strip()


def arrows(pages):
    """Pairs (from, to) of names: each need that no chain of other needs already implies."""
    needs = {one.name: {name for name in one.needs if name in {other.name for other in pages}} for one in pages}

    def behind(name, seen=()):
        return needs[name].union(*(behind(other, (*seen, name)) for other in needs[name] if other not in seen))

    return [(source, name) for name in needs for source in sorted(needs[name])
            if not any(source in behind(other) for other in needs[name] - {source})]


def ranks(pages):
    """By name, the level at which a page stands: below all that it needs, never above one read before it."""
    found, links, level = {}, arrows(pages), 0
    for one in pages:
        above = [found.get(source, -1) + 1 for source, name in links if name == one.name]
        found[one.name] = level = max(level, *above, 0)
    return found


def draw_chapter(chapter, address, columns=2):
    """The map of a chapter's pages as SVG.

    Args:
        chapter: a `Page` with pages.
        address: a function from a page's name to where its box leads.
        columns: boxes side by side, at most.
    """
    place, row, pages = {}, 0, chapter.pages
    depth = ranks(pages)
    for rank in sorted(set(depth.values())):
        level = [one for one in pages if depth[one.name] == rank]
        for begin in range(0, len(level), columns):
            group = level[begin:begin + columns]
            left = (columns - len(group)) * (BOX + ACROSS) / 2
            place |= {one.name: (2 + left + k * (BOX + ACROSS), 2 + row * (HIGH + DOWN)) for k, one in enumerate(group)}
            row += 1
    width, height = columns * (BOX + ACROSS) - ACROSS + 4, row * (HIGH + DOWN) - DOWN + 4
    drawing = Drawing(width, height, f"Map of the chapter: {html.escape(chapter.title)}")
    for source, name in arrows(pages):
        (x1, y1), (x2, y2) = place[source], place[name]
        begin, end = (x1 + BOX / 2, y1 + HIGH), (x2 + BOX / 2, y2 - 1)
        bend = f"C{begin[0]},{begin[1] + DOWN} {end[0]},{end[1] - DOWN} {end[0]},{end[1]}"
        near = y2 - y1 <= HIGH + DOWN                           # an arrow that passes behind other boxes is fainter
        drawing.path(f"M{begin[0]},{begin[1]} {bend}", (end[0], end[1] - 9), end, PALE if near else FAINT, 1.5)
    for number, one in enumerate(pages, 1):
        x, y = place[one.name]
        box(drawing, x, y, BOX, HIGH, address(one.name), [*textwrap.wrap(f"{number}. {one.title}", 21)[:2]],
            f"{one.minutes} min")
    return svg(drawing)


def box(drawing, x, y, width, height, target, lines, small):
    """A box that is a link: its title, and below it a small line."""
    drawing.parts.append(f'<a href="{html.escape(target)}">')
    frame(drawing, x, y, width, height)
    for number, text in enumerate(lines):
        drawing.text(x + width / 2, y + 19 + 16 * number, f" {html.escape(text)}", size=13)
    drawing.text(x + width / 2, y + height - 6, f" {small}", color=PALE, size=11)
    drawing.parts.append("</a>")


def frame(drawing, x, y, width, height):
    """An opaque box, so that an arrow passes behind it."""
    where = f'x="{x}" y="{y}" width="{width}" height="{height}" rx="8"'
    drawing.parts.append(f'<rect {where} fill="#FFFFFF"/><rect {where} fill="{BLUE}" fill-opacity="0.1" '
                         f'stroke="{BLUE}" stroke-width="1.6"/>')


def draw_book(found, address, columns):
    """The map of the book as SVG: a box a chapter, in rows of `columns`, with a line for each of its pages."""
    wide, gap, top = 296 if columns > 1 else 336, 34, 44
    rows = [found[begin:begin + columns] for begin in range(0, len(found), columns)]
    place, y = {}, 2
    for group in rows:
        high = top + LINE * max(len(one.pages) for one in group) + 10
        place |= {one.name: (2 + k * (wide + gap), y, high) for k, one in enumerate(group)}
        y += high + gap
    drawing = Drawing(columns * (wide + gap) - gap + 4, y - gap + 2, "Map of the book: its chapters and their pages")
    for source, name in arrows(found):
        (x1, y1, high), (x2, y2, _) = place[source], place[name]
        if y1 == y2:
            points = (x1 + wide, y1 + 22), (x2 - 1, y2 + 22)
        else:                                                   # down, along the gap above the row, and down again
            points = (x1 + wide / 2, y1 + high), (x1 + wide / 2, y2 - gap / 2), (x2 + wide / 2, y2 - gap / 2), (
                x2 + wide / 2, y2 - 1)
        drawing.bend(*points, color=PALE, width=2)
    for one in found:
        x, y, high = place[one.name]
        frame(drawing, x, y, wide, high)
        link(drawing, x + 12, y + 24, address(one.name), textwrap.shorten(one.title, 38, placeholder=" …"), 15, True)
        for number, part in enumerate(one.pages):
            link(drawing, x + 12, y + top + 8 + LINE * number, address(part.name), part.title, 13)
    return svg(drawing)


def link(drawing, x, y, target, text, size, bold=False):
    """A line of text that is a link."""
    drawing.parts.append(f'<a href="{html.escape(target)}"' + (' font-weight="bold">' if bold else ">"))
    drawing.text(x, y, f" {html.escape(textwrap.shorten(text, 42, placeholder=' …'))}", "start", INK if bold else BLUE,
                 size)
    drawing.parts.append("</a>")


def svg(drawing):
    return drawing.markup('role="group" class="ink" style="max-width: 100%; height: auto"')


class PageMap(SphinxDirective):
    """The map of a chapter, or of the book."""

    optional_arguments = 1

    def run(self):
        root, builder = Path(self.env.srcdir), self.env.app.builder
        try:
            found = chapters(root)
            if not self.arguments:
                drawings = {"wide": draw_book(found, self.address, 2), "narrow": draw_book(found, self.address, 1)}
            else:
                [one] = [one for one in found if one.name == f"{self.arguments[0]}/index"]
                drawings = {"": draw_chapter(one, self.address)}
        except (OSError, KeyError, TypeError, ValueError) as error:
            logger.warning("{page-map}: %s", error, location=self.get_location())
            return []
        for one in found:
            for part in one.pages:
                self.env.note_dependency(str(root / f"book/{part.name}.ipynb"))
        self.env.note_dependency(str(root / "_toc.yml"))
        if builder.format == "latex":
            return [self.picture(next(iter(drawings.values())))]
        if builder.name == "epub":                              # an e-reader is narrow
            drawings = dict(list(drawings.items())[-1:])
        return [nodes.raw("", f'<div class="map {kind}">{drawing}</div>', format="html")
                for kind, drawing in drawings.items()]

    def picture(self, drawing):
        """A map for paper: a file, since LaTeX takes no drawing between its lines."""
        path = Path(self.env.doctreedir, "maps", f"{self.arguments[0] if self.arguments else 'book'}.svg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(drawing, encoding="utf-8")
        name = posixpath.join("/", os.path.relpath(path, self.env.srcdir).replace(os.sep, "/"))
        return nodes.image(uri=name, alt="Map", align="center")

    def address(self, name):
        """From this page to another."""
        builder = self.env.app.builder
        return "" if builder.format == "latex" else builder.get_relative_uri(self.env.docname, f"book/{name}")


def read_next(app, doctree, docname):
    """At the end of a page, links to the pages that build upon it."""
    if app.builder.name != "html":
        return
    if not hasattr(app, "book_pages"):
        app.book_pages = [one for chapter in chapters(Path(app.srcdir)) for one in chapter.pages]
    following = [one for one in app.book_pages if docname.removeprefix("book/") in one.needs]
    if not following:
        return
    line = nodes.paragraph("", "Read next: ", classes=["read-next"])
    for at, one in enumerate(following):
        address = app.builder.get_relative_uri(docname, f"book/{one.name}")
        line += [nodes.Text(" · ")] * bool(at) + [nodes.reference("", one.title, refuri=address, internal=True)]
    (next(iter(doctree.findall(nodes.section)), doctree)).append(line)


def setup(app):
    app.connect("doctree-resolved", read_next)
    app.add_directive("page-map", PageMap)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
