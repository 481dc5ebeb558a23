"""How many operations lie between an input and an output: counted along the graph that autograd has recorded.

A graph of whole tensors says too little, since the tensor of all steps hangs on the tensor of all steps. So every
number is followed by itself: a node of the graph hands back the derivatives of its inputs, and where one is not zero
there is a way. Sizes do not matter, so what travels is drawn anew, between 0.5 and 1.5, at every node.
"""

import numpy as np
import torch

from unrolled import checks
from unrolled.training import SEEDS, seed_everything

PRODUCTS = {"MmBackward0", "AddmmBackward0", "BmmBackward0", "BaddbmmBackward0", "MvBackward0", "DotBackward0",
            "ConvolutionBackward0"}
# What moves numbers and computes none.
MOVES = {f"{name}Backward0" for name in (
    "Alias", "AsStrided", "Cat", "Chunk", "Clone", "Copy", "Expand", "MaskedFill", "Permute", "Repeat", "Reshape",
    "ReshapeAlias", "Select", "Slice", "Split", "SplitWithSizes", "Squeeze", "Stack", "T", "ToCopy", "Transpose",
    "Unbind", "UnsafeSplit", "UnsafeView", "Unsqueeze", "View",
)} | {"MTBackward0"}
# Only so far as its name tells: SqueezeBackward1 is the same move with an axis named.
COUNTED = {"products": lambda name: name in PRODUCTS,
           "operations": lambda name: f"{name.rstrip('0123456789')}0" not in MOVES}


def path_length(output, x, count="products", longest=False):
    """The length of the shortest way, or of the longest, from each step of `x` to `output`.

    Args:
        output: computed from `x`, any shape; of the leaves of its graph only `x` is looked at.
        x: a leaf that requires a gradient, steps first, (T, ...).
        count: "products" of matrices, convolutions among them, or all "operations" that compute a number.
        longest: the longest way, which nothing can be faster than, instead of the shortest.

    Returns:
        A list of T whole numbers, None where no way leads: a relu that is shut lets nothing through.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """
    checks.choice("count", count, COUNTED)
    checks.flag("longest", longest)
    if not (x.is_leaf and x.requires_grad):
        raise ValueError("x must be a leaf that requires a gradient")
    if output.grad_fn is None:
        raise ValueError("output must be computed from x, with gradients recorded")
    generator, found = torch.Generator().manual_seed(0), [None] * len(x)
    arrived = {output.grad_fn: {0: {output.output_nr: torch.ones_like(output)}}}         # length, then which result
    for node in _in_order(output.grad_fn):
        reached = {}                                                 # what a better way has reached needs no other
        for length, results in sorted(arrived.pop(node, {}).items(), reverse=longest):
            fresh = {}
            for nr, travels in results.items():
                here = (travels != 0) & ~reached.get(nr, torch.zeros_like(travels, dtype=torch.bool))
                reached[nr] = reached[nr] | here if nr in reached else here
                if here.any():
                    fresh[nr] = here * (0.5 + torch.rand(here.shape, generator=generator, dtype=travels.dtype))
            if not fresh:
                continue
            if hasattr(node, "variable"):
                if node.variable is x:
                    for t in fresh[0].flatten(1).any(1).nonzero()[:, 0].tolist():
                        found[t] = length
                continue
            further = node(*map(fresh.get, range(len(node._input_metadata))))
            after = length + COUNTED[count](node.name())
            for (following, nr), travels in zip(node.next_functions, _several(further)):
                if following is not None and travels is not None:
                    there = arrived.setdefault(following, {}).setdefault(after, {})
                    there[nr] = there[nr] + travels.abs() if nr in there else travels.abs()
    return found


def arriving(make, seq_len, width, seeds=SEEDS):
    """How much of a random gradient at the last output arrives at the input k steps before, in untrained layers.

    Args:
        make: a function that builds a layer from and to that width, called once a seed, after seeding; the layer maps
            (T, 1, width) to (output, state).
        seq_len: how many steps, T.
        width: numbers a step, in and out.
        seeds: one layer each.

    Returns:
        Norms, (seeds, T), in float64; entry k belongs to k steps back.
    """
    rows = []
    for seed in seeds:
        seed_everything(seed)
        layer = make(width).double()
        x = torch.randn(seq_len, 1, width, dtype=torch.float64, requires_grad=True)
        upstream = torch.randn(width, dtype=torch.float64) / width**0.5
        [slope] = torch.autograd.grad(layer(x)[0][-1, 0], x, upstream)
        rows.append(slope[:, 0].norm(dim=-1).flip(0).numpy())
    return np.array(rows)


def _in_order(root):
    """Every node behind this one, each after all that lead to it."""
    order, seen, open_nodes = [], {root}, [(root, iter(root.next_functions))]
    while open_nodes:
        node, following = open_nodes[-1]
        for behind, _ in following:
            if behind is not None and behind not in seen:
                seen.add(behind)
                open_nodes.append((behind, iter(behind.next_functions)))
                break
        else:
            order.append(node)
            open_nodes.pop()
    return reversed(order)


def _several(results):
    return results if isinstance(results, tuple) else (results,)
