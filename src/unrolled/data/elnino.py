"""Sea surface temperature off the coast of Peru, monthly, 1950 to 2010: what El Niño does to it.

Source: NOAA National Weather Service, Climate Prediction Center, ERSST.v3b, region Niño 1+2 (0-10° S, 90-80° W), in the
public domain. The table came by way of statsmodels, which ships it as `statsmodels.datasets.elnino`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

FIRST_YEAR = 1950
PARTS = {"train": (1950, 1986), "validation": (1986, 1996), "test": (1996, 2011)}


@dataclass(frozen=True)
class SeaTemperature:
    """One value a month: `temperature` and `climatology` in °C, `month` 0 ... 11, `parts` as slices by name.

    `climatology` is the mean of the calendar month over the training years, so it holds nothing of the test years.
    """

    temperature: np.ndarray
    climatology: np.ndarray
    month: np.ndarray
    parts: dict

    @property
    def anomaly(self):
        """Temperature minus climatology, (months,), °C."""
        return self.temperature - self.climatology


def load_elnino():
    """Read the series and split it by time: 36 years to train, 10 to validate, 15 to test.

    Returns:
        A `SeaTemperature` of 732 months.
    """
    table = np.loadtxt(Path(__file__).with_name("elnino.csv"), delimiter=",", comments="#")    # (years, 1 + 12)
    parts = {name: slice(12 * (first - FIRST_YEAR), 12 * (end - FIRST_YEAR)) for name, (first, end) in PARTS.items()}
    temperature = table[:, 1:].reshape(-1)
    month = np.arange(len(temperature)) % 12
    mean = temperature[parts["train"]].reshape(-1, 12).mean(0)                                  # (12,)
    return SeaTemperature(temperature, mean[month], month, parts)
