"""Handwritten digits as sequences of rows: 1,797 images of 8 × 8 pixels that come with scikit-learn.

Source: E. Alpaydin & C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
DOI 10.24432/C50P49, CC BY 4.0 (the test part, as scikit-learn ships it).
"""

import numpy as np
import sklearn.datasets
from sklearn.model_selection import train_test_split

from unrolled import checks


def load_digits(test_size=0.25, seed=0):
    """Split the digits into a training and a test part, stratified by class.

    Args:
        test_size: fraction of the images in the test part, in (0, 1).
        seed: of the split.

    Returns:
        x_train, x_test, y_train, y_test: images as (images, 8 steps from top to bottom, 8 pixels from left to right),
        float32 in [0, 1], and their classes 0 ... 9, int64.

    Raises:
        TypeError, ValueError: `test_size` is not a number in (0, 1), or leaves a class without an image in a part.
    """
    checks.fraction("test_size", test_size)
    digits = sklearn.datasets.load_digits()
    images, labels = (digits.images / 16).astype(np.float32), digits.target.astype(np.int64)
    return train_test_split(images, labels, test_size=test_size, random_state=seed, stratify=labels)
