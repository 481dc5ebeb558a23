r"""The interview handbook: every question of `book/questions.yml`, its answer folded, and what backs it.

    draw-an-lstm:                       the anchor in the handbook; in its chapter it is `question-KEY`
      question: Draw an LSTM cell.      Markdown
      topic: gates                      one of TOPICS
      level: junior                     one of LEVELS
      round: whiteboard                 one of ROUNDS
      sources: [000-1]                  questions of the sources that it answers; none if only the course asks it
      chapter: lstm                     its questions page holds the answer, under the same question; or
      answer: Three lanes. …            Markdown, where no chapter has one
      follow-ups:
        - ask: Which lane is bounded?
          say: The state. …
      proof:
        claims: [lstm-bounded]          rows of the ledger
        pages: [lstm/cell]
        figures: [fig-lstm-cell]

    {questions} TOPIC   the questions of one topic; an answer of a chapter is taken from that chapter's page
    {practice}          where practice.js puts a question to the reader, how many there are, and the deck to download

A question of a chapter that the file does not list, or one that its chapter does not ask, is a warning. When the site
is built, the handbook's own page is turned into a deck for Anki, so that both say the same.
"""

import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import genanki
import yaml
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from unrolled_directives import Record
from unrolled_ledger import Claims

logger = logging.getLogger(__name__)
HANDBOOK, DECK, SCRIPT = "book/handbook", "_static/unrolled.apkg", "practice.js"
TOPICS = "recurrence", "gradients", "gates", "attention", "transformers", "practice"
LEVELS = "junior", "senior", "staff"
ROUNDS = "phone screen", "whiteboard", "coding", "system design", "deep dive"
STRAIGHT = str.maketrans("’‘“”", "''\"\"")
MODEL, DECK_ID = 1_726_350_114, 1_726_350_115           # Anki updates a deck it knows by these numbers
CARD = '{{FrontSide}}<hr id="answer">{{Back}}'
STYLE = ".card { font: 19px/1.5 Georgia, serif; max-width: 40em; margin: 1em auto; text-align: left; padding: 0 1em }"


class folded(nodes.General, nodes.Element):
    """Something that opens without a script: a line, and what it hides."""


class borrowed(nodes.General, nodes.Element):
    """The place of an answer that stands in a chapter."""


class practice(nodes.General, nodes.Element):
    """Where practice.js works, and the link to the deck."""


def plain(text):
    """A question as one can compare it: without number, markup and curly quotes."""
    return re.sub(r"^\d+\. |[`$*]", "", text.translate(STRAIGHT)).strip()


def questions(root):
    """All questions by their key; {} in a book that has none."""
    path = Path(root, "book/questions.yml")
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


class Questions(Claims):
    """The questions of one topic."""

    required_arguments = 1
    option_spec = {}

    def render(self):
        topic, claims = self.arguments[0], self.read("claims.yml")
        entries = {key: entry for key, entry in self.read("questions.yml").items() if entry["topic"] == topic}
        if not entries:
            raise ValueError(f"questions.yml has no question on {topic}")
        if "verdicts" not in self.env.temp_data:                # of this page: the same for each of its topics
            self.env.temp_data["verdicts"] = self.verdicts(claims, None)
        return [self.question(key, entry, claims) for key, entry in entries.items()]

    def question(self, key, entry, claims):
        """A section: the question, its labels, the answer folded, what is asked next, what backs it."""
        section = nodes.section("", nodes.title("", "", *self.inline(entry["question"])), classes=["interview"])
        section["ids"], section["names"] = [key], [key]
        self.state.document.note_explicit_target(section)
        asked = [f"source {', '.join(entry['sources'])}"] if entry.get("sources") else []
        facts = nodes.paragraph(classes=["facts"])
        for kind, text in zip(("level", "round", "asked"), [entry["level"], entry["round"], *asked], strict=False):
            facts += [nodes.Text(" · " * bool(facts.children)), nodes.inline("", text, classes=[kind])]
        section += facts
        if "chapter" in entry:
            link = self.reference("std", "ref", f"question-{key}", "its chapter's questions")
            origin = nodes.paragraph("", "", nodes.Text("From "), link, nodes.Text("."))
            answer = [borrowed(page=f"book/{entry['chapter']}/questions", key=key), origin]
        else:
            answer = self.markdown(entry["answer"])
        section += self.fold("Answer", answer, "answer")
        for one in entry.get("follow-ups", ()):
            section += self.fold(f"**And then:** {one['ask']}", self.markdown(one["say"]), "follow-up")
        section += self.backing(entry["proof"], claims)
        return section

    def backing(self, proof, claims):
        """What stands behind an answer: rows of the ledger with their verdicts, pages, figures."""
        items = nodes.bullet_list()
        for key in proof.get("claims", ()):
            verdict = self.reference("std", "ref", f"claim-{key}", self.env.temp_data["verdicts"][key]["verdict"])
            items += nodes.list_item("", nodes.paragraph("", "", *self.inline(claims[key]["claim"] + " "),
                                                              nodes.strong("", "", verdict)))
        links = [self.reference("std", "doc", f"/book/{page}") for page in proof.get("pages", ())]
        links += [self.reference("std", "numref", label, "Fig. {number}") for label in proof.get("figures", ())]
        if links:
            line = nodes.paragraph("", "", links[0])
            for link in links[1:]:
                line += [nodes.Text(", "), link]
            items += nodes.list_item("", line)
        return self.fold("What backs it", [items], "backing")

    def fold(self, line, content, kind):
        return folded("", nodes.inline("", "", *self.inline(line)), nodes.container("", *content), classes=[kind])

    def markdown(self, text):
        """Markdown as nodes."""
        parsed = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), self.env.docname), 0, parsed)
        return parsed.children


