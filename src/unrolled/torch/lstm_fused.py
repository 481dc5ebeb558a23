"""The LSTM of `unrolled.torch.lstm` again, with a backward pass by hand: fewer and larger steps.

`fused` makes one operation of it, and says where it runs. The derivation is that of `unrolled.numpy.lstm_fused`, in
torch's words, whose products also sum (`addmm`, `addcmul`).

Letters: T steps, B batch, D input_size, H hidden_size. No options: `unrolled.torch.LSTM(fused=True)` checks them.
"""

import torch


def forward(x, state, weights):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        state: h_0 and c_0, (B, H) each.
        weights: weight_ih, (4H, D), weight_hh, (4H, H), and, if there are biases, bias_ih and bias_hh, (4H,) each.

    Returns:
        Every state, (T, B, H), h_T and c_T, (B, H) each, and, for `backward`, every c from c_0 on, (T+1, B, H),
        tanh(c_t), (T, B, H), and the gates, (T, B, 4H).
    """
    weight_ih, weight_hh, *biases = weights
    T, B, D = x.shape
    H = weight_hh.shape[1]
    rows = x.reshape(T * B, D)
    if not biases:
        gates = rows @ weight_ih.T                    # (T·B, 4H)  W x_t + b, all gates and steps at once
    else:
        gates = torch.addmm(sum(biases), rows, weight_ih.T)
    gates = gates.view(T, B, 4 * H)
    h, c, tanh_c = x.new_empty(T + 1, B, H), x.new_empty(T + 1, B, H), x.new_empty(T, B, H)
    h[0], c[0] = state
    i_and_f, (i, f, g, o) = gates[..., : 2 * H], gates.chunk(4, dim=-1)
    # Views of every step, made once; what follows happens in the memory of `gates`, `h`, `c` and `tanh_c`.
    steps = [array.unbind() for array in (gates, i_and_f, i, f, g, o, tanh_c)]
    hs, cs, weight_t = h.unbind(), c.unbind(), weight_hh.T
    for a, i_f, i_t, f_t, g_t, o_t, tanh_c_t, h_last, h_t, c_last, c_t in zip(*steps, hs, hs[1:], cs, cs[1:]):
        a.addmm_(h_last, weight_t)                    # (B, 4H)  W x_t + b + U h_{t-1}
        i_f.sigmoid_()                                # (B, 2H)  neighbours: one call
        g_t.tanh_()
        o_t.sigmoid_()
        torch.mul(f_t, c_last, out=c_t).addcmul_(i_t, g_t)
        torch.tanh(c_t, out=tanh_c_t)
        torch.mul(o_t, tanh_c_t, out=h_t)
    return [h[1:], h[-1].clone(), c[-1].clone(), c, tanh_c, gates]


def backward(given, x, h, weights, kept):
    """Backpropagate through `forward`.

    Args:
        given: dL/dy_t for the output y_t = h_t of each step, (T, B, H), dL/dh_T and dL/dc_T, (B, H) each.
        x, weights, kept: as `forward` took and returned them; all stay as they are.
        h: every state from h_0 on, (T+1, B, H).

    Returns:
        d_x, (T, B, D), dL/dh_0 and dL/dc_0, (B, H) each, and the gradients of the weights.
    """
    (d_output, d_h_n, d_c_n), (weight_ih, weight_hh, *biases), (c, tanh_c, gates) = given, weights, kept
    T, B, H = tanh_c.shape
    i, f, g, o = gates.chunk(4, dim=-1)               # (T, B, H) each
    # Every derivative is dc_t or dh_t times something known by now. That something, for all steps at once:
    local = gates.new_empty(T, B, 4, H)
    by_i, by_f, by_g, by_o = local.unbind(2)
    part = i * g                                      # (T, B, H)
    torch.addcmul(part, part, i, value=-1, out=by_i)                         # g i (1 - i)
    torch.addcmul(i, part, g, value=-1, out=by_g)                            # i (1 - g^2)
    torch.mul(f, c[:-1], out=part)
    torch.addcmul(part, part, f, value=-1, out=by_f)                         # c_{t-1} f (1 - f)
    torch.addcmul(h[1:], h[1:], o, value=-1, out=by_o)                       # tanh(c) o (1 - o), as h = o tanh(c)
    by_c = torch.addcmul(o, h[1:], tanh_c, value=-1)                         # o (1 - tanh(c)^2)

    d_h, d_c = d_h_n + d_output[-1], d_c_n.clone()    # (B, H)  dL/dh_T, dL/dc_T over every later use
    d_c_blocks = d_c[:, None]                         # (B, 1, H)  three blocks of a step meet the same dc_t
    d_a = local.view(T, B, 4 * H)                     # in the end da_t, in the place of `local`
    before = [torch.zeros_like(d_h), *d_output.unbind()[:-1]]                # dL/dy_{t-1}
    steps = [array.unbind() for array in (by_c, by_o, local[:, :, :3], f, d_a)]
    for d_y, by_c_t, d_o_t, d_i_f_and_g, f_t, d_a_t in zip(*map(reversed, (before, *steps))):
        d_c.addcmul_(d_h, by_c_t)                     # (B, H)  h_t uses c_t
        d_o_t.mul_(d_h)
        d_i_f_and_g.mul_(d_c_blocks)                  # (B, 3, H)
        d_c.mul_(f_t)                                 # (B, H)  the carousel
        torch.addmm(d_y, d_a_t, weight_hh, out=d_h)   # (B, H)  the output and the gates use h_{t-1}

    d_rows = local.view(T * B, 4 * H)                 # (T·B, 4H)  one product sums steps and batch
    d_bias = d_rows.sum(0)
    return [(d_rows @ weight_ih).view(x.shape), d_h, d_c, d_rows.T @ x.reshape(T * B, -1),
            d_rows.T @ h[:-1].reshape(T * B, H), *(d_bias.clone() for _ in biases)]
