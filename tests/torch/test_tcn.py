"""The temporal convolutional network: streaming, causality, reach, and torch's own convolutions as the reference."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from unrolled.torch import TCN

sizes = st.integers(1, 4)
nets = {"D": sizes, "H": sizes, "L": st.integers(1, 3), "k": st.integers(1, 4), "seed": st.integers(0, 99)}


def normal(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(D, H, L, k, seed=0, **options):
    torch.manual_seed(seed)
    return TCN(D, H, L, k, dtype=torch.float64, **options)


def reference(tcn, x):
    """Padded on both sides by `nn.Conv1d` and cut on the right, as in the authors' code; (T, B, D) to (T, B, H)."""
    x = x.permute(1, 2, 0)
    for layer, block in enumerate(tcn.blocks):
        y = x
        for ours in (block.first, block.second):
            reach = (tcn.kernel_size - 1) * 2**layer
            conv = nn.Conv1d(ours.in_channels, tcn.hidden_size, tcn.kernel_size, padding=reach, dilation=2**layer)
            conv.weight, conv.bias = ours.weight, ours.bias
            y = torch.relu(conv(y)[..., : x.shape[-1]])
        x = torch.relu(y + block.residual(x))
    return x.permute(2, 0, 1)


@given(T=st.integers(1, 12), B=sizes, **nets)
def test_it_is_torchs_convolutions_padded_on_the_left(close, T, B, D, H, L, k, seed):
    tcn, x, upstream = made(D, H, L, k, seed), normal(T, B, D, seed=seed), normal(T, B, H)
    results = []
    for run in (lambda x: tcn(x)[0], lambda x: reference(tcn, x)):
        leaf = x.clone().requires_grad_()
        tcn.zero_grad()
        output = run(leaf)
        output.backward(upstream)
        results.append([output.detach(), leaf.grad, *(one.grad.clone() for one in tcn.parameters())])
    for got, expected in zip(*results, strict=True):
        close(got, expected)


def test_the_first_layer_is_its_equations_element_by_element(close):
    tcn, x = made(2, 3, 1, 2), normal(5, 1, 2)
    block, output = tcn.blocks[0], tcn(x)[0]

    def convolved(conv, inputs, t):
        return conv.bias + sum(conv.weight[:, :, 1 - j] @ inputs[t - j] for j in range(2) if t >= j)

    u = [convolved(block.first, x[:, 0], t).relu() for t in range(5)]
    for t in range(5):
        residual = block.residual.weight[..., 0] @ x[t, 0] + block.residual.bias
        close(output[t, 0].detach(), (convolved(block.second, u, t).relu() + residual).relu().detach())


@given(T=st.integers(1, 12), B=sizes, data=st.data(), **nets)
def test_a_stream_in_any_pieces_gives_what_the_whole_gives(close, T, B, data, D, H, L, k, seed):
    tcn, x = made(D, H, L, k, seed), normal(T, B, D, seed=seed)
    pieces, state = [], None
    cuts = sorted({0, T, *data.draw(st.lists(st.integers(0, T), max_size=T))})
    for start, stop in zip(cuts, cuts[1:]):
        output, state = tcn(x[start:stop], state)
        pieces.append(output)
    whole, last = tcn(x)
    close(torch.cat(pieces).detach(), whole.detach())
    for got, expected in zip(state, last, strict=True):
        assert got.shape == expected.shape
        if got.numel():
            close(got.detach(), expected.detach())


@given(T=st.integers(2, 12), B=sizes, data=st.data(), **nets)
def test_the_future_changes_nothing(T, B, data, D, H, L, k, seed):
    tcn, x = made(D, H, L, k, seed), normal(T, B, D, seed=seed)
    t = data.draw(st.integers(1, T - 1))
    changed = torch.cat([x[:t], normal(T - t, B, D, seed=seed + 1)])
    assert torch.equal(tcn(changed)[0][:t], tcn(x)[0][:t])


@given(L=st.integers(1, 4), k=st.integers(1, 4))
def test_the_receptive_field_is_as_far_as_a_gradient_reaches(L, k):
    tcn = made(1, 2, L, k)
    with torch.no_grad():
        for parameter in tcn.parameters():
            parameter.abs_()                                         # no relu closes, nothing cancels
    assert tcn.receptive_field == 1 + sum(2 * (k - 1) * 2**layer for layer in range(L))
    T = tcn.receptive_field + 3
    x = torch.ones(T, 1, 1, dtype=torch.float64, requires_grad=True)
    tcn(x)[0][-1].sum().backward()
    reached = x.grad[:, 0, 0] != 0
    assert not reached[:3].any()
    assert reached[3:].all()


