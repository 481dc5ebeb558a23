"""Build the website, strictly, and start afresh whenever something that Sphinx does not watch has changed.

    python tools/website.py build      chapters executed through the cache, pages written, any warning is an error
    python tools/website.py serve      build, then serve on http://localhost:8000 (PORT=... for another)

Three things an incremental build would get wrong are settled here, all by starting with an empty folder:

* The cache of executed chapters is keyed by their cells alone. A change under src/, in the pins or in the recorded
  data changes what those cells print, so it empties the cache too.
* A page that was read with a warning is not read again, so a second strict build of the same mistake would pass.
* A build cut short may leave half a page that is newer than its source.
"""

import functools
import hashlib
import http.server
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
HTML = BUILD / "html"
PAGES = [HTML, BUILD / ".doctrees", BUILD / "jupyter_execute"]
CACHE = BUILD / ".jupyter_cache"
KEY = BUILD / ".site-key"                       # what the pages were built from, beyond book/
UNFINISHED = BUILD / ".site-unfinished"         # stands from the start of a build to its clean end


def key():
    """Hash everything that changes the pages and that neither Sphinx nor the cache looks at."""
    watched = [ROOT / "requirements.txt", ROOT / "_config.yml", ROOT / "book/claims.yml"]
    for folder in ("src", "book/_data", "book/_ext"):
        watched += sorted(p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    digest = hashlib.sha256(sys.version.encode())
    for path in watched:
        digest.update(f"\0{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def build():
    started = time.monotonic()
    BUILD.mkdir(exist_ok=True)
    now = key()
    stale = KEY.exists() and KEY.read_text() != now
    if stale or UNFINISHED.exists() or not KEY.exists():
        if stale:
            print("The package, the pins or the recorded data changed: every chapter runs again.", flush=True)
            shutil.rmtree(CACHE, ignore_errors=True)
        for folder in PAGES:
            shutil.rmtree(folder, ignore_errors=True)
    UNFINISHED.touch()
    KEY.write_text(now)
    start = "from jupyter_book.cli.main import main; main()"     # the installed script would not survive a moved clone
    command = [sys.executable, "-c", start, "build", ".", "-W", "-n", "--keep-going"]
    code = subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode
    if code:
        sys.exit(f"\nThe site did not build: the first warning or error above is the place to look (exit {code}).")
    UNFINISHED.unlink()
    seconds, address = time.monotonic() - started, (HTML / "index.html").as_uri()
    print(f"\nThe book is ready, after {seconds:.0f} s. Open\n\n    {address}\n")


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
    commands = {"build": build, "serve": serve}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    build()
    if sys.argv[1] == "serve":
        serve()
