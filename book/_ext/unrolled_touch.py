"""Figures that a reader can move, without a kernel and without another host.

    ```{touch} memory
    :name: fig-touch-memory
    The caption: what to try, and what to see.
    ```

`book/_static/touch/memory.js` draws the figure and computes its numbers as `unrolled.numpy` does; a test in the browser
compares the two. Controls are the browser's own, so that keyboard, touch and screen reader work, and a sentence below
the drawing says in words what it shows. Without a script there is the caption alone.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

SCRIPTS = Path(__file__).resolve().parent.parent / "_static/touch"


class stage(nodes.General, nodes.Element):
    """Where a script draws."""


class Touch(SphinxDirective):
    """A figure to touch, numbered like the others."""

    required_arguments = 1
    option_spec = {"name": directives.unchanged_required}
    has_content = True

    def run(self):
        name = self.arguments[0]
        if not (SCRIPTS / f"{name}.js").exists():
            raise self.error(f"there is no book/_static/touch/{name}.js")
        figure = nodes.figure("", stage(script=name), classes=["touch"])
        caption = nodes.caption()
        self.state.nested_parse(self.content, self.content_offset, parsed := nodes.container())
        caption += parsed.children[0].children
        figure += caption
        self.add_name(figure)
        self.env.metadata[self.env.docname].setdefault("touch", []).append(name)
        return [figure]


def visit_stage(self, node):
    self.body.append(self.starttag(node, "div", "", CLASS="stage", **{"data-touch": node["script"]}))


def depart_stage(self, node):
    self.body.append("<noscript>This figure needs JavaScript. Its caption says what it shows.</noscript></div>\n")


def scripts_of_this_page(app, pagename, templatename, context, doctree):
    """Load the scripts of the figures that a page has, and no others."""
    names = app.env.metadata.get(pagename, {}).get("touch", [])
    for script in ("touch/touch.js", *(f"touch/{name}.js" for name in dict.fromkeys(names))) if names else ():
        app.add_js_file(script, defer="defer")


def setup(app):
    app.add_node(stage, html=(visit_stage, depart_stage))
    app.add_directive("touch", Touch)
    app.connect("html-page-context", scripts_of_this_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
