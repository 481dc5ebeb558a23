"""The proof itself: equal layers pass, and each mistake of a backward pass is reported under the right name."""

import inspect
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

import unrolled.numpy
import unrolled.torch
from unrolled.instruments.parity import TOLERANCE, compare, compare_stateless, relative_error
from unrolled.numpy import rnn

PARAMETERS = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
EVERYTHING = {"output", "h_n", "d_input", "d_h_0"} | PARAMETERS


def compare_with_library(ours, state=True, **options):
    torch.manual_seed(0)
    library = nn.RNN(3, 4, dtype=torch.float64, **options)
    x, h0 = torch.randn(6, 2, 3, dtype=torch.float64), torch.randn(1, 2, 4, dtype=torch.float64)
    return compare(ours, library, x, h0 if state else None)


def wrong(errors):
    return {name for name, error in errors.items() if not error <= TOLERANCE["float64"]}


def test_a_layer_equals_the_library_in_everything():
    errors = compare_with_library(unrolled.numpy.RNN(3, 4))
    assert set(errors) == EVERYTHING
    assert not wrong(errors)


def test_without_an_initial_state_there_is_no_gradient_of_it():
    assert set(compare_with_library(unrolled.numpy.RNN(3, 4), state=False)) == EVERYTHING - {"d_h_0"}


def test_a_cell_has_one_result():
    x, h = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    for module in (unrolled.numpy, unrolled.torch):
        ours = module.RNNCell(3, 4, dtype=np.float64 if module is unrolled.numpy else torch.float64)
        errors = compare(ours, nn.RNNCell(3, 4, dtype=torch.float64), x, h)
        names = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}
        assert set(errors) == {"h_n", "d_input", "d_h_0"} | names
        assert not wrong(errors)


# Mistakes that people make, put into the source: each must spoil the results named here, no more and no fewer


