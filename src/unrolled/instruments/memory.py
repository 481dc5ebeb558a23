"""What backpropagation through time has to remember: counted in bytes, and bought back with recomputation.

Counting is exact and the same on every run: each array that torch makes is weighed when it appears and taken off when
the last reference to it goes, the graph's own references included.
"""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

from unrolled import checks
from unrolled.instruments.gradients import check_divisible, detach


class PeakBytes(TorchDispatchMode):
    """Count the bytes of every tensor made inside a `with` block for as long as something holds on to it.

    Attributes:
        now: bytes alive at this moment.
        peak: the most that were alive at once.

    What lives only inside one operation of the library (its scratch space) is not seen.
    """

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self._alive = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        old = {_storage(leaf)._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        results = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(results):
            if isinstance(leaf, torch.Tensor):
                storage = _storage(leaf)
                key, size = storage._cdata, storage.nbytes()
                if key not in old and key not in self._alive:                # a view brings no bytes of its own
                    self._alive.add(key)
                    self.now += size
                    weakref.finalize(storage, self._forget, key, size)
        self.peak = max(self.peak, self.now)
        return results

    def _forget(self, key, size):
        self._alive.discard(key)
        self.now -= size


def checkpointed_bptt(layer, loss, x, targets, segment, state=None):
    """Accumulate the full gradient of one long sequence, keeping only the states between segments.

    The forward pass stores one state a segment and forgets the rest; the backward pass, which meets the segments last
    one first, runs each of them forward again. Memory grows like T / segment + segment, least at segment = sqrt(T);
    the price is a second forward pass. Source: Chen et al. 2016, after Griewank & Walther 2000.

    Args:
        layer, loss, x, targets, state: as `truncated_bptt` takes them.
        segment: steps a segment, at least 1; the last one may be shorter.

    Returns:
        The loss summed over all steps, as a float, and the final state, detached.

    Raises:
        TypeError, ValueError: as `truncated_bptt` for what it takes, with `segment` in the place of `chunk`.
    """
    segment = checks.positive_int("segment", segment)
    check_divisible(layer, x, targets)

    def run(piece, target, state):
        output, state = layer(piece, state)
        return loss(output, target), state

    total = 0.0
    for start in range(0, len(x), segment):
        piece, target = x[start : start + segment], targets[start : start + segment]
        part, state = checkpoint(run, piece, target, state, use_reentrant=False)
        total = total + part
    total.backward()
    return total.item(), detach(state)


def _storage(tensor):
    return tensor.untyped_storage()
