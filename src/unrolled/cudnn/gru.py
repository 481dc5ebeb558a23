"""`torch.nn.GRU` and `torch.nn.GRUCell`, which say what runs, and refuse TF32 unless asked."""

from torch import nn

from unrolled import checks
from unrolled.cudnn.rnn import Described
from unrolled.torch.calls import check_dtype


class GRU(Described, nn.GRU):
    """`torch.nn.GRU`, with `describe()`, clear errors, and float32 kept whole.

    Args:
        input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype: as for
            `unrolled.torch.GRU`.
        allow_tf32: let cuDNN round float32 products to TF32.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    twin = nn.GRU

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, device=None, dtype=None, *, allow_tf32=False):
        checks.layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        check_dtype(dtype)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
                         device=device, dtype=dtype)
        self.allow_tf32 = checks.flag("allow_tf32", allow_tf32)


class GRUCell(Described, nn.GRUCell):
    """`torch.nn.GRUCell`, with `describe()` and clear errors."""

    twin = nn.GRUCell

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        checks.cell(input_size, hidden_size, bias, least=0)
        check_dtype(dtype)
        super().__init__(input_size, hidden_size, bias, device, dtype)
