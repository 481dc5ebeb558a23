"""Two tasks in which a bit has to be remembered, and small networks that learn them side by side; no study of its own.

echo     a stream of bits; at every step the network names the bit of eight steps ago
recall   one bit, then noise; after the last step the network names the bit
"""

import torch
from torch import nn
from torch.nn import functional as F

from unrolled.instruments.gradients import truncated_bptt
from unrolled.training import seed_everything

LAG = 8                                                             # of the echo
RATE = 0.003                                                        # Adam's, for both tasks; it was not tuned


class Networks(nn.Module):
    """One tanh network and a read-out for each seed, every array with the seeds in front; they share no number.

    Args:
        seeds: one network each.
        input_size, hidden_size: D and H.
        recurrent: changes U in place before training, for instance `nn.init.orthogonal_`; torch's own draw without it.
    """

    def __init__(self, seeds, input_size, hidden_size=32, recurrent=None):
        super().__init__()
        parts = []
        for seed in seeds:
            seed_everything(seed)
            rnn, readout = nn.RNN(input_size, hidden_size), nn.Linear(hidden_size, 1)
            if recurrent:
                recurrent(rnn.weight_hh_l0)
            bias = rnn.bias_ih_l0 + rnn.bias_hh_l0
            parts.append((rnn.weight_ih_l0.T, rnn.weight_hh_l0.T, bias[None], readout.weight.T))
        self.W, self.U, self.b, self.V = (nn.Parameter(torch.stack(part).detach()) for part in zip(*parts))

    def states(self, x, h=None):
        """Run the recurrence: x (T, seeds, B, D) to all states, (T, seeds, B, H), and the last one."""
        drive, states = x @ self.W + self.b, []                     # (T, seeds, B, H)
        for drive_t in drive:
            h = torch.tanh(drive_t if h is None else torch.baddbmm(drive_t, h, self.U))
            states.append(h)
        return torch.stack(states), h

    def forward(self, x, h=None):
        """Logits of the bit, (T, seeds, B), and the last state."""
        states, h = self.states(x, h)
        return (states @ self.V).squeeze(-1), h


def echo(steps, seeds, generator, batch=16):
    """A stream of bits and what is asked of it.

    Args:
        steps, batch: T and B.
        seeds: how many networks read side by side, each a stream of its own.
        generator: of torch.

    Returns:
        The bits as ±1, (T, seeds, B, 1), and those of `LAG` steps earlier as 0 or 1, (T, seeds, B).
    """
    bits = torch.randint(2, (steps + LAG, seeds, batch), generator=generator).float()
    return 2 * bits[LAG:, ..., None] - 1, bits[:steps]


def bit_loss(logits, bits):
    """Cross-entropy, summed over everything, as truncation wants it."""
    return F.binary_cross_entropy_with_logits(logits, bits, reduction="sum")


def train_echo(seeds, chunk, recurrent=None, read_out_only=False, updates=300, steps=32):
    """Train on one long stream, an update every `steps` steps; the state is carried on throughout, nothing is clipped.

    Args:
        seeds: of the networks; the first one also seeds the stream.
        chunk: how many steps the gradient may go back at most.
        recurrent: as for `Networks`.
        read_out_only: leave W, U and b as they were drawn.
        updates, steps: how many, and of how many steps each.

    Returns:
        The networks, and the share of bits that each names on 500 new steps, (seeds,).
    """
    model, generator = Networks(seeds, 1, recurrent=recurrent), torch.Generator().manual_seed(seeds[0])
    optimizer = torch.optim.Adam([model.V] if read_out_only else model.parameters(), RATE)
    xs, ys = echo(updates * steps, len(seeds), generator)
    state = None
    for x, y in zip(xs.split(steps), ys.split(steps)):
        optimizer.zero_grad()
        _, state = truncated_bptt(model, bit_loss, x, y, chunk, state)
        optimizer.step()
    x, y = echo(500, len(seeds), generator)
    with torch.no_grad():
        right = (model(x)[0] > 0) == (y > 0.5)                      # (T, seeds, B)
    return model, right[LAG:].float().mean((0, 2)).numpy()


def recall(lag, seeds, generator, batch):
    """A bit and then noise of size 0.1.

    Args:
        lag: steps of noise after the bit.
        seeds, generator, batch: as for `echo`.

    Returns:
        Inputs, (lag + 1, seeds, B, 2), and the bit as 0 or 1, (seeds, B).
    """
    bit = torch.randint(2, (seeds, batch), generator=generator).float()
    x = 0.1 * torch.randn(lag + 1, seeds, batch, 2, generator=generator)
    x[0, ..., 0] = 2 * bit - 1
    return x, bit


def train_recall(seeds, lag, recurrent=None, updates=100, batch=16):
    """Train to name the bit after `lag` steps of noise; every update has new sequences, nothing is clipped.

    Args:
        seeds: of the networks; the first one also seeds the sequences.
        lag, batch: as for `recall`.
        recurrent: as for `Networks`.
        updates: how many.

    Returns:
        The share of bits named over the last 20 updates, before each update, (seeds,).
    """
    model, generator = Networks(seeds, 2, recurrent=recurrent), torch.Generator().manual_seed(seeds[0])
    optimizer, hits = torch.optim.Adam(model.parameters(), RATE), []
    for _ in range(updates):
        x, bit = recall(lag, len(seeds), generator, batch)
        logit = model(x)[0][-1]                                     # (seeds, B), the last step
        optimizer.zero_grad()
        bit_loss(logit, bit).backward()
        optimizer.step()
        hits.append(((logit > 0) == (bit > 0.5)).float().mean(1))
    return torch.stack(hits[-20:]).mean(0).detach().numpy()
