"""The three questions put to weights of attention, on models whose answers are known."""

import pytest
import torch

from unrolled.instruments.explanation import other_weights, removal_effects, shuffled, variation
from unrolled.torch import EncoderDecoder
from unrolled.training import seed_everything

LENGTHS = torch.tensor([6, 4])


def model_and_batch(attention="dot"):
    seed_everything(0)
    model = EncoderDecoder(5, 4, 3, 6, attention, dtype=torch.float64)
    return model, torch.randint(5, (2, 6)), LENGTHS, torch.randint(4, (2, 3))


def test_total_variation_is_zero_of_the_same_one_of_disjoint_and_symmetric():
    p, q = torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.0, 0.0, 1.0])
    assert variation(p, p) == 0
    assert variation(p, q) == variation(q, p) == 1
    assert torch.isclose(variation(p, torch.tensor([0.25, 0.5, 0.25])), torch.tensor(0.25))


def test_the_effect_of_a_symbol_is_the_fall_of_log_probability_without_it():
    model, source, lengths, target = model_and_batch()
    weights, effects = removal_effects(model, source, lengths, target, 0)
    assert torch.equal(weights, model(source, lengths, target)[1])
    place = int((source[0] != 0).nonzero()[0])
    other = source.clone()
    other[0, place] = 0
    before, after = (model.log_probability(x, lengths, target)[0] for x in (source, other))
    assert torch.isclose(effects[0, :, place].sum(), before - after, rtol=1e-9)
    assert effects[0, :, place].abs().min() > 0
    assert (effects[1, :, 4:] == 0).all(), "padding"
    assert (effects.mT[source == 0] == 0).all(), "nothing was replaced"


def test_other_weights_are_weights_and_what_they_move_is_reported():
    model, source, lengths, target = model_and_batch()
    own, other, moved = other_weights(model, source, lengths, target, steps=100)
    logits, weights = model(source, lengths, target)
    assert torch.allclose(own, weights, rtol=1e-12)
    assert torch.allclose(other.sum(-1), torch.ones(2, 3, dtype=torch.float64))
    assert (other[1, :, 4:] == 0).all()
    assert moved.shape == (2, 3)
    assert moved.max() < 0.02, "an untrained model says much the same whatever the weights are"
    assert variation(own, other).mean() > 0.5, "and then they can lie anywhere"
    assert (model(source, lengths, target)[0] == logits).all(), "the model is left as it is"


def test_weights_that_the_output_depends_on_cannot_be_others():
    model, source, lengths, target = model_and_batch()
    with torch.no_grad():
        model.combine.weight[:, :6] *= 100                  # the context decides all
        model.readout.weight *= 20
    own, other, moved = other_weights(model, source, lengths, target, steps=100, tolerance=1e-9)
    assert ((moved > 1e-9) | (variation(own, other) < 0.5)).any()


def test_shuffling_changes_what_depends_on_the_weights_and_nothing_else():
    model, source, lengths, target = model_and_batch()
    with torch.no_grad():
        model.combine.weight[:, :6] = 0                     # the context is not read
    assert (shuffled(model, source, lengths, target) == 1).all()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(2 * torch.randn(parameter.shape))
        model.combine.weight[:, 6:] = 0                     # nothing else is
    source, target = torch.randint(5, (200, 6)), torch.randint(4, (200, 3))
    stays = shuffled(model, source, torch.full((200,), 6), target)
    assert stays.shape == (3,)
    assert stays.max() < 0.95
    assert torch.equal(stays, shuffled(model, source, torch.full((200,), 6), target))


@pytest.mark.parametrize("ask", [removal_effects, other_weights, shuffled])
def test_a_model_without_attention_is_refused(refuses, ask):
    batch = model_and_batch(None)
    with refuses(ValueError, "expected a model with attention, got one without"):
        ask(*batch, *[0] * (ask is removal_effects))
