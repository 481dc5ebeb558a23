"""Encoder-decoders of chapter attention, seed by seed: what the page shows of one trained model each, and a control.

Parts, all trained as `bottleneck.train` does, at the rates that its record found: "vector" and "dot" turn
sequences round without attention and with the dot score, "dates" reads dates with the dot score, 600 updates each.
"longer-64" and "longer-128" turn sequences round through one vector of that width, with 3,000 updates.
"""

import itertools

import numpy as np
import torch
from scipy.stats import kendalltau
from torch.nn import functional as F

from unrolled.data.tasks import reversal
from unrolled.instruments import explanation
from unrolled.instruments.explanation import variation
from unrolled.studies import SEEDS, bottleneck, once
from unrolled.studies.bottleneck import LENGTHS, SYMBOLS
from unrolled.training import interval, six_digits

SETTINGS = {                    # task, attention, hidden size, updates; Adam's rate at the start is 0.01 for all
    "vector": ("reverse", None, 64, 600),
    "dot": ("reverse", "dot", 64, 600),
    "dates": ("dates", "dot", 64, 600),
    "longer-64": ("reverse", None, 64, 3000),
    "longer-128": ("reverse", None, 128, 3000),
}
RATE = 0.01
WIDTHS = 1, 2, 16               # of the beam


def run(part, seed):
    """Train one model and measure it.

    Args:
        part: a key of `SETTINGS`.
        seed: of the weights and of every batch.

    Returns:
        A dict of the arguments and of what `vector`, `dot`, `dates` or `longer` says.
    """
    task, attention, hidden_size, updates = SETTINGS[part]
    model, scored = bottleneck.train(task, attention, hidden_size, RATE, seed, updates)
    with torch.no_grad():
        found = MEASURES[part.split("-")[0]](model, scored)
    return {"part": part, "seed": seed} | {name: six_digits(value) for name, value in found.items()}


def vector(model, _):
    """Symbols right after the first greedy mistake, length 12; exact answers by width of the beam, lengths 8 to 12."""
    source, lengths, target = sequences(1000, 12, seed=7)
    forced = (model(source, lengths, target)[0].argmax(-1) == target)[:, :12]
    free = (model.greedy(source, lengths, 13)[0] == target)[:, :12]
    after = (~free).cumsum(1) - (~free).int() > 0
    found = {"forced": forced[after].float().mean().item(), "free": free[after].float().mean().item()}
    for width in WIDTHS:
        shares = [beam_exact(model, *sequences(500, n, seed=7), width) for n in (8, 10, 12)]
        found[f"beam_{width}"] = float(np.mean(shares))
    return found


def dot(model, _):
    """Exact answers without a mask; weights of attention of sequences of twelve; where they could lie elsewhere."""
    found = {"masked_512": padded(model, 512, True), "bare_12": padded(model, 12, False),
             "bare_512": padded(model, 512, False)}
    source, lengths, target = sequences(200, 12, seed=23)
    weights = model(source, lengths, target)[1]
    others = model(sequences(200, 12, seed=24)[0], lengths, target)[1]
    reach = [(weights.argmax(-1) == place).any(1).float().mean().item() for place in range(12)]
    return found | {"differ": variation(weights, others).mean().item(), "reach": min(reach),
                    "smallest_log10": weights.min().clamp_min(1e-45).log10().item(),
                    "largest": weights.max(-1).values.mean().item()}


def dates(model, scored):
    """Beams; rank correlation of weights with two ways of removing a character; other weights with the same output."""
    data, arrays = bottleneck.dates()
    asked = [part[:200] for part in arrays["days"]]
    found = {f"beam_{width}": beam_exact(model, *asked, width) for width in WIDTHS}
    weights, by_unknown = explanation.removal_effects(model, *asked, symbol=0)
    _, by_space = explanation.removal_effects(model, *asked, symbol=data.alphabet.index(" ") + 1)
    steps = [t for t, letter in enumerate("YYYY-MM-DD") if letter != "-"]
    ways = [[values[b, t, :n] for b, n in enumerate(asked[1]) for t in steps]
            for values in (weights, by_unknown, by_space)]
    for (one, other), name in zip(itertools.combinations(ways, 2), ("tau_unknown", "tau_space", "tau_ceiling")):
        found[name] = float(np.nanmean([kendalltau(*pair).statistic for pair in zip(one, other)]))
    with torch.enable_grad():
        own, other, moved = explanation.other_weights(model, *(part[:100] for part in arrays["days"]))
    elsewhere = ((moved <= 0.01) & (variation(own, other) > 0.5)).float().mean(0)
    return found | {"elsewhere": elsewhere[steps].mean().item(), "hits": scored["hits"]["days"]}


def longer(_, scored):
    """Sequences without a mistake at lengths 12, 14 and 16."""
    return {f"exact_{n}": scored["exact"][LENGTHS.index(n)] for n in (12, 14, 16)}


MEASURES = {"vector": vector, "dot": dot, "dates": dates, "longer": longer}


def sequences(count, length, seed):
    """Sequences to be turned round: source, lengths and target as tensors."""
    return [torch.from_numpy(part) for part in reversal(count, (length, length), seed, SYMBOLS)]


def beam_exact(model, source, lengths, target, width):
    """The share of answers without a mistake that a beam finds."""
    return (model.beam_search(source, lengths, target.shape[1], width)[0][:, 0] == target).all(1).float().mean().item()


def padded(model, total, masked, length=8):
    """The share of answers without a mistake in a batch filled up to `total` steps, with the mask or without."""
    source, lengths, target = sequences(500, length, seed=5)
    state, (h, padding, prepared) = model.encode(F.pad(source, (0, total - length)), lengths)
    memory = h, padding if masked else torch.zeros_like(padding), prepared
    symbol, said = source.new_full((500, 1), model.end), []
    for _ in range(length + 1):
        logits, _, state = model.decode(symbol, state, memory)
        symbol = logits.argmax(-1)
        said.append(symbol)
    return (torch.cat(said, 1) == target).all(1).float().mean().item()


@once
def runs(small):
    """All parts on one seed after another."""
    return [{"part": part, "seed": seed} for seed in (SEEDS[:1] if small else SEEDS) for part in SETTINGS]


def table(rows):
    """Lines: for each part the mean of every number, and the half-width of its interval."""
    for part in SETTINGS:
        found = [row for row in rows if row["part"] == part]
        if len(found) > 1:
            for name in found[0].keys() - {"part", "seed"}:
                yield "{:10} {:15} {:.3f} ± {:.3f}".format(part, name, *interval([row[name] for row in found]))
