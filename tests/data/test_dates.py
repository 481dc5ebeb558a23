"""Dates in many languages: what Babel writes, read back through the alignment by nothing but Babel's month names."""

import datetime
import hashlib
import os
import re
import socket
import subprocess
import sys
import unicodedata
from itertools import product

import babel
import numpy as np
import pytest
from babel.dates import format_date

from unrolled.data import load_dates
from unrolled.data.dates import FIRST, ISO, LAST, LOCALES, ZEROS, Format, _align, _different_formats, _readings

PARTS = ("train", "validation", "days", "formats")


@pytest.fixture(scope="module")
def dates():
    return load_dates(train=3000, held_out=500)


def everything(dates):
    return [(name, one) for name in PARTS for one in dates.parts[name]]


def ascii_digits(text):
    """Any script's decimal digits as ASCII, by Unicode's own table."""
    return "".join(str(unicodedata.decimal(character, character)) for character in text)


def month_of(name, locale):
    """The month with this name in any of CLDR's widths and contexts."""
    tables = babel.Locale.parse(locale).months
    found = {month for context in ("format", "stand-alone") for width in ("wide", "abbreviated")
             for month, written in tables[context][width].items() if written == name}
    assert len(found) == 1, (name, locale)
    return found.pop()


def read(written):
    """The ISO date from the text, the alignment and the names of months alone."""
    where = written.alignment
    parts = [ascii_digits("".join(written.text[k] for k in places)) for places in where]

    def number(first, second):
        if where[first] != where[second]:
            return parts[first] + parts[second]                      # digit by digit
        whole = parts[first]
        return f"{int(whole) if whole.isdecimal() else month_of(whole, written.format.locale):02d}"

    if where[0] == where[1]:
        century = "19" if int(parts[0]) >= 50 else "20"
    else:
        century = parts[0] + parts[1]
    return f"{century}{parts[2]}{parts[3]}-{number(5, 6)}-{number(8, 9)}"


# The pairs


def test_every_text_is_what_babel_writes(dates):
    for _, one in everything(dates):
        expected = format_date(datetime.date.fromisoformat(one.iso), one.format.pattern, one.format.locale)
        if one.format.digits == "latn":
            assert one.text == expected
        else:
            assert ascii_digits(one.text) == ascii_digits(expected)
            zero = ord(ZEROS[one.format.digits])
            digits = [character for character in one.text if character.isdecimal()]
            assert digits
            assert all(zero <= ord(character) <= zero + 9 for character in digits)


def test_every_pattern_is_one_of_cldrs_for_its_locale(dates):
    for form in {one.format for _, one in everything(dates)}:
        locale = babel.Locale.parse(form.locale)
        known = [*locale.date_formats.values(), *locale.datetime_skeletons.values()]
        assert form.pattern in {one.pattern for one in known}
        assert form.digits in ("latn", locale.default_numbering_system)


def test_every_text_reads_back_to_its_date_through_the_alignment(dates):
    for _, one in everything(dates):
        assert read(one) == one.iso


def test_an_alignment_points_at_a_year_a_month_and_a_day_that_do_not_overlap(dates):
    for _, one in everything(dates):
        assert len(one.alignment) == len(one.iso) == 10
        assert one.alignment[4] == one.alignment[7] == ()
        year, month, day = (set(sum(one.alignment[part], ())) for part in (slice(0, 4), slice(5, 7), slice(8, 10)))
        assert all((year, month, day))
        assert not year & month | month & day | year & day


@pytest.mark.parametrize(("locale", "pattern", "expected"), [
    ("de", "dd.MM.y", ("6", "7", "8", "9", "", "3", "4", "", "0", "1")),                     # 14.03.2005
    ("en", "M/d/yy", ("56", "56", "5", "6", "", "0", "0", "", "2", "3")),                    # 3/14/05
    ("es", "d MMM y", ("7", "8", "9", "A", "", "345", "345", "", "0", "1")),               # 14 mar 2005
])
def test_numbers_are_aligned_digit_by_digit_and_names_whole(locale, pattern, expected):
    text, spans = Format(locale, pattern).write(datetime.date(2005, 3, 14))
    got = ["".join(f"{place:X}" for place in places) for places in _align(text, spans)]
    assert got == list(expected)


