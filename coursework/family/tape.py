"""Reverse mode in NumPy: what a release is proved solvable with. Self-contained; its source is pasted into a notebook.

A `Node` is an array that remembers which nodes it was computed from and how a gradient goes back to each. `xp` has the
few functions that the equations of the assignments use, under torch's names, so that they run on both.
"""

import numpy as np


class Node:
    """An array, and pairs (node it depends on, function that takes its gradient to that node's)."""

    __array_ufunc__ = None                                # so that array * node asks the node

    def __init__(self, value, *parents):
        self.value, self.parents = np.asarray(value), parents

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    mT = property(lambda self: Node(self.value.mT, (self, lambda g: g.mT)))

    def __add__(self, other):
        return both(np.add, self, other, lambda g, a, b: g, lambda g, a, b: g)

    def __sub__(self, other):
        return both(np.subtract, self, other, lambda g, a, b: g, lambda g, a, b: -g)

    def __rsub__(self, other):
        return Node(other) - self

    def __mul__(self, other):
        return both(np.multiply, self, other, lambda g, a, b: g * b, lambda g, a, b: g * a)

    def __truediv__(self, other):
        return both(np.divide, self, other, lambda g, a, b: g / b, lambda g, a, b: -g * a / b**2)

    def __rtruediv__(self, other):
        return Node(other) / self

    def __matmul__(self, other):
        return both(np.matmul, self, other, lambda g, a, b: g @ b.mT, lambda g, a, b: a.mT @ g)

    def __pow__(self, power):
        return Node(self.value**power, (self, lambda g: g * power * self.value ** (power - 1)))

    def __neg__(self):
        return Node(-self.value, (self, lambda g: -g))

    def __getitem__(self, index):
        return Node(self.value[index], (self, lambda g: scatter(g, index, self.value)))

    __radd__, __rmul__ = __add__, __mul__

    def __gt__(self, other):
        return self.value > (other.value if isinstance(other, Node) else other)

    def reshape(self, *shape):
        return Node(self.value.reshape(*shape), (self, lambda g: g.reshape(self.shape)))

    def swapaxes(self, i, j):
        return Node(self.value.swapaxes(i, j), (self, lambda g: g.swapaxes(i, j)))

    def detach(self):
        return Node(self.value)


def both(operation, a, b, to_a, to_b):
    """A node of two operands; each gradient is summed over what broadcasting repeated."""
    a, b = (n if isinstance(n, Node) else Node(n) for n in (a, b))

    def fit(gradient, shape):
        gradient = gradient.sum(tuple(range(gradient.ndim - len(shape))))
        return gradient.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)

    return Node(operation(a.value, b.value), (a, lambda g: fit(to_a(g, a.value, b.value), a.shape)),
                (b, lambda g: fit(to_b(g, a.value, b.value), b.shape)))


def scatter(gradient, index, like):
    """The gradient of an array of which `index` was read."""
    whole = np.zeros_like(like)
    whole[index] += gradient
    return whole


def join(function, nodes, axis, pieces):
    """stack or concatenate; `pieces` cuts a gradient into one for each node."""
    nodes = [n if isinstance(n, Node) else Node(n) for n in nodes]
    value = function([n.value for n in nodes], axis)
    return Node(value, *((n, lambda g, k=k: pieces(g)[k]) for k, n in enumerate(nodes)))


class xp:
    """The functions that equations use."""

    arange, zeros_like = np.arange, staticmethod(lambda a: Node(np.zeros_like(a.value)))

    def tanh(a):
        y = np.tanh(a.value)
        return Node(y, (a, lambda g: g * (1 - y**2)))

    def sigmoid(a):
        y = 0.5 * np.tanh(0.5 * a.value) + 0.5
        return Node(y, (a, lambda g: g * y * (1 - y)))

    def arctan(a):
        return Node(np.arctan(a.value), (a, lambda g: g / (1 + a.value**2)))

    def abs(a):
        return Node(np.abs(a.value), (a, lambda g: g * np.sign(a.value)))

    def sqrt(a):
        y = np.sqrt(a.value)
        return Node(y, (a, lambda g: g / (2 * y)))

    def sum(a, axis, keepdims=False):
        y = a.value.sum(axis, keepdims=keepdims)
        return Node(y, (a, lambda g: np.broadcast_to(g if keepdims else np.expand_dims(g, axis), a.shape)))

    def softmax(a, axis):
        y = np.exp(a.value - a.value.max(axis, keepdims=True))
        y /= y.sum(axis, keepdims=True)
        return Node(y, (a, lambda g: y * (g - (g * y).sum(axis, keepdims=True))))

    def where(condition, a, b):
        return both(lambda a, b: np.where(condition, a, b), a, b, lambda g, a, b: np.where(condition, g, 0),
                    lambda g, a, b: np.where(condition, 0, g))

    def stack(nodes, axis):
        return join(np.stack, nodes, axis, lambda g: np.moveaxis(g, axis, 0))

    def concatenate(nodes, axis):
        cuts = np.cumsum([n.shape[axis] for n in nodes])[:-1]
        return join(np.concatenate, nodes, axis, lambda g: np.split(g, cuts, axis))


def run(equations, variant, given, upstream=None):
    """Evaluate equations, and with `upstream` differentiate them.

    Args:
        equations: function(xp, variant, **given) that returns a dict of nodes.
        variant: axis -> value.
        given: arguments: arrays, numbers, or dicts of arrays.
        upstream: name of an output -> gradient that arrives there.

    Returns:
        The outputs, a dict of arrays; and the gradients of every float array in `given`, by "d_" and its name.
    """
    leaves = {}

    def wrap(name, value):
        if isinstance(value, dict):
            return {key: wrap(key, part) for key, part in value.items()}
        if getattr(value, "dtype", None) is None or value.dtype.kind != "f":
            return value
        leaves[name] = Node(value)
        return leaves[name]

    outputs = equations(xp, variant, **wrap("given", given))
    order, seen, stack = [], set(), [(outputs[name], False) for name in upstream or {}]
    while stack:                                          # depth first; a loop, since T steps are T levels deep
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent, _ in node.parents)
    gradients = {}
    for name, gradient in (upstream or {}).items():
        gradients[outputs[name]] = gradients.get(outputs[name], 0) + gradient
    for node in reversed(order):
        if node in gradients:
            for parent, pull in node.parents:
                gradients[parent] = gradients.get(parent, 0) + pull(gradients[node])
    return ({name: node.value for name, node in outputs.items()},
            {"d_" + name: gradients.get(leaf, np.zeros_like(leaf.value)) for name, leaf in leaves.items()})
