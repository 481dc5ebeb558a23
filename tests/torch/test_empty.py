"""No sequences, no queries, no keys: attention and its layers give what `torch.nn` gives."""

import pytest
import torch
from torch import nn

from unrolled.torch import (
    TCN,
    AdditiveAttention,
    CausalTransformer,
    DotAttention,
    LayerNorm,
    MultiheadAttention,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
    scaled_dot_product,
)
from unrolled.torch.attention import tiled

# Of torch.nn: it takes masks of two kinds side by side, and says that it will not for ever.
pytestmark = pytest.mark.filterwarnings("ignore:Support for mismatched")
FUSED = pytest.mark.parametrize("fused", [False, True], ids=["plain", "fused"])
SIZES = pytest.mark.parametrize(("T", "S", "B"), [(3, 4, 0), (0, 4, 2), (3, 0, 2), (0, 0, 2), (0, 0, 0)])


def normal(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def pair(ours, library, *arguments, fused, **options):
    mine, theirs = ours(*arguments, **options, fused=fused), library(*arguments, **options)
    mine.load_state_dict(theirs.state_dict())
    for layer in mine, theirs:
        for name, parameter in layer.named_parameters():
            if name.endswith("bias"):
                nn.init.constant_(parameter, 0.5)                      # where there is nothing, the bias is left
    return mine, theirs


def assert_same(got, expected):
    for one, other in zip(got, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.shape == other.shape
            assert torch.allclose(one, other, atol=1e-6)


@FUSED
@SIZES
@pytest.mark.parametrize("need_weights", [True, False])
def test_multihead_attention(fused, T, S, B, need_weights):
    ours, library = pair(MultiheadAttention, nn.MultiheadAttention, 8, 2, fused=fused)
    query, memory = normal(T, B, 8).requires_grad_(), normal(S, B, 8)
    got, expected = (layer(query, memory, memory, need_weights=need_weights) for layer in (ours, library))
    assert_same(got, expected)
    got[0].sum().backward()
    assert query.grad.shape == query.shape
    assert all(parameter.grad.isfinite().all() for parameter in ours.parameters())


@FUSED
@SIZES
def test_multihead_attention_with_masks(fused, T, S, B):
    ours, library = pair(MultiheadAttention, nn.MultiheadAttention, 8, 2, fused=fused)
    query, memory, padding = normal(T, B, 8), normal(S, B, 8), torch.zeros(B, S, dtype=torch.bool)
    for mask in torch.zeros(T, S), torch.zeros(B * 2, T, S, dtype=torch.bool):
        assert_same(ours(query, memory, memory, padding, attn_mask=mask),
                    library(query, memory, memory, padding, attn_mask=mask))
        ours(query, memory, memory, padding, False, mask)              # torch.nn cannot without weights
    assert ours(query, query, query, is_causal=True)[0].shape == query.shape


@FUSED
@pytest.mark.parametrize("batch_first", [False, True])
def test_unbatched_sequences(fused, batch_first):
    ours, library = pair(MultiheadAttention, nn.MultiheadAttention, 8, 2, batch_first=batch_first, fused=fused)
    for T, S in (0, 4), (3, 0), (0, 0):
        query, memory = normal(T, 8), normal(S, 8)
        assert_same(ours(query, memory, memory), library(query, memory, memory))


@FUSED
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("shape", [(3, 0, 8), (0, 2, 8), (0, 8)], ids=str)
def test_layers(fused, training, norm_first, shape):
    options = {"dim_feedforward": 16, "dropout": 0.0, "norm_first": norm_first}
    encoders = pair(TransformerEncoderLayer, nn.TransformerEncoderLayer, 8, 2, **options, fused=fused)
    decoders = pair(TransformerDecoderLayer, nn.TransformerDecoderLayer, 8, 2, **options, fused=fused)
    x, memory = normal(*shape), normal(4, *shape[1:])
    assert_same([layer.train(training)(x) for layer in encoders[:1]], [encoders[1].train(training)(x)])
    ours, library = (layer.train(training) for layer in decoders)
    assert_same([ours(x, memory)], [library(x, memory)])
    if 0 not in memory.shape:
        assert_same([ours(memory, x)], [library(memory, x)])           # no source


@FUSED
def test_layer_norm(fused):
    for shape in (0, 4), (3, 0, 4):
        assert LayerNorm(4, fused=fused)(torch.zeros(shape)).shape == nn.LayerNorm(4)(torch.zeros(shape)).shape


def test_functions_and_scores():
    q, k = torch.ones(2, 3, 4), torch.ones(2, 0, 4)
    output, weights = scaled_dot_product(q, k, k)
    assert torch.equal(output, torch.zeros(2, 3, 4))
    assert weights.shape == (2, 3, 0)
    assert torch.equal(tiled(q, k, k), output)
    assert torch.equal(nn.functional.scaled_dot_product_attention(q, k, k), output)
    assert scaled_dot_product(q[:, :0], q, q)[0].shape == (2, 0, 4)
    for layer in DotAttention(), AdditiveAttention(4, 4, 5):
        context, weights = layer(q, k)
        assert torch.equal(context, torch.zeros(2, 3, 4))
        assert layer(q[:0], k[:0])[0].shape == (0, 3, 4)
        assert layer(q[:, :0], q)[1].shape == (2, 0, 3)


@pytest.mark.parametrize("model", [
    TCN(4, 4, 2), *(CausalTransformer(4, 1, 2, positions=positions, max_len=9 if positions == "learned" else None)
                    for positions in (None, "sinusoidal", "learned", "rotary", "alibi"))], ids=str)
def test_stacks_go_on_with_no_sequences_and_refuse_no_steps(refuses, model):
    output, state = model(torch.zeros(3, 0, 4))
    output, _ = model(torch.zeros(2, 0, 4), state)
    assert output.shape == (2, 0, 4)
    output.sum().backward()
    with refuses(ValueError, "input must hold at least one step (T >= 1)"):
        model(torch.zeros(0, 2, 4))
