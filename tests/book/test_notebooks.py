"""Every notebook keeps the book's promises; every rule is shown to fail on a notebook that breaks it."""

import ast
import functools
import importlib
import re

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from nbformat import v4
from notebook_form import ROOT, SETUP, complaints, dumps, normalise, page_name, pages, read
from sphinx_external_toc.parsing import parse_toc_yaml

from unrolled.page import display

ALT = "Accuracy against lag: the line falls from one to one half between lag ten and lag twenty."
FIGURE = re.compile(r"<(Figure|IPython\.core\.display\.(SVG|Image))\b")


# The rules. Each takes a notebook and yields what is wrong with it.


def compared_cells_hold_something_to_compare(nb):
    """nbval passes over a cell without a count or outputs in silence, and compares images never or literally."""
    tagged = [cell for cell in code_cells(nb) if "nbval-check-output" in tags(cell)]
    if not tagged:
        yield "no cell is tagged nbval-check-output"
    for cell in tagged:
        if not cell.execution_count:
            yield f"a compared cell was not executed: {head(cell)}"
        if not any(text.strip() for output in cell.outputs for text in texts(output)):
            yield f"a compared cell has no output to compare: {head(cell)}"
        if figures(cell):
            yield f"a compared cell draws: {head(cell)}"


def expected_errors_are_tested_elsewhere(nb):
    """A cell tagged raises-exception passes when nothing is raised."""
    for cell in code_cells(nb):
        if "raises-exception" in tags(cell):
            yield f"raises-exception proves nothing: {head(cell)}"


def something_is_asserted(nb):
    nodes = [node for cell in code_cells(nb) for node in ast.walk(parse(cell))]
    if not any(isinstance(node, ast.Assert) and not isinstance(node.test, ast.Constant) for node in nodes):
        yield "no cell asserts anything"


def figures_are_described(nb):
    """The alt text is the cell's, so a cell draws one figure."""
    seen = set()
    for cell in code_cells(nb):
        if not figures(cell):
            continue
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if len(figures(cell)) > 1:
            yield f"one alt text for {len(figures(cell))} figures: {head(cell)}"
        if len(alt) < 40 or len(alt.split()) < 6 or re.fullmatch(r"\S*[/\\.]\S*", alt):
            yield f"alt text {alt!r} does not say what to see: {head(cell)}"
        if alt in seen:
            yield f"two figures share an alt text: {alt!r}"
        seen.add(alt)


def asserts_and_compared_outputs_say_their_kind(nb):
    """An assert stops the page and a compared output the tests: neither may hang on training, nor on the clock."""
    for cell in code_cells(nb):
        compared = "nbval-check-output" in tags(cell)
        asserts = any(isinstance(node, ast.Assert) for node in ast.walk(parse(cell)))
        kinds = {"exact", "rounding"} & set(tags(cell))
        if (compared or asserts) and len(kinds) != 1:
            yield f"a cell that {'is compared' if compared else 'asserts'} is tagged exact or rounding: {head(cell)}"
        if compared and kinds == {"rounding"}:
            yield f"an output that rounding changes is not compared as text: {head(cell)}"
        if {"trained", "timed"} & set(tags(cell)):
            yield f"the kinds trained and timed belong to claims: {head(cell)}"


def shown_source_is_the_source(nb):
    """`show` copies a definition into the output, and the definition may have changed since."""
    for cell in code_cells(nb):
        for output in cell.outputs:
            data = output.get("data", {})
            if not (names := re.fullmatch(r"source of (.+)", data.get("text/plain", ""))):
                continue
            objects = [named(name) for name in names[1].split(", ")]
            if None in objects:
                continue                                        # defined on the page itself
            now = ["\n\n\n".join(display._source(one, docstring) for one in objects) for docstring in (True, False)]
            fence, _, rest = data["text/markdown"].partition("python\n")
            if rest.removesuffix(f"\n{fence}") not in now:
                yield f"shows what is no longer the source of {names[1]}: {head(cell)}"


def named(name):
    """The object under a dotted name, None if it is of the page."""
    parts = name.split(".")
    if parts[0] == "__main__":
        return None
    for cut in range(len(parts), 0, -1):
        try:
            return functools.reduce(getattr, parts[cut:], importlib.import_module(".".join(parts[:cut])))
        except ImportError:
            continue
    raise ValueError(f"no module of {name}")


