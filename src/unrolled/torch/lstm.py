"""The long short-term memory of Gers et al. (2000) as `nn.Module`s.

    i_t = σ(W_i x_t + U_i h_{t-1} + b_i)          input gate: how much is written
    f_t = σ(W_f x_t + U_f h_{t-1} + b_f)          forget gate: how much is kept
    g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)       candidate: what is written
    o_t = σ(W_o x_t + U_o h_{t-1} + b_o)          output gate: how much is shown
    c_t = f_t * c_{t-1} + i_t * g_t               cell
    h_t = o_t * tanh(c_t)                         state

Each W, U and b holds its four blocks of H rows in torch's order: i, f, g, o.
Letters: T steps, B batch, D input_size, H hidden_size, P proj_size, L num_layers, N directions.
Beside it: `lstm_variants` (other gates, peepholes, layer norm), `lstm_fused` (a backward pass by hand, faster).
"""

import torch
import torch.nn.functional as F
from torch import nn

from unrolled import checks
from unrolled.shapes import lstm_shapes
from unrolled.torch import fused as whole
from unrolled.torch import lstm_variants
from unrolled.torch.calls import check_cell_call
from unrolled.torch.stack import Cell, Stack, initialise, named


def step(drive, state, p):
    """The six equations.

    Args:
        drive: W x_t + b_W, (B, 4H).
        state: h_{t-1} and c_{t-1}, (B, H) each.
        p: `weight_hh`, U, (4H, H), and `bias_hh`, b_U, (4H,), if there is one.

    Returns:
        h_t and c_t, (B, H) each.
    """
    h, c = state
    a = drive + F.linear(h, p["weight_hh"], p.get("bias_hh"))      # (B, 4H)
    a_i, a_f, a_g, a_o = a.chunk(4, dim=-1)                        # (B, H) each
    i, f, g, o = a_i.sigmoid(), a_f.sigmoid(), a_g.tanh(), a_o.sigmoid()
    c = f * c + i * g
    return o * c.tanh(), c


VARIANTS = "peephole", "forget_gate", "forget_bias", "chrono", "layer_norm"


class _LSTM:
    """What the cell and the layer share: options, parameters, and which equations run."""

    state_names, mode = ("h", "c"), "LSTM"
    proj_size, recurrent_dropout = 0, 0.0
    beyond_library = ("peephole", False), ("forget_gate", True), ("layer_norm", False), ("recurrent_dropout", 0.0)

    def _options(self, bias, **options):
        checks.lstm_options(bias, **options)
        self.bias = bias
        for name, value in options.items():
            setattr(self, name, value)

    def shapes(self, width):
        """Names and shapes of one direction's parameters."""
        return lstm_shapes(width, self.hidden_size, self.bias, self.peephole, self.forget_gate, self.layer_norm,
                           self.proj_size)

    @torch.no_grad()
    def reset_parameters(self):
        """Draw all parameters anew; not uniform are gains of layer norms, and a forget gate that starts open."""
        initialise(self)
        H = self.hidden_size
        for suffix in [suffix for _, suffix in self._directions()] if isinstance(self, Stack) else [""]:
            p = named(self, suffix)
            for name in p.keys() & {"norm_ih", "norm_hh", "norm_c"}:
                p[name].fill_(1)
            if self.forget_bias is not None:
                p["bias_ih"][H : 2 * H], p["bias_hh"][H : 2 * H] = self.forget_bias, 0
            if self.chrono is not None:                            # b_f = log u, b_i = -b_f, u ~ U(1, T_max - 1)
                p["bias_ih"][H : 2 * H].uniform_(1, self.chrono - 1).log_()
                p["bias_ih"][:H] = -p["bias_ih"][H : 2 * H]
                p["bias_hh"][: 2 * H] = 0

    def drive(self, x, p):
        """W x_t + b_W, or its layer norm: the input's part of every step, (..., D) to (..., 4H)."""
        if self.layer_norm:
            return lstm_variants.normalised(F.linear(x, p["weight_ih"]), p["norm_ih"], p.get("bias_ih"))
        return F.linear(x, p["weight_ih"], p.get("bias_ih"))

    def step(self, drive, state, p):
        """(h_t, c_t) from `drive` and (h_{t-1}, c_{t-1})."""
        if "mask" in p:
            state = state[0] * p["mask"][: len(drive)], state[1]           # h alone: the cell keeps all it knows
        if self.forget_gate is not True or self.peephole or self.layer_norm:
            h, c = lstm_variants.step(drive, state, p, self.forget_gate)
        else:
            h, c = step(drive, state, p)
        return (F.linear(h, p["weight_hr"]) if self.proj_size else h), c


