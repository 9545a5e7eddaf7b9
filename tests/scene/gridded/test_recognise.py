"""Recognise: a name that says something is believed; no band is ever taken for another in silence."""

from pathlib import Path

import numpy as np
import pytest
from tests.scene.synthetic.rasters import PRODUCT, RGB, counts, quiet, write

from armillary.errors import ArmillaryError, BandMismatch, SensorUnknown
from armillary.scene.open import open

DB = np.stack([np.full((8, 8), -12.0), np.full((8, 8), -18.0)]).astype("float32")


@pytest.mark.parametrize("bands", ["B02,B03,B04", "b02, b3,B4", "blue,green,red"])
def test_naming_the_same_bands_in_another_order_picks_and_never_renames(tmp_path: Path, bands: str) -> None:
    file = write(tmp_path / f"{PRODUCT}.tif", counts(), RGB)
    np.testing.assert_array_equal(quiet(file, bands=bands).values, quiet(file).values[::-1])


def test_bands_of_a_folder_are_picked_and_never_renamed(tmp_path: Path) -> None:
    for i, band in enumerate(("B02", "B03", "B04")):
        write(tmp_path / PRODUCT / f"{band}.tif", counts(1, seed=i))
    whole = quiet(tmp_path / PRODUCT)
    np.testing.assert_array_equal(quiet(tmp_path / PRODUCT, bands="B04,B02,B03").values, whole.values[[2, 0, 1]])
    with pytest.raises(BandMismatch, match="B8A"):
        quiet(tmp_path / PRODUCT, bands="B04,B8A,B03")


def test_a_caller_who_names_other_bands_than_the_file_is_believed_with_a_warning(tmp_path: Path) -> None:
    file = write(tmp_path / f"{PRODUCT}.tif", counts(), RGB)
    with pytest.warns(UserWarning, match="bands= was believed"):
        assert open(file, bands="B8A,B11,B12")["band"].values.tolist() == ["B8A", "B11", "B12"]


@pytest.mark.parametrize(
    ("bands", "said"),
    [("B04,B04", "name each band once"), ("B04,red", "name each band once"), ("B04,B99", "'B99'"), ("B04,B11", "B11")],
)
def test_bands_that_cannot_be_had_are_named(tmp_path: Path, bands: str, said: str) -> None:
    with pytest.raises(BandMismatch, match=said):
        quiet(write(tmp_path / f"{PRODUCT}.tif", counts(), RGB), bands=bands)


def test_bands_that_a_file_holds_unequally_often_are_no_series(tmp_path: Path) -> None:
    with pytest.raises(BandMismatch, match="B04 2, B02 1"):
        quiet(write(tmp_path / "x_l2a.tif", counts(), ("red", "B4", "B2")))


def test_optical_bands_are_never_opened_as_radar_or_heights(tmp_path: Path) -> None:
    pair = write(tmp_path / "x.tif", -DB / 100, ("B04", "B03"))
    with pytest.raises(BandMismatch, match="VV, VH"):
        quiet(pair, sensor="s1-grd")
    with pytest.raises(BandMismatch, match="DEM"):
        quiet(write(tmp_path / "y.tif", DB[:1], ("B02",)), sensor="dem")


def test_horizontal_polarisations_are_not_taken_for_vertical_ones(tmp_path: Path) -> None:
    file = write(tmp_path / "x.tif", DB, ("HH", "HV"))
    for sensor in (None, "s1-grd"):
        with pytest.raises((SensorUnknown, BandMismatch), match="HH, HV"):
            quiet(file, sensor=sensor)


def test_numbers_in_place_of_names_tell_nothing(tmp_path: Path) -> None:
    numbered = tuple(f"B{i}" for i in range(1, 14))
    array = quiet(write(tmp_path / "x.tif", counts(13), numbered), sensor="s2-l1c")
    assert array["band"].values.tolist()[7:10] == ["B08", "B8A", "B09"]
    assert quiet(write(tmp_path / "y.tif", DB[:1] + 500, ("b1",)), sensor="dem").shape == (1, 8, 8)


def test_a_file_of_a_known_sensor_without_names_asks_for_them(tmp_path: Path) -> None:
    array = quiet(write(tmp_path / f"{PRODUCT}.tif", counts(), RGB))
    array.rio.to_raster(tmp_path / "copy.tif")  # rioxarray writes the sensor as a tag, and no band names
    with pytest.raises(BandMismatch, match="is of s2-l2a"):
        quiet(tmp_path / "copy.tif")
    again = quiet(tmp_path / "copy.tif", bands="B04,B03,B02")
    np.testing.assert_array_equal(again.values, array.values)
    assert again.attrs["time"] == array.attrs["time"]
    assert again.attrs["scaling_source"] == "read"


def test_decibels_that_rioxarray_wrote_are_decibels_however_bright(tmp_path: Path) -> None:
    array = quiet(write(tmp_path / "x_rtc.tif", -DB / 40, ("VV", "VH")), unit="dB")
    array.rio.to_raster(tmp_path / "copy.tif")
    np.testing.assert_array_equal(quiet(tmp_path / "copy.tif").values, array.values)


@pytest.mark.parametrize("n", [1, 2, 11, 14, 20])
@pytest.mark.parametrize("sensor", [None, "s2-l2a", "s2-l1c", "s3-olci"])
def test_a_wrong_number_of_unnamed_bands_is_refused(tmp_path: Path, sensor: str | None, n: int) -> None:
    with pytest.raises(ArmillaryError, match="bands="):
        quiet(write(tmp_path / "x.tif", counts(n)), sensor=sensor)
