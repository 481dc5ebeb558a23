"""What the book's own sources may say to Sphinx: tables of records, docstrings in plain words.

Directives, each a table built from records and never typed:

    {page-cost} [PAGE]  one sentence: time and memory of a page, this one if none is named, from book/_data/status.json
    {status}            the same for every page, with the machine and the versions
    {robust}            what comes out otherwise under other numerics, from book/_data/robust.json
    {parity}            which cells are proved equal, from book/_data/parity.json; options `cell`, `against` and
                        `device` choose rows, `rows` limits their number
    {parity-count}      how many rows have which result
    {downloads}         the book as files: those that `make pdf`, `make epub` and `make zip` have written

A notebook book/rnn/order.ipynb is the page `rnn/order` of the chapter `rnn`, and so is book/rnn.ipynb the page `rnn`.

A record that is missing or malformed is a warning, which the strict build turns into a failure.
"""

import json
import re
import shutil
from pathlib import Path

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from unrolled_execution import executed, notebooks

logger = logging.getLogger(__name__)


class scrolling(nodes.General, nodes.Element):
    """A container that scrolls sideways, can be reached by keyboard, and has a name for those who hear it."""


def visit_scrolling(self, node):
    self.body.append(self.starttag(node, "div", CLASS="scrolling", role="region", tabindex="0",
                                   **{"aria-label": node["label"]}))


def depart_scrolling(self, node):
    self.body.append("</div>\n")


def as_it_is(self, node):
    """On paper, the table by itself."""


def read(env, name):
    """The contents of a file under book/, on which a page that is being read then depends."""
    path = Path(env.srcdir, "book", name)
    if env.temp_data.get("docname"):
        env.note_dependency(str(path))
    text = path.read_text(encoding="utf-8")
    record = yaml.safe_load(text) if path.suffix == ".yml" else json.loads(text)
    if not isinstance(record, dict):
        raise ValueError(f"{path.name} must hold a mapping, and holds a {type(record).__name__}")
    return record


class Record(SphinxDirective):
    """What the directives share: reading a record, and building a table from rows of inline Markdown."""

    final_argument_whitespace = True

    def run(self):
        try:
            return self.render()
        except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
            what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else error
            logger.warning("{%s}: %s", self.name, what, location=self.get_location())
            return []

    def read(self, name):
        return read(self.env, name)

    def inline(self, text):
        """Inline Markdown, mathematics included, as nodes."""
        parsed, messages = self.state.inline_text(str(text), self.lineno)
        return parsed + messages

    def reference(self, domain, kind, target, text=""):
        """A link to a page or a label, checked by Sphinx; without a text it has the page's title."""
        link = addnodes.pending_xref("", nodes.inline("", text), refdomain=domain, reftype=kind, reftarget=target,
                                     refexplicit=bool(text), refwarn=True, refdoc=self.env.docname)
        link.source, link.line = self.get_source_info()
        return link

    def table(self, label, head, rows, classes=()):
        """A table from a list of titles and a list of rows, whose cells are text or lists of nodes."""
        group = nodes.tgroup(cols=len(head))
        group += [nodes.colspec(colwidth=1) for _ in head]
        for part, lines in ((nodes.thead(), [head]), (nodes.tbody(), rows)):
            for line in lines:
                row = nodes.row()
                for cell in line:
                    content = self.inline(cell) if isinstance(cell, str) else cell
                    text = nodes.paragraph("", "", *content)
                    if re.fullmatch(r"[-–\d.,e ]+", text.astext()):
                        text["classes"].append("number")
                    elif len(text.astext()) > 40:
                        text["classes"].append("long")
                    row += nodes.entry("", text)
                part += row
            group += part
        table = nodes.table("", group, classes=["record", *classes])
        return scrolling("", table, label=label)

    def origin(self, record):
        """Where the numbers come from: device, date, commit, versions."""
        versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
        text = f"Measured on {record['device']}, {record['date']}, at commit `{record['commit']}`, with {versions}."
        return nodes.paragraph("", "", *self.inline(text), classes=["origin"])


