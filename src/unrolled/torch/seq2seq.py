"""From one sequence of symbols to another: an encoder and a decoder, with or without attention between them.

    h_1 … h_S = GRU(E_x x_1 … E_x x_S)                       (1)  encoder; padding is never read
    s_t = GRU(E_y y_{t-1}, s_{t-1}),   s_0 = h_S             (2)  decoder
    c_t = Σ_s a_ts h_s                                       (3)  context: a score of `scores`, q_t = s_t, k_s = h_s
    s̃_t = tanh(W_c [c_t; s_t]);        without attention s_t (4)
    p(y_t | y_<t, x) = softmax(W_y s̃_t + b_y)                (5)

Without attention h_S is all that the decoder learns of the source: Sutskever, Vinyals & Le 2014. With it, the order of
the equations is that of Luong, Pham & Manning 2015 for every score, so that two models differ in the score alone;
Bahdanau, Cho & Bengio 2015 score with s_{t-1} and feed c_t into (2), which forbids running all steps of (2) at once.

Letters: B batch, S source steps, T target steps, H hidden_size, K target_symbols, W width of the beam.
The symbol `end`, number K, closes every target. It is also y_0, what the decoder reads first.
The GRUs are the library's, for speed; the from-scratch `GRU` takes the same state_dict and gives the same.
Not here: dropout, several layers, input feeding, a penalty for length in the beam.
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from unrolled import checks
from unrolled.torch.calls import check_dtype
from unrolled.torch.precision import wide
from unrolled.torch.scores import AdditiveAttention, ConcatAttention, DotAttention, GeneralAttention
from unrolled.torch.twin import Module


class EncoderDecoder(Module):
    """The equations above.

    Args:
        source_symbols: how many different symbols a source is made of, numbered from 0.
        target_symbols: K, how many a target is made of, `end` not counted.
        embed_dim: width of E_x and E_y.
        hidden_size: H, of h and s, and of the hidden layer of the additive and concat scores.
        attention: None, "additive", "dot", "general" or "concat".
        bidirectional: let the encoder read in both directions, with H / 2 units each, so that h is as wide either way.
        device, dtype: of the parameters.

    Raises:
        TypeError, ValueError: an argument outside what is listed above; an odd H for two directions.
    """

    def __init__(self, source_symbols, target_symbols, embed_dim, hidden_size, attention=None, bidirectional=False,
                 device=None, dtype=None):
        super().__init__()
        checks.sizes(source_symbols=source_symbols, target_symbols=target_symbols, embed_dim=embed_dim,
                     hidden_size=hidden_size)
        checks.choice("attention", attention, (None, "additive", "dot", "general", "concat"))
        if checks.flag("bidirectional", bidirectional) and hidden_size % 2:
            raise ValueError(f"hidden_size must be even for two directions, got {hidden_size}")
        check_dtype(dtype)
        H, made = hidden_size, {"device": device, "dtype": dtype}
        self.source_symbols, self.end = source_symbols, target_symbols
        self.source_embedding = nn.Embedding(source_symbols, embed_dim, **made)
        self.target_embedding = nn.Embedding(target_symbols + 1, embed_dim, **made)
        self.encoder = nn.GRU(embed_dim, H // (1 + bidirectional), bidirectional=bidirectional, **made)
        self.decoder = nn.GRU(embed_dim, H, batch_first=True, **made)
        self.attention = {
            None: lambda: None,
            "additive": lambda: AdditiveAttention(H, H, H, **made),
            "dot": DotAttention,
            "general": lambda: GeneralAttention(H, H, **made),
            "concat": lambda: ConcatAttention(H, H, H, **made),
        }[attention]()
        self.combine = nn.Linear(2 * H, H, bias=False, **made) if attention else None
        self.readout = nn.Linear(H, target_symbols + 1, **made)

    def encode(self, source, lengths):
        """Equation 1.

        Args:
            source: symbols, (B, S), int64; whatever stands at and after a sequence's length is not read.
            lengths: of the sequences, (B,), int64, each from 1 to S.

        Returns:
            state: s_0, (1, B, H).
            memory: what `decode` attends to: h, (B, S, H), the padding, (B, S), and h as the score prepares it.

        Raises:
            TypeError, ValueError: not tensors of int64 of these shapes, a length or a symbol out of range.
        """
        _check_symbols("source", source, ("B", "S"))
        _check_symbols("lengths", lengths, (len(source),), 1, source.shape[1])
        padding = torch.arange(source.shape[1], device=source.device) >= lengths.to(source.device)[:, None]     # (B, S)
        source = source.masked_fill(padding, 0)
        _check_symbols("source", source, ("B", "S"), 0, self.source_symbols - 1)
        x = self.source_embedding(source)                            # (B, S, embed_dim)
        h, last = self.encoder(pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False))
        h, _ = pad_packed_sequence(h, batch_first=True, total_length=source.shape[1])      # (B, S, H), 0 in padding
        state = last.transpose(0, 1).reshape(1, len(source), -1)     # (1, B, H)  both directions side by side
        return state, (h, padding, self.attention.prepare(h)) if self.attention else None

    def decode(self, previous, state, memory):
        """Equations 2 to 5.

        Args:
            previous: y_{t-1} of T steps, (B, T).
            state: s before them, (1, B, H).
            memory: from `encode`.

        Returns:
            logits: of y_t, (B, T, K + 1).
            weights: a_ts, (B, T, S), or None without attention.
            state: s after them, (1, B, H).
        """
        s, state = self.decoder(self.target_embedding(previous), state)            # (B, T, H)
        if self.attention is None:
            return self.readout(s), None, state
        c, weights = self.attention(s, *memory)                      # (B, T, H), (B, T, S)
        return self.output(c, s), weights, state

    def output(self, c, s):
        """Equations 4 and 5 with attention: c_t and s_t, (B, T, H) each, to logits, (B, T, K + 1)."""
        return self.readout(self.combine(torch.cat([c, s], dim=-1)).tanh())

    def forward(self, source, lengths, target):
        """Teacher forcing: step t reads the true y_{t-1}, so that all steps run at once.

        Args:
            source, lengths: as in `encode`.
            target: symbols, (B, T), int64, `end` from each sequence's end on.

        Returns:
            logits: of every target symbol, (B, T, K + 1).
            weights: a_ts, (B, T, S), or None without attention.

        Raises:
            TypeError, ValueError: as `encode`, for the target too.
        """
        state, memory = self.encode(source, lengths)
        _check_symbols("target", target, (len(source), "T"), 0, self.end)
        start = target.new_full((len(target), 1), self.end)
        logits, weights, _ = self.decode(torch.cat([start, target[:, :-1]], dim=1), state, memory)
        return logits, weights

    def log_probability(self, source, lengths, target):
        """log p(target | source), (B,), of all symbols to the first `end` and of that; the arguments of `forward`.

        Summed in float32 at least.
        """
        logits, _ = self(source, lengths, target)
        log_p = logits.log_softmax(-1, dtype=wide(logits.dtype)).gather(-1, target[..., None])[..., 0]       # (B, T)
        ends = target == self.end
        return log_p.masked_fill(ends.cumsum(1) > ends, 0.0).sum(1)  # nothing counts after the first end

    @torch.no_grad()
    def greedy(self, source, lengths, max_len):
        """At every step the most probable symbol, which the next step reads.

        Args:
            source, lengths: as in `encode`.
            max_len: T, the most steps to take.

        Returns:
            symbols: (B, T), `end` from each sequence's end on.
            weights: a_ts, (B, T, S), or None without attention.

        Raises:
            TypeError, ValueError: as `encode`, or a `max_len` that is not a whole number of at least 1.
        """
        checks.positive_int("max_len", max_len)
        state, memory = self.encode(source, lengths)
        symbols, weights = [source.new_full((len(source), 1), self.end)], []
        finished = torch.zeros_like(symbols[0], dtype=torch.bool)    # (B, 1)
        for _ in range(max_len):
            logits, a, state = self.decode(symbols[-1], state, memory)
            symbols.append(logits.argmax(-1).masked_fill(finished, self.end))
            weights.append(a)
            finished = finished | (symbols[-1] == self.end)
        return torch.cat(symbols[1:], dim=1), torch.cat(weights, dim=1) if self.attention else None

    @torch.no_grad()
    def beam_search(self, source, lengths, max_len, width):
        """Keep the `width` most probable beginnings at every step; one that has ended stays as it is.

        Args:
            source, lengths, max_len: as in `greedy`.
            width: W, how many beginnings to keep.

        Returns:
            symbols: (B, W, T), the most probable first, `end` from each one's end on.
            log_p: their log-probabilities, (B, W), in float32 at least; -inf where there are fewer than W sequences.

        Raises:
            TypeError, ValueError: as `greedy`, or a `width` that is not a whole number of at least 1.
        """
        checks.sizes(max_len=max_len, width=width)
        B, W, V = len(source), width, self.end + 1
        state, memory = self.encode(source, lengths)
        state = state.repeat_interleave(W, dim=1)                    # (1, B·W, H)  a row for each beginning
        memory = memory and tuple(part.repeat_interleave(W, dim=0) for part in memory)
        symbols = source.new_full((B, W, max_len), self.end)
        last, finished = symbols[..., 0], torch.zeros((B, W), dtype=torch.bool, device=source.device)
        log_p = state.new_full((B, W), float("-inf"), dtype=wide(state.dtype))
        log_p[:, 0] = 0.0                                            # one empty beginning, not W of them
        only_end = log_p.new_full((V,), float("-inf"))
        only_end[self.end] = 0.0
        for t in range(max_len):
            logits, _, state = self.decode(last.reshape(B * W, 1), state, memory)
            step = logits.log_softmax(-1, dtype=log_p.dtype).reshape(B, W, V)
            step = torch.where(finished[..., None], only_end, step)
            log_p, best = (log_p[..., None] + step).flatten(1).topk(W)             # of W·V continuations
            parent, last = best // V, best % V                       # (B, W)
            symbols = symbols.take_along_dim(parent[..., None], dim=1)
            symbols[:, :, t] = last
            finished = finished.take_along_dim(parent, dim=1) | (last == self.end)
            rows = parent + W * torch.arange(B, device=source.device)[:, None]
            state = state[:, rows.flatten()]
        return symbols, log_p


def _check_symbols(name, value, expected, lowest=None, highest=None):
    """Raise unless `value` is a non-empty tensor of int64 with this shape, within these bounds if they are given."""
    if not isinstance(value, torch.Tensor) or value.dtype != torch.int64:
        raise TypeError(f"{name} must be a tensor of torch.int64, got {getattr(value, 'dtype', type(value).__name__)}")
    checks.shape(name, value, expected)
    if not value.numel():
        raise ValueError(f"{name} must not be empty, got shape {tuple(value.shape)}")
    if lowest is not None and not lowest <= int(value.min()) <= int(value.max()) <= highest:
        raise ValueError(f"{name} must lie in {lowest} ... {highest}, got {value.min()} ... {value.max()}")
