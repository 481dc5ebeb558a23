"""Tables of counts read the windows on which the networks are scored."""

import pytest

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