def test_many_scripts_and_digits_and_all_orders_are_there(dates):
    texts = "".join(one.text for _, one in everything(dates))
    scripts = {unicodedata.name(character).split()[0] for character in texts if character.isalpha()}
    assert scripts >= {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "BENGALI", "TAMIL", "THAI",
                       "MYANMAR", "ETHIOPIC", "GEORGIAN", "ARMENIAN", "HANGUL", "CJK"}
    zeros = {chr(ord(character) - unicodedata.decimal(character)) for character in texts if character.isdecimal()}
    assert zeros >= {ZEROS[name] for name in ("latn", "arab", "arabext", "beng", "deva", "mymr")}
    orders = {tuple(np.argsort([one.alignment[k][0] for k in (3, 6, 9)])) for _, one in everything(dates)}
    assert orders == {(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)}    # the last: year, day, month, in Kazakh


def test_years_are_gregorian_and_run_from_1950_to_2049(dates):
    years = {int(one.iso[:4]) for _, one in everything(dates)}
    assert min(years) >= FIRST.year == 1950
    assert max(years) <= LAST.year == 2049
    assert len(years) == 100
    thai = [one for _, one in everything(dates) if one.format.locale == "th"]
    assert thai
    assert all(one.iso[2:4] in ascii_digits(one.text) for one in thai)        # a Buddhist year is 543 more


@pytest.mark.parametrize("system", sorted(ZEROS))
def test_each_zero_is_the_first_of_ten_digits(system):
    assert [unicodedata.decimal(chr(ord(ZEROS[system]) + k)) for k in range(10)] == list(range(10))


def test_every_locales_digits_are_known():
    names = babel.localedata.locale_identifiers()
    assert {babel.Locale.parse(name).default_numbering_system for name in names} <= ZEROS.keys()


# The parts


def test_no_day_of_one_split_is_in_another(dates):
    days = {name: {one.iso for one in dates.parts[name]} for name in PARTS}
    tested = days["days"] | days["formats"]
    assert not days["train"] & days["validation"]
    assert not (days["train"] | days["validation"]) & tested


def test_a_held_out_format_is_nowhere_in_training(dates):
    def patterns(forms):
        return {(form.locale, form.pattern) for form in forms}

    for name in PARTS:
        split = "formats" if name == "formats" else "train"
        assert {one.format for one in dates.parts[name]} <= set(dates.formats[split])
    assert dates.formats["formats"]
    assert not patterns(dates.formats["train"]) & patterns(dates.formats["formats"])


def test_no_training_format_would_write_a_text_of_a_held_out_one(dates):
    for one in dates.parts["formats"][::5]:
        day = datetime.date.fromisoformat(one.iso)
        assert one.text not in {form.write(day)[0] for form in dates.formats["train"]}


def test_held_out_formats_name_months_as_some_training_format_does(dates):
    known = {form.month_names for form in dates.formats["train"]}
    assert all(form.month_names in known for form in dates.formats["formats"])
    assert any(form.month_names for form in dates.formats["formats"])


def test_texts_of_a_part_differ_and_days_are_not_skewed(dates):
    for name in PARTS:
        expected = 3000 if name == "train" else 500
        assert len({one.text for one in dates.parts[name]}) == len(dates.parts[name]) == expected
    months = np.bincount([int(one.iso[5:7]) for one in dates.parts["train"]])[1:]
    assert months / 3000 == pytest.approx(1 / 12, abs=0.02)


# More than one meaning


@pytest.mark.parametrize("locales", [("en", "es", "sv", "eu"), ("en_GB", "en", "ar_EG", "ckb")])
def test_no_text_means_another_day_in_any_format_held_out_or_not(locales):
    dates = load_dates(train=40, held_out=20, seed=1, locales=locales)
    forms = [form for group in _different_formats(locales)[0] for form in group]
    assert set(forms) == {form for split in dates.formats.values() for form in split}
    assert sum(dates.ambiguous.values()) > 0
    for _, one in everything(dates):
        numbers = [int(digits) for digits in re.findall(r"\d+", one.text)]
        years = {n if n > 99 else n + (2000 if n < 50 else 1900) for n in numbers}
        meanings = set()
        for year, month, day in product(years, range(1, 13), numbers):
            try:
                date = datetime.date(year, month, day)
            except ValueError:
                continue
            if FIRST <= date <= LAST and any(form.write(date)[0] == one.text for form in forms):
                meanings.add(date.isoformat())
        assert meanings == {one.iso}


