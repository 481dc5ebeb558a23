"""The probes: closed forms against autograd, clipping against torch's, truncation against the whole."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_sequence

import unrolled.torch
from unrolled.instruments.gradients import (
    clip_grad_norm,
    clip_grad_value,
    gradient_norm,
    gru_step_jacobians,
    jacobian_norms,
    step_jacobians,
    temporal_jacobian,
    truncated_bptt,
)

NAN, INF = float("nan"), float("inf")


def normal(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Jacobians


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_the_product_of_step_jacobians_is_the_temporal_jacobian(close, nonlinearity):
    cell = unrolled.torch.RNNCell(3, 4, nonlinearity=nonlinearity, dtype=torch.float64)
    h0, x = normal(4), normal(6, 3, seed=2)
    states, h = [], h0
    for step in x:
        h = cell(step, h)
        states.append(h.detach().numpy())
    jacobians = step_jacobians(states, cell.weight_hh.detach().numpy(), nonlinearity)
    whole = temporal_jacobian(cell, h0, x).numpy()
    close(np.linalg.multi_dot(jacobians[::-1]), whole)
    norms = jacobian_norms(jacobians)
    assert norms.shape == (7,)
    assert norms[0] == 1
    assert norms[6] == pytest.approx(np.linalg.norm(whole, 2), rel=1e-12)


def test_without_a_nonlinearity_every_step_jacobian_is_u():
    weight = normal(4, 4).numpy()
    jacobians = step_jacobians(np.zeros((3, 4)), weight, "identity")
    assert np.array_equal(jacobians, np.stack([weight] * 3))
    powers = [np.linalg.norm(np.linalg.matrix_power(weight, k), 2) for k in range(4)]
    assert np.allclose(jacobian_norms(jacobians), powers, rtol=1e-12)


def test_the_temporal_jacobian_takes_any_recurrence(close):
    gru = nn.GRUCell(3, 4, dtype=torch.float64)
    h0, x = normal(4), normal(5, 3, seed=2)
    jacobian, step = temporal_jacobian(gru, h0, x), 1e-6
    for column in range(4):
        ends = []
        for sign in (1, -1):
            h = h0 + sign * step * torch.eye(4, dtype=torch.float64)[column]
            for x_t in x:
                h = gru(x_t, h)
            ends.append(h.detach())
        close(jacobian[:, column], (ends[0] - ends[1]) / (2 * step), 1e-8)


@pytest.mark.parametrize("scale", [1, 5])
def test_step_jacobians_of_a_gru_multiply_to_what_autograd_finds(close, scale):
    layer, cell = nn.GRU(3, 4, dtype=torch.float64), nn.GRUCell(3, 4, dtype=torch.float64)
    with torch.no_grad():
        for p in layer.parameters():
            p.mul_(scale)
    cell.load_state_dict({name.removesuffix("_l0"): p for name, p in layer.state_dict().items()})
    x = normal(6, 3)
    jacobians = gru_step_jacobians(layer, x)
    assert jacobians.shape == (6, 4, 4)
    close(np.linalg.multi_dot(jacobians[::-1]), temporal_jacobian(cell, torch.zeros(4, dtype=torch.float64), x).numpy())


@given(T=st.integers(1, 6), H=st.integers(1, 5), seed=st.integers(0, 99))
def test_norms_of_orthogonal_jacobians_stay_at_one(T, H, seed):
    jacobians = [np.linalg.qr(normal(H, H, seed=seed + t).numpy())[0] for t in range(T)]
    assert np.allclose(jacobian_norms(jacobians), 1, rtol=1e-12)


@pytest.mark.parametrize(("states", "weight", "nonlinearity", "message"), [
    (np.zeros((5, 4)), np.eye(4), "sigmoid", "nonlinearity must be one of 'tanh', 'relu', 'identity', got 'sigmoid'"),
    (np.zeros((5, 4)), np.zeros((4, 3)), "tanh", "weight_hh must have shape (H, H), got (4, 3)"),
    (np.zeros((5, 4)), np.eye(3), "tanh", "states must have shape (T, 3), got (5, 4)"),
    (np.zeros((5, 2, 4)), np.eye(4), "tanh", "states must have shape (T, 4), got (5, 2, 4)"),
    (np.zeros((5, 4)), np.zeros(4), "tanh", "weight_hh must have shape (H, H), got (4,)"),
    (np.full((5, 4), NAN), np.eye(4), "tanh", "states must be finite, got 20 entries that are not"),
    (np.zeros((5, 4)), np.diag([1, 1, 1, INF]), "tanh", "weight_hh must be finite, got 1 entries that are not"),
], ids=["nonlinearity", "U not square", "U of another width", "batched", "U flat", "NaN", "inf"])
def test_wrong_states_or_weights_are_named(refuses, states, weight, nonlinearity, message):
    with refuses(ValueError, message):
        step_jacobians(states, weight, nonlinearity)


@pytest.mark.parametrize(("jacobians", "message"), [
    (np.float64(1), "jacobians must have shape (T, H, H), got ()"),
    (np.eye(4), "jacobians must have shape (T, H, H), got (4, 4)"),
    (np.zeros((5, 4, 3)), "jacobians must have shape (T, H, H), got (5, 4, 3)"),
    (np.full((5, 4, 4), -INF), "jacobians must be finite, got 80 entries that are not"),
], ids=["scalar", "one matrix", "not square", "inf"])
def test_wrong_jacobians_are_named(refuses, jacobians, message):
    with refuses(ValueError, message):
        jacobian_norms(jacobians)


@pytest.mark.parametrize(("state", "inputs", "error", "message"), [
    (torch.zeros(1, 4), torch.zeros(5, 3), ValueError, "state must have shape (H,), got (1, 4)"),
    (torch.zeros(4), torch.zeros(5, 1, 3), ValueError, "inputs must have shape (T, D), got (5, 1, 3)"),
    (np.zeros(4), torch.zeros(5, 3), TypeError, "state must be a torch tensor, got ndarray"),
    (torch.zeros(4), [[0.0] * 3], TypeError, "inputs must be a torch tensor, got list"),
], ids=["batched state", "batched inputs", "array", "list"])
def test_a_wrong_state_or_input_is_named(refuses, state, inputs, error, message):
    with refuses(error, message):
        temporal_jacobian(nn.RNNCell(3, 4), state, inputs)


# Norms and clipping


def parameters_with_gradients(scale=1.0):
    """Two parameters with a gradient, and one without."""
    parameters = [nn.Parameter(normal(4, 3)), nn.Parameter(normal(5)), nn.Parameter(normal(2))]
    for number, parameter in enumerate(parameters[:2]):
        parameter.grad = scale * normal(*parameter.shape, seed=10 + number)
    return parameters


@pytest.mark.parametrize("max_norm", [0.5, 3.0, 100.0])
def test_clipping_the_norm_equals_torchs(close, max_norm):
    ours, theirs = parameters_with_gradients(), parameters_with_gradients()
    before = clip_grad_norm(ours, max_norm)
    assert before == pytest.approx(nn.utils.clip_grad_norm_(theirs, max_norm).item(), rel=1e-12)
    for one, other in zip(ours[:2], theirs[:2]):
        close(one.grad, other.grad, 1e-5)                               # torch divides by the norm plus 1e-6
    assert ours[2].grad is None


def test_clipping_the_norm_shortens_and_does_not_turn(close):
    clipped, whole = parameters_with_gradients(), parameters_with_gradients()
    factor = 0.5 / clip_grad_norm(clipped, 0.5)
    assert gradient_norm(clipped) == pytest.approx(0.5, rel=1e-12)
    for one, other in zip(clipped[:2], whole[:2]):
        close(one.grad, factor * other.grad)


def test_a_short_gradient_is_left_alone():
    parameters = parameters_with_gradients()
    before = [parameter.grad.clone() for parameter in parameters[:2]]
    clip_grad_norm(parameters, gradient_norm(parameters))
    clip_grad_value(parameters, 100.0)
    assert all(torch.equal(parameter.grad, grad) for parameter, grad in zip(parameters, before))


@pytest.mark.parametrize("max_value", [0.1, 1.0])
def test_clipping_values_equals_torchs(max_value):
    ours, theirs = parameters_with_gradients(), parameters_with_gradients()
    clip_grad_value(ours, max_value)
    nn.utils.clip_grad_value_(theirs, max_value)
    for one, other in zip(ours[:2], theirs[:2]):
        assert torch.equal(one.grad, other.grad)


def test_one_parameter_or_a_generator_will_do():
    parameters = parameters_with_gradients()
    assert gradient_norm(parameters[0]) == pytest.approx(parameters[0].grad.norm().item(), rel=1e-12)
    norm = gradient_norm(parameters)
    assert clip_grad_norm((parameter for parameter in parameters), norm / 2) == norm
    assert gradient_norm(iter(parameters)) == pytest.approx(norm / 2, rel=1e-12)


def test_a_finite_float32_gradient_whose_square_is_not_is_still_clipped():
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = torch.tensor([3e30, 4e30])
    assert clip_grad_norm([parameter], 1.0) == pytest.approx(5e30, rel=1e-6)
    assert torch.allclose(parameter.grad, torch.tensor([0.6, 0.8]))


@pytest.mark.parametrize("clip", [clip_grad_norm, clip_grad_value])
@pytest.mark.parametrize(("threshold", "error"), [
    (0, ValueError), (-1.0, ValueError), (NAN, ValueError), (INF, ValueError), ("1", TypeError), (None, TypeError),
    (True, TypeError),
], ids=str)
def test_a_threshold_that_is_no_positive_number_is_named(refuses, clip, threshold, error):
    name = {clip_grad_norm: "max_norm", clip_grad_value: "max_value"}[clip]
    with refuses(error, f"{name} must be a positive number, got "):
        clip(parameters_with_gradients(), threshold)


@pytest.mark.parametrize("probe", [gradient_norm, lambda p: clip_grad_norm(p, 1.0), lambda p: clip_grad_value(p, 1.0)],
                         ids=["norm", "clip norm", "clip value"])
@pytest.mark.parametrize("parameters", [[], [nn.Parameter(torch.zeros(3))]], ids=["no parameter", "no gradient"])
def test_clipping_before_backward_says_so(refuses, probe, parameters):
    with refuses(ValueError, "expected parameters with a gradient, got none: call backward() first"):
        probe(parameters)


@pytest.mark.parametrize("clip", [clip_grad_norm, clip_grad_value])
@pytest.mark.parametrize("value", [NAN, INF, -INF], ids=str)
def test_a_gradient_that_is_not_finite_is_refused_and_nothing_changes(clip, value):
    parameters = parameters_with_gradients(scale=100.0)
    parameters[1].grad[0] = value
    before = [parameter.grad.clone() for parameter in parameters[:2]]
    assert not math.isfinite(gradient_norm(parameters))
    with pytest.raises(ValueError, match="expected .*finite gradient.*, got .*skip this update"):
        clip(parameters, 1.0)
    for parameter, grad in zip(parameters, before):
        assert torch.equal(parameter.grad.nan_to_num(7), grad.nan_to_num(7))


# Truncated backpropagation


def squared(output, targets):
    return (output - targets).square().sum()


def gradients_after(layer, run):
    layer.zero_grad()
    total, state = run()
    return total, state, {name: parameter.grad.clone() for name, parameter in layer.named_parameters()}


LAYERS = {"our RNN": unrolled.torch.RNN, "nn.RNN": nn.RNN, "nn.LSTM, whose state is a pair": nn.LSTM}


@pytest.fixture(params=LAYERS)
def long_sequence(request):
    torch.manual_seed(0)
    return LAYERS[request.param](3, 4, dtype=torch.float64), normal(12, 2, 3), normal(12, 2, 4, seed=2)


def whole_sequence(layer, x, targets):
    def run():
        output, state = layer(x)
        loss = squared(output, targets)
        loss.backward()
        return loss.item(), state

    return gradients_after(layer, run)


@pytest.mark.parametrize("chunk", [12, 13, 1000])
def test_a_chunk_as_long_as_the_sequence_is_full_backpropagation(long_sequence, chunk):
    layer, x, targets = long_sequence
    expected_total, expected_state, expected = whole_sequence(layer, x, targets)
    total, state, grads = gradients_after(layer, lambda: truncated_bptt(layer, squared, x, targets, chunk))
    assert total == expected_total
    for got, wanted in zip(state, expected_state):
        assert torch.equal(got, wanted)
    for name in expected:
        assert torch.equal(grads[name], expected[name]), name


@pytest.mark.parametrize("chunk", [1, 5, 11])
def test_a_shorter_chunk_keeps_the_loss_and_changes_the_gradient(close, long_sequence, chunk):
    layer, x, targets = long_sequence
    expected_total, expected_state, expected = whole_sequence(layer, x, targets)
    total, state, grads = gradients_after(layer, lambda: truncated_bptt(layer, squared, x, targets, chunk))
    assert total == pytest.approx(expected_total, rel=1e-12)
    for got, wanted in zip(state, expected_state):
        close(got, wanted.detach())
        assert not got.requires_grad
    assert relative_distance(grads, expected) > 1e-6


def relative_distance(one, other):
    flat = [torch.cat([grads[name].ravel() for name in other]) for grads in (one, other)]
    return ((flat[0] - flat[1]).norm() / flat[1].norm()).item()


def test_the_gradient_of_chunks_is_the_sum_over_chunks_started_from_carried_states(close):
    torch.manual_seed(0)
    layer, x, targets = nn.RNN(3, 4, dtype=torch.float64), normal(12, 2, 3), normal(12, 2, 4, seed=2)
    _, _, grads = gradients_after(layer, lambda: truncated_bptt(layer, squared, x, targets, 5, normal(1, 2, 4)))
    layer.zero_grad()
    state = normal(1, 2, 4)
    for part in (slice(0, 5), slice(5, 10), slice(10, 12)):
        output, state = layer(x[part], state.detach())
        squared(output, targets[part]).backward()
    for name, parameter in layer.named_parameters():
        close(grads[name], parameter.grad)


@pytest.mark.parametrize(("layer", "x", "targets", "chunk", "error", "message"), [
    ({}, normal(6, 2, 3), normal(6, 2, 4), 0, ValueError, "chunk must be at least 1, got 0"),
    ({}, normal(6, 2, 3), normal(6, 2, 4), 2.5, TypeError, "chunk must be a whole number, got float 2.5"),
    ({}, normal(6, 2, 3), normal(6, 2, 4), True, TypeError, "chunk must be a whole number, got bool True"),
    ({}, normal(6, 2, 3), normal(5, 2, 4), 2, ValueError, "targets must be as long as the input, 6 steps, got 5"),
    ({}, normal(0, 2, 3), normal(0, 2, 4), 2, ValueError, "input must hold at least one step (T >= 1), got none"),
    ({}, normal(6, 2, 3).numpy(), normal(6, 2, 4), 2, TypeError, "input must be a torch tensor, got ndarray"),
    ({}, pack_sequence([normal(6, 3)]), normal(6, 1, 4), 2, TypeError,
     "input must be a torch tensor, got PackedSequence"),
    ({}, normal(6, 2, 5), normal(6, 2, 4), 2, ValueError, "input must have shape (T, B, 3), or (T, 3) unbatched"),
    ({"batch_first": True}, normal(2, 6, 3), normal(2, 6, 4), 2, ValueError,
     "the layer must have batch_first=False, got True"),
    ({"bidirectional": True}, normal(6, 2, 3), normal(6, 2, 8), 2, ValueError,
     "the layer must have bidirectional=False, got True"),
], ids=["chunk 0", "chunk 2.5", "chunk True", "lengths", "no steps", "array", "packed", "width", "batch first",
        "two directions"])
def test_wrong_truncation_is_named(refuses, layer, x, targets, chunk, error, message):
    with refuses(error, message):
        truncated_bptt(unrolled.torch.RNN(3, 4, dtype=torch.float64, **layer), squared, x, targets, chunk)


class Wrapped(nn.Module):
    """A layer inside a module that says nothing of its axes."""

    def __init__(self, layer):
        super().__init__()
        self.inner = nn.ModuleDict({"layer": layer})

    def forward(self, x, state=None):
        return self.inner["layer"](x, state)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("module", [unrolled.torch, nn], ids=["ours", "library"])
@pytest.mark.parametrize("option", ["batch_first", "bidirectional"])
def test_a_layer_that_a_module_hides_is_found(refuses, kind, module, option):
    model = Wrapped(getattr(module, kind)(3, 4, **{option: True}))
    with refuses(ValueError, f"the layer must have {option}=False, got True in its inner.layer"):
        truncated_bptt(model, squared, torch.zeros(6, 6, 3), torch.zeros(6, 6, 4), 2)


def test_a_function_is_taken_at_its_word(close, long_sequence):
    layer, x, targets = long_sequence
    turned = nn.LSTM(3, 4, batch_first=True, dtype=torch.float64)
    layer = nn.LSTM(3, 4, dtype=torch.float64)
    turned.load_state_dict(layer.state_dict())

    def by_time(x, state):
        output, state = turned(x.swapaxes(0, 1), state)
        return output.swapaxes(0, 1), state

    x, targets = normal(12, 2, 3), normal(12, 2, 4, seed=2)
    expected_total, _, expected = gradients_after(layer, lambda: truncated_bptt(layer, squared, x, targets, 5))
    total, _, grads = gradients_after(turned, lambda: truncated_bptt(by_time, squared, x, targets, 5))
    assert total == pytest.approx(expected_total)
    for name in expected:
        close(grads[name], expected[name])


@pytest.mark.parametrize("layer", [
    unrolled.torch.TCN(3, 4, 2, dtype=torch.float64),
    unrolled.torch.CausalTransformer(4, 2, 2, dtype=torch.float64),
], ids=["TCN", "CausalTransformer"])
def test_states_that_are_lists_are_carried_on_without_their_history(layer):
    width = getattr(layer, "input_size", 4)
    x, targets = normal(12, 2, width), normal(12, 2, 4, seed=2)
    with torch.no_grad():
        expected = squared(layer(x)[0], targets).item()
    total, state, grads = gradients_after(layer, lambda: truncated_bptt(layer, squared, x, targets, 5))
    assert total == pytest.approx(expected)

    def leaves(part):
        return [part] if torch.is_tensor(part) else [leaf for one in part for leaf in leaves(one)]

    assert not any(leaf.requires_grad for leaf in leaves(state))
    assert all(torch.isfinite(grad).all() for grad in grads.values())


def test_a_layer_without_a_state_is_refused(refuses):
    layer = nn.Linear(3, 4, dtype=torch.float64)
    with refuses(TypeError, "the layer must return a state of tensors, got NoneType"):
        truncated_bptt(lambda x, state: (layer(x), None), squared, normal(6, 2, 3), normal(6, 2, 4), 2)
