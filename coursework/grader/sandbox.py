"""A student's functions, called inside the sandbox from outside, with hard limits; nothing that comes out is believed.

What is around the process is in `bubblewrap.py`. Here are its limits (memory, CPU seconds, file size, open files and
processes are set before any line of a student's runs), the clock outside, which kills the process namespace and all in
it, and the reading of replies.
"""

import contextlib
import dataclasses
import functools
import io
import json
import os
import selectors
import signal
import subprocess
import time
import zipfile

import numpy as np

from coursework.family.assignment import Lost, explain, where
from coursework.grader import bubblewrap, worker
from coursework.grader.bubblewrap import SandboxMissing

START = 30.0                          # seconds for Python and NumPy to start on the busiest machine
STRIKES = 2                           # times that a function, or a cell, may stop the process before it is left out


class Unusable(Exception):
    """The notebook's cells cannot be run at all; the message is a status."""


class Expired(Exception):
    """The submission has used up its time."""


class Late(Exception):
    """No answer in time."""


class Died(Exception):
    """The process inside has ended; the message says how."""


class Forged(Exception):
    """What came is no reply."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one submission may use; sizes in bytes, times in seconds."""

    call: float = 5.0                 # one call of one function
    cells: float = 10.0               # all cells, once
    total: float = 60.0               # everything inside the sandbox
    memory: int = 1 << 30             # addresses of the one process
    disk: int = 32 << 20              # the scratch folder
    file: int = 16 << 20              # one file
    files: int = 32                   # open at once


