"""Which variant a term gets: drawn by the term's secret, so that it can be drawn again but not guessed."""

import hashlib
import hmac


def draw(assignment, secret):
    """Pick one value per axis; never the specimen, whose solution is public.

    Args:
        assignment: an `Assignment`.
        secret: the term's secret, a non-empty string.

    Returns:
        A dict axis -> value.

    Raises:
        ValueError: an empty secret.
    """
    if not isinstance(secret, str) or not secret.strip():
        raise ValueError(f"a term's secret is a string that is not empty, got {secret!r}")
    attempt = 0
    while True:
        variant = {axis: values[_number(secret, assignment.name, axis, attempt) % len(values)]
                   for axis, values in assignment.axes.items()}
        if variant != dict(assignment.specimen):
            return variant
        attempt += 1


def neighbours(assignment_axes, variant):
    """Every variant that differs in one axis, as pairs (axis, variant)."""
    for axis, values in assignment_axes.items():
        for value in values:
            if value != variant[axis]:
                yield axis, {**variant, axis: value}


def _number(*parts):
    secret, *rest = map(str, parts)
    return int.from_bytes(hmac.new(secret.encode(), "/".join(rest).encode(), hashlib.sha256).digest())
