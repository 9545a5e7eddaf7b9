"""Rules: stored numbers become values once, and what is no number becomes NaN."""

from pathlib import Path

import numpy as np
import pytest
from tests.scene.synthetic.rasters import RGB, counts, quiet, write

from armillary.errors import BadInput

REFLECTANCE = (counts() / 1e4).astype("float32")


@pytest.mark.parametrize("mark", [np.nan, np.inf, -np.inf, -9999.0, -32768.0])
@pytest.mark.parametrize("tagged", [True, False])
def test_marks_of_missing_reflectance_are_nan_even_when_the_file_does_not_tag_them(
    tmp_path: Path, mark: float, tagged: bool
) -> None:
    pixels = REFLECTANCE.copy()
    pixels[:, 2, 3] = mark
    values = quiet(write(tmp_path / "x_l2a.tif", pixels, RGB, nodata=mark if tagged else None)).values
    assert np.isnan(values[:, 2, 3]).all()
    assert np.isfinite(values).sum() == values.size - 3


@pytest.mark.parametrize("dtype", ["int16", "uint16", "int32", "uint32", "float32", "float64"])
def test_counts_of_every_type_are_the_same_reflectance(tmp_path: Path, dtype: str) -> None:
    values = quiet(write(tmp_path / "x_l2a.tif", counts().astype(dtype), RGB), offset=0).values
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, REFLECTANCE)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "complex64"])
def test_grey_levels_and_complex_numbers_are_refused(tmp_path: Path, dtype: str) -> None:
    pixels = (counts() % 100).astype(dtype)
    with pytest.raises(BadInput, match=r"8-bit|complex"):
        quiet(write(tmp_path / "x_l2a.tif", pixels, RGB))


def test_a_fill_of_a_gas_column_that_no_tag_marks_is_nan(tmp_path: Path) -> None:
    pixels = np.full((1, 8, 8), 4e-5, "float32")
    pixels[0, 0, :3] = (9.96921e36, -9999, np.inf)
    values = quiet(write(tmp_path / "x.tif", pixels, ("NO2",))).values
    assert np.isnan(values).sum() == 3


def test_the_offset_tag_of_counts_is_their_offset(tmp_path: Path) -> None:
    file = write(tmp_path / "x_l2a.tif", counts(), RGB, scales=(1e-4,) * 3, offsets=(-0.1,) * 3)
    array = quiet(file)
    np.testing.assert_allclose(array.values, REFLECTANCE - 0.1, atol=1e-7)
    assert array.attrs["scaling_source"] == "read"
    np.testing.assert_array_equal(quiet(file, offset=0).values, REFLECTANCE)


def test_the_baseline_wins_over_an_offset_tag_so_that_nothing_is_applied_twice(tmp_path: Path) -> None:
    name = "S2A_MSIL2A_20220706T085611_N0511_T32TQT.tif"
    array = quiet(write(tmp_path / name, counts(), RGB, scales=(1e-4,) * 3, offsets=(-0.1,) * 3))
    np.testing.assert_allclose(array.values, REFLECTANCE - 0.1, atol=1e-7)


def test_scale_tags_on_reflectance_that_was_scaled_before_do_nothing(tmp_path: Path) -> None:
    file = write(tmp_path / "x_l2a.tif", REFLECTANCE, RGB, scales=(1e-4,) * 3, offsets=(-0.1,) * 3)
    np.testing.assert_array_equal(quiet(file).values, REFLECTANCE)


def test_heights_in_decimetres_are_metres(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype="int16").reshape(1, 8, 8) * 100
    pixels[0, 0, 0] = -32768
    values = quiet(write(tmp_path / "x.tif", pixels, ("elevation",), scales=(0.1,), offsets=(2.0,))).values
    np.testing.assert_allclose(values[0].ravel()[1:], np.arange(1, 64) * 10 + 2.0, rtol=1e-6)
    assert np.isnan(values[0, 0, 0])


def test_decibels_in_hundredths_are_decibels(tmp_path: Path) -> None:
    db = np.stack([np.full((8, 8), -12.25), np.full((8, 8), -18.5)])
    file = write(tmp_path / "x_rtc.tif", (db * 100).astype("int16"), ("VV", "VH"), scales=(0.01,) * 2)
    np.testing.assert_allclose(quiet(file).values, db, rtol=1e-6)


def test_olci_without_one_valid_pixel_opens_in_silence_as_nan(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    names = tuple(f"Oa{i:02d}" for i in range(1, 22))
    assert np.isnan(quiet(write(tmp_path / "x.tif", np.full((21, 4, 4), np.nan, "float32"), names)).values).all()
    assert not [w for w in recwarn if issubclass(w.category, RuntimeWarning)]
