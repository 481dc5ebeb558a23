"""From the textbook's LSTM to the fast one in NumPy, one trick at a time: what did each buy?

    python -m benchmarks.ladder             time every version, print a table
    python -m benchmarks.ladder --record    and write src/unrolled/studies/records/ladder.json

Forward and backward of one layer, float32, one thread. Each version is the one before it and one idea more, and is
proved equal to `torch.nn.LSTM` before it is timed.
"""

import argparse
import json
import os
import sys

import numpy as np
import torch
from tools.origin import ROOT, origin

from benchmarks import textbook, timing
from benchmarks.models import Case, disagreement
from unrolled import studies
from unrolled.numpy import lstm_fused

RECORD = studies.RECORDS / "ladder.json"       # with the package, so that a chapter has it in Colab too
SIZES = [{"T": 100, "B": 32, "H": 128}, {"T": 100, "B": 1, "H": 128}]
AGREEMENT = 1e-5                          # float32, a hundred steps


# One product for all gates


def gates_together(x, state, p):
    """The four matrices of the gates as one: four products in one call."""
    bias, H = p["bias_ih"] + p["bias_hh"], len(state[0][0])
    (h, c), hs, cs, gates = state, [state[0]], [state[1]], []
    for x_t in x:
        a = x_t @ p["weight_ih"].T + h @ p["weight_hh"].T + bias         # (B, 4H)
        h, c = _cell(a, c, H)
        hs.append(h)
        cs.append(c)
        gates.append(a)
    return np.stack(hs[1:]), (h, c), (x, np.stack(hs), np.stack(cs), np.stack(gates))


def gates_together_backward(d_output, d_state, saved, p):
    x, h, c, gates = saved
    d_W, d_U = np.zeros_like(p["weight_ih"]), np.zeros_like(p["weight_hh"])
    (d_h, d_c), d_b, d_x = d_state, 0, np.empty_like(x)
    for t in reversed(range(len(x))):
        d_a, d_c = _cell_backward(d_h + d_output[t], d_c, gates[t], c[t], c[t + 1])
        d_W += d_a.T @ x[t]
        d_U += d_a.T @ h[t]
        d_b = d_b + d_a.sum(0)
        d_x[t] = d_a @ p["weight_ih"]
        d_h = d_a @ p["weight_hh"]
    return d_x, (d_h, d_c), _grads(d_W, d_U, d_b)


# The inputs of all steps in one product


def inputs_together(x, state, p):
    """W x_t + b needs no state: one product for all steps, before the loop."""
    T, B, D = x.shape
    H = state[0].shape[1]
    gates = x.reshape(T * B, D) @ p["weight_ih"].T + p["bias_ih"] + p["bias_hh"]
    gates = gates.reshape(T, B, 4 * H)
    h, c = np.empty((2, T + 1, B, H), x.dtype)
    h[0], c[0] = state
    for t in range(T):
        gates[t] += h[t] @ p["weight_hh"].T
        h[t + 1], c[t + 1] = _cell(gates[t], c[t], H)
    return h[1:], (h[-1], c[-1]), (x, h, c, gates)


def inputs_together_backward(d_output, d_state, saved, p):
    """And so does dL/dx_t: one product for all steps, after the loop."""
    x, h, c, gates = saved
    d_W, d_U, d_a = np.zeros_like(p["weight_ih"]), np.zeros_like(p["weight_hh"]), np.empty_like(gates)
    (d_h, d_c), d_b = d_state, 0
    for t in reversed(range(len(x))):
        d_a[t], d_c = _cell_backward(d_h + d_output[t], d_c, gates[t], c[t], c[t + 1])
        d_W += d_a[t].T @ x[t]
        d_U += d_a[t].T @ h[t]
        d_b = d_b + d_a[t].sum(0)
        d_h = d_a[t] @ p["weight_hh"]
    d_x = d_a.reshape(-1, d_a.shape[-1]) @ p["weight_ih"]
    return d_x.reshape(x.shape), (d_h, d_c), _grads(d_W, d_U, d_b)


# The gradients of the weights after the loop


def sums_after_backward(d_output, d_state, saved, p):
    """dW is a sum over steps and sequences: one product of two long matrices."""
    x, h, c, gates = saved
    d_a, (d_h, d_c) = np.empty_like(gates), d_state
    for t in reversed(range(len(x))):
        d_a[t], d_c = _cell_backward(d_h + d_output[t], d_c, gates[t], c[t], c[t + 1])
        d_h = d_a[t] @ p["weight_hh"]
    return _after_the_loop(d_a, d_h, d_c, x, h, p)


# What is known beforehand outside the loop


