"""What is released: one version everywhere, metadata that a registry takes, a package that needs no repository."""

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile

import pytest
from notebook_form import ROOT
from packaging.metadata import Metadata
from packaging.version import Version

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]      # Keep a Changelog 1.1.0

# Run with the wheel's folder and the libraries on the path, and nothing else.
PROOF = """
import importlib.metadata, sys
import numpy as np, torch
import unrolled, unrolled.numpy, unrolled.torch, unrolled.convert
from unrolled import studies
from unrolled.data import elnino
from unrolled.page import plots

assert unrolled.__file__.startswith(sys.argv[1]), unrolled.__file__
assert unrolled.__version__ == importlib.metadata.version("unrolled") == sys.argv[2], unrolled.__version__

library = torch.nn.LSTM(4, 5, 2, bidirectional=True, dtype=torch.float64)
ours = unrolled.torch.LSTM(4, 5, 2, bidirectional=True, dtype=torch.float64)
arrays = unrolled.numpy.LSTM(4, 5, 2, bidirectional=True, dtype=np.float64)
ours.load_state_dict(library.state_dict())
arrays.load_state_dict(library.state_dict())
x = torch.randn(6, 3, 4, dtype=torch.float64)
expected, _ = library(x)
expected.sum().backward()
output, _ = ours(x)
output.sum().backward()
by_hand, _ = arrays.forward(x.numpy())
_, _, grads = arrays.backward(np.ones_like(by_hand))
torch.testing.assert_close(output, expected, rtol=1e-12, atol=1e-14)
torch.testing.assert_close(torch.from_numpy(by_hand), expected, rtol=1e-12, atol=1e-14)
for name, parameter in library.named_parameters():
    torch.testing.assert_close(ours.get_parameter(name).grad, parameter.grad, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(torch.from_numpy(grads[name]), parameter.grad, rtol=1e-12, atol=1e-13)

assert elnino.load_elnino() is not None
assert sorted(path.stem for path in studies.RECORDS.glob("*.json")) == sys.argv[3].split()
print("proved")
"""


def test_one_version_stands_everywhere():
    version = PROJECT["version"]
    assert str(Version(version)) == version
    assert re.fullmatch(r"\d+\.\d+\.\d+", version), "semantic: major, minor, patch"
    assert re.findall(r"^version: (.*)$", CITATION, re.MULTILINE) == [version]
    assert re.findall(r"^## \[(\d.*?)\]", CHANGES, re.MULTILINE)[0] == version


def test_the_changes_have_the_form_of_keep_a_changelog():
    titles = re.findall(r"^## (.*)$", CHANGES, re.MULTILINE)
    form = re.compile(r"\[Unreleased\]|\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d")
    assert CHANGES.startswith("# Changes\n")
    assert [title for title in titles if not form.fullmatch(title)] == []
    assert "[Unreleased]" not in titles[1:]
    releases = [re.findall(r"\[(.*)\] - (.*)", title)[0] for title in titles if title != "[Unreleased]"]
    assert releases == sorted(releases, key=lambda release: Version(release[0]), reverse=True)
    assert [date for _, date in releases] == sorted((date for _, date in releases), reverse=True)
    for section in re.split(r"^## .*$", CHANGES, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.*)$", section, re.MULTILINE)
        assert kinds == [kind for kind in KINDS if kind in kinds], "known kinds, each once, in one order"
        assert all(part.strip().startswith("- ") for part in re.split(r"^### .*$", section, flags=re.MULTILINE)[1:])


def test_the_date_of_the_version_is_that_of_the_citation():
    date, = re.findall(r"^date-released: (.*)$", CITATION, re.MULTILINE)
    assert f"## [{PROJECT['version']}] - {date}\n" in CHANGES


def test_a_tag_publishes_both_archives_without_a_secret():
    workflow = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    assert 'tags: ["v*"]' in workflow
    assert "-m build --no-isolation --outdir _build/dist" in workflow
    assert "pypa/gh-action-pypi-publish@" in workflow
    assert "id-token: write" in workflow
    assert "secrets." not in workflow


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The sdist and, made from it, the wheel, by the back end of this environment and without a network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def held(folder):
    """The files under a folder of the repository that a release must hold, by their path from it."""
    return {str(path.relative_to(folder).as_posix()) for path in folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts}


def test_both_archives_hold_every_file_of_the_package_and_nothing_of_the_course(archives):
    sdist, wheel = archives
    package = held(ROOT / "src/unrolled")
    assert {"data/elnino.csv", "page/unrolled.mplstyle", "studies/records/page-lstm.json"} <= package
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.removeprefix("unrolled/") for name in names if name.startswith("unrolled/")} == package
    others = [name for name in names if not name.startswith("unrolled/")]
    assert {name.partition("/")[0] for name in others} == {f"unrolled-{PROJECT['version']}.dist-info"}
    with tarfile.open(sdist) as archive:
        root, names = f"unrolled-{PROJECT['version']}/", archive.getnames()
    assert {root + "src/unrolled/" + name for name in package} <= set(names)
    kept = {name.removeprefix(root).partition("/")[0] for name in names}
    assert kept == {"src", "LICENSE", "CHANGELOG.md", "CITATION.cff", "pyproject.toml", "PKG-INFO", ".gitignore"}


def test_a_registry_accepts_the_metadata(archives):
    _, wheel = archives
    with zipfile.ZipFile(wheel) as archive:
        name, = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        raw = archive.read(name)
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in archive.namelist())
    metadata = Metadata.from_email(raw, validate=True)
    assert (metadata.name, str(metadata.version)) == ("unrolled", PROJECT["version"])
    assert metadata.license_expression == "BSD-3-Clause"
    assert metadata.description_content_type == "text/markdown"
    assert not re.findall(r"\]\((?!https?://)", metadata.description), "a registry has no files beside the description"
    assert len(metadata.summary) <= 512
    assert "Programming Language :: Python :: 3.11" in metadata.classifiers
    assert str(metadata.requires_python) == "<3.14,>=3.11"
    needed = [requirement for requirement in metadata.requires_dist if requirement.marker is None]
    assert all(any(part.operator == ">=" for part in requirement.specifier) for requirement in needed)
    assert not metadata.project_urls, "no address is known: whoever publishes it says so"


def test_the_example_of_the_description_runs():
    code, = re.findall(r"```python\n(.*?)```", (ROOT / "src/README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, "src/README.md", "exec"), {})


def test_the_wheel_works_where_the_repository_is_not(archives, tmp_path):
    _, wheel = archives
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile",
               "--disable-pip-version-check", "--target", tmp_path / "site", wheel]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    records = " ".join(sorted(path.stem for path in (ROOT / "src/unrolled/studies/records").glob("*.json")))
    # -S: the libraries are found, and what this environment links to, such as src/ of the repository, is not.
    paths = [str(tmp_path / "site"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run([sys.executable, "-S", "-c", PROOF, str(tmp_path / "site"), PROJECT["version"], records],
                          capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (0, "proved\n"), done.stderr
