"""The built pages as files: links, anchors, images, addresses, valid HTML. No browser needed."""

import json
import os
import re
import subprocess
from functools import cache
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from notebook_form import BOOK, ROOT, page_name
from notebook_form import pages as notebooks

NOTEBOOKS = [page_name(path) for path in notebooks()]

# What the HTML checker may say, exactly, and why it stays.
EXPLAINED = {
    "The “main” role is unnecessary for element “main”.": "Sphinx's search finds the text of a page by that role",
}


@cache
def parsed(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(path):
    """Everything in a page that a link can lead to."""
    return {tag.get("id") or tag.get("name") for tag in parsed(path).select("[id], [name]")}


def test_no_internal_link_or_anchor_is_broken(site, pages):
    broken = []
    for page in pages:
        for tag in parsed(site / page).find_all(["a", "img", "link", "script"]):
            address = tag.get("href") or tag.get("src")
            if not address or urlsplit(address).scheme or address.startswith("//") or address == "#":
                continue
            path, anchor = urldefrag(urljoin(f"/{page}", address))
            target = site / unquote(urlsplit(path).path.lstrip("/"))
            if not target.is_file():
                broken.append(f"{page}: {address} leads nowhere")
            elif anchor and target.suffix == ".html" and unquote(anchor) not in anchors(target):
                broken.append(f"{page}: {address} has no such anchor")
    assert not broken, "\n".join(broken)


def test_every_image_says_what_it_shows(site, pages):
    mute = []
    for page in pages:
        for image in parsed(site / page).find_all("img"):
            text = image.get("alt")
            decorative = text == "" and image.find_parent(["a", "button"])      # the words beside it say it
            speaks = text and len(text.split()) > 1 and not re.search(r"\.(svg|png|jpe?g|gif)$|[/\\]", text)
            if not (decorative or speaks):
                mute.append(f"{page}: {image.get('src')} has the alternative text {text!r}")
    assert not mute, "\n".join(mute)


def test_every_image_has_its_place_before_it_comes(site, pages):
    """Without width and height the text below would move."""
    sizeless = [(page, image["src"]) for page in pages for image in parsed(site / page).find_all("img")
                if not (image.get("width", "").isdigit() and image.get("height", "").isdigit())]
    assert not sizeless


def test_a_page_waits_for_one_style_sheet_and_for_no_script(site, pages):
    for page in set(pages) - {"index.html"}:
        head = parsed(site / page).head
        assert len(head.select("link[rel=stylesheet]")) == 1, page
        assert not head.select("script[src]:not([defer])"), page


def test_a_page_has_colours_without_scripts(site, pages):
    schemes = {parsed(site / page).html["data-theme"] for page in set(pages) - {"index.html"}}
    assert schemes == {"light"}


def test_every_page_has_a_title_a_language_and_one_first_heading(site, pages):
    for page in pages:
        soup = parsed(site / page)
        assert soup.title.get_text(strip=True), page
        assert soup.html.get("lang") == "en", page
        assert len(soup.select("h1:not(#jb-print-docs-body h1)")) == 1, page     # that one is for paper
        canonical = soup.find("link", rel="canonical") or page in ("search.html", "genindex.html")
        assert canonical or "REPOSITORY" not in os.environ, page


def test_an_answer_or_a_solution_is_one_fold_with_the_code_that_checks_it(site, pages):
    for page in pages:
        soup = parsed(site / page)
        others = soup.select(".sd-dropdown, .admonition.dropdown, .fold details.hide, .fold + .cell.tag_hide-cell")
        assert not others, f"{page}: {others[0]}"
        assert all(fold.summary.get_text(strip=True) and not fold.summary.a for fold in soup.select(".fold")), page


def test_front_door_leads_to_the_front_page(site):
    soup = parsed(site / "index.html")
    target = soup.find("meta", attrs={"http-equiv": "refresh"})["content"].split("url=")[1]
    assert (site / target).is_file()


@pytest.mark.skipif("REPOSITORY" in os.environ, reason="the repository has an address")
def test_everything_that_the_style_sheet_names_is_there(site):
    sheet = site / "_static/site.css"
    addresses = re.findall(r"""url\(["']?(?!data:|#)([^"')]+)""", sheet.read_text(encoding="utf-8"))
    assert addresses
    assert [address for address in addresses if not (sheet.parent / unquote(address)).is_file()] == []


def test_nothing_leads_to_a_repository_that_has_no_address(site, pages):
    hosts = re.compile(r"github\.com|mybinder\.org|colab\.research")
    for page in pages:
        for link in parsed(site / page).select("header a, .article-header-buttons a, link[rel=canonical]"):
            assert not hosts.search(link["href"]), (page, link["href"])


def test_html_is_valid(site, pages, checker):
    command = [*checker, "--format", "json", "--stdout", *(str(site / page) for page in pages)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    messages = [f"{message['url'].partition('/html/')[2]}: {message['message']}: {message.get('extract', '')!r:.160}"
                for message in json.loads(run.stdout)["messages"] if message["message"] not in EXPLAINED]
    assert not messages, "\n".join(messages)


def test_no_page_names_this_machine(site):
    for path in [*site.rglob("*.html"), *site.rglob("*.js"), *site.rglob("*.svg")]:
        if "_static" not in path.parts:
            assert str(ROOT) not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_downloaded_notebook_is_plain_markdown_with_the_pages_code(site, name):
    plain, page = (nbformat.read(root / f"{name}.ipynb", as_version=4) for root in (site / "_sources/book", BOOK))
    nbformat.validate(plain)
    code, own = ([cell for cell in nb.cells if cell.cell_type == "code"] for nb in (plain, page))
    assert code[0].source.endswith(own[0].source)         # if the repository has an address, it is fetched before
    assert [cell.source for cell in code[1:]] == [cell.source for cell in own[1:]]
    text = "\n".join(cell.source for cell in plain.cells if cell.cell_type == "markdown")
    prose = re.sub(r"^```(?!\{).*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.findall(r"\{[\w:]+\}`|^\s*(?::{3,}|`{3,})\{.*", prose, re.MULTILINE), "roles and directives"
    answers = sum(len(re.findall(r"^:{3,}\{(?:dropdown|solution)\}", cell.source, re.MULTILINE)) for cell in page.cells)
    assert text.count("<details>") == text.count("</details>") >= answers, "an answer lies open"
    for cell in code:
        folded = {"hide-cell", "hide-input", "remove-cell"} & set(cell.metadata.get("tags", []))
        assert bool(folded) == (cell.metadata.get("cellView") == "form") == ("jupyter" in cell.metadata)
    captions = sum("figure" in cell.metadata.get("mystnb", {}) or "```{touch}" in cell.source for cell in page.cells)
    assert len(re.findall(r"^\*\*Fig\. [\d.]+\.\*\* ", text, re.MULTILINE)) == captions
