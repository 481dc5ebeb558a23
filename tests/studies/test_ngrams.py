"""Tables of counts read the windows on which the networks are scored."""

import math
from collections import Counter

import pytest
import torch

from unrolled.data.source_code import encode
from unrolled.studies import budgets, ngrams


def test_a_run_is_deterministic_and_says_what_it_found():
    once, again = (ngrams.run(2, 10) for _ in range(2))
    assert once == again
    assert set(once) == {"order", "updates", "characters", "constant", "perplexity", "groups"}
    assert once["characters"] == 10 * ngrams.DRAWN
    assert len(once["groups"]) == ngrams.GROUPS == budgets.GROUPS


def test_the_scored_characters_are_those_of_the_networks():
    text = ngrams.load_source_code().test
    _, y = budgets.held_out_windows()
    found = [text[place] for place in ngrams._places(len(text))]
    assert found == [ngrams.ALPHABET[code] for code in y.T.reshape(-1).tolist()]


def test_probabilities_of_all_characters_sum_to_one():
    counts = [ngrams.Counter("abca"[i : i + n] for i in range(5 - n)) for n in range(3)]
    counts[0][""] = 4                           # every character follows the empty string
    losses = ngrams._losses(list(ngrams.ALPHABET), counts[:2], 2)
    assert sum(2.718281828459045 ** -losses) == pytest.approx(1)


def test_the_tables_are_those_of_the_recursion():
    text = "".join(f"def f{n}(x):\n    return x + {n}\n" for n in range(200))
    read, test = text[:4000], text[4000:]
    found, entries = ngrams.tables(*(torch.from_numpy(encode(part)) for part in (read, test)), orders=3)
    counts = [Counter(read[i : i + n] for i in range(len(read) - max(n, 1) + 1)) for n in range(4)]
    for n in (1, 2, 3):
        strings = [test[i + 3 - n : i + 3] for i in range(len(test) - 2)]
        expected = math.exp(ngrams._losses(strings, counts[: n + 1], ngrams.LEAN).mean())
        assert found[n - 1] == pytest.approx(expected, rel=1e-3)      # which counts a prefix at the text's end, too
        assert entries[n - 1] == len(counts[n])


def test_the_tables_are_those_of_counting_by_hand(monkeypatch):
    monkeypatch.setattr(ngrams, "LEAN", 2)
    (unigram, bigram), entries = ngrams.tables(*(torch.from_numpy(encode(part)) for part in ("abab", "aba")), orders=2)
    K = len(ngrams.ALPHABET)
    p_a = p_b = (2 + 2 / K) / (4 + 2)                                   # "a" and "b" came twice each, of four
    b_after_a, a_after_b = (2 + 2 * p_b) / (2 + 2), (1 + 2 * p_a) / (2 + 2)
    assert bigram == pytest.approx((b_after_a * a_after_b) ** -0.5, rel=1e-12)
    assert unigram == pytest.approx(1 / p_a, rel=1e-12)
    assert entries == [2, 2]
