"""The LSTM of `unrolled.torch.lstm` again, with a backward pass by hand: the same equations, fewer and larger steps.

Autograd remembers every operation of every step and walks back through all of them. Here one node stands for the whole
sequence. On a CPU that node is `unrolled.numpy.lstm_fused`, forward and backward, working in the tensors' own memory:
a call of NumPy costs a fraction of a call of torch, and its tanh is several times faster. Elsewhere, and in half
precision, it is the same derivation in torch's words, whose products also sum (`addmm`, `addcmul`).

Letters: T steps, B batch, D input_size, H hidden_size. No options: `unrolled.torch.LSTM(fused=True)` checks them.
"""

import torch
from torch.autograd.function import once_differentiable

from unrolled.numpy import lstm_fused


def run(x, state, p):
    """Run the recurrence over a batch of sequences, one layer, one direction.

    Args:
        x: inputs, (T, B, D).
        state: h_0 and c_0, (B, H) each.
        p: weight_ih, (4H, D), weight_hh, (4H, H), and, if there are biases, bias_ih and bias_hh, (4H,) each.

    Returns:
        Every state, (T, B, H), and the pair (h_T, c_T), (B, H) each.
    """
    if on_numpy(x):
        output, h_n, c_n = NumPy.apply(lstm_fused, tuple(p), x, *p.values(), *state)
    else:
        tensors = [x, *state, p["weight_ih"], p["weight_hh"], p.get("bias_ih"), p.get("bias_hh")]
        output, h_n, c_n = apply(Recurrence, tensors)
    return output, (h_n, c_n)


def on_numpy(x):
    """Whether NumPy can work on this tensor where it lies."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")


class NumPy(torch.autograd.Function):
    """A fused recurrence of `unrolled.numpy` as one node of torch's graph; the arrays are the tensors' own memory."""

    @staticmethod
    def forward(ctx, recurrence, names, x, *tensors):
        parameters, state = tensors[: len(names)], tensors[len(names) :]
        p = {name: tensor.detach().numpy() for name, tensor in zip(names, parameters)}
        state = tuple(part.detach().contiguous().numpy() for part in state)
        output, final, ctx.saved = recurrence.run(x.detach().contiguous().numpy(), state, p)
        output = torch.from_numpy(output)
        ctx.recurrence, ctx.names = recurrence, names
        ctx.save_for_backward(x, output, *parameters)     # not to read, but so that torch notices who writes into them
        return output, *map(torch.from_numpy, final)

    @staticmethod
    @once_differentiable
    def backward(ctx, d_output, *d_state):
        p = dict(zip(ctx.names, (tensor.detach().numpy() for tensor in ctx.saved_tensors[2:])))
        d_x, d_state, grads = ctx.recurrence.run_backward(
            d_output.contiguous().numpy(), tuple(part.contiguous().numpy() for part in d_state), ctx.saved, p
        )
        return None, None, *map(torch.from_numpy, (d_x, *(grads[name] for name in ctx.names), *d_state))


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
        rows = x.reshape(T * B, D)
        if bias_ih is None:
            gates = rows @ weight_ih.T                    # (T·B, 4H)  W x_t + b, all gates and steps at once
        else:
            gates = torch.addmm(bias_ih + bias_hh, rows, weight_ih.T)
        gates = gates.view(T, B, 4 * H)
        h, c, tanh_c = x.new_empty(T + 1, B, H), x.new_empty(T + 1, B, H), x.new_empty(T, B, H)
        h[0], c[0] = h0, c0
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
        ctx.save_for_backward(x, weight_ih, weight_hh, gates, h, c, tanh_c)
        return h[1:], h[-1].clone(), c[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, d_output, d_h_n, d_c_n):
        x, weight_ih, weight_hh, gates, h, c, tanh_c = ctx.saved_tensors
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
        need_x, _, _, need_w, need_u, need_b, need_b2 = ctx.needs_input_grad
        d_x = (d_rows @ weight_ih).view_as(x) if need_x else None
        d_weight_ih = d_rows.T @ x.reshape(T * B, -1) if need_w else None
        d_weight_hh = d_rows.T @ h[:-1].reshape(T * B, H) if need_u else None
        d_bias = d_rows.sum(0) if need_b or need_b2 else None
        return d_x, d_h, d_c, d_weight_ih, d_weight_hh, d_bias, d_bias