class Worker:
    """One sandboxed process, started and ready to be told what to run.

    Args:
        limits: what it may use.

    Raises:
        SandboxMissing: it does not start.
    """

    def __init__(self, limits):
        settings = {"uid": bubblewrap.stranger(), "rlimits": {
            "AS": limits.memory, "CPU": int(limits.total) + 1, "FSIZE": limits.file, "NOFILE": limits.files,
            "NPROC": 1, "MEMLOCK": 0, "MSGQUEUE": 0, "SIGPENDING": 64,
            "CORE": 1}}                     # a byte: less than a core, and unlike 0 it is heeded by crash reporters too
        with bubblewrap.descriptor_of(bubblewrap.filter_program()) as seccomp:
            try:
                # A session of its own: a Ctrl-C meant for the grader must not look like a student's crash.
                self.process = subprocess.Popen(
                    [*bubblewrap.command(limits.disk), "--seccomp", str(seccomp), "--",
                     *bubblewrap.INTERPRETER, json.dumps(settings)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                    pass_fds=[seccomp], start_new_session=True, env={}, cwd="/")
            except OSError as error:
                raise SandboxMissing(f"bwrap cannot be run: {error}") from error
        for pipe in (self.process.stdin, self.process.stdout):
            os.set_blocking(pipe.fileno(), False)
        try:
            message, _ = self.hear(START)
            if message != {"ready": True}:
                raise Forged("it did not say that it is ready")
        except (Late, Died, Forged) as error:
            self.process.kill()             # before any line of a student's: what it says is ours or bubblewrap's
            said = self.process.stderr.read().decode(errors="replace").strip().splitlines()
            self.close()
            raise SandboxMissing(said[-1] if said else f"the sandbox does not start: {error}") from error

    def ask(self, message, arrays, seconds):
        """Send a message; returns the answer as `hear` does."""
        frame = worker.pack(message, arrays)
        return unpacked(self._exchange(worker.LENGTH.pack(len(frame)) + frame, seconds))

    def hear(self, seconds):
        """The next message and its arrays.

        Raises:
            Late, Died, Forged: there is none, and this worker is of no more use.
        """
        return unpacked(self._exchange(b"", seconds))

    def _exchange(self, outgoing, seconds):
        deadline = time.monotonic() + seconds
        outgoing, incoming, wanted = memoryview(outgoing), bytearray(), worker.LENGTH.size
        stdin, stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if outgoing:
                selector.register(stdin, selectors.EVENT_WRITE)
            while True:
                ready = selector.select(max(0, deadline - time.monotonic()))
                if time.monotonic() >= deadline:
                    raise Late
                for key, _ in ready:
                    if key.fd == stdin:
                        with contextlib.suppress(BrokenPipeError):     # its end is seen at the other pipe
                            outgoing = outgoing[os.write(stdin, outgoing[:1 << 16]):]
                        if not outgoing:
                            selector.unregister(stdin)
                        continue
                    chunk = os.read(stdout, min(wanted - len(incoming), 1 << 20))
                    if not chunk:
                        raise Died(self._end())
                    incoming += chunk
                    if len(incoming) == worker.LENGTH.size:
                        wanted += worker.LENGTH.unpack(incoming)[0]
                        if wanted > worker.FRAME:
                            raise Forged(f"an answer of {wanted} bytes, at most {worker.FRAME} are read")
                    if len(incoming) == wanted:
                        if outgoing:
                            raise Forged("an answer before the question")
                        return bytes(incoming[worker.LENGTH.size:])

    def _end(self):
        try:
            status = self.process.wait(1)
        except subprocess.TimeoutExpired:
            return "the connection was closed"
        if status > 128:
            with contextlib.suppress(ValueError):
                return f"killed by {signal.Signals(status - 128).name}"
        return f"exit status {status}"

    def close(self):
        """Kill everything inside, and wait until bubblewrap has gone."""
        self.process.kill()                 # its child, the namespace's first process, dies with it, and so all others
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


def unpacked(frame):
    """A message and its arrays out of a frame that nobody vouches for.

    Only stored members are read, so nothing unpacks to more than was sent; only plain real arrays, whose size is what
    their header says; only as many as a reply may have.

    Raises:
        Forged: it is anything else.
    """
    try:
        # Counted before the zip module makes an object of each.
        if frame.count(b"PK\x01\x02") > worker.NAMES + 1:
            raise Forged("too many members")
        with zipfile.ZipFile(io.BytesIO(frame)) as archive:
            members = archive.infolist()
            if any(m.compress_type != zipfile.ZIP_STORED or m.file_size != m.compress_size for m in members):
                raise Forged("compressed members")
            if sum(m.file_size for m in members) > len(frame):
                raise Forged("members that overlap")
            arrays = {m.filename.removesuffix(".npy"): _array(archive.read(m)) for m in members}
        if len(arrays) != len(members):
            raise Forged("a member twice")
        message = json.loads(arrays.pop("json").tobytes())
        if not isinstance(message, dict):
            raise Forged("a message that is no object")
        return message, arrays
    except Forged:
        raise
    except Exception as error:              # whatever a parser thinks of a stranger's bytes
        raise Forged(f"not a reply: {type(error).__name__}") from error


def _array(data):
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise Forged("another version of npy")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=1000)
    if dtype not in worker.DTYPES or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 16:
        raise Forged("no plain array of numbers")
    size = dtype.itemsize
    for length in shape:
        size *= length
    values = data[file.tell():]
    if size != len(values):
        raise Forged("a shape that its numbers do not fill")
    return np.frombuffer(values, dtype).reshape(shape, order="F" if fortran else "C").astype(dtype.newbyteorder("="))


