from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from armillary.bench.archives.rasters import read_bands, read_raster, to_values
from armillary.bench.files import Folder
from armillary.bench.specimens.drawn import Spot, tif
from armillary.bench.tasks import EUROSAT_S2
from armillary.earth.fleet import sensors
from armillary.errors import SceneUnreadable

UTM = Spot("EPSG:32632", Affine(10.0, 0.0, 400000.0, 0.0, -10.0, 5000000.0))


def _files(folder: Path, **pixels: np.ndarray) -> Folder:
    for name, values in pixels.items():
        (folder / f"{name}.tif").write_bytes(tif(values, UTM))
    return Folder(str(folder))


def test_counts_of_sentinel_2_are_reflectance_and_a_band_of_zero_is_a_measurement(tmp_path: Path) -> None:
    pixels = np.full((13, 2, 2), 2500, dtype=np.uint16)
    pixels[:, 0, 0] = 0
    pixels[9, 1, 1] = 0
    values, window = read_bands(_files(tmp_path, a=pixels), ["a.tif"], sensors["s2-l1c"], "count")
    assert np.isnan(values[:, 0, 0]).all()
    assert (values[9, 1, 1], values.dtype) == (0, np.float32)
    assert values[0, 0, 1] == pytest.approx(0.25)
    assert (window.crs.epsg, window.affine, window.shape) == (32632, UTM.affine, (2, 2))


def test_counts_of_olci_are_radiance_band_by_band_and_nan_stays(tmp_path: Path) -> None:
    olci = sensors["s3-olci"]
    pixels = np.full((21, 1, 3), 1000, dtype=np.float32)
    pixels[3, 0, 0], pixels[:, 0, 1] = np.nan, 65535
    values, _ = read_bands(_files(tmp_path, a=pixels), ["a.tif"], olci, "count")
    assert values[:, 0, 2] == pytest.approx(1000 * np.array(olci.counts.scale), rel=1e-6)
    assert np.isnan(values[:, 0, 0]).tolist() == [i == 3 for i in range(21)]
    assert np.isnan(values[:, 0, 1]).all()


def test_linear_backscatter_is_decibels_and_none_where_it_is_not_above_zero(tmp_path: Path) -> None:
    vv, vh = np.array([[[0.1, 0.0]]], np.float32), np.array([[[0.001, np.nan]]], np.float32)
    values, _ = read_bands(_files(tmp_path, vv=vv, vh=vh), ["vv.tif", "vh.tif"], sensors["s1-grd"], "linear")
    assert values[:, 0, 0] == pytest.approx([-10, -30], abs=1e-5)
    assert np.isnan(values[:, 0, 1]).all()


def test_a_column_that_is_absurd_is_none() -> None:
    raw = np.array([[[1e-4, 9.97e36, -np.inf, np.nan]]])
    assert np.isnan(to_values(raw, sensors["s5p-no2"], "value"))[0, 0].tolist() == [False, True, True, True]


def test_bands_that_a_file_names_are_read_by_name(tmp_path: Path) -> None:
    sensor = EUROSAT_S2.sensor
    assert sensor.band_names[-1] == "B8A"
    house = sensors["s2-l1c"].band_names
    pixels = np.arange(1, 14, dtype=np.uint16)[:, None, None] * np.ones((13, 1, 1), np.uint16)
    files = _files(tmp_path, a=pixels)
    plain, _ = read_bands(files, ["a.tif"], sensor, "count")
    with rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.descriptions = house
    named, _ = read_bands(files, ["a.tif"], sensor, "count")
    assert np.round(plain[:, 0, 0] * 1e4).tolist() == list(range(1, 14))
    assert np.round(named[:, 0, 0] * 1e4).tolist() == [house.index(b) + 1 for b in sensor.band_names]


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_an_affine_that_only_counts_pixels_is_no_place(tmp_path: Path, scale: float) -> None:
    spot = Spot("EPSG:4326", Affine(1.0, 0.0, 0.0, 0.0, scale, 0.0))
    (tmp_path / "a.tif").write_bytes(tif(np.ones((1, 8, 8), np.uint8), spot))
    assert read_raster(Folder(str(tmp_path)), "a.tif").window.crs is None


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    files = _files(tmp_path, a=np.random.default_rng(0).integers(9, 999, (13, 64, 64)).astype(np.uint16))
    content = (tmp_path / "a.tif").read_bytes()
    for size in (0, 100, len(content) // 2):
        (tmp_path / "a.tif").write_bytes(content[:size])
        with pytest.raises(SceneUnreadable, match=r"a\.tif"):
            read_bands(files, ["a.tif"], sensors["s2-l1c"], "count")


def test_bands_of_another_sensor_are_told(tmp_path: Path) -> None:
    files = _files(tmp_path, a=np.ones((3, 2, 2), np.uint16))
    with pytest.raises(SceneUnreadable, match=r"a\.tif .*hold 3 bands.*s1-grd has 2"):
        read_bands(files, ["a.tif"], sensors["s1-grd"], "value")
