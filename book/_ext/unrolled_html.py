"""The mending of the HTML that the theme writes, and the addresses in it."""

import os
import re
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import yaml
from bs4 import BeautifulSoup
from bs4.formatter import HTMLFormatter
from docutils import nodes
from sphinx.errors import ConfigError

NOTEBOOKS = "notebooks"         # the branch with the plain notebooks, which the publishing workflow writes


def configure(app, config):
    """Where the site and its repository are, from REPOSITORY in the environment; nothing points there without it."""
    address, options = os.environ.get("REPOSITORY", "").rstrip("/"), config.html_theme_options
    config.notfound_urls_prefix = "/"
    if not address:
        options.pop("launch_buttons", None)
        options.pop("repository_url", None)               # Jupyter Book's own, which is another repository
        for listeners in app.events.listeners.values():   # a map of a site without an address is no use
            listeners[:] = [one for one in listeners if not one.handler.__module__.startswith("sphinx_sitemap")]
        return
    url = urlsplit(address)
    if url.scheme != "https" or not re.fullmatch(r"/[\w.-]+/[\w.-]+", url.path):
        raise ConfigError(f"REPOSITORY must be https://HOST/OWNER/NAME, got {address!r}")
    owner, name = url.path.strip("/").split("/")
    config.notfound_urls_prefix = f"/{name}/"
    options |= {"repository_url": address, "use_repository_button": True, "use_edit_page_button": True,
                "use_issues_button": True}
    config.html_baseurl = config.html_baseurl or f"https://{owner}.github.io/{name}/"
    config.ogp_site_url = config.ogp_site_url or config.html_baseurl
    config.ogp_image = config.ogp_image or "_static/card.png"           # its address must be a whole one


def launch_plain_notebooks(app, pagename, templatename, context, doctree):
    """Binder and Colab open the plain notebooks; editing still leads to the page's own source."""
    branch = app.config.html_theme_options.get("repository_branch")
    for group in context.get("header_buttons", ()):
        if group.get("label") == "launch-buttons":
            for button in group["buttons"]:
                button["url"] = re.sub(rf"/{branch}(?=[/?])", f"/{NOTEBOOKS}", button["url"], count=1)


def silence_thebe(app):
    """Jupyter Book loads thebe, which puts its scripts on every page even when it is off: take its hooks out."""
    for listeners in app.events.listeners.values():
        listeners[:] = [one for one in listeners if not one.handler.__module__.startswith("sphinx_thebe")]


def finish(app, exception):
    """After the pages are written: a front door beside them, and their HTML mended."""
    if exception or app.builder.name != "html":
        return
    out = Path(app.outdir)
    front = app.config.root_doc
    (out / "index.html").write_text(FRONT.format(
        language=app.config.language, title=app.config.html_title, page=f"{front}.html",
        canonical=f'<link rel="canonical" href="{app.config.html_baseurl}{front}.html">\n' * bool(
            app.config.html_baseurl)), encoding="utf-8")
    (out / "llms.txt").write_text(overview(app), encoding="utf-8")
    for tips in out.glob("_static/tippy/**/*.js"):        # a figure is loaded when its tip is shown
        text = tips.read_text(encoding="utf-8")
        tips.write_text(re.sub("<img (?!loading)", r'<img loading=\\"lazy\\" ', text), encoding="utf-8")
    for page in out.rglob("*.html"):
        if "_static" not in page.parts and page != out / "index.html":
            before = page.read_text(encoding="utf-8")
            if not before.endswith(MENDED):               # or this build has not written it
                page.write_text(mend(before, page.parent, out) + MENDED, encoding="utf-8")


