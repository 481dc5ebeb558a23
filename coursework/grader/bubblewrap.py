"""What stands around a student's code: bubblewrap's command line, and the filter of system calls.

Inside there is a Python, its standard library, NumPy and a small scratch folder, and nothing else: no network, no other
process, no file of this machine, no package of this course.

- Files: only what is bound, read-only; `/tmp` is memory of limited size.
- System calls: the filter refuses to start processes and threads, to open sockets, and whatever holds memory that no
  limit counts (System V segments, memory files) or widens the attack on the kernel (mounts, namespaces, tracing).
- As root the sandbox becomes a user that nobody else is, since root's processes are not counted; as an ordinary user
  it has a user namespace of its own.
"""

import contextlib
import functools
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

import numpy as np

from coursework.grader import worker

MISSING = """\
Student code runs only inside bubblewrap, and bubblewrap does not work here:
    {reason}
Nothing was graded. What is needed, on Linux on x86_64 or aarch64:
    Debian, Ubuntu    sudo apt install bubblewrap      (0.8 or newer: Debian 12, Ubuntu 24.04)
    Fedora, RHEL 10   sudo dnf install bubblewrap
    user namespaces   sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0      (where Ubuntu forbids them)
    in a container    one that may make namespaces: docker run --privileged, or a Kubernetes pod with user namespaces\
"""

# The system calls that fail with EPERM, by their numbers on x86_64 and aarch64 (None: it has none).
FORBIDDEN = {
    "clone": (56, 220), "fork": (57, None), "vfork": (58, None), "clone3": (435, 435),
    "socket": (41, 198), "socketpair": (53, 199),
    "shmget": (29, 194), "shmat": (30, 196), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "vmsplice": (278, 75),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "personality": (135, 92),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262),
    "inotify_init": (253, None), "inotify_init1": (294, 26),
}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}       # column above, and the kernel's name for it


class SandboxMissing(Exception):
    """There is no working sandbox, so nothing is graded; the message says what to install."""

    def __init__(self, reason):
        super().__init__(MISSING.format(reason=reason))
        self.reason = reason

    def __reduce__(self):
        return SandboxMissing, (self.reason,)


def command(disk):
    """The bubblewrap command line, without the program's arguments: what is bound is all there is.

    Args:
        disk: bytes of the scratch folder.

    Raises:
        SandboxMissing: bubblewrap is not installed, or this is no system that it knows.
    """
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        raise SandboxMissing(f"this is {sys.platform} on {platform.machine()}")
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxMissing("there is no program bwrap on the PATH")
    identity = ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"] if os.geteuid() == 0 else [
        "--unshare-user", "--disable-userns", "--uid", "1000", "--gid", "1000"]
    return [
        program, *identity, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
        "--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv",
        *(word for name, value in ENVIRONMENT.items() for word in ("--setenv", name, value)),
        *_bindings(),
        "--perms", "1777", "--size", str(disk), "--tmpfs", "/tmp", "--chdir", "/tmp", "--remount-ro", "/",
    ]


ENVIRONMENT = {"HOME": "/tmp", "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": "/python/lib", "OPENBLAS_NUM_THREADS": "1",
               "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# Isolated, without the site module and without writing bytecode: faster to start, and nothing else on the path.
INTERPRETER = ("/python/bin/python3", "-I", "-S", "-B", "-X", "utf8", "/worker.py")
PACKAGES = "/packages"
# Extension modules that a function of arrays has no use for, and that need half a desktop's libraries.
LEFT_OUT = re.compile(r"(_tkinter|_curses|_curses_panel|readline|nis|_dbm|_gdbm|_ssl|_sqlite3|_test\w*)\.")


@functools.cache
def _bindings():
    """Arguments that bind the interpreter, its standard library without its packages, and NumPy, all read-only."""
    base, library = Path(sys.base_prefix), Path(sysconfig.get_path("stdlib"))
    inside = Path("/python") / library.relative_to(base)
    package = Path(np.__file__).parent
    executable = Path(os.path.realpath(sys._base_executable))
    extensions = [path for path in (library / "lib-dynload").glob("*.so") if not LEFT_OUT.match(path.name)]
    binds = {"/python/bin/python3": executable, str(inside): library, f"{PACKAGES}/numpy": package}
    if (libraries := package.with_name("numpy.libs")).is_dir():              # those that a wheel brings along
        binds[f"{PACKAGES}/numpy.libs"] = libraries
    for name, path in _shared_libraries([executable, *extensions, *package.rglob("*.so")]):
        if not path.is_relative_to(package.parent / "numpy.libs"):
            binds[name if name.startswith("/") else f"/python/lib/{name}"] = path
    binds["/worker.py"] = Path(worker.__file__)
    arguments = []
    for folder in ("/dev", *sorted({str(Path(target).parent) for target in binds} - {"/"})):
        arguments += ["--dir", folder]                                       # or bubblewrap makes it for its owner only
    for target, source in binds.items():
        arguments += ["--ro-bind", str(source), target]
    for packages in library.glob("*-packages"):                              # pip's, and perhaps this very course
        arguments += ["--tmpfs", str(inside / packages.name), "--remount-ro", str(inside / packages.name)]
    for device in ("null", "zero", "random", "urandom"):
        arguments += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    return tuple(arguments)


def _shared_libraries(binaries):
    """The libraries that these need, as the loader finds them: pairs of the name asked for and the file."""
    try:
        listed = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=False).stdout
    except OSError as error:
        raise SandboxMissing(f"ldd, which comes with the C library, does not run: {error}") from error
    found = re.findall(r"^\s+(?:(\S+) => )?(/\S+) \(0x", listed, flags=re.MULTILINE)
    return sorted({(name if name and not name.startswith("/") else path, Path(os.path.realpath(path)))
                   for name, path in found})


def filter_program():
    """A seccomp program: `FORBIDDEN` fails with EPERM, another machine's calls end the process, the rest passes."""
    column, machine = MACHINES[platform.machine()]
    numbers = [row[column] for row in FORBIDDEN.values() if row[column] is not None]
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    kill, refuse, allow = 0x80000000, 0x00050001, 0x7FFF0000
    program = [(load, 0, 0, 4), (equal, 1, 0, machine), (answer, 0, 0, kill), (load, 0, 0, 0)]
    # 64-bit calls under x86_64's other numbering would slip through the list.
    program += [(at_least, len(numbers) + 1, 0, 0x40000000)]
    program += [(equal, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    program += [(answer, 0, 0, allow), (answer, 0, 0, refuse)]
    return b"".join(struct.pack("=HBBI", *line) for line in program)


def stranger():
    """A user id that nobody else has, for root to become: of each sandbox its own, so that limits are its own too."""
    if os.geteuid() != 0:
        return None
    ids = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    wide = any(int(start) == 0 and int(count) > 1 << 31 for start, _, count in ids)
    return 2_000_000_000 + threading.get_native_id() if wide else 65534


@contextlib.contextmanager
def descriptor_of(data):
    """A descriptor of a nameless file in memory that holds this, for a child to read."""
    descriptor = os.memfd_create("filter")
    try:
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