class LSTMCell(_LSTM, Cell, nn.LSTMCell):
    """One step of the six equations: the twin of `torch.nn.LSTMCell`.

    Args:
        input_size, hidden_size, bias, device, dtype: as for `LSTM`.
        peephole, forget_gate, forget_bias, chrono, layer_norm: as for `LSTM`.

    Raises:
        TypeError, ValueError: an argument outside what is listed there, or two that exclude each other.
    """

    shown, twin = (*Cell.shown, *VARIANTS), nn.LSTMCell

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None, *, peephole=False,
                 forget_gate=True, forget_bias=None, chrono=None, layer_norm=False):
        self._options(checks.flag("bias", bias), peephole=peephole, forget_gate=forget_gate, forget_bias=forget_bias,
                      chrono=chrono, layer_norm=layer_norm)
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input, hx=None):
        """Take one step.

        Args:
            input: x_t, (B, D), or (D,) unbatched.
            hx: the pair (h_{t-1}, c_{t-1}), (B, H) or (H,) each; zeros if left out.

        Returns:
            The pair (h_t, c_t).

        Raises:
            TypeError, ValueError: not a tensor, or one of another dtype, device or shape.
        """
        state, p = check_cell_call(self, input, hx), named(self)
        return self.step(self.drive(input, p), state, p)


class LSTM(_LSTM, Stack, nn.RNNBase):
    """A stack of LSTM layers, one or two directions: the twin of `torch.nn.LSTM`.

    Args:
        input_size, hidden_size: D and H.
        num_layers: L; layer l > 0 reads the outputs of layer l - 1.
        bias: learn b_W and b_U.
        batch_first: inputs and outputs are (B, T, ·) instead of (T, B, ·); states never are.
        dropout: probability with which an output between layers is zeroed in training mode.
        bidirectional: a second set of weights reads the sequence from its end; outputs are concatenated.
        proj_size: P; h_t is multiplied with `weight_hr`, (P, H), before anything reads it (Sak et al. 2014); 0: none.
        device, dtype: of the parameters.
        peephole: the gates read the cell too (Gers & Schmidhuber 2000): i and f see c_{t-1}, o sees c_t, through
            `weight_peephole`, one row a gate in the order i, f, o.
        forget_gate: True; False for the cell of Hochreiter & Schmidhuber (1997), where f_t = 1; "coupled" for
            f_t = 1 - i_t. The last two have three blocks of weights, i, g, o.
        forget_bias: what b_W + b_U of the forget gate starts from; torch's own start if left out.
        chrono: T_max, the longest lag expected: forget biases start at log u and input biases at -log u, with u uniform
            in [1, T_max - 1] (Tallec & Ollivier 2018).
        layer_norm: normalise W x_t, U h_{t-1} and c_t, each with a learned gain (Ba et al. 2016, eqs. 20-22).
        recurrent_dropout: probability with which a unit of h_{t-1} is hidden from the gates in training mode, one mask
            for all steps of a sequence (Gal & Ghahramani 2016).
        fused: run `lstm_fused`, the same equations with a backward pass written by hand; for the standard cell only,
            and packed sequences take the plain path.

    Raises:
        TypeError, ValueError: an argument outside what is listed above, or two that exclude each other.
    """

    shown, twin = ("proj_size", *Stack.shown, *VARIANTS, "recurrent_dropout", "fused"), nn.LSTM

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
                 bidirectional=False, proj_size=0, device=None, dtype=None, *, peephole=False, forget_gate=True,
                 forget_bias=None, chrono=None, layer_norm=False, recurrent_dropout=0.0, fused=False):
        checks.layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        self._options(bias, peephole=peephole, forget_gate=forget_gate, forget_bias=forget_bias, chrono=chrono,
                      layer_norm=layer_norm, fused=fused)
        self.proj_size = checks.proj_size(proj_size, hidden_size)
        self.recurrent_dropout = checks.probability("recurrent_dropout", recurrent_dropout)
        if fused and (proj_size or recurrent_dropout):
            raise ValueError("fused=True is for the standard cell: no proj_size, no recurrent_dropout")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)

    def _run(self, x, sizes, state, p, reverse):
        if self.fused and whole.fits(x, sizes, state, p):
            return whole.run("lstm", x, state, p, reverse)
        if self.recurrent_dropout and self.training:
            p = p | {"mask": F.dropout(torch.ones_like(state[0]), self.recurrent_dropout)}       # (B, H)
        return super()._run(x, sizes, state, p, reverse)