def overview(app):
    """The book for those who read by machine, after llmstxt.org: what it is, then each page with its plain notebook."""
    base, lines = app.config.html_baseurl or "", [f"# {app.config.project}", f"> {described(app, app.config.root_doc)}"]
    contents = yaml.safe_load(Path(app.srcdir, "_toc.yml").read_text(encoding="utf-8"))
    for part in contents.get("parts", [contents]):
        lines.append(f"## {part.get('caption', 'Pages')}")
        pages = [page["file"] for chapter in part["chapters"] for page in (chapter, *chapter.get("sections", ()))]
        for name in pages:
            path = f"_sources/{name}.ipynb" if app.env.doc2path(name).endswith(".ipynb") else f"{name}.html"
            about = described(app, name)
            lines.append(f"- [{app.env.titles[name].astext()}]({base}{path})" + (f": {about}" if about else ""))
    return "\n\n".join(lines).replace("\n\n- ", "\n- ") + "\n"


def described(app, name):
    """A page's description, as search engines get it; of a notebook the question at its head."""
    doctree = app.env.get_doctree(name)
    for meta in doctree.findall(nodes.meta):
        if meta.get("name") == "description":
            return meta["content"]
    return next((quote.astext().replace("\n", " ") for quote in doctree.findall(nodes.block_quote)), "")


