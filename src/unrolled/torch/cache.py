"""A cache of keys and values that grows in place.

A new tensor for every token would copy all S steps before it, 1 + 2 + … + S steps in all; a buffer that doubles when it
is full copies 1 + 2 + 4 + … < 2 S.
"""

import torch


def append(past, new):
    """`past` and, behind it, `new`.

    Where gradients are recorded that is a new tensor, since the graph may hold the old one. Elsewhere it is the front
    of a buffer, at most half of which is free. Nothing that was handed out is ever written to: who goes on from one
    past a second time, when the place behind it is taken, gets a buffer of his own.

    Args:
        past: k or v of the steps so far, (B, h, S, d_h), or None if there are none.
        new: those of the next steps, (B, h, T, d_h).

    Returns:
        (B, h, S + T, d_h).
    """
    if past is None:
        return new
    if torch.is_grad_enabled():
        return torch.cat([past, new], 2)
    S, end = past.shape[2], past.shape[2] + new.shape[2]
    buffer = getattr(past, "buffer", None)                               # the whole, and how many steps are taken
    if buffer is None or not _free(*buffer, S, end):
        buffer = [torch.cat([past, new, torch.empty_like(past), torch.empty_like(new)], 2), end]
    else:
        buffer[0][:, :, S:end] = new
        buffer[1] = end
    longer = buffer[0][:, :, :end]
    longer.buffer = buffer
    return longer


def _free(whole, taken, S, end):
    """Can the steps S to end be written?"""
    writable = torch.is_inference_mode_enabled() or not whole.is_inference()
    return taken == S and whole.shape[2] >= end and writable
