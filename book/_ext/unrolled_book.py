"""The book's own Sphinx extension: its directives, and the mending of the HTML that the theme writes.

Directives, each a table built from records and never typed:

    {claims} [CHAPTER]      the ledger: book/claims.yml merged with the verdicts of this build's own execution;
                            option `keys` names the rows
    {chapter-cost} CHAPTER  one sentence: time and memory of a chapter, from book/_data/status.json
    {status}                the same for every chapter, with the machine and the versions
    {robust}                what comes out otherwise under other numerics, from book/_data/robust.json
    {parity}                which cells are proved equal, from book/_data/parity.json; options `cell`, `against` and
                            `device` choose rows, `rows` limits their number

A record that is missing or malformed is a warning, which the strict build turns into a failure.
"""

import importlib.util
import json
import logging as std_logging
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pydata_sphinx_theme
import yaml
from bs4 import BeautifulSoup
from bs4.formatter import HTMLFormatter
from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from jupyter_cache import get_cache
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)
CLAIM_MIME = "application/vnd.unrolled.claim+json"
MARKS = {"holds": "holds", "does not hold": "fails", "not measured yet": "open", "undecided": "open",
         "cited": "open"}
SUMMARIES = "book/claims", "book/index", "book/status"          # the pages that show what the notebooks found
CLAIM_CALL = re.compile(r"""\bclaim\(\s*["']([a-z0-9-]+)["']""")


# The directives


class scrolling(nodes.General, nodes.Element):
    """A container that scrolls sideways, can be reached by keyboard, and has a name for those who hear it."""


def visit_scrolling(self, node):
    self.body.append(self.starttag(node, "div", CLASS="scrolling", role="region", tabindex="0",
                                   **{"aria-label": node["label"]}))


def depart_scrolling(self, node):
    self.body.append("</div>\n")


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
        """The contents of a file under book/, on which this page then depends."""
        path = Path(self.env.srcdir, "book", name)
        self.env.note_dependency(str(path))
        text = path.read_text(encoding="utf-8")
        record = yaml.safe_load(text) if path.suffix == ".yml" else json.loads(text)
        if not isinstance(record, dict):
            raise ValueError(f"{path.name} must hold a mapping, and holds a {type(record).__name__}")
        return record

    def inline(self, text):
        """Inline Markdown, mathematics included, as nodes."""
        parsed, messages = self.state.inline_text(str(text), self.lineno)
        return parsed + messages

    def reference(self, domain, kind, target, text):
        """A link to a page or a label, checked by Sphinx."""
        link = addnodes.pending_xref("", nodes.inline("", text), refdomain=domain, reftype=kind, reftarget=target,
                                     refexplicit=True, refwarn=True, refdoc=self.env.docname)
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


