"""The NumPy LSTM and GRU: every derivative against central differences, and each variant against what it reduces to."""

import inspect
import textwrap
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from unrolled.numpy import GRU, LSTM, GRUCell, LSTMCell, gru, lstm, lstm_variants

VARIANTS = [dict(zip(("peephole", "forget_gate", "layer_norm", "bias"), options))
            for options in product((False, True), (True, False, "coupled"), (False, True), (True, False))]
RESETS = [{"reset_after": after, "bias": bias} for after in (True, False) for bias in (True, False)]
KINDS = {"LSTM": (LSTM, LSTMCell, VARIANTS), "GRU": (GRU, GRUCell, RESETS)}
CASES = [pytest.param(kind, options, id=f"{kind} " + " ".join(f"{name}={value}" for name, value in options.items()))
         for kind, (_, _, variants) in KINDS.items() for options in variants]


def normal(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)


def state_of(kind, *shape, seed=2):
    h = normal(*shape, seed=seed)
    return (h, normal(*shape, seed=seed + 10)) if kind == "LSTM" else h


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def jitter(layer):
    """Gains of layer norms away from 1, which would hide a gain that was left out."""
    rng = np.random.default_rng(7)
    for name, value in layer.parameters.items():
        if name.startswith("norm"):
            value[:] = rng.uniform(0.3, 1.5, value.shape)


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_backward_is_the_derivative_of_forward(close, central_difference, kind, options):
    layer = KINDS[kind][0](2, 3, bidirectional=True, dtype=np.float64, seed=0, **options)
    jitter(layer)
    x, state = normal(3, 2, 2), state_of(kind, 2, 2, 3)
    d_output, d_state = normal(3, 2, 6, seed=3), state_of(kind, 2, 2, 3, seed=4)

    def loss():
        output, final = layer.forward(x, state)
        return np.sum(output * d_output) + sum(np.sum(one * d) for one, d in zip(parts(final), parts(d_state)))

    loss()
    d_x, d_first, grads = layer.backward(d_output, d_state)
    close(d_x, central_difference(loss, x), 1e-7)
    for got, array in zip(parts(d_first), parts(state)):
        close(got, central_difference(loss, array), 1e-7)
    assert list(grads) == list(layer.parameters)
    for name, parameter in layer.parameters.items():
        close(grads[name], central_difference(loss, parameter), 1e-7)


@pytest.mark.parametrize("batch", [(), (2,)], ids=["unbatched", "batched"])
@pytest.mark.parametrize(("kind", "options"), CASES)
def test_the_cells_backward_is_the_derivative_of_its_forward(close, central_difference, kind, options, batch):
    cell = KINDS[kind][1](2, 3, dtype=np.float64, seed=0, **options)
    jitter(cell)
    x, state, d_state = normal(*batch, 2), state_of(kind, *batch, 3), state_of(kind, *batch, 3, seed=3)

    def loss():
        return sum(np.sum(one * d) for one, d in zip(parts(cell.forward(x, state)), parts(d_state)))

    loss()
    d_x, d_before, grads = cell.backward(d_state)
    close(d_x, central_difference(loss, x), 1e-7)
    for got, array in zip(parts(d_before), parts(state)):
        close(got, central_difference(loss, array), 1e-7)
    for name, parameter in cell.parameters.items():
        close(grads[name], central_difference(loss, parameter), 1e-7)


# What the variants reduce to


def library_lstm(**options):
    torch.manual_seed(0)
    return nn.LSTM(3, 4, dtype=torch.float64, **options)


def run_library(library, x, state, d_output, d_state):
    """Results and gradients of a layer of torch.nn as arrays."""
    leaves = [torch.from_numpy(array).requires_grad_() for array in (x, *state)]
    output, final = library(leaves[0], tuple(leaves[1:]))
    heads = (output, *final)
    torch.autograd.backward(heads, [torch.from_numpy(array) for array in (d_output, *d_state)])
    arrays = [tensor.detach().numpy() for tensor in heads] + [leaf.grad.numpy() for leaf in leaves]
    return arrays, {name: parameter.grad.numpy() for name, parameter in library.named_parameters()}


def split(array):
    return dict(zip("ifgo", np.split(array, 4)))


