"""Fonts and scripts of the site from installed packages, and of each only what the pages use."""

import importlib.util
import logging
import re
import shutil
from pathlib import Path

import pydata_sphinx_theme
from fontTools import subset
from fontTools.ttLib import TTFont


def finish(app, exception):
    """After the pages are written: MathJax beside them, and icon fonts without the icons that no page shows."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    copy_mathjax(out / "_static/mathjax")
    subset_icons(out, [page for page in out.rglob("*.html") if "_static" not in page.parts])


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
    logging.getLogger("fontTools").setLevel(logging.WARNING)
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


def setup(app):
    app.connect("build-finished", finish, priority=901)       # once the HTML is mended
    return {"parallel_read_safe": True, "parallel_write_safe": True}
