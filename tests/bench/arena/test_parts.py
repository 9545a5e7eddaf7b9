from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.bench.invented import KINDS, Memory, task

from armillary.bench.arena.parts import block_deg, parts_of
from armillary.bench.features.known import Known, read_known
from armillary.errors import BadInput, OutOfRange, PlaceUnknown
from armillary.probe.answer import OneOf
from armillary.probe.splits import blocks

ANSWER = OneOf(KINDS)


@pytest.fixture
def known(tmp_path: Path) -> Known:
    one, files = task(), Memory()
    return read_known(one, files, one.read(files), tmp_path)


def test_the_official_parts_are_those_of_the_task(known: Known) -> None:
    parts = parts_of(known, ANSWER, protocol="official", fraction=1.0, seed=3)
    assert {known.parts[n] for n in parts.val} == {"val"}
    assert (len(parts.train), len(parts.val), len(parts.test)) == (30, 12, 18)


def test_no_block_lies_on_two_sides(known: Known) -> None:
    parts = parts_of(known, ANSWER, protocol="blocks", fraction=1.0, seed=0)
    block = blocks(known.lonlat, block_deg(known))
    sides = [set(block[p].tolist()) for p in (parts.train, parts.val, parts.test)]
    assert not sides[0] & sides[1]
    assert not sides[2] & (sides[0] | sides[1])
    assert len(parts.train) + len(parts.val) + len(parts.test) == 60
    assert 12 <= len(parts.test) <= 30


def test_blocks_are_the_same_for_every_seed(known: Known) -> None:
    one, other = (parts_of(known, ANSWER, protocol="blocks", fraction=1.0, seed=s) for s in (0, 1))
    np.testing.assert_array_equal(one.test, other.test)


def test_a_smaller_share_lies_within_a_larger_one(known: Known) -> None:
    shares = [parts_of(known, ANSWER, protocol="official", fraction=f, seed=4) for f in (0.01, 0.1, 0.5, 1.0)]
    for less, more in pairwise(shares):
        assert set(less.train) <= set(more.train)
        assert set(less.val) <= set(more.val)
        np.testing.assert_array_equal(less.test, more.test)


def test_the_smallest_share_holds_every_class(known: Known) -> None:
    parts = parts_of(known, ANSWER, protocol="official", fraction=0.01, seed=0)
    assert sorted(int(known.truths[int(n)]) for n in parts.train) == [0, 1, 2]


def test_another_seed_draws_another_share(known: Known) -> None:
    one, other = (parts_of(known, ANSWER, protocol="official", fraction=0.1, seed=s) for s in (0, 1))
    assert one.train.tolist() != other.train.tolist()


def test_blocks_of_items_without_places_are_refused(tmp_path: Path) -> None:
    one, files = task(placed=False), Memory()
    known = read_known(one, files, one.read(files), tmp_path)
    with pytest.raises(PlaceUnknown, match="official protocol"):
        parts_of(known, ANSWER, protocol="blocks", fraction=1.0, seed=0)


def test_a_share_of_nothing_and_a_protocol_of_no_name_are_refused(known: Known) -> None:
    with pytest.raises(OutOfRange, match="share"):
        parts_of(known, ANSWER, protocol="official", fraction=0.0, seed=0)
    with pytest.raises(BadInput, match="official, blocks"):
        parts_of(known, ANSWER, protocol="random", fraction=1.0, seed=0)
