"""What makes a layer one of PyTorch's world: loading, the names under which others look for weights, and its twin."""

import inspect
import warnings

import numpy as np
import torch
from torch import nn

from unrolled import checks

TWIN_OPTIONS = "num_layers", "nonlinearity", "bias", "batch_first", "dropout", "bidirectional", "proj_size"


class Module(nn.Module):
    """An `nn.Module` that also loads NumPy arrays, and names what does not fit."""

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """As `nn.Module.load_state_dict`, arrays welcome.

        Raises:
            TypeError: not a dict, or a value that is no array.
            ValueError, RuntimeError: `strict`, and a name missing or unexpected, or a shape that does not fit.
        """
        if any(isinstance(value, np.ndarray) for value in getattr(state_dict, "values", tuple)()):
            state_dict = {name: torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray) else value
                          for name, value in state_dict.items()}
        hooks = any(module._load_state_dict_pre_hooks for module in self.modules())       # they may rename what comes
        if strict and not hooks:
            checks.state_dict(self.state_dict(), state_dict)           # before anything is copied
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except RuntimeError as error:
            raise checks.Misfit(f"state_dict does not fit: {error}") from None

    def __prepare_scriptable__(self):
        raise TypeError(f"torch.jit.script cannot compile {type(self).__name__}, which is Python beyond its language; "
                        "torch.compile, torch.export and torch.jit.trace take it")


class Recurrent(Module):
    """What a recurrent layer or cell owes to code that expects the one of `torch.nn`."""

    twin, beyond_library = None, ()          # its class in `torch.nn`, and the options that it does not have

    def is_library(self):
        """Whether `torch.nn` has this layer or cell."""
        return self.twin is not None and not self._beyond()

    def _beyond(self):
        return [f"{name}={getattr(self, name)!r}" for name, usual in self.beyond_library
                if getattr(self, name) != usual]

    def library(self):
        """The layer or cell of `torch.nn` that is the same function, with this one's own parameters (shared).

        `torch.jit.script` takes it in this one's place, and so does the export to ONNX, where its loop is one node for
        any number of steps. `quantize_dynamic` knows layers of `torch.nn` alone: give it this one.

        Raises:
            TypeError: `torch.nn` has no such layer.
        """
        if not self.is_library():
            beyond = self._beyond()
            raise TypeError(f"torch.nn has no {type(self).__name__}{' with ' * bool(beyond)}{', '.join(beyond)}")
        taken = inspect.signature(type(self)).parameters
        options = {name: getattr(self, name) for name in TWIN_OPTIONS if name in taken}
        layer = self.twin(self.input_size, self.hidden_size, **options, device="meta")
        layer.load_state_dict({name: getattr(self, name) for name in layer.state_dict()}, assign=True)
        return layer.train(self.training)

    __prepare_scriptable__ = library                                   # torch.jit.script asks for this

    @property
    def qconfig(self):
        """How `torch.ao.quantization` is to treat this layer: not at all, it knows the exact types of torch.nn only."""
        if "_qconfig" not in self.__dict__:
            raise AttributeError("qconfig")
        return self._qconfig

    @qconfig.setter
    def qconfig(self, value):
        name = f"{type(self).__module__.rpartition('.')[0]}.{type(self).__name__}"
        if value is not None:
            raise NotImplementedError(f"{name} cannot be quantised: put its twin, layer.library(), in its place, or "
                                      "set layer.qconfig = None first to leave it in floating point")
        if "_qconfig" not in self.__dict__:
            warnings.warn(f"{name} is not quantised and stays in floating point; its twin, layer.library(), can be",
                          stacklevel=3)
        self.__dict__["_qconfig"] = None

    @qconfig.deleter
    def qconfig(self):
        self.__dict__.pop("_qconfig", None)
