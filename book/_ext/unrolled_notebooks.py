"""Each notebook once more in plain Markdown, for Colab, JupyterLab, GitHub and a folder on a disk.

The book's pages use roles and directives, which only Sphinx reads. Once the site is built, all numbers and titles are
known, and every page is written again without them: `_sources/book/rnn/order-and-state.ipynb`, which is what the page's
download button gives. Equations and figures keep the numbers of the site, captions stand below their figures, answers
and solutions are folded, the quiz and the works cited stand at the end. Code cells are the same; their outputs are
those of this build, figures included.
"""

import posixpath
import re
from copy import deepcopy
from pathlib import Path

import nbformat
from docutils import nodes
from nbformat import v4
from pybtex.backends.markdown import Backend
from sphinx.errors import ExtensionError
from sphinx.util.display import status_iterator
from unrolled_directives import read
from unrolled_execution import executed, notebooks
from unrolled_ledger import CLAIM_MIME, sources
from unrolled_quiz import HEADING, quizzes, shown_order
from unrolled_touch import TOUCH_MIME

FENCE = re.compile(r"(?P<fence>:{3,}|`{3,})\{(?P<name>[\w-]+)\} *(?P<argument>.*)")
OPTION = re.compile(r":([\w-]+): *(.*)")
ROLE = re.compile(r"\{(?P<name>[\w:]+)\}`(?P<target>[^`]+)`")
EQUATION = re.compile(r"\s*\n?\$\$ *\((?P<label>[\w-]+)\)")
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s:]+\.md)(?P<anchor>#[^)\s]*)?\)")
COMPARED = "nbval-check-output"
COLOUR = re.compile(r"\\textcolor\{(#\w+)\}(?=\{)")
SIGNS = re.compile(r"[\\`*_|<\[$~]")                        # what Markdown would read as more than a sign
MARKS = ((r"`([^`]+)`", r"<code>\1</code>"), (r"\*\*(\S|\S.*?\S)\*\*", r"<strong>\1</strong>"),
         (r"\*(\S|\S.*?\S)\*", r"<em>\1</em>"))
ADDRESS = re.compile(r'(href="[\w./-]+)\.html')


FETCH = """\
try:
    import unrolled
except ModuleNotFoundError:     # Colab
    %pip install -q "git+{address}"
"""


def coloured(text):
    """Formulas with colours as both MathJax 2, of Jupyter and Colab, and MathJax 3, of GitHub, show them."""
    while found := COLOUR.search(text):
        depth, end = 0, found.end()
        while end == found.end() or depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0) * (text[end - 1] != "\\")
            end += 1
        text = f"{text[:found.start()]}{{\\color{{{found[1]}}}{text[found.end():end]}}}{text[end:]}"
    return text


def inline(text):
    """A line of Markdown inside an HTML element, where no Markdown is read; formulas stay as they are."""
    parts = re.split(r"(\$[^$]+\$)", str(text).replace("&", "&amp;").replace("<", "&lt;"))
    for pattern, html in MARKS:
        parts[::2] = [re.sub(pattern, html, part) for part in parts[::2]]
    return "".join(parts)


