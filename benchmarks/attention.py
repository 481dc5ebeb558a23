"""What is timed of attention: many heads, the product itself in NumPy, and decoding with a cache of keys and values."""

import statistics
import time
from itertools import product

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

import unrolled.numpy
import unrolled.torch
from benchmarks import timing
from unrolled.numpy.attention import scaled_dot_product, scaled_dot_product_backward
from unrolled.torch import CausalTransformer

TOKENS = 1000                             # decoded, one at a time
LENGTHS = range(250, 4001, 250)           # tokens in the cache, where the cost of one more is taken
SHAPES = (64, 1), (64, 8), (256, 1), (256, 8), (1024, 1)                  # T and B
CASES = [
    *({"model": "MultiheadAttention", "size": dict(zip("TBdh", (T, B, d, d // 64)))}
      for (T, B), d in product(SHAPES, (128, 512))),
    *({"model": "scaled_dot_product", "size": {"T": T, "B": B, "h": 4, "d_h": d_h}}
      for (T, B), d_h in product(SHAPES, (32, 64))),
    *({"model": "decoding", "size": {"tokens": TOKENS, "d": d, "h": d // 32, "L": L}}
      for d, L in ((64, 2), (128, 2), (256, 4), (512, 4))),
]
# The geometric mean of a time over the reference's, forward and backward: at most.
REFERENCES = {"MultiheadAttention": "nn.MultiheadAttention", "scaled_dot_product": "torch's, materialised"}
TARGETS = {"unrolled.torch.MultiheadAttention fused": ("MultiheadAttention", 1.05),
           "unrolled.numpy.scaled_dot_product": ("scaled_dot_product", 1.5)}
DECODING_TARGET = 20.0                    # recomputation over decoding with the cache: at least


def multihead(T, B, d, h, backward):
    """Self-attention, by name: functions that return the output and, with `backward`, every gradient.

    Nobody is asked for weights. The forward pass alone is inference, where the library takes a path of its own.
    """
    torch.manual_seed(0)
    library, x, upstream = nn.MultiheadAttention(d, h), torch.randn(T, B, d, requires_grad=True), torch.randn(T, B, d)
    layers = {"nn.MultiheadAttention": library}
    for name, options in (("unrolled.torch.MultiheadAttention", {}),
                          ("unrolled.torch.MultiheadAttention fused", {"fused": True})):
        layers[name] = unrolled.torch.MultiheadAttention(d, h, **options)
        layers[name].load_state_dict(library.state_dict())
    functions = {name: _torch(lambda x, run=layer: run(x, x, x, need_weights=False)[0], [x], [*layer.parameters()],
                              upstream, backward) for name, layer in layers.items()}
    for layer in layers.values():
        layer.train(backward)

    ours = unrolled.numpy.MultiheadAttention(d, h)
    ours.load_state_dict(library.state_dict())
    array, d_output = x.detach().numpy(), upstream.numpy()

    def run():
        output, _ = ours.forward(array, array, array, need_weights=False)
        if not backward:
            return [output]
        *d_inputs, grads = ours.backward(d_output)
        return [output, sum(d_inputs), *(grads[name] for name, _ in library.named_parameters())]

    return functions | {"unrolled.numpy.MultiheadAttention": run}


def dot_product(T, B, h, d_h, backward):
    """Scaled dot-product attention alone, by name: functions of q, k and v that hold all the scores at once."""
    torch.manual_seed(0)
    inputs = [torch.randn(B, h, T, d_h, requires_grad=True) for _ in "qkv"]
    upstream = torch.randn(B, h, T, d_h)

    def library(*inputs):
        with sdpa_kernel(SDPBackend.MATH):
            return F.scaled_dot_product_attention(*inputs)

    q, k, v, d_output = (tensor.detach().numpy() for tensor in (*inputs, upstream))

    def ours():
        output, weights = scaled_dot_product(q, k, v)
        return [output, *(scaled_dot_product_backward(d_output, q, k, v, weights) if backward else ())]

    return {
        "torch's, materialised": _torch(library, inputs, [], upstream, backward),
        "torch's, tiled": _torch(F.scaled_dot_product_attention, inputs, [], upstream, backward),
        "unrolled.torch.scaled_dot_product": _torch(lambda *inputs: unrolled.torch.scaled_dot_product(*inputs)[0],
                                                    inputs, [], upstream, backward),
        "unrolled.numpy.scaled_dot_product": ours,
    }


def _torch(function, inputs, parameters, upstream, backward):
    def run():
        output = function(*inputs)
        return [output, *(torch.autograd.grad(output, [*inputs, *parameters], upstream) if backward else ())]

    return run if backward else torch.no_grad()(run)


FUNCTIONS = {"MultiheadAttention": multihead, "scaled_dot_product": dot_product}


# Decoding


@torch.no_grad()
def decoding(tokens, d, h, L, seconds, clock=time.process_time):
    """Seconds for `tokens` tokens of a Transformer with rotary positions, B = 1, with its cache and without.

    Without one, token t takes a run over t steps. Those are taken at twenty lengths, the middles of twenty equal
    parts, whose mean is that of all lengths: the cost of a run is a square of its length at most, and smooth.

    Returns:
        `recomputation over cache`, a ratio; and `cost of a token` against the tokens cached, a straight line with its
        R² over `LENGTHS`.
    """
    model = transformer(d, h, L)
    x = torch.randn(max(tokens, *LENGTHS) + 40, 1, d)
    ends = [round(tokens * (part + 0.5) / 20) for part in range(20)]

    def cached():
        cache = None
        for t in range(tokens):
            _, cache = model(x[t : t + 1], cache)

    def recomputed():                                                    # a twentieth of the tokens
        for end in ends:
            model(x[: max(end, 1)])

    times = timing.rounds({"recomputed": recomputed, "cached": cached}, seconds, clock)
    whole = [tokens / len(ends) * one for one in times["recomputed"]]
    return {"recomputation over cache": timing.ratio(whole, times["cached"]),
            "cost of a token": line(*cost_by_length(model, x, LENGTHS, clock))}


def transformer(d, h, L):
    torch.manual_seed(0)
    return CausalTransformer(d, h, L, positions="rotary").eval()


@torch.no_grad()
def cost_by_length(model, x, lengths, clock=time.process_time, tokens=8, rounds=5):
    """Seconds that one more token takes at each length of the cache: the median of a turn, in the quietest turn."""
    whole, taken = model(x[: max(lengths)])[1], {S: [] for S in lengths}
    for turn in range(rounds):
        for S in lengths if turn % 2 else reversed(lengths):
            cache = [(k[:, :, :S], v[:, :, :S]) for k, v in whole]
            _, cache = model(x[S : S + 1], cache)                        # this one copies what it was given
            turn_taken = []
            for t in range(S + 1, S + 1 + tokens):
                start = clock()
                _, cache = model(x[t : t + 1], cache)
                turn_taken.append(clock() - start)
            taken[S].append(statistics.median(turn_taken))
    return list(lengths), [min(taken[S]) for S in lengths]


def line(lengths, seconds):
    """The straight line through the costs: microseconds at an empty cache, nanoseconds for each token in it, and R²."""
    slope, start = statistics.linear_regression(lengths, seconds)
    return {"start_microseconds": round(1e6 * start, 2), "nanoseconds_per_cached_token": round(1e9 * slope, 3),
            "r_squared": round(statistics.correlation(lengths, seconds) ** 2, 4)}
