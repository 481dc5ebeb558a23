"""Text that every machine with Python has: the source of Python's own standard library.

Licence: PSF License Agreement. The text is that of the running interpreter, so figures differ a little between
versions of Python; `describe` says which one was read.
"""

import hashlib
import io
import platform
import re
import sysconfig
import tokenize
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))        # 96 characters; files with others are left out
_INDEX = {character: index for index, character in enumerate(ALPHABET)}


@dataclass(frozen=True)
class SourceText:
    """Three texts with no file in common, and the files each was read from."""

    train: str
    validation: str
    test: str
    files: dict

    def describe(self):
        """One line: the interpreter, and how many files and characters each part has."""
        parts = ", ".join(
            f"{name} {len(self.files[name])} files / {len(getattr(self, name)):,} characters" for name in self.files
        )
        return f"Python {platform.python_version()} standard library: {parts}"


def load_source_code(max_chars_per_file=40_000, folder=None):
    """Read the top-level modules of the standard library and split them by file.

    A file goes to training, validation or test by a hash of its name (8 : 1 : 1), so no text is in two parts and the
    split is the same on every machine.

    Args:
        max_chars_per_file: longer files are cut, so that no single one dominates.
        folder: read this folder's `*.py` instead.

    Returns:
        A `SourceText`.

    Raises:
        FileNotFoundError: no Python source there, as in an embedded Python.
        ValueError: `max_chars_per_file` below 1, or a part without text.
    """
    if max_chars_per_file < 1:
        raise ValueError(f"max_chars_per_file must be at least 1, got {max_chars_per_file}")
    folder = Path(folder or sysconfig.get_paths()["stdlib"])
    paths = sorted(folder.glob("*.py"))
    if not paths:
        raise FileNotFoundError(f"expected Python source files in {folder}, got none")
    texts = {"train": [], "validation": [], "test": []}
    files = {name: [] for name in texts}
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace").replace("\t", "    ")
        if not text or not set(text) <= _INDEX.keys():
            continue
        part = {0: "validation", 1: "test"}.get(hashlib.sha256(path.name.encode()).digest()[0] % 10, "train")
        texts[part].append(text[:max_chars_per_file])
        files[part].append(path.name)
    empty = [name for name in texts if not texts[name]]
    if empty:
        raise ValueError(f"expected text in every part, got none for {', '.join(empty)} from {len(paths)} files")
    return SourceText(**{name: "\n".join(parts) for name, parts in texts.items()}, files=files)


def encode(text):
    """Characters to indices into `ALPHABET`, (characters,), int64; raises ValueError on a character outside it."""
    try:
        return np.array([_INDEX[character] for character in text], np.int64)
    except KeyError as error:
        raise ValueError(f"text must hold only newline and printable ASCII, got {error.args[0]!r}") from None


def decode(indices):
    """Indices back to a string; raises ValueError on one outside 0 ... 95."""
    indices = np.asarray(indices)
    if indices.size and not (0 <= indices.min() and indices.max() < len(ALPHABET)):
        raise ValueError(f"indices must lie in 0 ... {len(ALPHABET) - 1}, got {indices.min()} ... {indices.max()}")
    return "".join(ALPHABET[index] for index in indices)


def columns(text):
    """Each character's distance from the start of its line, (characters,), int64."""
    starts = np.maximum.accumulate(np.where(encode(text) == _INDEX["\n"], np.arange(len(text)) + 1, 0))
    return np.maximum(np.arange(len(text)) - starts, 0)


def inside_string(text):
    """Whether Python's own tokenizer puts each character inside a string literal, (characters,), bool.

    Text that stops in the middle of a construct is labelled up to there.
    """
    offsets = np.cumsum([0] + [len(line) for line in text.splitlines(keepends=True)])
    inside = np.zeros(len(text), bool)
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.STRING:
                (first_line, first), (last_line, last) = token.start, token.end
                inside[offsets[first_line - 1] + first : offsets[last_line - 1] + last] = True
    except (tokenize.TokenError, SyntaxError):
        pass
    return inside


def called_names(line):
    """For each character of a line: 1 in a name that an opening bracket follows at once, 0 in another name, -1 elsewhere.

    The answer for a name's first character lies in the future, one character past its last.
    """
    labels = np.full(len(line), -1, np.int64)
    for name in re.finditer(r"[A-Za-z_]\w*", line):
        labels[name.start() : name.end()] = line[name.end() : name.end() + 1] == "("
    return labels