@given(T=sizes, B=sizes, **nets)
def test_layouts_are_those_of_the_recurrent_layers(close, T, B, D, H, L, k, seed):
    tcn, first, x = made(D, H, L, k, seed), made(D, H, L, k, seed, batch_first=True), normal(T, B, D, seed=seed)
    output, state = tcn(x)
    assert output.shape == (T, B, H)
    output_first, state_first = first(x.transpose(0, 1))
    close(output_first.detach(), output.transpose(0, 1).detach())
    unbatched, state_one = tcn(x[:, 0])
    close(unbatched.detach(), output[:, 0].detach())
    assert tcn(x[:, 0], state_one)[0].shape == (T, H)
    widths = [D, H] + [H, H] * (L - 1)
    for place, (part, part_first, one) in enumerate(zip(state, state_first, state_one, strict=True)):
        assert part.shape == part_first.shape == (B, widths[place], (k - 1) * 2 ** (place // 2))
        assert torch.equal(part[0], one)


def test_an_identity_carries_the_residual_where_widths_agree():
    tcn = made(3, 3, 2, 2)
    assert not [name for name in tcn.state_dict() if "residual" in name]
    with torch.no_grad():
        for parameter in tcn.parameters():
            parameter.zero_()
    x = normal(6, 2, 3)
    assert torch.equal(tcn(x)[0], x.relu())


def test_gradients_are_right_from_a_state_on():
    tcn, x = made(2, 3, 2, 2), normal(3, 2, 2).requires_grad_()
    state = [part.detach().uniform_(-1, 1).requires_grad_() for part in tcn(x)[1]]
    names = [name for name, _ in tcn.named_parameters()]

    def run(x, *values):
        output, new = torch.func.functional_call(tcn, dict(zip(names, values[4:])), (x, list(values[:4])))
        return output, *new

    assert torch.autograd.gradcheck(run, (x, *state, *(one.detach().requires_grad_() for one in tcn.parameters())))


def test_dropout_acts_in_training_alone():
    dropping, plain, x = made(2, 8, 2, 3, dropout=0.5), made(2, 8, 2, 3), normal(9, 2, 2)
    assert not torch.equal(dropping(x)[0], plain(x)[0])
    assert torch.equal(dropping.eval()(x)[0], plain(x)[0])


def test_a_seed_decides_the_weights_and_they_load():
    one, same, other = made(2, 3, 2, 2, seed=1), made(2, 3, 2, 2, seed=1), made(2, 3, 2, 2, seed=2)
    x = normal(4, 1, 2)
    assert torch.equal(one(x)[0], same(x)[0])
    assert not torch.equal(one(x)[0], other(x)[0])
    other.load_state_dict({name: value.numpy() for name, value in one.state_dict().items()})
    assert torch.equal(one(x)[0], other(x)[0])
    assert repr(one).splitlines()[1].strip() == "2, 3, num_layers=2, kernel_size=2"


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"kernel_size": 0}, ValueError, "kernel_size must be at least 1, got 0"),
    ({"num_layers": 1.0}, TypeError, "num_layers must be a whole number, got float 1.0"),
    ({"dropout": 2}, ValueError, "dropout must lie in [0, 1], got 2"),
    ({"batch_first": None}, TypeError, "batch_first must be True or False, got NoneType None"),
    ({"dtype": "float64"}, TypeError, "dtype must be a floating point type of torch"),
])
def test_wrong_options_are_named(refuses, options, error, message):
    with refuses(error, message):
        TCN(2, 3, **options)


@pytest.mark.parametrize(("x", "state", "error", "message"), [
    ([1.0], None, TypeError, "input must be a torch tensor, got list"),
    (normal(4, 1, 2).float(), None, TypeError, "input must be torch.float64, like the parameters, got torch.float32"),
    (normal(4, 1, 3), None, ValueError, "input must have shape (T, B, 2), or (T, 2) unbatched; got (4, 1, 3)"),
    (normal(0, 1, 2), None, ValueError, "input must hold at least one step (T >= 1), got shape (0, 1, 2)"),
    (normal(4, 1, 2), normal(1, 2, 2), TypeError, "state must be a list of 2 tensors, two for each layer, got Tensor"),
    (normal(4, 1, 2), [normal(1, 2, 2)], TypeError, "state must be a list of 2 tensors, two for each layer, got 1"),
    (normal(4, 1, 2), [normal(1, 2, 2)] * 2, ValueError, "state[1] must have shape (1, 3, 2), got (1, 2, 2)"),
    (normal(4, 2), [normal(1, 2, 2), normal(1, 3, 2)], ValueError, "state[0] must have shape (2, 2), got (1, 2, 2)"),
])
def test_wrong_input_is_named(refuses, x, state, error, message):
    with refuses(error, message):
        made(2, 3, 1, 3)(x, state)
