"""How a derivative travels through an LSTM: along the cell, and through its state and the gates.

The state of an LSTM is the pair (h_t, c_t), so the Jacobian of one step has four blocks of H × H. With the slopes of
the gates folded into the rows of U, and s_t = o_t (1 - tanh^2 c_t),

    dc_t / dc_{t-1} = diag(f_t)
    dc_t / dh_{t-1} = diag(g i (1 - i)) U_i + diag(c_{t-1} f (1 - f)) U_f + diag(i (1 - g^2)) U_g
    dh_t / dc_{t-1} = diag(s_t) dc_t / dc_{t-1}
    dh_t / dh_{t-1} = diag(s_t) dc_t / dh_{t-1} + diag(tanh(c) o (1 - o)) U_o

The *direct road* from c_{t-k} to c_t is the product of the forget gates; the *whole* is all roads together. Sources:
Hochreiter & Schmidhuber 1997; Kanuparthi et al. 2019.
"""

import numpy as np

from unrolled import checks
from unrolled.numpy import lstm


def state_jacobians(layer, x):
    """d(h_t, c_t) / d(h_{t-1}, c_{t-1}) of every step, from a state of zeros.

    Args:
        layer: an `unrolled.numpy.LSTM` with the standard equations, one layer and one direction.
        x: one sequence, (T, D).

    Returns:
        The Jacobians, (T, 2H, 2H), h before c, and the forget gates, (T, H).

    Raises:
        ValueError: another kind of layer, or an input of another shape.
    """
    plain = layer.forget_gate is True and not (layer.peephole or layer.layer_norm)
    if not plain or layer.num_layers > 1 or layer.bidirectional:
        raise ValueError("expected an LSTM with the six standard equations, one layer and one direction")
    checks.shape("x", x, ("T", layer.input_size))
    W, U, b_W, b_U = layer.parameters.values()
    start = np.zeros((1, layer.hidden_size), x.dtype)
    _, c, gates = lstm.run(x[:, None], start, start, W, U, b_W + b_U)
    return blocks(c[:, 0], gates[:, 0], U)


def blocks(c, gates, U):
    """The four blocks of each step, put together.

    Args:
        c: cells, the initial one included, (T + 1, H).
        gates: i, f, g, o of each step, (T, 4H).
        U: recurrent weights, (4H, H).

    Returns:
        The Jacobians, (T, 2H, 2H), and the forget gates, (T, H).
    """
    i, f, g, o = np.split(gates[:, :, None], 4, axis=1)         # (T, H, 1) each, so that it scales the rows of U
    U_i, U_f, U_g, U_o = np.split(U, 4)                         # (H, H) each
    before, tanh_c = c[:-1, :, None], np.tanh(c[1:, :, None])
    shown = o * (1 - tanh_c**2)
    c_by_c = f * np.eye(U.shape[1])
    c_by_h = g * i * (1 - i) * U_i + before * f * (1 - f) * U_f + i * (1 - g**2) * U_g
    h_by_c = shown * c_by_c
    h_by_h = shown * c_by_h + tanh_c * o * (1 - o) * U_o
    return np.block([[h_by_h, h_by_c], [c_by_h, c_by_c]]), f[..., 0]


def reach(layer, x, back):
    """How much of a derivative arrives from cells further and further back, on the direct road and on all roads.

    Args:
        layer, x: as for `state_jacobians`.
        back: how many steps to go back from the last one, in growing order; at most T.

    Returns:
        The largest entry of the product of the forget gates, and the norm of dc_T / dc_{T-k} with h_{T-k} held, for
        each k of `back`, (2, len(back)).

    Raises:
        ValueError: as `state_jacobians`, or a distance of less than one step or more than T.
    """
    H, back = layer.hidden_size, list(back)
    if not back or min(back) < 1 or max(back) > len(x):
        raise ValueError(f"back must lie between 1 and {len(x)} steps, got {back}")
    steps, f = state_jacobians(layer, x)
    product, found = np.eye(2 * H), {}
    for k in range(1, max(back) + 1):
        product = product @ steps[-k]                           # one step further back
        if k in back:
            found[k] = f[-k:].prod(0).max(), np.linalg.norm(product[H:, H:], 2)
    return np.array([found[k] for k in back]).T
