"""Reading notebooks: the cells, nbgrader's names, and languages. Broken files are in the hostile suite."""

import json

import pytest
from coursework.family import notebook


def entry(kind="code", source="x = 1", **metadata):
    return {"cell_type": kind, "source": source, "metadata": metadata}


def read(*cells, metadata=None):
    return notebook.read(json.dumps({"nbformat": 4, "cells": cells, "metadata": metadata or {}}).encode())


def test_cells_keep_their_order_kind_and_name():
    book = read(entry("markdown", "*hi*", nbgrader={"grade_id": "written"}), entry(source=["a = 1\n", "b = 2"]),
                entry(nbgrader={"grade_id": "forward"}))
    assert book.code == ("a = 1\nb = 2", "x = 1")
    assert [(cell.kind, cell.grade_id) for cell in book.cells] == [
        ("markdown", "written"), ("code", None), ("code", "forward")]
    assert book.notes == ()


@pytest.mark.parametrize("metadata", [
    {}, {"kernelspec": {"language": "python", "name": "anything"}}, {"language_info": {"name": "Python"}},
    {"kernelspec": {"name": "python3"}}, {"kernelspec": None, "language_info": 3}, {"kernelspec": {"language": ""}}])
def test_python_under_any_name_is_read(metadata):
    assert read(entry(), metadata=metadata).code == ("x = 1",)


@pytest.mark.parametrize("nbgrader", [None, 3, [], {"grade_id": 4}, {}])
def test_strange_metadata_are_no_metadata(nbgrader):
    assert read(entry(nbgrader=nbgrader)).cells[0].grade_id is None


def test_half_a_character_does_not_stop_anything():
    book = read(entry(source="x = '\ud800'"), entry("markdown", "\udfff", nbgrader={"grade_id": "written"}))
    assert book.code == ("x = '?'",)
    json.dumps([cell.source for cell in book.cells], ensure_ascii=False).encode()
