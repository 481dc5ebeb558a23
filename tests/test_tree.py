"""What no file may hold: an address of the project, a path of one machine, a host to install from."""

import json
import re
import subprocess

import pytest
from notebook_form import ROOT


@pytest.fixture(scope="module")
def texts():
    """Every text file that git knows or would take, by its path."""
    command = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(command, capture_output=True)
    if listed.returncode:
        pytest.skip("this is no git checkout: there is no list of its files")
    found = {}
    for name in filter(None, listed.stdout.decode().split("\0")):
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b"\0"
        if b"\0" not in data:
            found[name] = data.decode("utf-8")
    return found


def test_no_file_says_where_the_project_lives(texts):
    """Whoever publishes it says so, and nothing leads to a place that may not be there."""
    address = re.compile(r"https?://[\w.-]+/[\w.-]*unrolled[\w.-]*")
    assert not {name: found for name, text in texts.items() if (found := address.findall(text))}


def test_no_file_names_this_machine(texts):
    assert not [name for name, text in texts.items() if str(ROOT) in text]


def test_only_binder_names_a_place_to_install_from(texts):
    option = re.compile(r"^--(?:extra-)?index-url|^--find-links|^-[if] ", re.MULTILINE)
    lists = {name for name, text in texts.items() if name.endswith(".txt") and option.search(text)}
    assert lists == {"binder/requirements.txt"}
    lock = json.loads(texts["tests/site/package-lock.json"])
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
