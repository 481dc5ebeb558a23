"""What Binder would build: read from the Dockerfile that repo2docker writes, which takes no Docker."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from notebook_form import ROOT

PIN = re.compile(r"^([\w.-]+)==([\w.!]+)", re.MULTILINE)
LINES = (ROOT / "binder/requirements.txt").read_text(encoding="utf-8").splitlines()
WANTED = [line.split("#")[0].strip() for line in LINES if line.split("#")[0].strip()]


def pins(text):
    """{name: version}, without the local part of a version such as +cpu."""
    return dict(PIN.findall(text))


@pytest.fixture(scope="module")
def dockerfile(tmp_path_factory):
    """The Dockerfile for a copy of what repo2docker decides on."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "binder", folder / "binder")
    for name in ("pyproject.toml", "requirements.txt", "README.md"):
        shutil.copy(ROOT / name, folder)
    tool = Path(sys.executable).with_name("jupyter-repo2docker")
    done = subprocess.run([tool, "--no-build", "--debug", "."], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_python_is_the_one_asked_for(dockerfile):
    assert "Building conda environment for python=3.11" in dockerfile
    assert re.search(r"environment-2epy-2d3-2e11", dockerfile), "repo2docker's own pins for Python 3.11"


def test_package_is_installed_after_the_repository_is_there(dockerfile):
    assert "-e ." in WANTED
    copied = dockerfile.index("COPY --chown=0:0 src/ ${REPO_DIR}/")
    assert copied < dockerfile.index('pip install --no-cache-dir -r "binder/requirements.txt"')


def test_root_requirements_are_not_installed(dockerfile):
    assert '-r "requirements.txt"' not in dockerfile, "they bring the site's tools and PyTorch with CUDA"


def test_torch_comes_without_cuda():
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in WANTED
    assert any(re.fullmatch(r"torch==[\d.]+\+cpu", line) for line in WANTED), "only the CPU's wheels are named so"


def test_pins_are_those_of_the_one_environment():
    lock = pins((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    binder = pins("\n".join(WANTED))
    del binder["jupyterlab-myst"]  # shows MyST in JupyterLab, which only Binder brings
    assert binder == {name: lock[name] for name in binder}


def test_everything_the_package_needs_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.match(r"[\w-]+", text)[0] for text in project["dependencies"]}
    assert needed <= pins("\n".join(WANTED)).keys()
