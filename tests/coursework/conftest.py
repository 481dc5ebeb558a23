"""What the tests of the coursework share: the repository on the path, the sandbox or a skip that says why."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="session")
def sandboxed():
    """Skip where student code cannot be confined, by name and with the reason."""
    from coursework.grader import sandbox

    try:
        sandbox.check()
    except sandbox.SandboxMissing as error:
        pytest.skip(f"no sandbox: {error.reason}")


@pytest.fixture(scope="session")
def tiny():
    from tests.coursework import tiny

    return tiny


@pytest.fixture(scope="session")
def book():
    """A notebook's bytes from the sources of its code cells."""

    def make(*cells, **metadata):
        entries = [{"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
                   for source in cells]
        return json.dumps({"nbformat": 4, "nbformat_minor": 5, "cells": entries, "metadata": metadata}).encode()

    return make
