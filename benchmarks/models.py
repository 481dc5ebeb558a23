"""What is timed: one layer, ours and others', forward alone and with backward, over the sizes of a chapter."""

from itertools import product

import numpy as np
import onnx.helper
import onnxruntime
import torch
from torch import nn

import unrolled.cudnn
import unrolled.numpy
import unrolled.torch
from benchmarks import textbook
from unrolled import convert
from unrolled.instruments.parity import relative_error
from unrolled.torch import gru, lstm

MODELS = "RNN", "LSTM", "GRU"
PASSES = {"forward": False, "forward and backward": True}
SIZES = [dict(zip("TBH", sizes)) for sizes in product((35, 100, 200), (1, 32, 64), (64, 128, 256, 512))]
# Compiling takes longer than all else at a size together, so it is done for a narrow, a middle and a wide one.
COMPILED = [{"T": 100, "B": 1, "H": 128}, {"T": 100, "B": 32, "H": 128}, {"T": 100, "B": 64, "H": 256}]
FILES = ["src/unrolled/numpy", "src/unrolled/torch", "src/unrolled/cudnn", "src/unrolled/checks.py",
         "src/unrolled/shapes.py", "benchmarks/*.py"]
# The geometric mean, over all sizes, of a time over the library's for forward and backward: at most.
TARGETS = {
    "unrolled.numpy.RNN": 1.2,
    "unrolled.numpy.LSTM fused": 1.2,
    "unrolled.numpy.GRU fused": 1.0,
    "unrolled.torch.LSTM fused": 1.0,
    "unrolled.torch.GRU fused": 0.85,
}
# And the same mean of the textbook's time over ours: at least.
TEXTBOOK_TARGETS = {"unrolled.numpy.LSTM fused": 3.0, "unrolled.numpy.GRU fused": 3.0}


