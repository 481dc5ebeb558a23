"""Every quiz: its form, and each option decided by code, so that no key is only typed."""

import math

import numpy as np
import pytest
import torch
from notebook_form import BOOK, pages
from unrolled_quiz import quizzes, shown_order

import unrolled

CHAPTERS = sorted(path.parent for path in BOOK.glob("*/quiz.yml"))
QUESTIONS = {f"{folder.name}/{page} {number}": entry for folder in CHAPTERS
             for page, entries in quizzes(folder).items() for number, entry in enumerate(entries, 1)}


def right(entry):
    return [one for one in entry["options"] if "right" in one]


def truths(entry):
    """Whether each option's sentence holds, found by running what is given."""
    names = {"math": math, "np": np, "torch": torch, "unrolled": unrolled, "rng": np.random.default_rng(0)}
    torch.manual_seed(0)
    exec(entry.get("given", ""), names)
    return [eval(one["holds"], names) for one in entry["options"]]


@pytest.mark.parametrize("entry", QUESTIONS.values(), ids=QUESTIONS)
def test_exactly_the_option_that_is_called_right_holds(entry):
    assert all(bool(truth) == ("right" in one) for truth, one in zip(truths(entry), entry["options"], strict=True))


@pytest.mark.parametrize("entry", QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_has_one_right_option_and_an_explanation_for_each(entry):
    assert set(entry) <= {"question", "given", "options"}
    assert all(set(one) in ({"text", "right", "holds"}, {"text", "wrong", "holds"}) for one in entry["options"])
    assert 3 <= len(entry["options"]) <= 5
    assert len(right(entry)) == 1
    assert all(len(one.get("right", one.get("wrong"))) >= 30 for one in entry["options"])
    assert len({str(one["text"]) for one in entry["options"]}) == len(entry["options"])


def test_a_key_that_is_wrong_is_found():
    entry = {"given": "h = math.tanh(1)", "options": [{"holds": "h > 1"}, {"holds": "h < 1"}]}
    assert truths(entry) == [False, True]


@pytest.mark.parametrize("folder", CHAPTERS, ids=lambda folder: folder.name)
def test_every_page_ends_in_a_quiz_of_three_to_five_questions(folder):
    taught = {path.stem for path in pages() if path.parent == folder} - {"questions", "exercises"}
    assert set(quizzes(folder)) == taught
    assert all(3 <= len(entries) <= 5 for entries in quizzes(folder).values())


@pytest.mark.parametrize("folder", CHAPTERS, ids=lambda folder: folder.name)
def test_neither_place_nor_length_gives_the_answer_away(folder):
    entries = [entry for page in quizzes(folder).values() for entry in page]
    first = sum("right" in shown_order(entry["options"])[0] for entry in entries)
    longest = sum("right" in max(entry["options"], key=lambda one: len(str(one["text"]))) for entry in entries)
    assert max(first, longest) <= len(entries) / 2


