"""The fast NumPy LSTM is the plain one: states, every gradient; it keeps its hands off what it is given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.numpy import LSTM, lstm_fused


def normal(*shape, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def pair(*sizes, seed=0, **options):
    """The plain layer and the fast one, with the same weights and float64."""
    plain = LSTM(*sizes, dtype=np.float64, seed=seed, **options)
    fast = LSTM(*sizes, fused=True, dtype=np.float64, **options)
    fast.load_state_dict(plain.state_dict())
    return plain, fast


def both_passes(layer, x, state, seed=3):
    output, final = layer.forward(x, state)
    upstream = normal(*output.shape, seed=seed), tuple(normal(*part.shape, seed=seed) for part in final)
    d_x, d_state, grads = layer.backward(*upstream)
    names = "output", "h_n", "c_n", "d_x", "d_h", "d_c"
    return dict(zip(names, (output, *final, d_x, *d_state))) | grads


@given(T=st.integers(1, 7), B=st.integers(1, 4), D=st.integers(1, 5), H=st.integers(1, 6), num_layers=st.integers(1, 2),
       bidirectional=st.booleans(), bias=st.booleans(), batch_first=st.booleans(), seed=st.integers(0, 999))
def test_it_equals_the_plain_path(close, T, B, D, H, num_layers, bidirectional, bias, batch_first, seed):
    plain, fast = pair(D, H, num_layers, bias, batch_first, bidirectional=bidirectional, seed=seed)
    x = normal(*((B, T) if batch_first else (T, B)), D, seed=seed)
    state = tuple(normal(num_layers * (1 + bidirectional), B, H, seed=seed + part) for part in (1, 2))
    expected, got = both_passes(plain, x, state), both_passes(fast, x, state)
    assert list(got) == list(expected)
    for name in expected:
        close(got[name], expected[name])


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 6])
def test_how_many_steps_are_prepared_at_a_time_does_not_matter(monkeypatch, steps):
    _, fast = pair(2, 3)
    x, state = normal(5, 2, 2), (normal(1, 2, 3), normal(1, 2, 3, seed=2))
    expected = both_passes(fast, x, state)
    monkeypatch.setattr(lstm_fused, "IN_CACHE", steps * 2 * 3)
    got = both_passes(fast, x, state)
    for name in expected:
        assert np.array_equal(got[name], expected[name]), name


def test_float32_stays_float32_and_equals_the_plain_path_to_rounding(close):
    plain = LSTM(6, 8, seed=0)
    fast = LSTM(6, 8, fused=True)
    fast.load_state_dict(plain.state_dict())
    x, d_output = normal(40, 3, 6, dtype=np.float32), normal(40, 3, 8, seed=2, dtype=np.float32)
    results = []
    for layer in (plain, fast):
        output, final = layer.forward(x)
        d_x, d_state, grads = layer.backward(d_output)
        results.append([output, *final, d_x, *d_state, *grads.values()])
    for expected, got in zip(*results):
        assert got.dtype == np.float32
        close(got, expected, 2e-6)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("B", [1, 2], ids=["one sequence", "two sequences"])
def test_its_derivatives_are_those_of_central_differences(close, bias, B):
    layer = LSTM(2, 3, bias=bias, fused=True, dtype=np.float64, seed=0)
    p = layer._of_direction("_l0")
    x, state = normal(4, B, 2), (normal(B, 3, seed=2), normal(B, 3, seed=3))
    d_output, d_state = normal(4, B, 3, seed=4), (normal(B, 3, seed=5), normal(B, 3, seed=6))

    def loss():
        output, final, _ = lstm_fused.run(x, state, p)
        return np.sum(output * d_output) + sum(np.sum(part * d) for part, d in zip(final, d_state))

    d_x, d_first, grads = lstm_fused.run_backward(d_output, d_state, lstm_fused.run(x, state, p)[2], p)
    assert grads.keys() == p.keys()
    pairs = [(d_x, x), *zip(d_first, state), *((grads[name], p[name]) for name in p)]
    for gradient, array in pairs:
        for index in np.ndindex(array.shape):
            kept = array[index]
            array[index] = kept + 1e-6
            above = loss()
            array[index] = kept - 1e-6
            slope = (above - loss()) / 2e-6
            array[index] = kept
            close(gradient[index], slope, 1e-8)


@pytest.mark.parametrize("view", ["as it is", "from its end", "half of a wider one"])
def test_it_reads_views_and_changes_nothing_it_is_given(view):
    p = LSTM(2, 3, dtype=np.float64, seed=0)._of_direction("_l0")
    whole = normal(4, 2, 2), normal(4, 2, 6)
    x, d_output = {
        "as it is": (whole[0], whole[1][..., :3].copy()),
        "from its end": (whole[0][::-1], whole[1][::-1, :, 3:].copy()[::-1]),
        "half of a wider one": (whole[0], whole[1][..., 3:]),
    }[view]
    state, d_state = (normal(2, 3, seed=2), normal(2, 3, seed=3)), (normal(2, 3, seed=4), normal(2, 3, seed=5))
    given_arrays = [x, *state, d_output, *d_state, *p.values()]
    before = [array.copy() for array in given_arrays]
    output, final, saved = lstm_fused.run(x, state, p)
    first = lstm_fused.run_backward(d_output, d_state, saved, p)
    again = lstm_fused.run_backward(d_output, d_state, saved, p)
    contiguous = lstm_fused.run_backward(d_output.copy(), d_state, lstm_fused.run(x.copy(), state, p)[2], p)
    for array, kept in zip(given_arrays, before):
        assert np.array_equal(array, kept)
    for other in (again, contiguous):
        for one, two in zip(_flat(first), _flat(other)):
            assert np.array_equal(one, two)
    results = [*final, *_flat(first)]
    for number, one in enumerate(results):
        assert not any(np.shares_memory(one, other) for other in [*results[:number], *given_arrays, output])


def _flat(results):
    d_x, d_state, grads = results
    return [d_x, *d_state, *grads.values()]


def test_overwriting_what_went_in_or_came_out_does_not_spoil_backward():
    layer = LSTM(2, 3, 2, bidirectional=True, fused=True, dtype=np.float64, seed=0)
    x, state = normal(4, 2, 2), (normal(4, 2, 3), normal(4, 2, 3, seed=2))
    output, final = layer.forward(x, state)
    d_output = normal(*output.shape, seed=3)
    expected = layer.backward(d_output)
    layer.forward(x, state)
    for array in (x, *state, output, *final):
        array[:] = np.nan
    for got, wanted in zip(_flat(layer.backward(d_output)), _flat(expected)):
        assert np.array_equal(got, wanted)


def test_gates_that_are_shut_or_wide_open_do_not_overflow(close):
    plain, fast = pair(2, 3)
    scaled = {name: 1e3 * value for name, value in plain.state_dict().items()}
    for layer in (plain, fast):
        layer.load_state_dict(scaled)
    x, state = normal(5, 2, 2), (normal(1, 2, 3), normal(1, 2, 3))
    expected, got = both_passes(plain, x, state), both_passes(fast, x, state)
    for name in expected:
        close(got[name], expected[name], 1e-9)


@pytest.mark.parametrize("options", [{"peephole": True}, {"layer_norm": True}, {"forget_gate": False},
                                     {"forget_gate": "coupled"}], ids=str)
def test_it_is_refused_for_another_cell(refuses, options):
    with refuses(ValueError, "fused=True is for the standard cell"):
        LSTM(2, 3, fused=True, **options)


@pytest.mark.parametrize("options", [{"forget_bias": 1.0}, {"chrono": 20}], ids=str)
def test_another_start_is_still_the_standard_cell(close, options):
    plain, fast = LSTM(2, 3, dtype=np.float64, seed=0, **options), LSTM(2, 3, fused=True, dtype=np.float64, **options)
    fast.load_state_dict(plain.state_dict())
    close(fast.forward(normal(4, 2, 2))[0], plain.forward(normal(4, 2, 2))[0])
