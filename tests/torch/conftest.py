"""What these tests share: one function against another, derivatives included; both insides of a fused layer."""

import pytest
import torch

from unrolled.instruments.parity import TOLERANCE
from unrolled.torch import fused


@pytest.fixture(scope="session")
def agree():
    """Assert that two layers, or functions, give the same outputs and the same gradients of everything, to rounding."""

    def results(run, layer, inputs):
        module = isinstance(layer, torch.nn.Module)
        named = {f"input {n}": tensor.detach().clone().requires_grad_() for n, tensor in enumerate(inputs)}
        outputs = run(layer, *named.values())
        outputs = [one for one in (outputs if isinstance(outputs, tuple) else (outputs,)) if one is not None]
        named |= dict(layer.named_parameters()) if module else {}
        upstream = torch.Generator().manual_seed(5)
        given = [torch.randn(one.shape, generator=upstream, dtype=one.dtype) for one in outputs]
        gradients = torch.autograd.grad(outputs, list(named.values()), given)
        return {f"output {n}": one.detach() for n, one in enumerate(outputs)} | dict(zip(named, gradients))

    def check(run, ours, library, *inputs):
        """`run(layer, *inputs)` with either layer; ours gets the library's weights."""
        if isinstance(ours, torch.nn.Module):
            ours.load_state_dict(library.state_dict())
        got, expected = results(run, ours, inputs), results(run, library, inputs)
        assert got.keys() == expected.keys()
        for name, right in expected.items():
            assert got[name].shape == right.shape, name
            assert got[name].dtype == right.dtype, name
            error = (got[name] - right).abs().max() / right.abs().max().clamp(min=1)
            assert error <= TOLERANCE[str(right.dtype).removeprefix("torch.")], f"{name}: {error:.1e}"

    return check


@pytest.fixture(scope="module", params=["NumPy inside", "torch inside"])
def inside(request):
    """What runs inside a fused layer's one operation: on a CPU, and elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "torch inside":
            patch.setattr(fused, "takes_numpy", lambda x: False)
        yield
