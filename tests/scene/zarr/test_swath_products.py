from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from pyproj import Geod
from tests.scene.synthetic import grd
from tests.scene.synthetic.eopf import OLCI_SHAPE, olci_counts, olci_places, write_olci, write_s1, zip_zarr

from armillary.errors import BandMismatch, SensorUnknown
from armillary.scene.request import Request
from armillary.scene.s1 import grd as s1
from armillary.scene.scene import Scene
from armillary.scene.zarr import zarr

GRID = Request(crs="EPSG:32633", resolution=111.32)


def whole(scene: Scene) -> np.ndarray:
    h, w = scene.window.shape
    return scene.pixels.read(range(len(scene.sensor.band_names)), slice(0, h), slice(0, w))


@pytest.mark.parametrize("form", [2, 3])
def test_radar_in_zarr_equals_the_same_radar_in_safe(tmp_path, form):
    safe = s1.open_scene(grd.write(tmp_path, style=None), GRID)
    path = write_s1(tmp_path / "s1.zarr", {"VV": grd.counts(0), "VH": grd.counts(1)}, form=form)
    scene = zarr.open_scene(path, GRID)
    assert scene.sensor.name == "s1-grd"
    assert scene.sensor.band_names == ("VV", "VH")
    assert scene.window == safe.window
    np.testing.assert_allclose(whole(scene), whole(safe), atol=1e-5)


def test_sigma_nought_is_the_closed_form(tmp_path):
    path = write_s1(tmp_path / "s1.zarr", {"VV": np.full((40, 60), 150, np.uint16)})
    scene = zarr.open_scene(path, Request(crs="EPSG:4326", resolution=0.001))
    db = whole(scene)[0]
    a = scene.window.affine
    rows, cols = np.nonzero(np.isfinite(db))
    x, y = a.c + a.a * (cols + 0.5), a.f + a.e * (rows + 0.5)
    line, pixel = (y - 42.0) / 0.001, (x - 12.0) / 0.001
    inside = (line > 1) & (line < 38) & (pixel > 1) & (pixel < 58)
    want = 20 * np.log10(150 / grd.amplitude(line, pixel))
    np.testing.assert_allclose(db[rows, cols][inside], want[inside], atol=2e-4)


def test_the_radar_facts_say_that_noise_stays_and_when(tmp_path):
    scene = zarr.open_scene(write_s1(tmp_path / "s1.zarr", {"VV": grd.counts(0)}), GRID)
    assert scene.facts["thermal_noise"].startswith("as in the file")
    assert scene.time == datetime(2020, 4, 5, 17, 15, 0, 123456, UTC)


def test_hh_alone_is_refused(tmp_path):
    with pytest.raises(SensorUnknown, match="HH"):
        zarr.open_scene(write_s1(tmp_path / "s1.zarr", {"HH": grd.counts(0)}), GRID)


def test_a_radar_zip_reads_like_its_folder(tmp_path):
    folder = write_s1(tmp_path / "s1.zarr", {"VV": grd.counts(0)}, form=3)
    zipped = zip_zarr(folder, tmp_path / "s1.zarr.zip", top=True)
    np.testing.assert_array_equal(whole(zarr.open_scene(zipped, GRID)), whole(zarr.open_scene(folder, GRID)))


@pytest.mark.parametrize("form", [2, 3])
@pytest.mark.parametrize("inner", ["measurements", "measurements/image"])
def test_each_olci_grid_pixel_is_the_nearest_of_the_swath(tmp_path, form, inner):
    scene = zarr.open_scene(write_olci(tmp_path / "s3.zarr", form=form, inner=inner), Request())
    assert scene.sensor.name == "s3-olci"
    assert scene.sensor.band_names == ("Oa01", "Oa02", "Oa17")
    values = whole(scene)
    nearest, distance = _brute(scene)
    for k, band in enumerate((1, 2, 17)):
        truth = olci_counts(band).astype(float) * 0.01 * band
        truth[0, 0] = truth[5, 5] = np.nan
        near = distance < 250
        np.testing.assert_allclose(values[k][near], truth.ravel()[nearest][near], rtol=1e-6)
    assert np.isnan(values[:, distance > 600]).all()


def _brute(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    lon, lat = olci_places()
    h, w = scene.window.shape
    nearest, distance = np.zeros((h, w), int), np.zeros((h, w))
    for r in range(h):
        for c in range(w):
            x, y = scene.window.lonlat(r + 0.5, c + 0.5)
            d = Geod(a=6370997.0, b=6370997.0).inv(np.full(lon.size, x), np.full(lon.size, y), lon.ravel(), lat.ravel())
            order = np.argsort(d[2])
            nearest[r, c] = order[0]
            tied = d[2][order[1]] - d[2][order[0]] < 5
            distance[r, c] = 400 if tied else d[2][order[0]]
    return nearest, distance


def test_any_crop_of_olci_equals_the_same_part_of_the_whole(tmp_path):
    scene = zarr.open_scene(write_olci(tmp_path / "s3.zarr", form=3), Request())
    full = whole(scene)
    crop = scene.pixels.read([0, 1, 2], slice(3, 20), slice(8, 17))
    np.testing.assert_array_equal(crop, full[:, 3:20, 8:17])


def test_bit_31_of_the_flags_harms_nothing(tmp_path):
    path: Path = write_olci(tmp_path / "s3.zarr")
    values = whole(zarr.open_scene(path, Request()))[0]
    assert np.isclose(values, float(olci_counts(1)[7, 7]) * 0.01, rtol=1e-6).any()


def test_an_olci_band_that_is_not_here_is_named(tmp_path):
    with pytest.raises(BandMismatch, match="Oa05"):
        zarr.open_scene(write_olci(tmp_path / "s3.zarr"), Request(bands=("Oa05",)))


def test_the_time_and_size_of_the_frame(tmp_path):
    scene = zarr.open_scene(write_olci(tmp_path / "s3.zarr"), Request())
    assert scene.time == datetime(2025, 4, 10, 9, 35, 15, 500000, UTC)
    assert abs(scene.window.gsd_m - 300) < 3
    assert scene.window.shape[0] >= OLCI_SHAPE[0]
