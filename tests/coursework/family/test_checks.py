"""What a comparison says of a wrong answer, and what a part of it is worth."""

import numpy as np
import pytest
from coursework.family import checks
from coursework.family.assignment import Lost

WANT = np.random.default_rng(0).standard_normal((5, 3, 4))


def message(got, want=WANT, suspects=(), layout="T B H"):
    with np.errstate(all="ignore"), pytest.raises(Lost) as lost:          # as a row is run
        checks.close({"h": got}, want, checks.FORWARD, "h", layout, suspects)
    assert lost.value.earned == 0
    return lost.value.message


@pytest.mark.parametrize(("got", "said"), [
    (WANT.swapaxes(0, 1), "its first two axes look swapped"),
    (WANT[1:], "1 too few along its first axis"),
    (WANT[:, :, :2], "expected (5, 3, 4) (T, B, H)"),
    (np.ones_like(WANT, dtype=int), "has the dtype int64"),
    (np.where(WANT > 0, np.nan, WANT), "is not finite"),
    (0 * WANT, "It is zero everywhere"),
    (-WANT, "Its sign is turned"),
    (WANT / 3, "the right answer times 1/3"),
    (2 * WANT, "the right answer times 2."),
    (1.2345 * WANT, "the right answer times a constant"),
    (WANT[::-1], "the last one first"),
    (np.concatenate([WANT[:1], WANT[:-1]]), "It is off by one step"),
    (WANT + np.arange(5).reshape(5, 1, 1).clip(3) - 3, "12 of 60 entries (T, B, H), the first of them at step t = 4"),
    (WANT * (1 + 1e-3), "is wrong"),
    (WANT * 1e-320, "is wrong"),
    (np.sign(WANT) * 1.7e308, "is wrong"),
    (WANT[None], "has the shape (1, 5, 3, 4), expected (5, 3, 4)"),
])
def test_a_wrong_answer_is_described(got, said):
    assert said in message(got)


def test_a_vector_with_an_axis_too_many_is_refused_and_not_the_grader_s_fault():
    assert "has the shape (1, 3), expected (3,)" in message(WANT[0, :, 0][None], WANT[0, :, 0], layout="H")


def test_a_missing_entry_is_named_with_what_is_there_instead():
    with pytest.raises(Lost, match="has no 'h'; it has y, 2"):
        checks.close({"y": WANT, "2": WANT}, WANT, checks.FORWARD, "h")


def test_a_suspect_is_named_only_where_it_agrees_and_is_not_right_itself():
    suspects = [("it is right", {"h": WANT}), ("something else", {"y": 3 * WANT}), ("the cube", {"h": WANT**3})]
    assert "It looks like this: the cube." in message(WANT**3, suspects=suspects)
    assert "looks like" not in message(WANT**2, suspects=suspects)


@pytest.mark.parametrize("got", [WANT, WANT.astype(np.float32), WANT * (1 + 1e-5), np.asfortranarray(WANT)])
def test_right_answers_pass(got):
    checks.close({"h": got}, WANT, checks.FORWARD, "h")


def test_a_number_in_brackets_is_a_number():
    checks.close({"loss": np.array([2.0])}, np.array(2.0), checks.FORWARD, "loss")


def test_of_several_cases_those_that_are_right_count_and_only_the_first_wrong_one_explains_itself():
    asked = []

    def attempt(explain, wrong):
        asked.append(explain)
        if wrong:
            raise Lost("no")

    with pytest.raises(Lost, match=r"second: no \(2 of 4 cases are wrong\)") as lost:
        checks.each((title, lambda explain, wrong=wrong: attempt(explain, wrong)) for title, wrong in (
            ("first", False), ("second", True), ("third", True), ("fourth", False)))
    assert lost.value.earned == 0.5
    assert asked == [True, True, False, False]
