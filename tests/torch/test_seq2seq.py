"""The encoder-decoder: padding, causality and ends, and a beam that is checked against every possible answer."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.torch import GRU, EncoderDecoder

ATTENTIONS = (None, "additive", "dot", "general", "concat")
sizes = st.integers(1, 5)
kinds = {"attention": st.sampled_from(ATTENTIONS), "bidirectional": st.booleans(), "seed": st.integers(0, 99)}


def made(attention=None, bidirectional=False, seed=0, K=3):
    """A model whose random weights are large enough to have opinions."""
    torch.manual_seed(seed)
    model = EncoderDecoder(4, K, 3, 6, attention, bidirectional, dtype=torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


def example(B, S, T, K=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, S + 1, (B,), generator=draw)
    return torch.randint(4, (B, S), generator=draw), lengths, torch.randint(K, (B, T), generator=draw)


def gradients(model, source, lengths, target):
    model.zero_grad()
    logits, _ = model(source, lengths, target)
    (logits * torch.arange(logits.numel(), dtype=logits.dtype).view_as(logits).sin()).sum().backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


# Padding


@given(B=sizes, S=sizes, T=sizes, **kinds)
def test_padding_changes_nothing(close, B, S, T, attention, bidirectional, seed):
    model, (source, lengths, target) = made(attention, bidirectional, seed), example(B, S, T, seed=seed)
    longer = torch.cat([source, torch.full((B, 3), -7)], dim=1)              # no symbol at all
    longer[torch.arange(S + 3) >= lengths[:, None]] = -7
    logits, weights = model(source, lengths, target)
    padded, padded_weights = model(longer, lengths, target)
    close(padded.detach(), logits.detach())
    if attention:
        close(padded_weights[..., :S].detach(), weights.detach())
        hidden = (torch.arange(S + 3) >= lengths[:, None])[:, None]
        assert (padded_weights.masked_select(hidden) == 0).all()
    expected = gradients(model, source, lengths, target)
    for name, got in gradients(model, longer, lengths, target).items():
        close(got, expected[name])
    assert torch.equal(model.greedy(longer, lengths, 4)[0], model.greedy(source, lengths, 4)[0])
    for got, want in zip(model.beam_search(longer, lengths, 4, 3), model.beam_search(source, lengths, 4, 3)):
        close(got, want)


@given(B=sizes, S=sizes, T=sizes, **kinds)
def test_a_batch_is_its_sequences_one_by_one(close, B, S, T, attention, bidirectional, seed):
    model, (source, lengths, target) = made(attention, bidirectional, seed), example(B, S, T, seed=seed)
    logits, _ = model(source, lengths, target)
    symbols, _ = model.greedy(source, lengths, 4)
    beams, scores = model.beam_search(source, lengths, 4, 3)
    for b, n in enumerate(lengths.tolist()):
        one = source[b : b + 1, :n], lengths[b : b + 1]
        close(model(*one, target[b : b + 1])[0][0].detach(), logits[b].detach())
        assert torch.equal(model.greedy(*one, 4)[0][0], symbols[b])
        beam, score = model.beam_search(*one, 4, 3)
        assert torch.equal(beam[0], beams[b])
        close(score[0], scores[b])


# The equations


@given(B=sizes, S=sizes, T=sizes, **kinds)
def test_the_from_scratch_gru_in_its_place_gives_the_same(close, B, S, T, attention, bidirectional, seed):
    model, arguments = made(attention, bidirectional, seed), example(B, S, T, seed=seed)
    expected, _ = model(*arguments)
    encoder = GRU(3, 6 // (1 + bidirectional), bidirectional=bidirectional, dtype=torch.float64)
    decoder = GRU(3, 6, batch_first=True, dtype=torch.float64)
    encoder.load_state_dict(model.encoder.state_dict())
    decoder.load_state_dict(model.decoder.state_dict())
    model.encoder, model.decoder = encoder, decoder
    close(model(*arguments)[0].detach(), expected.detach())


@given(S=sizes, T=sizes, **kinds)
def test_it_is_its_equations_step_by_step(close, S, T, attention, bidirectional, seed):
    model, (source, _, target) = made(attention, bidirectional, seed), example(1, S, T, seed=seed)
    h, last = model.encoder(model.source_embedding(source[0]))               # (S, H)
    state, previous = last.reshape(1, -1), torch.tensor(model.end)
    logits, weights = model(source, torch.tensor([S]), target)
    for t in range(T):
        s, state = model.decoder(model.target_embedding(previous)[None], state)
        if attention:
            c, a = model.attention(s, h[None])
            close(weights[0, t].detach(), a[0].detach())
            s = torch.tanh(torch.cat([c, s], dim=1) @ model.combine.weight.T)
        close(logits[0, t].detach(), (model.readout.weight @ s[0] + model.readout.bias).detach())
        previous = target[0, t]


@given(B=sizes, S=sizes, T=sizes, **kinds)
def test_a_step_does_not_know_its_own_symbol_or_a_later_one(B, S, T, attention, bidirectional, seed):
    model, (source, lengths, target) = made(attention, bidirectional, seed), example(B, S, T + 1, seed=seed)
    logits, _ = model(source, lengths, target)
    for t in range(T + 1):
        changed = target.clone()
        changed[:, t:] = (changed[:, t:] + 1) % 3
        got, _ = model(source, lengths, changed)
        assert torch.equal(got[:, : t + 1], logits[:, : t + 1])
        if t < T:
            assert not torch.equal(got[:, t + 1], logits[:, t + 1])          # and the next one knows it


@given(B=sizes, S=sizes, T=sizes, **kinds)
def test_weights_are_a_map_whose_rows_sum_to_one(close, B, S, T, attention, bidirectional, seed):
    model, arguments = made(attention, bidirectional, seed), example(B, S, T, seed=seed)
    for weights in (model(*arguments)[1], model.greedy(*arguments[:2], T)[1]):
        if attention is None:
            assert weights is None
        else:
            assert weights.shape == (B, T, S)
            close(weights.sum(-1).detach(), torch.ones(B, T))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_gradients_are_right(attention):
    model, arguments = made(attention, bidirectional=True), example(2, 3, 2)
    names = [name for name, _ in model.named_parameters()]

    def run(*parameters):
        return torch.func.functional_call(model, dict(zip(names, parameters)), arguments)[0]

    assert torch.autograd.gradcheck(run, [one.detach().clone().requires_grad_() for one in model.parameters()])


# The end


def test_log_probability_counts_to_the_first_end_and_no_further(close):
    model, (source, lengths, target) = made("dot"), example(2, 4, 4)
    target[:, 2:] = torch.tensor([[model.end, 0], [model.end, 2]])
    log_p = model(source, lengths, target)[0].log_softmax(-1)
    expected = sum(log_p[torch.arange(2), t, target[:, t]] for t in range(3))
    close(model.log_probability(source, lengths, target).detach(), expected.detach())
    closed = target.masked_fill(torch.arange(4) > 2, model.end)
    close(model.log_probability(source, lengths, closed).detach(), expected.detach())


@given(B=sizes, S=sizes, **kinds)
def test_after_the_end_comes_nothing_else(B, S, attention, bidirectional, seed):
    model, (source, lengths, _) = made(attention, bidirectional, seed, K=2), example(B, S, 1, seed=seed)
    for symbols in (model.greedy(source, lengths, 5)[0], *model.beam_search(source, lengths, 5, 3)[0].unbind(1)):
        ended = (symbols == model.end).cumsum(1).bool()
        assert (symbols[ended] == model.end).all()


def test_greedy_reads_what_it_wrote(close):
    model, (source, lengths, _) = made("general", seed=2), example(5, 6, 1)
    symbols, weights = model.greedy(source, lengths, 7)
    logits, expected = model(source, lengths, symbols)
    running = (symbols == model.end).cumsum(1) - (symbols == model.end).long() == 0
    assert running.float().mean() > 0.5
    assert torch.equal(logits.argmax(-1)[running], symbols[running])
    close(weights[running], expected[running].detach())


# The beam


@given(B=sizes, S=sizes, T=sizes, **kinds)
def test_a_beam_of_one_is_greedy(B, S, T, attention, bidirectional, seed):
    model, (source, lengths, _) = made(attention, bidirectional, seed), example(B, S, 1, seed=seed)
    assert torch.equal(model.beam_search(source, lengths, T, 1)[0][:, 0], model.greedy(source, lengths, T)[0])


@given(B=sizes, S=sizes, T=sizes, W=sizes, **kinds)
def test_scores_of_a_beam_are_the_models_own_and_fall(close, B, S, T, W, attention, bidirectional, seed):
    model, (source, lengths, _) = made(attention, bidirectional, seed), example(B, S, 1, seed=seed)
    beams, scores = model.beam_search(source, lengths, T, W)
    for w in range(W):
        real = scores[:, w].isfinite()
        log_p = model.log_probability(source, lengths, beams[:, w]).detach()
        if real.any():
            close(log_p[real], scores[:, w][real])
    assert (scores[:, 1:] <= scores[:, :-1]).all()
    if W <= 4 ** T:
        best = {tuple(row) for row in beams[0].tolist()}
        assert len(best) == W or not scores[0].isfinite().all()              # no sequence twice


@given(B=st.integers(1, 3), S=sizes, K=st.integers(1, 3), T=st.integers(1, 3), **kinds)
def test_a_beam_as_wide_as_everything_is_exhaustive_search(close, B, S, K, T, attention, bidirectional, seed):
    model, (source, lengths, _) = made(attention, bidirectional, seed, K), example(B, S, 1, seed=seed)
    every = [(*head, *[K] * (T - n)) for n in range(T + 1) for head in itertools.product(range(K), repeat=n)]
    beams, scores = model.beam_search(source, lengths, T, len(every) + 2)
    with torch.no_grad():
        log_p = torch.stack([model.log_probability(source, lengths, torch.tensor([one] * B)) for one in every], dim=1)
    close(log_p.exp().sum(1), torch.ones(B))                                 # every answer there is
    order = log_p.argsort(1, descending=True)
    close(scores[:, :-2], log_p.gather(1, order))
    assert (scores[:, -2:] == float("-inf")).all()
    assert torch.equal(beams[:, :-2], torch.tensor(every)[order])


def test_a_wider_beam_finds_what_greedy_misses():
    better = 0
    for seed in range(20):
        model, (source, lengths, _) = made("dot", seed=seed), example(4, 5, 1, seed=seed)
        greedy, wide = (model.beam_search(source, lengths, 4, W)[1][:, 0] for W in (1, 200))
        assert (wide >= greedy - 1e-12).all()
        better += int((wide > greedy + 1e-9).sum())
    assert better > 0


# The rest


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_a_seed_decides_the_weights(attention):
    states = [made(attention, seed=seed).state_dict() for seed in (1, 1, 2)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name])
        assert not torch.equal(value, states[2][name])


def test_two_directions_share_the_width():
    one, two = made("dot"), made("dot", bidirectional=True)
    assert two.encode(*example(2, 5, 1)[:2])[1][0].shape == one.encode(*example(2, 5, 1)[:2])[1][0].shape == (2, 5, 6)


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"source_symbols": 0}, ValueError, "source_symbols must be at least 1, got 0"),
    ({"target_symbols": 2.0}, TypeError, "target_symbols must be a whole number, got float 2.0"),
    ({"attention": "bahdanau"}, ValueError, "attention must be one of None, 'additive', 'dot', 'general', 'concat'"),
    ({"hidden_size": 5, "bidirectional": True}, ValueError, "hidden_size must be even for two directions, got 5"),
    ({"bidirectional": 1}, TypeError, "bidirectional must be True or False, got int 1"),
    ({"dtype": torch.int64}, TypeError, "dtype must be a floating point type of torch"),
])
def test_wrong_options_are_named(refuses, options, error, message):
    with refuses(error, message):
        EncoderDecoder(**({"source_symbols": 4, "target_symbols": 3, "embed_dim": 3, "hidden_size": 6} | options))


@pytest.mark.parametrize(("source", "lengths", "target", "error", "message"), [
    ([[1, 2]], None, None, TypeError, "source must be a tensor of torch.int64, got list"),
    (torch.zeros(2, 3), None, None, TypeError, "source must be a tensor of torch.int64, got torch.float32"),
    (torch.tensor([1, 2]), None, None, ValueError, "source must have shape (B, S), got (2,)"),
    (torch.zeros(2, 0, dtype=torch.int64), None, None, ValueError, "source must not be empty, got shape (2, 0)"),
    (torch.tensor([[0, 4, 9], [0, 0, 0]]), None, None, ValueError, "source must lie in 0 ... 3, got 0 ... 4"),
    (None, torch.tensor([2, 0]), None, ValueError, "lengths must lie in 1 ... 3, got 0 ... 2"),
    (None, torch.tensor([2, 4]), None, ValueError, "lengths must lie in 1 ... 3, got 2 ... 4"),
    (None, torch.tensor([2]), None, ValueError, "lengths must have shape (2,), got (1,)"),
    (None, torch.tensor([2.0, 2.0]), None, TypeError, "lengths must be a tensor of torch.int64, got torch.float32"),
    (None, None, torch.tensor([[0, 4], [0, 0]]), ValueError, "target must lie in 0 ... 3, got 0 ... 4"),
    (None, None, torch.tensor([[0], [0], [0]]), ValueError, "target must have shape (2, T), got (3, 1)"),
    (None, None, torch.zeros(2, 0, dtype=torch.int64), ValueError, "target must not be empty, got shape (2, 0)"),
])
def test_wrong_input_is_named(refuses, source, lengths, target, error, message):
    source = torch.zeros(2, 3, dtype=torch.int64) if source is None else source
    lengths = torch.tensor([2, 2]) if lengths is None else lengths
    target = torch.zeros(2, 2, dtype=torch.int64) if target is None else target
    model = made("dot")
    with refuses(error, message):
        model(source, lengths, target)


@pytest.mark.parametrize(("max_len", "width", "message"), [
    (0, 1, "max_len must be at least 1, got 0"), (1, 0, "width must be at least 1, got 0"),
])
def test_a_search_needs_steps_and_a_width(refuses, max_len, width, message):
    source, lengths, _ = example(2, 3, 1)
    with refuses(ValueError, message):
        made().beam_search(source, lengths, max_len, width)
