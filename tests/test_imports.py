"""What an import brings along: a script that wants one layer does not pay for the rest."""

import os
import pkgutil
import subprocess
import sys

import pytest

import unrolled

MODULES = sorted(module.name for module in pkgutil.walk_packages(unrolled.__path__, "unrolled."))


def run(code, **environment):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env={**os.environ, **environment},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(("imported", "absent"), [
    ("unrolled", ["numpy", "torch", "matplotlib", "IPython", "scipy", "sklearn"]),
    ("unrolled.checks", ["numpy", "torch"]),
    ("unrolled.shapes", ["numpy", "torch"]),
    ("unrolled.convert", ["torch", "keras", "onnx", "onnxruntime"]),
    ("unrolled.numpy", ["torch", "matplotlib", "IPython", "scipy", "sklearn"]),
    ("unrolled.torch", ["matplotlib", "IPython", "sklearn"]),
    ("unrolled.cudnn", ["matplotlib", "IPython", "sklearn"]),
    ("unrolled.data.source_code", ["torch", "matplotlib"]),
    ("unrolled.page.display", ["torch", "matplotlib", "IPython"]),
])
def test_an_import_leaves_out_what_it_does_not_need(imported, absent):
    assert not set(absent) & set(run(f"import sys, {imported}; print(*sys.modules)"))


def test_everything_imports_where_no_gpu_can_be_seen():
    run("import " + ", ".join(MODULES), CUDA_VISIBLE_DEVICES="")


def test_show_and_claim_come_when_asked_for_and_nothing_else_does():
    assert callable(unrolled.show)
    assert callable(unrolled.claim)
    with pytest.raises(AttributeError, match="module 'unrolled' has no attribute 'rnn'"):
        _ = unrolled.rnn