@pytest.mark.parametrize("forget_gate", [False, "coupled"])
def test_a_cell_without_its_own_forget_gate_is_the_librarys_with_a_forget_gate_held(close, forget_gate):
    ours, library = LSTM(3, 4, dtype=np.float64, forget_gate=forget_gate, seed=0), library_lstm()
    x, state = normal(6, 2, 3), state_of("LSTM", 1, 2, 4)
    d_output, d_state = normal(6, 2, 4, seed=5), state_of("LSTM", 1, 2, 4, seed=6)
    weights = {}
    for name, value in ours.state_dict().items():
        i, g, o = np.split(value, 3)
        f = -i if forget_gate == "coupled" else np.full_like(i, 500.0) if name == "bias_ih_l0" else np.zeros_like(i)
        weights[name] = torch.from_numpy(np.concatenate([i, f, g, o]))       # 1 - σ(a) = σ(-a), and σ(500) = 1
    library.load_state_dict(weights)
    expected, expected_grads = run_library(library, x, state, d_output, d_state)
    output, final = ours.forward(x, state)
    d_x, d_first, grads = ours.backward(d_output, d_state)
    for got, wanted in zip((output, *final, d_x, *d_first), expected):
        close(got, wanted)
    for name, value in expected_grads.items():
        blocks = split(value)
        i = blocks["i"] - blocks["f"] if forget_gate == "coupled" else blocks["i"]
        close(grads[name], np.concatenate([i, blocks["g"], blocks["o"]]))


def test_the_variants_without_any_option_are_the_six_equations(close):
    layer = LSTM(3, 4, dtype=np.float64, seed=0)
    p = {name.removesuffix("_l0"): value for name, value in layer.parameters.items()}
    x, state = normal(6, 2, 3), state_of("LSTM", 2, 4)
    d_output, d_state = normal(6, 2, 4, seed=5), state_of("LSTM", 2, 4, seed=6)
    plain, final, back = layer._run(x, state, p)
    general, general_final, general_saved = lstm_variants.run(x, state, p, True)
    close(general, plain)
    for got, wanted in zip(general_final, final):
        close(got, wanted)
    expected = back(d_output, d_state)
    got = lstm_variants.run_backward(d_output, d_state, general_saved, p, True)
    for one, other in zip((got[0], *got[1]), (expected[0], *expected[1])):
        close(one, other)
    assert got[2].keys() == expected[2].keys()
    for name in got[2]:
        close(got[2][name], expected[2][name])


def test_peepholes_of_zero_see_nothing(close):
    seeing, blind = LSTM(3, 4, peephole=True, dtype=np.float64, seed=0), LSTM(3, 4, dtype=np.float64, seed=0)
    seeing.parameters["weight_peephole_l0"][:] = 0
    blind.load_state_dict({name: seeing.parameters[name] for name in blind.parameters})
    x = normal(6, 2, 3)
    close(seeing.forward(x)[0], blind.forward(x)[0])


def test_both_resets_are_one_function_where_the_recurrent_matrix_and_the_gate_commute(close):
    after, before = (GRU(3, 4, dtype=np.float64, seed=0, reset_after=reset_after) for reset_after in (True, False))
    x, h0 = normal(6, 2, 3), normal(1, 2, 4, seed=2)
    assert np.abs(after.forward(x, h0)[0] - before.forward(x, h0)[0]).max() > 0.01
    for layer in (after, before):
        U_n, b_n = layer.parameters["weight_hh_l0"][8:], layer.parameters["bias_hh_l0"][8:]
        U_n *= np.eye(4)                                                     # r * (U h) = U (r * h) for a diagonal U,
        b_n[:] = 0                                                           # if the reset scales no bias
    close(after.forward(x, h0)[0], before.forward(x, h0)[0])


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gates_at_their_ends_do_not_overflow(kind):
    layer = KINDS[kind][0](2, 3, dtype=np.float32, seed=0)
    for value in layer.parameters.values():
        value *= 1e6
    with np.errstate(all="raise", under="ignore"):
        output, final = layer.forward(np.ones((4, 2, 2), np.float32))
        layer.backward(np.ones_like(output))
    assert np.isfinite(output).all()


