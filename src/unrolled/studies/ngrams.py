"""What tables of counts make of the text of `budgets`: the baseline that every network has to beat.

A table of order n says how often each character followed the n - 1 before it. The orders are mixed from the lowest up:
p_n(c | h) = (count(h, c) + a p_(n-1)(c | h')) / (count(h) + a), where h' is h without its first character. The constant
a is chosen on the validation part. A table has read as many characters as the networks of a budget drew, or all there
are. Counts are whole numbers, so nothing here hangs on a seed; it hangs on the text, that of the running Python.
"""

import math
from collections import Counter

import numpy as np
import torch

from unrolled.data import load_source_code
from unrolled.data.source_code import ALPHABET
from unrolled.studies import once

DRAWN = 16 * 64                 # characters an update of `unrolled.studies.architectures` draws
BUDGETS = 400, 4_000
ORDERS = 2, 3, 4, 5, 6
LEAN = 30                       # the constant of `tables`, which choose none
CONSTANTS = 8, 16, 32, 64, 128, 256, 512
SCORED, COUNT, LONGEST, GROUPS = 32, 300, 256, 30               # the test windows of `unrolled.studies.budgets`


def run(order, updates):
    """Count, choose the constant, score.

    Args:
        order: characters that a table's entry spans, from 2.
        updates: of the networks with which it shares the number of characters.

    Returns:
        A dict of the arguments, `characters` read, `constant`, `perplexity` of the test, and `groups`, the mean loss in
        nats of each thirtieth of the test windows.
    """
    text = load_source_code()
    read = text.train[: updates * DRAWN]
    counts = [Counter(read[i : i + n] for i in range(len(read) - max(n, 1) + 1)) for n in range(order + 1)]
    scored = {part: [getattr(text, part)[place - order + 1 : place + 1] for place in _places(len(getattr(text, part)))]
              for part in ("validation", "test")}
    constant = min(CONSTANTS, key=lambda a: _losses(scored["validation"], counts, a).mean())
    losses = _losses(scored["test"], counts, constant)
    groups = [round(float(part.mean()), 4) for part in losses.reshape(GROUPS, -1)]
    return {"order": order, "updates": updates, "characters": len(read), "constant": constant,
            "perplexity": round(math.exp(losses.mean()), 4), "groups": groups}


def _places(size):
    """Where the scored characters stand, window by window."""
    ends = torch.linspace(LONGEST, size - 1, COUNT).long().numpy()
    return (ends[:, None] + np.arange(1 - SCORED, 1)).ravel()


def _losses(strings, counts, constant):
    """Minus the logarithm of the probability of each string's last character after those before it."""
    losses = []
    for string in strings:
        probability = 1 / len(ALPHABET)
        for n in range(1, len(string) + 1):
            before, whole = string[-n:-1] if n > 1 else "", string[-n:]
            probability = (counts[n][whole] + constant * probability) / (counts[n - 1][before] + constant)
        losses.append(-math.log(probability))
    return np.array(losses)


def tables(read, test, orders=5):
    """Perplexity of tables that counted a text: of single characters, of pairs, and so on.

    The table of order n says how often each character followed the n - 1 before it, and leans on the table of order
    n - 1 as if it had seen that one's answer `LEAN` times.

    Args:
        read: the text that is counted, as indices, (characters,).
        test: the text that is predicted; its first `orders` - 1 characters are only looked back at.
        orders: how many tables.

    Returns:
        The perplexity and the number of entries of each, two lists.
    """
    p, perplexities, entries = np.full(len(test) - orders + 1, 1 / len(ALPHABET)), [], []
    for n in range(1, orders + 1):
        followed, size = _times_seen(read, n, _stretches(test, n)[orders - n :])
        context = _times_seen(read, n - 1, _stretches(test, n - 1)[orders - n : -1])[0] if n > 1 else len(read)
        p = (followed + LEAN * p) / (context + LEAN)
        perplexities.append(math.exp(-np.log(p).mean()))
        entries.append(size)
    return perplexities, entries


def _stretches(characters, n):
    """Each stretch of n characters as one number, (N - n + 1,)."""
    codes = torch.zeros(len(characters) - n + 1, dtype=torch.int64)
    for i in range(n):
        codes = codes * len(ALPHABET) + characters[i : i + len(codes)]
    return codes.numpy()


def _times_seen(read, n, wanted):
    """How often each wanted stretch of n occurs in what was read, and how many different ones do."""
    seen, counts = np.unique(_stretches(read, n), return_counts=True)
    at = np.searchsorted(seen, wanted).clip(max=len(seen) - 1)
    return np.where(seen[at] == wanted, counts[at], 0), len(seen)


@once
def runs(small):
    """Every order at every budget."""
    return [{"order": order, "updates": updates} for updates in ((10,) if small else BUDGETS) for order in ORDERS]


def table(rows):
    """Lines: perplexity by budget and order."""
    for row in rows:
        yield (f"{row['characters']:9,} characters  order {row['order']}  constant {row['constant']:2}  "
               f"{row['perplexity']:.2f}")
