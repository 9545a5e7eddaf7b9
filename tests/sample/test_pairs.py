"""Pairs: what a draw shows belongs together in place and time."""

import pickle
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from armillary.earth.card import find_sensor
from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange
from armillary.sample.pairs import ALIGN_PX, Pairs
from armillary.sample.sample import Sample
from armillary.sample.source import Source
from armillary.sample.tiling import Tile, write_tiles

DAY = datetime(2020, 6, 7, tzinfo=UTC)


def ramp(sensor, shape, days, place="a", *, at=0.0, bands=("B02",), split="train", value=0.0):
    """Every pixel tells its row and column: 1000 row + column + value."""
    sensor = find_sensor(sensor)
    sensor = sensor if len(sensor.bands) < 3 else sensor.select(bands)
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    pixels = np.repeat((1000 * rows + cols + value)[None], len(sensor.bands), 0).astype(np.float32)
    window = Window.of(shape, (10.0, 0.0, 500000.0 + at, 0.0, -10.0, 5200000.0), "EPSG:32632")
    time = None if days is None else DAY + timedelta(days=days)
    return Tile(Sample(pixels, sensor, window, time), place, split, source="synthetic", licence="none")


def folder_of(tmp_path, *tiles):
    return write_tiles(tmp_path / "tiles", tiles)


def sensors_of(company):
    return tuple(r.sensor for r in company)


def test_all_sensors_of_a_draw_show_the_same_ground(tmp_path):
    names = ("s1-grd", "s2-l2a", "dem")
    pairs = Pairs(folder_of(tmp_path, *(ramp(n, (200, 150), None) for n in names)), side_px=64)
    for place in range(len(pairs)):
        drawn = pairs.draw(place, np.random.default_rng(place))
        assert sorted(drawn) == sorted(names)
        for sample in drawn.values():
            np.testing.assert_array_equal(sample.pixels[0], drawn["dem"].pixels[0])
            assert sample.window == drawn["dem"].window
            row, col = divmod(int(sample.pixels[0, 0, 0]), 1000)
            assert sample.window.affine @ (0, 0) == (500000.0 + 10 * col, 5200000.0 - 10 * row)


def test_cuts_begin_at_multiples_of_four_and_reach_every_edge(tmp_path):
    pairs = Pairs(folder_of(tmp_path, ramp("dem", (100, 80), None)), side_px=64)
    rng = np.random.default_rng(0)
    corners = {divmod(int(pairs.draw(i, rng)["dem"].pixels[0, 0, 0]), 1000) for i in [*range(len(pairs))] * 200}
    assert all(row % ALIGN_PX == col % ALIGN_PX == 0 for row, col in corners)
    assert {(0, 0), (36, 16)} <= corners


def test_a_grid_smaller_than_a_cut_is_padded_with_nothing_measured(tmp_path):
    pairs = Pairs(folder_of(tmp_path, ramp("dem", (50, 70), None)), side_px=64)
    for seed in range(5):
        sample = pairs.draw(0, np.random.default_rng(seed))["dem"]
        known = np.isfinite(sample.pixels[0])
        assert sample.window.shape == (64, 64)
        assert known.sum() == 50 * 64
        row, col = np.argwhere(known)[0]
        assert sample.window.affine @ (float(col), float(row)) == (
            500000.0 + 10 * (sample.pixels[0, row, col] % 1000),
            5200000.0,
        )


def test_two_levels_of_sentinel_2_meet_only_from_one_overpass(tmp_path):
    folder = folder_of(
        tmp_path,
        ramp("s2-l1c", (64, 64), 0.0),
        ramp("s2-l2a", (64, 64), 0.01),
        ramp("s2-l1c", (64, 64), 80.0),
        ramp("s2-l2a", (64, 64), 70.0),
        ramp("s1-grd", (64, 64), 3.0),
        ramp("s1-grd", (64, 64), 79.0),
        ramp("dem", (64, 64), None),
    )
    companies = Pairs(folder).companies(0)
    assert [sensors_of(c) for c in companies] == [
        ("dem", "s1-grd", "s2-l1c", "s2-l2a"),
        ("dem", "s1-grd", "s2-l1c"),
        ("dem", "s1-grd", "s2-l2a"),
    ]


