"""Where a record comes from: the commit, honestly; the processor, never the machine."""

import datetime
import platform
import subprocess

import pytest
from origin import origin


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        command = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "-q")
    for folder in ("src", "book"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("before")
    git("add", ".")
    git("commit", "-q", "-m", "x")
    return tmp_path, git("rev-parse", "HEAD")


def test_it_names_commit_date_processor_and_versions(repository):
    root, commit = repository
    found = origin("numpy", "torch", root=root)
    assert list(found) == ["commit", "date", "device", "versions"]
    assert found["commit"] == commit[:12]
    assert abs(datetime.date.fromisoformat(found["date"]) - datetime.datetime.now(datetime.UTC).date()).days <= 1
    assert platform.node() not in found["device"]
    assert found["versions"]["python"] == platform.python_version()
    assert list(found["versions"]) == ["python", "numpy", "torch"]


@pytest.mark.parametrize(("changed", "dirty"), [("src/file", True), ("src/new", True), ("book/file", False)])
def test_a_change_marks_the_commit_only_where_it_matters(repository, changed, dirty):
    root, commit = repository
    (root / changed).write_text("after")
    assert origin(root=root)["commit"] == commit[:12] + "-dirty" * dirty
    assert origin(root=root, paths=("src", "book"))["commit"].endswith("-dirty")


def test_no_repository_is_named(refuses, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with refuses(OSError, "a measurement names its commit, and git could not tell it: fatal: not a git repository"):
        origin(root=tmp_path)
