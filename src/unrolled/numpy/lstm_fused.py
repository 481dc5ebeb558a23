"""The LSTM of `unrolled.numpy.lstm` again, arranged for speed: the same six equations, the same derivatives.

    σ(a) = ½ tanh(½a) + ½,   so with the halves folded into W, U and b one tanh serves all four gates.

What makes it fast (`python -m benchmarks.ladder` measures what each of these buys):

    one product for all gates, and one for the inputs of all steps
    the gradients of W and U as one product each, after the loop
    what the backward pass can know beforehand is computed for many steps at once: its loop only multiplies and adds
    every result lands in memory that exists already, each gate's block in one piece, and views are made once
    no more is prepared at a time than the processor's cache holds

Letters: T steps, B batch, D input_size, H hidden_size. No options: `unrolled.numpy.LSTM(fused=True)` checks them.
"""

import numpy as np

IFOG = [0, 1, 3, 2]                                       # torch's blocks i, f, g, o with the three σ side by side
IN_CACHE = 2**15                                          # entries of h_t: how many `run_backward` prepares at a time


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
    weight_ih, weight_hh = folded(p["weight_ih"]), folded(p["weight_hh"])      # (4, D, H), (4, H, H)
    gates = np.empty((T, 4, B, H), x.dtype)               # a gate's block of a step in one piece
    if B != 1:                                            # W x_t, all gates and steps at once
        weight_ih, weight_hh = np.ascontiguousarray(weight_ih), np.ascontiguousarray(weight_hh)
        np.matmul(x[:, None], weight_ih, out=gates)
    else:                                                 # steps of one sequence are rows of one matrix,
        weight_ih = weight_ih.swapaxes(1, 2).reshape(4 * H, D)       # and copies cost more than they save
        np.matmul(x[:, 0], weight_ih.T, out=gates.reshape(T, 4 * H))
    if "bias_ih" in p:
        gates += folded(p["bias_ih"]) + folded(p["bias_hh"])         # (4, 1, H)
    h, c = np.empty((2, T + 1, B, H), x.dtype)
    h[0], c[0] = state
    tanh_c = np.empty((T, B, H), x.dtype)
    recurrent, written = np.empty((4, B, H), x.dtype), np.empty((B, H), x.dtype)
    half = np.array(0.5, x.dtype)                         # a Python number is converted at every use

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
    return h[1:], (h[-1].copy(), c[-1].copy()), (x.reshape(T * B, D), h, c, tanh_c, gates)


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
    # Every derivative is dc_t or dh_t times what is known by now: `local`, made for many steps at a time.
    local = np.empty((T, B, 5, H), gates.dtype)
    d_a = local.reshape(T, B, 5 * H)[:, :, : 4 * H]       # (T, B, 4H)  what becomes da_t, in torch's order
    d_h, d_c = np.array(d_state[0]), np.array(d_state[1])
    d_h_blocks, d_c_blocks = d_h[:, None], d_c[:, None]   # (B, 1, H)  for every block of a step the same
    many = max(1, IN_CACHE // max(1, B * H))                    # steps
    for stop in range(T, 0, -many):
        some = slice(max(0, stop - many), stop)
        factors(local[some], gates[some], h[1:][some], c[:-1][some], tanh_c[some])
        steps = d_output, local[:, :, 3:], local[:, :, 4], local[:, :, :3], gates[:, 1], d_a
        for d_y, o_and_c, through_h, i_f_and_g, f_t, d_a_t in zip(*(array[some][::-1] for array in steps)):
            d_h += d_y                                    # (B, H)  the output of step t uses h_t
            o_and_c *= d_h_blocks                         # (B, 2, H)
            d_c += through_h                              # (B, H)  h_t uses c_t
            i_f_and_g *= d_c_blocks                       # (B, 3, H)
            d_c *= f_t                                    # (B, H)  the carousel
            np.dot(d_a_t, p["weight_hh"], out=d_h)        # (B, H)  all other paths to step t - 1

    d_rows = local.reshape(T * B, 5 * H)[:, : 4 * H]      # (T·B, 4H)  one product sums steps and batch
    grads = {"weight_ih": d_rows.T @ rows, "weight_hh": d_rows.T @ h[:-1].reshape(T * B, H)}
    if "bias_ih" in p:
        grads["bias_ih"] = np.ones(T * B, gates.dtype) @ d_rows      # a sum, but as a product: faster
        grads["bias_hh"] = grads["bias_ih"].copy()
    return (d_rows @ p["weight_ih"]).reshape(T, B, rows.shape[1]), (d_h, d_c), grads


def factors(local, gates, h, c_last, tanh_c):
    """What dc_t is multiplied with in da_i, da_f, da_g, and dh_t in da_o and dc_t, (T, B, 5, H): for some steps."""
    i, f, o, g = gates.swapaxes(0, 1)                     # (T, B, H) each
    by_i, by_f, by_g, by_o, by_c = np.moveaxis(local, 2, 0)
    one, part, rest = np.array(1, gates.dtype), i * g, np.empty_like(h)
    np.subtract(one, i, out=rest)
    np.multiply(part, rest, out=by_i)                     # g i (1 - i)
    part *= g
    np.subtract(i, part, out=by_g)                        # i (1 - g^2)
    np.multiply(f, c_last, out=part)
    np.subtract(one, f, out=rest)
    np.multiply(part, rest, out=by_f)                     # c_{t-1} f (1 - f)
    np.subtract(one, o, out=rest)
    np.multiply(h, rest, out=by_o)                        # tanh(c_t) o (1 - o), since h = o tanh(c)
    np.multiply(h, tanh_c, out=part)
    np.subtract(o, part, out=by_c)                        # o (1 - tanh(c_t)^2)


def folded(weight):
    """Rows of gates as blocks (4, ·, H) in the order i, f, o, g, transposed, those of a σ halved; a copy."""
    halves = np.array([0.5, 0.5, 0.5, 1], weight.dtype)
    blocks = weight.reshape(4, len(weight) // 4, -1)[IFOG] * halves[:, None, None]
    return blocks.swapaxes(1, 2)
