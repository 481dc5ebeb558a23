"""Every study can be run, and every record is one of a study, complete, and made from a clean tree."""

import importlib
import json
import pkgutil

import pytest
from experiments import pages
from notebook_form import chapter_of

from unrolled import studies

MODULES = [importlib.import_module(f"unrolled.studies.{name}") for _, name, _ in pkgutil.iter_modules(studies.__path__)]
NAMES = [module.__name__.rpartition(".")[2] for module in MODULES if hasattr(module, "runs")]
TIMED = "costs", "ladder"                                   # what `benchmarks` recorded, beside the studies' records
RECORDS = sorted(path for path in studies.RECORDS.glob("*.json") if path.stem not in TIMED)


@pytest.mark.parametrize("name", NAMES)
def test_a_study_lists_its_runs_and_no_two_are_equal(name):
    study = importlib.import_module(f"unrolled.studies.{name}")
    for small in (False, True):
        runs = study.runs(small)
        assert runs
        assert len({json.dumps(run) for run in runs}) == len(runs)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_a_studys_and_names_its_origin(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    chapters = {chapter_of(page) for page in pages.PAGES.values()}      # one may have been a single page then
    assert path.stem.replace("-", "_") in NAMES or path.stem.removeprefix("page-") in {*pages.PAGES, *chapters}
    assert {"commit", "date", "device", "versions", "rows"} == record.keys()
    assert len(record["commit"]) == 12                      # a thirteenth would be of "-dirty"
    assert record["rows"]


@pytest.mark.parametrize("path", [path for path in RECORDS if path.stem.startswith("page-")],
                         ids=lambda path: path.stem)
def test_the_record_of_a_page_is_of_runs_with_other_seeds(path):
    rows, page = studies.recorded(path.stem)["rows"], path.stem.removeprefix("page-")
    assert [{"page": row["page"], "first": row["first"]} for row in rows] == pages.runs(page)
    found = {json.dumps(row["claims"]) for row in rows}
    assert len(found) == len(rows) or "." not in "".join(found) and len(found) > 1      # counts can be equal, not all
    assert len({frozenset(row["claims"]) for row in rows}) == 1


@pytest.mark.parametrize("path", [path for path in RECORDS if not path.stem.startswith("page-")],
                         ids=lambda path: path.stem)
def test_a_record_holds_no_run_twice_and_its_arguments_are_the_studys(path):
    study = importlib.import_module(f"unrolled.studies.{path.stem.replace('-', '_')}")
    rows = studies.recorded(path.stem)["rows"]
    runs = [{key: row[key] for key in run} for run, row in zip(study.runs(), rows)]
    assert len({json.dumps(run) for run in runs}) == len(runs)
    if first := study.runs():
        assert set(first[0]) <= set(rows[0])


def test_an_unknown_record_is_named():
    with pytest.raises(ValueError, match="name must be one of .* got 'nothing'"):
        studies.recorded("nothing")


def test_rows_are_chosen_by_value(monkeypatch):
    monkeypatch.setattr(studies, "recorded", lambda _: {"rows": [{"model": "a", "seed": 0}, {"model": "b", "seed": 0}]})
    assert studies.rows("any", model="b") == [{"model": "b", "seed": 0}]


def test_runs_that_do_not_depend_on_rows_are_listed_once():
    make = studies.once(lambda small: [{"seed": 0}])
    assert make() == [{"seed": 0}]
    assert make(rows=[{"seed": 0, "score": 1}]) == []
