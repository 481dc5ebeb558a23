"""Unrolled: sequence models derived, built and measured.

One interface, three backends. `unrolled.numpy` writes the forward and the backward pass out by hand,
`unrolled.torch` leaves the backward pass to autograd, `unrolled.cudnn` is the library's own fused layer.
All three take the constructor, the call, the parameter names and the shapes of `torch.nn`, so one
`state_dict` fits them all.

The letters, everywhere:

    T   seq_len, the number of steps; t counts them from 1 in equations and from 0 in code
    B   batch, the number of independent sequences
    D   input_size, the width of x_t
    H   hidden_size, the width of h_t
    L   num_layers; N directions, 1 or 2
    W   input weights, `weight_ih`, (H, D)        U   recurrent weights, `weight_hh`, (H, H)
    b   biases, `bias_ih` + `bias_hh`, (H,)       a_t pre-activation W x_t + U h_{t-1} + b
    c_t the cell of an LSTM, (H,)                 i, f, g, o its gates: input, forget, candidate, output
    P   proj_size, the width of a projected h_t   r, z, n the GRU's: reset, update, candidate

With G gates, W, U and b hold G blocks of H rows, one a gate, in torch's order: i, f, g, o and r, z, n.

Equations act on column vectors; arrays keep one sequence a row, so `W x_t` is written `x_t @ W.T`.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("unrolled")
except PackageNotFoundError:  # a source tree on the path, never installed
    __version__ = "0+source"

__all__ = ["claim", "show"]


def __getattr__(name):
    # `show` and `claim` need IPython, which a script that only wants a layer does not have to install.
    if name in __all__:
        from unrolled.page import display

        return getattr(display, name)
    raise AttributeError(f"module 'unrolled' has no attribute {name!r}")
