"""The LSTM of `unrolled.torch.lstm` again, with a backward pass by hand: the same equations, fewer and larger steps.

Autograd remembers every operation of every step and walks back through all of them. Here one node stands for the whole
sequence, keeps four arrays, and goes back with five operations a step. `unrolled.numpy.lstm_fused` has the derivation
and the tricks; torch adds products that also sum (`addmm`, `addcmul`). One trick turns round: on a CPU torch's sigmoid
is several times faster than its tanh, so here it is

    tanh(a) = 2 σ(2a) - 1,   with the candidate's weights doubled, so that one σ serves all four gates.

Letters: T steps, B batch, D input_size, H hidden_size. No options: `unrolled.torch.LSTM(fused=True)` checks them.
"""

import torch
from torch.autograd.function import once_differentiable


def run(x, state, p):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        state: h_0 and c_0, (B, H) each.
        p: weight_ih, (4H, D), weight_hh, (4H, H), and, if there are biases, bias_ih and bias_hh, (4H,) each.

    Returns:
        Every state, (T, B, H), and the pair (h_T, c_T), (B, H) each.
    """
    tensors = [x, *state, p["weight_ih"], p["weight_hh"], p.get("bias_ih"), p.get("bias_hh")]
    output, h_n, c_n = apply(Recurrence, tensors)
    return output, (h_n, c_n)


def apply(function, tensors):
    """Call an autograd function, in the narrower type where mixed precision is on; None stays None."""
    device = tensors[0].device.type
    if not torch.is_autocast_enabled(device):
        return function.apply(*tensors)
    dtype = torch.get_autocast_dtype(device)
    with torch.autocast(device, enabled=False):
        return function.apply(*(None if tensor is None else tensor.to(dtype) for tensor in tensors))


class Recurrence(torch.autograd.Function):
    """All steps of a layer in one direction, as one node of the graph."""

    @staticmethod
    def forward(ctx, x, h0, c0, weight_ih, weight_hh, bias_ih, bias_hh):
        T, B, D = x.shape
        H = weight_hh.shape[1]
        rows, weight_t = x.reshape(T * B, D), doubled(weight_hh).T
        if bias_ih is None:
            gates = rows @ doubled(weight_ih).T           # (T·B, 4H)  W x_t + b, all gates and steps at once
        else:
            gates = torch.addmm(doubled(bias_ih + bias_hh), rows, doubled(weight_ih).T)
        gates = gates.view(T, B, 4 * H)
        # Kept as -h_t, 2 c_t and s_t = σ(2 c_t), which take the fewest operations.
        minus_h, twice_c, s = x.new_empty(T + 1, B, H), x.new_empty(T + 1, B, H), x.new_empty(T, B, H)
        torch.neg(h0, out=minus_h[0])
        torch.mul(c0, 2, out=twice_c[0])
        steps = [array.unbind() for array in (gates, *gates.chunk(4, dim=-1), s)]    # views, made once
        hs, cs = minus_h.unbind(), twice_c.unbind()
        for a, i, f, s_g, o, s_t, h_last, h_t, c_last, c_t in zip(*steps, hs, hs[1:], cs, cs[1:]):
            a.addmm_(h_last, weight_t, alpha=-1).sigmoid_()                          # (B, 4H)  all gates in one call
            torch.mul(f, c_last, out=c_t).addcmul_(i, s_g, value=4).sub_(i, alpha=2)    # f 2c + i 2g,  g = 2 s_g - 1
            torch.sigmoid(c_t, out=s_t)
            torch.addcmul(o, o, s_t, value=-2, out=h_t)   # -o tanh(c) = o - 2 o σ(2c)
        h = minus_h.neg_()
        ctx.save_for_backward(x, weight_ih, weight_hh, gates, h, twice_c, s)
        return h[1:], h[-1].clone(), twice_c[-1] / 2

    @staticmethod
    @once_differentiable
    def backward(ctx, d_output, d_h_n, d_c_n):
        x, weight_ih, weight_hh, gates, h, twice_c, s = ctx.saved_tensors
        T, B, H = s.shape
        i, f, s_g, o = gates.chunk(4, dim=-1)             # (T, B, H) each
        # Every derivative is dc_t or dh_t times something known by now. That something, for all steps at once:
        local, by_c = gates.new_empty(T, B, 4, H), gates.new_empty(T, B, H)
        by_i, by_f, by_g, by_o = local.unbind(2)
        part = i * s_g                                    # (T, B, H)
        torch.addcmul(part, part, s_g, value=-1, out=by_g).mul_(4)               # i (1 - g^2)
        part.mul_(2).sub_(i)
        torch.addcmul(part, part, i, value=-1, out=by_i)                         # g i (1 - i)
        torch.mul(f, twice_c[:-1], out=part).div_(2)
        torch.addcmul(part, part, f, value=-1, out=by_f)                         # c_{t-1} f (1 - f)
        torch.addcmul(h[1:], h[1:], o, value=-1, out=by_o)                       # tanh(c) o (1 - o)
        torch.mul(o, s, out=part)
        torch.addcmul(part, part, s, value=-1, out=by_c).mul_(4)                 # o (1 - tanh(c)^2)

        d_h, d_c = d_h_n + d_output[-1], d_c_n.clone()    # (B, H)  dL/dh_T, dL/dc_T over every later use
        d_c_blocks = d_c[:, None]                         # (B, 1, H)  three blocks of a step meet the same dc_t
        d_a = local.view(T, B, 4 * H)       # in the end da_t, in the place of `local`
        before = [torch.zeros_like(d_h), *d_output.unbind()[:-1]]                # dL/dy_{t-1}
        steps = [array.unbind() for array in (by_c, by_o, local[:, :, :3], f, d_a)]
        for d_y, by_c_t, d_o_t, d_i_f_and_g, f_t, d_a_t in zip(*map(reversed, (before, *steps))):
            d_c.addcmul_(d_h, by_c_t)                     # (B, H)  h_t uses c_t
            d_o_t.mul_(d_h)
            d_i_f_and_g.mul_(d_c_blocks)                  # (B, 3, H)
            d_c.mul_(f_t)                                 # (B, H)  the carousel
            torch.addmm(d_y, d_a_t, weight_hh, out=d_h)   # (B, H)  the output and the gates use h_{t-1}

        d_rows = local.view(T * B, 4 * H)     # (T·B, 4H)  one product sums steps and batch
        need_x, _, _, need_w, need_u, need_b, need_b2 = ctx.needs_input_grad
        d_x = (d_rows @ weight_ih).view_as(x) if need_x else None
        d_weight_ih = d_rows.T @ x.reshape(T * B, -1) if need_w else None
        d_weight_hh = d_rows.T @ h[:-1].reshape(T * B, H) if need_u else None
        d_bias = d_rows.sum(0) if need_b or need_b2 else None
        return d_x, d_h, d_c, d_weight_ih, d_weight_hh, d_bias, d_bias


def doubled(weight):
    """Rows of gates, those of the candidate doubled; a copy."""
    weight, H = weight.clone(), len(weight) // 4
    weight[2 * H : 3 * H] *= 2
    return weight