def file_is_normal(nb):
    yield from complaints(dumps(nb))


RULES = [
    compared_cells_hold_something_to_compare,
    expected_errors_are_tested_elsewhere,
    something_is_asserted,
    figures_are_described,
    asserts_and_compared_outputs_say_their_kind,
    shown_source_is_the_source,
    file_is_normal,
]


def code_cells(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def head(cell):
    return cell.source.strip().splitlines()[0]


def parse(cell):
    return ast.parse(TransformerManager().transform_cell(cell.source))


def texts(output):
    """What nbval compares of an output, as text."""
    if output.output_type == "stream":
        return [output.text]
    return [str(value) for value in output.get("data", {}).values()]


def figures(cell):
    return [output for output in cell.outputs if FIGURE.match(output.get("data", {}).get("text/plain", ""))]


# The book.


@pytest.mark.parametrize("path", pages(), ids=page_name)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_page(rule, path):
    assert list(rule(read(path))) == []


@pytest.mark.parametrize("path", pages(), ids=page_name)
def test_the_file_is_byte_for_byte_what_the_tool_writes(path):
    assert complaints(path.read_text(encoding="utf-8")) == []


def test_every_notebook_is_in_the_table_of_contents():
    assert {f"book/{page_name(path)}" for path in pages()} <= set(parse_toc_yaml(ROOT / "_toc.yml"))


def test_a_page_is_a_chapters_or_a_chapter():
    assert [page_name(path) for path in pages() if page_name(path).count("/") > 1] == []


def test_a_folder_of_pages_has_an_overview():
    folders = {path.parent for path in pages()} - {ROOT / "book"}
    assert [folder.name for folder in sorted(folders) if not (folder / "index.md").exists()] == []


# The rules, on a notebook that keeps them and on notebooks that each break one.


@pytest.fixture
def healthy():
    """A small notebook which keeps every rule."""
    figure = v4.new_output("display_data", {"text/plain": "<Figure size 640x340 with 1 Axes>"})
    cells = [
        v4.new_markdown_cell("# A chapter"),
        v4.new_code_cell(SETUP, metadata={"tags": ["setup"]}, execution_count=1),
        v4.new_code_cell(
            "error = 1e-13\nassert error < 1e-12\nprint('equal')",
            metadata={"tags": ["exact", "nbval-check-output"]},
            outputs=[v4.new_output("stream", text="equal\n")],
            execution_count=2,
        ),
        v4.new_code_cell("draw()", metadata={"mystnb": {"image": {"alt": ALT}}}, outputs=[figure], execution_count=3),
    ]
    return normalise(v4.new_notebook(cells=cells))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rule_accepts_a_healthy_notebook(rule, healthy):
    assert list(rule(healthy)) == []


def say_no_kind(nb):
    nb.cells[2].metadata.tags = ["nbval-check-output"]


def compare_a_rounding_error(nb):
    nb.cells[2].metadata.tags = ["nbval-check-output", "rounding"]


def say_two_kinds(nb):
    nb.cells[2].metadata.tags = ["exact", "nbval-check-output", "rounding"]


def show_what_was(nb):
    old = "```python\ndef weight_shapes():\n```"
    bundle = {"text/plain": "source of unrolled.shapes.weight_shapes", "text/markdown": old}
    nb.cells[3].outputs.append(v4.new_output("display_data", bundle))


def untag(nb):
    nb.cells[2].metadata.tags = []


def forget_count(nb):
    nb.cells[2].execution_count = None


def forget_outputs(nb):
    nb.cells[2].outputs = []


def print_only_blanks(nb):
    nb.cells[2].outputs[0].text = " \n"


def compare_a_figure(nb):
    nb.cells[3].metadata.tags = ["nbval-check-output"]


def expect_an_error(nb):
    nb.cells[3].metadata.tags = ["raises-exception"]


def assert_in_a_comment(nb):
    nb.cells[2].source = "# assert error < 1e-12"


def assert_a_constant(nb):
    nb.cells[2].source = "assert True"


def no_alt(nb):
    nb.cells[3].metadata = {}


def alt_is_a_path(nb):
    nb.cells[3].metadata.mystnb.image.alt = "_images/0123456789abcdef0123456789abcdef0123456789abcdef.svg"


def alt_is_short(nb):
    nb.cells[3].metadata.mystnb.image.alt = "A figure of the accuracy"


def two_figures_in_a_cell(nb):
    nb.cells[3].outputs *= 2


def two_figures_with_one_alt(nb):
    nb.cells.append(nb.cells[3])


def other_setup(nb):
    nb.cells[1].source = "import unrolled"


def setup_not_first(nb):
    nb.cells.insert(1, nb.cells.pop())


def holds_an_error(nb):
    nb.cells[3].outputs = [v4.new_output("error", ename="ValueError", evalue="wrong shape", traceback=[])]


def holds_a_warning(nb):
    nb.cells[3].outputs = [v4.new_output("stream", name="stderr", text="UserWarning: look\n")]


def holds_a_widget(nb):
    nb.cells[3].outputs = [v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}})]


