"""Cells and layers as `nn.Module`s written from scratch; the backward pass is autograd's. Drop-in for `torch.nn`."""

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
