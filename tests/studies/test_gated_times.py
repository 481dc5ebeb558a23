"""The times of GRU and LSTM: what a run returns, and that the record has all of them."""

import pytest

from unrolled import studies
from unrolled.studies import gated_times


@pytest.mark.parametrize("backend", gated_times.BACKENDS)
@pytest.mark.parametrize("part", gated_times.PARTS)
def test_a_run_times_both_cells(backend, part):
    row = gated_times.run(backend, part, gru_width=4, lstm_width=3, repeat=0)
    assert row["gru"] > 0 < row["lstm"]
    assert gated_times.ratio([row], backend, part, 4, 3) == row["gru"] / row["lstm"]


def test_the_record_has_every_time():
    rows = studies.recorded("gated-times")["rows"]
    names = "backend", "part", "gru_width", "lstm_width", "repeat"
    assert [{name: row[name] for name in names} for row in rows] == gated_times.runs()
