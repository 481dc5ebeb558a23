"""Weights in the layouts of four libraries: torch's state_dict, which is ours, Keras's, ONNX's and Flax's.

    one layer           torch, unrolled             Keras                        ONNX
    input weights       weight_ih   (G·H, D)        kernel            (D, G·H)   W  (N, G·H, D)
    recurrent weights   weight_hh   (G·H, H)        recurrent_kernel  (H, G·H)   R  (N, G·H, H)
    biases              bias_ih, bias_hh  (G·H,)    bias              (G·H,)     B  (N, 2·G·H)
    peepholes           weight_peephole   (3, H)    none                         P  (N, 3·H)
    LSTM's blocks       i f g o, peepholes i f o    i f g o                      i o f g, peepholes i o f
    GRU's blocks        r z n                       z r n                        z r n
    GRU's reset         reset_after=True            reset_after=True             linear_before_reset=1 (0 unless said)
    that GRU's bias     bias_ih, bias_hh            bias  (2, 3H)                B

Flax names a kernel for each gate: `unrolled.convert.flax` has its table. The candidate is g or n here, as in torch and
Flax, and c or h in the other two. In all four, z keeps the old state.

Only numbers move. The function stays the same if the layer on the other side has the options that weights do not
hold: the nonlinearity of an RNN, the place of a GRU's reset gate, the direction. Where a library has a single bias,
torch's two come back as their sum and zeros: the same function, not the same parameters.

A layer that reads from the end only has no counterpart here; give ours the input flipped in time. What comes out is in
the order of reading: so it is from Keras's `go_backwards=True` and from Flax's `RNN(reverse=True)`, and nothing more is
to be done. ONNX's direction "reverse" and Flax's `keep_order=True` turn it back to the order of the input: flip the
output too.

Not here: projections (`proj_size`), layer norm, and LSTMs of three blocks, without a forget gate or with a coupled one.

Letters: G blocks of rows (1 in an RNN, 4 in an LSTM, 3 in a GRU), D input_size, H hidden_size, N directions.
"""

from unrolled.convert.flax import from_flax, to_flax
from unrolled.convert.keras import from_keras, to_keras
from unrolled.convert.onnx import from_onnx, to_onnx

__all__ = ["from_flax", "from_keras", "from_onnx", "to_flax", "to_keras", "to_onnx"]
