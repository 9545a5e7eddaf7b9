"""Tiles: what is written comes back, lazily, by place, and a damaged folder says so."""

import pickle
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from armillary.earth.card import find_sensor
from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange, OutputRefused, SceneNotFound, SceneUnreadable
from armillary.sample.mix import Mix
from armillary.sample.sample import Sample
from armillary.sample.source import Source
from armillary.sample.tiles import SCHEMA, TABLE, Tiles, packaged
from armillary.sample.tiling import Tile, write_tiles

UTM = "EPSG:32632"
DAY = datetime(2020, 6, 7, 1, 8, tzinfo=UTC)


def synthetic(sensor, shape=(40, 48), *, at=500000.0, crs=UTM, time=DAY, seed=0, bands=None):
    """Noise in steps of 1e-4, on a grid whose corner lies at `at` east."""
    chosen = find_sensor(sensor)
    chosen = chosen if bands is None else chosen.select(bands)
    pixels = np.random.default_rng(seed).integers(0, 9999, (len(chosen.bands), *shape)).astype(np.float32) * 1e-4
    window = Window.of(shape, (10.0, 0.0, at, 0.0, -10.0, 5200000.0), crs)
    return Sample(pixels.astype(np.float32), chosen, window, time)


def tile(sample, place="a", split="train", **facts):
    return Tile(sample, place, split, source="synthetic", licence="none", **facts)


@pytest.fixture
def folder(tmp_path):
    return write_tiles(
        tmp_path / "tiles",
        [
            tile(synthetic("s2-l2a"), scale=1e-4),
            tile(synthetic("s1-grd", seed=1)),
            tile(synthetic("s2-l2a", at=600000.0, seed=2)),
            tile(synthetic("dem", seed=3), "b"),
            tile(synthetic("s2-l1c", (600, 300), seed=4), "c", "held-out"),
            tile(synthetic("ombria-s1", (20, 20), crs=None, time=None), "d", lock="pre"),
        ],
    )


@pytest.mark.parametrize(("scale", "error"), [(None, 0.0), (1e-4, 1e-7), (0.01, 0.005 + 1e-6)])
def test_a_tile_comes_back_to_within_half_its_step(tmp_path, scale, error):
    sample = synthetic("s2-l2a", bands=("B08", "B02"))
    sample.pixels[0, 3, 4] = np.nan
    tiles = Tiles(write_tiles(tmp_path / "t", [tile(sample, scale=scale)]))
    back = tiles.read(tiles.rows[0])
    np.testing.assert_allclose(back.pixels, sample.pixels, atol=error, rtol=0)
    assert (back.sensor, back.window, back.time) == (sample.sensor, sample.window, sample.time)


@pytest.mark.parametrize("scale", [0.0, -1e-4, float("nan"), float("inf"), 1e-40])
def test_a_scale_without_multiples_is_refused_before_anything_is_lost(scale):
    with pytest.raises(BadInput, match=r"^a: values were to be stored in steps of .*give a scale above 0"):
        tile(synthetic("dem"), scale=scale)


def test_values_beyond_all_steps_are_refused_not_called_unmeasured(tmp_path):
    sample = synthetic("dem")
    sample.pixels[0, 0, 0] = 3e38
    with pytest.raises(OutOfRange, match=r"^a: .* to 3e\+38 does not fit 16 bits in steps of 1e-30"):
        write_tiles(tmp_path / "t", [tile(sample, scale=1e-30)])
    assert not list(tmp_path.iterdir())


def test_nothing_measured_at_all_comes_back_as_that(tmp_path):
    sample = synthetic("dem")
    sample.pixels[:] = np.nan
    tiles = Tiles(write_tiles(tmp_path / "t", [tile(sample, scale=1.0)]))
    assert np.isnan(tiles.read(tiles.rows[0]).pixels).all()


def test_whole_small_numbers_take_one_byte(tmp_path):
    levels = synthetic("ombria-s1", crs=None)
    levels.pixels[:] = np.rint(levels.pixels * 255)
    tiles = Tiles(write_tiles(tmp_path / "t", [tile(levels, scale=1.0)]))
    assert tiles.rows[0].dtype == "uint8"
    np.testing.assert_array_equal(tiles.read(tiles.rows[0]).pixels, levels.pixels)


def test_a_crop_is_the_crop_of_the_whole(folder):
    tiles = Tiles(folder)
    row = tiles.rows[0]
    crop = tiles.read(row, rows=slice(3, 20), cols=slice(7, 30))
    whole = tiles.read(row).crop(rows=slice(3, 20), cols=slice(7, 30))
    np.testing.assert_array_equal(crop.pixels, whole.pixels)
    assert crop.window == whole.window


def test_a_crop_reads_no_other_bytes(folder):
    """The last rows of the last tile of the shard are spoiled; the first still read."""
    tiles = Tiles(folder, None)
    row = tiles.rows[4]
    before = tiles.read(row, rows=slice(0, 5)).pixels
    path = folder / row.shard
    path.write_bytes(path.read_bytes()[:-4] + b"\xff\xff\xff\xff")
    np.testing.assert_array_equal(tiles.read(row, rows=slice(0, 5)).pixels, before)