class Claims(Record):
    """The ledger, or one chapter's rows of it."""

    optional_arguments = 1
    option_spec = {"keys": str.split}

    def render(self):
        only, keys = self.arguments[0] if self.arguments else None, self.options.get("keys")
        claims = self.read("claims.yml")
        verdicts = self.verdicts(claims, only)
        rows = []
        for key, claim in claims.items():
            if only not in (None, claim["chapter"]) or (keys and key not in keys):
                continue
            if key not in verdicts:
                raise ValueError(f"claim {key!r} has no measured verdict in book/{claim['chapter']}.ipynb")
            numbered = all(source.isdigit() for source in claim["source"])
            sources = "source " * numbered + ", ".join(claim["source"])
            verdict = verdicts[key]["verdict"]
            mark = next((mark for word, mark in MARKS.items() if re.fullmatch(f"{word}(, on .+)?", verdict)), "depends")
            link = self.reference("std", "ref", f"claim-{key}", verdict)
            rows.append([
                self.inline(claim["claim"]) + [nodes.inline("", f" ({sources})", classes=["source"])],
                [nodes.inline("", "", link, classes=["verdict", mark])],
                verdicts[key]["figure"],
                f"{claim['measured']} ({verdicts[key]['basis']})",
            ])
        if not rows or (keys and len(rows) < len(keys)):
            raise ValueError(f"claims.yml lacks a row for {' '.join(keys or [])}{only or ''}")
        label = "Claims ledger" if only is None else f"Claims measured in chapter {only}"
        return [self.table(label, ["Claim", "Verdict", "Figure", "How it is measured"], rows, ["claims"])]

    def verdicts(self, claims, only):
        """The verdict of each claim, or of each of one chapter, from the execution that the pages themselves show."""
        found = {}
        for path in sorted(Path(self.env.srcdir, "book").glob(f"{only or '*'}.ipynb")):
            self.env.note_dependency(str(path))
            for cell in executed(self.env.app, path)[0].cells:
                for output in cell.get("outputs", []):
                    if CLAIM_MIME not in output.get("data", {}):
                        continue
                    bundle = output["data"][CLAIM_MIME]
                    key = bundle["key"]
                    if key in found:
                        raise ValueError(f"claim {key!r} is measured twice")
                    if key not in claims:
                        raise ValueError(f"claim {key!r} of {path.name} has no row in claims.yml")
                    if claims[key]["chapter"] != path.stem:
                        raise ValueError(f"claim {key!r} belongs to {claims[key]['chapter']!r}, not to {path.name}")
                    found[key] = bundle
        return found


def executed(app, path):
    """A notebook as this build executed it, and the seconds that this took, None where the build executes nothing.

    MyST-NB keeps each execution in a cache before it writes the page; `notebooks_first` sees to it that every notebook
    is there when a page asks.
    """
    nb = nbformat.read(path, as_version=4)
    if app.env.mystnb_config.execution_mode != "cache":
        return nb, None
    try:
        cache = get_cache(app.env.mystnb_config.execution_cache_path)
        record = cache.match_cache_notebook(nb)
        return cache.get_cache_bundle(record.pk).nb, record.data.get("execution_seconds")
    except KeyError as error:
        raise ValueError(f"{path.name} was not executed by this build") from error


def notebooks_first(app, env, docnames):
    """Read every notebook before the pages that show what the notebooks found, and those again with them."""
    changed = [name for name in docnames if env.doc2path(name, base=False).endswith(".ipynb")]
    if changed:
        docnames += [name for name in SUMMARIES if name in env.found_docs and name not in docnames]
    docnames.sort(key=lambda name: name not in changed)                 # stable: otherwise as Sphinx has them


class ChapterCost(Record):
    """Time and memory of one chapter, in a sentence."""

    required_arguments = 1

    def render(self):
        record = self.read("_data/status.json")
        cost = record["chapters"][self.arguments[0]]
        text = (f"Runs in {cost['seconds']:.0f} seconds on one core, with {cost['peak_mib']} MiB of memory at its peak "
                f"({record['device'].removesuffix(', one core')}).")
        return [nodes.paragraph("", "", *self.inline(text), classes=["chapter-cost"])]


class Status(Record):
    """Time and memory of every chapter: what this build needed, beside what was measured on a quiet core."""

    def render(self):
        record = self.read("_data/status.json")
        rows = []
        for name, cost in sorted(record["chapters"].items(), key=lambda chapter: self.place(chapter[0])):
            seconds = executed(self.env.app, Path(self.env.srcdir, "book", f"{name}.ipynb"))[1]
            rows.append([[self.reference("std", "doc", f"/book/{name}", self.title(name))],
                         "–" if seconds is None else f"{seconds:.1f}", f"{cost['seconds']:.1f}", f"{cost['peak_mib']}"])
        head = ["Chapter", "Seconds, this build", "Seconds, one quiet core", "Peak memory, MiB"]
        return [self.table("Run time and memory of each chapter", head, rows, ["status"]), self.origin(record)]

    def place(self, name):
        """Where a chapter stands in the book."""
        return Path(self.env.srcdir, "_toc.yml").read_text(encoding="utf-8").index(f"book/{name}\n")

    def title(self, name):
        """A chapter's title, read from its first heading."""
        cells = self.read(f"{name}.ipynb")["cells"]
        return re.search(r"^# (.+)$", "".join(cells[0]["source"]), re.MULTILINE)[1]


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
        return [f"{called} {row['input']}, {row['dtype']}, {row['device']}",
                str(row["configurations"]), *numbers, f"{row['tolerance']:.0e}", row["status"], row["varied"]]


