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

from unrolled import checks

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))        # 96 characters; files with others are left out
_NAME = re.compile(r"[A-Za-z_]\w*")
_INDEX = {character: index for index, character in enumerate(ALPHABET)}


@dataclass(frozen=True)
class SourceText:
    """Three texts with no file in common; `files` holds the text of each file by part and by name."""

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
        TypeError, ValueError: `max_chars_per_file` is not a whole number of at least 1, or a part is without text.
    """
    checks.positive_int("max_chars_per_file", max_chars_per_file)
    folder = Path(folder or sysconfig.get_paths()["stdlib"])
    paths = sorted(folder.glob("*.py"))
    if not paths:
        raise FileNotFoundError(f"expected Python source files in {folder}, got none")
    files = {"train": {}, "validation": {}, "test": {}}
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace").replace("\t", "    ")
        if not text or not set(text) <= _INDEX.keys():
            continue
        part = {0: "validation", 1: "test"}.get(hashlib.sha256(path.name.encode()).digest()[0] % 10, "train")
        files[part][path.name] = text[:max_chars_per_file]
    empty = [part for part in files if not files[part]]
    if empty:
        raise ValueError(f"expected text in every part, got none for {', '.join(empty)} from {len(paths)} files")
    return SourceText(**{part: "\n".join(texts.values()) for part, texts in files.items()}, files=files)


def encode(text):
    """Characters to indices into `ALPHABET`, (characters,), int64; raises ValueError on a character outside it."""
    try:
        return np.array([_INDEX[character] for character in text], np.int64)
    except KeyError as error:
        raise ValueError(f"text must hold only newline and printable ASCII, got {error.args[0]!r}") from None


def decode(indices):
    """Indices, (characters,), back to a string; raises TypeError or ValueError on one that is no int in 0 ... 95."""
    indices = np.asarray(indices)
    checks.shape("indices", indices, ("characters",))
    if indices.size and indices.dtype.kind not in "iu":
        raise TypeError(f"indices must be whole numbers, got {indices.dtype}")
    if indices.size and (indices.min() < 0 or indices.max() >= len(ALPHABET)):
        raise ValueError(f"indices must lie in 0 ... {len(ALPHABET) - 1}, got {indices.min()} ... {indices.max()}")
    return "".join(ALPHABET[index] for index in indices)


def columns(text):
    """Each character's distance from the start of its line, (characters,), int64; a newline ends the line it is on."""
    position = np.arange(len(text))
    after_newline = np.where(encode("\n" + text)[:-1] == _INDEX["\n"], position, 0)   # here a line starts
    return position - np.maximum.accumulate(after_newline)


def inside_string(text):
    """Whether Python's own tokenizer puts each character inside a string literal, (characters,), bool.

    Text that stops in the middle of a construct is labelled up to there.
    """
    offsets = np.cumsum([0] + [len(line) for line in io.StringIO(text)])
    inside, opened = np.zeros(len(text), bool), []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            kind = tokenize.tok_name[token.type]
            if kind == "FSTRING_START":                        # since Python 3.12 an f-string comes in pieces
                opened.append(token.start)
            if kind in ("STRING", "FSTRING_END"):
                first_line, first = opened.pop() if kind == "FSTRING_END" else token.start
                last_line, last = token.end
                inside[offsets[first_line - 1] + first : offsets[last_line - 1] + last] = True
    except (tokenize.TokenError, SyntaxError):
        pass
    return inside


def called_names(line):
    """For each character of a line: 1 in a name that an opening bracket follows at once, 0 in another name, else -1.

    The answer for a name's first character lies in the future, one character past its last.
    """
    labels = np.full(len(line), -1, np.int64)
    for name in _NAME.finditer(line):
        labels[name.start() : name.end()] = line[name.end() : name.end() + 1] == "("
    return labels


def rest_of_name(line):
    """For each character of a line: how many characters of its name are still to come, -1 outside names."""
    rest = np.full(len(line), -1, np.int64)
    for name in _NAME.finditer(line):
        rest[name.start() : name.end()] = np.arange(name.end() - name.start())[::-1]
    return rest
