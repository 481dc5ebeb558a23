"""What the tests of the package share: one thread, repeatable examples, the backends behind one face."""

import contextlib
import importlib
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

from unrolled import checks

MISFIT = {ValueError: checks.Misfit, TypeError: checks.WrongType}       # the same, and RuntimeErrors too, as torch.nn's

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=20)
settings.load_profile("repeatable")


def pytest_addoption(parser):
    parser.addoption("--record-parity", action="store_true",
                     help="write what tests/parity measures to book/_data/parity.json (one process, clean src/)")


class Backend:
    """`unrolled.numpy`, `unrolled.torch` or `unrolled.cudnn`, all in float64, fed and read as NumPy arrays."""

    def __init__(self, name):
        self.name = name
        self.module = importlib.import_module(f"unrolled.{name}")
        self.array_name = "numpy array" if name == "numpy" else "torch tensor"
        self.dtype_prefix = "" if name == "numpy" else "torch."

    def array(self, values):
        """A NumPy array, or a tuple of them, as this backend takes it; anything else as it is."""
        import torch

        if isinstance(values, tuple):
            return tuple(map(self.array, values))
        return torch.from_numpy(values) if isinstance(values, np.ndarray) and self.name != "numpy" else values

    def make(self, kind, *sizes, seed=0, **options):
        """A layer or cell in float64."""
        import torch

        if self.name == "numpy":
            return getattr(self.module, kind)(*sizes, dtype=np.float64, seed=seed, **options)
        torch.manual_seed(seed)
        return getattr(self.module, kind)(*sizes, dtype=torch.float64, **options)

    def weights(self, layer):
        """The state_dict as a dict of NumPy arrays, copied."""
        return {name: np.asarray(value).copy() for name, value in layer.state_dict().items()}

    def call(self, layer, *arguments):
        """Run a layer forward, as a user of this backend does."""
        return (layer.forward if self.name == "numpy" else layer)(*map(self.array, arguments))

    def run(self, layer, *arguments):
        """The same without a graph, and with NumPy results."""

        def arrays(results):
            if isinstance(results, tuple):
                return tuple(map(arrays, results))
            return results if self.name == "numpy" else results.detach().numpy()

        return arrays(self.call(layer, *arguments))


@pytest.fixture(scope="session", params=["numpy", "torch", "cudnn"])
def backend(request):
    return Backend(request.param)


@pytest.fixture(scope="session")
def backend_named():
    """A backend by its name, for tests that run in some of them."""
    return Backend


@pytest.fixture(scope="session")
def refuses():
    """A context that passes only if exactly this error comes, with a message that holds this text."""

    @contextlib.contextmanager
    def context(error, message):
        with pytest.raises(error) as caught:
            yield
        assert caught.type in (error, MISFIT.get(error))
        assert message in str(caught.value)

    return context


@pytest.fixture(scope="session")
def close():
    """Assert that arrays agree to rounding in float64, relative to the largest entry."""

    def check(got, expected, tolerance=1e-12):
        got, expected = np.asarray(got), np.asarray(expected)
        assert got.shape == expected.shape
        assert np.abs(got - expected).max() <= tolerance * max(1, np.abs(expected).max())

    return check
