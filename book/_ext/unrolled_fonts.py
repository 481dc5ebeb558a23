"""Fonts of the site, and of each only what the pages use."""

import logging
import re
import shutil
from html import unescape
from pathlib import Path

import pydata_sphinx_theme
from fontTools import subset
from fontTools.ttLib import TTFont

MATH_FONT = "_static/fonts/stix-two-math-latin-400-normal.woff"


def finish(app, exception):
    """After the pages are written: their fonts without the letters and icons that no page shows."""
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir)
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    pages = [page for page in out.rglob("*.html") if "_static" not in page.parts]
    subset_math(out / MATH_FONT, pages)
    subset_icons(out, pages)


def subset_math(font, pages):
    """Keep of the font for equations, 370 kB, the letters that they use, and the larger forms that those grow into."""
    shutil.copy(Path(__file__).parents[1] / font.relative_to(font.parents[2]), font)
    texts = (page.read_text(encoding="utf-8") for page in pages)
    formulas = "".join(part for text in texts for part in re.findall(r"<math.*?</math>", text))
    used = set(unescape(re.sub(r"<[^>]*>", "", formulas)))
    used |= {"\N{SQUARE ROOT}"} if "<msqrt" in formulas or "<mroot" in formulas else set()    # MathML writes none
    whole = TTFont(font)
    cut = subset.Subsetter(subset.Options(layout_features=["math", "ssty", "dtls", "flac"], flavor="woff"))
    cut.populate(unicodes=map(ord, used))
    cut.subset(whole)
    whole.save(font)


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
        names = re.findall(r"fa-[a-z0-9-]+", path.read_text(encoding="utf-8"))
        used |= {icons[name] for name in names if name in icons}
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