class PageCost(Record):
    """Time and memory of one page, in a sentence."""

    optional_arguments = 1

    def render(self):
        record = self.read("_data/status.json")
        name = self.arguments[0] if self.arguments else self.env.docname.removeprefix("book/")
        cost = record["pages"][name]
        text = (f"Runs in {cost['seconds']:.0f} seconds on one core, with {cost['peak_mib']} MiB of memory at its peak "
                f"({record['device'].removesuffix(', one core')}).")
        return [nodes.paragraph("", "", *self.inline(text), classes=["page-cost"])]


class Status(Record):
    """Time and memory of every page: what this build needed, beside what was measured on a quiet core."""

    def render(self):
        record, paths, rows = self.read("_data/status.json"), notebooks(self.env), []
        contents = list(self.env.external_site_map)
        for name, cost in sorted(record["pages"].items(), key=lambda page: contents.index(f"book/{page[0]}")):
            self.env.note_dependency(str(paths[name]))
            seconds = executed(self.env.app, paths[name])[1]
            rows.append([self.link(name), "–" if seconds is None else f"{seconds:.1f}", f"{cost['seconds']:.1f}",
                         f"{cost['peak_mib']}"])
        head = ["Page", "Seconds, this build", "Seconds, one quiet core", "Peak memory, MiB"]
        return [self.table("Run time and memory of each page", head, rows, ["status"]), self.origin(record)]

    def link(self, name):
        """A page by its title, after the title of the chapter that it is part of."""
        overview = f"book/{name.partition('/')[0]}/index"
        names = [overview, f"book/{name}"] if overview in self.env.found_docs else [f"book/{name}"]
        links = [self.reference("std", "doc", f"/{one}") for one in names]
        return [links[0], *(node for link in links[1:] for node in (nodes.Text(": "), link))]


class Robust(Record):
    """Which pages come out the same under numerics that are not this machine's."""

    def render(self):
        record, rows = self.read("_data/robust.json"), {}
        for row in record["rows"]:
            rows.setdefault(row["environment"], []).append(row)
        counts = {name: [sum(len(row[what]) for row in group) for what in ("failed", "differs", "flipped")]
                  for name, group in rows.items()}
        lines = [[name, str(len(group)), *map(str, counts[name]),
                  "; ".join(f"{row['page']}: {one}" for row in group for what in ("failed", "differs", "flipped")
                            for one in row[what]) or "–"] for name, group in rows.items()]
        head = ["Environment", "Pages", "Cells that fail", "Outputs that differ", "Verdicts that flip", "Which"]
        return [self.table("Every page under other numerics", head, lines, ["status"]), self.origin(record)]


class Downloads(Record):
    """The book as files, each with its size; of what has not been made, the command that makes it."""

    FILES = {"unrolled.pdf": ("the book as a PDF, for paper and for a reader without a browser", "make pdf"),
             "unrolled.epub": ("the book as an ePub, for an e-reader", "make epub"),
             "unrolled-site.zip": ("this site, to read without a network", "make zip")}

    def render(self):
        found = nodes.bullet_list()
        for name, (what, command) in self.FILES.items():
            path = Path(self.env.srcdir, "_build/downloads", name)
            self.env.note_dependency(str(path))
            line = nodes.paragraph()
            if path.exists() and self.env.app.builder.name == "html":       # no book holds the book
                shutil.copy(path, Path(self.env.app.outdir, name))
                up = "../" * self.env.docname.count("/")
                line += nodes.reference("", name, refuri=f"{up}{name}")
                line += nodes.Text(f", {what} ({path.stat().st_size / 2**20:.1f} MiB)")
            else:
                line += [nodes.literal("", command), nodes.Text(f" writes {what}")]
            found += nodes.list_item("", line)
        return [found]


