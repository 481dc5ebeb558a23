"""The claims ledger: its table, its counts, and the sentence beside each verdict on a page.

    {claims} [CHAPTER]  book/claims.yml merged with the verdicts of this build's own execution; option `keys` names rows
    {claim-counts}      how many sentences of each chapter have which verdict

A row can be linked to as `claims.html#row-KEY`, the cell that measures it as `#claim-KEY`; each leads to the other.
What a row can be filtered by is in its classes, which ledger.js reads.
"""

import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from unrolled_directives import Record, read
from unrolled_execution import executed, notebooks

CLAIM_MIME = "application/vnd.unrolled.claim+json"
CLAIM_CALL = re.compile(r"""\bclaim\(\s*["']([a-z0-9-]+)["']""")
LEDGER = "book/claims"
WORDS = {"holds": "hold", "holds-if": "hold under a condition", "does-not-hold": "do not hold",
         "undecided": "undecided", "not-measured-yet": "not measured yet", "cited": "cited"}
MARKS = {"holds": "holds", "holds-if": "depends", "does-not-hold": "fails"}


def word(verdict):
    """The kind of a verdict, without its condition and its machine: a key of WORDS."""
    return "holds-if" if verdict.startswith("holds if") else verdict.partition(",")[0].replace(" ", "-")


def sources(claim):
    """Where a row's sentence comes from, in words."""
    numbered = all(source.isdigit() for source in claim["source"])
    return "source " * numbered + ", ".join(claim["source"])


def quote(claim):
    """The source's own sentence in quotation marks, behind the number of the source if the row names several."""
    number, text = re.fullmatch(r"(\d{3}: )?(.*)", claim["quote"]).groups(default="")
    return f"{number}“{text}”"


class Ledger(Record):
    """What the two directives share: the verdicts."""

    def verdicts(self, claims, only):
        """The verdict of each claim, or of each of one chapter, from the execution that the pages themselves show."""
        found = {}
        for name, path in notebooks(self.env).items():
            chapter = name.partition("/")[0]
            if only not in (None, chapter):
                continue
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
                        raise ValueError(f"claim {key!r} of {name} has no row in claims.yml")
                    if claims[key]["chapter"] != chapter:
                        raise ValueError(f"claim {key!r} belongs to {claims[key]['chapter']!r}, not to {name}")
                    found[key] = bundle
        return found


class Claims(Ledger):
    """The ledger, or one chapter's rows of it."""

    optional_arguments = 1
    option_spec = {"keys": str.split}

    def render(self):
        only, keys = self.arguments[0] if self.arguments else None, self.options.get("keys")
        claims = self.read("claims.yml")
        verdicts, rows, shown = self.verdicts(claims, only), [], []
        for key, claim in claims.items():
            if only not in (None, claim["chapter"]) or (keys and key not in keys):
                continue
            if key not in verdicts:
                raise ValueError(f"claim {key!r} has no measured verdict in chapter {claim['chapter']}")
            verdict = verdicts[key]["verdict"]
            mark = MARKS.get(word(verdict), "open")
            link = self.reference("std", "ref", f"claim-{key}", verdict)
            shown.append(key)
            rows.append([
                self.inline(claim["claim"]) + self.said(claim),
                [nodes.inline("", "", link, classes=["verdict", mark])],
                self.inline(verdicts[key]["figure"]) + self.margins(verdicts[key]),
                f"{claim['measured']} ({verdicts[key]['basis']})",
            ])
        if not rows or (keys and len(rows) < len(keys)):
            raise ValueError(f"claims.yml lacks a row for {' '.join(keys or [])}{only or ''}")
        label = "Claims ledger" if only is None else f"Claims measured in chapter {only}"
        table = self.table(label, ["Claim", "Verdict", "Figure", "How it is measured"], rows, ["claims"])
        if self.env.docname == LEDGER:                        # each row has one address, and it is here
            for key, row in zip(shown, list(table.findall(nodes.row))[1:]):
                self.name_row(key, row, claims[key], verdicts[key])
        return [table]

    def said(self, claim):
        """Behind our words the source's own sentence, which no folklore has, and the source."""
        words = [nodes.inline("", f" {quote(claim)}", classes=["quote"])] if "quote" in claim else []
        return [*words, nodes.inline("", f" ({sources(claim)})", classes=["source"])]

    def margins(self, bundle):
        """The effects behind a verdict that seeds decide, each with its interval and the margin set beforehand."""
        texts = [f"{one['mean']:.4g}, {one['low']:.4g} to {one['high']:.4g}, margin {one['margin']:.4g}"
                 for one in bundle.get("effects", ()) if one["margin"] is not None]
        text = f" (effect with its 95 % interval: {'; '.join(texts)})".replace("-", "−") if texts else ""
        return [nodes.inline("", text, classes=["effect"])] if texts else []

    def name_row(self, key, row, claim, bundle):
        """The row's address, and what it can be filtered by."""
        name, std = f"row-{key}", self.env.get_domain("std")
        std.anonlabels[name] = self.env.docname, name
        std.labels[name] = self.env.docname, name, key
        row["ids"].append(name)
        row["classes"] += [f"verdict-{word(bundle['verdict'])}", f"kind-{bundle['kind']}",
                           *(f"source-{source}" for source in claim["source"])]


