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
from unrolled.torch.calls import check_dtype, check_tensor
from unrolled.torch.precision import HALF, widened
from unrolled.torch.twin import Module


@widened
def standardised(v, axes, eps=1e-5):
    """(v - μ) / √(σ² + ε) over these axes, in the shape of v and in float32 at least."""
    unit = largest(v, axes)                                              # 1, unless squares would overflow
    v = v / unit
    centred = v - v.mean(axes, keepdim=True)                             # (1)
    variance = centred.square().mean(axes, keepdim=True)                 # (2)
    return centred / (variance + eps / unit**2).sqrt()                   # (3)


def largest(v, axes):
    """The largest entry without its sign, where it is so large that a sum of squares may overflow; 1 elsewhere.

    So large is 4e9 in float32. (3) is the same whatever v is measured in, if ε is measured in the square of that, so
    no derivative enters here.
    """
    size = v.detach().abs().amax(axes, keepdim=True)
    return torch.where(size > torch.finfo(v.dtype).max ** 0.25, size, 1.0)


class LayerNorm(Module):
    """Equations (1) to (3) over the last axes: the twin of `torch.nn.LayerNorm`.

    Args:
        normalized_shape: their sizes, or the one size d.
        eps: ε, so that a vector of equal numbers is not divided by 0; with 0 it is, and becomes NaN.
        elementwise_affine: learn n, which starts at 1.
        bias: learn b, which starts at 0; only with elementwise_affine.
        device, dtype: of the parameters.
        fused: run `F.layer_norm`, the same function in one kernel; where squares overflow, from 1e19 in float32 on, it
            gives NaN, and the plain path the right numbers.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None, *,
                 fused=False):
        super().__init__()
        sizes = (normalized_shape,) if isinstance(normalized_shape, numbers.Number) else tuple(normalized_shape)
        if not sizes:
            raise checks.Misfit(f"normalized_shape must name at least one size, got {sizes}")
        self.normalized_shape = tuple(checks.positive_int("normalized_shape", size) for size in sizes)
        self.eps = checks.not_negative("eps", eps)
        self.elementwise_affine = checks.flag("elementwise_affine", elementwise_affine)
        checks.flag("bias", bias)
        self.fused = checks.flag("fused", fused)
        check_dtype(dtype)
        for name, learned in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            empty = torch.empty(self.normalized_shape, device=device, dtype=dtype)
            self.register_parameter(name, nn.Parameter(empty) if learned else None)
        self.reset_parameters()

    def reset_parameters(self):
        """Start again: n = 1 and b = 0."""
        if self.weight is not None:
            nn.init.ones_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, input):
        """Normalise every vector.

        Args:
            input: a tensor whose last axes are `normalized_shape`, of the parameters' dtype; beside parameters of
                float32 also in half precision.

        Returns:
            The same shape and dtype.

        Raises:
            TypeError, ValueError: not a tensor, or one of another dtype, device or shape; parameters of another shape.
        """
        self._check(input)
        if self.fused:
            return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)
        y = standardised(input, tuple(range(-len(self.normalized_shape), 0)), self.eps)
        y = y if self.weight is None else y * self.weight
        return (y if self.bias is None else y + self.bias).to(input.dtype)

    def _check(self, x):
        """Raise unless this can be normalised; a gain of one number would broadcast, and nobody would know."""
        like = x if self.weight is None else self.weight
        if isinstance(x, torch.Tensor) and x.dtype in HALF and like.dtype == torch.float32:
            like = like.new_empty(0, dtype=x.dtype)
        check_tensor("input", x, like)
        check_dtype(x.dtype)
        checks.ends_with("input", x, self.normalized_shape)
        for name in ("weight", "bias"):
            if getattr(self, name) is not None:
                checks.shape(name, getattr(self, name), self.normalized_shape)

    def extra_repr(self):
        named = f"eps={self.eps}, elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, {named}" + ", fused=True" * self.fused
