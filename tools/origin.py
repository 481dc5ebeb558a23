"""Where a recorded number comes from: commit, date, device, versions. Every record of the book begins with these."""

import contextlib
import datetime
import importlib.metadata
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def origin(*packages, root=ROOT, paths=("src",)):
    """The origin of what is measured now.

    Args:
        *packages: distributions whose versions matter.
        root: the repository.
        paths: what the figures depend on, as git's path specifications.

    Returns:
        A dict with `commit`, marked `-dirty` where `paths` differ from it, `date` (UTC), `device` (the processor's
        model, never the machine's name) and `versions`.

    Raises:
        OSError: git is missing, or this is no repository.
    """
    return {
        "commit": commit(root, paths),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "device": processor(),
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages},
    }


def commit(root, paths):
    def git(*arguments):
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + "-dirty" * bool(git("status", "--porcelain", "--", *paths))
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip()
        raise OSError(f"a measurement names its commit, and git could not tell it: {reason}") from error


def processor():
    with contextlib.suppress(OSError):
        if model := re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text()):
            return model[1].strip()
    return platform.processor() or platform.machine()
