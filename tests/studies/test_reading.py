"""The reader of source code: what it trains on, and the tables of counts beside it."""


import pytest
import torch

from unrolled.data.source_code import ALPHABET, decode, encode
from unrolled.studies import ngrams, reading
from unrolled.studies.characters import CharacterModel

TEXT = "".join(f"def f{n}(x):\n    return x + {n}\n" for n in range(200))
CODES = torch.from_numpy(encode(TEXT))


def test_a_reader_goes_on_where_it_stopped_and_reads_nothing_twice(monkeypatch):
    seen = []
    monkeypatch.setattr(CharacterModel, "forward", lambda self, x, state=None: (
        seen.append((decode(x[:, 0]), state)), (self.readout(torch.zeros(*x.shape, 8)), torch.ones(1)))[1])
    reading.read_part(CODES, 0, hidden_size=8, readers=4, chunk=10, updates=5)
    read = "".join(text for text, _ in seen)
    assert len(read) == 50
    assert read in TEXT
    assert [state is None for _, state in seen] == [True] + [False] * 4


def test_a_pause_comes_before_each_update_and_changes_nothing():
    counted = []
    one, losses = reading.read_part(CODES, 3, hidden_size=8, readers=4, chunk=10, updates=5)
    other, again = reading.read_part(CODES, 3, hidden_size=8, readers=4, chunk=10, updates=5,
                                   pause=lambda update, model: counted.append((update, type(model).__name__)))
    assert losses == again
    assert counted == [(update, "CharacterModel") for update in range(5)]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters()))


def test_a_model_that_gives_every_character_the_same_chance_is_as_unsure_as_the_alphabet_is_long():
    model = reading.plain(8)
    torch.nn.init.zeros_(model.readout.weight)
    torch.nn.init.zeros_(model.readout.bias)
    assert reading.perplexity(model, CODES[:600]) == pytest.approx(len(ALPHABET), rel=1e-5)
