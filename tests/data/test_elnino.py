"""The sea temperature series: whole, split by time, and with no knowledge of the test years in its climatology."""

import numpy as np

from unrolled.data import load_elnino


def test_the_series_is_whole_and_plausible():
    sea = load_elnino()
    assert sea.temperature.shape == sea.month.shape == sea.climatology.shape == (61 * 12,)
    assert 18 < sea.temperature.min() < sea.temperature.max() < 30
    assert (sea.month[:13] == [*range(12), 0]).all()


def test_known_months_stand_where_they_belong():
    sea = load_elnino()
    assert sea.temperature[0] == 23.11                        # January 1950
    assert sea.temperature[-1] == 22.07                       # December 2010
    strongest = np.argsort(sea.anomaly)[-12:] // 12 + 1950
    assert set(strongest) <= {1982, 1983, 1997, 1998}         # the two great El Niños of the century


def test_the_parts_follow_one_another_and_leave_nothing_out():
    sea = load_elnino()
    edges = [(part.start, part.stop) for part in sea.parts.values()]
    assert edges == [(0, 432), (432, 552), (552, 732)]


def test_climatology_is_the_mean_of_the_training_years_alone():
    sea = load_elnino()
    assert np.abs(sea.anomaly[sea.parts["train"]].reshape(-1, 12).mean(0)).max() < 1e-12
    assert np.abs(sea.anomaly[sea.parts["test"]].reshape(-1, 12).mean(0)).max() > 0.05