def test_a_date_without_company_is_left_out_where_others_have_some(tmp_path):
    tiles = [ramp("s2-l2a", (64, 64), float(10 * i)) for i in range(8)]
    pairs = Pairs(folder_of(tmp_path, *tiles, ramp("s1-grd", (64, 64), 71.0)))
    assert set(map(sensors_of, pairs.companies(0))) == {("s1-grd", "s2-l2a")}
    assert len(pairs.companies(0)) == 2  # of days 60 and 70; that of day 80 does not exist


def test_each_date_of_a_series_is_drawn_with_its_own_date(tmp_path):
    tiles = [ramp(s, (64, 64), 30.0 * i, value=i) for s in ("s1-grd", "s2-l2a") for i in range(6)]
    pairs, rng = Pairs(folder_of(tmp_path, *tiles)), np.random.default_rng(0)
    drawn = [pairs.draw(0, rng) for _ in range(60)]
    assert all(d["s1-grd"].time == d["s2-l2a"].time for d in drawn)
    assert len({d["s1-grd"].time for d in drawn}) == 6


def test_grids_of_one_place_are_places_of_their_own(tmp_path):
    pairs = Pairs(folder_of(tmp_path, ramp("s1-grd", (64, 64), None, at=5.0), ramp("s2-l2a", (64, 64), None)))
    assert [pairs.place(i) for i in range(len(pairs))] == ["a", "a"]
    assert pairs.key(0) != pairs.key(1)
    assert [sorted(pairs.middle(i)) for i in range(2)] == [["s1-grd"], ["s2-l2a"]]


def test_only_grids_with_company_are_kept_when_asked(tmp_path):
    tiles = (ramp("s1-grd", (64, 64), None), ramp("dem", (64, 64), None), ramp("dem", (64, 64), None, "b"))
    folder = folder_of(tmp_path, *tiles)
    assert [p.place(0) for p in (Pairs(folder, together=2),)] == ["a"]
    assert len(Pairs(folder)) == 2
    with pytest.raises(
        BadInput, match=r"3 sensors at one place .* \(it has dem, s1-grd\); add places that at least 3 saw"
    ):
        len(Pairs(folder, together=3))


def test_the_split_is_the_folders(tmp_path):
    folder = folder_of(tmp_path, ramp("dem", (64, 64), None), ramp("dem", (64, 64), None, "b", split="held-out"))
    assert [Pairs(folder, s).key(0) for s in ("train", "held-out")] == ["a", "b"]


def test_it_is_a_source_that_travels_and_repeats(tmp_path):
    pairs = Pairs(folder_of(tmp_path, ramp("s1-grd", (99, 99), None), ramp("dem", (99, 99), None)))
    assert isinstance(pairs, Source)
    twin = pickle.loads(pickle.dumps(pairs))  # noqa: S301 (our own bytes)
    one, other = (p.draw(1, np.random.default_rng(3)) for p in (pairs, twin))
    for sensor, sample in one.items():
        np.testing.assert_array_equal(sample.pixels, other[sensor].pixels)
    assert pairs.checksum() == twin.checksum() != Pairs(pairs.folder, side_px=32).checksum()


def test_a_wrong_side_and_a_place_beyond_the_last_are_refused(tmp_path):
    folder = folder_of(tmp_path, ramp("dem", (64, 64), None))
    with pytest.raises(BadInput, match=r"side_px=30 .* multiple of 4"):
        Pairs(folder, side_px=30)
    with pytest.raises(BadInput, match="split='test'"):
        Pairs(folder, "test")
    with pytest.raises(OutOfRange, match=r"place 1 .* has 0 to 0"):
        Pairs(folder).draw(1, np.random.default_rng(0))


def test_a_folder_of_one_sensor_is_told_that_others_are_needed(tmp_path):
    folder = folder_of(tmp_path, ramp("s1-grd", (32, 32), 0), ramp("s1-grd", (32, 32), 0, "b"))
    with pytest.raises(BadInput, match=r"split=train shows so many \(it has s1-grd\); add places that at least 2 saw"):
        len(Pairs(folder, together=2))