GRADIENTS = EVERYTHING - {"output", "h_n"}
MISTAKES = {
    "U is not transposed in the forward pass": (rnn, "run", "weight_hh.T", "weight_hh", EVERYTHING),
    "the initial state is ignored": (rnn, "run", "states[0] = h0", "states[0] = 0", EVERYTHING),
    "the final state is read from the wrong end": (rnn._RNN, "_run", "(states[-1],)", "(states[1],)", {"h_n"}),
    "tanh' is 1 - h": (rnn, "slope", "1 - h * h", "1 - h", GRADIENTS),
    "nothing flows back through U": (rnn, "run_backward", "np.matmul(d_a[t], weight_hh, out=d_h)", "d_h[:] = 0",
                                     GRADIENTS),
    "U is transposed in the backward pass": (rnn, "run_backward", "np.matmul(d_a[t], weight_hh,",
                                             "np.matmul(d_a[t], weight_hh.T,", GRADIENTS),
    "the final state's gradient is dropped": (rnn, "run_backward", "np.array(d_h_n)", "np.zeros_like(d_h_n)",
                                              GRADIENTS),
    "the outputs' gradient is dropped": (rnn, "run_backward", "d_h += d_output[t]", "pass", GRADIENTS),
    "dU pairs da_t with h_t": (rnn, "run_backward", "states[:-1].reshape", "states[1:].reshape", {"weight_hh_l0"}),
    "dW is a mean over steps": (rnn, "run_backward", "rows.T @ x", "rows.T / T @ x", {"weight_ih_l0"}),
    "db is that of the last step": (rnn, "run_backward", "rows.sum(0)", "d_a[-1].sum(0)", {"bias_ih_l0", "bias_hh_l0"}),
    "two biases share one gradient": (rnn, "with_biases", "d_bias.copy()", "d_bias / 2", {"bias_hh_l0"}),
    "dx is off by a little": (rnn, "run_backward", "(rows @ weight_ih)", "(rows @ weight_ih * 1.0001)", {"d_input"}),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_under_the_results_it_spoils(monkeypatch, mistake):
    owner, name, right, mistaken, spoiled = MISTAKES[mistake]
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    assert source.count(right) == 1
    space = dict(vars(sys.modules[getattr(owner, "__module__", owner.__name__)]))
    exec(source.replace(right, mistaken), space)
    monkeypatch.setattr(owner, name, space[name])
    assert wrong(compare_with_library(unrolled.numpy.RNN(3, 4))) == spoiled


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_one_entry_of_one_gradient_off_by_a_billionth_is_reported(name):
    class Perturbed(unrolled.numpy.RNN):
        def backward(self, d_output, d_state=None):
            d_x, d_h0, grads = super().backward(d_output, d_state)
            grads[name].flat[-1] += 1e-9 * np.abs(grads[name]).max()
            return d_x, d_h0, grads

    assert wrong(compare_with_library(Perturbed(3, 4))) == {name}


def test_a_nan_is_reported():
    class Spoiled(unrolled.numpy.RNN):
        def forward(self, x, state=None):
            output, h_n = super().forward(x, state)
            output[0, 0, 0] = np.nan
            return output, h_n

    errors = compare_with_library(Spoiled(3, 4))
    assert wrong(errors) == {"output"}
    assert errors["output"] == np.inf


# Layers without a state


ATTENTION = {"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"}
INPUTS = {"d_query", "d_key", "d_value"}


def compare_attention(ours, **call):
    torch.manual_seed(0)
    library = nn.MultiheadAttention(4, 2, dtype=torch.float64)
    inputs = {name: torch.randn(steps, 2, 4, dtype=torch.float64) for name, steps in
              {"query": 3, "key": 5, "value": 5}.items()}
    return compare_stateless(ours, library, inputs, **call)


@pytest.mark.parametrize("call", [{}, {"attn_mask": torch.ones(3, 5).triu(1).bool()}, {"average_attn_weights": False}])
def test_attention_equals_the_library_in_everything(call):
    errors = compare_attention(unrolled.numpy.MultiheadAttention(4, 2), **call)
    assert set(errors) == {"output", "weights"} | INPUTS | ATTENTION
    assert not wrong(errors)


def test_weights_that_are_not_returned_are_not_compared():
    errors = compare_attention(unrolled.numpy.MultiheadAttention(4, 2), need_weights=False)
    assert set(errors) == {"output"} | INPUTS | ATTENTION
    assert not wrong(errors)


def test_a_layer_of_one_input_and_one_result_is_compared():
    library, x = nn.LayerNorm(6, dtype=torch.float64), torch.randn(3, 6, dtype=torch.float64)
    errors = compare_stateless(unrolled.numpy.LayerNorm(6), library, {"input": x})
    assert set(errors) == {"output", "d_input", "weight", "bias"}
    assert not wrong(errors)


@pytest.mark.parametrize(("part", "spoiled"), list(enumerate(["d_query", "d_key", "d_value", "in_proj_bias"])))
def test_one_entry_off_by_a_billionth_is_reported(part, spoiled):
    class Perturbed(unrolled.numpy.MultiheadAttention):
        def backward(self, *d_heads):
            results = super().backward(*d_heads)
            array = results[part] if part < 3 else results[3][spoiled]
            array.flat[-1] += 1e-9 * np.abs(array).max()
            return results

    assert wrong(compare_attention(Perturbed(4, 2))) == {spoiled}


def test_the_weights_gradient_enters():
    class Deaf(unrolled.numpy.MultiheadAttention):
        def backward(self, d_output, d_weights):
            return super().backward(d_output)

    assert wrong(compare_attention(Deaf(4, 2))) == {"d_query", "d_key", "in_proj_weight", "in_proj_bias"}


# The measure


@pytest.mark.parametrize(("got", "expected", "error"), [
    ([1.0, 2.0], [1.0, 2.0], 0.0),
    ([1.0, 2.2], [1.0, 2.0], 0.1),
    ([-1.0, 2.0], [1.0, -4.0], 1.5),
    ([0.0, 0.0], [0.0, 0.0], 0.0),
    ([1e-300, 0.0], [0.0, 0.0], np.inf),
    ([np.nan, 2.0], [1.0, 2.0], np.inf),
    ([1.0, 2.0], [np.nan, 2.0], np.inf),
    ([np.nan, 2.0], [np.nan, 2.0], np.inf),
    ([np.inf, 2.0], [1.0, 2.0], np.inf),
    ([], [], 0.0),
], ids=str)
def test_relative_error(got, expected, error):
    assert relative_error(np.array(got), np.array(expected)) == pytest.approx(error, rel=1e-9)


def test_arrays_of_different_shapes_are_not_compared(refuses):
    with refuses(ValueError, "d_input must have shape (2, 3), got (3, 2)"):
        relative_error(np.zeros((3, 2)), np.zeros((2, 3)), "d_input")


# Wrong use


def test_a_layer_with_other_parameters_is_refused(refuses):
    with refuses(ValueError, "state_dict does not fit: unexpected bias_ih_l0, bias_hh_l0"):
        compare_with_library(unrolled.numpy.RNN(3, 4, bias=False))


def test_a_layer_that_leaves_out_a_gradient_is_refused(refuses):
    class Forgetful(unrolled.numpy.RNN):
        def backward(self, d_output, d_state=None):
            d_x, d_h0, grads = super().backward(d_output, d_state)
            return d_x, d_h0, {name: grads[name] for name in grads if name != "bias_hh_l0"}

    with refuses(ValueError, "expected results ['bias_hh_l0', 'bias_ih_l0'"):
        compare_with_library(Forgetful(3, 4))


def test_a_numpy_layer_takes_no_packed_input(refuses):
    with refuses(TypeError, "input of a NumPy layer must be a tensor, got PackedSequence"):
        compare(unrolled.numpy.RNN(3, 4), nn.RNN(3, 4), pack_sequence([torch.zeros(2, 3), torch.zeros(1, 3)]))