def slopes_before_backward(d_output, d_state, saved, p):
    """Every derivative is dc_t or dh_t times something known: for all steps at once, before the loop."""
    x, h, c, gates = saved
    d_a, by_c, f, H = *_slopes(c, gates), h.shape[2]
    d_h, d_c = d_state
    for t in reversed(range(len(x))):
        d_h = d_h + d_output[t]
        d_c = d_c + d_h * by_c[t]
        d_a[t, :, : 3 * H] *= np.tile(d_c, 3)
        d_a[t, :, 3 * H :] *= d_h
        d_c = d_c * f[t]
        d_h = d_a[t] @ p["weight_hh"]
    return _after_the_loop(d_a, d_h, d_c, x, h, p)


# No new memory


def no_new_memory(x, state, p):
    """Every result of a step lands in memory that exists already."""
    T, B, D = x.shape
    H = state[0].shape[1]
    gates = x.reshape(T * B, D) @ p["weight_ih"].T
    gates += p["bias_ih"] + p["bias_hh"]
    gates = gates.reshape(T, B, 4 * H)
    h, c = np.empty((2, T + 1, B, H), x.dtype)
    h[0], c[0] = state
    recurrent, part = np.empty((B, 4 * H), x.dtype), np.empty((B, H), x.dtype)
    for t in range(T):
        a = gates[t]
        np.matmul(h[t], p["weight_hh"].T, out=recurrent)
        a += recurrent
        i, f, g, o = (a[:, k * H : (k + 1) * H] for k in range(4))
        for s in (a[:, : 2 * H], o):
            np.negative(s, out=s)
            np.exp(s, out=s)
            s += 1
            np.reciprocal(s, out=s)
        np.tanh(g, out=g)
        _new_state(i, f, g, o, c[t], c[t + 1], h[t + 1], part)
    return h[1:], (h[-1], c[-1]), (x, h, c, gates)


def no_new_memory_backward(d_output, d_state, saved, p):
    x, h, c, gates = saved
    d_a, by_c, f, H = *_slopes(c, gates), h.shape[2]
    d_h, d_c = np.array(d_state[0]), np.array(d_state[1])
    blocks, d_c_block, part = d_a.reshape(*f.shape[:2], 4, H), d_c[:, None], np.empty_like(d_h)
    for t in reversed(range(len(x))):
        d_h += d_output[t]
        d_c += np.multiply(d_h, by_c[t], out=part)
        blocks[t, :, :3] *= d_c_block
        blocks[t, :, 3] *= d_h
        d_c *= f[t]
        np.matmul(d_a[t], p["weight_hh"], out=d_h)
    return _after_the_loop(d_a, d_h, d_c, x, h, p)


# One tanh


def one_tanh(x, state, p):
    """σ(a) = ½ tanh(½a) + ½, the inner halves folded into the weights: one call for all gates."""
    T, B, D = x.shape
    H = state[0].shape[1]
    half = np.repeat(np.array([0.5, 0.5, 1, 0.5], x.dtype), H)           # (4H,)
    rest = np.repeat(np.array([0.5, 0.5, 0, 0.5], x.dtype), H)
    gates = x.reshape(T * B, D) @ (p["weight_ih"] * half[:, None]).T
    gates += (p["bias_ih"] + p["bias_hh"]) * half
    gates, weight_hh = gates.reshape(T, B, 4 * H), p["weight_hh"] * half[:, None]
    h, c = np.empty((2, T + 1, B, H), x.dtype)
    h[0], c[0] = state
    recurrent, part = np.empty((B, 4 * H), x.dtype), np.empty((B, H), x.dtype)
    for t in range(T):
        a = gates[t]
        np.matmul(h[t], weight_hh.T, out=recurrent)
        a += recurrent
        np.tanh(a, out=a)
        a *= half
        a += rest
        _new_state(*(a[:, k * H : (k + 1) * H] for k in range(4)), c[t], c[t + 1], h[t + 1], part)
    return h[1:], (h[-1], c[-1]), (x, h, c, gates)


VERSIONS = {
    "the textbook's loop": (textbook.lstm, textbook.lstm_backward),
    "one product for all gates": (gates_together, gates_together_backward),
    "one for the inputs of all steps": (inputs_together, inputs_together_backward),
    "gradients of the weights after the loop": (inputs_together, sums_after_backward),
    "known factors before the loop": (inputs_together, slopes_before_backward),
    "no new memory in the loops": (no_new_memory, no_new_memory_backward),
    "one tanh for all gates": (one_tanh, no_new_memory_backward),
    "blocks in one piece, a cacheful at a time": (lstm_fused.run, lstm_fused.run_backward),
}


# What the versions share


def _cell(a, c_last, H):
    """(h_t, c_t) from the pre-activations, (B, 4H), which become the gates."""
    a[:, : 2 * H] = textbook.sigmoid(a[:, : 2 * H])
    a[:, 2 * H : 3 * H] = np.tanh(a[:, 2 * H : 3 * H])
    a[:, 3 * H :] = textbook.sigmoid(a[:, 3 * H :])
    i, f, g, o = np.split(a, 4, axis=1)
    c = f * c_last + i * g
    return o * np.tanh(c), c


