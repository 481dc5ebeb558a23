"""The study of chapter attention: a run depends on its arguments alone, and says what it measured."""

import pytest

from unrolled.studies import seq2seq


@pytest.fixture
def short(monkeypatch):
    settings = {part: (*setting[:3], 10) for part, setting in seq2seq.SETTINGS.items()}
    monkeypatch.setattr(seq2seq, "SETTINGS", settings)


def test_run_is_deterministic(short):
    once, again = (seq2seq.run("longer-64", 0) for _ in range(2))
    assert once == again
    assert set(once) == {"part", "seed", "exact_12", "exact_14", "exact_16"}
    assert once["exact_16"] == 0


def test_a_mask_makes_filling_harmless(short):
    from unrolled.studies import bottleneck

    model, _ = bottleneck.train(*seq2seq.SETTINGS["dot"][:3], seq2seq.RATE, 0, 10)
    assert seq2seq.padded(model, 8, True) == seq2seq.padded(model, 8, False) == seq2seq.padded(model, 40, True)


def test_runs_take_every_part_on_every_seed():
    assert len(seq2seq.runs()) == len(seq2seq.SETTINGS) * len(seq2seq.SEEDS)
    assert {run["part"] for run in seq2seq.runs(small=True)} == set(seq2seq.SETTINGS)
