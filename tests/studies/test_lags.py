"""The record at one rate a network is complete."""

from unrolled import studies
from unrolled.studies.lags import runs


def test_every_run_is_on_record():
    recorded = [{key: row[key] for key in ("task", "model", "lag", "seed", "learning_rate")}
                for row in studies.rows("lags")]
    assert recorded == [{key: value for key, value in one.items() if key != "updates"} for one in runs()]
