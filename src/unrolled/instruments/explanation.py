"""Do weights of attention explain an answer? Three tests of a trained `EncoderDecoder`, each under teacher forcing.

    removal_effects(model, source, lengths, target, symbol)     what becomes less likely when a symbol is taken away
    other_weights(model, source, lengths, target)               as far from the model's as the same output allows
    shuffled(model, source, lengths, target)                    whether the output stands when they change places

The first two questions are those of Jain & Wallace 2019, on an encoder-decoder instead of a classifier. The model is
left as it is: what is asked of it is another source, or what it would say had its weights been others.

Letters: B batch, T steps of the answer, S steps of the source, K target_symbols.
"""

import torch

from unrolled import checks


def variation(p, q):
    """Total variation distance of distributions along the last axis: half the sum of absolute differences, 0 to 1."""
    return (p - q).abs().sum(-1) / 2


@torch.no_grad()
def removal_effects(model, source, lengths, target, symbol):
    """By how much log p of each true symbol falls when a symbol of the source is replaced, one after the other.

    Args:
        model: an `EncoderDecoder` with attention.
        source, lengths, target: as for its `forward`.
        symbol: what stands there instead, a symbol of the source.

    Returns:
        weights: a_ts of the whole source, (B, T, S).
        effects: the fall in nats, (B, T, S); 0 in padding, and where `symbol` stood before.

    Raises:
        TypeError, ValueError: as `forward`, or a model without attention.
    """
    _check_attention(model)

    def log_p(source):
        logits, weights = model(source, lengths, target)
        return logits.log_softmax(-1).gather(-1, target[..., None])[..., 0], weights         # (B, T)

    whole, weights = log_p(source)
    effects = torch.zeros_like(weights)
    for place in range(source.shape[1]):
        without = source.clone()
        without[:, place] = symbol
        unchanged = (place >= lengths) | (source[:, place] == symbol)
        effects[..., place] = (whole - log_p(without)[0]).masked_fill(unchanged[:, None], 0.0)
    return weights, effects


def other_weights(model, source, lengths, target, steps=200, tolerance=0.01):
    """Search by gradient descent for weights that lie far from the model's own and leave its output where it is.

    Args:
        model, source, lengths, target: as for `removal_effects`.
        steps: updates of Adam.
        tolerance: how far the output may move, in total variation; the search aims at half of it.

    Returns:
        own: the model's weights, (B, T, S).
        other: those found, (B, T, S).
        moved: how far they move the output, (B, T); above `tolerance` none were found, which proves nothing.

    Raises:
        TypeError, ValueError: as `removal_effects`.
    """
    _check_attention(model)
    checks.positive_int("steps", steps)
    with torch.no_grad():
        own, output, padding = _opened(model, source, lengths, target)
        said = output(own)
    e = torch.randn(own.shape, generator=torch.Generator().manual_seed(0), dtype=own.dtype).requires_grad_()
    optimizer = torch.optim.Adam([e], 0.1)
    for _ in range(steps):
        other = e.masked_fill(padding[:, None], -torch.inf).softmax(-1)
        moved = variation(output(other), said)
        loss = (50 * torch.relu(moved - tolerance / 2) - variation(other, own)).mean()
        e.grad, = torch.autograd.grad(loss, [e])
        optimizer.step()
    with torch.no_grad():
        other = e.masked_fill(padding[:, None], -torch.inf).softmax(-1)
        return own, other, variation(output(other), said)


@torch.no_grad()
def shuffled(model, source, lengths, target, seed=0):
    """Let the weights of every step change places at random.

    Args:
        model, source, lengths, target: as for `removal_effects`.
        seed: of the new places.

    Returns:
        How often the most probable symbol stays the same, by step, (T,).

    Raises:
        TypeError, ValueError: as `removal_effects`.
    """
    _check_attention(model)
    own, output, padding = _opened(model, source, lengths, target)
    draw = torch.rand(own.shape, generator=torch.Generator().manual_seed(seed))
    places = draw.masked_fill(padding[:, None], 2.0).argsort(-1)     # padding keeps the last places, and its weight 0
    mixed = own.gather(-1, places)
    return (output(mixed).argmax(-1) == output(own).argmax(-1)).float().mean(0)


def _check_attention(model):
    if getattr(model, "attention", None) is None:
        raise ValueError("expected a model with attention, got one without")


def _opened(model, source, lengths, target):
    """The weights, the output as a function of weights, and the padding, under teacher forcing."""
    state, (h, padding, prepared) = model.encode(source, lengths)
    before = torch.cat([torch.full_like(target[:, :1], model.end), target[:, :-1]], dim=1)
    s, _ = model.decoder(model.target_embedding(before), state)      # (B, T, H)
    _, own = model.attention(s, h, padding, prepared)                # (B, T, S)

    def output(weights):
        return model.output(weights @ h, s).softmax(-1)

    return own, output, padding
