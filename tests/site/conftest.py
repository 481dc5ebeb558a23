"""The built site, served on this machine, and what a browser saw of it. `make test-site` builds it first."""

import functools
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "_build/site-tools"
SITE = ROOT / "_build/html"


def find(*names):
    """The first of these programs that is installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"{' or '.join(names)} is not installed")
    return found


def npm_package(path):
    """A file of a package from tests/site/package.json."""
    file = TOOLS / "node_modules" / path
    if not file.exists():
        pytest.skip(f"{path.split('/')[0]} is not installed: `make test-site` does it where npm is")
    return file


@pytest.fixture(scope="session")
def checker():
    """The command of the HTML checker."""
    return [find("java"), "-jar", str(npm_package("vnu-jar/build/dist/vnu.jar"))]


@pytest.fixture(scope="session")
def site():
    """The folder of the built site."""
    if not (SITE / "index.html").exists() or (ROOT / "_build/.site-unfinished").exists():
        pytest.fail("there is no finished site in _build/html: run `make book` first")
    return SITE


@pytest.fixture(scope="session")
def pages(site):
    """Every page of the site, as paths under it."""
    return sorted(str(page.relative_to(site)) for page in site.rglob("*.html") if "_static" not in page.parts)


@pytest.fixture(scope="session")
def base(site):
    """Where the site is served while the checks run."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def driven(script, browser, base, pages):
    """What a script of this folder prints about the pages in a browser."""
    command = [find("node", "nodejs"), str(Path(__file__).with_name(script)), browser, str(TOOLS), base, *pages]
    run = subprocess.run(command, capture_output=True, text=True, timeout=2700)
    if run.returncode:
        pytest.fail(f"{script} failed:\n{run.stderr[-3000:]}")
    (ROOT / f"_build/{script}on").write_text(run.stdout, encoding="utf-8")
    return json.loads(run.stdout)


@pytest.fixture(scope="session")
def browsed(base, pages):
    """What a browser met on every page, wide and narrow, light and dark: the report of browse.js."""
    npm_package("playwright-core/package.json")
    npm_package("axe-core/axe.min.js")
    return driven("browse.js", find("chromium", "chromium-browser", "google-chrome"), base, pages)


@pytest.fixture(scope="session")
def second(base, pages):
    """What Firefox met on every page: the report of firefox.js."""
    npm_package("puppeteer-core/package.json")
    return driven("firefox.js", find("firefox-esr", "firefox"), base, pages)


@pytest.fixture(scope="session")
def audited(base, pages):
    """What Lighthouse says of a page of each folder and of the pages that stand alone: the report of lighthouse.js."""
    npm_package("lighthouse/core/index.js")
    kinds = {page.rpartition("/")[0]: page for page in reversed(pages) if not page.endswith("index.html")}
    alone = [f"book/{name}.html" for name in ("index", "claims", "handbook", "teach")] + ["search.html"]
    return driven("lighthouse.js", find("chromium", "chromium-browser", "google-chrome"), base,
                  sorted({*kinds.values(), *alone}))
