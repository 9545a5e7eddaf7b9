"""Parties and given sets of the models that ship."""

import pytest

from armillary.bench.generation.parties import NOTES, OTHERS, given_sets, label, loops, parties_of, resolve, targets_of
from armillary.errors import BadInput
from armillary.generate.joint import JOINT

NANO, THUMB = (parties_of(JOINT[m].codes) for m in ("cop-gen-nano", "cop-gen-thumb"))


def test_notes_are_never_asked_for():
    assert targets_of(NANO) == ("s1-rtc", "s2-l1c", "s2-l2a", "dem", "land-cover", "water")
    assert targets_of(THUMB) == ("s1-before", "s1-after", "s2-before", "s2-after", "flood")


def test_given_sets_are_nothing_notes_singles_pairs_and_all():
    found = list(given_sets(THUMB, "flood"))
    assert len(found) == len(set(found)) == 2 + 2 * 4 + 6 + 2
    assert all("flood" not in given for given in found)


def test_what_an_item_lacks_cannot_be_given():
    have = {"s1-rtc", "s2-l2a-10m", "s2-l2a-20m", "place"}
    assert resolve(NANO, "s1-rtc", ("s2-l2a",), have) == ("s2-l2a-10m", "s2-l2a-20m")
    assert resolve(NANO, "s1-rtc", ("s2-l2a", NOTES), have) == ("s2-l2a-10m", "s2-l2a-20m", "place")
    assert resolve(NANO, "s1-rtc", (OTHERS,), have) == ("s2-l2a-10m", "s2-l2a-20m")
    assert resolve(NANO, "s1-rtc", (), have) == ()
    assert resolve(NANO, "s1-rtc", ("dem",), have) is None
    assert resolve(NANO, "s1-rtc", ("dem", NOTES), have) is None
    assert resolve(NANO, "s1-rtc", (OTHERS,), {"s1-rtc"}) is None
    assert resolve(NANO, "dem", (), have) is None


def test_a_style_is_a_note_of_its_own_picture_alone():
    have = {c.name for c in JOINT["cop-gen-thumb"].codes}
    assert resolve(THUMB, "s2-after", ("s1-after", NOTES), have) == ("s1-after", "s2-after-style")


def test_loops_stay_within_one_date():
    assert list(loops(NANO)) == [("s2-l2a", "s1-rtc"), ("s2-l2a", "s2-l1c")]
    assert list(loops(THUMB)) == [("s2-after", "s1-after")]


def test_a_party_that_nobody_knows_is_named():
    with pytest.raises(BadInput, match="s3"):
        resolve(NANO, "s1-rtc", ("s3",), {"s1-rtc"})
    assert label(("s1-rtc", NOTES)) == "s1-rtc + notes"
