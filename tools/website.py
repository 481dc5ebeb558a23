"""Build the website, strictly, and start afresh whenever something that Sphinx does not watch has changed.

    python tools/website.py build      notebooks executed through the cache, pages written, any warning is an error
    python tools/website.py serve      build, then serve on http://localhost:8000 (PORT=... for another)
    python tools/website.py pdf        the book as _build/downloads/unrolled.pdf, by XeLaTeX
    python tools/website.py epub       the book as _build/downloads/unrolled.epub
    python tools/website.py zip        the site that was built, as _build/downloads/unrolled-site.zip

Three things an incremental build would get wrong are settled here, all by starting with an empty folder:

* The cache of executed notebooks is keyed by their cells alone. A change under src/, in the pins or in the recorded
  data changes what those cells print, so it empties that cache as well.
* A page that was read with a warning is not read again, so a second strict build of the same mistake would pass.
* A build cut short may leave half a page that is newer than its source.
"""

import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
HTML = BUILD / "html"
PAGES = [HTML, BUILD / ".doctrees", BUILD / "jupyter_execute"]
CACHE = BUILD / ".jupyter_cache"
DOWNLOADS = BUILD / "downloads"
KEYS = BUILD / ".site-keys"                     # what the pages were made from, beyond the pages' own sources
UNFINISHED = BUILD / ".site-unfinished"         # stands from the start of a build to its clean end


def keys():
    """Hash what changes a notebook's outputs unseen by their cache, and what changes the pages unseen by Sphinx."""
    outputs, pages = hashlib.sha256(sys.version.encode()), hashlib.sha256()
    for digest, places in ((outputs, ("requirements.txt", "src", "book/_data")), (pages, ("_config.yml", "book/_ext"))):
        for place in places:
            files = sorted((ROOT / place).rglob("*")) if (ROOT / place).is_dir() else [ROOT / place]
            for path in files:
                if path.is_file() and "__pycache__" not in path.parts:
                    digest.update(f"\0{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return [outputs.hexdigest(), pages.hexdigest()]


def build():
    started = time.monotonic()
    BUILD.mkdir(exist_ok=True)
    before, now = KEYS.read_text().split("\n") if KEYS.exists() else [None], keys()
    if before[0] != now[0] and CACHE.exists():
        print("The package, the pins or the recorded data changed: every notebook runs again.", flush=True)
        shutil.rmtree(CACHE)
    if before != now or UNFINISHED.exists():
        for folder in PAGES:
            shutil.rmtree(folder, ignore_errors=True)
    UNFINISHED.touch()
    partial = KEYS.with_suffix(".partial")
    partial.write_text("\n".join(now))
    partial.replace(KEYS)
    start = "from jupyter_book.cli.main import main; main()"     # the installed script would not survive a moved clone
    command = [sys.executable, "-c", start, "build", ".", "-W", "-n", "--keep-going"]
    code = subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode
    if code:
        sys.exit(f"\nThe site did not build: the first warning or error above is the place to look (exit {code}).")
    UNFINISHED.unlink()
    seconds, address = time.monotonic() - started, (HTML / "index.html").as_uri()
    print(f"\nThe book is ready, after {seconds:.0f} s. Open\n\n    {address}\n")


def paper(kind):
    """Build the book as one file; pages that the site's build has run do not run again.

    Args:
        kind: "pdf" or "epub".
    """
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config["execute"]["cache"] = str(CACHE)
    sphinx = config["sphinx"]
    for site_only in ("sphinx_sitemap", "sphinxext.opengraph", "notfound.extension", "sphinx_tippy"):
        sphinx["extra_extensions"].remove(site_only)
    sphinx["config"] = {key: value for key, value in sphinx["config"].items()
                        if not key.startswith(("sitemap_", "ogp_", "notfound_", "tippy_"))}
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sphinx["config"]["version"] = sphinx["config"]["release"] = package["version"]
    sphinx["extra_extensions"].append("sphinxcontrib.rsvgconverter")
    place = BUILD / kind
    shutil.rmtree(place, ignore_errors=True)         # or what an extension no longer writes would stay
    temporary = ROOT / f"_{kind}.yml"                # paths in it are relative to where it lies
    temporary.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    builder = ["--builder", "custom", "--custom-builder", kind] if kind == "epub" else ["--builder", "latex"]
    start = "from jupyter_book.cli.main import main; main()"
    try:
        code = subprocess.run([sys.executable, "-c", start, "build", ".", "--path-output", str(place), "--config",
                               temporary, *builder, "--keep-going"], cwd=ROOT,
                              env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode
    finally:
        temporary.unlink()
    if code:
        sys.exit(f"The {kind} was not built: the messages above say why (exit {code}).")
    if kind == "pdf":
        typeset(place / "_build/latex")
    made = place / ("_build/latex/unrolled.pdf" if kind == "pdf" else "_build/epub/Unrolled.epub")
    DOWNLOADS.mkdir(exist_ok=True)
    shutil.copy(made, DOWNLOADS / f"unrolled.{kind}")
    print(f"\n{(DOWNLOADS / f'unrolled.{kind}').relative_to(ROOT)} is ready.\n")


def typeset(folder):
    """Run XeLaTeX as often as it needs; end with the first error of its log, or with what it could not print."""
    log = folder / "unrolled.log"
    log.unlink(missing_ok=True)
    command = ["latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "-silent", "unrolled.tex"]
    code = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL,
                          env=os.environ | {"LATEXOPTS": ""}).returncode         # which Sphinx's latexmkrc reads
    if code:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        first = next((at for at, line in enumerate(lines) if line.startswith("!")), len(lines))
        sys.exit("\n".join(["XeLaTeX stopped:", *lines[first:first + 8], f"The whole log: {log.relative_to(ROOT)}"]))
    if lost := unprinted(log.read_text(encoding="utf-8", errors="replace")):
        sys.exit("\n".join(["The PDF lacks something:", *lost]))


def unprinted(log):
    """What XeLaTeX warns of and goes on without: characters that no font has, links that lead nowhere."""
    whole = re.sub(r"(?<=^.{79})\n", "", log, flags=re.MULTILINE)              # where it folds its lines
    return sorted({found[0] for found in re.finditer(r"Missing character: There is no . \(U\+\w+\)"
                                                     r"|(?:Hyper r|R)eference `[^']*' on page \d+ undefined", whole)})


def archive():
    """The site that was built, in one file."""
    if UNFINISHED.exists() or not HTML.exists():
        sys.exit("There is no finished site: `make book` builds it.")
    DOWNLOADS.mkdir(exist_ok=True)
    shutil.make_archive(str(DOWNLOADS / "unrolled-site"), "zip", HTML)
    print(f"\n{(DOWNLOADS / 'unrolled-site.zip').relative_to(ROOT)} is ready.\n")


def serve():
    port = int(os.environ.get("PORT") or 8000)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=HTML)
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        print(f"Serving on http://localhost:{port}/ until Ctrl-C.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


if __name__ == "__main__":
    commands = {"build": build, "serve": lambda: (build(), serve()), "pdf": lambda: paper("pdf"),
                "epub": lambda: paper("epub"), "zip": archive}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]]()
