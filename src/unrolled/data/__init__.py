"""Data sets that are already on the machine, or made on it: nothing here opens a connection."""

from unrolled.data.dates import Dates, load_dates
from unrolled.data.digits import load_digits
from unrolled.data.elnino import SeaTemperature, load_elnino
from unrolled.data.source_code import SourceText, load_source_code
from unrolled.data.tasks import reversal, which_came_first

__all__ = ["Dates", "SeaTemperature", "SourceText", "load_dates", "load_digits", "load_elnino", "load_source_code"]
__all__ += ["reversal", "which_came_first"]
