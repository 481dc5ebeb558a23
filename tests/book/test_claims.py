"""The ledger and the pages agree: every measured verdict has its row, every row its verdict."""

import re

import pytest
import yaml
from nbformat import v4
from notebook_form import ROOT, chapter_of, page_name, pages, read

from unrolled.page.display import CLAIM_MIME, KINDS, SEEDED

LEDGER = ROOT / "book/claims.yml"
SOURCES = {"000", "001", "002", "003", "004", "folklore"}
VERDICT = re.compile(r"(holds|does not hold|undecided|not measured yet|cited|holds if \S.*?)(, on \S.*)?")
QUOTE = re.compile(r"((?P<number>\d{3}): )?(?P<text>\S.*)")
LONGEST = 40                                                # words of a quote
FEWEST = 5                                                  # seeds under a verdict that training decides


def discrepancies(rows, notebooks):
    """Yield everything on which the ledger and the pages differ.

    Args:
        rows: the ledger, {key: {"claim", "quote", "source", "chapter", "measured"}}; folklore alone has no quote.
        notebooks: the built pages, {name: notebook}; the name begins with the chapter's.
    """
    for key, row in rows.items():
        if not isinstance(row, dict) or set(row) - {"quote"} != {"claim", "source", "chapter", "measured"}:
            yield f"{key}: a row has a claim, its source, its chapter and how it is measured"
            continue
        if not isinstance(row["source"], list) or not row["source"] or not set(row["source"]) <= SOURCES:
            yield f"{key}: source {row['source']!r} is not a list out of {sorted(SOURCES)}"
        else:
            yield from misquoted(key, row)
        if not all(isinstance(row[field], str) and row[field].strip() for field in ("claim", "chapter", "measured")):
            yield f"{key}: claim, chapter and measured are texts"
    measured = {}
    for name, nb in notebooks.items():
        for bundle in bundles(nb):
            key = bundle.get("key")
            measured[key] = measured.get(key, 0) + 1
            if key not in rows:
                yield f"{key}: measured in {name}, and the ledger has no such row"
            elif rows[key].get("chapter") != name.partition("/")[0]:
                yield f"{key}: measured in {name}, and the ledger says {rows[key].get('chapter')}"
            if not VERDICT.fullmatch(bundle.get("verdict", "")):
                yield f"{key}: verdict {bundle.get('verdict')!r}"
            if not bundle.get("figure", "").strip():
                yield f"{key}: no figure"
            yield from unfounded(key, bundle)
    built = {name.partition("/")[0] for name in notebooks}
    for key, row in rows.items():
        if isinstance(row, dict) and row.get("chapter") in built and measured.get(key, 0) != 1:
            yield f"{key}: measured {measured.get(key, 0)} times in {row['chapter']}"


def misquoted(key, row):
    """A row that cites a document quotes it: which, if it cites several, and in few words."""
    documents = [source for source in row["source"] if source != "folklore"]
    if "quote" not in row:
        if documents:
            yield f"{key}: cites {', '.join(documents)} and has no quote"
        return
    quote = QUOTE.fullmatch(row["quote"]) if isinstance(row["quote"], str) else None
    if not documents or not quote:
        yield f"{key}: quote {row['quote']!r} is no text out of a document"
    elif quote["number"] not in (documents if len(row["source"]) > 1 else [None]):
        yield f"{key}: quotes {quote['number']}, and cites {', '.join(row['source'])}"
    elif len(re.findall(r"\S*\w\S*", quote["text"])) > LONGEST:
        yield f"{key}: more than {LONGEST} words quoted"


def unfounded(key, bundle):
    """A verdict says what decides it; one that training decides rests on enough seeds."""
    kind, verdict = bundle.get("kind"), bundle.get("verdict", "")
    if kind not in KINDS:
        yield f"{key}: kind {kind!r}"
    elif (kind == "cited") != (verdict == "cited"):
        yield f"{key}: {verdict}, of the kind {kind}"
    elif kind in SEEDED and verdict != "not measured yet":
        seeds = re.fullmatch(rf"{kind}, (\d+) seeds", bundle.get("basis", ""))
        if not seeds or int(seeds[1]) < FEWEST:
            yield f"{key}: {kind}, on {seeds[1] if seeds else 'no'} seeds"
    elif kind not in SEEDED and verdict == "undecided":
        yield f"{key}: undecided, and no seed decides it"
    if kind != "timed" and ", on " in verdict and "if" not in verdict:
        yield f"{key}: names a machine, and is not timed"


def bundles(nb):
    outputs = [output for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.data[CLAIM_MIME] for output in outputs if CLAIM_MIME in output.get("data", {})]


def test_ledger_and_pages_agree():
    rows = yaml.safe_load(LEDGER.read_text(encoding="utf-8"))
    assert list(discrepancies(rows, {page_name(path): read(path) for path in pages()})) == []


