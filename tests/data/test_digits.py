"""Handwritten digits as sequences: the split, the order of rows, the range."""

import numpy as np
import pytest
import sklearn.datasets

from unrolled.data import load_digits

NAN = float("nan")


def rows(images):
    return {image.tobytes() for image in images}


def test_every_image_is_in_one_part_and_classes_keep_their_share():
    x_train, x_test, y_train, y_test = load_digits()
    assert x_train.shape == (1347, 8, 8)
    assert x_test.shape == (450, 8, 8)
    assert not rows(x_train) & rows(x_test)
    assert np.abs(np.bincount(y_train) / 1347 - np.bincount(y_test) / 450).max() < 0.002


def test_images_are_scikit_learns_from_top_to_bottom():
    x_train, x_test, _, _ = load_digits()
    original = (sklearn.datasets.load_digits().images / 16).astype(np.float32)
    assert rows(x_train) | rows(x_test) == rows(original)


def test_dtypes_and_range_are_as_documented():
    x_train, _, y_train, _ = load_digits()
    assert x_train.dtype == np.float32
    assert y_train.dtype == np.int64
    assert (x_train.min(), x_train.max()) == (0, 1)
    assert set(y_train) == set(range(10))


def test_a_seed_decides_the_split():
    assert np.array_equal(load_digits(seed=1)[1], load_digits(seed=1)[1])
    assert not np.array_equal(load_digits(seed=1)[1], load_digits(seed=2)[1])


@pytest.mark.parametrize(("test_size", "error", "message"), [
    (0, ValueError, "test_size must lie in (0, 1), got 0"),
    (1.0, ValueError, "test_size must lie in (0, 1), got 1.0"),
    (-0.5, ValueError, "test_size must lie in [0, 1], got -0.5"),
    (450, ValueError, "test_size must lie in [0, 1], got 450"),
    (NAN, ValueError, "test_size must lie in [0, 1], got nan"),
    ("half", TypeError, "test_size must be a number in [0, 1], got str 'half'"),
    (None, TypeError, "test_size must be a number in [0, 1], got NoneType None"),
    (True, TypeError, "test_size must be a number in [0, 1], got bool True"),
    (0.001, ValueError, "should be greater or equal to the number of classes = 10"),
], ids=str)
def test_a_wrong_test_size_is_named(refuses, test_size, error, message):
    with refuses(error, message):
        load_digits(test_size)
