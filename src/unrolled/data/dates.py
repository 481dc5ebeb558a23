"""Dates as the world writes them, with the ISO form of each and the positions every ISO character comes from.

The formats are those of Unicode's CLDR, which the package Babel brings along: nothing is downloaded. Babel writes every
number in ASCII digits, so for a locale whose own digits are others each format is here twice, once as Babel writes it
and once with those digits. All years are Gregorian.

A date is aligned by what decides each of the ten characters of `YYYY-MM-DD`:

    a number of two or four digits     digit by digit
    a number of one digit, a name      all of it decides both characters
    a year of two digits               both decide the century: 50 ... 99 is 1950 ... 1999, 00 ... 49 is 2000 ... 2049
    the two hyphens                    nothing
"""

import datetime
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property, lru_cache

import babel
import numpy as np
from babel.dates import DateTimeFormat, tokenize_pattern

from unrolled import checks

LOCALES = (
    "am", "ar", "ar_EG", "bg", "bn", "ckb", "cs", "de", "el", "en", "en_GB", "es", "eu", "fa", "fi", "fr", "he",
    "hi", "hr", "hu", "hy", "id", "it", "ja", "ka", "kk", "ko", "lt", "lv", "mn", "mr", "my", "ne", "nl", "pl",
    "pt", "pt_PT", "ro", "ru", "sv", "sw", "ta", "th", "tr", "uk", "ur", "vi", "zh", "zh_Hant",
)
ISO = "0123456789-"                                            # what a target is written in
FIRST, LAST = datetime.date(1950, 1, 1), datetime.date(2049, 12, 31)
ZEROS = {"adlm": "\U0001e950", "arab": "\u0660", "arabext": "\u06f0", "beng": "\u09e6", "cakm": "\U00011136",
         "deva": "\u0966", "hmnp": "\U0001e140", "latn": "0", "mtei": "\uabf0", "mymr": "\u1040", "nkoo": "\u07c0",
         "olck": "\u1c50", "tibt": "\u0f20"}                   # digit zero of CLDR's decimal numbering systems
_DIGITS = {name: {ord("0") + k: ord(zero) + k for k in range(10)} for name, zero in ZEROS.items()}
_FIELDS = {"y": "year", "M": "month", "L": "month", "d": "day"}
# In each month, every weekday falls on a day of one digit and on one of two.
_PROBES = [datetime.date(2006, month, day) for month in range(1, 13) for day in (*range(1, 8), *range(10, 17))]


@dataclass(frozen=True)
class Format:
    """One way to write a date: a locale, a pattern in CLDR's letters, and the digits, by their CLDR name."""

    locale: str
    pattern: str
    digits: str = "latn"

    @cached_property
    def _tokens(self):
        return babel.Locale.parse(self.locale), tokenize_pattern(self.pattern)

    def write(self, day):
        """The text, and where year, month and day stand in it: {"year": (start, stop), …}."""
        locale, tokens = self._tokens
        written, text, spans = DateTimeFormat(day, locale), "", {}
        for kind, value in tokens:
            piece = written[value[0] * value[1]] if kind == "field" else value
            if kind == "field" and value[0] in _FIELDS:
                spans[_FIELDS[value[0]]] = (len(text), len(text) + len(piece))
            text += piece
        return text.translate(_DIGITS[self.digits]), spans

    @cached_property
    def probes(self):
        """Text and spans of some days that show all it can write, but for the numbers in it."""
        return [self.write(day) for day in _PROBES]

    @property
    def month_names(self):
        """The twelve names, or None if it writes months as numbers."""
        names = [text[slice(*spans["month"])] for text, spans in self.probes[::14]]
        return None if all(name.isdecimal() for name in names) else tuple(names)


@dataclass(frozen=True)
class WrittenDate:
    """A date as one format writes it: `alignment` holds, for each character of `iso`, its positions in `text`."""

    text: str
    iso: str
    alignment: tuple
    format: Format


