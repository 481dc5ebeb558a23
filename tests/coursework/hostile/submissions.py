"""Submissions that want points that they have not earned, or want to do harm; and right ones in unusual clothes.

Each is made for one assignment: its function names and a right solution are all that is known here, so the same
submissions attack every assignment. `TOKEN` in a source becomes a text that no other run has, `SECRET` and `FOLDER` the
paths of a file that nobody may read and of the folder with all submissions.
"""

import dataclasses
import json
import re
import textwrap


@dataclasses.dataclass(frozen=True)
class Case:
    """A submission and what must become of it.

    Attributes:
        data: the file's bytes; or a function that makes the file at a path it is given.
        full: it must earn every point; otherwise it must earn none.
        status: a pattern of its status.
        says: a pattern that its messages and notes must hold.
    """

    data: object
    full: bool = False
    status: str = "graded"
    says: str = ""


def cell(source, kind="code", **metadata):
    return {"cell_type": kind, "metadata": metadata, "source": textwrap.dedent(source)} | (
        {"execution_count": None, "outputs": []} if kind == "code" else {})


def book(*sources, **metadata):
    cells = [source if isinstance(source, dict) else cell(source) for source in sources]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}).encode()


def every(functions, body):
    """All functions of the assignment with one body."""
    body = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    return "import numpy as np\n" + "\n".join(f"def {name}(**given):\n{body}\n" for name in functions)


def instead(functions, right, body):
    """A right solution, and around each function one that sees its answer, as `got`, and returns something else."""
    body = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    return right + "\n" + "\n".join(f"_{name} = {name}\ndef {name}(**given):\n    got = _{name}(**given)\n{body}\n"
                                    for name in functions)


# Right names, shapes and dtypes, wrong numbers: only a look at every number tells.
WRONG = "return {name: np.asarray(value) + 0.5 for name, value in got.items()}"

# Cells around functions with wrong answers, which must be found out all the same.
AROUND = {
    "patched-asserts": """
        import numpy as np
        for module in (np, np.testing):
            for name in dir(module):
                if name.startswith("assert_") or name in ("allclose", "array_equal", "isclose", "all"):
                    setattr(module, name, lambda *a, **k: True)
        """,
    "patched-builtins": """
        import builtins
        builtins.abs = lambda *a: 0
        builtins.all = builtins.isinstance = lambda *a: True
        builtins.max = builtins.sum = lambda *a, **k: 0
        """,
    "patched-numpy": """
        import numpy as np
        np.abs = np.subtract = lambda *a, **k: np.float64(0)
        np.tanh = lambda *a, **k: 0
        """,
    "input-transformer": """
        def away(lines):
            return ["pass\\n" for line in lines]
        get_ipython().input_transformers_cleanup.append(away)
        """,
    "ast-transformer": """
        import ast
        class Away(ast.NodeTransformer):
            def visit_Assert(self, node):
                return ast.Pass()
        get_ipython().ast_transformers.append(Away())
        """,
    "trace-hook": """
        import sys
        def trace(frame, event, argument):
            for name in list(frame.f_locals):
                if name in ("want", "expected", "error", "earned"):
                    frame.f_locals[name] = 1
            return trace
        sys.settrace(trace); sys.setprofile(trace)
        """,
    "excepthook-and-atexit": """
        import atexit, sys
        sys.excepthook = lambda *a: print("all rows passed")
        atexit.register(lambda: print("earned: 100"))
        """,
    "forged-score-files": """
        import json, os
        for name in ("results.json", "/results.json", "/autograder/results.json", "gradebook.db", "journal.jsonl"):
            try:
                open(name, "w").write(json.dumps({"status": "graded", "earned": 100, "score": 100}))
            except OSError:
                pass
        print(json.dumps({"status": "graded", "rows": [{"name": "forward-random", "earned": 100}]}))
        """,
    "patched-worker": """
        import gc, types
        for thing in gc.get_objects():
            if isinstance(thing, types.FunctionType) and thing.__name__ in ("call", "named_arrays", "send"):
                thing.__code__ = (lambda *a, **k: ({"earned": 1.0, "status": "graded"}, None)).__code__
        """,
}

