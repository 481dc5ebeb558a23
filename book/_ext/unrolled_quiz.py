"""A quiz at the end of each page that has one in the `quiz.yml` of its chapter's folder.

    order-and-state:                            the page's name
      - question: What is $h_1$?                Markdown
        given: h = math.tanh(0.5)               Python that a test runs; it has math, np, torch, unrolled, rng
        options:
          - text: $0.462$
            right: It is $\\tanh(0.5)$.         why it is right, or
            holds: round(h, 3) == 0.462
          - text: $0.500$
            wrong: This is $a_1$.               what the reader who chose it mixed up
            holds: round(h, 3) == 0.5

`holds` says in Python what the option says in words. A test evaluates every one: it is true of the right option alone,
so no key is only typed. On the page an option is a disclosure that opens on its explanation: it needs no script, and
quiz.js adds the count. Options are shown in an order that depends on their texts alone, so that position tells nothing.
"""

import hashlib
import json
from pathlib import Path

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

HEADING = "Check yourself"


class quiz_node(nodes.General, nodes.Element):
    """All questions of a page."""


class question_node(nodes.General, nodes.Element):
    """One question and its options."""


class option_node(nodes.General, nodes.Element):
    """An option, whose first child is what it says and whose second is why it is right or wrong."""


def quizzes(folder):
    """The quizzes of a chapter's folder, by the page's name; {} where there are none."""
    path = Path(folder, "quiz.yml")
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}


def shown_order(options):
    """The options as the page shows them."""
    return sorted(options, key=lambda one: hashlib.sha256(str(one["text"]).encode()).hexdigest())


class Quiz(SphinxDirective):
    """The questions of this page."""

    def run(self):
        source = Path(self.env.doc2path(self.env.docname))
        result = quiz_node(page=self.env.docname.removeprefix("book/"))
        for number, entry in enumerate(quizzes(source.parent)[source.stem], 1):
            one = question_node(label=f"Question {number}")
            one += self.markdown(f"**{number}.** {entry['question']}")
            for place, choice in enumerate(shown_order(entry["options"]), 1):
                kind = "right" if "right" in choice else "wrong"
                says, why = nodes.inline("", "", *self.markdown(str(choice["text"]))[0].children), nodes.container()
                why += self.markdown(f"**{'Right' if kind == 'right' else 'Not so'}.** {choice[kind]}")
                one += option_node("", says, why, kind=kind, place=place)
            result += one
        return [result]

    def markdown(self, text):
        """Markdown as nodes."""
        parsed = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), self.env.docname), 0, parsed)
        return parsed.children


def visit_quiz(self, node):
    self.body.append(self.starttag(node, "div", CLASS="quiz", **{"data-page": node["page"]}))


def visit_question(self, node):
    self.body.append(self.starttag(node, "div", CLASS="question", role="group", **{"aria-label": node["label"]}))


def depart_div(self, node):
    self.body.append("</div>\n")


def visit_option(self, node):
    named = f'<span class="visually-hidden">Option {node["place"]}: </span>'       # some options are a formula alone
    self.body.append(self.starttag(node, "details", CLASS=f"option {node['kind']}") + f"<summary>{named}")
    node.children[0].walkabout(self)
    self.body.append("</summary>\n")
    node.children[1].walkabout(self)
    self.body.append("</details>\n")
    raise nodes.SkipNode


def passed(self, node):
    """On paper, an element that is its contents."""


def answers(quiz):
    """Take the explanations out of a quiz: nodes that say for each question which option is right, and why."""
    found = []
    for number, question in enumerate(quiz.findall(question_node), 1):
        found.append(nodes.paragraph("", "", nodes.strong("", f"Question {number}")))
        for option in sorted(question.findall(option_node), key=lambda one: one["kind"] == "wrong"):
            why = option.pop()
            why[0].insert(0, nodes.Text(f"{letter(option)}. "))
            found += why.children
    return found


def letter(option):
    return "abcdefgh"[option["place"] - 1]


def option_in_latex(self, node):
    self.body.append(f"\n\\option{{{letter(node)}}} ")
    node.children[0].walkabout(self)
    self.body.append("\n\n")
    raise nodes.SkipNode


def add_quiz(app, docname, source):
    """Put a heading and the directive behind the last cell of a notebook that has a quiz."""
    path = Path(app.env.doc2path(docname))
    found = quizzes(path.parent) if path.suffix == ".ipynb" else {}
    if found:
        app.env.note_dependency(str(path.parent / "quiz.yml"))
    if path.stem not in found:
        return
    nb = json.loads(source[0])
    text = f"## {HEADING}\n\n```{{quiz}}\n```"
    nb["cells"].append({"cell_type": "markdown", "id": "quiz", "metadata": {}, "source": text})
    source[0] = json.dumps(nb)


def check_names(app, env, docnames):
    """Stop at a quiz of a page that does not exist."""
    for path in sorted(Path(app.srcdir, "book").glob("*/quiz.yml")):
        if lost := [name for name in quizzes(path.parent) if not path.with_name(f"{name}.ipynb").exists()]:
            raise ExtensionError(f"{path.relative_to(app.srcdir)} has a quiz of {', '.join(lost)}, which is no page")


def setup(app):
    app.add_node(quiz_node, html=(visit_quiz, depart_div), latex=(passed, passed))
    app.add_node(question_node, html=(visit_question, depart_div), latex=(passed, passed))
    app.add_node(option_node, html=(visit_option, None), latex=(option_in_latex, None))
    app.add_directive("quiz", Quiz)
    app.connect("source-read", add_quiz)
    app.connect("env-before-read-docs", check_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
