"""What the tests of the NumPy layers share: an oracle that knows no calculus."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def central_difference():
    """The gradient of `function()`, a scalar, with respect to an array that it reads: entry by entry, in place.

    Of fourth order, because layer norm bends sharply where what it normalises is almost constant.
    """

    def gradient_of(function, array, step=1e-5):
        gradient = np.empty_like(array)
        for index in np.ndindex(array.shape):
            kept, values = array[index], []
            for offset in (2, 1, -1, -2):
                array[index] = kept + offset * step
                values.append(function())
            array[index] = kept
            gradient[index] = np.dot(values, (-1, 8, -8, 1)) / (12 * step)
        return gradient

    return gradient_of
