"""The recurrent network of Elman (1990) as `nn.Module`s.

    h_t = phi(W x_t + b_W + U h_{t-1} + b_U),   phi = tanh or relu

Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
"""

import torch
import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.shapes import weight_shapes
from unrolled.torch.calls import check_cell_call
from unrolled.torch.stack import Cell, Stack

NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu}


class RNNCell(Cell, nn.RNNCell):
    """One step of the recurrence: the twin of `torch.nn.RNNCell`.

    Args:
        input_size, hidden_size: D and H.
        bias: learn b_W and b_U.
        nonlinearity: "tanh" or "relu".
        device, dtype: of the parameters.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    twin = nn.RNNCell

    def __init__(self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None):
        self.nonlinearity = checks.choice("nonlinearity", nonlinearity, NONLINEARITIES)
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def shapes(self, width):
        """Names and shapes of the parameters."""
        return weight_shapes(width, self.hidden_size, 1, self.bias)

    def forward(self, input, hx=None):
        """Take one step.

        Args:
            input: x_t, (B, D), or (D,) unbatched.
            hx: h_{t-1}, (B, H) or (H,); zeros if left out.

        Returns:
            h_t, (B, H) or (H,).

        Raises:
            TypeError, ValueError: not a tensor, or one of another dtype, device or shape.
        """
        h = check_cell_call(self, input, hx)
        a = F.linear(input, self.weight_ih, self.bias_ih) + F.linear(h, self.weight_hh, self.bias_hh)
        return NONLINEARITIES[self.nonlinearity](a)

    def extra_repr(self):
        return f"{self.input_size}, {self.hidden_size}, bias={self.bias}, nonlinearity={self.nonlinearity!r}"


class RNN(Stack, nn.RNNBase):
    """A stack of recurrent layers, one or two directions: the twin of `torch.nn.RNN`.

    Args:
        input_size, hidden_size: D and H.
        num_layers: L; layer l > 0 reads the outputs of layer l - 1.
        nonlinearity: "tanh" or "relu".
        bias: learn b_W and b_U.
        batch_first: inputs and outputs are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: probability with which an output between layers is zeroed in training mode.
        bidirectional: a second set of weights reads the sequence from its end; outputs are concatenated.
        device, dtype: of the parameters.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    twin = nn.RNN

    def __init__(self, input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
                 dropout=0.0, bidirectional=False, device=None, dtype=None):
        self.nonlinearity = checks.choice("nonlinearity", nonlinearity, NONLINEARITIES)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)

    @property
    def mode(self):
        """What the library calls this kind of layer."""
        return f"RNN_{self.nonlinearity.upper()}"

    def shapes(self, width):
        """Names and shapes of one direction's parameters."""
        return weight_shapes(width, self.hidden_size, 1, self.bias)

    def step(self, drive, h, p):
        """h_t from W x_t + b_W, (B, H), and h_{t-1}, (B, H)."""
        return NONLINEARITIES[self.nonlinearity](drive + F.linear(h, p["weight_hh"], p.get("bias_hh")))
