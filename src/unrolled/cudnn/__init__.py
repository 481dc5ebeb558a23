"""The library's fused layers behind the same constructor: cuDNN on a GPU, PyTorch's own kernels on a CPU."""

from unrolled.cudnn.gru import GRU, GRUCell
from unrolled.cudnn.lstm import LSTM, LSTMCell
from unrolled.cudnn.rnn import RNN, RNNCell

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "RNN", "RNNCell"]
