"""Names and shapes of one direction's parameters, in the order of `torch.nn`, the same in every backend.

Nothing here imports an array library.
"""


def weight_shapes(width, hidden_size, blocks, bias, state_width=None):
    """The parameters of torch's recurrent layers: one block of H rows a gate, gates stacked."""
    rows = blocks * hidden_size
    shapes = {"weight_ih": (rows, width), "weight_hh": (rows, state_width or hidden_size)}
    return shapes | ({"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {})


def lstm_shapes(width, hidden_size, bias, peephole, forget_gate, layer_norm, proj_size=0):
    """The same for an LSTM, with what its options add."""
    H, gates = hidden_size, 4 if forget_gate is True else 3
    shapes = weight_shapes(width, H, gates, bias, proj_size)
    if proj_size:
        shapes |= {"weight_hr": (proj_size, H)}
    if peephole:
        shapes |= {"weight_peephole": (gates - 1, H)}
    if layer_norm:
        shapes |= {"norm_ih": (gates * H,), "norm_hh": (gates * H,), "norm_c": (H,)}
        shapes |= {"bias_c": (H,)} if bias else {}
    return shapes