class Student:
    """A student's functions, called in the sandbox: what a row's check is given. A context that leaves nothing behind.

    Args:
        cells: the sources of the notebook's code cells.
        limits: what the submission may use.

    Attributes:
        notes: for the student: what went wrong with which cell.
    """

    def __init__(self, cells, limits=None):
        self.cells = list(cells)
        self.limits = limits or Limits()
        self.used = 0.0                      # seconds inside; ours do not count against a student
        self.notes = []
        self._worker = None
        self._skipped = set()                # numbers of cells that stopped the process
        self._strikes = {}                   # function -> messages of the calls that stopped the process
        self._seen = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._drop()

    def call(self, function, /, **arguments):
        """Call one function; see `assignment.Direct.call`.

        Raises:
            Lost: the call gave no result that can be judged.
            Expired: the submission's time is over.
            Unusable: the notebook's cells cannot be run.
            SandboxMissing: there is no sandbox.
        """
        strikes = self._strikes.setdefault(function, [])
        if len(strikes) >= STRIKES:
            raise Lost(strikes[-1] + ", as before")
        self._start()
        arrays = []
        skeletons = {name: worker.flatten(value, arrays) for name, value in arguments.items()}
        seconds = min(self.limits.call, self.limits.total - self.used)
        try:
            with self._clock():
                reply, results = self._worker.ask({"function": function, "arguments": skeletons}, arrays, seconds)
            return self._read(function, reply, results)
        except Late:
            self._drop()
            if self.limits.total - self.used <= 0:
                raise Expired from None
            strikes.append(f"`{function}` did not come back within {self.limits.call:g} seconds")
        except Died as error:
            self._drop()
            strikes.append(f"the process ended while `{function}` ran ({error})")
        except Forged as error:
            self._drop()
            strikes.append(f"what `{function}` sent back cannot be read ({error})")
        raise Lost(strikes[-1])

    def _read(self, function, reply, results):
        if isinstance(error := reply.get("error"), dict):
            raise Lost(explain(function, error, self.cells))
        names = reply.get("names")
        if not (isinstance(names, list) and len(names) == len(results) == len(set(map(str, names)))):
            raise Forged("no names")
        if not all(isinstance(name, str) and len(name) <= worker.NAME and name.isprintable() for name in names):
            raise Forged("names that are none")
        return {name: results[str(number)] for number, name in enumerate(names)}

    def _start(self):
        """Have a worker in which all cells have run, those excepted that stopped one."""
        while self._worker is None:
            if self.used >= self.limits.total:
                raise Expired
            number = 0
            try:
                with self._clock():
                    self._worker = Worker(self.limits)
                    deadline = time.monotonic() + min(self.limits.cells, self.limits.total - self.used)
                    cells = [source if number not in self._skipped else ""
                             for number, source in enumerate(self.cells, 1)]
                    reply, _ = self._worker.ask({"cells": cells}, (), deadline - time.monotonic())
                    for number in range(1, len(cells) + 1):
                        if reply != {"cell": number}:
                            raise Forged("another message than that a cell runs")
                        reply, _ = self._worker.hear(max(0, deadline - time.monotonic()))
                    if reply.get("defined") is not True or not isinstance(reply.get("errors"), list):
                        raise Forged("another message than that all cells have run")
                self._note(reply["errors"])
                return
            except (Late, Died, Forged) as error:
                self._drop()
                self._skip(number, error)

    def _skip(self, number, error):
        how = f"was still running after {self.limits.cells:g} seconds" if isinstance(error, Late) else (
            f"ended the process ({error})" if isinstance(error, Died) else f"sent what cannot be read ({error})")
        if self.used >= self.limits.total:
            raise Expired
        if number in self._skipped or number == 0 or len(self._skipped) >= STRIKES:
            raise Unusable("timed out" if isinstance(error, Late) else f"crashed: code cell {number} {how}")
        self._skipped.add(number)
        self.notes.append(f"code cell {number} {how}; it was left out")

    def _note(self, errors):
        """What the cells raised, once: a restarted worker would say the same."""
        if self._seen:
            return
        self._seen = True
        for error in errors:
            if isinstance(error, dict) and type(error.get("cell")) is int:
                said = worker.one_line(error.get("type", "an error"), 60), worker.one_line(error.get("message", ""))
                self.notes.append(f"code cell {error['cell']} raised {': '.join(filter(None, said))}"
                                  f"{where(error, self.cells)}")

    @contextlib.contextmanager
    def _clock(self):
        began = time.monotonic()
        try:
            yield
        finally:
            self.used += time.monotonic() - began

    def _drop(self):
        if self._worker is not None:
            self._worker.close()
            self._worker = None


@functools.cache
def check():
    """Prove once that the sandbox works here: start one and run a line in it.

    Raises:
        SandboxMissing: it does not.
    """
    with Student(["def probe(x):\n    return x + 1"]) as student:
        try:
            right = np.array_equal(student.call("probe", x=np.arange(3.0))["result"], [1, 2, 3])
        except (Lost, Unusable, Expired) as error:
            raise SandboxMissing(f"a line of Python did not run in it: {error}") from error
    if not right:
        raise SandboxMissing("a line of Python ran wrong in it")