FRONT = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
{canonical}<link rel="icon" href="_static/favicon.svg">
<meta http-equiv="refresh" content="0; url={page}">
</head>
<body>
<main><h1>{title}</h1><p>The book begins on <a href="{page}">its front page</a>.</p></main>
</body>
</html>
"""

MENDED = "<!-- mended -->\n"
MINIMAL = HTMLFormatter.REGISTRY["minimal"].entity_substitution
PREFERRED = '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'
VOID = HTMLFormatter(entity_substitution=MINIMAL, void_element_close_prefix="")     # <br>, not <br/>


def mend(html, folder, out):
    """Mend what is invalid, inaccessible or needless in the theme's HTML. Mending twice changes nothing.

    folder: where the page lies; out: the site. Of the 404 page, which is shown anywhere, the addresses are absolute.
    """
    soup = BeautifulSoup(html, "html.parser")
    needless = ['script[src*="fontawesome.js"]', 'script[src*="togglebutton.js"]', 'link[href*="togglebutton.css"]',
                'link[href*="sphinx-thebe"]', "h1:empty", "link[rel=preload][as=script]",
                'meta[name="viewport"] ~ meta[name="viewport"]']
    if not soup.select_one("#search-results"):            # the index grows with the book, and serves where one searches
        needless += [f'script[src*="{name}.js"]' for name in ("searchtools", "language_data", "searchindex")]
    for tag in soup.select(", ".join(needless)):
        tag.decompose()
    if soup.title and soup.title.string == "Unrolled — Unrolled":
        soup.title.string = "Unrolled: sequence models derived, built and measured"
    if not soup.select_one("meta[name=description]"):     # the index, the search, a module's source
        about = f"{soup.title.string}: a page of an open course on sequence models"
        soup.head.append(soup.new_tag("meta", attrs={"name": "description", "content": about}))
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
    for tag in soup.select(".bd-sidenav .has-children > details > summary"):        # an arrow only
        tag["aria-label"] = f"Pages of {tag.find_parent('li').find('a').get_text(strip=True)}"
    for tag in soup.select("thead th"):
        if not tag.get_text(strip=True) and not tag.find("img"):
            tag.name = "td"                               # the corner of a table is no header
    for tag in soup.select("thead th:has(math):not(:has(.visually-hidden))"):
        math = " ".join(part.get_text(" ", strip=True) for part in tag.select("math"))
        if "".join(tag.get_text().split()) == "".join(math.split()):      # a header that is a formula needs words, too
            words = soup.new_tag("span", attrs={"class": "visually-hidden"})
            words.string = math
            (tag.p or tag).append(words)
    for tag in soup.select("nav#pst-page-toc-nav"):       # page.js marks the section that is read; the theme's script,
        tag["id"] = "on-this-page"                        # which misses the first one and the way back, finds no list
    about, shown = (soup.select_one(f"meta[{name}]") for name in ("name=description", 'property="og:description"'))
    if about and shown:                                   # which the extension takes from the first words of the page
        shown["content"] = about["content"]
    fold(soup)
    preload(soup)
    for tag in soup.select("script[src]"):                # in their order, once the page is there
        if "documentation_options" in tag["src"]:         # but this one, whose names the page's own scripts use
            tag.string = (out / "_static/documentation_options.js").read_text(encoding="utf-8")
            del tag["src"]
        else:
            tag["defer"] = ""
    soup.html["data-theme"] = "light"                     # "auto" has no colours: without scripts the page has these,
    for tag in soup.select("head script:not([src])"):     # and with them the reader's, before anything is drawn
        if tag.string:
            tag.string = tag.string.replace('getItem("theme") || "auto"', f'getItem("theme") || {PREFERRED}')
    for tag in soup.select('img[src$=".svg"]:not([width])'):
        absolute = tag["src"].startswith("/")
        tag["width"], tag["height"] = size(out / "_static" / Path(tag["src"]).name if absolute else folder / tag["src"])
    for tag in soup.select("ul > ul"):                    # the list of a package's modules belongs to its line
        if (line := tag.find_previous_sibling("li")) is not None:
            line.append(tag.extract())
    return soup.decode(formatter=VOID)


@cache
def size(path):
    """Width and height in pixels of an SVG: the place that a page keeps until the image comes."""
    root = ElementTree.parse(path).getroot()
    scale = 4 / 3 if root.get("width", "").endswith("pt") else 1         # points to pixels
    width, height = map(float, root.get("viewBox").split()[2:])
    return round(scale * width), round(scale * height)


def fold(soup):
    """One kind of fold for answers and solutions, and in it the code that checks them, which stands behind them."""
    for box in soup.select("details.sd-dropdown, div.admonition.dropdown"):
        title = box.select_one(".sd-summary-text, .admonition-title").extract()
        for mark in box.select(":scope > summary"):
            mark.decompose()
        for link in title.select("a"):                    # a link in the line would take the click that opens it
            link.name, link.attrs = "span", {"class": "visually-hidden"}
        line, solution = soup.new_tag("summary"), "solution" in box["class"]
        if solution:                                      # its exercise stands above: who sees that needs one word
            title.find(string=re.compile("Solution to")).replace_with("Solution")
            title.span.insert(0, " to")
        line.extend(list(title.contents))
        inside = soup.new_tag("div")
        inside.extend(list(box.contents))
        for part in inside.select(":scope > .sd-summary-content"):
            part.unwrap()
        for text in inside.select(".sd-card-text"):
            del text["class"]
        box.name, box["class"] = "details", ["fold"]
        box.extend([line, inside])
        if solution or line.get_text(strip=True) == "Answer":
            while (cell := box.find_next_sibling()) and "tag_hide-cell" in cell.get("class", ()):
                for code in cell.select(":scope > details.hide"):
                    code.summary.decompose()
                    code.unwrap()
                inside.append(cell.extract())


def preload(soup):
    """Ask at once for the fonts that a page shows: one that comes late is left out, and nothing moves (`optional`)."""
    sheet = soup.select_one('link[href*="_static/unrolled.css"]')
    if sheet is None or soup.select_one("link[rel=preload][as=font]"):
        return
    serif = "source-serif-4-latin-{}.woff2"
    wanted = [serif.format("400-normal"), *[serif.format("600-normal")] * bool(soup.select("main h1"))]
    wanted += [serif.format("400-italic")] * bool(soup.select("main p em, main blockquote"))
    wanted += ["stix-two-math-latin-400-normal.woff"] * bool(soup.select("main math"))
    for name in wanted:
        address = sheet["href"].partition("unrolled.css")[0] + f"fonts/{name}"
        kind = {"as": "font", "type": f"font/{name.rpartition('.')[2]}", "crossorigin": ""}
        sheet.insert_before(soup.new_tag("link", attrs={"rel": "preload", "href": address} | kind))


def setup(app):
    app.connect("config-inited", configure, priority=100)
    app.connect("builder-inited", silence_thebe, priority=0)
    app.connect("html-page-context", launch_plain_notebooks, priority=900)
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
