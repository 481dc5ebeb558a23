"""Figures that a reader can move, without a kernel and without another host.

    ```{touch} memory
    :name: fig-touch-memory
    The caption: what to try, and what to see.
    ```

`book/_static/touch/memory.js` draws the figure and computes its numbers as `unrolled.numpy` does; a test in the browser
compares the two. What takes training or a longer run is computed by a cell of the page, which hands it over with
`unrolled.page.display.to_touch("KEY", …)`; the option `:data: KEY` gives it to the script. Controls are the browser's
own, so that keyboard, touch and screen reader work, and a sentence below the drawing says in words what it shows.
Without a script there is the caption alone.
"""

import json
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective
from unrolled_execution import executed

TOUCH_MIME = "application/vnd.unrolled.touch+json"
SCRIPTS = Path(__file__).resolve().parent.parent / "_static/touch"


class stage(nodes.General, nodes.Element):
    """Where a script draws."""


class Touch(SphinxDirective):
    """A figure to touch, numbered like the others."""

    required_arguments = 1
    option_spec = {"name": directives.unchanged_required, "data": directives.unchanged_required}
    has_content = True

    def run(self):
        name = self.arguments[0]
        if not (SCRIPTS / f"{name}.js").exists():
            raise self.error(f"there is no book/_static/touch/{name}.js")
        figure = nodes.figure("", stage(script=name, numbers=self.numbers()), classes=["touch"])
        caption = nodes.caption()
        self.state.nested_parse(self.content, self.content_offset, parsed := nodes.container())
        caption += parsed.children[0].children
        figure += caption
        self.add_name(figure)
        self.env.metadata[self.env.docname].setdefault("touch", []).append(name)
        return [figure]

    def numbers(self):
        """What a cell of this page handed over under the key of the option `data`, as JSON; else nothing."""
        if "data" not in self.options:
            return ""
        nb, _ = executed(self.env.app, Path(self.env.doc2path(self.env.docname)))
        outputs = (output for cell in nb.cells for output in cell.get("outputs", []))
        found = {bundle["key"]: bundle["numbers"] for output in outputs
                 if (bundle := output.get("data", {}).get(TOUCH_MIME))}
        if self.options["data"] not in found:
            raise self.error(f"no cell of this page hands over {self.options['data']!r}, only {sorted(found)}")
        return json.dumps(found[self.options["data"]], separators=(",", ":"))


ON_PAPER = "On the site, this figure moves."


def visit_stage(self, node):
    if self.builder.name == "epub":
        self.body.append(f'<p class="stage">{ON_PAPER}</p>\n')
        raise nodes.SkipNode
    self.body.append(self.starttag(node, "div", "", CLASS="stage", **{"data-touch": node["script"]}))


def depart_stage(self, node):
    if node["numbers"]:
        numbers = node["numbers"].replace("<", r"\u003c")        # no text in it may end the element
        self.body.append(f'<script type="application/json">{numbers}</script>')
    self.body.append("<noscript>This figure needs JavaScript. Its caption says what it shows.</noscript></div>\n")


def stage_in_latex(self, node):
    self.body.append(f"\\emph{{{ON_PAPER}}}\n")
    raise nodes.SkipNode


def scripts_of_this_page(app, pagename, templatename, context, doctree):
    """Load the scripts of the figures that a page has, and no others."""
    names = app.env.metadata.get(pagename, {}).get("touch", [])
    for script in ("touch/touch.js", *(f"touch/{name}.js" for name in dict.fromkeys(names))) if names else ():
        app.add_js_file(script, defer="defer")


def setup(app):
    app.add_node(stage, html=(visit_stage, depart_stage), latex=(stage_in_latex, None))
    app.add_directive("touch", Touch)
    app.connect("html-page-context", scripts_of_this_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 2}