def test_equal_randomness_gives_equal_draws_after_pickling(folder):
    tiles = Tiles(folder, None, most_px=32)
    again = pickle.loads(pickle.dumps(tiles))  # noqa: S301 (our own bytes)
    for place in range(len(tiles)):
        a, b = tiles.draw(place, np.random.default_rng(place)), again.draw(place, np.random.default_rng(place))
        assert list(a) == list(b)
        for sensor in a:
            np.testing.assert_array_equal(a[sensor].pixels, b[sensor].pixels)


def test_tiles_are_a_source(folder):
    assert isinstance(Tiles(folder), Source)
    assert isinstance(Mix(((Tiles(folder), 2),)), Source)


def test_splits_share_no_place(folder):
    train, held = Tiles(folder), Tiles(folder, "held-out")
    assert {r.place for r in train.rows} == {"a", "b", "d"}
    assert {r.place for r in held.rows} == {"c"}


def test_an_absent_sensor_is_an_absent_key(folder):
    tiles = Tiles(folder)
    found = [sorted(tiles.draw(i, np.random.default_rng(0))) for i in range(len(tiles))]
    assert found == [["s1-grd", "s2-l2a"], ["dem"], ["ombria-s1"]]


def test_sensors_of_one_lock_are_preferred_and_cut_alike(folder):
    tiles = Tiles(folder, most_px=16)
    for seed in range(20):
        draw = tiles.draw(0, np.random.default_rng(seed))
        assert draw["s1-grd"].window == draw["s2-l2a"].window


def test_a_large_place_is_there_once_per_block_and_its_draws_overlap(folder):
    tiles = Tiles(folder, "held-out", most_px=150)
    assert [tiles.key(i) for i in range(len(tiles))] == [f"c@{r}-{c}" for r in range(4) for c in range(2)]
    for place in range(len(tiles)):
        tops = [tiles.draw(place, np.random.default_rng(s))["s2-l1c"].window.affine.f / 10 for s in range(20)]
        assert max(tops) - min(tops) <= 150 / 2
    seen = [tiles.draw(p, np.random.default_rng(s))["s2-l1c"].window.affine.f / 10 for p in (0, 6) for s in range(20)]
    assert (max(seen), min(seen)) == (520000, 520000 - 450), "the first and the last row are seen"


def test_small_tiles_and_other_sources_can_be_left_out(folder):
    assert {r.place for r in Tiles(folder, least_px=30).rows} == {"a", "b"}
    assert {r.sensor for r in Tiles(folder, sensors=("dem",)).rows} == {"dem"}
    with pytest.raises(BadInput, match="none has"):
        len(Tiles(folder, sources=("elsewhere",)))


def test_the_checksum_tells_what_is_read(folder):
    words = {Tiles(folder).checksum(), Tiles(folder, "held-out").checksum(), Tiles(folder, most_px=64).checksum()}
    assert len(words) == 3
    assert Tiles(folder).checksum() == Tiles(folder).checksum()


def test_a_mix_draws_what_its_parts_draw(folder):
    a, b = Tiles(folder), Tiles(folder, "held-out")
    mix = Mix(((a, 1), (b, 3)))
    assert len(mix) == len(a) + 3 * len(b)
    assert len({mix.key(i) for i in range(len(mix))}) == len(mix)
    last = mix.draw(len(mix) - 1, np.random.default_rng(5))
    np.testing.assert_array_equal(last["s2-l1c"].pixels, b.draw(len(b) - 1, np.random.default_rng(5))["s2-l1c"].pixels)
    with pytest.raises(OutOfRange, match="the mix has 0 to"):
        mix.draw(len(mix), np.random.default_rng(0))


@pytest.mark.parametrize("times", [(), (0,), (1, -2), (0, 0)])
def test_a_mix_of_no_whole_times_is_refused(folder, times):
    with pytest.raises(BadInput, match="give at least one source, each with a whole number of times, 1 or more"):
        Mix(tuple((Tiles(folder), n) for n in times))


@pytest.mark.parametrize("most_px", [0, -5])
def test_a_side_of_no_whole_pixels_is_refused(tmp_path, most_px):
    with pytest.raises(BadInput, match=f"^most_px={most_px} was asked for; give whole pixels, 1 or more, or None"):
        Tiles(tmp_path, most_px=most_px)


def unchecked(kind, **fields):
    """A value as it is made where no types are checked."""
    value = object.__new__(kind)
    for name, field in fields.items():
        object.__setattr__(value, name, field)
    value.__post_init__()


@pytest.mark.parametrize("number", [1.5, float("nan")])
def test_parts_of_a_time_or_of_a_pixel_are_refused_where_no_types_are_checked(folder, number):
    with pytest.raises(BadInput, match="a mix of sources"):
        unchecked(Mix, parts=((Tiles(folder), number),))
    with pytest.raises(BadInput, match="whole pixels"):
        unchecked(Tiles, folder=folder, split=None, most_px=number)