class Practice(Record):
    """How many questions there are, where practice.js works, and the deck."""

    def render(self):
        entries = self.read("questions.yml")
        asked = {source for entry in entries.values() for source in entry.get("sources", ())}
        own = sum("chapter" in entry for entry in entries.values())
        text = (f"There are {len(entries)} questions. {own} of them are asked and answered in the chapters; the other "
                f"{len(entries) - own} are answered here. Together they cover the {len(asked)} questions of the "
                "course's sources.")
        return [nodes.paragraph("", "", *self.inline(text)), practice()]


def visit_folded(self, node):
    self.body.append(self.starttag(node, "details") + "<summary>")
    node.children[0].walkabout(self)
    self.body.append("</summary>\n<div>\n")
    for child in node.children[1].children:
        child.walkabout(self)
    self.body.append("</div>\n</details>\n")
    raise nodes.SkipNode


def visit_practice(self, node):
    self.body.append('<div id="practice"></div>\n')
    if self.builder.name == "html":                             # no other build has a deck
        deck = f"{'../' * self.builder.current_docname.count('/')}{DECK}"
        self.body.append(f'<p class="deck"><a href="{deck}" download>All questions as a deck for Anki</a> '
                         "(question and answer on a card, tagged by topic, level and round).</p>\n")
    raise nodes.SkipNode


def folded_in_latex(self, node):
    self.body.append("\n\n\\noindent\\textbf{")
    node.children[0].walkabout(self)
    self.body.append("}\\par\\nobreak\n")
    for child in node.children[1].children:
        child.walkabout(self)
    raise nodes.SkipNode


def passed(self, node):
    """Other builders show what is inside, and nothing around it."""


def skipped(self, node):
    raise nodes.SkipNode


def following(paragraph):
    """The folded answer behind a question of a chapter, or None."""
    place = paragraph.parent.index(paragraph) + 1
    after = paragraph.parent[place] if place < len(paragraph.parent) else None
    return after if isinstance(after, nodes.container) and after.get("design_component") == "dropdown" else None


def anchor_questions(app, doctree):
    """Give each question of a chapter the anchor `question-KEY`."""
    chapter, _, page = app.env.docname.removeprefix("book/").partition("/")
    entries = questions(app.srcdir)
    if page != "questions" or not entries:
        return
    app.env.note_dependency(str(Path(app.srcdir, "book/questions.yml")))
    listed = {plain(entry["question"]): key for key, entry in entries.items() if entry.get("chapter") == chapter}
    std = app.env.get_domain("std")
    for line in list(doctree.findall(nodes.paragraph)):
        bold = next(line.findall(nodes.strong), None)
        if bold is None or bold.astext() != line.astext() or following(line) is None:
            continue
        key = listed.pop(plain(line.astext()), None)
        if key is None:
            logger.warning("questions.yml does not list: %s", line.astext(), location=line)
            continue
        line["ids"].append(name := f"question-{key}")
        std.anonlabels[name] = app.env.docname, name
        std.labels[name] = app.env.docname, name, line.astext()
    for text in listed:
        logger.warning("book/questions.yml: no such question in %s: %s", app.env.docname, text)


