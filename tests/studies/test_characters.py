"""The character model of the LSTM's pages: it trains as said, and what it writes depends on its seed alone."""

import pytest
import torch

from unrolled.data.source_code import ALPHABET
from unrolled.studies.characters import places, train, untrained, write


def test_training_lowers_the_loss_and_pauses_before_each_update():
    seen = []
    _, losses = train(0, hidden_size=8, readers=4, chunk=8, updates=30, pause=lambda update, _: seen.append(update))
    assert seen == list(range(30))
    assert sum(losses[-5:]) < sum(losses[:5])


def test_readers_read_on_where_they_stopped():
    text = torch.arange(100)
    stretches = places(text, seed=0, readers=4, steps=10)
    assert stretches.shape == (11, 4)
    assert (stretches.diff(dim=0) == 1).all()
    assert (stretches.diff(dim=1) == 25).all()


def test_a_short_text_is_refused():
    with pytest.raises(ValueError, match="expected more than 4 × 10"):
        places(torch.arange(40), seed=0, readers=4, steps=10)


def test_what_is_written_follows_the_prompt_and_depends_on_the_seed():
    model = untrained(0, hidden_size=8)
    one, same, other = (write(model, "def ", 20, seed) for seed in (1, 1, 2))
    assert one == same != other
    assert one.startswith("def ")
    assert len(one) == 24
    assert set(one) <= set(ALPHABET)
