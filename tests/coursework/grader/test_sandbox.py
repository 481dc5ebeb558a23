"""The sandbox: what is inside, what it may use, as root and as an ordinary user, and how replies are read."""

import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from coursework.family.assignment import Direct, Lost
from coursework.grader import bubblewrap, sandbox, worker

ROOT = Path(__file__).resolve().parents[3]
FORKS = """
import os, time
def bomb():
    made = 0
    try:
        while made < 500:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            made += 1
    except OSError as error:
        return {"made": made, "number": error.errno}
    return {"made": made, "number": 0}
"""


@pytest.fixture
def student(sandboxed):
    """A student whose notebook has these cells."""
    opened = []

    def make(*cells, **limits):
        opened.append(sandbox.Student(cells, sandbox.Limits(**limits)))
        return opened[-1]

    yield make
    for each in opened:
        each.__exit__()


def test_arguments_arrive_and_results_return(student):
    source = """
def f(x, n, rate, nothing, flag, weights):
    assert type(n) is int and type(rate) is float and nothing is None and flag is True and x.flags.writeable
    return {"x": x * n, "deep": weights["inner"]["w"] + rate, "kind": x.dtype.itemsize}
"""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    got = student(source).call("f", x=x, n=2, rate=0.5, nothing=None, flag=True, weights={"inner": {"w": np.ones(2)}})
    assert got["x"].dtype == np.float32
    assert np.array_equal(got["x"], 2 * x)
    assert np.array_equal(got["deep"], [1.5, 1.5])
    assert got["kind"] == 4


@pytest.mark.parametrize(("value", "names"), [("x", ["result"]), ("(x, x)", ["0", "1"]), ("{'a': x}", ["a"]),
                                              ("[x, x]", ["result"]), ("3.0", ["result"]), ("()", [])])
def test_results_of_every_form_are_the_same_as_without_the_sandbox(student, value, names):
    source = f"def f(x):\n    return {value}"
    namespace = {}
    exec(source, namespace)
    inside = student(source).call("f", x=np.ones(3))
    direct = Direct(namespace).call("f", x=np.ones(3))
    assert list(inside) == list(direct) == names
    assert all(np.array_equal(inside[name], direct[name]) for name in names)


def test_nothing_of_the_machine_is_inside(student):
    source = """
import os, sys
def look():
    found = [os.path.join(folder, name) for folder, _, names in os.walk("/") for name in names]
    strange = [path for path in found if not path.startswith(("/python/", "/packages/numpy", "/dev/", "/lib"))]
    assert strange == ["/worker.py"], strange
    packages = {path.split("/")[4] for path in found if path.startswith("/python/lib/") and "-packages/" in path}
    assert not packages, packages
    assert sorted(os.listdir("/dev")) == ["null", "random", "urandom", "zero"], os.listdir("/dev")
    assert os.listdir("/packages") in (["numpy"], ["numpy.libs", "numpy"], ["numpy", "numpy.libs"])
    assert os.getpid() < 10 and os.getuid() != 0 and os.uname().nodename == "sandbox"
    assert not [n for n in range(5, 64) if os.path.exists(f"/dev/fd/{n}")]
    return {}
"""
    assert student(source).call("look") == {}


def test_only_scratch_can_be_written_and_it_is_small(student):
    source = """
import os
def write():
    for folder, _, _ in os.walk("/"):
        try:
            open(folder + "/x", "w").close()
        except OSError:
            continue
        assert folder == "/tmp", folder
    try:
        for n in range(100):
            open(f"/tmp/{n}", "wb").write(bytes(1 << 20))
    except OSError as error:
        return {"files": n, "number": error.errno}
"""
    got = student(source, disk=4 << 20).call("write")
    assert 2 <= got["files"] <= 4
    assert got["number"] == 28


