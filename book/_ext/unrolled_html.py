"""The mending of the HTML that the theme writes, and the addresses in it."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

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
                page.write_text(mend(before) + MENDED, encoding="utf-8")


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
    if soup.title and soup.title.string == "Unrolled — Unrolled":
        soup.title.string = "Unrolled: sequence models derived, built and measured"
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
    preload(soup)
    for tag in soup.select("ul > ul"):                    # the list of a package's modules belongs to its line
        if (line := tag.find_previous_sibling("li")) is not None:
            line.append(tag.extract())
    return soup.decode(formatter=VOID)


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
