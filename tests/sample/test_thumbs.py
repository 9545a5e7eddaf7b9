"""Thumbs: five strands of a flood site, cut alike, by group."""

from dataclasses import replace

import numpy as np
import pytest

from armillary.earth.card import find_sensor
from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange
from armillary.sample.known_strands import thumb
from armillary.sample.sample import Sample
from armillary.sample.source import Source
from armillary.sample.strands import physical
from armillary.sample.thumbs import NAMES, Thumbs
from armillary.sample.tiles import Tiles
from armillary.sample.tiling import Tile, write_tiles


@pytest.fixture
def folder(tmp_path):
    """Two synthetic sites of two groups; every pixel tells its own number."""

    def tiles():
        for site, group in (("1", "g1"), ("2", "g2")):
            for sensor, lock in NAMES:
                card = find_sensor(sensor)
                pixels = np.broadcast_to(np.arange(1024.0, dtype=np.float32).reshape(32, 32), (len(card.bands), 32, 32))
                window = Window.of((32, 32), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), None)
                facts = {"source": "synthetic", "licence": "none", "group": f"ombria/{group}", "lock": lock}
                yield Tile(Sample(pixels, card, window), f"ombria/{site}", "train", scale=1.0, **facts)

    return write_tiles(tmp_path / "thumbs", tiles())


def test_all_strands_of_a_draw_are_cut_alike(folder):
    thumbs = Thumbs(folder, side_px=8)
    drawn = [thumbs.draw(0, np.random.default_rng(seed)) for seed in range(20)]
    for found in drawn:
        assert sorted(found) == sorted(NAMES.values())  # no style: each group has one site
        for sample in found.values():
            np.testing.assert_array_equal(sample.pixels[0], found["flood"].pixels[0])
    assert len({d["flood"].pixels[0, 0, 0] for d in drawn}) > 10


def test_a_site_is_of_the_groups_asked_for(folder):
    assert isinstance(Thumbs(folder), Source)
    assert [Thumbs(folder, ("g2",)).key(0), Thumbs(folder).group(0)] == ["ombria/2", "g1"]
    assert (len(Thumbs(folder)), len(Thumbs(folder, ("g1",)))) == (2, 1)
    assert Thumbs(folder).checksum() != Thumbs(folder, ("g1",)).checksum()


def test_a_whole_site_makes_every_strand_of_the_model(folder):
    values = physical(Thumbs(folder).whole(1), thumb(32, 2))
    assert [v.shape for v in values.values()] == [(1, 16, 16), (1, 16, 16), (3, 16, 16), (3, 16, 16), (1, 16, 16)]


def test_an_unknown_group_and_too_large_a_cut_are_refused(folder):
    with pytest.raises(BadInput, match=r"groups g9 .* which has g1, g2; ask for those"):
        len(Thumbs(folder, ("g9",)))
    with pytest.raises(OutOfRange, match="cut of 64 px was asked of a site of 32 px"):
        Thumbs(folder, side_px=64).draw(0, np.random.default_rng(0))


def test_the_style_of_a_site_comes_from_another_of_its_group(folder, tmp_path):
    assert Thumbs(folder).styles(0, np.random.default_rng(0)) == {}  # each group has one site
    read = Tiles(folder, None, None)
    tiles = [
        Tile(replace(read.read(r), pixels=read.read(r).pixels + float(r.place[-1])), r.place, "train", scale=1.0,
             source="synthetic", licence="none", group="ombria/g1", lock=r.lock)
        for r in read.rows
    ]  # fmt: skip
    one = Thumbs(write_tiles(tmp_path / "one", iter(tiles)), side_px=8)
    drawn = one.draw(0, np.random.default_rng(0))
    assert {k for k in drawn if k.endswith("-style")} == {f"{n}-style" for n in NAMES.values() if n != "flood"}
    np.testing.assert_array_equal(drawn["s1-before-style"].pixels, one.whole(1)["s1-before"].pixels)


def test_a_folder_of_other_tiles_is_told_what_is_needed(tmp_path):
    card, window = find_sensor("dem"), Window.of((32, 32), (10.0, 0.0, 0.0, 0.0, -10.0, 0.0), "EPSG:32632")
    relief = Tile(Sample(np.ones((1, 32, 32), np.float32), card, window), "a", "train", source="s", licence="none")
    with pytest.raises(BadInput, match=r"has tiles of dem alone; give tiles of ombria-s1, .* or train cop-gen-nano"):
        len(Thumbs(write_tiles(tmp_path / "tiles", [relief])))
