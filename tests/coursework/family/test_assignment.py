"""How a row calls functions of this process, and how it is lost."""

import numpy as np
import pytest
from coursework.family.assignment import Direct, Lost


def test_direct_says_what_the_sandbox_says():
    def fails(x):
        raise ValueError("no")

    direct = Direct({"fails": fails, "nothing": lambda x: None, "number": 3})
    for name, message in {"fails": "`fails` raised ValueError: no", "nothing": "`nothing` returned None: is a `return`",
                          "number": "there is no function `number`", "absent": "there is no function `absent`"}.items():
        with pytest.raises(Lost) as caught:
            direct.call(name, x=np.zeros(1))
        assert caught.value.message.startswith(message)
        assert caught.value.earned == 0


def test_direct_gives_copies():
    given = {"x": np.zeros(2), "weights": {"w": np.zeros(2)}}

    def spoil(x, weights):
        x += 1
        weights["w"] += 1
        return x

    Direct({"spoil": spoil}).call("spoil", **given)
    assert not given["x"].any()
    assert not given["weights"]["w"].any()


def test_a_row_is_earned_from_nothing_to_all():
    with pytest.raises(ValueError, match="from 0 to 1, got 2"):
        Lost("x", earned=2)
