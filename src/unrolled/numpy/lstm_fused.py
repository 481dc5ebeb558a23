"""The LSTM of `unrolled.numpy.lstm` again, arranged for speed: the same six equations, the same derivatives.

    σ(a) = ½ tanh(½a) + ½,   so with the halves folded into W, U and b one tanh serves all four gates.

What makes it fast (`python -m benchmarks.ladder` measures what each of these buys):

    one product for all gates, and one for the inputs of all steps
    the gradients of W and U as one product each, after the loop
    what the backward pass can know beforehand is computed for all steps at once: its loop only multiplies and adds
    every result lands in memory that exists already, each gate's block in one piece, and views are made once

Letters: T steps, B batch, D input_size, H hidden_size. No options: `unrolled.numpy.LSTM(fused=True)` checks them.
"""

import numpy as np

IFOG = [0, 1, 3, 2]                                       # torch's blocks i, f, g, o with the three σ side by side


def run(x, state, p):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        state: h_0 and c_0, (B, H) each.
        p: weight_ih, (4H, D), weight_hh, (4H, H), and, if there are biases, bias_ih and bias_hh, (4H,) each.

    Returns:
        Every state, (T, B, H), the pair (h_T, c_T), (B, H) each, and what `run_backward` needs.
    """
    T, B, D = x.shape
    H = p["weight_hh"].shape[1]
    weight_ih, weight_hh = folded(p["weight_ih"]), folded(p["weight_hh"])          # (4, H, D), (4, H, H)
    weight_hh = weight_hh.swapaxes(1, 2)                  # (4, H, H)  U', for rows of states
    if B > 1:                                             # a matrix times a matrix likes U' in one piece; a matrix
        weight_hh = np.ascontiguousarray(weight_hh)       # times one vector does not mind, and the copy would cost more
    bias = folded(p["bias_ih"]) + folded(p["bias_hh"]) if "bias_ih" in p else np.zeros((4, H, 1), x.dtype)

    rows = x.reshape(T * B, D)
    drive = rows @ weight_ih.reshape(4 * H, D).T          # (T·B, 4H)  W x_t, all gates and steps at once
    drive = drive.reshape(T, B, 4, H).swapaxes(1, 2)
    gates = np.add(drive, bias.swapaxes(1, 2), order="C")  # (T, 4, B, H)  a gate's block of a step in one piece
    h, c = np.empty((2, T + 1, B, H), x.dtype)
    h[0], c[0] = state
    tanh_c = np.empty((T, B, H), x.dtype)
    recurrent, written = np.empty((4, B, H), x.dtype), np.empty((B, H), x.dtype)
    half = np.array(0.5, x.dtype)                         # as an array: a Python number is converted at every use

    steps = gates, gates[:, :3], *gates.swapaxes(0, 1), h, h[1:], c, c[1:], tanh_c
    for a, sigmoids, i, f, o, g, h_last, h_t, c_last, c_t, tanh_c_t in zip(*steps):
        np.matmul(h_last, weight_hh, out=recurrent)       # (4, B, H)
        a += recurrent
        np.tanh(a, out=a)                                 # one call for all gates
        sigmoids *= half
        sigmoids += half
        np.multiply(f, c_last, out=c_t)
        np.multiply(i, g, out=written)
        c_t += written                                    # (B, H)  c_t = f * c_{t-1} + i * g
        np.tanh(c_t, out=tanh_c_t)
        np.multiply(o, tanh_c_t, out=h_t)                 # (B, H)  h_t = o * tanh(c_t)
    return h[1:], (h[-1].copy(), c[-1].copy()), (rows, h, c, tanh_c, gates)


def run_backward(d_output, d_state, saved, p):
    """Backpropagate through `run`.

    Args:
        d_output: dL/dy_t for the output y_t = h_t of each step, (T, B, H).
        d_state: dL/dh_T and dL/dc_T from whatever reads the final state, (B, H) each.
        saved, p: as `run` returned and took them; both stay as they are.

    Returns:
        d_x, (T, B, D), the pair (dL/dh_0, dL/dc_0), (B, H) each, and the parameters' gradients by name.
    """
    rows, h, c, tanh_c, gates = saved
    T, _, B, H = gates.shape
    i, f, o, g = gates.swapaxes(0, 1)                     # (T, B, H) each
    # Every derivative is dc_t or dh_t times something known by now. That something, for all steps at once:
    local = np.empty((T, B, 5, H), gates.dtype)
    by_i, by_f, by_g, by_o, by_c = np.moveaxis(local, 2, 0)
    one, part, rest = np.array(1, gates.dtype), i * g, np.empty_like(tanh_c)       # (T, B, H)
    np.subtract(one, i, out=rest)
    np.multiply(part, rest, out=by_i)                     # g i (1 - i)
    part *= g
    np.subtract(i, part, out=by_g)                        # i (1 - g^2)
    np.multiply(f, c[:-1], out=part)
    np.subtract(one, f, out=rest)
    np.multiply(part, rest, out=by_f)                     # c_{t-1} f (1 - f)
    np.subtract(one, o, out=rest)
    np.multiply(h[1:], rest, out=by_o)                    # tanh(c_t) o (1 - o), since h = o tanh(c)
    np.multiply(h[1:], tanh_c, out=part)
    np.subtract(o, part, out=by_c)                        # o (1 - tanh(c_t)^2)

    d_h, d_c = np.array(d_state[0]), np.array(d_state[1])
    d_h_blocks, d_c_blocks = d_h[:, None], d_c[:, None]   # (B, 1, H)  each block of a step meets the same dh_t, dc_t
    d_a = local.reshape(T, B, 5 * H)[:, :, : 4 * H]       # in the end da_t, in torch's order, in the place of `local`
    steps = d_output, local[:, :, 3:], by_c, local[:, :, :3], f, d_a
    for d_y, o_and_c, through_h, i_f_and_g, f_t, d_a_t in zip(*(array[::-1] for array in steps)):
        d_h += d_y                                        # (B, H)  the output of step t uses h_t
        o_and_c *= d_h_blocks                             # (B, 2, H)
        d_c += through_h                                  # (B, H)  h_t uses c_t
        i_f_and_g *= d_c_blocks                           # (B, 3, H)
        d_c *= f_t                                        # (B, H)  the carousel
        np.dot(d_a_t, p["weight_hh"], out=d_h)            # (B, H)  all other paths to step t - 1

    d_rows = local.reshape(T * B, 5 * H)[:, : 4 * H]      # (T·B, 4H)  one product sums steps and batch
    grads = {"weight_ih": d_rows.T @ rows, "weight_hh": d_rows.T @ h[:-1].reshape(T * B, H)}
    if "bias_ih" in p:
        grads["bias_ih"] = np.ones(T * B, gates.dtype) @ d_rows              # a sum, as a product: twice as fast
        grads["bias_hh"] = grads["bias_ih"].copy()
    return (d_rows @ p["weight_ih"]).reshape(T, B, -1), (d_h, d_c), grads


def folded(weight):
    """Rows of gates as blocks (4, H, ·) in the order i, f, o, g, those of a σ halved; a copy."""
    halves = np.array([0.5, 0.5, 0.5, 1], weight.dtype)
    return weight.reshape(4, len(weight) // 4, -1)[IFOG] * halves[:, None, None]
