"""What a page asks of its reader: words, visible code cells, minutes, and what its head says of them.

    python tools/page_measures.py [book/rnn/order.ipynb …]      a line a page; every page of the book without names

A page's head is a paragraph near its top, of this form:

    20 minutes to read · 9 seconds to run · you need: multiplication and tanh · you may skip: the last section
"""

import re
import sys
from pathlib import Path

from notebook_form import FOLDED, ROOT, pages, read

WORDS, CELLS, PIXELS, SECONDS, MIB, MINUTES = 2500, 15, 15_000, 30, 1024, 20        # at most
LINES_FIRST = 10                                    # visible lines of code before the first equation, at most
HEAD = re.compile(r"^(\d+) minutes to read · (\d+) seconds? to run · you need: (.+?) · you may skip: (.+)$",
                  re.MULTILINE)
NO_WORDS = re.compile(r"^(`{3,}|:{3,}|~{3,}).*$|^:[\w-]+:.*$|\$[^$]*\$|\{[\w:+-]+\}(?=`)|\]\([^)]*\)|^\|?[\s:|-]+$",
                      re.MULTILINE)
EQUATION = re.compile(r"\$\$|\\begin\{|^:{3,}\{math\}|^`{3,}\{math\}", re.MULTILINE)


def words(nb):
    """How many words its text cells have, folded ones included; formulas, options and addresses are none."""
    text = "\n".join(re.sub(r"\$\$.*?\$\$", " ", cell.source, flags=re.DOTALL) for cell in nb.cells
                     if cell.cell_type == "markdown")
    return len(re.findall(r"[^\W\d_][\w'’-]*", NO_WORDS.sub(" ", text)))


def visible(nb):
    """The code cells whose source a reader sees without asking."""
    return [cell for cell in nb.cells if cell.cell_type == "code" and not FOLDED & set(cell.metadata.get("tags", []))]


def minutes(nb):
    """To read it: 200 words a minute, and half a minute for a cell."""
    return words(nb) / 200 + len(visible(nb)) / 2


def head(nb):
    """What the page says at its top.

    Returns:
        A dict: `minutes`, `seconds`, `need`, `skip`; None where it says nothing.
    """
    for cell in nb.cells[:3]:
        if cell.cell_type == "markdown" and (found := HEAD.search(cell.source)):
            return {"minutes": int(found[1]), "seconds": int(found[2]), "need": found[3], "skip": found[4]}
    return None


def lines_before_the_first_equation(nb):
    """How many visible lines of code stand before the first displayed equation; 0 where there is none."""
    lines = 0
    for cell in nb.cells:
        if cell.cell_type == "markdown" and EQUATION.search(cell.source):
            return lines
        if cell in visible(nb):
            lines += len(cell.source.strip().splitlines())
    return 0


def main(names):
    print(f"{'words':>6} {'cells':>6} {'minutes':>8}  page")
    for path in map(Path, names) if names else pages():
        nb = read(path)
        said = head(nb)
        print(f"{words(nb):6} {len(visible(nb)):6} {minutes(nb):8.0f}  {path.resolve().relative_to(ROOT)}"
              f"{'' if said else '   no head'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
