"""One style sheet for the whole site, with the rules that its pages use.

The theme and its extensions bring eleven sheets with 480 kB of rules for pages that we do not have, and a browser draws
nothing until it has them all.
"""

import os
import re
from pathlib import Path

import tinycss2

SHEET = "_static/site.css"
LINK = r'<link href="([^"]*?)(_static/[^"?]*)[^"]*" rel="stylesheet"[^>]*>\n?'
COMPOSED = ("bs-",)             # beginnings of class names that Bootstrap's script puts together


def finish(app, exception):
    """After the pages are mended and the icons cut: write the sheet, and let every page ask for it alone."""
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir)
    pages = {page: page.read_text(encoding="utf-8") for page in out.rglob("*.html") if "_static" not in page.parts}
    lists = {tuple(path for _, path in re.findall(LINK, text)) for text in pages.values()}
    lists -= {(), (SHEET,)}                               # the front door has none; pages of earlier builds have ours
    if lists:
        sheets, = lists                                   # every page has the same
    else:
        sheets = (out / SHEET).read_text(encoding="utf-8").partition(" */")[0].removeprefix("/* ").split()
    texts = [*pages.values(), *(script.read_text(encoding="utf-8") for script in out.glob("_static/**/*.js"))]
    words = set().union(*(re.findall(r"[\w-]+", text) for text in texts))
    rules = "".join(used(parsed(moved(out, sheet)), words) for sheet in sheets)
    (out / SHEET).write_text(f"/* {' '.join(sheets)} */\n{rules}", encoding="utf-8")
    for page, text in pages.items():
        if len(re.findall(LINK, text)) > 1:
            first = re.search(LINK, text)
            text = re.sub(LINK, "", text[:first.start()] + text[first.end():])
            link = f'<link href="{first[1]}{SHEET}" rel="stylesheet">\n'
            page.write_text(text[:first.start()] + link + text[first.start():], encoding="utf-8")


def moved(out, sheet):
    """The text of a sheet and of those that it imports, its addresses as they are from where the one sheet lies."""
    folder, text = (out / sheet).parent, (out / sheet).read_text(encoding="utf-8")
    text = re.sub(r"""(?<=url\()(["']?)(?!["']|data:|/|#)""",
                  lambda match: f"{match[1]}{os.path.relpath(folder, (out / SHEET).parent)}/", text)
    return re.sub(r'@import "(.*?)";', lambda match: moved(out, (folder / match[1]).resolve().relative_to(out)), text)


def parsed(text):
    return tinycss2.parse_rule_list(text, skip_comments=True, skip_whitespace=True)


def used(rules, words):
    """The rules as text, without the selectors of classes that are no word of any page or script."""
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = tinycss2.serialize(rule.prelude)
            if "(" not in selectors:                      # a comma within brackets divides no selectors
                selectors = ",".join(one for one in selectors.split(",") if serves(one, words))
            if selectors:
                kept.append(f"{selectors}{{{tinycss2.serialize(rule.content)}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            if inner := used(parsed(rule.content), words):
                kept.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inner}}}")
        elif not (rule.type == "at-rule" and rule.lower_at_keyword == "charset"):
            kept.append(rule.serialize())
    return "\n".join(kept) + "\n" * bool(kept)


def serves(selector, words):
    names = re.findall(r"\.(-?[_a-zA-Z][\w-]*)", selector)
    return all(name in words or name.startswith(COMPOSED) for name in names)


def setup(app):
    app.connect("build-finished", finish, priority=902)       # once unrolled_fonts has cut the theme's own sheet
    return {"parallel_read_safe": True, "parallel_write_safe": True}