@pytest.mark.parametrize("filtered", [True, False])
def test_processes_are_limited_by_the_filter_and_without_it(student, monkeypatch, filtered):
    """Two walls: the filter, and, were it gone, a limit that holds for root's sandbox too."""
    if not filtered:
        allowed = {"clone", "fork", "vfork", "clone3"}
        monkeypatch.setattr(bubblewrap, "FORBIDDEN",
                            {name: row for name, row in bubblewrap.FORBIDDEN.items() if name not in allowed})
    got = student(FORKS).call("bomb")
    assert got["made"] == 0
    assert got["number"] == (1 if filtered else 11)


def test_an_ordinary_user_is_confined_too(sandboxed, tmp_path):
    """As root, the other way of starting is tried by becoming somebody else."""
    if os.geteuid() != 0:
        pytest.skip("this is an ordinary user: all other tests try it")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    script = (f"import sys; sys.path[:0] = [{str(ROOT)!r}]\nfrom coursework.grader import sandbox\nsandbox.check()\n"
              f"with sandbox.Student([{FORKS!r}]) as student:\n    print(dict(student.call('bomb')))")
    packages = str(Path(np.__file__).parents[1])
    for python in (sys.executable, shutil.which(f"python{version}", path="/usr/local/bin:/usr/bin")):
        if python is None:
            continue
        who = {"user": 65534, "group": 65534, "extra_groups": [], "cwd": "/", "capture_output": True, "text": True}
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            reads = f"import numpy; open({worker.__file__!r})"
            readable = subprocess.run([python, "-c", reads], env=environment, **who)
        except OSError:
            continue
        if readable.returncode:
            continue
        done = subprocess.run([python, "-c", script], env=environment, **who)
        assert done.returncode == 0, done.stderr
        assert "'made': array(0)" in done.stdout
        return
    pytest.skip("no Python with NumPy, or not this folder, can be read by another user")


def test_a_function_that_stops_the_process_is_started_again_and_then_left_out(student):
    source = "import os, numpy as np\ndef good(): return {'x': np.ones(1)}\ndef bad(): os._exit(3)"
    one = student(source)
    for expected in ("exit status 3", "exit status 3", "as before"):
        with pytest.raises(Lost, match=expected):
            one.call("bad")
        assert one.call("good")["x"] == 1
    began = time.monotonic()
    with pytest.raises(Lost, match="as before"):
        one.call("bad")
    assert time.monotonic() - began < 0.01


def test_time_is_up_after_the_total_and_not_before(student):
    one = student("import time\ndef f(): time.sleep(60)\ndef g(): return 1", call=60.0, total=2.0)
    began = time.monotonic()
    with pytest.raises(sandbox.Expired):
        one.call("f")
    assert 1.9 < time.monotonic() - began < 8
    with pytest.raises(sandbox.Expired):
        one.call("g")


def test_a_call_that_is_too_slow_costs_only_its_own_row(student):
    one = student("import time\ndef f(): time.sleep(60)\ndef g(): return 1", call=0.5)
    with pytest.raises(Lost, match="did not come back within 0.5 seconds"):
        one.call("f")
    assert one.call("g") == {"result": 1}


def test_cells_that_cannot_be_run_are_a_status(student):
    one = student("import os\nos._exit(1)", "import os\nos._exit(2)", "import os\nos._exit(3)", "def f(): return 1")
    with pytest.raises(sandbox.Unusable, match=r"^crashed: code cell 3 ended the process \(exit status 3\)$"):
        one.call("f")
    assert [note.split(" ended")[0] for note in one.notes] == ["code cell 1", "code cell 2"]


def test_large_arguments_reach_a_slow_reader(student):
    x = np.random.default_rng(0).normal(size=(2, 1 << 20))
    assert np.array_equal(student("def f(x): return x").call("f", x=x)["result"], x)


def test_the_message_names_the_students_line(student):
    one = student("x = 1", "import numpy as np\n\ndef f(x):\n    y = x + 1\n    return x @ np.ones((7, 2))\n")
    with pytest.raises(Lost, match=r"ValueError: matmul.*\(code cell 2, line 5: `return x @ np.ones\(\(7, 2\)\)`\)$"):
        one.call("f", x=np.ones((2, 3)))


