"""The standard library as text: the split by file, the alphabet, and what is known of each character."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.data import load_source_code
from unrolled.data.source_code import ALPHABET, called_names, columns, decode, encode, inside_string, rest_of_name


@pytest.fixture(scope="module")
def source():
    return load_source_code()


@pytest.fixture
def folder(tmp_path):
    """Thirty small modules, enough for every part."""
    for number in range(30):
        (tmp_path / f"module{number}.py").write_text(f"x = {number}\n" * 20)
    return tmp_path


def test_no_file_is_in_two_parts(source):
    names = [name for part in ("train", "validation", "test") for name in source.files[part]]
    assert len(names) > 100
    assert len(set(names)) == len(names)


def test_a_text_holds_its_own_files_and_no_other(folder):
    source = load_source_code(folder=folder)
    for part, files in source.files.items():
        numbers = [name.removeprefix("module").removesuffix(".py") for name in files]
        assert getattr(source, part) == "\n".join(f"x = {number}\n" * 20 for number in numbers)


def test_the_parts_have_about_the_sizes_they_should(source):
    count = sum(len(files) for files in source.files.values())
    assert 0.7 < len(source.files["train"]) / count < 0.9
    assert len(source.train) > 1_000_000


def test_the_split_depends_on_the_name_alone(folder):
    before = {part: list(files) for part, files in load_source_code(folder=folder).files.items()}
    (folder / "module3.py").write_text("y = 'changed'\n")
    assert {part: list(files) for part, files in load_source_code(folder=folder).files.items()} == before


def test_every_character_can_be_encoded(source):
    assert set(source.train + source.validation + source.test) <= set(ALPHABET)


def test_long_files_are_cut(folder):
    (folder / "module3.py").write_text("z" * 500)
    source = load_source_code(max_chars_per_file=100, folder=folder)
    texts = source.train + source.validation + source.test
    assert texts.count("z") == 100


def test_tabs_become_spaces_and_files_in_other_alphabets_are_left_out(folder):
    (folder / "module3.py").write_text("if x:\n\ty = 1\n")
    (folder / "module4.py").write_text("name = 'größe'\n", encoding="utf-8")
    (folder / "module5.py").write_bytes(b"name = '\xff'\n")
    (folder / "module6.py").write_text("")
    source = load_source_code(folder=folder)
    names = {name for files in source.files.values() for name in files}
    assert names == {f"module{number}.py" for number in range(30)} - {"module4.py", "module5.py", "module6.py"}
    assert "if x:\n    y = 1\n" in source.train + source.validation + source.test


def test_it_says_what_was_read(folder):
    said = load_source_code(folder=folder).describe()
    assert said.startswith("Python 3.")
    assert "validation" in said
    assert " characters" in said


@pytest.mark.parametrize("value", [0, -1], ids=str)
def test_files_cut_to_nothing_are_refused(refuses, folder, value):
    with refuses(ValueError, f"max_chars_per_file must be at least 1, got {value}"):
        load_source_code(value, folder)


@pytest.mark.parametrize("value", [2.5, "100", None, True], ids=str)
def test_a_number_of_characters_that_is_none_is_refused(refuses, folder, value):
    with refuses(TypeError, "max_chars_per_file must be a whole number, got "):
        load_source_code(value, folder)


def test_a_folder_without_source_is_named(refuses, tmp_path):
    with refuses(FileNotFoundError, f"expected Python source files in {tmp_path}, got none"):
        load_source_code(folder=tmp_path)
    with refuses(FileNotFoundError, "expected Python source files in "):
        load_source_code(folder=tmp_path / "missing")


def test_parts_without_text_are_named(refuses, tmp_path):
    (tmp_path / "module0.py").write_text("x = 1\n")
    with refuses(ValueError, "expected text in every part, got none for "):
        load_source_code(folder=tmp_path)


# Characters and indices


@given(st.text(alphabet=ALPHABET, max_size=50))
def test_decoding_undoes_encoding(text):
    indices = encode(text)
    assert indices.dtype == np.int64
    assert decode(indices) == text


def test_every_index_has_one_character():
    assert len(set(ALPHABET)) == len(ALPHABET) == 96
    assert list(encode(decode(np.arange(96)))) == list(range(96))


@pytest.mark.parametrize("text", ["größe", "a\tb", "a\r\n", "\x00"], ids=repr)
def test_a_character_outside_the_alphabet_is_named(refuses, text):
    culprit = next(character for character in text if character not in ALPHABET)
    with refuses(ValueError, f"text must hold only newline and printable ASCII, got {culprit!r}"):
        encode(text)


@pytest.mark.parametrize(("indices", "error", "message"), [
    ([0, 96], ValueError, "indices must lie in 0 ... 95, got 0 ... 96"),
    ([-1, 5], ValueError, "indices must lie in 0 ... 95, got -1 ... 5"),
    ([0.5], TypeError, "indices must be whole numbers, got float64"),
    ([True], TypeError, "indices must be whole numbers, got bool"),
    ([[1, 2]], ValueError, "indices must have shape (characters,), got (1, 2)"),
    (3, ValueError, "indices must have shape (characters,), got ()"),
], ids=str)
def test_a_wrong_index_is_named(refuses, indices, error, message):
    with refuses(error, message):
        decode(indices)


# What is known of each character


@given(st.text(alphabet="ab \n", max_size=40))
def test_a_column_counts_from_the_start_of_the_line(text):
    expected = [column for line in text.splitlines(keepends=True) for column in range(len(line))]
    assert columns(text).tolist() == expected


@pytest.mark.parametrize(("text", "marked"), [
    ("x = 'ab' + y\n", "    ^^^^     "),
    ('x = f"a{y}b"\n', "    ^^^^^^^^ "),
    ("'a'  # 'no'\n", "^^^         "),
    ("x = '''a\nb'''\n", "    ^^^^^^^^^ "),
    ("x = 1\n", "      "),
    ("x = 'a'\ny = '''b\n", "    ^^^          "),
    ("", ""),
], ids=["plain", "f-string", "not in a comment", "several lines", "none", "cut off", "empty"])
def test_strings_are_where_pythons_tokenizer_sees_them(text, marked):
    assert inside_string(text).tolist() == [mark == "^" for mark in marked]


@pytest.mark.parametrize(("line", "labels"), [
    ("f(x)", "1.0."), ("ab (c)", "00..0."), ("a.bc(d1)", "0.11.00."), ("= 1(", "...."), ("", ""),
])
def test_called_names_are_those_with_a_bracket_right_behind(line, labels):
    assert called_names(line).tolist() == [{"1": 1, "0": 0, ".": -1}[label] for label in labels]


@pytest.mark.parametrize(("line", "labels"), [("ab(c1)", [1, 0, -1, 1, 0, -1]), ("= 12", [-1] * 4), ("", [])])
def test_the_rest_of_a_name_counts_down_to_its_last_character(line, labels):
    assert rest_of_name(line).tolist() == labels
