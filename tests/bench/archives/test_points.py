from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from armillary.bench.archive import Archive
from armillary.bench.archives.points import POINT_PX, PRESTO_S2, places, presto, window_at, worldcereal
from armillary.bench.files import Files, open_files
from armillary.earth.fleet import sensors


def _files(root: Path) -> Files:
    (root / "set").mkdir(exist_ok=True)
    return open_files(root, Archive("set.zip", "set", "", "", "invented for tests"))


@pytest.mark.parametrize(("lon", "lat"), [(0.0, 0.0), (-120.5, 47.3), (179.9999, 60.0), (10.0, 80.0)])
def test_a_patch_around_a_place_has_it_in_the_middle_and_the_area_that_was_asked(lon: float, lat: float) -> None:
    window = window_at(lon, lat, 10.0)
    np.testing.assert_allclose(window.center, (lon, lat), atol=1e-9)
    assert abs(window.gsd_m - 10.0) < 0.1


def test_synthetic_values_at_places_come_behind_empty_patches(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "heights.csv").write_text("lon,lat,height\n10.5,45.5,300\n-60,-10,\n-70,-20,12.5\n")
    items = places(sensors["s2-l1c"], "heights", "height")(_files(tmp_path))
    assert [float(items.truth(n)) for n in range(len(items))] == [300.0, 12.5]  # a place without a value is not asked
    (sample,) = items.item(0).samples
    assert np.isnan(sample.pixels).all()
    np.testing.assert_allclose(sample.window.center, (10.5, 45.5))


def test_synthetic_presto_tables_become_reflectance_and_decibel_and_fillers_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "data" / "fuel_moisture" / "npy"
    folder.mkdir(parents=True)
    table = np.full((2, 3, 18), 5000.0)
    table[..., 0], table[..., 1] = -12.0, -49.94
    np.save(folder / "s1_s2_era5_srtm.npy", table)
    np.save(folder / "latlon.npy", np.array([[40.0, -100.0], [35.0, -110.0]]))
    np.save(folder / "target.npy", np.array([80.0, 120.0]))
    optical = presto(sensors["s2-l1c"].select(PRESTO_S2), "fuel_moisture")(_files(tmp_path)).item(1)
    assert len(optical.samples) == 3
    assert optical.samples[0].pixels.shape == (11, POINT_PX, POINT_PX)
    np.testing.assert_allclose(optical.samples[0].pixels, 0.5)
    np.testing.assert_allclose(optical.samples[0].window.center, (-110.0, 35.0))
    assert (float(optical.truth), optical.samples[0].time) == (120.0, None)
    radar = presto(sensors["s1-grd"], "fuel_moisture")(_files(tmp_path)).item(0).samples[0].pixels
    np.testing.assert_allclose(radar[0], -12.0)
    assert np.isnan(radar[1]).all()


def test_synthetic_worldcereal_months_are_named_and_unspecified_cropland_is_not_asked(tmp_path: Path) -> None:
    s1 = sensors["s1-grd"]
    table = pd.DataFrame({"LANDCOVER_LABEL": [11, 10, 40], "lon": [5.0, 6.0, 7.0], "lat": [50.0, 51.0, 52.0]})
    table["start_date"] = "2018-12-01"
    for t in range(12):
        for band in ("VV", "VH"):
            table[f"SAR-{band}-ts{t}-20m"] = [10**4.15, 1.0, 65535.0]
    (tmp_path / "set").mkdir()
    out = BytesIO()
    table.to_parquet(out)
    (tmp_path / "set" / "wc_testdf.parquet").write_bytes(out.getvalue())
    items = worldcereal(s1)(_files(tmp_path))
    assert [int(items.truth(n)) for n in range(len(items))] == [1, 0]
    first, second = items.item(0).samples, items.item(1).samples
    np.testing.assert_allclose(first[0].pixels, 0.0, atol=1e-4)  # 20 log10(10^4.15) - 83
    assert np.isnan(second[0].pixels).all()
    assert [s.time.strftime("%Y-%m-%d") for s in first[:2] if s.time] == ["2018-12-15", "2019-01-15"]
