"""The GRU of `unrolled.torch.gru` again, reset after, with a backward pass by hand: fewer and larger steps.

Autograd remembers every operation of every step and walks back through all of them. Here one node stands for the whole
sequence: on a CPU `unrolled.numpy.gru_fused`, working in the tensors' own memory; elsewhere, and in half precision,
the same derivation in torch's words, whose products also sum (`addmm`, `addcmul`), and whose `lerp` is the last line.

Letters: T steps, B batch, D input_size, H hidden_size. No options: `unrolled.torch.GRU(fused=True)` checks them.
"""

import torch
from torch.autograd.function import once_differentiable

from unrolled.numpy import gru_fused
from unrolled.torch.lstm_fused import NumPy, apply, on_numpy


def run(x, state, p):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        state: h_0, (B, H), in a tuple.
        p: weight_ih, (3H, D), weight_hh, (3H, H), and, if there are biases, bias_ih and bias_hh, (3H,) each.

    Returns:
        Every state, (T, B, H), and h_T, (B, H), in a tuple.
    """
    if on_numpy(x):
        output, h_n = NumPy.apply(gru_fused, tuple(p), x, *p.values(), *state)
    else:
        tensors = [x, *state, p["weight_ih"], p["weight_hh"], p.get("bias_ih"), p.get("bias_hh")]
        output, h_n = apply(Recurrence, tensors)
    return output, (h_n,)


class Recurrence(torch.autograd.Function):
    """All steps of a layer in one direction, as one node of the graph."""

    @staticmethod
    def forward(ctx, x, h0, weight_ih, weight_hh, bias_ih, bias_hh):
        T, B, D = x.shape
        H = weight_hh.shape[1]
        rows = x.reshape(T * B, D)
        if bias_ih is None:
            gates, bias_m = rows @ weight_ih.T, x.new_zeros(H)                   # (T·B, 3H)  W x_t, all steps at once
        else:
            bias, bias_m = bias_ih.clone(), bias_hh[2 * H :]
            bias[: 2 * H] += bias_hh[: 2 * H]             # b_Un stays apart: the reset gate multiplies it
            gates = torch.addmm(bias, rows, weight_ih.T)
        gates = gates.view(T, B, 3 * H)
        h, m = x.new_empty(T + 1, B, H), x.new_empty(T, B, H)
        h[0] = h0
        rz, (r, z, n) = gates[..., : 2 * H], gates.chunk(3, dim=-1)
        # Views of every step, made once; what follows happens in the memory of `gates`, `m` and `h`.
        steps = [array.unbind() for array in (rz, r, z, n, m, h[:-1], h[1:])]
        weight_rz, weight_n = weight_hh[: 2 * H].T, weight_hh[2 * H :].T
        for rz_t, r_t, z_t, n_t, m_t, h_last, h_t in zip(*steps):
            rz_t.addmm_(h_last, weight_rz).sigmoid_()     # (B, 2H)  neighbours: one call
            torch.addmm(bias_m, h_last, weight_n, out=m_t)                       # (B, H)  m_t = U_n h_{t-1} + b_Un
            n_t.addcmul_(r_t, m_t).tanh_()
            torch.lerp(n_t, h_last, z_t, out=h_t)         # (B, H)  n + z (h_{t-1} - n)
        ctx.save_for_backward(x, weight_ih, weight_hh, gates, m, h)
        return h[1:], h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, d_output, d_h_n):
        x, weight_ih, weight_hh, gates, m, h = ctx.saved_tensors
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
        need_x, _, need_w, need_u, need_b, need_b2 = ctx.needs_input_grad
        d_weight_hh = d_rows.T @ h[:-1].reshape(T * B, H) if need_u else None
        d_bias_hh = d_rows.sum(0) if need_b2 else None
        torch.mul(by_n, d_h[1:], out=by_m)                # what W sees differs from what U sees in n alone
        d_x = (d_rows @ weight_ih).view_as(x) if need_x else None
        d_weight_ih = d_rows.T @ x.reshape(T * B, -1) if need_w else None
        d_bias_ih = d_rows.sum(0) if need_b else None
        return d_x, d_h[0], d_weight_ih, d_weight_hh, d_bias_ih, d_bias_hh