class Plain:
    """What turns the Markdown of one page into plain Markdown.

    Args:
        env: Sphinx's environment after the build.
        docname: the page, such as `book/rnn/order-and-state`.
    """

    def __init__(self, env, docname):
        self.env, self.docname = env, docname
        self.std, self.cited = env.get_domain("std"), []
        self.citations = {one.key: one for one in env.get_domain("cite").citations}
        self.roles = {"eq": lambda target: f"({self.equation_number(target[1])})",
                      "numref": self.figure, "ref": self.title, "term": lambda target: target[0],
                      "cite:t": lambda target: self.cite(target[1], "{} ({})"),
                      "cite:p": lambda target: self.cite(target[1], "({}, {})")}
        self.directives = {"dropdown": self.folded, "solution": self.solution, "exercise": self.exercise,
                           "claims": self.claims, "touch": self.touch}

    def markdown(self, text):
        """A piece of Markdown without roles and directives.

        Raises:
            ExtensionError: there is one that has no plain form yet.
        """
        lines, plain = iter(text.split("\n")), []
        for line in lines:
            opened = FENCE.fullmatch(line.strip())
            if not opened:
                plain.append(line)
                continue
            body = []
            for inner in lines:
                if inner.strip() == opened["fence"]:
                    break
                body.append(inner)
            plain.append(self.directive(opened["name"], opened["argument"], body))
        text = ROLE.sub(self.role, "\n".join(plain))
        text = EQUATION.sub(lambda found: rf" \tag{{{self.equation_number(found['label'])}}}" "\n$$", text)
        return LINK.sub(self.link, coloured(text))

    def role(self, found):
        if found["name"] not in self.roles:
            raise ExtensionError(f"{self.docname}: the role {found['name']} has no plain form")
        explicit = re.fullmatch(r"(.*\S)\s*<(.+)>", found["target"], re.DOTALL)
        return self.roles[found["name"]](explicit.groups() if explicit else (found["target"],) * 2)

    def directive(self, name, argument, body):
        options = {}
        while body and (option := OPTION.fullmatch(body[0].strip())):
            options[option[1]] = option[2]
            body = body[1:]
        if name not in self.directives:
            raise ExtensionError(f"{self.docname}: the directive {name} has no plain form")
        return self.directives[name](argument, options, self.markdown("\n".join(body).strip("\n")))

    def link(self, found):
        """A link to a page that is no notebook leads to the site, or nowhere if the site has no address."""
        base = self.env.config.html_baseurl
        if not base:
            return found["text"]
        page = posixpath.normpath(posixpath.join(posixpath.dirname(self.docname), found["target"]))
        return f"[{found['text']}]({base.rstrip('/')}/{page.removesuffix('.md')}.html{found['anchor'] or ''})"

    # Numbers and titles, as on the site

    def number(self, kind, docname, name):
        return ".".join(map(str, self.env.toc_fignumbers[docname][kind][name]))

    def equation_number(self, label):
        docname = self.env.get_domain("math").equations[label][0]
        return self.number("displaymath", docname, f"equation-{label}")

    def figure(self, target):
        docname, name = self.std.anonlabels[target[1]]
        return f"Fig. {self.number('figure', docname, name)}"

    def title(self, target):
        return target[0] if target[0] != target[1] else self.std.labels[target[1]][2]

    def cite(self, keys, form):
        said = []
        for key in (key.strip() for key in keys.split(",")):
            if key not in self.cited:
                self.cited.append(key)
            entry = self.citations[key].entry
            names = [" ".join((*one.prelast_names, *one.last_names)) for one in entry.persons["author"]]
            who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
            said.append(form.format(who.translate({ord("{"): None, ord("}"): None}), entry.fields["year"]))
        return "; ".join(said).replace("); (", "; ")

    # Directives

    def folded(self, argument, options, body):
        return f"<details>\n<summary>{inline(argument)}</summary>\n\n{body}\n\n</details>"

    def exercise(self, argument, options, body):
        name = options["label"]
        return f"**Exercise {self.number('exercise', self.docname, name)}** ({argument})\n\n{body}"

    def solution(self, argument, options, body):
        number = self.number("exercise", self.docname, argument)
        return self.folded(f"Solution of exercise {number}", options, body)

    def claims(self, argument, options, body):
        """The rows that the site shows."""
        tables = [one for one in self.env.get_doctree(self.docname).findall(nodes.table) if "claims" in one["classes"]]
        if len(tables) != 1:
            raise ExtensionError(f"{self.docname}: expected one table of claims, found {len(tables)}")
        lines = [[SIGNS.sub(r"\\\g<0>", entry.astext().replace("\n", " ")) for entry in row.findall(nodes.entry)]
                 for row in tables[0].findall(nodes.row)]
        lines.insert(1, ["---"] * len(lines[0]))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def touch(self, argument, options, body):
        """A figure that moves on the site only: its caption, and where it is."""
        number, base = self.figure((options["name"],) * 2), self.env.config.html_baseurl
        where = f"[on the site]({base.rstrip('/')}/{self.docname}.html#{options['name']})" if base else "on the site"
        return f"**{number}.** {body} (You can move this figure {where}.)"

    # The end of a page

    def quiz(self, entries):
        """A text for the heading, and one for each question."""
        parts = [f"## {HEADING}\n\nEach option opens on its explanation."]
        for number, entry in enumerate(entries, 1):
            options = []
            for choice in shown_order(entry["options"]):
                kind, verdict = ("right", "Right") if "right" in choice else ("wrong", "Not so")
                options.append(self.folded(choice["text"], {}, f"**{verdict}.** {choice[kind].strip()}"))
            parts.append("\n\n".join([f"**{number}.** {entry['question'].strip()}", *options]))
        return map(coloured, parts)

    def sources(self):
        rendered = (self.citations[key].formatted_entry.text.render(Backend()) for key in self.cited)
        entries = sorted(" ".join(entry.split()) for entry in rendered)
        return "## Sources\n\n" + "\n".join(f"- {entry}" for entry in entries)


