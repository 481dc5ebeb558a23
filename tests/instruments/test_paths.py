"""Ways through a graph are counted number by number: against networkx on random graphs, and where they are known."""

import networkx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.instruments.paths import arriving, path_length
from unrolled.torch import GRU, LSTM, RNN, TCN, CausalTransformer

EDGES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 7), st.booleans()), max_size=16)


def leaf(*shape):
    return torch.randn(shape, dtype=torch.float64).requires_grad_()


@given(edges=EDGES, longest=st.booleans())
def test_it_is_the_way_that_networkx_finds(edges, longest):
    W, x, graph = torch.randn(3, 3, dtype=torch.float64), leaf(4, 3), networkx.DiGraph()
    edges = {(min(i, j), max(i, j)): product for i, j, product in edges if i != j}
    graph.add_nodes_from(range(8))
    graph.add_weighted_edges_from((i, j, -product if longest else product) for (i, j), product in edges.items())
    values = [*x, *[torch.zeros(3, dtype=torch.float64)] * 4]                # the first four are the leaf's steps
    for node in range(8):
        for (i, j), product in edges.items():
            if j == node:
                values[j] = values[j] + ((W @ values[i][:, None])[:, 0] if product else values[i])
    if not values[7].requires_grad:
        return
    expected = [sign * networkx.bellman_ford_path_length(graph, t, 7) if networkx.has_path(graph, t, 7) else None
                for sign in [-1 if longest else 1] for t in range(4)]
    assert path_length(values[7], x, longest=longest) == expected


def test_a_tensor_of_all_steps_does_not_join_its_steps():
    x, W = leaf(5, 2), torch.eye(2, dtype=torch.float64)
    assert path_length((x @ W)[3], x) == [None, None, None, 1, None]
    assert path_length((x @ W).cumsum(0)[3], x) == [1, 1, 1, 1, None]
    assert path_length(torch.tril(torch.ones(5, 5, dtype=torch.float64)) @ x, x) == [1] * 5


def test_operations_are_what_computes_a_number():
    x = leaf(3, 2)
    assert path_length(x.T.reshape(3, 2)[1:].clone()[None].squeeze(0).tanh(), x, "operations") == [1, 1, 1]
    assert path_length(x.exp() + x, x, "operations") == [1, 1, 1]
    assert path_length(x.exp() + x, x, "operations", longest=True) == [2, 2, 2]


@pytest.mark.parametrize(("model", "shortest", "longest"), [
    (RNN, 7, 7), (LSTM, 1, 7), (GRU, 1, 7),                                  # a gated state is handed on by its gates
], ids=["RNN", "LSTM", "GRU"])
def test_ways_through_recurrent_layers(model, shortest, longest):
    x = leaf(7, 1, 6)
    output = model(6, 6, dtype=torch.float64)(x)[0]
    for n in range(1, 8):
        assert path_length(output[n - 1], x)[0] == min(shortest, n)
        assert path_length(output[n - 1], x, longest=True)[0] == min(longest, n)
    assert path_length(output[3], x)[4:] == [None] * 3


@pytest.mark.parametrize("L", [1, 2])
def test_ways_through_a_transformer_do_not_grow_with_length(L):
    model = CausalTransformer(6, 3, L, positions=None, fused=False, dtype=torch.float64)
    for n in (2, 9):
        x = leaf(n, 1, 6)
        last = model(x)[0][-1]
        assert path_length(last, x) == [3] * (n - 1) + [0]                   # W_v, weights, W_o; x_n runs through
        assert path_length(last, x, longest=True) == [6 * L] * n


def test_ways_through_a_convolutional_network_end_where_its_receptive_field_does():
    x, model = torch.rand(16, 1, 6, dtype=torch.float64).requires_grad_(), TCN(6, 6, 2, dtype=torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()                                                 # no relu is shut
    found = path_length(model(x)[0][-1], x)
    assert model.receptive_field == 13
    assert found[:3] == [None] * 3
    assert found[3:] == [4, 4, 4, 4, 2, 4, 2, 4, 2, 2, 2, 2, 0]             # 1 to 4 back, or 2, 4, 6, 8, or both


def test_what_is_no_graph_is_refused(refuses):
    x = leaf(2, 2)
    with refuses(ValueError, "x must be a leaf that requires a gradient"):
        path_length(x.exp(), x.exp())
    with refuses(ValueError, "output must be computed from x, with gradients recorded"):
        path_length(x.detach(), x)
    with refuses(ValueError, "count must be one of 'products', 'operations', got 'steps'"):
        path_length(x.exp(), x, "steps")
    with refuses(TypeError, "longest must be True or False, got int 1"):
        path_length(x.exp(), x, longest=1)


def test_what_arrives_is_the_power_of_a_linear_recurrence_and_ends_with_a_receptive_field():
    class Fading(torch.nn.Module):
        def forward(self, x):
            return torch.stack([sum(x[s] * 0.5 ** (t - s) for s in range(t + 1)) for t in range(len(x))]), None

    reached = arriving(lambda width: Fading(), 6, 4, seeds=(0, 1))
    assert reached.shape == (2, 6)
    assert reached[:, 1:] / reached[:, :-1] == pytest.approx(0.5)
    field = TCN(3, 3, 2).receptive_field
    assert (arriving(lambda width: TCN(width, width, 2), field + 3, 3)[:, field:] == 0).all()
