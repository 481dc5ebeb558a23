"""Where half precision does not do: squares overflow float16 from 256 on, and bfloat16 knows scores of 100 to 0.5.

What is squared, summed or raised to e is therefore computed in float32 at least, as in the library's kernels. Autocast
would take the products back to half precision, so it is off there.
"""

import contextlib
import functools

import torch

from unrolled.torch.calls import mixed_dtype

HALF = torch.float16, torch.bfloat16


def wide(dtype):
    """`dtype`, or float32 where that is wider."""
    return torch.promote_types(dtype, torch.float32)


def widened(function):
    """`function` on float32 at least: tensors of half precision become float32 first, and so do the results."""

    def widen(value):
        return value.to(wide(value.dtype)) if isinstance(value, torch.Tensor) and value.dtype in HALF else value

    @functools.wraps(function)
    def in_float32(*arguments, **named):
        device = next(value.device for value in (*arguments, *named.values()) if isinstance(value, torch.Tensor))
        with torch.autocast(device.type, enabled=False) if mixed_dtype(device) else contextlib.nullcontext():
            return function(*map(widen, arguments), **{name: widen(value) for name, value in named.items()})

    return in_float32