def holds_an_image(nb):
    nb.cells[3].outputs[0].data["image/svg+xml"] = "<svg/>"


def prints_a_path(nb):
    nb.cells[2].outputs[0].text = "/home/user/book/data.txt\n"


def prints_an_address(nb):
    nb.cells[2].outputs[0].text = "<object object at 0x7f3a1c0de0>\n"


def holds_a_timestamp(nb):
    nb.cells[2].metadata.execution = {"iopub.execute_input": "2026-01-01T00:00:00Z"}


def names_another_kernel(nb):
    nb.metadata.kernelspec.name = "my-env"


def counts_from_seven(nb):
    nb.cells[2].execution_count = 7


def random_id(nb):
    nb.cells[0].id = "a1b2c3d4"


def two_streams(nb):
    nb.cells[2].outputs *= 2


@pytest.mark.parametrize(("rule", "damage", "complaint"), [
    (compared_cells_hold_something_to_compare, untag, "no cell is tagged"),
    (compared_cells_hold_something_to_compare, forget_count, "not executed"),
    (compared_cells_hold_something_to_compare, forget_outputs, "no output to compare"),
    (compared_cells_hold_something_to_compare, print_only_blanks, "no output to compare"),
    (compared_cells_hold_something_to_compare, compare_a_figure, "a compared cell draws"),
    (expected_errors_are_tested_elsewhere, expect_an_error, "raises-exception proves nothing"),
    (something_is_asserted, assert_in_a_comment, "no cell asserts"),
    (something_is_asserted, assert_a_constant, "no cell asserts"),
    (figures_are_described, no_alt, "does not say what to see"),
    (figures_are_described, alt_is_a_path, "does not say what to see"),
    (figures_are_described, alt_is_short, "does not say what to see"),
    (figures_are_described, two_figures_in_a_cell, "one alt text for 2 figures"),
    (figures_are_described, two_figures_with_one_alt, "share an alt text"),
    (asserts_and_compared_outputs_say_their_kind, say_no_kind, "a cell that is compared is tagged exact or rounding"),
    (asserts_and_compared_outputs_say_their_kind, say_two_kinds, "is tagged exact or rounding"),
    (asserts_and_compared_outputs_say_their_kind, compare_a_rounding_error, "is not compared as text"),
    (shown_source_is_the_source, show_what_was, "no longer the source of unrolled.shapes.weight_shapes"),
    (file_is_normal, other_setup, "not the set-up cell of the template"),
    (file_is_normal, setup_not_first, "not the set-up cell of the template"),
    (file_is_normal, forget_count, "has not been executed"),
    (file_is_normal, holds_an_error, "holds an error: ValueError: wrong shape"),
    (file_is_normal, holds_a_warning, "writes to stderr: UserWarning: look"),
    (file_is_normal, holds_a_widget, "keeps an output of type application/vnd.jupyter.widget-view+json"),
    (file_is_normal, holds_an_image, "keeps an output of type image/svg"),
    (file_is_normal, prints_a_path, "prints an absolute path: /home/user"),
    (file_is_normal, prints_an_address, "prints a memory address: at 0x7f3a1c0de0"),
    (file_is_normal, holds_a_timestamp, "is not normal"),
    (file_is_normal, names_another_kernel, "is not normal"),
    (file_is_normal, counts_from_seven, "is not normal"),
    (file_is_normal, random_id, "is not normal"),
    (file_is_normal, two_streams, "is not normal"),
], ids=lambda value: getattr(value, "__name__", None))
def test_rule_refuses(rule, damage, complaint, healthy):
    damage(healthy)
    assert re.search(re.escape(complaint), "\n".join(rule(healthy)))