def plain_notebook(app, path, docname):
    """One page in plain Markdown, as this build executed it."""
    nb, plain = nbformat.read(path, as_version=4), Plain(app.env, docname)
    ran = (cell for cell in executed(app, path)[0].cells if cell.cell_type == "code")       # the cache keeps no text
    cells, ledger = [], read(app.env, "claims.yml")
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cells.append(v4.new_markdown_cell(plain.markdown(cell.source)))
            continue
        metadata = {key: cell.metadata[key] for key in ("tags", "jupyter", "cellView") if key in cell.metadata}
        outputs, judged = next(ran).outputs, []
        before = deepcopy(outputs)
        outputs = [output for output in outputs if TOUCH_MIME not in output.get("data", {})]    # no figure is there
        for output in outputs:
            if bundle := output.get("data", {}).get(CLAIM_MIME):
                claim = ledger[bundle["key"]]
                judged.append(f"**Claim** ({sources(claim)}): *{claim['claim']}*")
            for kind in [kind for kind in output.get("data", {}) if "unrolled" in kind]:
                del output.data[kind]
            for kind in ("text/html", "image/svg+xml"):
                if kind in output.get("data", {}):
                    text = ADDRESS.sub(r"\1.ipynb", output.data[kind])
                    output.data[kind] = text.replace("</a><small>", "</a> <small>")
        if outputs != before and COMPARED in metadata.get("tags", []):      # it would print what Sphinx reads
            metadata["tags"] = [tag for tag in metadata["tags"] if tag != COMPARED]
        if judged:                                        # in a cell of its own, which stays when the code is run again
            cells.append(v4.new_markdown_cell("\n\n".join(judged)))
        address = app.config.html_theme_options.get("repository_url")
        fetch = FETCH.format(address=address) if address and "setup" in metadata.get("tags", []) else ""
        cells.append(v4.new_code_cell(fetch + cell.source, metadata=metadata, outputs=outputs,
                                      execution_count=cell.execution_count))
        if figure := cell.metadata.get("mystnb", {}).get("figure"):
            number, caption = plain.figure((figure["name"],) * 2), plain.markdown(figure["caption"])
            cells.append(v4.new_markdown_cell(f"**{number}.** {caption}"))
    if entries := quizzes(path.parent).get(path.stem):
        cells += map(v4.new_markdown_cell, plain.quiz(entries))
    if plain.cited:
        cells.append(v4.new_markdown_cell(plain.sources()))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    return v4.new_notebook(cells=cells, metadata=nb.metadata)


def write(app, failure):
    """Write the plain notebooks of the pages that this build wrote, in the place of the sources that it copied."""
    if failure or app.builder.name != "html" or not app.config.html_copy_source:
        return
    pages = notebooks(app.env)
    targets = {name: Path(app.outdir, "_sources/book", f"{name}.ipynb") for name in pages}
    stale = [name for name, target in targets.items()
             if target.stat().st_mtime_ns <= Path(app.outdir, f"book/{name}.html").stat().st_mtime_ns]
    for name in status_iterator(stale, "writing plain notebooks... ", "darkgreen", len(stale), app.verbosity):
        nbformat.write(plain_notebook(app, pages[name], f"book/{name}"), targets[name])


def setup(app):
    app.connect("build-finished", write, priority=950)       # newer than the HTML, which is mended before
    return {"parallel_read_safe": True, "parallel_write_safe": True}
