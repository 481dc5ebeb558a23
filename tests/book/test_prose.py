"""Numbers in running text: each stands in the page's code, or in an output that every machine prints alike.

The eye passes over "0.37 after 100 steps" in a paragraph; another processor does not print it. A number with a decimal
point, a per cent sign or thousands must therefore be found in a source, or in an output that is compared because it is
exact. Mathematics, code and years are left out, and so are whole numbers below a thousand.
"""

import re

import pytest
from nbformat import v4
from notebook_form import page_name, pages, read

FENCE = re.compile(r"^(`{3,}|:{3,}).*?$(.*?)^\1\s*$", re.DOTALL | re.MULTILINE)
SKIPPED = re.compile(r"\$\$.*?\$\$|\$[^$]+\$|(\{[a-z:]+\})?`[^`]*`|\]\([^)]*\)|^:\w+:.*$",
                     re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"(?<![\w.^_{\\/-])\d[\d,]*(?:\.\d+)?(?:e-?\d+)?(?:\s?%)?(?![\w^_])")
MEASURED = re.compile(r"\d[.,]\d|%|\de-?\d")
CONSTANTS = {                                   # of no output: of a data set, of a cited work, of a product
    "95 %", "95%", "1,797", "5,400", "4,096", "4,608", "2,400", "9,600", "16,000", "0.167", "2.4", "4.1",
    "0.005", "0.01",                            # learning rates
}


def unfounded(nb):
    """Yield each number of the prose that no code and no exact output of the page holds, with its surroundings."""
    held = "\n".join(text for cell in nb.cells if cell.cell_type == "code" for text in (cell.source, *exact(cell)))
    plain = held.replace("_", "").replace(",", "")
    for cell in nb.cells:
        if cell.cell_type != "markdown":
            continue
        text = SKIPPED.sub(" ", FENCE.sub(lambda block: block[2] if block[1][0] == ":" else "", cell.source))
        for match in NUMBER.finditer(text):
            number = match[0].strip().rstrip(".,")
            bare = number.rstrip("% ").replace(",", "")
            if not MEASURED.search(number) or number in CONSTANTS or re.fullmatch(r"(19|20)\d\d", number):
                continue
            if not re.search(rf"(?<![\d.]){re.escape(bare)}(?!\.?\d)", plain):
                yield f"{number}: … {' '.join(text[max(0, match.start() - 50) : match.end() + 30].split())} …"


def exact(cell):
    """The texts of a cell's output that every machine prints alike."""
    if "exact" not in cell.metadata.get("tags", []):
        return []
    return [output.get("text", "") + "\n".join(map(str, output.get("data", {}).values())) for output in cell.outputs]


@pytest.mark.parametrize("path", pages(), ids=page_name)
def test_numbers_in_prose_stand_in_code_or_in_an_exact_output(path):
    assert list(unfounded(read(path))) == []


@pytest.mark.parametrize(("prose", "found"), [
    ("It falls to 0.37 after 100 steps.", ["0.37"]),
    ("It falls to 0.25 and to 25 %.", []),
    ("Of 1,698 images 12 % are left.", ["12 %"]),
    ("Hochreiter 1997 needs $0.37$ and `0.37` at 95 %.", []),
    ("::::{note}\nIt is 0.37 again.\n::::", ["0.37"]),
    ("```\n0.37\n```", []),
    ("It ends at 0.5.", []),
    ("It ends at 2e-16.", ["2e-16"]),
    ("Ninety of 90.", []),
])
def test_what_is_found(prose, found):
    nb = v4.new_notebook(cells=[
        v4.new_markdown_cell(prose),
        v4.new_code_cell("print(0.25, 25, images := 1_698)", metadata={"tags": ["exact"]},
                         outputs=[v4.new_output("stream", text="0.5")]),
        v4.new_code_cell("train()", outputs=[v4.new_output("stream", text="0.37 and 2e-16")]),
    ])
    assert [line.partition(":")[0] for line in unfounded(nb)] == found
