"""Cells and layers in NumPy, with the backward pass written out by hand. No autograd, no torch."""

from unrolled.numpy.rnn import RNN, RNNCell

__all__ = ["RNN", "RNNCell"]