@dataclass(frozen=True)
class Dates:
    """Written dates by part, and what they were drawn from.

    `parts`: "train"; "validation" and "days", the same formats on other days; "formats", other formats on the days of
    "days". `formats`: those of training and those held out, by the same names, "train" and "formats". `ambiguous`: how
    many texts were drawn for each part and left out because they also mean another day. `locales`, `patterns`: how many
    locales, and pairs of a locale and a pattern, there were before those that always write the same became one format,
    under the name of the first. `alphabet`: the characters of training.
    """

    parts: dict
    formats: dict
    ambiguous: dict
    locales: int
    patterns: int
    alphabet: str

    def describe(self):
        """One line: the version of CLDR's carrier, and how many there are of everything."""
        trained, held_out = len(self.formats["train"]), len(self.formats["formats"])
        sizes = ", ".join(f"{name} {len(part):,}" for name, part in self.parts.items())
        ambiguous = sum(self.ambiguous.values())
        share = ambiguous / (ambiguous + sum(map(len, self.parts.values())))
        return (f"Babel {babel.__version__}: {self.locales} locales, {self.patterns} patterns, {trained + held_out} "
                f"different formats, {held_out} of them held out; {sizes}; {share:.1%} of what was drawn ambiguous")

    def encode(self, written):
        """Written dates as arrays.

        Args:
            written: a sequence of B `WrittenDate`.

        Returns:
            source, (B, S), int64: the place of each character in `alphabet`, counted from 1; 0 for a character that
                training never showed, and after the end.
            lengths, (B,), int64: of the texts.
            target, (B, 10), int64: places in `ISO`.
        """
        index = {character: place for place, character in enumerate(self.alphabet, 1)}
        lengths = np.array([len(one.text) for one in written], np.int64)
        source = np.zeros((len(written), lengths.max(initial=0)), np.int64)
        for row, one in zip(source, written):
            row[: len(one.text)] = [index.get(character, 0) for character in one.text]
        return source, lengths, np.array([[ISO.index(c) for c in one.iso] for one in written], np.int64).reshape(-1, 10)


def load_dates(train=20_000, held_out=1_000, seed=0, locales=LOCALES):
    """Draw dates from 1950 to 2049, each from a format, all formats equally likely.

    Days are split 8 : 1 : 1. One format in five is held out, in all its digits, unless the training formats would lack
    its month names. A text that any of the formats, held out or not, would also write for another day is not used:
    nobody can say which day 3/4/05 is. Nor does "formats" hold a text that a training format would write too.

    Args:
        train, held_out: how many to draw for "train", and for each of the other parts.
        seed: of the splits and the draws.
        locales: names of locales, as Babel writes them; `babel.localedata.locale_identifiers()` names all.

    Returns:
        `Dates`. No text comes twice within a part.

    Raises:
        TypeError, ValueError: a count that is not a whole number of at least 1, or too high for so few formats; a
            locale that Babel does not know.
    """
    checks.positive_int("train", train)
    checks.positive_int("held_out", held_out)
    groups, patterns = _different_formats(tuple(locales))
    readings, rng = _readings(tuple(locales)), np.random.default_rng(seed)
    days = [FIRST + datetime.timedelta(int(k)) for k in rng.permutation((LAST - FIRST).days + 1)]
    tenth = len(days) // 10
    order = [groups[k] for k in rng.permutation(len(groups))]
    fifth = len(order) // 5
    split = {"train": [form for group in order[fifth:] for form in group], "formats": []}
    names = {form.month_names for form in split["train"]}
    for group in order[:fifth]:
        split["formats" if names.issuperset(form.month_names for form in group) else "train"] += group
    parts, ambiguous = {}, {}
    for name, count, forms, days_of_part in (
        ("train", train, split["train"], days[2 * tenth :]), ("validation", held_out, split["train"], days[:tenth]),
        ("days", held_out, split["train"], days[tenth : 2 * tenth]),
        ("formats", held_out, split["formats"], days[tenth : 2 * tenth]),
    ):
        unseen = set(split["train"]) if name == "formats" else set()
        parts[name], ambiguous[name] = _draw(name, count, forms, days_of_part, readings, unseen, rng)
    alphabet = "".join(sorted(set().union(*(one.text for one in parts["train"]))))
    return Dates(parts, split, ambiguous, len(locales), patterns, alphabet)