# How they start


def forget_block(layer, suffix="_l0"):
    H = layer.hidden_size
    return layer.parameters["bias_ih" + suffix][H : 2 * H], layer.parameters["bias_hh" + suffix][H : 2 * H]


def test_forget_bias_is_the_sum_of_both_biases_in_every_layer_and_direction():
    layer = LSTM(3, 4, 2, bidirectional=True, forget_bias=1.0, seed=0)
    for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
        b_W, b_U = forget_block(layer, suffix)
        assert (b_W == 1).all()
        assert (b_U == 0).all()
        assert np.abs(layer.parameters["bias_ih" + suffix][:4]).max() <= 0.5         # the input gate starts as ever
        assert len(np.unique(layer.parameters["bias_ih" + suffix][:4])) == 4


def test_chrono_spreads_the_forget_gates_time_scales_up_to_the_longest_lag():
    layer = LSTM(3, 500, chrono=100, seed=0)
    b_W, b_U = forget_block(layer)
    assert (b_U == 0).all()
    u = np.exp(b_W.astype(float))
    assert 1 <= u.min() < 3
    assert 96 < u.max() <= 99
    assert abs(u.mean() - 50) < 5
    assert np.array_equal(layer.parameters["bias_ih_l0"][:500], -b_W)
    assert (layer.parameters["bias_hh_l0"][:500] == 0).all()


def test_gains_of_layer_norms_start_at_one():
    layer = LSTM(3, 4, 2, layer_norm=True, seed=0)
    gains = [value for name, value in layer.parameters.items() if name.startswith("norm")]
    assert len(gains) == 6
    assert all((gain == 1).all() for gain in gains)


# Mistakes that people make, put into the source: the derivative must notice each


MISTAKES = {
    "the forget gate's derivative uses c_t": (lstm, "run_backward", "d_c * c[t] * f", "d_c * c[t + 1] * f"),
    "the carousel multiplies with the input gate": (lstm, "run_backward", "d_c = d_c * f", "d_c = d_c * i"),
    "the cell's gradient is not summed": (lstm, "run_backward", "d_c = d_c + d_h", "d_c = d_h"),
    "the output gate's slope is tanh's": (lstm, "run_backward", "tanh_c * o * (1 - o)", "tanh_c * (1 - o**2)"),
    "candidate and output change places": (lstm, "run_backward", "i, f, g, o = np.split", "i, f, o, g = np.split"),
    "the reset gate's derivative leaves the bias out": (
        gru, "run_backward", "d_past * past[t]", "d_past * (past[t] - past[t].mean())"),
    "z keeps in one direction and writes in the other": (gru, "run_backward", "d_h = z * d_h", "d_h = (1 - z) * d_h"),
    "b_U of the candidate gets b_W's gradient": (gru, "run_backward", "d_m.sum(0)", "d_bias_ih[2 * H :]"),
    "the output gate's peephole sees c_{t-1} backwards": (
        lstm_variants, "run_backward", "np.sum(d_o * c[t + 1], 0)", "np.sum(d_o * c[t], 0)"),
    "a coupled gate forgets its minus": (lstm_variants, "run_backward", "d_i -= d_c * c[t]", "d_i += d_c * c[t]"),
    "layer norm forgets the mean": (lstm_variants, "layer_norm_backward", "d_normal - mean -", "d_normal -"),
    "a gain is left out backwards": (lstm_variants, "run_backward", "d_shown * p[\"norm_c\"]", "d_shown"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_derivative_notices_a_mistake(monkeypatch, close, central_difference, mistake):
    module, name, right, mistaken = MISTAKES[mistake]
    source = textwrap.dedent(inspect.getsource(getattr(module, name)))
    assert source.count(right) == 1
    space = dict(vars(module))
    exec(source.replace(right, mistaken), space)
    monkeypatch.setattr(module, name, space[name])
    kind = "GRU" if module is gru else "LSTM"
    options = {"peephole": True, "layer_norm": True, "forget_gate": "coupled"} if module is lstm_variants else {}
    with pytest.raises(AssertionError):
        test_backward_is_the_derivative_of_forward(close, central_difference, kind, options)
