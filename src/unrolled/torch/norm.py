"""Layer normalisation (Ba et al. 2016) as an `nn.Module`.

    μ  = Σ_i v_i / d                                     (1)  mean of one vector's d numbers
    σ² = Σ_i (v_i - μ)² / d                              (2)  their variance: over d, not d - 1
    y  = n * (v - μ) / √(σ² + ε) + b                     (3)  gain n and bias b are learned, one of each a number

Every vector is normalised by itself: no batch, no past, no future enters.
"""

import numbers

import torch
import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.torch.stack import Module, check_dtype, check_tensor


def standardised(v, axes, eps=1e-5):
    """(v - μ) / √(σ² + ε) over these axes, in the shape of v."""
    centred = v - v.mean(axes, keepdim=True)                             # (1)
    variance = centred.square().mean(axes, keepdim=True)                 # (2)
    return centred / (variance + eps).sqrt()                             # (3)


class LayerNorm(Module):
    """Equations (1) to (3) over the last axes: the twin of `torch.nn.LayerNorm`.

    Args:
        normalized_shape: their sizes, or the one size d.
        eps: ε, so that a vector of equal numbers is not divided by 0.
        elementwise_affine: learn n, which starts at 1.
        bias: learn b, which starts at 0; only with elementwise_affine.
        device, dtype: of the parameters.
        fused: run `F.layer_norm`, the same function in one kernel.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None, *,
                 fused=False):
        super().__init__()
        sizes = (normalized_shape,) if isinstance(normalized_shape, numbers.Number) else tuple(normalized_shape)
        if not sizes:
            raise ValueError(f"normalized_shape must name at least one size, got {sizes}")
        self.normalized_shape = tuple(checks.positive_int("normalized_shape", size) for size in sizes)
        self.eps = checks.positive_number("eps", eps)
        self.elementwise_affine = checks.flag("elementwise_affine", elementwise_affine)
        checks.flag("bias", bias)
        self.fused = checks.flag("fused", fused)
        check_dtype(dtype)
        for name, learned, start in (("weight", elementwise_affine, 1.0), ("bias", elementwise_affine and bias, 0.0)):
            full = torch.full(self.normalized_shape, start, device=device, dtype=dtype)
            self.register_parameter(name, nn.Parameter(full) if learned else None)

    def forward(self, x):
        """Normalise every vector.

        Args:
            x: a tensor whose last axes are `normalized_shape`.

        Returns:
            The same shape.

        Raises:
            TypeError, ValueError: not a tensor, or one of another dtype, device or shape.
        """
        check_tensor("input", x, x if self.weight is None else self.weight)
        checks.ends_with("input", x, self.normalized_shape)
        if self.fused:
            return F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        y = standardised(x, tuple(range(-len(self.normalized_shape), 0)), self.eps)
        y = y if self.weight is None else y * self.weight
        return y if self.bias is None else y + self.bias

    def extra_repr(self):
        named = f"eps={self.eps}, elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, {named}" + ", fused=True" * self.fused
