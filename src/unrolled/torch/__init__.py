"""Cells and layers as `nn.Module`s written from scratch; the backward pass is autograd's. Drop-in for `torch.nn`."""

from unrolled.torch.gru import GRU, GRUCell
from unrolled.torch.lstm import LSTM, LSTMCell
from unrolled.torch.minimal import MinGRU, MinLSTM
from unrolled.torch.rnn import RNN, RNNCell

__all__ = ["GRU", "GRUCell", "LSTM", "LSTMCell", "MinGRU", "MinLSTM", "RNN", "RNNCell"]
