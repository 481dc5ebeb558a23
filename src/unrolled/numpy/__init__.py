"""Cells and layers in NumPy, with the backward pass written out by hand. No autograd, no torch."""

from unrolled.numpy.gru import GRU, GRUCell
from unrolled.numpy.lstm import LSTM, LSTMCell
from unrolled.numpy.minimal import MinGRU, MinLSTM
from unrolled.numpy.multihead import MultiheadAttention
from unrolled.numpy.norm import LayerNorm
from unrolled.numpy.rnn import RNN, RNNCell
from unrolled.numpy.scores import AdditiveAttention

__all__ = [
    "AdditiveAttention", "GRU", "GRUCell", "LSTM", "LSTMCell", "LayerNorm", "MinGRU", "MinLSTM", "MultiheadAttention",
    "RNN", "RNNCell",
]
