"""Where a recorded number comes from: commit, date, device, versions. Every record of the book begins with these."""

import contextlib
import datetime
import importlib.metadata
import platform
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def origin(*packages):
    """The origin of what is measured now.

    Args:
        *packages: distributions whose versions matter.

    Returns:
        A dict with `commit`, `date` (UTC), `device` (the processor's model, never the machine's name) and `versions`.
    """
    return {
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "device": processor(),
        "versions": {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in packages},
    }


def commit():
    """The commit that is measured, marked `-dirty` where the package differs from it."""
    git = ["git", "-C", str(ROOT)]
    name = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
    changes = subprocess.run([*git, "status", "--porcelain", "--", "src"], capture_output=True, text=True, check=True)
    return name.stdout.strip() + "-dirty" * bool(changes.stdout)


def processor():
    """The processor's model."""
    with contextlib.suppress(OSError):
        if model := re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text()):
            return model[1].strip()
    return platform.processor() or platform.machine()
