"""What is timed for the RNN: forward and backward of one layer, ours and the library's, over the sizes of a chapter."""

from itertools import product

import torch
from torch import nn

import unrolled.numpy
import unrolled.torch
from unrolled.parity import relative_error

FILES = ["src/unrolled/numpy", "src/unrolled/torch", "src/unrolled/checks.py", "benchmarks/*.py"]    # what is timed
LIBRARY = "nn.RNN"
TARGETS = {"unrolled.numpy.RNN": 1.2, "unrolled.torch.RNN": None}     # geometric mean of the ratios, at most
SIZES = [dict(zip("TBH", sizes)) for sizes in product((35, 100, 200), (1, 32, 64), (64, 128, 256, 512))]


def implementations(T, B, H):
    """Functions without arguments that do the same work: every state and every gradient, D = H, float32.

    Args:
        T, B, H: steps, sequences, and width of states and inputs.

    Returns:
        By name: a function that returns the output, the final state and all gradients, as a list of arrays.
    """
    torch.manual_seed(0)
    library, ours = nn.RNN(H, H), unrolled.torch.RNN(H, H)
    by_hand = unrolled.numpy.RNN(H, H)
    ours.load_state_dict(library.state_dict())
    by_hand.load_state_dict(library.state_dict())
    x, h0 = torch.randn(T, B, H, requires_grad=True), torch.randn(1, B, H, requires_grad=True)
    upstream = torch.randn(T, B, H), torch.randn(1, B, H)
    arrays = [tensor.detach().numpy() for tensor in (x, h0, *upstream)]

    def with_autograd(layer):
        leaves = [x, h0, *layer.parameters()]

        def run():
            results = layer(x, h0)
            return [*results, *torch.autograd.grad(results, leaves, upstream)]

        return run

    def with_numpy():
        results = by_hand.forward(*arrays[:2])
        d_x, d_h0, grads = by_hand.backward(*arrays[2:])
        return [*results, d_x, d_h0, *grads.values()]

    return {
        LIBRARY: with_autograd(library),
        "unrolled.numpy.RNN": with_numpy,
        "unrolled.torch.RNN": with_autograd(ours),
    }


def disagreement(results, reference):
    """The largest relative error among all results: what is not the same function is not worth timing."""
    pairs = zip(results, reference, strict=True)
    return max(relative_error(*(torch.as_tensor(array).detach().numpy() for array in pair)) for pair in pairs)
