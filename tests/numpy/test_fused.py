"""The fast NumPy LSTM and GRU are the plain ones: states, every gradient; they keep their hands off what is given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.numpy import GRU, LSTM, gru_fused, lstm_fused

KINDS = {"LSTM": (LSTM, lstm_fused), "GRU": (GRU, gru_fused)}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


def normal(*shape, seed=1, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def parts_of(kind, *shape, seed=1):
    """A state as the modules take it: (h, c) or (h,)."""
    return tuple(normal(*shape, seed=seed + k) for k in range(len(KINDS[kind][0].state_names)))


def state_of(kind, *shape, seed=1):
    """A state as the layers take it: the pair or h alone."""
    h, *others = parts_of(kind, *shape, seed=seed)
    return (h, *others) if others else h


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def flat(results):
    d_x, d_state, grads = results
    return [d_x, *parts(d_state), *grads.values()]


def pair(kind, *sizes, seed=0, dtype=np.float64, **options):
    """The plain layer and the fast one, with the same weights."""
    make = KINDS[kind][0]
    plain, fast = make(*sizes, dtype=dtype, seed=seed, **options), make(*sizes, fused=True, dtype=dtype, **options)
    fast.load_state_dict(plain.state_dict())
    return plain, fast


def both_passes(layer, x, state, seed=3):
    output, final = layer.forward(x, state)
    d_final = tuple(normal(*part.shape, seed=seed) for part in parts(final))
    d_x, d_state, grads = layer.backward(normal(*output.shape, seed=seed), d_final if len(d_final) > 1 else d_final[0])
    results = {"output": output, "d_x": d_x} | grads
    for name, one, d_one in zip(layer.state_names, parts(final), parts(d_state)):
        results |= {f"{name}_n": one, f"d_{name}": d_one}
    return results


@given(T=st.integers(1, 7), B=st.integers(1, 4), D=st.integers(1, 5), H=st.integers(1, 6), num_layers=st.integers(1, 2),
       bidirectional=st.booleans(), bias=st.booleans(), batch_first=st.booleans(), seed=st.integers(0, 999))
def test_it_equals_the_plain_path(close, kind, T, B, D, H, num_layers, bidirectional, bias, batch_first, seed):
    plain, fast = pair(kind, D, H, num_layers, bias, batch_first, bidirectional=bidirectional, seed=seed)
    x = normal(*((B, T) if batch_first else (T, B)), D, seed=seed)
    state = state_of(kind, num_layers * (1 + bidirectional), B, H, seed=seed + 1)
    expected, got = both_passes(plain, x, state), both_passes(fast, x, state)
    assert list(got) == list(expected)
    for name in expected:
        close(got[name], expected[name])


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 6])
def test_how_many_steps_an_lstm_prepares_at_a_time_does_not_matter(monkeypatch, steps):
    _, fast = pair("LSTM", 2, 3)
    x, state = normal(5, 2, 2), state_of("LSTM", 1, 2, 3)
    expected = both_passes(fast, x, state)
    monkeypatch.setattr(lstm_fused, "IN_CACHE", steps * 2 * 3)
    got = both_passes(fast, x, state)
    for name in expected:
        assert np.array_equal(got[name], expected[name]), name


def test_float32_stays_float32_and_equals_the_plain_path_to_rounding(close, kind):
    x, d_output = normal(40, 3, 6, dtype=np.float32), normal(40, 3, 8, seed=2, dtype=np.float32)
    results = []
    for layer in pair(kind, 6, 8, dtype=np.float32):
        output, final = layer.forward(x)
        results.append([output, *parts(final), *flat(layer.backward(d_output))])
    for expected, got in zip(*results):
        assert got.dtype == np.float32
        close(got, expected, 2e-6)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("B", [1, 2], ids=["one sequence", "two sequences"])
def test_its_derivatives_are_those_of_central_differences(close, central_difference, kind, bias, B):
    make, fused = KINDS[kind]
    layer = make(2, 3, bias=bias, fused=True, dtype=np.float64, seed=0)
    p = {name.removesuffix("_l0"): value for name, value in layer.parameters.items()}
    x, state = normal(4, B, 2), parts_of(kind, B, 3, seed=2)
    d_output, d_state = normal(4, B, 3, seed=4), parts_of(kind, B, 3, seed=5)

    def loss():
        output, final, _ = fused.run(x, state, p)
        return np.sum(output * d_output) + sum(np.sum(part * d) for part, d in zip(final, d_state))

    d_x, d_first, grads = fused.run_backward(d_output, d_state, fused.run(x, state, p)[2], p)
    assert grads.keys() == p.keys()
    for gradient, array in [(d_x, x), *zip(d_first, state), *((grads[name], p[name]) for name in p)]:
        close(gradient, central_difference(loss, array), 1e-9)


@pytest.mark.parametrize("view", ["as it is", "from its end", "half of a wider one"])
def test_it_reads_views_and_changes_nothing_it_is_given(kind, view):
    make, fused = KINDS[kind]
    layer = make(2, 3, dtype=np.float64, seed=0)
    p = {name.removesuffix("_l0"): value for name, value in layer.parameters.items()}
    whole = normal(4, 2, 2), normal(4, 2, 6)
    x, d_output = {
        "as it is": (whole[0], whole[1][..., :3].copy()),
        "from its end": (whole[0][::-1], whole[1][::-1, :, 3:].copy()[::-1]),
        "half of a wider one": (whole[0], whole[1][..., 3:]),
    }[view]
    state, d_state = parts_of(kind, 2, 3, seed=2), parts_of(kind, 2, 3, seed=4)
    given_arrays = [x, *state, d_output, *d_state, *p.values()]
    before = [array.copy() for array in given_arrays]
    output, final, saved = fused.run(x, state, p)
    first = fused.run_backward(d_output, d_state, saved, p)
    again = fused.run_backward(d_output, d_state, saved, p)
    contiguous = fused.run_backward(d_output.copy(), d_state, fused.run(x.copy(), state, p)[2], p)
    for array, kept in zip(given_arrays, before):
        assert np.array_equal(array, kept)
    for other in (again, contiguous):
        for one, two in zip(flat(first), flat(other)):
            assert np.array_equal(one, two)
    results = [*final, *flat(first)]
    for number, one in enumerate(results):
        assert not any(np.shares_memory(one, other) for other in [*results[:number], *given_arrays, output])


def test_overwriting_what_went_in_or_came_out_does_not_spoil_backward(kind):
    layer = KINDS[kind][0](2, 3, 2, bidirectional=True, fused=True, dtype=np.float64, seed=0)
    x, state = normal(4, 2, 2), state_of(kind, 4, 2, 3)
    output, final = layer.forward(x, state)
    d_output = normal(*output.shape, seed=3)
    expected = layer.backward(d_output)
    layer.forward(x, state)
    for array in (x, *parts(state), output, *parts(final)):
        array[:] = np.nan
    for got, wanted in zip(flat(layer.backward(d_output)), flat(expected)):
        assert np.array_equal(got, wanted)


def test_gates_that_are_shut_or_wide_open_do_not_overflow(close, kind):
    plain, fast = pair(kind, 2, 3)
    scaled = {name: 1e3 * value for name, value in plain.state_dict().items()}
    for layer in (plain, fast):
        layer.load_state_dict(scaled)
    x, state = normal(5, 2, 2), state_of(kind, 1, 2, 3)
    expected, got = both_passes(plain, x, state), both_passes(fast, x, state)
    for name in expected:
        close(got[name], expected[name], 1e-9)


@pytest.mark.parametrize("options", [{"peephole": True}, {"layer_norm": True}, {"forget_gate": False},
                                     {"forget_gate": "coupled"}], ids=str)
def test_it_is_refused_for_another_lstm(refuses, options):
    with refuses(ValueError, "fused=True is for the standard cell"):
        LSTM(2, 3, fused=True, **options)


def test_it_is_refused_for_another_gru(refuses):
    with refuses(ValueError, "fused=True is for reset_after=True"):
        GRU(2, 3, fused=True, reset_after=False)


@pytest.mark.parametrize("options", [{"forget_bias": 1.0}, {"chrono": 20}], ids=str)
def test_another_start_is_still_the_standard_cell(close, options):
    plain, fast = pair("LSTM", 2, 3, **options)
    close(fast.forward(normal(4, 2, 2))[0], plain.forward(normal(4, 2, 2))[0])