class ClaimCounts(Ledger):
    """How many sentences have which verdict, by chapter."""

    def render(self):
        claims = self.read("claims.yml")
        verdicts = self.verdicts(claims, None)
        chapters = list(dict.fromkeys(claim["chapter"] for claim in claims.values()))
        found = {chapter: [word(verdicts[key]["verdict"]) for key in verdicts if claims[key]["chapter"] == chapter]
                 for chapter in chapters}
        pages = {chapter: f"book/{chapter}/index" for chapter in chapters}
        pages = {chapter: page if page in self.env.found_docs else f"book/{chapter}" for chapter, page in pages.items()}
        lines = [[[self.reference("std", "doc", f"/{pages[chapter]}")],
                  *(str(words.count(one)) for one in WORDS), str(len(words))] for chapter, words in found.items()]
        every = [one for words in found.values() for one in words]
        lines.append(["**All**", *(str(every.count(one)) for one in WORDS), str(len(every))])
        head = ["Chapter", *WORDS.values(), "all"]
        return [self.table("How many sentences have which verdict", head, lines, ["counts"])]


def anchor_claims(app, doctree):
    """Give each cell that measures a claim the anchor `claim-KEY`; put the sentence that it judges above its verdict,
    and lead from there to the ledger's row."""
    std, env = app.env.get_domain("std"), app.env
    for cell in doctree.findall(lambda node: isinstance(node, nodes.Element) and "cell" in node.get("classes", ())):
        source = next(iter(cell.findall(nodes.literal_block)), None)
        for key in CLAIM_CALL.findall(source.astext()) if source is not None else ():
            name = f"claim-{key}"
            cell["ids"].append(name)
            std.anonlabels[name] = env.docname, name
            std.labels[name] = env.docname, name, key
            claim = read(env, "claims.yml").get(key)             # without a row, the ledger itself complains
            badge = next((one for one in cell.findall(nodes.literal) if one.astext() == key), None)
            if claim and badge is not None:
                judge(env, badge, key, claim)


def judge(env, badge, key, claim):
    """Above a verdict the sentence that it is about; the key leads to the row."""
    line = badge.parent
    badge.replace_self(pending_xref("", badge.deepcopy(), refdomain="std", reftype="ref", reftarget=f"row-{key}",
                                    refexplicit=True, refwarn=True, refdoc=env.docname))
    line["classes"].append("verdict-line")
    about = nodes.paragraph("", claim["claim"], nodes.inline("", f" ({sources(claim)})", classes=["source"]),
                            classes=["judged"])
    line.parent.insert(line.parent.index(line), about)


def script_of_the_ledger(app, pagename, templatename, context, doctree):
    if pagename == LEDGER:
        app.add_js_file("ledger.js", defer="defer")


def setup(app):
    app.add_directive("claims", Claims)
    app.add_directive("claim-counts", ClaimCounts)
    app.connect("doctree-read", anchor_claims)
    app.connect("html-page-context", script_of_the_ledger)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
