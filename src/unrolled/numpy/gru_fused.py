"""The GRU of `unrolled.numpy.gru` again, reset after, arranged for speed: the same equations, the same derivatives.

    σ(a) = ½ tanh(½a) + ½,   so with the halves folded into W, U and b one tanh serves r and z.

With m_t = U_n h_{t-1} + b_Un, everything a step passes back is dh_t times something known beforehand:

    da_n = dh_t * (1 - z_t) * (1 - n_t^2)              dm_t = da_n * r_t
    da_z = dh_t * (h_{t-1} - n_t) * z_t * (1 - z_t)    da_r = da_n * m_t * r_t * (1 - r_t)

so that the loop is one multiplication for r, z and m together, and one product with U. The tricks are those of
`lstm_fused`, which says what each buys.

Letters: T steps, B batch, D input_size, H hidden_size. No options: `unrolled.numpy.GRU(fused=True)` checks them.
"""

import numpy as np


def run(x, state, p):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        state: h_0, (B, H), in a tuple.
        p: weight_ih, (3H, D), weight_hh, (3H, H), and, if there are biases, bias_ih and bias_hh, (3H,) each.

    Returns:
        Every state, (T, B, H), h_T, (B, H), in a tuple, and what `run_backward` needs.
    """
    T, B, D = x.shape
    H = p["weight_hh"].shape[1]
    weight_ih, weight_hh = folded(p["weight_ih"]), folded(p["weight_hh"])          # (3, H, D), (3, H, H)
    weight_hh = weight_hh.swapaxes(1, 2)                  # (3, H, H)  U', for rows of states
    if B > 1:                                             # a matrix times a matrix likes U' in one piece; a matrix
        weight_hh = np.ascontiguousarray(weight_hh)       # times one vector does not mind, and the copy would cost more
    bias, bias_m = np.zeros((3, H, 1), x.dtype), np.zeros(H, x.dtype)
    if "bias_ih" in p:
        bias += folded(p["bias_ih"])
        bias[:2] += folded(p["bias_hh"])[:2]
        bias_m = p["bias_hh"][2 * H :]                    # b_Un stays apart: the reset gate multiplies it

    rows = x.reshape(T * B, D)
    drive = rows @ weight_ih.reshape(3 * H, D).T          # (T·B, 3H)  W x_t, all gates and steps at once
    drive = drive.reshape(T, B, 3, H).swapaxes(1, 2)
    gates = np.add(drive, bias.swapaxes(1, 2), order="C")  # (T, 3, B, H)  a gate's block of a step in one piece
    h, m = np.empty((T + 1, B, H), x.dtype), np.empty((T, B, H), x.dtype)
    h[0] = state[0]
    recurrent, reset = np.empty((3, B, H), x.dtype), np.empty((B, H), x.dtype)
    recurrent_rz, recurrent_n = recurrent[:2], recurrent[2]
    half = np.array(0.5, x.dtype)                         # as an array: a Python number is converted at every use

    for rz, r, z, n, m_t, h_last, h_t in zip(gates[:, :2], *gates.swapaxes(0, 1), m, h, h[1:]):
        np.matmul(h_last, weight_hh, out=recurrent)       # (3, B, H)
        rz += recurrent_rz
        np.tanh(rz, out=rz)                               # one call for both gates
        rz *= half
        rz += half
        np.add(recurrent_n, bias_m, out=m_t)              # (B, H)  m_t = U_n h_{t-1} + b_Un
        np.multiply(r, m_t, out=reset)
        n += reset
        np.tanh(n, out=n)
        np.subtract(h_last, n, out=h_t)                   # (B, H)  h_t = n + z (h_{t-1} - n), one product less
        h_t *= z
        h_t += n
    return h[1:], (h[-1].copy(),), (rows, h, m, gates)


def run_backward(d_output, d_state, saved, p):
    """Backpropagate through `run`.

    Args:
        d_output: dL/dy_t for the output y_t = h_t of each step, (T, B, H).
        d_state: dL/dh_T from whatever reads the final state, (B, H), in a tuple.
        saved, p: as `run` returned and took them; both stay as they are.

    Returns:
        d_x, (T, B, D), dL/dh_0, (B, H), in a tuple, and the parameters' gradients by name.
    """
    rows, h, m, gates = saved
    T, _, B, H = gates.shape
    r, z, n = gates.swapaxes(0, 1)                        # (T, B, H) each
    d_a = np.empty((T, B, 3, H), gates.dtype)             # first what dh_t will be multiplied with, for all steps
    by_r, by_z, by_m = np.moveaxis(d_a, 2, 0)
    one = np.array(1, gates.dtype)
    by_n = np.multiply(n, n)                              # (T, B, H)
    np.subtract(one, by_n, out=by_n)
    rest = np.subtract(one, z)                            # (T, B, H)
    by_n *= rest                                          # (1 - z) (1 - n^2)
    np.multiply(by_n, r, out=by_m)
    np.subtract(h[:-1], n, out=by_z)
    rest *= z
    by_z *= rest                                          # (h_{t-1} - n) z (1 - z)
    np.subtract(one, r, out=rest)
    rest *= m
    np.multiply(rest, by_m, out=by_r)                     # by_n m r (1 - r)

    d_h, kept = np.array(d_state[0]), np.empty((B, H), gates.dtype)
    d_states = np.empty((T, B, H), gates.dtype)           # dL/dh_t over every later use
    steps = d_output, d_states, d_states[:, :, None], d_a, d_a.reshape(T, B, 3 * H), z
    for d_y, d_h_t, d_h_blocks, d_a_t, d_a_row, z_t in zip(*(array[::-1] for array in steps)):
        np.add(d_h, d_y, out=d_h_t)                       # (B, H)  the output of step t uses h_t
        d_a_t *= d_h_blocks                               # (B, 3, H)  da_r, da_z, dm
        np.dot(d_a_row, p["weight_hh"], out=d_h)          # (B, H)  paths to step t - 1 through U,
        np.multiply(d_h_t, z_t, out=kept)
        d_h += kept                                       # and the one past all matrices

    d_rows = d_a.reshape(T * B, 3 * H)                    # (T·B, 3H)  one product sums steps and batch
    ones = np.ones(T * B, gates.dtype)                    # a sum, as a product: twice as fast
    grads = {"weight_hh": d_rows.T @ h[:-1].reshape(T * B, H)}
    if "bias_ih" in p:
        grads["bias_hh"] = ones @ d_rows
    np.multiply(by_n, d_states, out=by_m)                 # what W sees differs from what U sees in n alone
    grads["weight_ih"] = d_rows.T @ rows
    if "bias_ih" in p:
        grads["bias_ih"] = ones @ d_rows
    return (d_rows @ p["weight_ih"]).reshape(T, B, rows.shape[1]), (d_h,), grads


def folded(weight):
    """Rows of gates as blocks (3, H, ·), those of r and z halved; a copy."""
    halves = np.array([0.5, 0.5, 1], weight.dtype)
    return weight.reshape(3, len(weight) // 3, -1) * halves[:, None, None]
