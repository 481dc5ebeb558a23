"""The GRU of `unrolled.torch.gru` again, reset after, with a backward pass by hand: fewer and larger steps.

`fused` makes one operation of it, and says where it runs. The derivation is that of `unrolled.numpy.gru_fused`, in
torch's words, whose products also sum (`addmm`, `addcmul`), and whose `lerp` is the last line.

Letters: T steps, B batch, D input_size, H hidden_size. No options: `unrolled.torch.GRU(fused=True)` checks them.
"""

import torch


def forward(x, state, weights):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        state: h_0, (B, H), alone in a list.
        weights: weight_ih, (3H, D), weight_hh, (3H, H), and, if there are biases, bias_ih and bias_hh, (3H,) each.

    Returns:
        Every state, (T, B, H), h_T, (B, H), and, for `backward`, every m_t, (T, B, H), and the gates, (T, B, 3H).
    """
    weight_ih, weight_hh, *biases = weights
    T, B, D = x.shape
    H = weight_hh.shape[1]
    rows = x.reshape(T * B, D)
    if not biases:
        gates, bias_m = rows @ weight_ih.T, x.new_zeros(H)                   # (T·B, 3H)  W x_t, all steps at once
    else:
        bias_ih, bias_hh = biases
        bias, bias_m = bias_ih.clone(), bias_hh[2 * H :]
        bias[: 2 * H] += bias_hh[: 2 * H]             # b_Un stays apart: the reset gate multiplies it
        gates = torch.addmm(bias, rows, weight_ih.T)
    gates = gates.view(T, B, 3 * H)
    h, m = x.new_empty(T + 1, B, H), x.new_empty(T, B, H)
    h[0] = state[0]
    rz, (r, z, n) = gates[..., : 2 * H], gates.chunk(3, dim=-1)
    # Views of every step, made once; what follows happens in the memory of `gates`, `m` and `h`.
    steps = [array.unbind() for array in (rz, r, z, n, m, h[:-1], h[1:])]
    weight_rz, weight_n = weight_hh[: 2 * H].T, weight_hh[2 * H :].T
    for rz_t, r_t, z_t, n_t, m_t, h_last, h_t in zip(*steps):
        rz_t.addmm_(h_last, weight_rz).sigmoid_()     # (B, 2H)  neighbours: one call
        torch.addmm(bias_m, h_last, weight_n, out=m_t)                       # (B, H)  m_t = U_n h_{t-1} + b_Un
        n_t.addcmul_(r_t, m_t).tanh_()
        torch.lerp(n_t, h_last, z_t, out=h_t)         # (B, H)  n + z (h_{t-1} - n)
    return [h[1:], h[-1].clone(), m, gates]


def backward(given, x, h, weights, kept):
    """Backpropagate through `forward`.

    Args:
        given: dL/dy_t for the output y_t = h_t of each step, (T, B, H), and dL/dh_T, (B, H).
        x, weights, kept: as `forward` took and returned them; all stay as they are.
        h: every state from h_0 on, (T+1, B, H).

    Returns:
        d_x, (T, B, D), dL/dh_0, (B, H), and the gradients of the weights.
    """
    (d_output, d_h_n), (weight_ih, weight_hh, *biases), (m, gates) = given, weights, kept
    T, B, H = m.shape
    r, z, n = gates.chunk(3, dim=-1)                  # (T, B, H) each
    # Every derivative is dh_t times something known by now. That something, for all steps at once:
    d_a = gates.new_empty(T, B, 3, H)
    by_r, by_z, by_m = d_a.unbind(2)
    rest = 1 - z
    by_n = torch.addcmul(rest, rest * n, n, value=-1)                        # (1 - z) (1 - n^2)
    torch.mul(by_n, r, out=by_m)
    torch.mul(by_m, m, out=by_r).mul_(1 - r)                                 # by_n m r (1 - r)
    torch.sub(h[:-1], n, out=by_z).mul_(rest.mul_(z))                        # (h_{t-1} - n) z (1 - z)

    d_h = gates.new_empty(T + 1, B, H)                # d_h[t + 1]: dL/dh_t over every later use
    torch.add(d_h_n, d_output[-1], out=d_h[-1])
    before = [d_h.new_zeros(B, H), *d_output.unbind()[:-1]]                  # dL/dy_{t-1}
    steps = [array.unbind() for array in (d_a, d_a.view(T, B, 3 * H), z, d_h[1:], d_h[1:, :, None], d_h[:-1])]
    for d_y, d_a_t, d_a_row, z_t, d_h_t, d_h_blocks, d_h_last in zip(*map(reversed, (before, *steps))):
        d_a_t.mul_(d_h_blocks)                        # (B, 3, H)  da_r, da_z, dm
        torch.addmm(d_y, d_a_row, weight_hh, out=d_h_last)                   # (B, H)  paths to h_{t-1} through U,
        d_h_last.addcmul_(d_h_t, z_t)                 # and the one past all matrices

    d_rows = d_a.view(T * B, 3 * H)                   # (T·B, 3H)  one product sums steps and batch
    d_weight_hh = d_rows.T @ h[:-1].reshape(T * B, H)
    d_biases = [d_rows.sum(0)] if biases else []
    torch.mul(by_n, d_h[1:], out=by_m)                # what W sees differs from what U sees in n alone
    d_biases = [d_rows.sum(0), *d_biases] if biases else []
    return [(d_rows @ weight_ih).view(x.shape), d_h[0].clone(), d_rows.T @ x.reshape(T * B, -1), d_weight_hh, *d_biases]