def test_no_key_is_written_twice():
    keys = re.findall(r"^([^\s#:][^:]*):", LEDGER.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(keys) == len(set(keys)), "YAML keeps the last of two equal keys in silence"


@pytest.mark.parametrize("chapter", sorted({chapter_of(path) for path in pages()}))
def test_every_chapter_measures_a_claim(chapter):
    assert any(bundles(read(path)) for path in pages() if chapter_of(path) == chapter)


# The comparison itself, on a ledger and a page that agree and on pairs that do not.


def row(**changes):
    fields = {"claim": "Gates forget.", "source": ["002"], "chapter": "lstm", "measured": "the product of f",
              "quote": "The gates … forget."} | changes
    return {name: field for name, field in fields.items() if field is not None}


def chapter(*verdicts, page="lstm"):
    outputs = [v4.new_output("display_data", {CLAIM_MIME: verdict}) for verdict in verdicts]
    return {page: v4.new_notebook(cells=[v4.new_markdown_cell("# LSTM"), v4.new_code_cell("", outputs=outputs)])}


def verdict(**changes):
    return {"key": "k", "figure": "0.37", "verdict": "holds", "kind": "exact", "basis": "exact"} | changes


@pytest.mark.parametrize("text", ["holds", "does not hold", "not measured yet", "holds if f > 0.99"])
@pytest.mark.parametrize(("source", "quote"), [
    (["000"], "Gates forget."), (["000", "003"], "003: Gates forget."), (["folklore", "004"], "004: Gates"),
    (["folklore"], None),
], ids=str)
def test_agreement(text, source, quote):
    assert list(discrepancies({"k": row(source=source, quote=quote)}, chapter(verdict(verdict=text)))) == []


def test_a_chapter_of_several_pages_measures_each_claim_on_one_of_them():
    pages = chapter(verdict(), page="lstm/gates") | chapter(page="lstm/text")
    assert list(discrepancies({"k": row()}, pages)) == []
    assert list(discrepancies({"k": row()}, pages | chapter(verdict(), page="lstm"))) == ["k: measured 2 times in lstm"]


def test_a_row_of_a_chapter_not_yet_built_waits():
    assert list(discrepancies({"k": row(), "later": row(chapter="gru")}, chapter(verdict()))) == []


@pytest.mark.parametrize(("rows", "notebooks", "complaint"), [
    ({}, chapter(verdict()), "the ledger has no such row"),
    ({"k": row(chapter="gru")}, chapter(verdict()), "the ledger says gru"),
    ({"k": row(chapter="gru")}, chapter(verdict(), page="lstm/a"), "measured in lstm/a, and the ledger says gru"),
    ({"k": row()}, chapter(), "measured 0 times"),
    ({"k": row()}, chapter(verdict(), verdict()), "measured 2 times"),
    ({"k": row()}, chapter(verdict(verdict="true")), "verdict 'true'"),
    ({"k": row()}, chapter(verdict(verdict="holds if ")), "verdict 'holds if '"),
    ({"k": row()}, chapter(verdict(figure=" ")), "no figure"),
    ({"k": row()}, chapter(verdict(kind="measured")), "kind 'measured'"),
    ({"k": row()}, chapter(verdict(kind="trained")), "trained, on no seeds"),
    ({"k": row()}, chapter(verdict(kind="drawn", basis="trained, 20 seeds")), "drawn, on no seeds"),
    ({"k": row()}, chapter(verdict(kind="trained", basis="trained, 4 seeds")), "trained, on 4 seeds"),
    ({"k": row()}, chapter(verdict(verdict="undecided")), "no seed decides it"),
    ({"k": row()}, chapter(verdict(verdict="holds, on AMD EPYC")), "names a machine"),
    ({"k": row(source=["005"])}, chapter(verdict()), "is not a list out of"),
    ({"k": row(source="002")}, chapter(verdict()), "is not a list out of"),
    ({"k": row(source=[])}, chapter(verdict()), "is not a list out of"),
    ({"k": row(source=[2])}, chapter(verdict()), "is not a list out of"),
    ({"k": row(claim="")}, chapter(verdict()), "are texts"),
    ({"k": row(quote=None)}, chapter(verdict()), "cites 002 and has no quote"),
    ({"k": row(quote=" ")}, chapter(verdict()), "is no text out of a document"),
    ({"k": row(quote=["Gates"])}, chapter(verdict()), "is no text out of a document"),
    ({"k": row(source=["folklore"])}, chapter(verdict()), "is no text out of a document"),
    ({"k": row(source=["000", "003"])}, chapter(verdict()), "quotes None, and cites 000, 003"),
    ({"k": row(source=["000", "003"], quote="004: Gates")}, chapter(verdict()), "quotes 004, and cites 000, 003"),
    ({"k": row(quote="002: Gates")}, chapter(verdict()), "quotes 002, and cites 002"),
    ({"k": row(quote="gate " * 41)}, chapter(verdict()), "more than 40 words"),
    ({"k": {"claim": "Gates forget."}}, {}, "a row has a claim"),
    ({"k": row(verdict="holds")}, chapter(verdict()), "a row has a claim"),
])
def test_disagreement(rows, notebooks, complaint):
    assert complaint in "\n".join(discrepancies(rows, notebooks))
