"""Cuts are taken evenly, never at random, from folders in the layout of studies/pairs.py. Synthetic tiles."""

import numpy as np
import pytest
from tests.bench.generation.worlds import cuts, radar_and_relief

from armillary.bench.generation.cuts import even, evenly, in_turn, open_material
from armillary.earth.card import find_sensor
from armillary.earth.window import Window
from armillary.errors import BadInput, SceneNotFound
from armillary.sample.sample import Sample
from armillary.sample.thumbs import NAMES
from armillary.sample.tiling import Tile, write_tiles


@pytest.fixture
def pairs(tmp_path):
    tiles = (*radar_and_relief("a", "train"), *radar_and_relief("b", "held-out", months=4))
    return write_tiles(tmp_path / "pairs", tiles)


@pytest.fixture
def thumbs(tmp_path):
    def tiles():
        for n in range(6):
            for sensor, lock in NAMES:
                card = find_sensor(sensor)
                pixels = np.full((len(card.bands), 256, 256), float(n), np.float32)
                window = Window.of((256, 256), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), None)
                facts = {"source": "synthetic", "licence": "none", "group": f"ombria/g{1 + n % 2}", "lock": lock}
                yield Tile(Sample(pixels, card, window), f"ombria/{n}", "train", scale=1.0, **facts)

    return write_tiles(tmp_path / "thumbs", tiles())


def test_the_dates_of_a_place_are_taken_evenly(pairs):
    found = open_material("cop-gen-nano", pairs, "", 2, 10)
    assert [c.place for c in found.held] == ["b", "b"]
    assert len({c.key for c in found.held}) == 2
    assert len({c.block for c in found.held}) == 1
    assert {c.place for c in found.train} == {"a"}
    assert [len(several) for several in found.dates.values()] == [4]
    assert {"s1-rtc", "dem", "dem-mean", "place", "date"} <= set(found.held[0].item)
    assert found.held[1].day - found.held[0].day == pytest.approx(60, abs=31)


def test_a_group_of_flood_sites_is_held_out_whole(thumbs):
    found = open_material("cop-gen-thumb", thumbs, "g2", 8, 10)
    assert len(found.held) == len(found.train) == 3
    assert {c.key for c in found.held} == {"ombria/1", "ombria/3", "ombria/5"}
    item = found.held[0].item
    assert item["s1-after"].shape == (1, 64, 64)
    assert item["s1-after-style"][0, 0, 0] in (3, 5)


def test_what_is_held_out_must_be_said_for_flood_sites_and_for_no_others(pairs, thumbs, tmp_path):
    with pytest.raises(BadInput, match="g1, g2"):
        open_material("cop-gen-thumb", thumbs, "", 8, 10)
    with pytest.raises(BadInput, match="leave it out"):
        open_material("cop-gen-nano", pairs, "g1", 8, 10)
    with pytest.raises(SceneNotFound, match=r"studies/pairs\.py"):
        open_material("cop-gen-nano", tmp_path, "", 8, 10)


def test_taking_is_even():
    assert evenly(range(10), 5) == (1, 3, 5, 7, 9)
    assert evenly(range(3), 5) == (0, 1, 2)
    many = cuts(12, 0, places=3)
    assert [c.place for c in even(many, 2, 99)] == ["p0", "p0", "p1", "p1", "p2", "p2"]
    assert len(even(many, 4, 5)) == 5
    assert [c.place for c in in_turn(many, 4)] == ["p0", "p1", "p2", "p0"]
    assert len({c.key for c in in_turn(many, 99)}) == 12