class Case:
    """One layer at one size, D = H, float32: the same weights, inputs and upstream gradients for everybody.

    Args:
        model: "RNN", "LSTM" or "GRU".
        T, B, H: steps, sequences, and width of states and inputs.
        device: "cpu" or "cuda".
    """

    def __init__(self, model, T, B, H, device="cpu"):
        torch.manual_seed(0)
        self.model, self.size, self.device = model, {"T": T, "B": B, "H": H}, device
        self.library = getattr(nn if device == "cpu" else unrolled.cudnn, model)(H, H, device=device)
        parts = 2 if model == "LSTM" else 1
        self.x = torch.randn(T, B, H, device=device, requires_grad=True)
        self.state = [torch.randn(1, B, H, device=device, requires_grad=True) for _ in range(parts)]
        self.upstream = [torch.randn(shape, device=device) for shape in [(T, B, H), *[(1, B, H)] * parts]]

    @property
    def reference(self):
        """The name of what everybody is held against."""
        return f"nn.{self.model}" if self.device == "cpu" else f"unrolled.cudnn.{self.model}"

    def functions(self, backward):
        """By name, functions without arguments that do the same work.

        Args:
            backward: every gradient too, or the forward pass alone, as for inference.

        Returns:
            The functions; each returns the output, the final state and, with `backward`, the gradients of inputs,
            states and parameters, as a list. The library is the first.
        """
        model, H, weights = self.model, self.size["H"], self.library.state_dict()
        gated = model != "RNN"
        found = {self.reference: self.torch_layer(self.library, backward)}
        for options in ({}, {"fused": True}) if gated else ({},):
            suffix = " fused" if options else ""
            if self.device == "cpu":
                ours = getattr(unrolled.numpy, model)(H, H, **options)
                ours.load_state_dict(weights)
                found[f"unrolled.numpy.{model}{suffix}"] = self.numpy_layer(ours, backward)
            ours = getattr(unrolled.torch, model)(H, H, device=self.device, **options)
            ours.load_state_dict(weights)
            found[f"unrolled.torch.{model}{suffix}"] = self.torch_layer(ours, backward)
        if self.device == "cpu" and gated:
            name = model.lower()
            found["textbook"] = self.by_hand(getattr(textbook, name), getattr(textbook, name + "_backward"), backward)
        if self.device == "cpu" and not backward:
            found["onnxruntime"] = self.onnx()
        return found

    def torch_layer(self, layer, backward):
        x, given = self.x, self.state[0] if len(self.state) == 1 else tuple(self.state)
        leaves = [x, *self.state, *layer.parameters()]

        def run():
            output, final = layer(x, given)
            results = [output, *(final if isinstance(final, tuple) else [final])]
            if backward:
                results += torch.autograd.grad(results, leaves, self.upstream)
            if self.device == "cuda":
                torch.cuda.synchronize()
            return results

        return run if backward else torch.no_grad()(run)

    def numpy_layer(self, layer, backward):
        x, d_output, *d_state = _arrays([self.x, *self.upstream])
        state = _arrays(self.state)
        given, d_given = (state[0], d_state[0]) if len(state) == 1 else (tuple(state), tuple(d_state))

        def run():
            output, final = layer.forward(x, given)
            results = [output, *_parts(final)]
            if backward:
                d_x, d_first, grads = layer.backward(d_output, d_given)
                results += [d_x, *_parts(d_first), *grads.values()]
            return results

        return run

    def by_hand(self, forward, gradients, backward=True):
        """A pair of functions in the manner of `unrolled.numpy.lstm_fused`, on bare arrays."""
        x, d_output, *d_state = _arrays([self.x, *self.upstream])
        state, d_state = ([array[0] for array in arrays] for arrays in (_arrays(self.state), d_state))
        p = {name.removesuffix("_l0"): array for name, array in zip(self.library.state_dict(), self.parameters())}

        def run():
            output, final, saved = forward(x, tuple(state), p)
            results = [output, *(part[None] for part in final)]
            if backward:
                d_x, d_first, grads = gradients(d_output, tuple(d_state), saved, p)
                results += [d_x, *(part[None] for part in d_first), *(grads[name] for name in p)]
            return results

        return run

    def parameters(self):
        return _arrays(self.library.parameters())

    def onnx(self):
        """The forward pass of onnxruntime, one thread."""
        (weights,) = convert.to_onnx(self.library.state_dict(), self.model)
        states = ["initial_h", "initial_c"][: len(self.state)]
        finals = ["Y_h", "Y_c"][: len(self.state)]
        node = onnx.helper.make_node(
            self.model, ["X", "W", "R", "B", "", *states], ["Y", *finals], hidden_size=self.size["H"],
            **({"linear_before_reset": 1} if self.model == "GRU" else {}),
        )
        kind = onnx.TensorProto.FLOAT
        inputs = [onnx.helper.make_tensor_value_info(name, kind, None) for name in ("X", *states)]
        outputs = [onnx.helper.make_tensor_value_info(name, kind, None) for name in ("Y", *finals)]
        constants = [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()]
        graph = onnx.helper.make_graph([node], self.model, inputs, outputs, constants)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        feeds = dict(zip(("X", *states), _arrays([self.x, *self.state])))

        def run():
            output, *final = session.run(None, feeds)                      # (T, 1, B, H), (1, B, H)
            return [output[:, 0], *final]

        return run

    def compiled(self, backward):
        """Our layer with its step, the equations as the chapter shows them, through `torch.compile`."""
        step = lstm.step if self.model == "LSTM" else gru.step_reset_after
        layer = getattr(unrolled.torch, self.model)(self.size["H"], self.size["H"], device=self.device)
        layer.load_state_dict(self.library.state_dict())
        torch.compiler.reset()                             # after eight sizes and modes it would compile no more
        layer.step = torch.compile(step)
        return self.torch_layer(layer, backward)


def disagreement(results, reference):
    """The largest relative error among all results: what is not the same function is not worth timing."""
    pairs = zip(_arrays(results), _arrays(reference), strict=True)
    return max(relative_error(*pair) for pair in pairs)


def _arrays(tensors):
    return [t.detach().cpu().numpy() if isinstance(t, torch.Tensor) else np.asarray(t) for t in tensors]


def _parts(state):
    return state if isinstance(state, tuple) else (state,)
