"""`torch.nn.LSTM` and `torch.nn.LSTMCell`, which say what runs, and refuse TF32 unless asked."""

from torch import nn

from unrolled import checks
from unrolled.cudnn.rnn import Described
from unrolled.torch.calls import check_dtype


class LSTM(Described, nn.LSTM):
    """`torch.nn.LSTM`, with `describe()`, clear errors, and float32 kept whole.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype: as
            for `unrolled.torch.LSTM`.
        allow_tf32: let cuDNN round float32 products to TF32.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    state_names, twin = ("h", "c"), nn.LSTM

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, proj_size=0, device=None, dtype=None, *, allow_tf32=False):
        checks.layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        checks.proj_size(proj_size, hidden_size)
        check_dtype(dtype)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size,
                         device=device, dtype=dtype)
        self.allow_tf32 = checks.flag("allow_tf32", allow_tf32)


class LSTMCell(Described, nn.LSTMCell):
    """`torch.nn.LSTMCell`, with `describe()` and clear errors."""

    state_names, twin = ("h", "c"), nn.LSTMCell

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        checks.cell(input_size, hidden_size, bias, least=0)
        check_dtype(dtype)
        super().__init__(input_size, hidden_size, bias, device, dtype)
