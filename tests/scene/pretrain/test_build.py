"""Building from synthetic scenes at exact places, and from real ones."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tests.scene.synthetic.pixels import Field

from armillary.earth.cells import Cell
from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import BadInput, OutputRefused
from armillary.sample.tree import CopernicusTree
from armillary.scene.harvest import FolderHarvest
from armillary.scene.onto import onto
from armillary.scene.pretrain.build import Recipe, build, stored, wide_window
from armillary.scene.pretrain.names import LAYERS, OWN_LOCALS, Spot, utm_window
from armillary.scene.pretrain.patches import candidates, choose
from armillary.scene.pretrain.write import begin
from armillary.scene.scene import Scene

PLAIN = Recipe()

CELL = Cell.at(10.25, 47.75)
"""Whose UTM zone is 32."""


@dataclass(frozen=True)
class Given:
    """Scenes as they are given."""

    made: Sequence[Scene]

    def cells(self) -> Sequence[Cell]:
        return [CELL]

    def scenes(self, cell: Cell, sensor: str) -> Iterator[Scene]:
        return (s for s in self.made if s.sensor.name == sensor)

    def checksum(self) -> str:
        return "given"


def scene(name: str, window: Window, day: str = "20200706", level: float = 0.0) -> Scene:
    """A scene whose value is a plane over the ground, so that any grid shows whether the place was kept."""
    sensor = sensors[name]
    time = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC, hour=9)
    return Scene(f"{name}-{day}.tif", sensor, window, time, Field(window, len(sensor.bands), level), {})


def ten_metres(side: int = 600, east_m: float = 0.0) -> Window:
    window = utm_window(*CELL.lonlat, (side, side), 10.0)
    a = window.affine
    return Window.of(window.shape, (10.0, 0.0, round(a.c) + east_m, 0.0, -10.0, round(a.f)), window.crs)


def built(tmp_path: Path, scenes: Sequence[Scene], recipe: Recipe = PLAIN) -> CopernicusTree:
    list(build(Given(scenes), tmp_path, recipe))
    return CopernicusTree(tmp_path)


def test_patches_of_a_large_scene_lie_side_by_side_on_its_pixels():
    window = ten_metres(600)
    found = list(candidates(scene("s2-l1c", window)))
    assert [w.shape for w in found] == [(264, 264)] * 4
    offsets = [(~window.affine) @ (w.affine.c, w.affine.f) for w in found]
    assert offsets == [(36, 36), (300, 36), (36, 300), (300, 300)]


def test_a_small_scene_is_one_patch_of_its_own_size():
    (window,) = candidates(scene("s2-l1c", ten_metres(200)))
    assert window.shape == (200, 200)


def test_patches_of_a_cell_do_not_overlap_and_are_the_same_each_time():
    scenes = [scene("s2-l1c", ten_metres(900)), scene("s1-grd", ten_metres(900, east_m=1000.0))]
    first, again = (choose(scenes, CELL, 7) for _ in range(2))
    assert first == again
    assert len(first) == 7
    left = [w.affine.c for w in first[:7]]
    top = [w.affine.f for w in first[:7]]
    pairs = [(i, j) for i in range(7) for j in range(i)]
    assert all(abs(left[i] - left[j]) >= 2376 or abs(top[i] - top[j]) >= 2376 for i, j in pairs)


def test_aligned_scenes_are_cut_without_resampling(tmp_path):
    scenes = [scene("s1-grd", ten_metres(), "20200710"), scene("s2-l1c", ten_metres())]
    source = built(tmp_path, scenes)
    drawn = source.draw(0, np.random.default_rng(0))
    for name in ("s1-grd", "s2-l1c"):
        truth = Field(drawn[name].window, len(sensors[name].bands), 0.0).plane()
        assert np.allclose(drawn[name].pixels, truth, atol=6e-5)
    assert drawn["s1-grd"].window == drawn["s2-l1c"].window
    assert [s.spot.id >= OWN_LOCALS for s in source.contents(0).layers["s1_grd"]] == [True] * 4


def test_every_sensor_is_put_on_its_grid_with_its_place_kept(tmp_path):
    lon, lat = CELL.lonlat
    wide = {n: Window.of((60, 60), (0.01, 0, lon - 0.3, 0, -0.01, lat + 0.3), "EPSG:4326") for n in WIDE}
    source = built(tmp_path, [scene(n, w) for n, w in wide.items()])
    drawn = source.draw(0, np.random.default_rng(0))
    assert set(drawn) == set(wide)
    for name, sample in drawn.items():
        key = next(k for k, x in LAYERS.items() if x.sensor == name)
        assert sample.window.shape == wide_window(key, Spot.of(CELL)).shape
        truth = Field(sample.window, 1, 0.0).plane()
        assert np.nanmax(np.abs(sample.pixels[:1] - truth)) < 2e-3
        assert sample.window.center == pytest.approx((lon, lat))


WIDE = ("s3-olci", "s5p-no2", "dem")


def test_a_wide_grid_is_as_wide_on_the_ground_as_it_is_high():
    for lat in (0.0, 47.75, 67.25):
        rows, cols = wide_window("s3_olci", Spot(1, 10.0, lat)).shape
        assert rows == 96
        assert cols * np.cos(np.radians(lat)) == pytest.approx(96, abs=2)


def test_a_scene_that_fills_little_of_a_cell_is_passed_over(tmp_path):
    lon, lat = CELL.lonlat
    corner = Window.of((10, 10), (0.01, 0, lon, 0, -0.01, lat), "EPSG:4326")
    with pytest.raises(OSError, match="holds no cell"):
        built(tmp_path / "a", [scene("dem", corner)])
    assert built(tmp_path / "b", [scene("dem", corner)], Recipe(filled=0.1)).key(0) == CELL.key


def test_tiles_of_one_day_are_laid_together(tmp_path):
    lon, lat = CELL.lonlat
    west = Window.of((60, 32), (0.01, 0, lon - 0.3, 0, -0.01, lat + 0.3), "EPSG:4326")
    east = Window.of((60, 32), (0.01, 0, lon - 0.02, 0, -0.01, lat + 0.3), "EPSG:4326")
    drawn = built(tmp_path, [scene("s5p-co", west), scene("s5p-co", east)]).draw(0, np.random.default_rng(0))
    assert drawn["s5p-co"].valid.all()


@pytest.mark.parametrize("day", ["20200706", "20220706"])
def test_counts_are_stored_with_the_offset_of_their_date_and_read_without_it(tmp_path, day):
    values = np.full((13, 1, 1), 0.25, np.float32)
    assert int(stored("s2_toa", values, None, day)[0, 0, 0]) == (2500 if day < "2022" else 3500)
    drawn = built(tmp_path, [scene("s2-l1c", ten_metres(), day)]).draw(0, np.random.default_rng(0))["s2-l1c"]
    assert np.allclose(drawn.pixels, Field(drawn.window, 13, 0.0).plane(), atol=6e-5)


def test_no_measurement_is_stored_as_none():
    values = np.array([np.nan, -0.5, 0.0, 9.0], np.float32).reshape(1, 2, 2).repeat(13, 0)
    assert stored("s2_toa", values, None, "20200101")[0].ravel().tolist() == [0, 1, 1, 65535]


def test_a_build_that_was_stopped_goes_on(tmp_path):
    class Stopping(Given):
        def scenes(self, cell: Cell, sensor: str) -> Iterator[Scene]:
            if sensor == "dem":
                raise KeyboardInterrupt
            return super().scenes(cell, sensor)

    scenes = [scene("s2-l1c", ten_metres(300))]
    with pytest.raises(KeyboardInterrupt):
        list(build(Stopping(scenes), tmp_path, Recipe()))
    assert not list(tmp_path.glob("*.json.gz"))
    assert not list(tmp_path.rglob("*.part"))
    steps = list(build(Given(scenes), tmp_path, Recipe()))
    assert [(s.files, s.done, s.total) for s in steps] == [(1, 1, 1)]

    class Empty(Given):
        def scenes(self, cell: Cell, sensor: str) -> Iterator[Scene]:
            raise AssertionError("a finished cell was asked for again")

    assert [s.files for s in build(Empty(scenes), tmp_path, Recipe())] == [1]


def test_a_folder_begun_otherwise_or_holding_something_else_is_refused(tmp_path):
    begin(tmp_path / "a", {"layout": "tree"})
    begin(tmp_path / "a", {"layout": "tree"})
    with pytest.raises(OutputRefused, match="layout was 'tree', now 'shards'"):
        begin(tmp_path / "a", {"layout": "shards"})
    (tmp_path / "b").mkdir()
    (tmp_path / "b/x.txt").touch()
    with pytest.raises(OutputRefused, match="something else"):
        begin(tmp_path / "b", {})


@pytest.mark.parametrize("wrong", [{"patches": 0}, {"patches": 8}, {"covered": 0.0}, {"filled": 1.5}])
def test_a_recipe_that_cannot_be_is_refused(wrong):
    with pytest.raises(BadInput):
        Recipe(**wrong)


def test_a_real_site_becomes_a_cell_and_keeps_its_values(shared, tmp_path):
    harvest = FolderHarvest(shared / "data" / "ssl4eo_s12_site")
    list(build(harvest, tmp_path, Recipe()))
    source = CopernicusTree(tmp_path)
    contents = source.contents(0)
    assert {k: [len(s.shots) for s in v] for k, v in contents.layers.items()} == {"s1_grd": [2], "s2_toa": [2]}
    drawn = source.draw(0, np.random.default_rng(0))
    sample = drawn["s2-l1c"]
    day = sample.time.date()
    truth = next(s for s in harvest.scenes(Cell(contents.cell.id), "s2-l1c") if s.time.date() == day)
    assert sample.window.crs.epsg == 32643
    assert sample.window.gsd_m == pytest.approx(10, rel=2e-3)
    assert sample.window.center == pytest.approx(truth.window.center, abs=1e-4)
    expected = onto(truth.select(sensors["s2-l1c"].band_names), sample.window)
    assert np.allclose(sample.pixels, expected, atol=6e-5, equal_nan=True)
    assert sample.valid.mean() > 0.95
