from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from tests.scene.synthetic.rasters import RGB, counts, write

from armillary.earth.cells import Cell
from armillary.scene.harvest import FolderHarvest, Harvest
from armillary.scene.pretrain.names import LAYERS

NAMES = (*(f"B{i}" for i in range(1, 9)), "B8A", "B9", "B10", "B11", "B12")


def scenes(folder: Path) -> FolderHarvest:
    write(folder / "later/S2A_MSIL1C_20210706T085611_N0301_T32TQT.tif", counts(13), NAMES)
    write(folder / "S2A_MSIL1C_20200706T085611_N0301_T32TQT.tif", counts(13), NAMES)
    write(folder / "dem.tif", np.full((1, 20, 16), 300.0, np.float32), ("DEM",))
    return FolderHarvest(folder)


def test_scenes_are_found_by_cell_and_sensor_oldest_first(tmp_path):
    harvest = scenes(tmp_path)
    assert isinstance(harvest, Harvest)
    (cell,) = harvest.cells()
    assert cell == Cell.at(10.33, 47.84)
    assert [s.time.year for s in harvest.scenes(cell, "s2-l1c")] == [2020, 2021]
    assert [s.sensor.name for s in harvest.scenes(cell, "dem")] == ["dem"]
    assert list(harvest.scenes(Cell(0), "dem")) == []
    assert all(not list(harvest.scenes(cell, x.sensor)) for x in LAYERS.values() if x.sensor.startswith("s5p"))


def test_what_is_no_scene_with_a_place_and_a_time_is_left_out_with_the_reason(tmp_path):
    write(tmp_path / "a.tif", counts(3), RGB, crs=None)
    (tmp_path / "b.tif").write_text("no raster")
    write(tmp_path / "c_s2l1c.tif", counts(13), NAMES)
    harvest = FolderHarvest(tmp_path)
    assert list(harvest.cells()) == []
    why = {x.path.name: x.why for x in harvest.left_out}
    assert set(why) == {"a.tif", "b.tif", "c_s2l1c.tif"}
    assert "no time" in why["c_s2l1c.tif"]


@pytest.mark.parametrize(
    ("crs", "corner", "why"),
    [
        ("EPSG:4326", (600000, 5300000), "lies outside the domain of WGS 84; check the affine and the CRS of the file"),
        ("EPSG:32632", (1e300, 5300000), "lies outside the domain of WGS 84 / UTM zone 32N"),
        ('LOCAL_CS["a site",UNIT["metre",1]]', (0, 0), "no CRS"),
    ],
)
def test_a_scene_whose_place_is_not_on_earth_is_left_out_by_name_and_the_others_stay(tmp_path, crs, corner, why):
    scenes(tmp_path)
    lost = tmp_path / "S2A_MSIL1C_20190706T085611_N0301_T32TQT.tif"
    write(lost, counts(13), NAMES, crs=crs, transform=Affine(10, 0, corner[0], 0, -10, corner[1]))
    harvest = FolderHarvest(tmp_path)
    (cell,) = harvest.cells()
    assert len(list(harvest.scenes(cell, "s2-l1c"))) == 2
    (left,) = harvest.left_out
    assert left.path == lost
    assert why in left.why


def test_bands_that_lie_in_files_of_their_own_are_one_scene(tmp_path):
    for band in ("VV", "VH"):
        pixels = np.full((1, 20, 16), -12.0, np.float32)
        write(tmp_path / f"S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904/{band}.tif", pixels)
    harvest = FolderHarvest(tmp_path)
    (cell,) = harvest.cells()
    (scene,) = harvest.scenes(cell, "s1-grd")
    assert scene.sensor.band_names == ("VV", "VH")


def test_a_sensor_that_the_data_set_does_not_hold_is_left_out(tmp_path):
    surface = tuple(n for n in NAMES if n != "B10")
    write(tmp_path / "S2A_MSIL2A_20210706T085611_N0301_T32TQT.tif", counts(12), surface)
    (left,) = FolderHarvest(tmp_path).left_out
    assert left.why.startswith("it is of s2-l2a; the data set holds s1-grd")


def test_another_scene_is_another_harvest(tmp_path):
    before = scenes(tmp_path).checksum()
    assert FolderHarvest(tmp_path).checksum() == before
    write(tmp_path / "S2A_MSIL1C_20220706T085611_N0400_T32TQT.tif", counts(13), NAMES)
    assert FolderHarvest(tmp_path).checksum() != before


def test_a_thumbnail_is_left_out(tmp_path):
    coarse = Affine(90, 0, 600000, 0, -90, 5300000)
    write(tmp_path / "dem.tif", np.full((1, 20, 16), 300.0, np.float32), ("DEM",), transform=coarse)
    (left,) = FolderHarvest(tmp_path).left_out
    assert left.why.startswith("its pixels are 90 m, dem has 30 m")
