"""One more key and value, learned or zero: `add_bias_kv` and `add_zero_attn` as in `torch.nn`."""

import itertools

import pytest
import torch
from torch import nn

from unrolled.torch import MultiheadAttention

# Of torch.nn: it takes masks of two kinds side by side, and says that it will not for ever.
pytestmark = pytest.mark.filterwarnings("ignore:Support for mismatched")
OPTIONS = [{"add_bias_kv": True}, {"add_zero_attn": True}, {"add_bias_kv": True, "add_zero_attn": True},
           {"add_bias_kv": True, "kdim": 6, "vdim": 4}]


def normal(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize(("mask", "padding"), list(itertools.product([None, "flat", "heads"], [None, "bool", "float"])))
def test_it_is_torch_nn(agree, options, fused, need_weights, mask, padding):
    library = nn.MultiheadAttention(8, 2, **options, dtype=torch.float64)
    ours = MultiheadAttention(8, 2, **options, fused=fused, dtype=torch.float64)
    nn.init.normal_(library.in_proj_bias)
    T, S, B = 3, 5, 2
    mask = {None: None, "flat": normal(T, S), "heads": normal(B * 2, T, S) > 1}[mask]
    hidden = torch.arange(S) >= torch.tensor([[3], [5]])
    padding = {None: None, "bool": hidden, "float": hidden.double() * -2}[padding]
    agree(lambda layer, q, k, v: layer(q, k, v, padding, need_weights, mask), ours, library,
          normal(T, B, 8), normal(S, B, options.get("kdim", 8), seed=2), normal(S, B, options.get("vdim", 8), seed=3))


@pytest.mark.parametrize("options", OPTIONS[:3], ids=str)
@pytest.mark.parametrize("fused", [False, True])
def test_causal_queries_see_them_too(agree, options, fused):
    library = nn.MultiheadAttention(8, 2, **options, dtype=torch.float64)
    ours = MultiheadAttention(8, 2, **options, fused=fused, dtype=torch.float64)
    later = torch.ones(4, 4, dtype=torch.bool).triu(1)

    def run(layer, x):
        causal = {"is_causal": True} if layer is ours else {"attn_mask": later}
        return layer(x, x, x, need_weights=False, **causal)[0]

    agree(run, ours, library, normal(4, 2, 8))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_same_seed_draws_the_same_and_draws_it_anew(options):
    torch.manual_seed(3)
    library = nn.MultiheadAttention(8, 2, **options)
    torch.manual_seed(3)
    ours = MultiheadAttention(8, 2, **options)
    assert list(ours.state_dict()) == list(library.state_dict())
    for _ in range(2):
        for name, value in library.state_dict().items():
            assert torch.equal(ours.state_dict()[name], value), name
        for layer in ours, library:
            torch.manual_seed(4)
            layer._reset_parameters()


def test_arguments_stand_in_the_order_of_torch_nn():
    arguments = 8, 2, 0.0, False, True, True, 6, 4, True, "cpu", torch.float64
    ours, library = MultiheadAttention(*arguments), nn.MultiheadAttention(*arguments)
    ours.load_state_dict(library.state_dict())
    q, k, v = normal(2, 3, 8), normal(2, 5, 6), normal(2, 5, 4)
    for got, expected in zip(ours(q, k, v), library(q, k, v)):
        assert torch.allclose(got, expected)


def test_a_row_of_nothing_but_masked_keys_has_the_last_ones_left():
    layer = MultiheadAttention(4, 1, add_bias_kv=True, add_zero_attn=True)
    _, weights = layer(torch.ones(1, 1, 4), torch.ones(3, 1, 4), torch.ones(3, 1, 4), torch.ones(1, 3).bool())
    assert not weights[..., :3].any()
    assert torch.allclose(weights.sum(-1), torch.ones(1, 1))
