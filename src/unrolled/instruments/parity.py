"""Proof by machine that two layers are the same function, with the same derivatives.

Both get the same weights, inputs and initial states, and the same random dL/d output and dL/d final state, so that one
backward pass exercises every gradient at once. Errors are relative: the largest absolute difference of a tensor over
the largest absolute value of the library's.
"""

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence

TOLERANCE = {"float64": 1e-12, "float32": 2e-6}


def compare(ours, library, x, state=None, seed=0, error=None):
    """Run two layers side by side, forward and backward.

    Args:
        ours: a layer of `unrolled.numpy`, `unrolled.torch` or `unrolled.cudnn`; it is given the library's weights.
        library: a layer or cell of `torch.nn`.
        x: input as the library takes it: a tensor, or a `PackedSequence` for a torch layer; each layer gets it, and the
            state, on its own device and in its own dtype.
        state: initial state, or None; the pair (h_0, c_0) for an LSTM.
        seed: of the random dL/d output and dL/d final state.
        error: a function of an array, what was expected, and a name; `relative_error` if left out.

    Returns:
        The relative error of each result by name: "output", "h_n", "d_input", "d_h_0", the library's parameter names,
        and for an LSTM "c_n" and "d_c_0"; a cell has no "output", its state is "h_n".

    Raises:
        TypeError: a `PackedSequence` for a NumPy layer.
        ValueError: the two return different shapes or different sets of gradients.
    """
    return _side_by_side(ours, library, (_run_torch, _run_numpy), (x, state), seed, error)


def compare_stateless(ours, library, inputs, seed=0, error=None, **call):
    """Run two layers that carry no state side by side, forward and backward: attention, layer norm.

    Args:
        ours: a layer of `unrolled.numpy` or `unrolled.torch`; it is given the library's weights.
        library: a layer of `torch.nn`.
        inputs: CPU tensors by the names of the arguments, in their order: {"query": …, "key": …, "value": …}.
        seed: of the random dL/d output and dL/d weights.
        error: as for `compare`.
        call: what else both are called with; masks as tensors.

    Returns:
        The relative error of each result by name: "output", "weights" if they are returned, "d_query" and so on for
        each input, and the library's parameter names.

    Raises:
        ValueError: the two return different shapes or different sets of gradients.
    """
    return _side_by_side(ours, library, (_call_torch, _call_numpy), (inputs, call), seed, error)


def _side_by_side(ours, library, runners, arguments, seed, error):
    """Errors by name; both layers get the same weights and, by the seed, the same random derivatives."""
    ours.load_state_dict(library.state_dict())
    in_torch, in_numpy = runners
    upstream = torch.Generator()
    expected = in_torch(library, *arguments, upstream.manual_seed(seed))
    run = in_torch if isinstance(ours, torch.nn.Module) else in_numpy
    got = run(ours, *arguments, upstream.manual_seed(seed))
    if got.keys() != expected.keys():
        raise ValueError(f"expected results {sorted(expected)}, got {sorted(got)}")
    return {name: (error or relative_error)(got[name], expected[name], name) for name in expected}


def relative_error(got, expected, name="array"):
    """Largest error over the largest expected entry; 0 for equal arrays, also both all zero; inf where a NaN is."""
    if got.shape != expected.shape:
        raise ValueError(f"{name} must have shape {expected.shape}, got {got.shape}")
    if np.array_equal(got, expected):
        return 0.0
    difference, scale = float(np.abs(got - expected).max()), float(np.abs(expected).max())
    return difference / scale if scale > 0 and np.isfinite(difference) else float("inf")


def rms_error(got, expected, name="array"):
    """The root mean square of got - expected over that of expected: rounding on the whole, not at its worst."""
    if got.shape != expected.shape:
        raise ValueError(f"{name} must have shape {expected.shape}, got {got.shape}")
    return float(np.sqrt(np.mean((got - expected) ** 2) / np.mean(np.square(expected))))


def _run_torch(layer, x, state, upstream):
    packed = isinstance(x, PackedSequence)
    like = next(layer.parameters())
    x = x.to(like)
    leaf = (x.data if packed else x).detach().clone().requires_grad_()
    given = [part.detach().to(like, copy=True).requires_grad_() for part in _parts(state)]
    results = layer(x._replace(data=leaf) if packed else leaf, _like(state, given))
    output, final = results if hasattr(layer, "num_layers") else (None, results)
    heads = _named(output.data if packed else output, _parts(final))
    layer.zero_grad()
    torch.autograd.backward(list(heads.values()), [_random(head, upstream) for head in heads.values()])
    named = heads | {"d_input": leaf.grad} | dict(zip(("d_h_0", "d_c_0"), (part.grad for part in given)))
    named |= {name: parameter.grad for name, parameter in layer.named_parameters()}
    return {name: _array(value.detach().cpu()) for name, value in named.items()}


def _run_numpy(layer, x, state, upstream):
    if isinstance(x, PackedSequence):
        raise TypeError("input of a NumPy layer must be a tensor, got PackedSequence")
    results = layer.forward(x.detach().numpy(), _like(state, [part.detach().numpy() for part in _parts(state)]))
    output, final = results if hasattr(layer, "num_layers") else (None, results)
    heads = _named(output, _parts(final))
    d_heads = {name: _random(torch.from_numpy(head), upstream).numpy() for name, head in heads.items()}
    d_output = [d_heads.pop("output")] if output is not None else []
    d_input, d_state, grads = layer.backward(*d_output, _like(final, list(d_heads.values())))
    named = heads | {"d_input": d_input}
    if state is not None:
        named |= dict(zip(("d_h_0", "d_c_0"), _parts(d_state)))
    return named | grads


def _call_torch(layer, inputs, call, upstream):
    leaves = {name: x.detach().clone().requires_grad_() for name, x in inputs.items()}
    heads = _heads(layer(*leaves.values(), **call))
    layer.zero_grad()
    torch.autograd.backward(list(heads.values()), [_random(head, upstream) for head in heads.values()])
    named = heads | {f"d_{name}": leaf.grad for name, leaf in leaves.items()}
    named |= {name: parameter.grad for name, parameter in layer.named_parameters()}
    return {name: _array(value.detach()) for name, value in named.items()}


def _call_numpy(layer, inputs, call, upstream):
    call = {name: value.numpy() if isinstance(value, torch.Tensor) else value for name, value in call.items()}
    heads = _heads(layer.forward(*(x.detach().numpy() for x in inputs.values()), **call))
    d_heads = [_random(torch.from_numpy(head), upstream).numpy() for head in heads.values()]
    *d_inputs, grads = layer.backward(*d_heads)
    return heads | {f"d_{name}": d_input for name, d_input in zip(inputs, d_inputs)} | grads


def _heads(results):
    """An output, or an output and weights that may be None, by name."""
    results = results if isinstance(results, tuple) else (results,)
    return {name: result for name, result in zip(("output", "weights"), results) if result is not None}


def _parts(state):
    """A state as a list: of nothing, of one array, of two."""
    return [] if state is None else list(state) if isinstance(state, tuple) else [state]


def _like(state, parts):
    """The way back, in the form of `state`."""
    return None if state is None else tuple(parts) if isinstance(state, tuple) else parts[0]


def _named(output, final):
    heads = {} if output is None else {"output": output}
    return heads | dict(zip(("h_n", "c_n"), final))


def _array(tensor):
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()      # NumPy has no bfloat16


def _random(like, generator):
    # In eight bits, so that a layer in half precision gets the very numbers its reference in float64 gets.
    return torch.randn(like.shape, generator=generator).bfloat16().to(like)
