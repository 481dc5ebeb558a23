"""Data sets that are already on the machine, or made on it: nothing here opens a connection."""

from unrolled.data.digits import load_digits
from unrolled.data.source_code import SourceText, load_source_code
from unrolled.data.tasks import which_came_first

__all__ = ["SourceText", "load_digits", "load_source_code", "which_came_first"]