def test_without_bubblewrap_there_is_a_message_and_no_worker(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(sandbox.SandboxMissing) as caught:
        sandbox.Worker(sandbox.Limits())
    text = str(caught.value)
    assert "no program bwrap" in text
    assert "apt install bubblewrap" in text
    assert "dnf install bubblewrap" in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


@pytest.mark.skipif(shutil.which("ldd") is None, reason="no ldd, which names what the sandbox must hold: not Linux")
@pytest.mark.parametrize("body", ["exit 0", "echo broken >&2; exit 1", "echo not a frame", "exec sleep 60"])
def test_a_bubblewrap_that_does_not_work_is_no_sandbox(monkeypatch, tmp_path, body):
    (tmp_path / "bwrap").write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{body}\n")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(sandbox, "START", 1.0)
    with pytest.raises(sandbox.SandboxMissing, match="broken" if "broken" in body else "does not work here"):
        sandbox.Worker(sandbox.Limits())


def npz(**members):
    file = io.BytesIO()
    np.savez(file, **members)
    return file.getvalue()


def message(value):
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def npy(header, values=b""):
    text = (str(header) + " " * 20).encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + values


def stored(compression=zipfile.ZIP_STORED, **members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in ({"json.npy": npy_of(message({}))} | members).items():
            archive.writestr(name, data)
    return file.getvalue()


def npy_of(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_a_frame_is_read_as_it_was_packed():
    arrays = [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3, 2)), np.zeros((0, 4), "f4"), np.array(True)]
    told, got = sandbox.unpacked(worker.pack({"names": list("abcd")}, arrays))
    assert told == {"names": list("abcd")}
    for number, array in enumerate(arrays):
        assert got[str(number)].dtype == array.dtype
        assert np.array_equal(got[str(number)], array)


DICT = "{'descr': %s, 'fortran_order': False, 'shape': %s}"
FRAMES = {
    "nothing": b"", "noise": os.urandom(1000), "no-json": npz(x=np.zeros(1)), "json-list": npz(json=message([])),
    "not-json": npz(json=np.zeros(3, np.uint8)), "json-deep": npz(json=np.frombuffer(b"[" * 100_000, np.uint8)),
    "object": npz(json=message({}), x=np.array([{}], dtype=object)),
    "complex": npz(json=message({}), x=np.zeros(1, complex)), "text": npz(json=message({}), x=np.array("abc")),
    "structured": npz(json=message({}), x=np.zeros(1, "i4,f8")), "long": npz(json=message({}), x=np.longdouble(1)),
    "many": npz(json=message({}), **{str(n): np.zeros(1) for n in range(200)}),
    "compressed": stored(zipfile.ZIP_DEFLATED, x=npy_of(np.zeros(1 << 20))),
    "pickle": stored(x=pickle.dumps([1])), "cut-off": npz(json=message({}), x=np.zeros(100))[:-300],
    "too-long": stored(x=npy(DICT % ("'<f8'", "(1000000000000,)"), bytes(8))),
    "too-short": stored(x=npy(DICT % ("'<f8'", "(1,)"), bytes(80))),
    "negative": stored(x=npy(DICT % ("'<f8'", "(-1, -1)"), bytes(8))),
    "zero-and-huge": stored(x=npy(DICT % ("'<f8'", f"(0, {1 << 70})"))),
    "true-shape": stored(x=npy(DICT % ("'<f8'", "(True,)"), bytes(8))),
    "many-axes": stored(x=npy(DICT % ("'<f8'", "(" + "1," * 40 + ")"), bytes(8))),
    "header-call": stored(x=npy("print('run')")), "header-deep": stored(x=npy("(" * 500)),
    "header-long": stored(x=npy("{" + " " * 60_000 + "}")), "version-2": stored(x=b"\x93NUMPY\x02\x00" + bytes(10)),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_strangers_frame_is_refused(name):
    with pytest.raises(sandbox.Forged):
        sandbox.unpacked(FRAMES[name])


def test_a_member_twice_is_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("json.npy", npy_of(message({})))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("json.npy", npy_of(message({})))
    with pytest.raises(sandbox.Forged, match="twice"):
        sandbox.unpacked(file.getvalue())