class Parity(Record):
    """Which of our cells equal the library's, and to how many digits."""

    option_spec = {"rows": int, "cell": str, "against": str, "device": str}

    def render(self):
        record, wanted = self.read("_data/parity.json"), self.options
        rows = [row for row in record["rows"] if all(
            row[name].removesuffix("Cell" if name == "cell" else "") == wanted[name]
            for name in ("cell", "against", "device") if name in wanted)][: wanted.get("rows")]
        if not rows:
            raise ValueError(f"no row of the parity record fits {wanted}")
        state = "Weights" if all("weights" in row for row in rows) else "State"
        head = ["Ours", "Cases", "Output", state, "Gradients", "Bound", "Result", "Varied"]
        label = " ".join(["Proved equal", *(wanted[name] for name in ("cell", "against", "device") if name in wanted)])
        return [self.table(label, head, [self.row(row) for row in rows], ["parity"]),
                self.origin(next((row["measured_on"] for row in rows if "measured_on" in row), record))]

    def row(self, row):
        """One line of the table. What was not measured has no numbers, and says why in its result."""
        error = {key: row.get(key) for key in ("output", "final_state", "input_gradients", "parameter_gradients")}
        error["final_state"] = row.get("weights", error["final_state"])
        gradients = [error.pop(key) for key in ("input_gradients", "parameter_gradients")]
        error["gradients"] = max((value for value in gradients if value is not None), default=None)
        numbers = ["–" if value is None else f"{value:.1e}" if value else "0" for value in error.values()]
        options = ", ".join(f"{name}={value!r}" for name, value in row["options"].items())
        called = f"`{row['backend']}.{row['cell']}" + (f"({options})`" if options else "`")
        result = nodes.inline("", row["status"], classes=["verdict", "holds" if row["status"] == "equal" else "open"])
        return [f"{called} {row['input']}, {row['dtype']}, {row['device']}",
                str(row["configurations"]), *numbers, f"{row['tolerance']:.0e}", [result], row["varied"]]


class ParityCount(Record):
    """How many rows of the parity record have which result."""

    def render(self):
        found = {}
        for row in self.read("_data/parity.json")["rows"]:
            found.setdefault(row["status"], []).append(row["configurations"])
        rows = sum(map(len, found.values()))
        text = "; ".join(f"**{len(cases)}** {status}, in {sum(cases):,} cases" for status, cases in found.items())
        return [nodes.paragraph("", "", *self.inline(f"Of the {rows} rows below: {text}."))]


def plain_docstring(app, what, name, obj, options, lines):
    """Translate docstrings, which are written for people, into the reStructuredText that Sphinx reads.

    A block of formulas, indented after an empty line, is shown as it stands; `code` becomes ``code``; a bar is a bar.
    """
    section = re.compile(r"(Args|Returns|Raises|Yields|Attributes):$")
    translated, literal, before = [], False, "."
    for index, line in enumerate(lines):
        indented = line.startswith("    ")
        opens = indented and not lines[index - 1] and not before.startswith("    ") and not section.match(before)
        if opens and not literal:
            translated += ["::", ""]
            literal = True
        elif line and not indented:
            literal = False
        if not literal:
            parts = re.split("`+([^`]+)`+", line)         # prose, code, prose, …
            for at, part in enumerate(parts):
                follows = parts[at + 1] if at % 2 else ""
                code = f"``{part}``" + r"\ " * follows[:1].isalnum()
                parts[at] = code if at % 2 else part.replace("|", r"\|")
            line = "".join(parts)
        translated.append(line)
        before = line or before
    lines[:] = translated


def setup(app):
    app.add_node(scrolling, html=(visit_scrolling, depart_scrolling), latex=(as_it_is, as_it_is))
    app.add_directive("page-cost", PageCost)
    app.add_directive("status", Status)
    app.add_directive("parity", Parity)
    app.add_directive("parity-count", ParityCount)
    app.add_directive("downloads", Downloads)
    app.add_directive("robust", Robust)
    app.connect("autodoc-process-docstring", plain_docstring, priority=100)      # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 3}
