"""The library's fused layers behind the same constructor: cuDNN on a GPU, PyTorch's own kernels on a CPU."""

from unrolled.cudnn.rnn import RNN, RNNCell

__all__ = ["RNN", "RNNCell"]
