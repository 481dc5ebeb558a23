"""Bytes are counted exactly, and a checkpointed gradient is the full one."""

import numpy as np
import pytest
import torch
from torch import nn

import unrolled.torch
from unrolled.instruments.gradients import truncated_bptt
from unrolled.instruments.memory import PeakBytes, checkpointed_bptt

FLOATS = 4


def sequence(steps, batch=3, width=4, hidden=8):
    rng = torch.Generator().manual_seed(0)
    return torch.randn(steps, batch, width, generator=rng), torch.randn(steps, batch, hidden, generator=rng)


def squared(output, target):
    return ((output - target) ** 2).sum()


def gradients(layer, run):
    layer.zero_grad()
    total, state = run()
    return total, state, [parameter.grad.clone() for parameter in layer.parameters()]


def test_bytes_are_those_of_the_tensors_alive():
    with PeakBytes() as bytes_:
        a = torch.zeros(1000)
        b = a * 2
        c = b.view(10, 100)                                  # a view brings no bytes
        assert bytes_.now == 2 * 1000 * FLOATS
        del a
        assert bytes_.now == 1000 * FLOATS
        del b, c
    assert bytes_.now == 0
    assert bytes_.peak == 2 * 1000 * FLOATS


def test_what_the_graph_keeps_counts_until_backward_frees_it():
    weight = torch.ones(1000, requires_grad=True)
    with PeakBytes() as bytes_:
        loss = weight.tanh().tanh().sum()                    # both results are kept for the backward pass
        assert bytes_.now == 2 * 1000 * FLOATS + FLOATS
        loss.backward()
        assert bytes_.now == 1000 * FLOATS + FLOATS          # the gradient and the loss


@pytest.mark.parametrize("segment", [1, 4, 7, 30, 100])
@pytest.mark.parametrize("make", [nn.RNN, unrolled.torch.RNN, nn.GRU])
def test_checkpointing_changes_no_gradient(make, segment):
    layer = make(4, 8)
    x, y = sequence(30)
    full = gradients(layer, lambda: truncated_bptt(layer, squared, x, y, 30))
    ours = gradients(layer, lambda: checkpointed_bptt(layer, squared, x, y, segment))
    assert ours[0] == pytest.approx(full[0], rel=1e-6)
    torch.testing.assert_close(ours[1], full[1])
    torch.testing.assert_close(ours[2], full[2], rtol=1e-5, atol=1e-5)


def test_a_state_of_two_tensors_is_carried_on():
    layer = nn.LSTM(4, 8)
    x, y = sequence(9)
    _, state = checkpointed_bptt(layer, squared, x, y, 4)
    torch.testing.assert_close(state, layer(x)[1])
    assert not any(part.requires_grad for part in state)


def test_memory_follows_the_square_root_and_the_chunk():
    layer = unrolled.torch.RNN(4, 8)
    peaks = []
    for steps in (64, 256):
        x, y = sequence(steps)
        runs = (lambda x=x, y=y, t=steps: truncated_bptt(layer, squared, x, y, t),
                lambda x=x, y=y: truncated_bptt(layer, squared, x, y, 16),
                lambda x=x, y=y, t=steps: checkpointed_bptt(layer, squared, x, y, int(t**0.5)))
        peaks.append([])
        for run in runs:
            gradients(layer, run)                            # the gradients' own arrays exist from now on
            with PeakBytes() as bytes_:
                run()
            peaks[-1].append(bytes_.peak)
    full, truncated, checkpointed = np.divide(peaks[1], peaks[0])
    assert full == pytest.approx(4, rel=0.05)
    assert truncated == 1
    assert checkpointed == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(("segment", "error"), [(0, ValueError), (2.5, TypeError), (True, TypeError)])
def test_a_segment_is_a_whole_number_of_steps(segment, error):
    x, y = sequence(5)
    with pytest.raises(error, match="segment"):
        checkpointed_bptt(nn.RNN(4, 8), squared, x, y, segment)


def test_what_would_be_answered_wrongly_is_refused():
    x, y = sequence(5)
    with pytest.raises(ValueError, match="as long as the input, 5 steps, got 4"):
        checkpointed_bptt(nn.RNN(4, 8), squared, x, y[:4], 2)
    with pytest.raises(ValueError, match="at least one step"):
        checkpointed_bptt(nn.RNN(4, 8), squared, x[:0], y[:0], 2)
    with pytest.raises(ValueError, match="batch_first=False"):
        checkpointed_bptt(nn.RNN(4, 8, batch_first=True), squared, x, y, 2)
    with pytest.raises(ValueError, match="bidirectional=False"):
        checkpointed_bptt(nn.RNN(4, 4, bidirectional=True), squared, x, y, 2)
    with pytest.raises(TypeError, match="torch tensor"):
        checkpointed_bptt(nn.RNN(4, 8), squared, x.numpy(), y, 2)