# What every function of the submission does when it is called.
BODIES = {
    # answers that are no answers
    "equal-to-everything": """
        class Equal(np.ndarray):
            __array_priority__ = 1e9
            def __eq__(self, other): return True
            def __array_ufunc__(self, *a, **k): return np.zeros(())
            def __array_function__(self, *a, **k): return True
            shape = property(lambda self: Equal())
        return {name: (value + 0.5).view(Equal) for name, value in got.items()}
        """,
    "equal-object": """
        class Equal:
            def __eq__(self, other): return True
            def __getattr__(self, name): return Equal()
            def __call__(self, *a, **k): return Equal()
        return Equal()
        """,
    "equal-float": """
        class Equal(float):
            def __eq__(self, other): return True
            __lt__ = __le__ = __gt__ = __ge__ = __eq__
            def __sub__(self, other): return 0.0
            __rsub__ = __sub__
        return {name: Equal(3) for name in got}
        """,
    "array-protocol": """
        class Late:
            def __array__(self, *a, **k):
                raise SystemExit(0)
        return {"h": Late()}
        """,
    "array-interface-lies": """
        class Lies:
            __array_interface__ = {"shape": (1 << 20,), "typestr": "<f8", "data": (4096, True), "version": 3}
        return {"h": Lies()}
        """,
    "strided-lies": """
        return {"h": np.lib.stride_tricks.as_strided(np.zeros(1), (1 << 40,), (0,))}
        """,
    "nan": "return {name: value * np.nan for name, value in got.items()}",
    "one-nan": "for value in got.values():\n    np.asarray(value).flat[-1] = np.nan\nreturn got",
    "infinite": "return {name: value + np.inf for name, value in got.items()}",
    "wrong-by-a-half": WRONG,
    "zeros": "return {name: np.zeros_like(value) for name, value in got.items()}",
    "zero-dimensional": "return {name: np.float64(0.1) for name in got}",
    # Of a number, which has no axis, another one: a number in brackets is right.
    "one-axis-more": "return {name: np.asarray(value)[None] if np.ndim(value) else value + 1\n"
                     "        for name, value in got.items()}",
    "truth-values": "return {name: value == value for name, value in got.items()}",
    "empty-dict": "return {}",
    "none": "return None",
    "object-array": "return {'h': np.array([object(), None], dtype=object)}",
    "pickles": "import pickle\nreturn {'h': pickle.dumps(np.zeros(3))}",
    "text": "return 'earned: 100'",
    "text-array": "return {'h': np.array(['1.0', '2.0'])}",
    "complex": "return {'h': np.zeros((2, 2), complex)}",
    "longdouble": "return {'h': np.zeros((2, 2), np.longdouble)}",
    "structured": "return {'h': np.zeros(3, [('a', 'f8'), ('b', 'O')])}",
    "masked": "return {name: np.ma.array(np.asarray(value) + 0.5, mask=True) for name, value in got.items()}",
    "denormal": "return {name: np.asarray(value, float) * 1e-320 for name, value in got.items()}",
    "enormous": "return {name: np.sign(value) * 1.7e308 for name, value in got.items()}",
    "one-axis-less": "return {name: np.reshape(value, (-1, *np.shape(value)[2:])) if np.ndim(value) > 1\n"
                     "        else np.sum(value) + 1 for name, value in got.items()}",
    "no-numbers": "return {name: np.zeros((0, *np.shape(value))) for name, value in got.items()}",
    "many-axes": "return {name: np.reshape(value, np.shape(value) + (1,) * 20) for name, value in got.items()}",
    "dates": "return {'h': np.zeros(3, 'M8[s]')}",
    "ragged": "return {'h': [[1.0], [1.0, 2.0]]}",
    "nested": "return {'h': {'h': {'h': np.zeros(2)}}}",
    "generator": "return (np.zeros(2) for _ in iter(int, 1))",
    "endless-dict": """
        class Endless(dict):
            def items(self):
                while True:
                    yield "h", np.zeros(1)
            def __len__(self): return 1
        return Endless(h=1)
        """,
    "strange-names": "return {'../../etc/passwd': np.zeros(2), 'json': np.zeros(2), 'a' * 60: np.zeros(1)}",
    "names-that-are-none": "return {1: np.zeros(2), None: np.zeros(2)}",
    "control-names": "return {'\\x1b[2J\\n\\0': np.zeros(2)}",
    "huge": "return {'h': np.zeros((300, 1 << 17))}",
    "many": "return {str(n): np.zeros(1) for n in range(100_000)}",
    # looking for the answer
    "frames": """
        import sys
        frame = sys._getframe()
        while frame is not None:
            for values in (frame.f_locals, frame.f_globals):
                for name, value in list(values.items()):
                    if name in ("want", "expected", "reference", "right", "_OURS", "ASSIGNMENT"):
                        return value if isinstance(value, dict) else {"h": value}
            frame = frame.f_back
        raise LookupError("nothing")
        """,
    "In": "return eval(In[-1])",
    "garbage-collector": """
        import gc
        for thing in gc.get_objects():
            if isinstance(thing, dict) and ("want" in thing or "rows" in thing or "expected" in thing):
                return {"h": thing}
        raise LookupError("nothing")
        """,
    "course-package": """
        import importlib, pathlib, sys
        sys.path += [str(path.parent) for path in pathlib.Path("/").glob("*/*/__init__.py")]
        sys.path += ["REPOSITORY", "REPOSITORY/src", "FOLDER", ".."]
        for name in ("coursework", "coursework.assignments", "coursework.family.tape", "unrolled",
                     "unrolled.numpy", "unrolled.torch", "torch", "scipy", "sklearn", "pip", "nbgrader",
                     "tests.coursework.tiny"):
            try:
                importlib.import_module(name)
            except ImportError:
                continue
            raise RuntimeError("FOUND TOKEN " + name)
        raise LookupError("nothing")
        """,
    "reads-secret": """
        raise RuntimeError("FOUND " + open("SECRET").read())
        """,
    "walks-everything": """
        import os
        for folder, folders, files in os.walk("/"):
            for name in files:
                if name.endswith((".ipynb", ".jsonl", ".db", ".env", ".git")) or "TOKEN" in name:
                    raise RuntimeError("FOUND TOKEN " + folder)
                if name in ("passwd", "shadow", "cmdline", "environ", "mountinfo", "id_rsa", "reference.py"):
                    raise RuntimeError("FOUND TOKEN " + name)
        raise LookupError("nothing")
        """,
    "environment": """
        import os
        if set(os.environ) - {"HOME", "LC_ALL", "LD_LIBRARY_PATH", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS",
                              "MKL_NUM_THREADS", "PWD", "LC_CTYPE", "CONTENT", "OPENBLAS_MAIN_FREE"}:
            raise RuntimeError("FOUND TOKEN " + " ".join(os.environ))
        raise LookupError("nothing")
        """,
    "link-inside": """
        import os
        os.path.lexists("/tmp/link") or os.symlink("SECRET", "/tmp/link")
        raise RuntimeError("FOUND " + open("/tmp/link").read())
        """,
    "shows-inputs": """
        raise ValueError(repr(given))
        """,
    "shows-inputs-by-int": """
        int(repr([float(value) for value in np.ravel(next(iter(given.values())))]))
        """,
    # harm outside
    "writes-outside": """
        import os
        for path in ("SECRET", "FOLDER/TOKEN", "/TOKEN", "/dev/shm/TOKEN", "/var/tmp/TOKEN", "/tmp/TOKEN",
                     "/python/TOKEN", "/packages/numpy/TOKEN.py", "/worker.py"):
            try:
                open(path, "w").write("TOKEN")
            except OSError:
                pass
        raise LookupError("tried")
        """,
    "deletes-neighbours": """
        import os, shutil
        shutil.rmtree("FOLDER", ignore_errors=True)
        for path in ("FOLDER/neighbour.ipynb", "SECRET", "/worker.py", "/python/bin/python3"):
            try:
                os.remove(path)
            except OSError:
                pass
        raise LookupError("tried")
        """,
    "kills-everybody": """
        import os, signal
        for target in (-1, 0, 1, os.getppid(), *range(2, 1000)):
            try:
                os.kill(target, signal.SIGKILL)
            except OSError:
                pass
        """,
    "network": """
        import socket, urllib.request
        for family, address in ((socket.AF_INET, ("1.1.1.1", 53)), (socket.AF_INET, ("127.0.0.1", 22)),
                                (socket.AF_UNIX, "/run/docker.sock"), (socket.AF_UNIX, "\\0TOKEN")):
            try:
                with socket.socket(family) as line:
                    line.settimeout(0.3)
                    line.connect(address)
                raise RuntimeError("FOUND TOKEN a network")
            except OSError:
                pass
        socket.getaddrinfo("doi.org", 443)
        raise RuntimeError("FOUND TOKEN a name server")
        """,
    "escapes": """
        import ctypes
        c = ctypes.CDLL(None, use_errno=True)
        done = [name for name, call in {
            "unshare": lambda: c.unshare(0x10000000 | 0x20000), "chroot": lambda: c.chroot(b"/tmp"),
            "mount": lambda: c.mount(b"none", b"/tmp", b"tmpfs", 0, 0), "umount": lambda: c.umount2(b"/python", 2),
            "setuid": lambda: c.setuid(0), "ptrace": lambda: c.ptrace(16, 1, 0, 0),
            "personality": lambda: c.personality(0),
            "shmget": lambda: c.shmget(0, 1 << 28, 0o1600), "memfd": lambda: c.memfd_create(b"TOKEN", 0),
            "bpf": lambda: c.syscall(321, 0, 0, 0), "keyctl": lambda: c.syscall(250, 0, -3, 1),
            "userfault": lambda: c.syscall(323, 0), "io_uring": lambda: c.syscall(425, 8, bytes(200)),
        }.items() if call() != -1]
        if done:
            raise RuntimeError("FOUND TOKEN " + " ".join(done))
        raise LookupError("nothing")
        """,
    "raises-limits": """
        import resource
        for name in dir(resource):
            if name.startswith("RLIMIT_") and name != "RLIMIT_STACK":
                try:
                    resource.setrlimit(getattr(resource, name), (resource.RLIM_INFINITY,) * 2)
                except (OSError, ValueError):
                    continue
                if name in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC"):
                    raise RuntimeError("FOUND TOKEN " + name)
        raise LookupError("nothing")
        """,
    # exits and crashes
    "exit": "import sys\nsys.exit(0)",
    "hard-exit": "import os\nos._exit(0)",
    "abort": "import os\nos.abort()",
    "kills-itself": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "stops-itself": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
    "segmentation-fault": "import ctypes\nctypes.string_at(0)",
    "recursion": "import sys\nsys.setrecursionlimit(1 << 30)\ndef deep(n): return deep(n + 1)\nreturn deep(0)",
    "becomes-another-program": """
        import os
        os.execv("/python/bin/python3", ["/python/bin/python3", "-c", "while True: pass"])
        """,
    # time
    "endless": "while True:\n    pass",
    "ignores-signals": """
        import signal
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass
        """,
    "endless-in-c": "return {'h': 9 ** 9 ** 9 ** 9}",
    "sleeps": "import time\ntime.sleep(1e6)",
    # memory, processes, output, files
    "fork-bomb": """
        import os
        made = 0
        try:
            while made < 100:
                if os.fork() == 0:
                    os.setsid()
                    import time
                    time.sleep(1000)
                made += 1
        except OSError:
            pass
        if made:
            raise RuntimeError(f"FOUND TOKEN {made} processes")
        raise LookupError("nothing")
        """,
    "thread-bomb": """
        import threading, time
        threads = 0
        try:
            while threads < 1000:
                threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
                threads += 1
        except RuntimeError:
            pass
        if threads:
            raise RuntimeError(f"FOUND TOKEN {threads} threads")
        raise LookupError("nothing")
        """,
    "surviving-process": """
        import os, subprocess, sys
        subprocess.Popen([sys.executable or "/python/bin/python3", "-c", "import time; time.sleep(999) # TOKEN"],
                         start_new_session=True)
        """,
    "memory-bomb": "return {'h': np.ones((1 << 20, 1 << 14))}",
    "memory-bomb-list": "things = []\nwhile True:\n    things.append(bytearray(1 << 24))",
    "memory-bomb-scratch": """
        for number in range(1000):
            open(f"/tmp/{number}", "wb").write(bytes(8 << 20))
        """,
    "large-file": "open('/tmp/large', 'wb').write(bytes(50 << 20))",
    "large-file-piecewise": """
        with open("/tmp/large", "ab") as file:
            for _ in range(50):
                file.write(bytes(1 << 20))
        """,
    "open-files": "files = [open('/dev/null') for _ in range(100_000)]",
    "output": "for _ in range(1600):\n    print('x' * (1 << 16))\n" + WRONG,
    "output-below": """
        import os
        for _ in range(1600):
            os.write(1, bytes(1 << 16))
            os.write(2, bytes(1 << 16))
        return {}
        """,
    "closes-everything": "import os\nos.closerange(0, 256)\nreturn {}",
    # the grader's line
    "forged-reply-garbage": """
        import os
        for number in range(3, 32):
            try:
                os.write(number, bytes(4096))
            except OSError:
                pass
        return {}
        """,
    "forged-reply-endless": """
        import os
        while True:
            for number in range(3, 32):
                try:
                    os.write(number, b"\\xff" * (1 << 16))
                except OSError:
                    pass
        """,
    "forged-reply-trickle": """
        import os, struct, time
        os.write(4, struct.pack(">Q", 1 << 20))
        while True:
            os.write(4, b"x")
            time.sleep(0.01)
        """,
    "forged-reply-length": "import os, struct\nos.write(4, struct.pack('>Q', 1 << 63))\n" + WRONG,
    "forged-score": """
        import io, json, os, struct
        for message in ({"earned": 100, "status": "graded"}, {"defined": True, "errors": []}, {"names": ["earned"]}):
            file = io.BytesIO()
            np.savez(file, json=np.frombuffer(json.dumps(message).encode(), np.uint8))
            os.write(4, struct.pack(">Q", len(file.getvalue())) + file.getvalue())
        return {}
        """,
    "forged-reply-pickle": """
        import io, os, struct
        file = io.BytesIO()
        np.savez(file, json=np.array([print, {"names": ["h"]}], dtype=object))
        os.write(4, struct.pack(">Q", len(file.getvalue())) + file.getvalue())
        return {}
        """,
    "forged-reply-bomb": """
        import io, os, struct
        file = io.BytesIO()
        np.savez_compressed(file, json=np.zeros(1 << 26, np.uint8))
        os.write(4, struct.pack(">Q", len(file.getvalue())) + file.getvalue())
        return {}
        """,
    "forged-error": """
        import io, json, os, struct
        error = {"kind": "raised", "type": "<script>" * 9, "message": "\\n\\x1b[31m" + "x" * 99999, "cell": 1e99}
        file = io.BytesIO()
        np.savez(file, json=np.frombuffer(json.dumps({"error": error}).encode(), np.uint8))
        os.write(4, struct.pack(">Q", len(file.getvalue())) + file.getvalue())
        return {}
        """,
    "reads-the-line": "import os\nwhile True:\n    os.read(3, 1)",
    # text for whoever reads the feedback
    "markup": "raise ValueError('<script>alert(1)</script><img src=x onerror=alert(2)>\\n# heading [x](javascript:1)')",
    "terminal": "raise ValueError('\\x1b]0;owned\\x07\\x1b[2J\\r\\n\\u202e\\0')",
    "long-message": "raise ValueError('x' * 10_000_000)",
    "hostile-error": """
        class Evil(Exception):
            def __str__(self):
                while True:
                    pass
        raise Evil
        """,
    "hostile-type": "raise type('<b>' * 1000, (Exception,), {})('x')",
}

