"""Data sets that are already on the machine: nothing here opens a connection."""

from unrolled.data.digits import load_digits
from unrolled.data.source_code import SourceText, load_source_code

__all__ = ["SourceText", "load_digits", "load_source_code"]
