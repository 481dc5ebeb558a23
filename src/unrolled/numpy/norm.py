"""Layer normalisation (Ba et al. 2016) in NumPy, forward and backward.

    n = s (v - mean v),  s = 1 / sqrt(var v + eps)      each row v on its own, with the biased variance
    y = w * n + b                                       gain and bias, one an entry

and backwards, with every row adding to dw and db,

    dw = sum(dy * n),    db = sum(dy),    dn = dy * w
    dv = s (dn - mean(dn) - n mean(dn * n))             a shift of v and a stretch of it change nothing: those two
                                                        directions, 1 and n, are taken out

The stretch is lost but for eps. So a row whose squares would overflow is divided by its largest entry first, and eps
by the square of that: n is the same.
Letters: D the entries of a row, `normalized_shape` multiplied out.
"""

import math
import numbers

import numpy as np

from unrolled import checks
from unrolled.numpy.stack import Parameters, as_array, as_float_dtype, saved_by_forward

EPSILON = 1e-5                                            # as in torch.nn.functional.layer_norm


def layer_norm(v, eps=EPSILON):
    """n of each row of v, over the last axis, and s, which `layer_norm_backward` needs."""
    size = np.abs(v).max(-1, keepdims=True)
    unit = np.where(size > np.finfo(v.dtype).max ** 0.25, size, 1).astype(v.dtype)      # 1 but for rows beyond 4e9
    v = v / unit
    centred = v - v.mean(-1, keepdims=True)
    scale = 1 / np.sqrt(np.mean(centred**2, -1, keepdims=True) + eps / unit / unit)
    return centred * scale, scale / unit


def layer_norm_backward(d_normal, normal, scale):
    """dL/dv from dL/dn: what changes the mean of v or its length is lost."""
    mean, along = d_normal.mean(-1, keepdims=True), np.mean(d_normal * normal, -1, keepdims=True)
    return scale * (d_normal - mean - normal * along)


class LayerNorm(Parameters):
    """Layer normalisation with a gain and a bias: the NumPy twin of `torch.nn.LayerNorm`.

    Args:
        normalized_shape: the last dimensions of the input, which are normalised together; an int for one.
        eps: keeps the division finite for a row of equal entries; with 0 such a row becomes NaN, as in torch.
        elementwise_affine: learn w, and b.
        bias: learn b.
        dtype: float32 or float64.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, normalized_shape, eps=EPSILON, elementwise_affine=True, bias=True, *, dtype=np.float32):
        sizes = (normalized_shape,) if isinstance(normalized_shape, numbers.Number) else tuple(normalized_shape)
        self.normalized_shape = tuple(checks.positive_int("normalized_shape", size) for size in sizes)
        if not sizes:
            raise ValueError("normalized_shape must hold at least one size, got ()")
        self.eps = checks.not_negative("eps", eps)
        self.elementwise_affine = checks.flag("elementwise_affine", elementwise_affine)
        self.bias = checks.flag("bias", bias)
        self.dtype = as_float_dtype(dtype)
        self.parameters = {"weight": np.ones(self.normalized_shape, self.dtype)} if elementwise_affine else {}
        if elementwise_affine and bias:
            self.parameters["bias"] = np.zeros(self.normalized_shape, self.dtype)

    def forward(self, x):
        """Normalise.

        Args:
            x: inputs; its last axes are `normalized_shape`.

        Returns:
            y, like `x`.

        Raises:
            TypeError, ValueError: an array of another dtype or shape, or of a subclass.
        """
        self._saved = None                                # an input that is refused has no way back
        x = as_array("input", x, self.dtype)
        checks.ends_with("input", x, self.normalized_shape)
        p = self._now(dict.fromkeys(self.parameters, self.normalized_shape))
        rows = x.reshape(-1, math.prod(self.normalized_shape))                                     # (rows, D)
        normal, scale = layer_norm(rows, self.eps)
        self._saved = normal, scale, x.shape, p
        return normal.reshape(x.shape) * p.get("weight", 1) + p.get("bias", 0)

    def backward(self, d_output):
        """Backpropagate through the last `forward`, with the weights that it had.

        Args:
            d_output: dL/dy, shaped like `y`.

        Returns:
            dL/dx, shaped like `x`, and a dict of parameter gradients.

        Raises:
            RuntimeError: no `forward` before, or other parameters were loaded since.
            TypeError, ValueError: an array of another dtype or shape.
        """
        normal, scale, shape, p = saved_by_forward(self)
        checks.shape("d_output", as_array("d_output", d_output, self.dtype), shape)
        d_normal = (d_output * p.get("weight", 1)).reshape(normal.shape)
        d_x = layer_norm_backward(d_normal, normal, scale).reshape(shape)
        d_rows = d_output.reshape(normal.shape)                                                    # (rows, D)
        grads = {"weight": np.sum(d_rows * normal, 0), "bias": d_rows.sum(0)}
        return d_x, {name: grads[name].reshape(self.normalized_shape) for name in p}
