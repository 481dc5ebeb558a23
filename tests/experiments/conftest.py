"""The folder `experiments` is no package that is installed: a test names the module that it wants in EXPERIMENT."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def experiment(monkeypatch, request):
    """The module of `experiments` that the test's module names."""
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module(f"experiments.{request.module.EXPERIMENT}")
