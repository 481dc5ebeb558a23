"""Terms of the glossary are links where a page first uses them, and show their definition there (sphinx-tippy)."""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from unrolled_quiz import quiz_node

# Words that also have an everyday sense, or stand in every second sentence: a page links them by hand where it must.
EVERYDAY = {"badge", "batch", "bias", "candidate", "context", "control", "correlation", "gate", "mask", "parity",
            "projection", "recurrence", "sampling", "scan", "seed", "state", "step", "temperature", "unit", "weight"}
NO_PLACE = (nodes.title, nodes.reference, addnodes.pending_xref, nodes.literal, nodes.math, nodes.caption, nodes.table,
            nodes.strong, quiz_node)


def terms(app):
    """The terms of the glossary that are linked, by their lower-case form."""
    if not hasattr(app, "glossary_terms"):
        path = Path(app.srcdir, "book/glossary.md")
        text = path.read_text(encoding="utf-8").partition("```{glossary}\n")[2].partition("\n```")[0]
        found = (term for term in re.findall(r"^(\S.*)$", text, re.MULTILINE) if "," not in term)
        app.glossary_terms = {term.lower(): term for term in found if term.lower() not in EVERYDAY}
    return app.glossary_terms


def link_terms(app, doctree):
    """Link the first use of each term in a page's paragraphs, unless the page links that term itself."""
    docname = app.env.docname
    if docname.count("/") < 2:                                # no page of a chapter
        return
    own = {link["reftarget"].lower() for link in doctree.findall(addnodes.pending_xref) if link["reftype"] == "term"}
    left = {key: term for key, term in terms(app).items() if key not in own}
    if not left:
        return
    longest_first = "|".join(map(re.escape, sorted(left, key=len, reverse=True)))
    words = re.compile(rf"(?<![\w-])({longest_first})s?(?![\w-])", re.IGNORECASE)
    for text in list(doctree.findall(nodes.Text)):
        if not isinstance(text.parent, nodes.paragraph | nodes.emphasis) or inside(text, NO_PLACE):
            continue
        parts, end = [], 0
        for found in words.finditer(text):
            if found[1].lower() in left:
                term = left.pop(found[1].lower())
                parts += [nodes.Text(text[end:found.start()]), link(docname, found[0], term)]
                end = found.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def inside(node, kinds):
    """Whether a node lies in one of these kinds."""
    while node is not None and not isinstance(node, kinds):
        node = node.parent
    return node is not None


def link(docname, text, term):
    """A word that leads to its definition."""
    return addnodes.pending_xref("", nodes.inline("", text, classes=["term"]), refdomain="std", reftype="term",
                                 reftarget=term, refexplicit=True, refwarn=True, refdoc=docname)


def setup(app):
    app.connect("doctree-read", link_terms)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
