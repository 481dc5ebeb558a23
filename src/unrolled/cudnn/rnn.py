"""`torch.nn.RNN` and `torch.nn.RNNCell` with two additions: they say what runs, and they refuse TF32 unless asked.

`lstm.py` and `gru.py` beside it do the same for the other layers, with what is defined here.

On an NVIDIA GPU PyTorch hands a recurrent layer to cuDNN, and since Ampere cuDNN rounds float32 inputs of a product to
TF32's ten bits of mantissa by default, which would drown any proof of equality. On a CPU PyTorch falls back to its own
kernels; `describe` reports which.
"""

import contextlib
import threading

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from unrolled import checks
from unrolled.torch.calls import check_call, check_cell_call, check_dtype
from unrolled.torch.twin import Recurrent


class _WholeFloat32:
    """The setting is one for the whole process: the first who needs it puts it in, and the last one takes it back."""

    def __init__(self):
        self.lock, self.users, self.before = threading.Lock(), 0, None

    def enter(self, *_):
        with self.lock:
            if not self.users:
                self.before = torch.backends.cudnn.rnn.fp32_precision
                torch.backends.cudnn.rnn.fp32_precision = "ieee"
            self.users += 1

    def leave(self, *_):
        with self.lock:
            self.users -= 1
            if not self.users:
                torch.backends.cudnn.rnn.fp32_precision = self.before


_SETTING = _WholeFloat32()


@contextlib.contextmanager
def whole_float32():
    """Keep cuDNN's recurrent layers from rounding float32 to TF32, here and in no other operation.

    In every thread, for as long as one of them is inside.
    """
    _SETTING.enter()
    try:
        yield
    finally:
        _SETTING.leave()


def whole_float32_backward(output):
    """The same for the backward pass of `output`, which cuDNN runs later, under the setting that it finds then."""
    node = output.grad_fn
    for _ in range(4):                                     # a squeeze or a transpose may stand between
        if node is None or node.name().startswith("CudnnRnn"):
            break
        node = next((parent for parent, _ in node.next_functions if parent is not None), None)
    else:
        return                                             # not cuDNN's after all: other kernels never use TF32 here
    if node is not None:
        node.register_prehook(_SETTING.enter)
        node.register_hook(_SETTING.leave)


class Described(Recurrent):
    """Adds `describe`, `allow_tf32` and arrays in `load_state_dict` to a layer of `torch.nn`."""

    allow_tf32 = False
    state_names = ("h",)

    def forward(self, input, hx=None):
        """As the layer of `torch.nn`; a wrong input raises the same errors as `unrolled.torch`."""
        (check_call if isinstance(self, nn.RNNBase) else check_cell_call)(self, input, hx)
        if self.allow_tf32:
            return super().forward(input, hx)
        with whole_float32():
            results = super().forward(input, hx)
        if isinstance(self, nn.RNNBase):                   # a cell is never cuDNN's
            whole_float32_backward(results[0].data if isinstance(results[0], PackedSequence) else results[0])
        return results

    def describe(self):
        """Say in one line what a call of this layer runs: kernel library, its version, device, precision."""
        weight, version = next(self.parameters()), f"PyTorch {torch.__version__}"
        precision = str(weight.dtype).removeprefix("torch.")
        if weight.device.type == "cuda":
            if precision == "float32":
                precision += ", TF32 allowed" if self.allow_tf32 else ", TF32 off"
            device = torch.cuda.get_device_name(weight.device)
            fused = isinstance(self, nn.RNNBase) and torch.backends.cudnn.is_acceptable(weight)
            kernels = f"cuDNN {torch.backends.cudnn.version()}" if fused else f"{version} CUDA kernels"
            return f"{kernels}, {device}, {precision}"
        reason = "the layer is on the CPU" if torch.cuda.is_available() else "no CUDA device found"
        # PyTorch's LSTM, and no other recurrent layer of its, has a oneDNN kernel; float64 and projections go without.
        onednn = (isinstance(self, nn.LSTM) and not self.proj_size and precision != "float64"
                  and torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled)
        return f"{version} {'with oneDNN' if onednn else 'CPU kernels'}, not cuDNN ({reason}), {precision}"


class RNN(Described, nn.RNN):
    """`torch.nn.RNN`, with `describe()`, clear errors, and float32 kept whole.

    Args:
        input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional, device, dtype: as
            for `unrolled.torch.RNN`.
        allow_tf32: let cuDNN round float32 products to TF32.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    twin = nn.RNN

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
                 dropout=0.0, bidirectional=False, device=None, dtype=None, *, allow_tf32=False):
        checks.layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        checks.choice("nonlinearity", nonlinearity, ("tanh", "relu"))
        check_dtype(dtype)
        super().__init__(input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional,
                         device=device, dtype=dtype)
        self.allow_tf32 = checks.flag("allow_tf32", allow_tf32)


class RNNCell(Described, nn.RNNCell):
    """`torch.nn.RNNCell`, with `describe()` and clear errors."""

    twin = nn.RNNCell

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        checks.cell(input_size, hidden_size, bias, least=0)
        checks.choice("nonlinearity", nonlinearity, ("tanh", "relu"))
        check_dtype(dtype)
        super().__init__(input_size, hidden_size, bias, nonlinearity, device, dtype)
