"""Cells and layers as `nn.Module`s written from scratch; the backward pass is autograd's. Drop-in for `torch.nn`."""

from unrolled.torch.rnn import RNN, RNNCell

__all__ = ["RNN", "RNNCell"]