def anchor_claims(app, doctree):
    """Give each cell that measures a claim the anchor `claim-KEY`, so that the ledger can point at it."""
    std = app.env.get_domain("std")
    for cell in doctree.findall(lambda node: isinstance(node, nodes.Element) and "cell" in node.get("classes", ())):
        source = next(iter(cell.findall(nodes.literal_block)), None)
        for key in CLAIM_CALL.findall(source.astext()) if source is not None else ():
            name = f"claim-{key}"
            cell["ids"].append(name)
            std.anonlabels[name] = app.env.docname, name
            std.labels[name] = app.env.docname, name, key


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


# The pages


def configure(app, config):
    """Derive the site's address, for canonical links and the site map, from the repository's."""
    url = urlsplit(config.html_theme_options["repository_url"])
    owner, name = url.path.strip("/").split("/")
    config.html_baseurl = config.html_baseurl or f"https://{owner}.github.io/{name}/"
    config.ogp_site_url = config.ogp_site_url or config.html_baseurl


def silence_thebe(app):
    """Jupyter Book loads thebe, which puts its scripts on every page even when it is off: take its hooks out."""
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if not one.handler.__module__.startswith("sphinx_thebe")]


def finish(app, exception):
    """After the pages are written: MathJax beside them, dead weight out, and their HTML mended."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    front = app.config.root_doc
    (out / "index.html").write_text(FRONT.format(
        language=app.config.language, title=app.config.html_title, page=f"{front}.html",
        canonical=f"{app.config.html_baseurl}{front}.html"), encoding="utf-8")
    copy_mathjax(out / "_static/mathjax")
    pages = [page for page in out.rglob("*.html") if "_static" not in page.parts and page != out / "index.html"]
    for page in pages:
        before = page.read_text(encoding="utf-8")
        after = mend(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
    subset_icons(out, pages)


FRONT = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="canonical" href="{canonical}">
<link rel="icon" href="_static/favicon.svg">
<meta http-equiv="refresh" content="0; url={page}">
</head>
<body>
<main><h1>{title}</h1><p>The book begins on <a href="{page}">its front page</a>.</p></main>
</body>
</html>
"""


def copy_mathjax(target):
    """Copy what a page may ask of MathJax 3 (TeX input, HTML output, its fonts) out of the installed package."""
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"
    parts = ("startup", "core", "input/tex", "output/chtml", "a11y/assistive-mml")
    for part in (*(f"{name}.js" for name in parts), "input/tex", "output/chtml"):
        if (package / part).is_dir():
            shutil.copytree(package / part, target / part, dirs_exist_ok=True)
        else:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(package / part, target / part)


