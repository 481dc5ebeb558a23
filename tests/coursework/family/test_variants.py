"""A term's variant: drawn again from the same secret, not from another, and never the public one."""

import collections
import dataclasses
import hmac

import pytest
from coursework.family import variants


@dataclasses.dataclass
class Family:
    name: str
    axes: dict
    specimen: dict


SMALL = Family("small", {"a": ("0", "1"), "b": ("0", "1")}, {"a": "0", "b": "0"})
LARGE = Family("large", dict.fromkeys("0123", tuple("012345")), dict.fromkeys("0123", "0"))


def test_the_same_secret_gives_the_same_variant():
    assert variants.draw(LARGE, "spring") == variants.draw(LARGE, "spring")
    digests = {axis: hmac.digest(b"spring", f"large/{axis}/0".encode(), "sha256").hex() for axis in LARGE.axes}
    assert variants.draw(LARGE, "spring") == {axis: str(int(digest, 16) % 6) for axis, digest in digests.items()}


def test_every_variant_but_the_specimen_is_drawn_about_as_often():
    seen = collections.Counter(tuple(variants.draw(SMALL, str(k)).values()) for k in range(900))
    assert sorted(seen) == [("0", "1"), ("1", "0"), ("1", "1")]
    assert min(seen.values()) > 240                        # of 300 expected


def test_another_secret_or_another_name_rarely_gives_the_same():
    drawn = {tuple(variants.draw(LARGE, str(k)).values()) for k in range(100)}
    assert len(drawn) > 90
    other = dataclasses.replace(LARGE, name="other")
    same = sum(variants.draw(LARGE, str(k)) == variants.draw(other, str(k)) for k in range(100))
    assert same <= 2


def test_neighbours_differ_in_one_axis():
    found = list(variants.neighbours(LARGE.axes, LARGE.specimen))
    assert len(found) == 4 * 5
    for axis, variant in found:
        assert [name for name in variant if variant[name] != LARGE.specimen[name]] == [axis]


@pytest.mark.parametrize("secret", ["", "  ", None, 7])
def test_no_secret_is_refused(secret):
    with pytest.raises(ValueError, match="a string that is not empty"):
        variants.draw(LARGE, secret)
