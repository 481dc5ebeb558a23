"""Every record lies where the package reads it, and says of what commit, machine and versions it is."""

import importlib
import json
from pathlib import Path

import pytest

RESULTS = Path(__file__).resolve().parents[2] / "experiments/results"
MODULES = {"long-memory": "long_memory", "comparison": "comparison", "bottleneck": "bottleneck",
           "architectures": "architectures", "recall": "recall"}


@pytest.mark.parametrize(("name", "module"), MODULES.items())
def test_the_record_beside_the_experiment_is_the_one_that_the_package_brings_along(name, module):
    record = importlib.import_module(f"unrolled.{module}").RECORD
    assert (RESULTS / f"{name}.json").resolve() == record.resolve()


def test_no_record_is_forgotten_here():
    assert {path.stem for path in RESULTS.glob("*.json")} == {*MODULES, "tuning"}


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_record_names_its_origin_of_a_clean_tree(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    assert {"commit", "date", "device", "versions"} <= record.keys()
    assert len(record["commit"]) == 12                      # a thirteenth would be of "-dirty"