def test_day_and_month_may_change_places_and_a_weekday_tells_them_apart():
    def meanings(text):
        return {day for _, day in _readings(("en", "es"))(text)}

    assert format_date(datetime.date(2005, 3, 4), "short", "en") == "3/4/05"
    assert meanings("3/4/05") == {datetime.date(2005, 3, 4), datetime.date(2005, 4, 3)}
    assert meanings("3/14/05") == {datetime.date(2005, 3, 14)}
    assert meanings("3/3/05") == {datetime.date(2005, 3, 3)}
    assert meanings("Fri, 3/4/2005") == {datetime.date(2005, 3, 4)}
    assert meanings("Fri, 3/5/2005") == set()                        # it was a Saturday
    assert meanings("2/30/05") == set()


def test_one_month_name_is_two_months_and_a_full_stop_tells_them_apart():
    def meanings(text):
        return {(form.locale, day.isoformat()) for form, day in _readings(("hr", "pl"))(text)}

    assert month_of("listopada", "hr") == 10
    assert month_of("listopada", "pl") == 11
    assert meanings("5. listopada 2020.") == {("hr", "2020-10-05")}
    assert meanings("5 listopada 2020") == {("pl", "2020-11-05")}


# The draw


def test_a_seed_decides_everything(dates):
    again, other = load_dates(train=300, held_out=50, seed=1), load_dates(train=300, held_out=50, seed=2)
    assert again.parts == load_dates(train=300, held_out=50, seed=1).parts
    assert again.parts != other.parts
    assert again.formats["formats"] != other.formats["formats"]


def test_the_draw_is_the_same_in_every_process():
    code = ("from unrolled.data import load_dates; import hashlib; d = load_dates(200, 50, 3, ('en', 'ar_EG', 'ko'));"
            "print(hashlib.sha256(repr((d.parts, d.formats, d.alphabet)).encode()).hexdigest())")
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": "1"}, capture_output=True,
                          text=True, check=True)
    dates = load_dates(200, 50, 3, ("en", "ar_EG", "ko"))
    here = hashlib.sha256(repr((dates.parts, dates.formats, dates.alphabet)).encode()).hexdigest()
    assert done.stdout.strip() == here


def test_nothing_is_downloaded(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("opened a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    assert load_dates(20, 10, locales=("cs", "de")).parts["train"]


def test_what_it_says_of_itself_is_so(dates):
    forms = [form for split in dates.formats.values() for form in split]
    assert len(set(forms)) == len(forms)
    assert dates.locales == len(LOCALES) == len(set(LOCALES))
    assert dates.patterns > len({(form.locale, form.pattern) for form in forms})
    said = dates.describe()
    assert said.startswith(f"Babel {babel.__version__}: {len(LOCALES)} locales, {dates.patterns} patterns, ")
    assert f"{len(forms)} different formats, {len(dates.formats['formats'])} of them held out;" in said
    assert "; train 3,000, validation 500, days 500, formats 500;" in said
    share = sum(dates.ambiguous.values()) / (4500 + sum(dates.ambiguous.values()))
    assert said.endswith(f"{share:.1%} of what was drawn ambiguous")


def test_encoding_loses_nothing_but_characters_that_training_never_showed(dates):
    for name in PARTS:
        source, lengths, target = dates.encode(dates.parts[name])
        assert source.dtype == lengths.dtype == target.dtype == np.int64
        for row, n, iso, one in zip(source, lengths, target, dates.parts[name], strict=True):
            assert n == len(one.text)
            assert not row[n:].any()
            assert "".join(ISO[k] for k in iso) == one.iso
            kept = [character if character in dates.alphabet else "\0" for character in one.text]
            assert ["\0", *dates.alphabet][row[0]] == kept[0]
            assert [("\0" + dates.alphabet)[k] for k in row[:n]] == kept
    assert dates.encode(dates.parts["train"])[0].max() == len(dates.alphabet)
    assert dates.encode([])[2].shape == (0, 10)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((0,), ValueError, "train must be at least 1, got 0"),
    ((5, 2.5), TypeError, "held_out must be a whole number, got float 2.5"),
    ((5, 5, 0, ("de", "xx")), ValueError, f"locales must be known to Babel {babel.__version__}, got 'xx'"),
    ((5, 5, 0, (3,)), ValueError, "got 3"),
    ((5, 5, 0, ()), ValueError, "train must hold at most 0 dates from 0 formats, got 5"),
    ((5, 5, 0, ("sk",)), ValueError, "formats must hold at most 0 dates from 0 formats, got 5"),
])
def test_what_cannot_be_drawn_is_named(refuses, arguments, error, message):
    with refuses(error, message):
        load_dates(*arguments)
