"""STAC: the dialects of three catalogues, as hand-written items beside synthetic 8 x 8 tifs."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
import xarray as xr
from affine import Affine
from pyproj import CRS

from armillary.errors import BadInput, SceneNotFound, SceneUnreadable, SensorUnknown
from armillary.scene.open import open

GRID = Affine(10, 0, 600000, 0, -10, 5300000)
SHIFTED = {"earthsearch:boa_offset_applied": False, "s2:processing_baseline": "05.10"}
V1 = [{"scale": 1e-4, "offset": -0.1, "nodata": 0}]


def tif(path: Path, value: int, crs: str | None = "EPSG:32632", n: int = 8) -> str:
    pixels = np.full((1, n, n), value, "uint16")
    profile = {"driver": "GTiff", "count": 1, "height": n, "width": n, "dtype": "uint16", "crs": crs}
    with rasterio.open(path, "w", **profile, transform=GRID @ Affine.scale(8 / n)) as file:
        file.write(pixels)
    return f"./{path.name}"


def item(home: Path, assets: dict[str, Any], collection: str = "sentinel-2-l2a", **props: Any) -> Path:
    path = home / "item.json"
    content = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2A_33UUP_20220706_0_L2A",
        "collection": collection,
        "geometry": None,
        "properties": {"datetime": "2022-07-06T08:56:11Z", **props},
        "links": [],
        "assets": assets,
    }
    path.write_text(json.dumps(content))
    return path


def quiet(*args: Any, **kwargs: Any) -> xr.DataArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open(*args, **kwargs)


def earth_search(home: Path, flag: bool, baseline: str) -> Path:
    assets = {
        "red": {"href": tif(home / "B04.tif", 3000), "eo:bands": [{"name": "red"}], "raster:bands": V1},
        "scl": {"href": "./SCL.tif"},
        "red-jp2": {"href": "./B04.jp2", "type": "image/jp2", "eo:bands": [{"name": "red"}], "raster:bands": V1},
    }
    facts = {"earthsearch:boa_offset_applied": flag, "s2:processing_baseline": baseline}
    return item(home, assets, **facts)


def test_a_an_offset_already_applied_is_not_applied_again(tmp_path: Path) -> None:
    array = quiet(earth_search(tmp_path, True, "05.10"))
    assert array.values == pytest.approx(0.3)
    assert array.attrs["scaling_source"] == "read"


def test_b_an_offset_not_yet_applied_is(tmp_path: Path) -> None:
    assert quiet(earth_search(tmp_path, False, "05.10")).values == pytest.approx(0.2)


def test_c_scale_hoisted_to_the_asset_of_stac_1_1_is_found(tmp_path: Path) -> None:
    asset = {
        "href": tif(tmp_path / "a.tif", 3000),
        "bands": [{"name": "B04", "eo:common_name": "red"}],
        "raster:scale": 1e-4,
        "raster:offset": -0.1,
    }
    assert quiet(item(tmp_path, {"B04_10m": asset})).values == pytest.approx(0.2)


def test_d_without_raster_fields_the_baseline_decides(tmp_path: Path) -> None:
    asset = {"href": tif(tmp_path / "a.tif", 3000), "eo:bands": [{"name": "B04", "common_name": "red"}]}
    path = item(tmp_path, {"B04": asset}, **{"s2:processing_baseline": "05.10"})
    assert quiet(path).values == pytest.approx(0.2)


def test_e_of_two_assets_of_one_band_the_finer_is_read(tmp_path: Path) -> None:
    assets = {
        "B02_20m": {"href": tif(tmp_path / "b20.tif", 5000, n=4)},
        "B02_10m": {"href": tif(tmp_path / "b10.tif", 3000)},
        "SCL_20m": {"href": tif(tmp_path / "scl.tif", 4, n=4)},
        "B05_20m": {"href": tif(tmp_path / "b5.tif", 4000, n=4)},
    }
    array = quiet(item(tmp_path, assets, **{"s2:processing_baseline": "02.12"}))
    assert array["band"].values.tolist() == ["B02", "B05"]
    assert array.shape == (2, 8, 8)
    assert array.values[:, 0, 0].tolist() == pytest.approx([0.3, 0.4])


def test_f_a_baseline_before_four_overrides_an_advertised_offset(tmp_path: Path) -> None:
    asset = {"href": tif(tmp_path / "a.tif", 3000), "raster:bands": V1}
    array = quiet(item(tmp_path, {"B04": asset}, **{"s2:processing_baseline": "02.12"}))
    assert array.values == pytest.approx(0.3)


def test_g_a_null_code_falls_through_to_wkt(tmp_path: Path) -> None:
    asset = {"href": tif(tmp_path / "a.tif", 3000, crs=None)}
    array = quiet(item(tmp_path, {"B04": asset}, **{"proj:code": None, "proj:wkt2": CRS.from_epsg(32632).to_wkt()}))
    assert array.rio.crs.to_epsg() == 32632


def test_h_a_null_datetime_falls_through_to_the_middle_of_the_interval(tmp_path: Path) -> None:
    asset = {"href": tif(tmp_path / "a.tif", 3000)}
    span = {"start_datetime": "2022-07-06T08:00:00Z", "end_datetime": "2022-07-06T09:00:00Z"}
    assert quiet(item(tmp_path, {"B04": asset}, datetime=None, **span)).attrs["time"] == "2022-07-06T08:30:00Z"


def test_a_dict_and_a_pystac_item_open_like_the_file(tmp_path: Path) -> None:
    path = earth_search(tmp_path, False, "05.10")
    raw = json.loads(path.read_text())
    with pytest.raises(BadInput, match="relative href"):
        quiet(raw)
    raw["assets"]["red"]["href"] = str(tmp_path / "B04.tif")
    np.testing.assert_array_equal(quiet(raw).values, quiet(path).values)
    np.testing.assert_array_equal(quiet(pystac.Item.from_file(str(path))).values, quiet(path).values)


def test_old_catalogues_that_say_rededge_thrice_are_told_apart_by_wavelength(tmp_path: Path) -> None:
    assets = {
        f"edge-{i}": {
            "href": tif(tmp_path / f"{i}.tif", 1000 * (i + 1)),
            "eo:bands": [{"common_name": "rededge", "center_wavelength": center}],
        }
        for i, center in enumerate((0.783, 0.704, 0.740))
    }
    array = quiet(item(tmp_path, assets, **{"s2:processing_baseline": "02.12"}))
    assert array["band"].values.tolist() == ["B07", "B05", "B06"]


@pytest.mark.parametrize(
    ("assets", "kind"), [({}, SceneUnreadable), ({"B04": {"href": "./gone.tif"}}, SceneNotFound)], ids=["none", "gone"]
)
def test_an_item_without_its_pixels_is_refused(assets: dict[str, Any], kind: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(kind):
        quiet(item(tmp_path, assets))


def test_an_item_of_no_known_sensor_asks_for_it(tmp_path: Path) -> None:
    path = item(tmp_path, {"B04": {"href": tif(tmp_path / "a.tif", 3000)}}, collection="mine")
    raw = json.loads(path.read_text())
    raw["id"] = "scene"
    path.write_text(json.dumps(raw))
    with pytest.raises(SensorUnknown, match="sensor="):
        quiet(path)
