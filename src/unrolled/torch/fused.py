"""A whole sequence as one operation of torch, with a backward pass by hand: what `lstm_fused` and `gru_fused` share.

Autograd remembers every operation of every step and walks back through all of them. Here one operation stands for all
steps. On a CPU its inside is `unrolled.numpy.lstm_fused` or `gru_fused`, working in the tensors' own memory: a call of
NumPy costs a fraction of a call of torch, and its tanh is several times faster. Elsewhere, and in half precision, it is
the same derivation in torch's words.

torch knows the operation (`torch.library`), so `torch.compile`, `torch.export` and meta tensors take it as it is, for
any T. What must look at single steps gets the plain ones: forward-mode derivatives and the transforms of `torch.func`
beforehand (`fits`), derivatives of the gradients, and gradients of many outputs at once, on the way back.

Letters: T steps, B batch, D input_size, H hidden_size, G blocks of H rows a weight.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad

import unrolled.numpy.gru_fused
import unrolled.numpy.lstm_fused
from unrolled.torch import gru_fused, lstm_fused
from unrolled.torch.calls import mixed_dtype

KINDS = {"lstm": (unrolled.numpy.lstm_fused, lstm_fused), "gru": (unrolled.numpy.gru_fused, gru_fused)}
NAMES = "weight_ih", "weight_hh", "bias_ih", "bias_hh"


def fits(x, sizes, state, p):
    """Whether one operation may stand for all steps of `Stack._run`: not in a pack, and where nobody looks at one."""
    if sizes or x.shape[1] == 0:
        return False
    if torch.compiler.is_compiling():
        return True
    tensors = x, *(state if isinstance(state, tuple) else (state,)), *p.values()
    return not torch._C._are_functorch_transforms_active() and all(
        forward_ad.unpack_dual(tensor).tangent is None for tensor in tensors
    )


def run(kind, x, state, p, reverse):
    """Run the recurrence over a batch of sequences, one layer, one direction, as `Stack._run` does.

    Args:
        kind: "lstm" or "gru".
        x: inputs, (T, B, D).
        state: h_0, (B, H), or the pair (h_0, c_0).
        p: weight_ih, (G·H, D), weight_hh, (G·H, H), and, if there are biases, bias_ih and bias_hh, (G·H,) each.
        reverse: read the sequence from its end.

    Returns:
        Every state, (T, B, H), and the last one, as `state`; in its type, also where mixed precision works in another.
    """
    parts = state if isinstance(state, tuple) else (state,)
    given = [x.flip(0) if reverse else x, *parts, *(p[name] for name in NAMES if name in p)]
    narrow, n = mixed_dtype(x.device), 1 + len(parts)
    if narrow:
        given = [tensor.to(narrow) for tensor in given]
    operation = recurrence if recorded(x) else at_once
    output, *last = [one.to(parts[0].dtype) for one in operation(kind, given[0], given[1:n], given[n:])[:n]]
    return output.flip(0) if reverse else output, tuple(last) if isinstance(state, tuple) else last[0]


def recorded(x):
    """Whether operations are written down while they run, or have no numbers to run on: by name, that is, `recurrence`.

    Else `at_once` does the same, and saves the half millisecond that a call by name costs.
    """
    return (torch.compiler.is_compiling() or torch.jit.is_tracing() or torch._C._len_torch_dispatch_stack() > 0
            or x.device.type == "meta")


def forward(kind, x, state, weights):
    """Every state, the last ones, (B, H) each, and what `backward` needs besides."""
    on_numpy, in_torch = KINDS[kind]
    if not takes_numpy(x):
        with torch.autocast(x.device.type, enabled=False):
            return in_torch.forward(x, state, weights)
    output, last, (_, _, *kept) = on_numpy.run(*arrays([x]), arrays(state), dict(zip(NAMES, arrays(weights))))
    return [*map(torch.from_numpy, (output, *last, *kept))]


def backward(kind, given, x, state, weights, output, kept):
    """The gradients of x, the initial states and the weights from those of the output and the last states."""
    on_numpy, in_torch = KINDS[kind]
    h = torch.cat([state[0][None], output])                                    # (T+1, B, H)
    if not takes_numpy(x):
        with torch.autocast(x.device.type, enabled=False):
            return in_torch.backward(given, x, h, weights, kept)
    d_output, *d_last = arrays(given)
    rows, p = arrays([x.reshape(-1, x.shape[-1])])[0], dict(zip(NAMES, arrays(weights)))
    d_x, d_state, grads = on_numpy.run_backward(d_output, d_last, (rows, *arrays([h, *kept])), p)
    return [*map(torch.from_numpy, (d_x, *d_state, *(np.ascontiguousarray(grads[name]) for name in p)))]


def arrays(tensors):
    """NumPy's view of each tensor's memory."""
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def takes_numpy(x):
    """Whether NumPy can work on this tensor where it lies."""
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


def keep(ctx, inputs, output):
    """What the way back needs, where torch notices who writes into it."""
    ctx.kind, x, state, weights = inputs
    ctx.sizes = len(state), len(weights)
    ctx.save_for_backward(x, *state, *weights, output[0], *output[1 + len(state) :])
    ctx.set_materialize_grads(False)


def differentiate(ctx, given, backward):
    """The gradients; by the plain steps if they are to be differentiated again, or for many outputs at once."""
    x, *saved = ctx.saved_tensors
    n, w = ctx.sizes
    state, weights, (output, *kept) = saved[:n], saved[n : n + w], saved[n + w :]
    given = [torch.zeros_like(like) if d is None else d for like, d in zip((output, *state), given)]
    if torch.is_grad_enabled() or any(map(torch._C._functorch.is_legacy_batchedtensor, given)):
        return torch.func.vjp(lambda *inputs: plain(ctx.kind, *inputs), x, state, weights)[1](tuple(given))
    d_x, *grads = backward(ctx.kind, given, x, state, weights, output, kept)
    return d_x, grads[:n], grads[n:]


class _Node(torch.autograd.Function):
    @staticmethod
    def forward(ctx, kind, parts, x, *tensors):
        inputs = kind, x, tensors[:parts], tensors[parts:]
        output = forward(*inputs)
        keep(ctx, inputs, output)
        return tuple(output[: 1 + parts])

    @staticmethod
    def backward(ctx, *given):
        d_x, d_state, d_weights = differentiate(ctx, given, backward)
        return None, None, d_x, *d_state, *d_weights


def at_once(kind, x, state, weights):
    """The output and the last states, by a node of the graph that has no name."""
    return _Node.apply(kind, len(state), x, *state, *weights)


@torch.library.custom_op("unrolled::recurrence", mutates_args=())
def recurrence(kind: str, x: Tensor, state: list[Tensor], weights: list[Tensor]) -> list[Tensor]:
    """`forward` by name."""
    return forward(kind, x, state, weights)


@torch.library.custom_op("unrolled::recurrence_backward", mutates_args=())
def recurrence_backward(kind: str, given: list[Tensor], x: Tensor, state: list[Tensor], weights: list[Tensor],
                        output: Tensor, kept: list[Tensor]) -> list[Tensor]:
    """`backward` by name."""
    return backward(kind, given, x, state, weights, output, kept)


@recurrence.register_fake
def _(kind, x, state, weights):
    T, B, _ = x.shape
    G, H = weights[0].shape[0] // state[0].shape[1], state[0].shape[1]
    kept = [(T + 1, B, H), (T, B, H)] if kind == "lstm" else [(T, B, H)]       # c and tanh c, or m
    gates = (T, G, B, H) if takes_numpy(x) else (T, B, G * H)
    return [x.new_empty(shape) for shape in ((T, B, H), *[(B, H)] * len(state), *kept, gates)]


@recurrence_backward.register_fake
def _(kind, given, x, state, weights, output, kept):
    return [tensor.new_empty(tensor.shape) for tensor in (x, *state, *weights)]


recurrence.register_autograd(lambda ctx, given: (None, *differentiate(ctx, given, recurrence_backward)),
                             setup_context=keep)


def plain(kind, x, state, weights):
    """The same by the equations of `lstm` or `gru`: output and last states."""
    from unrolled.torch import gru, lstm  # which import this file

    p = dict(zip(NAMES, weights))
    outputs, state = [], tuple(state) if kind == "lstm" else state[0]
    for drive_t in F.linear(x, p["weight_ih"], p.get("bias_ih")):
        state = (lstm.step if kind == "lstm" else gru.step_reset_after)(drive_t, state, p)
        outputs.append(state[0] if kind == "lstm" else state)
    return torch.stack(outputs), *(state if kind == "lstm" else (state,))
