"""Data sets that are already on the machine, or made on it: nothing here opens a connection."""

from unrolled.data.digits import load_digits
from unrolled.data.elnino import SeaTemperature, load_elnino
from unrolled.data.source_code import SourceText, load_source_code
from unrolled.data.tasks import which_came_first

__all__ = ["SeaTemperature", "SourceText", "load_digits", "load_elnino", "load_source_code", "which_came_first"]
