"""The ePub: what the site's pages need to be pages of a book that e-readers open and EPUBCheck accepts.

The site's style, scripts and fonts stay behind: unrolled_epub.css takes their place. Solutions are folded.
Links in drawings and cells lead to the ePub's own pages. The contents are those of the site, and pages with formulas or
drawings are declared as such.
"""

import re
import shutil
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, TreeBuilder, tostring
from xml.parsers import expat

from sphinx.builders.epub3 import Epub3Builder
from sphinx.transforms.post_transforms import SphinxPostTransform
from unrolled_latex import cards

STYLE = Path(__file__).with_name("unrolled_epub.css")
KEPT = {"pygments.css", "unrolled.css"}                         # of _static; and the drawings that pages show
DOCTYPE = re.compile(r"<!DOCTYPE[^>\[]*(?:\[[^\]]*\])?[^>]*>")
SHAPELESS = re.compile(r"<path(?=(?:(?!\sd=)[^>])*/>)")         # Matplotlib's blank is a letter without a shape


class Epub(Epub3Builder):
    """Sphinx's builder, with the pages mended before they are packed."""

    def handle_finish(self):
        out = Path(self.outdir)
        shown = set()
        for page in out.rglob("*.xhtml"):
            root = parsed(page.read_text(encoding="utf-8"))
            mend(root)
            shown |= {Path(one.get("src")).name for one in root.iter("img")}
            page.write_text("<!DOCTYPE html>\n" + tostring(root, encoding="unicode"), encoding="utf-8")
        for path in list((out / "_static").iterdir()):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name not in KEPT | shown:
                path.unlink()
        shutil.copy(STYLE, out / "_static/unrolled.css")
        for drawing in out.rglob("*.svg"):
            text = drawing.read_text(encoding="utf-8")
            drawing.write_text(SHAPELESS.sub('<path d="M0 0"', DOCTYPE.sub("", text)), encoding="utf-8")
        super().handle_finish()

    def build_content(self):
        """Write the list of files, and in it what a page holds beside text."""
        super().build_content()
        path = Path(self.outdir, "content.opf")

        def declared(found):
            text = Path(self.outdir, found[1]).read_text(encoding="utf-8")
            held = " ".join(what for what, tag in (("mathml", "<math"), ("svg", "<svg")) if tag in text)
            return found[0] + f' properties="{held}"' * bool(held)

        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r'href="((?!nav)[^"]+\.xhtml)" media-type="[^"]+"(?=\s*/>)', declared, text),
                        encoding="utf-8")


def parsed(text):
    """XML as a tree whose names are those of the text, without the work of namespaces."""
    builder, parser = TreeBuilder(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = builder.start, builder.end
    parser.CharacterDataHandler = builder.data
    parser.Parse(text, True)
    return builder.close()


def classes(element):
    return element.get("class", "").split()


def mend(root):
    """Mend a page in place. Mending twice changes nothing."""
    for parent in list(root.iter()):
        for child in list(parent):
            sheet = child.get("href", "").rpartition("/")[2] if child.tag == "link" else None
            if child.tag == "script" or (child.get("rel") == "stylesheet" and sheet not in KEPT):
                parent.remove(child)
    for one in list(root.iter("div")):
        if {"solution", "dropdown"} <= set(classes(one)):       # a script would fold it
            one.tag = "details"
            title = next(part for part in one.iter("p") if "admonition-title" in classes(part))
            title.tag = "summary"
    seen = set()
    for one in root.iter():
        if (name := one.get("id")) in seen:                     # every exercise of a page has the same
            del one.attrib["id"]
        seen |= {name} - {None}
        address = one.get("href", "")
        if ".html" in address and ":" not in address:
            one.set("href", address.replace(".html", ".xhtml"))
        if one.tag == "summary":
            phrase(one)
        if one.tag == "svg" and one.get("role") == "group":
            one.set("role", "document")
        if one.tag == "svg":
            for link in one.iter("a"):
                if link.find("title") is None:
                    title = Element("title")
                    title.text = "".join(link.itertext()).strip()
                    link.insert(0, title)


def phrase(summary):
    """Leave in a summary what may stand there: words, and no icon."""
    if summary.get("aria-label") == "Toggle hidden content":
        summary.clear()
        SubElement(summary, "span").text = "The code"
    for parent in list(summary.iter()):
        for child in list(parent):
            if child.tag == "svg":
                parent.remove(child)
            elif child.tag in ("p", "div", "a"):                # a link would be followed where one wants to unfold
                child.tag = "span"
                child.attrib.pop("href", None)


class ForEpub(SphinxPostTransform):
    default_priority = 5

    def run(self, **options):
        if self.app.builder.name == "epub":
            cards(self.document)


def setup(app):
    app.add_post_transform(ForEpub)
    app.add_builder(Epub, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
