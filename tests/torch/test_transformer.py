"""Transformers in torch: the library's layers with all derivatives, and a causal stack that carries its cache."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unrolled.torch import CausalTransformer, TransformerDecoderLayer, TransformerEncoderLayer, sinusoidal

DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
FUSED = pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
LAYER = {"activation": st.sampled_from(["relu", "gelu"]), "norm_first": st.booleans(), "bias": st.booleans(),
         "batch_first": st.booleans(), "layer_norm_eps": st.sampled_from([1e-5, 0.1])}
SIZES = {"T": st.integers(1, 5), "B": st.integers(1, 3), "h": st.integers(1, 3), "d_h": st.integers(6, 8),
         "training": st.booleans(), "batched": st.booleans(), "seed": st.integers(0, 999)}
# Not narrower: the deviation of a few numbers can be small, and a layer norm divides the rounding of float32 by it.
POSITIONS = ("sinusoidal", "learned", "rotary", "alibi", None)
EVERY_KIND = pytest.mark.parametrize("positions", POSITIONS, ids=str)


def normal(*shape, seed=1, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def some(*shape, seed=1, dtype=torch.bool):
    """A mask in which every query keeps its first key: True, or -∞ in a float one, leaves a key out."""
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    mask[..., 0] = False
    return mask if dtype == torch.bool else normal(*shape, seed=seed, dtype=dtype).masked_fill(mask, -torch.inf)


def make(kind, *sizes, seed=0, dtype=torch.float64, **options):
    torch.manual_seed(seed)
    layer = kind(*sizes, dtype=dtype, **options)
    with torch.no_grad():                                        # biases that start at 0 would hide one left out
        for parameter in layer.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return layer


def model(positions, d=6, nhead=3, num_layers=2, seed=0, **options):
    longest = {"max_len": 40} if positions == "learned" else {}
    return make(CausalTransformer, d, nhead, num_layers, seed=seed, positions=positions, **longest, **options)


def sequence(T, B, d, batched, batch_first, seed, dtype):
    shape = (T,) if not batched else (B, T) if batch_first else (T, B)
    return normal(*shape, d, seed=seed, dtype=dtype)


# The library's layers


@DTYPES
@FUSED
@given(**SIZES, options=st.fixed_dictionaries(LAYER), mask=st.sampled_from([None, 2, 3]), padding=st.booleans(),
       kind=st.sampled_from(["boolean", "float"]))
def test_encoder_layer_is_torch_nn(agree, dtype, fused, T, B, h, d_h, training, batched, seed, options, mask, padding,
                                   kind):
    """In train mode, and in eval mode with gradients, where torch takes the same path as in train mode."""
    d, B, masked = h * d_h, B if batched else 1, torch.bool if kind == "boolean" else dtype
    masks = {"src_mask": some(*[B * h] * (mask == 3), T, T, seed=seed, dtype=masked) if mask else None,
             "src_key_padding_mask": some(*[B] * batched, T, seed=seed, dtype=masked) if padding else None}
    options = options | {"dropout": 0.0 if training else 0.3}
    ours = make(TransformerEncoderLayer, d, h, 5, dtype=dtype, fused=fused, **options).train(training)
    library = make(nn.TransformerEncoderLayer, d, h, 5, seed=seed, dtype=dtype, **options).train(training)
    x = sequence(T, B, d, batched, options["batch_first"], seed, dtype)
    agree(lambda layer, x: layer(x, **masks), ours, library, x)


@DTYPES
@FUSED
@given(**SIZES, S=st.integers(1, 5), options=st.fixed_dictionaries(LAYER), mask=st.sampled_from([None, 2, 3]),
       padding=st.booleans(), kind=st.sampled_from(["boolean", "float"]))
def test_decoder_layer_is_torch_nn(agree, dtype, fused, T, S, B, h, d_h, training, batched, seed, options, mask,
                                   padding, kind):
    d, B, masked = h * d_h, B if batched else 1, torch.bool if kind == "boolean" else dtype
    heads = [B * h] * (mask == 3)
    masks = {"tgt_mask": some(*heads, T, T, seed=seed, dtype=masked) if mask else None,
             "memory_mask": some(*heads, T, S, seed=seed + 1, dtype=masked) if mask else None,
             "tgt_key_padding_mask": some(*[B] * batched, T, seed=seed, dtype=masked) if padding else None,
             "memory_key_padding_mask": some(*[B] * batched, S, seed=seed + 1, dtype=masked) if padding else None}
    options = options | {"dropout": 0.0 if training else 0.3}
    ours = make(TransformerDecoderLayer, d, h, 5, dtype=dtype, fused=fused, **options).train(training)
    library = make(nn.TransformerDecoderLayer, d, h, 5, seed=seed, dtype=dtype, **options).train(training)
    x, memory = (sequence(n, B, d, batched, options["batch_first"], seed + n, dtype) for n in (T, S))
    agree(lambda layer, x, memory: layer(x, memory, **masks), ours, library, x, memory)


@DTYPES
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
@pytest.mark.parametrize("masks", ["none", "mask", "padding", "both"])
def test_encoder_layer_is_torch_nn_on_its_inference_path(monkeypatch, dtype, activation, norm_first, masks):
    options = {"activation": activation, "norm_first": norm_first, "batch_first": True, "dtype": dtype}
    ours, library = (make(kind, 8, 2, 12, **options).eval() for kind in
                     (TransformerEncoderLayer, nn.TransformerEncoderLayer))
    ours.load_state_dict(library.state_dict())
    given = {"src_mask": some(5, 5) if masks in ("mask", "both") else None,
             "src_key_padding_mask": some(3, 5) if masks in ("padding", "both") else None}
    path, taken = torch._transformer_encoder_layer_fwd, []
    monkeypatch.setattr(torch, "_transformer_encoder_layer_fwd", lambda *a: taken.append(1) or path(*a))
    x = normal(3, 5, 8, dtype=dtype)
    with torch.no_grad():
        got, expected = ours(x, **given), library(x, **given)
    assert taken
    assert (got - expected).abs().max() <= (1e-12 if dtype == torch.float64 else 2e-6) * expected.abs().max()


@pytest.mark.parametrize(("ours", "library"), [(TransformerEncoderLayer, nn.TransformerEncoderLayer),
                                               (TransformerDecoderLayer, nn.TransformerDecoderLayer)])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_the_same_seed_draws_the_weights_that_torch_nn_draws_and_they_load_both_ways(ours, library, bias):
    torch.manual_seed(3)
    ours = ours(4, 2, 6, bias=bias)
    torch.manual_seed(3)
    library = library(4, 2, 6, bias=bias)
    assert {name for name, _ in ours.named_parameters()} == {name for name, _ in library.named_parameters()}
    for name, expected in library.named_parameters():
        assert torch.equal(ours.get_parameter(name), expected), name
    library.load_state_dict({name: value + 1 for name, value in ours.state_dict().items()})
    ours.load_state_dict(library.state_dict())
    assert all(torch.equal(ours.get_parameter(name), value) for name, value in library.named_parameters())


@FUSED
@pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
def test_the_same_seed_drops_what_torch_nn_drops(close, fused, norm_first):
    results, x = [], normal(5, 2, 4)
    for kind, options in ((TransformerEncoderLayer, {"fused": fused}), (nn.TransformerEncoderLayer, {})):
        layer = make(kind, 4, 2, 6, dropout=0.4, norm_first=norm_first, **options)
        if results:
            layer.load_state_dict(results[0][1])
        torch.manual_seed(7)
        results.append((layer(x).detach(), layer.state_dict()))
    close(results[0][0], results[1][0])


@pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
def test_pre_norm_with_sublayers_of_zero_is_the_identity_and_post_norm_is_not(norm_first):
    layer, x = TransformerEncoderLayer(4, 2, 6, 0.0, norm_first=norm_first, dtype=torch.float64), normal(3, 2, 4)
    with torch.no_grad():
        for name in ("self_attn.out_proj", "linear2"):
            for parameter in layer.get_submodule(name).parameters():
                parameter.zero_()
    assert torch.equal(layer(x), x) == norm_first


def test_every_layer_of_torch_nns_stack_starts_from_the_same_weights_and_ours_do_not():
    library = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), 2)
    ours = CausalTransformer(4, 2, 2)
    for stack, same in ((library, True), (ours, False)):
        assert torch.equal(stack.layers[0].linear1.weight, stack.layers[1].linear1.weight) == same


# The causal stack


@DTYPES
@FUSED
@pytest.mark.parametrize("positions", ["sinusoidal", None], ids=str)
@given(**SIZES, L=st.integers(1, 3), activation=LAYER["activation"], norm_first=st.booleans(),
       batch_first=st.booleans())
def test_it_is_torch_nns_encoder_under_a_causal_mask(agree, dtype, fused, positions, T, B, h, d_h, training, batched,
                                                     seed, L, activation, norm_first, batch_first):
    d, options = 2 * h * d_h, {"activation": activation, "norm_first": norm_first, "batch_first": batch_first}
    ours = make(CausalTransformer, d, h, L, **options, positions=positions, fused=fused, dtype=dtype, seed=seed)
    ours.train(training)
    layer = nn.TransformerEncoderLayer(d, h, 4 * d, 0.0, **options, dtype=dtype)
    norm = nn.LayerNorm(d, dtype=dtype) if norm_first else None
    library = nn.TransformerEncoder(layer, L, norm, enable_nested_tensor=False).train(training)
    library.load_state_dict(ours.state_dict())                               # its own layers all start alike
    x = sequence(T, B, d, batched, batch_first, seed, dtype)
    p = sinusoidal(T, d, dtype=dtype) if positions else torch.zeros(T, d, dtype=dtype)
    p = p if batch_first or not batched else p[:, None]
    mask = nn.Transformer.generate_square_subsequent_mask(T, dtype=dtype)
    agree(lambda model, x: model(x)[0] if model is ours else model(x + p, mask), ours, library, x)


@FUSED
@EVERY_KIND
@given(pieces=st.lists(st.integers(1, 4), min_size=1, max_size=5), B=st.integers(1, 3), norm_first=st.booleans(),
       batch_first=st.booleans(), seed=st.integers(0, 999))
def test_cached_in_any_pieces_is_all_at_once_with_the_same_gradients(agree, fused, positions, pieces, B, norm_first,
                                                                      batch_first, seed):
    options = {"fused": fused, "norm_first": norm_first, "batch_first": batch_first}
    steps = 1 if batch_first else 0
    streamed, whole = model(positions, **options), model(positions, **options)

    def run(layer, x):
        if layer is whole:
            output, cache = layer(x)
            return output, *(part for pair in cache for part in pair)
        outputs, cache = [], None
        for piece in x.split(pieces, steps):
            output, cache = layer(piece, cache)
            outputs.append(output)
        assert [part.shape for part in cache[0]] == [(B, 3, sum(pieces), 2)] * 2
        return torch.cat(outputs, steps), *(part for pair in cache for part in pair)

    agree(run, streamed, whole, sequence(sum(pieces), B, 6, True, batch_first, seed, torch.float64))


@EVERY_KIND
@given(T=st.integers(1, 6), cached=st.integers(0, 3), norm_first=st.booleans(), seed=st.integers(0, 999))
def test_fused_is_plain(agree, positions, T, cached, norm_first, seed):
    plain, fused = (model(positions, norm_first=norm_first, fused=fused) for fused in (False, True))

    def run(layer, x):
        cache = layer(x[:cached])[1] if cached else None
        return layer(x[cached:], cache)[0]

    agree(run, fused, plain, normal(T + cached, 2, 6, seed=seed))


@FUSED
@EVERY_KIND
@given(T=st.integers(1, 6), changed=st.integers(0, 5), split=st.integers(0, 5), seed=st.integers(0, 999))
def test_no_future_step_changes_an_earlier_output(fused, positions, T, changed, split, seed):
    layer, x = model(positions, fused=fused), normal(T + 1, 2, 6, seed=seed)
    changed, split = 1 + changed % T, 1 + split % T
    other = x.clone()
    other[changed:] += normal(*other[changed:].shape, seed=seed + 1)
    outputs = []
    for run in (x, other):
        first, cache = layer(run[:split])
        outputs.append(torch.cat([first, layer(run[split:], cache)[0]]))
    assert torch.allclose(outputs[0][:changed], outputs[1][:changed], rtol=0, atol=1e-13)
    assert not torch.allclose(outputs[0][changed:], outputs[1][changed:])


@EVERY_KIND
def test_every_earlier_step_changes_a_later_output(positions):
    layer, x = model(positions), normal(5, 1, 6).requires_grad_()
    gradient = torch.autograd.grad(layer(x)[0][-1].square().sum(), x)[0]
    assert (gradient.abs().sum((1, 2)) > 1e-6).all()


@FUSED
@EVERY_KIND
@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), batch_first=st.booleans())
def test_padding_does_not_change_output(close, fused, positions, lengths, batch_first):
    layer = model(positions, fused=fused, batch_first=batch_first)
    sequences = [normal(n, 6, seed=n) for n in lengths]
    padded = nn.utils.rnn.pad_sequence(sequences, batch_first, padding_value=9.0)
    output = layer(padded)[0]
    for b, alone in enumerate(sequences):
        close((output[b] if batch_first else output[:, b])[: len(alone)].detach(), layer(alone)[0].detach())


@EVERY_KIND
@given(T=st.integers(2, 6))
def test_only_positions_tell_a_run_of_equal_steps_apart(positions, T):
    output = model(positions)(normal(1, 1, 6).expand(T, 1, 6))[0]
    assert torch.allclose(output, output[:1].expand_as(output)) == (positions in (None, "rotary", "alibi"))


@pytest.mark.parametrize(("positions", "shifted"), [("rotary", True), ("alibi", True), (None, True),
                                                    ("sinusoidal", False), ("learned", False)])
def test_relative_positions_do_not_know_where_a_window_begins(positions, shifted):
    layer, x, products = model(positions, num_layers=1), normal(7, 1, 6), []
    for cache in (None, layer(x[:4])[1]):
        k = layer(x[4:], cache)[1][0][0][:, :, -3:]                          # the keys of the last 3 steps
        products.append(k @ k.mT)
    assert torch.allclose(*products) == shifted


def test_two_caches_from_one_prefix_do_not_disturb_each_other():
    layer, x = model("rotary"), normal(6, 1, 6)
    _, cache = layer(x[:3])
    before = [part.clone() for pair in cache for part in pair]
    first, second = (layer(piece, cache)[0] for piece in (x[3:], -x[3:]))
    assert not torch.allclose(first, second)
    assert all(map(torch.equal, before, (part for pair in cache for part in pair)))


@EVERY_KIND
@pytest.mark.parametrize("quiet", [torch.no_grad, torch.inference_mode])
@given(tree=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), min_size=1, max_size=12), seed=st.integers(0, 99))
def test_without_gradients_any_kept_cache_can_be_gone_on_from_and_none_is_ever_changed(positions, quiet, tree, seed):
    layer, grown = model(positions), [(normal(2, 1, 6, seed=seed), None)]                # inputs and cache
    with quiet():
        grown[0] = grown[0][0], layer(grown[0][0])[1]
        for parent, steps in tree:
            before, cache = grown[parent % len(grown)]
            piece = normal(steps, 1, 6, seed=len(grown))
            output, longer = layer(piece, cache)
            grown.append((torch.cat([before, piece]), longer))
            assert torch.allclose(output, layer(grown[-1][0])[0][-steps:], rtol=0, atol=1e-12)
        for x, cache in grown:
            for pair, expected in zip(cache, layer(x)[1]):
                assert all(torch.allclose(*parts, rtol=0, atol=1e-12) for parts in zip(pair, expected))


def test_decoding_copies_a_cache_only_when_its_buffer_is_full():
    layer, cache, wholes = model("rotary"), None, []
    with torch.no_grad():
        for step in normal(200, 1, 1, 6):
            cache = layer(step, cache)[1]
            k = cache[0][0]
            wholes.append((k.untyped_storage().data_ptr(), k.untyped_storage().nbytes(), k.nbytes))
    moves = 1 + sum(before[0] != after[0] for before, after in zip(wholes, wholes[1:]))
    assert moves <= 9                                                    # doubling: 1, 2, 4, …, 256
    assert all(whole <= 2 * used for _, whole, used in wholes[1:])


@pytest.mark.parametrize("began", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("goes_on", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_a_cache_can_be_gone_on_from_in_another_mode(began, goes_on):
    layer, x = model("rotary"), normal(8, 1, 6)
    with began():
        cache = layer(x[2:3], layer(x[:2])[1])[1]
    if began is not torch.inference_mode or goes_on is not torch.enable_grad:
        with goes_on():
            for t in range(3, 8):
                output, cache = layer(x[t : t + 1], cache)
        assert torch.allclose(output[-1], layer(x)[0][-1], rtol=0, atol=1e-12)
        assert output.requires_grad == (goes_on is torch.enable_grad)


def test_gradients_do_not_change_when_the_same_cache_is_gone_on_from_without_them():
    layer, x = model("rotary"), normal(6, 1, 6)
    with torch.no_grad():
        cache = layer(x[3:4], layer(x[:3])[1])[1]

    def gradients(interrupted):
        output, _ = layer(x[4:], cache)
        if interrupted:
            with torch.no_grad():
                layer(-x[4:], cache)
        return torch.autograd.grad(output.square().sum(), list(layer.parameters()))

    assert all(map(torch.equal, gradients(False), gradients(True)))


def test_a_copied_or_loaded_cache_has_a_buffer_of_its_own(tmp_path):
    layer, x = model("rotary"), normal(6, 1, 6)
    with torch.no_grad():
        cache = layer(x[3:4], layer(x[:3])[1])[1]
        torch.save(cache, tmp_path / "cache.pt")
        others = [copy.deepcopy(cache), torch.load(tmp_path / "cache.pt"), [(k.clone(), v.clone()) for k, v in cache]]
        expected = layer(x[4:], cache)
        for other in others:
            layer(-x[4:], other)
        again = layer(x[4:], cache)
    assert torch.equal(again[0], expected[0])
    assert all(map(torch.equal, again[1][1], expected[1][1]))


def test_mixed_precision_carries_the_cache():
    layer, x = model("rotary", dtype=torch.float32), normal(6, 1, 6, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        output, cache = layer(x[:3])
        output = torch.cat([output, layer(x[3:], cache)[0]])
    assert torch.allclose(output.float(), layer(x)[0], atol=0.1)


def test_it_prints_its_parts():
    printed = repr(CausalTransformer(8, 2, 3, positions="alibi"))
    assert "positions='alibi'" in printed
    assert "3 x TransformerEncoderLayer" in printed
    assert "activation='gelu', norm_first=True" in printed


# Bad input


@pytest.mark.parametrize("kind", [TransformerEncoderLayer, TransformerDecoderLayer])
@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"nhead": 4}, ValueError, "d_model must be a multiple of num_heads 4, got 6"),
    ({"dim_feedforward": 0}, ValueError, "dim_feedforward must be at least 1, got 0"),
    ({"dropout": -0.1}, ValueError, "dropout must lie in [0, 1], got -0.1"),
    ({"activation": "tanh"}, ValueError, "activation must be one of 'relu', 'gelu', got 'tanh'"),
    ({"layer_norm_eps": -1}, ValueError, "eps must be at least 0, got -1"),
    ({"norm_first": 1}, TypeError, "norm_first must be True or False, got int 1"),
    ({"bias": 1}, TypeError, "bias must be True or False, got int 1"),
], ids=str)
def test_a_layer_that_cannot_be_is_refused(refuses, kind, arguments, error, message):
    with refuses(error, message):
        kind(**{"d_model": 6, "nhead": 3} | arguments)


@FUSED
@pytest.mark.parametrize("norm_first", [False, True], ids=["post-norm", "pre-norm"])
def test_layers_refuse_what_does_not_fit(refuses, fused, norm_first):
    options = {"norm_first": norm_first, "fused": fused, "dtype": torch.float64}
    encoder, decoder = (kind(6, 3, 8, **options) for kind in (TransformerEncoderLayer, TransformerDecoderLayer))
    x = normal(4, 2, 6)
    with refuses(TypeError, "must be torch.float64, like the parameters, got torch.float32"):
        encoder(x.float())
    with refuses(ValueError, "6), got (4, 2, 5)"):
        encoder(normal(4, 2, 5))
    with refuses(ValueError, "attn_mask must have shape (4, 4), got (4, 3)"):
        encoder(x, torch.zeros(4, 3).bool())
    with refuses(ValueError, "key_padding_mask must have shape (2, 4), got (4, 2)"):
        encoder(x, src_key_padding_mask=torch.zeros(4, 2).bool())
    with refuses(ValueError, "key must have shape (S, 2, 6), got (5, 3, 6)"):
        decoder(x, normal(5, 3, 6))
    with refuses(ValueError, "attn_mask must have shape (4, 5), got (4, 4)"):
        decoder(x, normal(5, 2, 6), memory_mask=torch.zeros(4, 4).bool())


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ({"nhead": 4}, ValueError, "d_model must be a multiple of num_heads 4, got 6"),
    ({"num_layers": 0}, ValueError, "num_layers must be at least 1, got 0"),
    ({"dim_feedforward": 1.5}, TypeError, "dim_feedforward must be a whole number, got float 1.5"),
    ({"positions": "absolute"}, ValueError,
     "positions must be one of 'sinusoidal', 'learned', 'rotary', 'alibi', None, got 'absolute'"),
    ({"positions": "learned"}, ValueError, "max_len goes with positions='learned', got max_len=None"),
    ({"max_len": 5}, ValueError, "max_len goes with positions='learned', got max_len=5, positions='sinusoidal'"),
    ({"positions": "learned", "max_len": 0}, ValueError, "max_len must be at least 1, got 0"),
    ({"d_model": 9}, ValueError, "d_model must be even, got 9"),
    ({"d_model": 9, "positions": "rotary"}, ValueError, "d_model / nhead must be even, got 3"),
    ({"batch_first": None}, TypeError, "batch_first must be True or False, got NoneType None"),
    ({"fused": 1}, TypeError, "fused must be True or False, got int 1"),
], ids=str)
def test_a_stack_that_cannot_be_is_refused(refuses, arguments, error, message):
    with refuses(error, message):
        CausalTransformer(**{"d_model": 6, "nhead": 3} | arguments)


def pairs(*shape, count=2, **options):
    return [(normal(*shape, **options),) * 2] * count


@pytest.mark.parametrize(("x", "cache", "error", "message"), [
    (None, None, TypeError, "input must be a torch tensor, got NoneType"),
    (normal(2, 1, 6).float(), None, TypeError, "input must be torch.float64, like the parameters, got torch.float32"),
    (normal(2, 1, 5), None, ValueError, "input must have shape (T, B, 6), or (T, 6) unbatched; got (2, 1, 5)"),
    (normal(0, 1, 6), None, ValueError, "input must hold at least one step (T >= 1), got shape (0, 1, 6)"),
    (normal(41, 1, 6), None, ValueError, "a sequence of 41 steps is longer than max_len 40"),
    (normal(2, 1, 6), pairs(1, 3, 39, 2), ValueError, "a sequence of 41 steps is longer than max_len 40"),
    (normal(2, 1, 6), normal(1), TypeError, "cache must be a list of pairs (k, v), got Tensor"),
    (normal(2, 1, 6), [], ValueError, "cache must hold 2 pairs (k, v), one a layer, got 0"),
    (normal(2, 1, 6), [normal(1), normal(1)], TypeError, "layer 0 of cache must be a pair (k, v), got Tensor"),
    (normal(2, 1, 6), pairs(1, 3, 4, 3), ValueError, "k of layer 0 of cache must have shape (1, 3, S, 2), got"),
    (normal(2, 1, 6), pairs(2, 3, 4, 2), ValueError, "must have shape (1, 3, S, 2), got (2, 3, 4, 2)"),
    (normal(2, 1, 6), [*pairs(1, 3, 4, 2, count=1), *pairs(1, 3, 5, 2, count=1)], ValueError,
     "k of layer 1 of cache must have shape (1, 3, 4, 2), got (1, 3, 5, 2)"),
    (normal(2, 1, 6), pairs(1, 3, 4, 2, dtype=torch.float32), TypeError, "k of layer 0 of cache must be torch.float64"),
], ids=["none", "float32", "width", "no steps", "too long", "too long by its cache", "tensor", "no pairs", "no pair",
        "width of heads", "batch", "unequal", "dtype"])
def test_a_call_that_does_not_fit_is_refused(refuses, x, cache, error, message):
    with refuses(error, message):
        model("learned")(x, cache)