def _cell_backward(d_h, d_c, gates, c_last, c):
    """da_t, (B, 4H), and dc_{t-1}, from dh_t and what later steps say of c_t."""
    i, f, g, o = np.split(gates, 4, axis=1)
    tanh_c = np.tanh(c)
    d_c = d_c + d_h * o * (1 - tanh_c**2)
    slopes = d_c * g * i * (1 - i), d_c * c_last * f * (1 - f), d_c * i * (1 - g**2), d_h * tanh_c * o * (1 - o)
    return np.concatenate(slopes, axis=1), d_c * f


def _slopes(c, gates):
    """For all steps: what dc_t and dh_t are multiplied with in da_t, (T, B, 4H), and dh_t in dc_t; and the f_t."""
    i, f, g, o = np.split(gates, 4, axis=2)
    tanh_c = np.tanh(c[1:])
    slopes = g * i * (1 - i), c[:-1] * f * (1 - f), i * (1 - g**2), tanh_c * o * (1 - o)
    return np.concatenate(slopes, axis=2), o * (1 - tanh_c**2), f


def _new_state(i, f, g, o, c_last, c, h, part):
    np.multiply(f, c_last, out=c)
    c += np.multiply(i, g, out=part)
    np.tanh(c, out=part)
    np.multiply(o, part, out=h)


def _after_the_loop(d_a, d_h, d_c, x, h, p):
    rows = d_a.reshape(-1, d_a.shape[-1])
    d_W, d_U = rows.T @ x.reshape(len(rows), -1), rows.T @ h[:-1].reshape(len(rows), -1)
    return (rows @ p["weight_ih"]).reshape(x.shape), (d_h, d_c), _grads(d_W, d_U, rows.sum(0))


def _grads(d_W, d_U, d_b):
    return {"weight_ih": d_W, "weight_hh": d_U, "bias_ih": d_b, "bias_hh": d_b}


# Measuring


def measure(size, seconds):
    """Milliseconds of the fastest call, and ratios round by round, one row a version."""
    case = Case("LSTM", **size)
    library = case.torch_layer(case.library, backward=True)
    functions = {name: case.by_hand(*version) for name, version in VERSIONS.items()}
    reference = library()
    for name, function in functions.items():
        error = disagreement(function(), reference)
        assert error < AGREEMENT, f"{name!r} and nn.LSTM disagree at {size}: {error:.1e}"
    times = timing.rounds({"nn.LSTM": library} | functions, seconds)
    rows, before = [], None
    for name in VERSIONS:
        row = {"trick": name, "milliseconds": round(1000 * min(times[name]), 3)}
        row["against_library"] = timing.ratio(times[name], times["nn.LSTM"])["median"]
        if before:
            row["faster_than_before"] = timing.ratio(times[before], times[name])["median"]
            row["faster_than_textbook"] = timing.ratio(times["the textbook's loop"], times[name])["median"]
        rows.append(row)
        before = name
    library_milliseconds = round(1000 * min(times["nn.LSTM"]), 3)
    return {"size": size, "library_milliseconds": library_milliseconds, "rounds": len(times["nn.LSTM"]), "rows": rows}


def report(results):
    for result in results:
        print("\n" + ", ".join(f"{letter} = {value}" for letter, value in result["size"].items()), "= D")
        print(f"{'':42}{'ms':>9}{'x faster than':>22}{'time of':>12}")
        print(f"{'':42}{'fastest':>9}{'before':>12}{'textbook':>10}{'nn.LSTM':>12}")
        for row in result["rows"]:
            faster = [f"{row[key]:.2f}" if key in row else "" for key in ("faster_than_before", "faster_than_textbook")]
            print(f"{row['trick']:42}{row['milliseconds']:9.2f}{faster[0]:>12}{faster[1]:>10}"
                  f"{row['against_library']:12.2f}")
        print(f"{'nn.LSTM':42}{result['library_milliseconds']:9.2f}")


def record(results, measured_on):
    """Write the results in one step."""
    RECORD.parent.mkdir(exist_ok=True)
    draft = RECORD.with_suffix(".new")
    draft.write_text(json.dumps(measured_on | {"results": results}, indent=1) + "\n", encoding="utf-8")
    os.replace(draft, RECORD)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ladder", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.relative_to(ROOT)}")
    parser.add_argument("--seconds", type=float, default=20.0,
                        help="to spend on each size, but at least five rounds (20)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    timing.assert_one_thread()
    paths = ["benchmarks/*.py", "src/unrolled/numpy/lstm_fused.py"]
    measured_on = origin("torch", "numpy", paths=paths) | {"load": timing.load()}
    with timing.one_core(), timing.no_collection():
        results = [measure(size, options.seconds) for size in SIZES]
    report(results)
    if options.record:
        record(results, measured_on)
        print(f"\nRecorded in {RECORD.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