@lru_cache(maxsize=2)
def _different_formats(locales):
    """Formats that differ, those that differ in nothing but their digits together, and how many patterns there were."""
    groups, patterns = {}, set()
    for name in locales:
        try:
            locale = babel.Locale.parse(name)
        except (babel.UnknownLocaleError, ValueError, TypeError):
            raise ValueError(f"locales must be known to Babel {babel.__version__}, got {name!r}") from None
        skeletons = [key for key in sorted(locale.datetime_skeletons) if key[0] == "y"]
        found = [*locale.date_formats.values(), *map(locale.datetime_skeletons.get, skeletons)]
        for pattern in sorted({form.pattern for form in found}):
            fields = [value for kind, value in tokenize_pattern(pattern) if kind == "field"]
            present = Counter(_FIELDS.get(letter) for letter, _ in fields)
            if not all(present[field] == 1 for field in ("year", "month", "day")):
                continue                                       # no whole date, or a range
            if max(count for letter, count in fields if letter in _FIELDS) > 4:
                continue                                       # months by their first letter
            patterns.add((name, pattern))
            group = groups.setdefault(tuple(text for text, _ in Format(name, pattern).probes), {})
            for digits in ("latn", locale.default_numbering_system):
                group.setdefault(digits, Format(name, pattern, digits))
    return [tuple(group.values()) for group in groups.values()], len(patterns)


@lru_cache(maxsize=2)
def _readings(locales):
    """A function from a text to every format that writes it, with the day for which it does."""
    readers = defaultdict(dict)                                # by shape, digits being all alike; a dict for its order
    for form in (form for group in _different_formats(locales)[0] for form in group):
        for day, (text, spans) in zip(_PROBES, form.probes):
            named = None if text[slice(*spans["month"])].isdecimal() else day.month
            readers[_shape(text)][form, tuple(spans.items()), named] = None

    def readings(text):
        found = set()
        for form, spans, named in readers.get(_shape(text), ()):
            field = {name: text[start:stop] for name, (start, stop) in spans}
            year = int(field["year"]) + (len(field["year"]) == 2) * (2000 if int(field["year"]) < 50 else 1900)
            try:
                day = datetime.date(year, named or int(field["month"]), int(field["day"]))
            except ValueError:
                continue                                       # no such day
            if FIRST <= day <= LAST and form.write(day)[0] == text:
                found.add((form, day))
        return found

    return readings


def _shape(text):
    return re.sub(r"\d", "0", text)


def _draw(part, count, forms, days, readings, unseen, rng):
    """`count` different texts of one meaning that no `unseen` format writes, and how many came that have several."""
    kept, ambiguous, patience = {}, set(), 20 * count + 1000
    while len(kept) < count:
        patience -= 1
        if not forms or not patience:
            raise ValueError(f"{part} must hold at most {len(kept)} dates from {len(forms)} formats, got {count}")
        form, day = forms[rng.integers(len(forms))], days[rng.integers(len(days))]
        text, spans = form.write(day)
        if text in kept or text in ambiguous:
            continue
        found = readings(text)
        if {meaning for _, meaning in found} != {day}:
            ambiguous.add(text)
        elif not any(writer in unseen for writer, _ in found):
            kept[text] = WrittenDate(text, day.isoformat(), _align(text, spans), form)
    return list(kept.values()), len(ambiguous)


def _align(text, spans):
    """The positions that decide each character of the ISO form, as the docstring of the file says."""
    year, month, day = (tuple(range(*spans[name])) for name in ("year", "month", "day"))
    by_digit = [
        tuple((place,) for place in places) if len(places) == 2 and text[places[0] : places[1] + 1].isdecimal()
        else (places, places) for places in (month, day)
    ]
    century = ((year[0],), (year[1],)) if len(year) == 4 else (year, year)
    return (*century, (year[-2],), (year[-1],), (), *by_digit[0], (), *by_digit[1])