def subset_icons(out, pages):
    """Keep of the icon fonts, 300 kB, and of their 1,400 rules the few that the pages show."""
    sheet = out / "_static/styles/pydata-sphinx-theme.css"
    theme = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
    style = (theme / "styles" / sheet.name).read_text(encoding="utf-8")      # the site's own may be cut already
    icons = {}                                            # class name -> code point, from the font's own rules
    for names, code in re.findall(r'([^{}]*:before)\{content:"\\([0-9a-f]{4})"', style):
        icons |= dict.fromkeys(re.findall(r"\.(fa-[a-z0-9-]+):before", names), int(code, 16))
    rule = r'([^{}]*\.fa-[a-z0-9-]+:before)\{content:"\\([0-9a-f]{4}) ?"\}'
    own = re.sub(rule, "", style)
    sheets = [own, *(path.read_text(encoding="utf-8") for path in out.glob("_static/**/*.css") if path != sheet)]
    used = {ord(icon) for text in sheets for icon in re.findall("[\ue000-\uf8ff]", text)}
    used |= {int(code, 16) for text in sheets for code in re.findall(r"\\([ef][0-9a-f]{3})\b", text)}
    for path in [*pages, *out.glob("_static/**/*.js")]:
        if "mathjax" not in path.parts:
            names = re.findall(r"fa-[a-z0-9-]+", path.read_text(encoding="utf-8"))
            used |= {icons[name] for name in names if name in icons}
    std_logging.getLogger("fontTools").setLevel(std_logging.WARNING)
    for whole in out.glob("_static/vendor/fontawesome/webfonts/*.ttf"):
        font = TTFont(whole)
        cut = subset.Subsetter(subset.Options(drop_tables=["GSUB"]))
        cut.populate(unicodes=used)
        cut.subset(font)
        font.flavor = "woff"
        font.save(whole.with_suffix(".woff"))
    style = re.sub(rule, lambda match: match[0] if int(match[2], 16) in used else "", style)
    style = re.sub(r'(fa-\w+-\d+)\.woff2"?\)\s*format\("woff2"\)', r'\1.woff) format("woff")', style)
    sheet.write_text(style, encoding="utf-8")


MINIMAL = HTMLFormatter.REGISTRY["minimal"].entity_substitution
VOID = HTMLFormatter(entity_substitution=MINIMAL, void_element_close_prefix="")     # <br>, not <br/>


def mend(html):
    """Mend what is invalid, inaccessible or needless in the theme's HTML. Mending twice changes nothing."""
    soup = BeautifulSoup(html, "html.parser")
    needless = ['script[src*="fontawesome.js"]', 'link[href*="sphinx-thebe"]', "h1:empty",
                'meta[name="viewport"] ~ meta[name="viewport"]']
    if not soup.select_one("#search-results"):            # the index grows with the book, and serves where one searches
        needless += [f'script[src*="{name}.js"]' for name in ("searchtools", "language_data", "searchindex")]
    for tag in soup.select(", ".join(needless)):
        tag.decompose()
    for tag in soup.select("summary p"):                  # only phrasing may stand in a summary
        tag.name = "span"
    headless = "article.bd-article, section:has(> h1), section#exercise-content, section#solution-content"
    for tag in soup.select(headless):                     # a section must have a heading, and not the page's own
        tag.name = "div"
    for tag in soup.select("#exercise-content, #solution-content"):
        del tag["id"]                                     # every exercise of a page has the same
    for tag in soup.select("pre div.viewcode-block"):
        tag.name = "span"
    for tag in soup.select(".search-button-field[aria-label], details.hide > summary[aria-label]"):
        del tag["aria-label"]                             # it hides the words that are on the screen
    for tag in soup.select('[role="doc-biblioentry"]'):
        tag["role"] = "listitem"                          # the role that an entry had is deprecated
    for tag in soup.select(".bd-sidebar-primary .sidebar-primary-item:has(> .navbar-brand)"):
        tag["role"], tag["aria-label"] = "navigation", "Home"       # the logo stands outside every landmark
    return soup.decode(formatter=VOID)


def setup(app):
    app.add_node(scrolling, html=(visit_scrolling, depart_scrolling))
    app.add_directive("claims", Claims)
    app.add_directive("chapter-cost", ChapterCost)
    app.add_directive("status", Status)
    app.add_directive("parity", Parity)
    app.add_directive("robust", Robust)
    app.connect("config-inited", configure, priority=100)
    app.connect("builder-inited", silence_thebe, priority=0)
    app.connect("env-before-read-docs", notebooks_first)
    app.connect("doctree-read", anchor_claims)
    app.connect("autodoc-process-docstring", plain_docstring, priority=100)      # before napoleon
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
