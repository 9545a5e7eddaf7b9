"""Rasters: synthetic files, each planted with what the reader must notice."""

import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import ArmillaryError, BadInput, BandMismatch, SceneNotFound, SceneUnreadable, SensorUnknown
from armillary.scene.gridded import folder
from armillary.scene.open import open

L1C = sensors["s2-l1c"].band_names
UTM = "EPSG:32632"
GRID = Affine(10, 0, 600000, 0, -10, 5300000)


def write(path: Path, pixels: np.ndarray, names: tuple[str, ...] = (), crs: str | None = UTM, **more: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    c, h, w = pixels.shape
    profile = {"driver": "GTiff", "count": c, "height": h, "width": w, "dtype": pixels.dtype, "crs": crs}
    tags = more.pop("tags", {})
    with rasterio.open(path, "w", **{**profile, "transform": GRID, **more}) as file:
        file.write(pixels)
        file.descriptions = names or (None,) * c
        file.update_tags(**tags)
    return path


def quiet(*args: Any, **kwargs: Any) -> xr.DataArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open(*args, **kwargs)


def ramp(c: int, h: int = 12, w: int = 10, start: int = 300) -> np.ndarray:
    return (start + np.arange(c * h * w)).reshape(c, h, w).astype("uint16")


def test_a_count_of_zero_is_nan_and_not_minus_a_tenth(tmp_path: Path) -> None:
    pixels = ramp(3)
    pixels[:, 0, 0] = 0
    values = quiet(write(tmp_path / "S2A_MSIL2A_20220706T085611_N0400.tif", pixels, ("B4", "B3", "B2"))).values
    assert np.isnan(values[:, 0, 0]).all()
    assert np.isfinite(values[:, 1:]).all()


@pytest.mark.parametrize(("baseline", "value"), [("N0511", 0.0), ("N0301", 0.1), ("N0500", 0.0)])
def test_the_baseline_and_not_the_date_decides_what_count_1000_means(
    tmp_path: Path, baseline: str, value: float
) -> None:
    pixels = np.full((3, 8, 8), 1000, "uint16")
    array = quiet(write(tmp_path / f"S2A_MSIL2A_20170613T101031_{baseline}.tif", pixels, ("B4", "B3", "B2")))
    assert array.values == pytest.approx(value)
    assert array.attrs["scaling_source"] == "read"


def test_a_third_party_baseline_is_not_believed(tmp_path: Path) -> None:
    file = write(tmp_path / "S2A_MSIL2A_20200613T101031_N9999.tif", ramp(3), ("B4", "B3", "B2"))
    with pytest.warns(UserWarning, match="offset 0 assumed"):
        array = open(file)
    assert array.attrs["scaling_source"] == "assumed"


def test_bright_counts_without_a_baseline_stay_unknown_and_say_so(tmp_path: Path) -> None:
    file = write(tmp_path / "snow_l2a.tif", ramp(3, start=8000), ("B4", "B3", "B2"))
    with pytest.warns(UserWarning, match="give offset=-1000"):
        array = open(file, time="2022-01-01")
    assert array.attrs["scaling_source"] == "unknown"
    assert open(file, time="2022-01-01", offset=-1000).attrs["scaling_source"] == "given"


def test_an_offset_that_was_applied_before_is_noticed(tmp_path: Path) -> None:
    file = write(tmp_path / "S2A_MSIL2A_20220613T101031_N0510.tif", ramp(3, start=50), ("B4", "B3", "B2"))
    with pytest.warns(UserWarning, match="offset=0"):
        open(file)


def test_bands_come_in_the_order_of_the_file_under_house_names(tmp_path: Path) -> None:
    pixels = ramp(3)
    array = quiet(write(tmp_path / "x_l2a.tif", pixels, ("nir", "red", "B8A")), offset=0)
    assert array["band"].values.tolist() == ["B08", "B04", "B8A"]
    np.testing.assert_allclose(array.values, pixels / 1e4, rtol=1e-6)


def test_bands_may_be_named_by_the_caller_or_picked(tmp_path: Path) -> None:
    pixels = ramp(3)
    file = write(tmp_path / "x.tif", pixels)
    named = quiet(file, sensor="s2-l2a", bands="B04,B03,B02", offset=0)
    assert named.attrs["bands_source"] == "given"
    picked = quiet(write(tmp_path / "y.tif", pixels, ("B4", "B3", "B2")), "s2-l2a", bands=["B02", "B04"], offset=0)
    np.testing.assert_allclose(picked.values, pixels[[2, 0]] / 1e4, rtol=1e-6)


def test_float_reflectance_is_recognised_and_left_alone(tmp_path: Path) -> None:
    pixels = (ramp(3) / 1e4).astype("float32")
    array = quiet(write(tmp_path / "x_l2a.tif", pixels, ("B4", "B3", "B2")))
    np.testing.assert_array_equal(array.values, pixels)
    assert array.attrs["scaling_source"] == "assumed"


def test_a_saturated_pixel_is_kept_and_told(tmp_path: Path) -> None:
    pixels = ramp(3)
    pixels[0, 3, 3] = 65535
    array = quiet(write(tmp_path / "x_l2a.tif", pixels, ("B4", "B3", "B2")))
    assert float(array.values[0, 3, 3]) == pytest.approx(6.5535)
    assert "saturated" in array.attrs["saturated"]


def test_linear_power_becomes_decibels_and_zero_becomes_nan(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    power = np.stack([rng.gamma(2, 0.04, (16, 16)), rng.gamma(2, 0.008, (16, 16))]).astype("float32")
    power[:, 0, 0] = 0
    array = quiet(write(tmp_path / "x_rtc.tif", power, ("VV", "VH")))
    assert array.attrs["sensor"] == "s1-rtc"
    np.testing.assert_allclose(array.values[:, 1:], 10 * np.log10(power[:, 1:]), rtol=1e-4)
    assert np.isnan(array.values[:, 0, 0]).all()


def test_power_or_amplitude_that_cannot_be_told_is_asked(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).gamma(20, 0.0125, (2, 16, 16)).astype("float32")  # median 0.25
    file = write(tmp_path / "x_rtc.tif", pixels, ("VV", "VH"))
    with pytest.raises(BadInput, match='unit="linear"'):
        quiet(file)
    np.testing.assert_allclose(quiet(file, unit="amplitude").values, 20 * np.log10(pixels), rtol=1e-4)


def test_a_hyp3_name_tells_amplitude_from_power(tmp_path: Path) -> None:
    pixels = np.full((1, 8, 8), 0.25, "float32")
    array = quiet(write(tmp_path / "S1A_IW_20200101T050000_DVP_RTC30_G_gaune_1A2B_VV.tif", pixels))
    assert array.values == pytest.approx(20 * np.log10(0.25))
    assert array.attrs["time"] == "2020-01-01T05:00:00Z"


def test_heights_that_no_land_has_are_nan(tmp_path: Path) -> None:
    pixels = np.array([[[-32767, 12.5], [9999, -400]]], "float32")
    values = quiet(write(tmp_path / "dem.tif", pixels)).values[0]
    np.testing.assert_array_equal(values, np.array([[np.nan, 12.5], [np.nan, -400]], "float32"))


def test_olci_counts_and_radiance_are_told_apart_by_their_range(tmp_path: Path) -> None:
    counts = np.full((21, 4, 4), 5000, "uint16")
    counts[:, 0, 0] = 65535
    array = quiet(write(tmp_path / "olci.tif", counts))
    assert float(array.values[0, 1, 1]) == pytest.approx(5000 * 0.0139465, rel=1e-5)
    assert np.isnan(array.values[:, 0, 0]).all()
    radiance = quiet(write(tmp_path / "olci_radiance.tif", np.full((21, 4, 4), 70, "float32")))
    assert float(radiance.values[0, 1, 1]) == 70


def test_a_window_reads_the_same_pixels_as_the_whole(tmp_path: Path) -> None:
    file = write(tmp_path / "S2A_MSIL2A_20170613T101031_N0301.tif", ramp(3, 40, 30), ("B4", "B3", "B2"))
    whole = open(file)
    part = open(file, window=(slice(5, 21), slice(2, 30)))
    np.testing.assert_array_equal(part.values, whole.values[:, 5:21, 2:30])
    np.testing.assert_allclose(part.x.values, whole.x.values[2:30])
    west, south, east, north = part.rio.transform_bounds("EPSG:4326")
    again = open(file, window=(west + 1e-6, south + 1e-6, east - 1e-6, north - 1e-6))
    assert 16 <= again.sizes["y"] <= 18  # the box of a tilted box is a little larger
    exact = open(file, window=Window.of((16, 28), part.rio.transform(), UTM))
    np.testing.assert_array_equal(exact.values, part.values)


def test_a_window_beside_the_scene_is_refused_with_the_scene_s_bounds(tmp_path: Path) -> None:
    file = write(tmp_path / "S2A_MSIL2A_20170613T101031_N0301.tif", ramp(3), ("B4", "B3", "B2"))
    with pytest.raises(BadInput, match=r"does not touch .* which covers"):
        open(file, window=(0.0, 0.0, 1.0, 1.0))


def test_threads_read_what_one_thread_reads(tmp_path: Path) -> None:
    array = open(write(tmp_path / "S2A_MSIL2A_20170613T101031_N0301.tif", ramp(3, 64, 64), ("B4", "B3", "B2")))
    whole, got = array.values, {}

    def read(i: int) -> None:
        got[i] = array[:, i * 8 : i * 8 + 8].values

    threads = [threading.Thread(target=read, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    np.testing.assert_array_equal(np.concatenate([got[i] for i in range(8)], axis=1), whole)


def test_bands_of_several_pixel_sizes_open_as_one_scene(tmp_path: Path) -> None:
    home = tmp_path / "S2A_MSIL2A_20170613T101031_N0301_R022"
    fine, coarse = ramp(1, 12, 12), ramp(1, 2, 2)
    write(home / "B02.tif", fine)
    write(home / "B01.tif", coarse, transform=GRID @ Affine.scale(6))
    array = open(home)
    assert array["band"].values.tolist() == ["B01", "B02"]
    np.testing.assert_allclose(array.values[0], np.kron(coarse[0], np.ones((6, 6))) / 1e4, rtol=1e-6)
    np.testing.assert_array_equal(array[:, 3:8, 5:7].values, array.values[:, 3:8, 5:7])


def test_a_list_of_files_opens_as_one_scene(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{p}.tif", np.full((1, 6, 6), v, "float32")) for p, v in (("VH", -19), ("VV", -12))]
    array = quiet(files, sensor="s1-grd")
    assert array["band"].values.tolist() == ["VV", "VH"]
    assert array.values[:, 0, 0].tolist() == [-12, -19]


BAD: dict[str, tuple[type[ArmillaryError], str]] = {
    "text.tif": (SceneUnreadable, "no raster"),
    "cut.tif": (SceneUnreadable, "the file is whole"),
    "cut_cog.tif": (SceneUnreadable, "cut off"),
    "two_l2a.tif": (BandMismatch, "it holds 2"),
    "missing.tif": (SceneNotFound, "nothing is there"),
    "nothing": (SceneUnreadable, "does not read"),
    "one.tif": (SensorUnknown, "give sensor="),
    "grey_l2a.tif": (BadInput, "8-bit"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_input_is_one_sentence_that_names_it(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    facts: dict[str, Any] = {}
    match name:
        case "text.tif":
            file.write_text("this is no tif")
        case "cut.tif":
            write(file, ramp(13, 200, 200), L1C)
            file.write_bytes(file.read_bytes()[:60000])
        case "cut_cog.tif":
            write(file, np.random.default_rng(0).integers(0, 9999, (13, 200, 200), "uint16"), L1C, driver="COG")
            file.write_bytes(file.read_bytes()[:200000])
        case "two_l2a.tif":
            write(file, ramp(2))
            facts = {"sensor": "s2-l2a"}
        case "nothing":
            file.mkdir()
        case "one.tif":
            write(file, ramp(1))
        case "grey_l2a.tif":
            write(file, ramp(3).astype("uint8"), ("B4", "B3", "B2"))
    kind, words = BAD[name]
    with pytest.raises(kind, match=words) as refused:
        quiet(file, **facts).load()
    assert name in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2


def test_wrong_facts_are_refused_by_name(tmp_path: Path) -> None:
    file = write(tmp_path / "x_l2a.tif", ramp(3), ("B4", "B3", "B2"))
    with pytest.raises(BadInput, match="does not know colour"):
        open(file, colour="red")
    with pytest.raises(BandMismatch, match="B12"):
        quiet(file, bands=["B12"])
    with pytest.raises(BandMismatch, match="dem"):
        quiet(file, sensor="dem")
    with pytest.raises(BadInput, match="no time"):
        open(file, time="yesterday")


def test_odd_grids_open(tmp_path: Path) -> None:
    dot = quiet(write(tmp_path / "Ünïcode 河 l2a.tif", ramp(3, 1, 1), ("B4", "B3", "B2")))
    assert dot.shape == (3, 1, 1)
    turned = quiet(
        write(tmp_path / "l2a.tif", ramp(3), ("B4", "B3", "B2"), transform=GRID @ Affine.rotation(30)),
    )
    assert turned.rio.transform().b != 0
    wkt = "+proj=tmerc +lat_0=0 +lon_0=9.3 +k=1 +x_0=0 +y_0=0 +ellps=bessel +units=m"
    local = quiet(write(tmp_path / "wkt_l2a.tif", ramp(3), ("B4", "B3", "B2"), crs=wkt))
    assert local.rio.crs is not None
    assert local.rio.crs.to_epsg() is None
    with pytest.warns(UserWarning, match="give crs="):
        nowhere = open(write(tmp_path / "none_l2a.tif", ramp(3), ("B4", "B3", "B2"), crs=None))
    assert nowhere.rio.crs is None
    assert nowhere.attrs["crs_source"] == "unknown"
    placed = quiet(tmp_path / "none_l2a.tif", crs=UTM)
    assert placed.attrs["crs_source"] == "given"


def test_thirteen_unnamed_planes_show_by_their_darkest_whether_b8a_is_last(tmp_path: Path) -> None:
    pixels = np.stack([np.full((8, 8), 500 + 10 * i, "uint16") for i in range(13)])
    pixels[9] = 12
    last = quiet(write(tmp_path / "a.tif", pixels))
    assert last["band"].values[-1] == "B8A"
    pixels[9], pixels[10] = 500, 12
    assert tuple(quiet(write(tmp_path / "b.tif", pixels))["band"].values) == L1C


def test_a_tag_of_the_acquisition_beats_the_date_of_the_file(tmp_path: Path) -> None:
    tags = {"TIFFTAG_DATETIME": "2024:05:05 10:00:00", "datetime": "2021-07-21T08:40:10.0"}
    array = quiet(write(tmp_path / "a_l2a.tif", ramp(3), ("B4", "B3", "B2"), tags=tags))
    assert (array.attrs["time"], array.attrs["time_source"]) == ("2021-07-21T08:40:10Z", "read")
    del tags["datetime"]
    array = quiet(write(tmp_path / "b_l2a.tif", ramp(3), ("B4", "B3", "B2"), tags=tags))
    assert (array.attrs["time"], array.attrs["time_source"]) == ("2024-05-05T10:00:00Z", "assumed")


def test_a_coarser_resolution_averages_valid_pixels_and_decibels_as_power(tmp_path: Path) -> None:
    pixels = ramp(3, 12, 12)
    pixels[:, 0, 0] = 0
    file = write(tmp_path / "S2A_MSIL2A_20170613T101031_N0301.tif", pixels, ("B4", "B3", "B2"))
    fine, coarse = open(file), open(file, resolution=40)
    blocks = fine.values.reshape(3, 3, 4, 3, 4)
    np.testing.assert_allclose(coarse.values, np.nanmean(blocks, axis=(2, 4)), rtol=1e-6)
    assert coarse.rio.resolution() == (40, -40)
    power = np.array([[[0.1, 0.3], [0.1, 0.3]]])
    radar = write(tmp_path / "S1A_IW_GRDH_1SDV_20170613T165043_VV.tif", (10 * np.log10(power)).astype("float32"))
    assert open(radar, resolution=20).values == pytest.approx(10 * np.log10(0.2), rel=1e-5)
    with pytest.raises(BadInput, match="whole multiple"):
        open(file, resolution=15)
    with pytest.raises(BadInput, match="Sentinel-5P"):
        open(file, min_qa=0.5)


@pytest.mark.parametrize("manifest", ["MTD_MSIL1C.xml", "manifest.safe", "xfdumanifest.xml"])
def test_a_product_with_a_quicklook_is_not_a_folder_of_bands(manifest: str, tmp_path: Path) -> None:
    write(tmp_path / "B02.tif", ramp(1))
    assert folder.recognises(tmp_path)
    (tmp_path / manifest).write_text("<x/>")
    assert not folder.recognises(tmp_path)
