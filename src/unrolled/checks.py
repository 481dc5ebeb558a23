"""Input checks that every backend shares: what was expected, and what came.

Nothing here imports an array library. A check looks only at `shape` and at names, so NumPy arrays and torch tensors
are told apart by the caller, never by this file.
"""

import numbers


class Misfit(ValueError, RuntimeError, AssertionError):
    """What came does not fit: a ValueError, and what else `torch.nn` raises there, RuntimeError or AssertionError."""


class WrongType(TypeError, Misfit):
    """The numbers that came are of another type than expected."""


def positive_int(name, value, least=1):
    """Return `value` as an int; raise unless it is a whole number of at least 1, or of `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} must be a whole number, got {type(value).__name__} {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return int(value)


def sizes(**named):
    """Raise unless every one is a whole number of at least 1."""
    for name, value in named.items():
        positive_int(name, value)


def proj_size(value, hidden_size):
    """Return `value`; raise unless it is 0, for none, or a whole number below `hidden_size`."""
    if value != 0 or isinstance(value, bool):
        positive_int("proj_size", value)
    if value >= hidden_size:
        raise ValueError(f"proj_size must be below hidden_size {hidden_size}, got {value}")
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


def not_negative(name, value):
    """Return `value` as a float; raise unless it is finite and at least 0."""
    if finite_number(name, value) < 0:
        raise ValueError(f"{name} must be at least 0, got {value}")
    return float(value)


def finite_number(name, value):
    """Return `value` as a float; raise unless it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__} {value!r}")
    if not abs(value) < float("inf"):
        raise ValueError(f"{name} must be a finite number, got {value}")
    return float(value)


def flag(name, value):
    """Return `value`; raise unless it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {type(value).__name__} {value!r}")
    return value


def choice(name, value, allowed):
    """Return `value`; raise unless it is one of `allowed`."""
    if value not in tuple(allowed):
        raise Misfit(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
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
        raise Misfit(f"{name} must have shape {_format(expected)}, got {_format(got)}")


def cell(input_size, hidden_size, bias, least=1):
    """Check the arguments every cell takes; sizes of at least `least`."""
    positive_int("input_size", input_size, least)
    positive_int("hidden_size", hidden_size, least)
    flag("bias", bias)


def layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional):
    """Check the arguments every layer takes."""
    cell(input_size, hidden_size, bias)
    positive_int("num_layers", num_layers)
    flag("batch_first", batch_first)
    probability("dropout", dropout)
    flag("bidirectional", bidirectional)


def step(x, input_size):
    """Raise unless a cell's input is (B, D), or (D,), with D = `input_size`."""
    shape("input", x, (input_size,) if len(x.shape) == 1 else ("B", input_size))


def sequence(x, input_size, batch_first):
    """Check a layer's input and return (is_batched, seq_len, batch).

    Raises:
        ValueError, RuntimeError: not (T, B, D) or (T, D) with D = `input_size`, or no steps. A batch may be empty.
    """
    batched = ("B", "T", input_size) if batch_first else ("T", "B", input_size)
    got = tuple(x.shape)
    if len(got) not in (2, 3) or got[-1] != input_size:
        raise Misfit(
            f"input must have shape {_format(batched)}, or {_format(('T', input_size))} unbatched; got {_format(got)}"
        )
    sizes = {"T": got[0]} if len(got) == 2 else dict(zip(batched, got))
    if sizes["T"] == 0:
        raise Misfit(f"input must hold at least one step (T >= 1), got shape {_format(got)}")
    return len(got) == 3, sizes["T"], sizes.get("B", 1)


def heads(name, width, num_heads):
    """Return the width of one head; raise unless `num_heads` divides `width`."""
    positive_int(name, width)
    if width % positive_int("num_heads", num_heads):
        raise Misfit(f"{name} must be a multiple of num_heads {num_heads}, got {width}")
    return width // num_heads


def causal_transformer(d_model, head_dim, positions, max_len):
    """Check how a Transformer is told where a step stands."""
    if positions is not None:
        choice("positions", positions, ("sinusoidal", "learned", "rotary", "alibi", None))
    if (positions == "learned") != (max_len is not None):
        raise ValueError(f"max_len goes with positions='learned', got max_len={max_len!r}, positions={positions!r}")
    if positions == "sinusoidal":
        even("d_model", d_model)
    if positions == "rotary":
        even("d_model / nhead", head_dim)


def cache(given, num_layers):
    """Return a cache as a list of pairs (k, v); raise unless it has one a layer."""
    if not isinstance(given, (tuple, list)):
        raise TypeError(f"cache must be a list of pairs (k, v), got {type(given).__name__}")
    if len(given) != num_layers:
        raise ValueError(f"cache must hold {num_layers} pairs (k, v), one a layer, got {len(given)}")
    return [tuple(states(f"layer {layer} of cache", pair, ("k", "v")).values()) for layer, pair in enumerate(given)]


def fitting(arrays):
    """Check arrays together, {name: (array, shape)} as in `shape` with equal letters equal throughout.

    Returns:
        The sizes by letter.

    Raises:
        ValueError: an array that does not fit its shape or those before it.
    """
    sizes = {}
    for name, (array, letters) in arrays.items():
        shape(name, array, tuple(sizes.get(size, size) for size in letters))
        sizes |= {size: have for size, have in zip(letters, array.shape) if isinstance(size, str)}
    return sizes


