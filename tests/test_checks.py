"""The input checks: what passes, what is refused, and whether the message says what was expected and what came."""

from types import SimpleNamespace

import numpy as np
import pytest

from unrolled import checks

NAN, INF = float("nan"), float("inf")


def shaped(*shape):
    """Anything that has a shape will do: the checks know no array library."""
    return SimpleNamespace(shape=shape)


@pytest.mark.parametrize(("check", "value", "expected"), [
    (checks.positive_int, 1, 1),
    (checks.positive_int, np.int32(7), 7),
    (checks.probability, 0, 0.0),
    (checks.probability, 1, 1.0),
    (checks.probability, np.float32(0.5), 0.5),
    (checks.fraction, 0.25, 0.25),
    (checks.positive_number, 3, 3.0),
    (checks.positive_number, np.float64(0.1), 0.1),
    (checks.flag, False, False),
], ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_fitting_value_comes_back_as_a_plain_one(check, value, expected):
    got = check("size", value)
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(("check", "value", "error", "message"), [
    (checks.positive_int, 0, ValueError, "size must be at least 1, got 0"),
    (checks.positive_int, -1, ValueError, "size must be at least 1, got -1"),
    (checks.positive_int, 2.5, TypeError, "size must be a whole number, got float 2.5"),
    (checks.positive_int, 2.0, TypeError, "size must be a whole number, got float 2.0"),
    (checks.positive_int, True, TypeError, "size must be a whole number, got bool True"),
    (checks.probability, -0.01, ValueError, "size must lie in [0, 1], got -0.01"),
    (checks.probability, 1.01, ValueError, "size must lie in [0, 1], got 1.01"),
    (checks.probability, NAN, ValueError, "size must lie in [0, 1], got nan"),
    (checks.probability, False, TypeError, "size must be a number in [0, 1], got bool False"),
    (checks.probability, 1j, TypeError, "size must be a number in [0, 1], got complex 1j"),
    (checks.fraction, 0, ValueError, "size must lie in (0, 1), got 0"),
    (checks.fraction, 1, ValueError, "size must lie in (0, 1), got 1"),
    (checks.fraction, NAN, ValueError, "size must lie in [0, 1], got nan"),
    (checks.positive_number, 0, ValueError, "size must be a positive number, got 0"),
    (checks.positive_number, NAN, ValueError, "size must be a positive number, got nan"),
    (checks.positive_number, INF, ValueError, "size must be a positive number, got inf"),
    (checks.positive_number, "1", TypeError, "size must be a positive number, got str '1'"),
    (checks.positive_number, True, TypeError, "size must be a positive number, got bool True"),
    (checks.flag, 1, TypeError, "size must be True or False, got int 1"),
    (checks.flag, None, TypeError, "size must be True or False, got NoneType None"),
], ids=lambda value: getattr(value, "__name__", str(value)) if not isinstance(value, str) else "")
def test_a_value_that_does_not_fit_is_named(refuses, check, value, error, message):
    with refuses(error, message):
        check("size", value)


def test_a_choice_names_what_there_is_to_choose(refuses):
    assert checks.choice("mode", "b", {"a": 1, "b": 2}) == "b"
    with refuses(ValueError, "mode must be one of 'a', 'b', got 'c'"):
        checks.choice("mode", "c", {"a": 1, "b": 2})


@pytest.mark.parametrize(("shape", "expected"), [
    ((), ()), ((3,), (3,)), ((5, 2, 3), ("T", "B", 3)), ((0, 3), ("T", 3)), ((4, 4), ("H", "H")),
], ids=str)
def test_a_letter_stands_for_any_size(shape, expected):
    checks.shape("x", shaped(*shape), expected)


@pytest.mark.parametrize(("shape", "expected", "message"), [
    ((5, 2, 4), ("T", "B", 3), "x must have shape (T, B, 3), got (5, 2, 4)"),
    ((5, 2), ("T", "B", 3), "x must have shape (T, B, 3), got (5, 2)"),
    ((5,), (4,), "x must have shape (4,), got (5,)"),
    ((4, 3), ("H", "H"), "x must have shape (H, H), got (4, 3)"),
    ((), ("T",), "x must have shape (T,), got ()"),
], ids=str)
def test_a_shape_that_does_not_fit_is_named(refuses, shape, expected, message):
    with refuses(ValueError, message):
        checks.shape("x", shaped(*shape), expected)


@pytest.mark.parametrize(("shape", "batch_first", "expected"), [
    ((5, 2, 3), False, (True, 5, 2)), ((2, 5, 3), True, (True, 5, 2)), ((5, 3), False, (False, 5, 1)),
    ((5, 3), True, (False, 5, 1)),
], ids=str)
def test_a_sequence_says_whether_it_is_batched_how_long_and_how_many(shape, batch_first, expected):
    assert checks.sequence(shaped(*shape), 3, batch_first) == expected