@pytest.mark.parametrize("affine", [None, [10.0, 0.0, 0.0], [1.0, 2.0, 0.0, 2.0, 4.0, 0.0], [None] * 6])
def test_a_table_whose_tile_has_no_affine_names_the_file_and_the_field(folder, affine):
    table = pq.read_table(folder / TABLE)
    column = pa.array([affine] * len(table), pa.list_(pa.float64()))
    pq.write_table(table.set_column(SCHEMA.get_field_index("affine"), "affine", column), folder / TABLE)
    with pytest.raises(BadInput, match=r"^the tile a/s2-l2a/0 has (no affine|affine=\[.*\]) in .*tiles\.parquet;"):
        len(Tiles(folder))


def test_a_truncated_shard_is_one_sentence(folder):
    tiles = Tiles(folder)
    path = folder / tiles.rows[0].shard
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SceneUnreadable, match=r"cannot be read from .*write the tiles again"):
        tiles.draw(0, np.random.default_rng(0))


def test_a_changed_shard_is_found(folder):
    tiles = Tiles(folder, None)
    assert len(list(tiles.verify())) == 6
    path = folder / tiles.rows[0].shard
    path.write_bytes(path.read_bytes()[:-4] + b"\xff\xff\xff\xff")
    with pytest.raises(SceneUnreadable, match="has changed"):
        list(tiles.verify())


def test_a_foreign_table_and_an_absent_folder_are_refused(folder, tmp_path):
    with pytest.raises(SceneNotFound, match=r"has no tiles\.parquet"):
        len(Tiles(tmp_path))
    pq.write_table(pq.read_table(folder / TABLE).drop(["lock"]), folder / TABLE)
    with pytest.raises(SceneUnreadable, match="no table of tiles"):
        len(Tiles(folder))


def test_a_group_on_both_sides_leaves_nothing_behind(tmp_path):
    one, other = (tile(synthetic("dem"), p, s, group="g") for p, s in (("a", "train"), ("b", "held-out")))
    with pytest.raises(BadInput, match="group g is on both sides"):
        write_tiles(tmp_path / "t", [one, other])
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutOfRange, match="does not fit 16 bits"):
        write_tiles(tmp_path / "t", [replace(one, scale=1e-6)])
    write_tiles(tmp_path / "t", [one])
    with pytest.raises(OutputRefused, match="there already"):
        write_tiles(tmp_path / "t", [one])


def test_a_split_that_is_none_is_refused(tmp_path):
    with pytest.raises(BadInput, match="'train', 'held-out', or None"):
        Tiles(tmp_path, "test")


def test_the_packaged_sample_is_whole_small_and_has_both_sides():
    both = packaged(None)
    assert len(list(both.verify())) == len(both.rows) == 31
    assert sum(p.stat().st_size for p in both.folder.iterdir()) <= 2.5e6
    seen = {"s1-grd", "s1-rtc", "s2-l1c", "s2-l2a", "dem"}
    assert {r.sensor for r in packaged().rows} == seen == {r.sensor for r in packaged("held-out").rows}
    told = (both.folder / "README.md").read_text(encoding="utf-8")
    assert all(r.source in told and r.licence.split(" (")[0].removeprefix("data ") in told for r in both.rows)


def test_places_of_the_packaged_sample_lie_on_earth_and_in_range():
    tiles = packaged(None)
    for place in range(len(tiles)):
        for name, sample in tiles.draw(place, np.random.default_rng(0)).items():
            assert abs(sample.window.center[1]) < 90
            assert sample.window.gsd_m == pytest.approx(10, abs=1.5)
            low, high = find_sensor(name).plausible
            assert low <= np.nanmin(sample.pixels) < np.nanmax(sample.pixels) <= high


def test_training_from_tiles_needs_neither_xarray_nor_rasterio():
    names = ("tiles", "tiling", "augment", "mix", "stream")
    code = f"import sys\nfor n in {names}: __import__('armillary.sample.' + n)\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"xarray", "rioxarray", "rasterio"} & set(loaded)


@pytest.mark.parametrize("value", [np.inf, -np.inf, -2.9e24])
def test_values_that_no_sensor_measures_are_refused_with_sensor_and_place(tmp_path, value):
    sample = synthetic("s1-grd")
    tiles = Tiles(write_tiles(tmp_path / "t", [tile(sample, "there")]))
    shard = tmp_path / "t" / tiles.rows[0].shard
    kept = load_file(shard)
    kept[tiles.rows[0].id][0, 3, 4] = value
    save_file(kept, shard)
    with pytest.raises(SceneUnreadable, match=r"s1-grd of there .* infinite or beyond 1\.8e\+19; write the tiles"):
        tiles.read(tiles.rows[0])
    assert tiles.read(tiles.rows[0], rows=slice(8, 16)).pixels.shape == (2, 8, 48)


def test_what_is_infinite_is_written_as_unknown(tmp_path):
    sample = synthetic("s1-grd")
    sample.pixels[0, 3, 4] = np.inf
    tiles = Tiles(write_tiles(tmp_path / "t", [tile(sample)]))
    assert np.argwhere(np.isnan(tiles.read(tiles.rows[0]).pixels)).tolist() == [[0, 3, 4]]