def attention(query, key, value, widths, batch_first):
    """Check what multi-head attention is called with and return (is_batched, batch, target steps, source steps).

    Raises:
        ValueError: not (T, B, d), (S, B, kdim), (S, B, vdim) or the same without B.
    """
    batched = len(query.shape) == 3
    layout = ("B", "{}") if batch_first else ("{}", "B")
    layout = layout if batched else ("{}",)
    sizes = fitting({
        name: (array, (*(letter.format(steps) for letter in layout), width))
        for name, array, steps, width in zip(("query", "key", "value"), (query, key, value), "TSS", widths)
    })
    return batched, sizes.get("B", 1), sizes["T"], sizes["S"]


def scaled_dot_product(q, k, v):
    """Raise unless q is (..., T, d_h), k (..., S, d_h) and v (..., S, d_v)."""
    for name, array in (("q", q), ("k", k), ("v", v)):
        if len(array.shape) < 2:
            raise Misfit(f"{name} must have shape (..., steps, width), got {_format(array.shape)}")
    lead = tuple(q.shape[:-2])
    fitting({"q": (q, (*lead, "T", "d_h")), "k": (k, (*lead, "S", "d_h")), "v": (v, (*lead, "S", "d_v"))})


def broadcasts(name, array, expected):
    """Raise unless `array` broadcasts to the shape `expected`."""
    got = tuple(array.shape)
    fits = len(got) <= len(expected) and all(h in (1, w) for h, w in zip(got[::-1], expected[::-1]))
    if not fits:
        raise Misfit(f"{name} must broadcast to {_format(expected)}, got {_format(got)}")


def ends_with(name, array, expected):
    """Raise unless the last sizes of `array` are `expected`."""
    got = tuple(array.shape)
    if got[-len(expected) :] != tuple(expected):
        raise Misfit(f"{name} must have shape {_format(('...', *expected))}, got {_format(got)}")


def even(name, value):
    """Return `value` as an int; raise unless it is a whole even number of at least 2."""
    if positive_int(name, value) % 2:
        raise ValueError(f"{name} must be even, got {value}")
    return int(value)


def query_and_keys(query, keys, query_size, key_size):
    """Raise unless queries are (B, T, q), or (B, q), and keys (B, S, k); no sizes: any, but equal."""
    steps = ("T",) * (len(query.shape) == 3)
    shape("query", query, ("B", *steps, query_size or "q"))
    shape("keys", keys, (query.shape[0], "S", key_size or query.shape[-1]))


def lstm_options(bias, *, peephole, forget_gate, forget_bias, chrono, layer_norm, fused=False):
    """Check the options that tell one LSTM from another.

    Raises:
        TypeError, ValueError: one outside what it can be, or two that exclude each other.
    """
    flag("peephole", peephole)
    if not isinstance(forget_gate, bool) and forget_gate != "coupled":
        raise ValueError(f"forget_gate must be one of True, False, 'coupled', got {forget_gate!r}")
    flag("layer_norm", layer_norm)
    flag("fused", fused)
    if forget_bias is not None:
        finite_number("forget_bias", forget_bias)
    if chrono is not None:
        if finite_number("chrono", chrono) <= 2:
            raise ValueError(f"chrono must be above 2, the longest lag in steps, got {chrono}")
        if forget_bias is not None:
            raise ValueError("forget_bias and chrono both set the forget gate's bias: give one")
    start = "forget_bias" if forget_bias is not None else "chrono" if chrono is not None else None
    if start and forget_gate is not True:
        raise ValueError(f"{start} needs a forget gate of its own, got forget_gate={forget_gate!r}")
    if start and not bias:
        raise ValueError(f"{start} needs bias=True, got bias=False")
    if fused and (peephole or layer_norm or forget_gate is not True):
        raise ValueError("fused=True is for the standard cell: no peephole, no layer_norm, forget_gate=True")


def gru_options(reset_after, fused=False):
    """Check the options that tell one GRU from another."""
    flag("reset_after", reset_after)
    if flag("fused", fused) and not reset_after:
        raise ValueError("fused=True is for reset_after=True, the library's convention")


def given(name, value):
    """Return `value`; raise if it is None."""
    if value is None:
        raise TypeError(f"{name} must be given, got None")
    return value


def states(name, given, names):
    """Return the parts of a state by name: the state itself where `names` is one, else as many as there are names.

    Raises:
        TypeError: not a tuple or list, though there are several names.
        ValueError: another number of parts.
    """
    if len(names) == 1:
        return {name: given}
    expected = f"{name} must be a pair ({', '.join(names)})"
    if not isinstance(given, (tuple, list)):
        raise TypeError(f"{expected}, got {type(given).__name__}")
    if len(given) != len(names):
        raise Misfit(f"{expected}, got {len(given)} parts")
    return {f"{part} of {name}": value for part, value in zip(names, given)}


def names(what, expected, given):
    """Raise unless `given` holds exactly the names in `expected`."""
    missing = [name for name in expected if name not in given]
    extra = [name for name in given if name not in expected]
    if missing or extra:
        parts = [f"missing {', '.join(missing)}"] * bool(missing) + [f"unexpected {', '.join(extra)}"] * bool(extra)
        raise Misfit(f"{what} does not fit: {'; '.join(parts)}")


def state_dict(expected, given):
    """Raise unless `given` has exactly the names and shapes of `expected` (two dicts of arrays)."""
    if not hasattr(given, "keys"):
        raise TypeError(f"state_dict must map names to arrays, got {type(given).__name__}")
    names("state_dict", expected, given)
    for name, array in expected.items():
        if not hasattr(given[name], "shape"):
            raise TypeError(f"{name} must be an array, got {type(given[name]).__name__}")
        shape(name, given[name], tuple(array.shape))


def _format(sizes):
    inside = ", ".join(str(size) for size in sizes)
    return f"({inside},)" if len(sizes) == 1 else f"({inside})"