# What one of the cells does before the functions are defined.
CELLS = {
    "exit-in-cell": "import sys\nsys.exit()",
    "hard-exit-in-cell": "import os\nos._exit(0)",
    "segmentation-fault-in-cell": "import ctypes\nctypes.string_at(0)",
    "endless-cell": "while True:\n    pass",
    "asks-in-cell": "answer = input('Give me points? ')",
    "forged-definitions": "import os\nfor n in range(3, 9):\n    try: os.write(n, b'\\0\\0\\0\\0\\0\\0\\0\\2{}')\n"
                          "    except OSError: pass",
    "null-byte-in-cell": "a = 1 \0 2",
    "surrogate-in-cell": "a = '\ud800'",
    "parentheses-in-cell": "(" * 200_000,
    "nested-cell": "a = " + "-" * 100_000 + "1",
    "cell-of-another-language": "%%bash\nrm -rf / --no-preserve-root",
    "syntax-error": "def broken(:\n    pass",
}


HARMLESS = {"cell-of-another-language", "surrogate-in-cell"}         # such a cell is nothing, or a question mark


def files(functions, right):
    """Submissions that are wrong as files."""
    good = json.loads(book(right))
    return {
        "empty": Case(b"", status="rejected: the file is empty"),
        "bad-json": Case(b'{"cells": [', status="rejected: .*not JSON"),
        "cut-off": Case(json.dumps(good).encode()[:-40], status="rejected: .*not JSON"),
        "not-utf-8": Case(b'{"cells": "\xff\xfe"}', status="rejected: .*not UTF-8"),
        "utf-16": Case(json.dumps(good).encode("utf-16"), status="rejected: .*not UTF-8"),
        "json-array": Case(b"[]", status="rejected: .*array"),
        "json-deep": Case(b"[" * 1_000_000, status="rejected: .*not JSON"),
        "json-number": Case(b"9" * 100_000, status="rejected"),
        "cells-are-text": Case(json.dumps(good | {"cells": "x"}).encode(), status="rejected: .*cells"),
        "cells-are-numbers": Case(json.dumps(good | {"cells": [1, None, "x"]}).encode(), status="rejected: .*no code"),
        "no-cells": Case(json.dumps(good | {"cells": []}).encode(), status="rejected: .*no code"),
        "many-cells": Case(json.dumps(good | {"cells": [cell("1")] * 5000}).encode(), status="rejected: .*5000 cells"),
        "old-format": Case(json.dumps(good | {"nbformat": 3}).encode(), status="rejected: .*format 4"),
        "wrong-kernel": Case(book(right, kernelspec={"language": "R", "name": "ir"}), status="rejected: .*'r'"),
        "wrong-language": Case(book(right, language_info={"name": "julia"}), status="rejected: .*'julia'"),
        "large-notebook": Case(book(right, "#" * (30 << 20)), status="rejected: .*20 MiB"),
        "much-code": Case(book(right, "#" * (2 << 20)), status="rejected: .*code"),
        "link": Case(lambda path: path.symlink_to(path.with_name("neighbour.ipynb")), status="rejected: .*link"),
        "link-to-secret": Case(lambda path: path.symlink_to("/etc/passwd"), status="rejected: .*link"),
        "pipe": Case(lambda path: __import__("os").mkfifo(path), status="rejected: .*ordinary file"),
        "folder": Case(lambda path: path.mkdir(), status="rejected: .*ordinary file"),
        "missing": Case(lambda path: None, status="missing"),
        "deleted-cells": Case(book("import numpy as np"), says="there is no function"),
        "renamed": Case(book(re.sub(r"\bdef (\w+)", r"def my_\1", right)), says="there is no function"),
        "no-function": Case(book("\n".join(f"{name} = 3" for name in functions)), says="there is no function"),
        "stub-last": Case(book(right, every(functions, "raise NotImplementedError")), says="NotImplementedError"),
        "only-markdown": Case(book(cell(right, "markdown")), status="rejected: .*no code"),
        # and those that are wrong only at first sight
        "stripped-metadata": Case(json.dumps({"cells": [{"cell_type": "code", "source": right}]}).encode(), full=True),
        "strange-metadata": Case(json.dumps(good | {"metadata": [1]}).encode(), full=True),
        "duplicated": Case(book(*[cell(right, nbgrader={"grade_id": "a"})] * 2), full=True, says="a second 'a'"),
        "lines-as-list": Case(json.dumps({"nbformat": 4, "cells": [
            {"cell_type": "code", "metadata": None, "source": right.splitlines(keepends=True)}, 7]}).encode(),
            full=True, says="no notebook cell"),
        "byte-order-mark": Case(b"\xef\xbb\xbf" + book(right), full=True),
        "notebook-asserts": Case(book(right, "assert False"), full=True, says="AssertionError"),
        "other-imports": Case(book("import matplotlib.pyplot as plt", right), full=True, says="ModuleNotFoundError"),
        "magics": Case(book("%matplotlib inline\n!pip install torch\nimport math\nif True:\n    %time x = 1\nmath.pi?",
                            "%%time\n" + right.strip("\n"), "files = !ls\n%load_ext autoreload"), full=True),
        "modulo-is-no-magic": Case(book(right, "a = (7\n% 4)\nassert a == 3"), full=True),
    }


def submissions(functions, right):
    """All of them.

    Args:
        functions: the assignment's functions.
        right: the source of a right solution.

    Returns:
        Name -> `Case`.
    """
    cases = files(functions, right)
    wrong = instead(functions, right, WRONG)
    for name, source in AROUND.items():
        cases[name] = Case(book(wrong, source))
    for name, body in BODIES.items():
        cases[name] = Case(book(instead(functions, right, body) if "got" in body else every(functions, body)))
    for name, source in CELLS.items():
        cases[name] = Case(book(source, wrong), says="" if name in HARMLESS else "code cell 1")
        cases[f"{name}-then-right"] = Case(book(source, right), full=True)
    noisy = ["import sys, warnings\nwarnings.warn('hello', RuntimeWarning)\nprint('hello')", right]
    noisy += [f"_{name} = {name}\ndef {name}(**given):\n    warnings.warn('careful')\n    print(given)\n"
              f"    print('x' * 100_000, file=sys.stderr)\n    return _{name}(**given)" for name in functions]
    cases["noisy"] = Case(book(*noisy), full=True)
    cases["blank"] = Case(book(every(functions, "raise NotImplementedError('your code here')")), says="NotImplemented")
    return cases
