"""Input checks that every backend shares: what was expected, and what came.

Nothing here imports an array library. A check looks only at `shape` and at names, so NumPy arrays and torch tensors
are told apart by the caller, never by this file.
"""

import numbers


def positive_int(name, value):
    """Return `value` as an int; raise unless it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number, got {type(value).__name__} {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value}")
    return int(value)


def probability(name, value):
    """Return `value` as a float; raise unless it lies in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number in [0, 1], got {type(value).__name__} {value!r}")
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1], got {value}")
    return float(value)


def fraction(name, value):
    """Return `value` as a float; raise unless it lies strictly between 0 and 1."""
    if not 0 < probability(name, value) < 1:
        raise ValueError(f"{name} must lie in (0, 1), got {value}")
    return float(value)


def positive_number(name, value):
    """Return `value` as a float; raise unless it is finite and above 0."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a positive number, got {type(value).__name__} {value!r}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be a positive number, got {value}")
    return float(value)


def flag(name, value):
    """Return `value`; raise unless it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {type(value).__name__} {value!r}")
    return value


def choice(name, value, allowed):
    """Return `value`; raise unless it is one of `allowed`."""
    if value not in tuple(allowed):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def shape(name, array, expected):
    """Raise unless `array.shape` is `expected`: ints, or letters for sizes that are free, equal for equal letters.

    Letters speak to the reader too: `("T", "B", 3)` prints as (T, B, 3).
    """
    got, free = tuple(array.shape), {}
    fits = len(got) == len(expected) and all(
        have == (free.setdefault(want, have) if isinstance(want, str) else want) for want, have in zip(expected, got)
    )
    if not fits:
        raise ValueError(f"{name} must have shape {_format(expected)}, got {_format(got)}")


def cell(input_size, hidden_size, bias):
    """Check the arguments every cell takes."""
    positive_int("input_size", input_size)
    positive_int("hidden_size", hidden_size)
    flag("bias", bias)


def layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional):
    """Check the arguments every layer takes."""
    cell(input_size, hidden_size, bias)
    positive_int("num_layers", num_layers)
    flag("batch_first", batch_first)
    probability("dropout", dropout)
    flag("bidirectional", bidirectional)


def step(x, input_size):
    """Raise unless a cell's input is (B, D) with B >= 1, or (D,), with D = `input_size`."""
    shape("input", x, (input_size,) if len(x.shape) == 1 else ("B", input_size))
    if x.shape[0] == 0:
        raise ValueError(f"input must hold at least one sequence (B >= 1), got shape {_format(x.shape)}")


def sequence(x, input_size, batch_first):
    """Check a layer's input and return (is_batched, seq_len, batch).

    Raises:
        ValueError: not (T, B, D) or (T, D) with D = `input_size`, or a size of zero.
    """
    batched = ("B", "T", input_size) if batch_first else ("T", "B", input_size)
    got = tuple(x.shape)
    if len(got) not in (2, 3) or got[-1] != input_size:
        raise ValueError(
            f"input must have shape {_format(batched)}, or {_format(('T', input_size))} unbatched; got {_format(got)}"
        )
    if len(got) == 2:
        sizes = {"T": got[0]}
    else:
        sizes = dict(zip(batched[:2], got[:2]))
    for letter, what in (("T", "step"), ("B", "sequence")):
        if sizes.get(letter) == 0:
            raise ValueError(f"input must hold at least one {what} ({letter} >= 1), got shape {_format(got)}")
    return len(got) == 3, sizes["T"], sizes.get("B", 1)


def state_dict(expected, given):
    """Raise unless `given` has exactly the names and shapes of `expected` (two dicts of arrays)."""
    if not hasattr(given, "keys"):
        raise TypeError(f"state_dict must map names to arrays, got {type(given).__name__}")
    missing = [name for name in expected if name not in given]
    extra = [name for name in given if name not in expected]
    if missing or extra:
        parts = [f"missing {', '.join(missing)}"] * bool(missing) + [f"unexpected {', '.join(extra)}"] * bool(extra)
        raise ValueError(f"state_dict does not fit: {'; '.join(parts)}")
    for name, array in expected.items():
        if not hasattr(given[name], "shape"):
            raise TypeError(f"{name} must be an array, got {type(given[name]).__name__}")
        shape(name, given[name], tuple(array.shape))


def _format(sizes):
    inside = ", ".join(str(size) for size in sizes)
    return f"({inside},)" if len(sizes) == 1 else f"({inside})"
