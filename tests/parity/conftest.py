"""A second opinion on cells that `torch.nn` does not have: each as its papers define it, sharing nothing with ours."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, unpack_sequence


class Definition(nn.Module):
    """A layer or cell, one sequence, one step and one gate at a time; the derivatives are autograd's.

    Args:
        like: an `unrolled.torch` layer or cell, for its options and its parameters.
    """

    def __init__(self, like):
        super().__init__()
        self.like = [like]                                                   # in a list: not a part of this module
        self.pair = len(like.state_names) == 2
        if hasattr(like, "num_layers"):
            self.num_layers = like.num_layers
        for name, parameter in like.named_parameters():
            self.register_parameter(name, nn.Parameter(parameter.detach().clone()))
            if name.startswith("norm"):                                      # a gain of 1 would hide a gain left out
                nn.init.uniform_(getattr(self, name), 0.1, 0.5)

    def forward(self, x, state=None):
        like = self.like[0]
        cell, packed = not hasattr(like, "num_layers"), isinstance(x, PackedSequence)
        batched = packed or x.dim() == (2 if cell else 3)
        if packed:
            sequences = unpack_sequence(x)
        else:
            x = x[:, None] if cell and batched else x[None] if cell or not batched else x
            sequences = list(x if cell or not batched or like.batch_first else x.unbind(1))
        sequences = [x] if cell and not batched else sequences
        parts = [] if state is None else list(state) if self.pair else [state]
        parts = [part.unsqueeze(-2) for part in parts] if not batched else parts
        parts = [part[None] for part in parts] if cell else parts            # (L·N, B, H)
        results = [self.stack(one, [part[:, b] for part in parts]) for b, one in enumerate(sequences)]
        final = [torch.stack([last[k] for _, last in results], 1) for k in range(1 + self.pair)]
        final = [part[0] for part in final] if cell else final
        final = final if batched else [part.squeeze(-2) for part in final]
        final = tuple(final) if self.pair else final[0]
        if cell:
            return final
        outputs = [output for output, _ in results]
        if packed:
            return pack_sequence(outputs, enforce_sorted=x.sorted_indices is None), final
        return (torch.stack(outputs, 0 if like.batch_first else 1) if batched else outputs[0]), final

    def stack(self, rows, state):
        """(T, D) and the states (L·N, H) to (T, N·H) and the final states."""
        like, final = self.like[0], [[] for _ in range(1 + self.pair)]
        suffixes = [""]
        if hasattr(like, "num_layers"):
            ends = ("", "_reverse") if like.bidirectional else ("",)
            suffixes = [f"_l{layer}{end}" for layer in range(like.num_layers) for end in ends]
        sides = []
        for k, suffix in enumerate(suffixes):
            p = {name.removesuffix(suffix): parameter for name, parameter in self.named_parameters()
                 if name.endswith(suffix) and ("reverse" in name) == ("reverse" in suffix)}
            now = [part[k] for part in state] or [rows.new_zeros(like.hidden_size) for _ in final]
            outputs = []
            for x in rows.flip(0) if suffix.endswith("reverse") else rows:
                now = lstm(x, *now, p, like) if self.pair else [gru(x, *now, p, like)]
                outputs.append(now[0])
            for part, last in zip(final, now):
                part.append(last)
            sides.append(torch.stack(outputs[::-1] if suffix.endswith("reverse") else outputs))
            if len(sides) == 1 + getattr(like, "bidirectional", False):
                rows, sides = torch.cat(sides, -1), []
        return rows, [torch.stack(part) for part in final]


def by_gate(p, name, letters):
    """The blocks of a stacked parameter by the letter of their gate; zeros for a bias that is not there."""
    if name in p:
        return dict(zip(letters, p[name].chunk(len(letters))))
    return dict.fromkeys(letters, 0)


def standardised(v):
    """(v - mean) / sqrt(biased variance + 1e-5), from the definition."""
    mean = v.sum() / len(v)
    return (v - mean) / (((v - mean) ** 2).sum() / len(v) + 1e-5) ** 0.5


def lstm(x, h, c, p, like):
    """One step of an LSTM: x (D,), h and c (H,)."""
    letters = "ifgo" if like.forget_gate is True else "igo"
    W, U, b, d = (by_gate(p, name, letters) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    from_x, from_h = {k: W[k] @ x for k in letters}, {k: U[k] @ h for k in letters}
    if like.layer_norm:
        from_x = p["norm_ih"] * standardised(torch.cat([from_x[k] for k in letters]))
        from_h = p["norm_hh"] * standardised(torch.cat([from_h[k] for k in letters]))
        from_x, from_h = (dict(zip(letters, v.chunk(len(letters)))) for v in (from_x, from_h))
    a = {k: from_x[k] + from_h[k] + b[k] + d[k] for k in letters}
    see = dict.fromkeys(letters, torch.zeros(len(c), len(c), dtype=c.dtype))
    if like.peephole:                                                        # a diagonal matrix, as Graves draws it
        see |= {k: torch.diag(row) for k, row in zip(letters.replace("g", ""), p["weight_peephole"])}
    i = 1 / (1 + torch.exp(-(a["i"] + see["i"] @ c)))
    if like.forget_gate is True:
        f = 1 / (1 + torch.exp(-(a["f"] + see["f"] @ c)))
    else:
        f = 1 - i if like.forget_gate == "coupled" else torch.ones_like(i)
    c = f * c + i * torch.tanh(a["g"])
    o = 1 / (1 + torch.exp(-(a["o"] + see["o"] @ c)))
    m = p["norm_c"] * standardised(c) + p.get("bias_c", 0) if like.layer_norm else c
    return o * torch.tanh(m), c


def gru(x, h, p, like):
    """One step of a GRU: x (D,), h (H,)."""
    W, U, b, d = (by_gate(p, name, "rzn") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    r, z = (1 / (1 + torch.exp(-(W[k] @ x + b[k] + U[k] @ h + d[k]))) for k in "rz")
    if like.reset_after:
        n = torch.tanh(W["n"] @ x + b["n"] + r * (U["n"] @ h + d["n"]))
    else:
        n = torch.tanh(W["n"] @ x + b["n"] + U["n"] @ (r * h) + d["n"])
    return n + z * (h - n)


@pytest.fixture(scope="session")
def definition():
    return Definition
