"""Cells and layers as `nn.Module`s written from scratch; the backward pass is autograd's. Drop-in for `torch.nn`.

How the recurrent ones meet code that looks for those of `torch.nn`:

    isinstance          a layer is an `nn.RNNBase`, and no `nn.LSTM`, which torch.compile would refuse; a cell is both
    torch.jit.script    takes the twin of `torch.nn`, `layer.library()`, with the same parameters; no twin: TypeError
    ONNX                likewise, one node for any T; a layer without a twin is written out for the T of the example
    torch.export        any T with `fused=True`; else the T of the example
    quantize_dynamic    knows exact types only: a warning that this one stays as it is, or an error if it was named
    torch.func          vmap, jvp, per-sample gradients work, with `fused=True` by the plain steps

An error that `torch.nn` raises as a RuntimeError is that and a ValueError or TypeError here.
"""

from unrolled.torch.attention import scaled_dot_product
from unrolled.torch.causal import CausalTransformer
from unrolled.torch.gru import GRU, GRUCell
from unrolled.torch.lstm import LSTM, LSTMCell
from unrolled.torch.minimal import MinGRU, MinLSTM
from unrolled.torch.multihead import MultiheadAttention
from unrolled.torch.norm import LayerNorm
from unrolled.torch.positions import LearnedPositions, alibi, alibi_slopes, rotary, sinusoidal
from unrolled.torch.rnn import RNN, RNNCell
from unrolled.torch.scores import AdditiveAttention, ConcatAttention, DotAttention, GeneralAttention
from unrolled.torch.seq2seq import EncoderDecoder
from unrolled.torch.tcn import TCN
from unrolled.torch.transformer import TransformerDecoderLayer, TransformerEncoderLayer

__all__ = ["AdditiveAttention", "CausalTransformer", "ConcatAttention", "DotAttention", "EncoderDecoder", "GRU",
           "GRUCell", "GeneralAttention", "LSTM", "LSTMCell", "LayerNorm", "LearnedPositions", "MinGRU", "MinLSTM",
           "MultiheadAttention", "RNN", "RNNCell", "TCN", "TransformerDecoderLayer", "TransformerEncoderLayer",
           "alibi", "alibi_slopes", "rotary", "scaled_dot_product", "sinusoidal"]