class Borrow(SphinxPostTransform):
    """Put the chapters' answers in their places."""

    default_priority = 5                            # before references are resolved, for they lead from here

    def run(self, **options):
        doctrees = {}
        for place in list(self.document.findall(borrowed)):
            page = place["page"]
            if page not in doctrees:
                doctrees[page] = {name: node for node in self.env.get_doctree(page).findall(nodes.paragraph)
                                  for name in node["ids"]}
            line = doctrees[page].get(f"question-{place['key']}")           # None has been warned of
            answer = following(line).children[1:] if line else []           # without its title
            place.replace_self([self.copied(node) for node in answer])

    def copied(self, node):
        copy = node.deepcopy()
        for one in copy.findall(nodes.Element):
            one["ids"] = []
            if isinstance(one, addnodes.pending_xref):
                one["refdoc"] = self.env.docname
        return copy


def cards(html, base):
    """A note for each question of the handbook's page: key, question, answer, tags.

    Args:
        html: the page as it is written.
        base: the address of the page, or "" if the site has none; then no link is left.
    """
    for section in BeautifulSoup(html, "html.parser").select("section.interview"):
        for mark in section.select("a.headerlink"):
            mark.decompose()
        for link in section.find_all("a"):
            link.attrs = {"href": urljoin(base, link["href"])}
            if not urlsplit(link["href"]).scheme:
                link.unwrap()
        for summary in section.select("details > summary"):
            if summary.parent["class"] != ["answer"]:
                summary.name = "h4"
        parts = [section.select_one("details.answer > div"), *section.select("details:not(.answer)")]
        back = "\n".join(part.decode_contents().strip() for part in parts)
        if base:
            back += f'\n<p><a href="{base}#{section["id"]}">On the site</a></p>'
        tags = [section.find_parent("section")["id"],
                *(section.select_one(f".facts .{kind}").get_text().replace(" ", "-") for kind in ("level", "round"))]
        yield section["id"], section.find(re.compile("h[1-6]")).decode_contents(), back, tags


def write_deck(app, failure):
    """Write the deck from the page that was written."""
    page = Path(app.outdir, f"{HANDBOOK}.html")
    if failure or app.builder.name != "html" or not page.exists():
        return
    model = genanki.Model(MODEL, "Unrolled", fields=[{"name": name} for name in ("Key", "Question", "Back")],
                          templates=[{"name": "Card", "qfmt": "{{Question}}", "afmt": CARD}], css=STYLE)
    deck = genanki.Deck(DECK_ID, "Unrolled: interview handbook")
    base = app.config.html_baseurl and urljoin(app.config.html_baseurl.rstrip("/") + "/", f"{HANDBOOK}.html")
    for key, front, back, tags in cards(page.read_text(encoding="utf-8"), base):
        deck.add_note(genanki.Note(model, [key, front, back], guid=genanki.guid_for("unrolled", key), tags=tags))
    genanki.Package(deck).write_to_file(Path(app.outdir, DECK))


def add_script(app, pagename, templatename, context, doctree):
    """Load the script on the one page that needs it."""
    if pagename == HANDBOOK:
        app.add_js_file(SCRIPT, defer="defer")


def setup(app):
    show, skip = (passed, passed), (skipped, None)
    others = ("text", "man", "texinfo")
    app.add_node(folded, html=(visit_folded, None), latex=(folded_in_latex, None), **dict.fromkeys(others, show))
    app.add_node(practice, html=(visit_practice, None), latex=skip, **dict.fromkeys(others, skip))
    app.add_directive("questions", Questions)
    app.add_directive("practice", Practice)
    app.add_post_transform(Borrow)
    app.connect("doctree-read", anchor_questions)
    app.connect("html-page-context", add_script)
    app.connect("build-finished", write_deck, priority=960)     # from the HTML that was mended before
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
