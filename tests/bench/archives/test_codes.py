import numpy as np
import pytest

from armillary.bench.archives.codes import (
    CLOUD_CODES,
    DFC,
    DFC_CODES,
    EUROSAT,
    FLOOD_CODES,
    LC100,
    LC100_CODES,
    OLCI_BINARY_CODES,
    OLCI_CLOUD_CODES,
    OLCI_CLOUDS,
    biomass,
    classes_of,
    flooded,
    numbers,
)
from armillary.bench.archives.rasters import Raster, placeless
from armillary.errors import SceneUnreadable
from armillary.probe.answer import IGNORE


def _raster(values: object, kind: object, nodata: float | None = None) -> Raster:
    plane = np.array(values, dtype=kind)
    return Raster("label.tif", plane[None], placeless(plane.shape, 10.0), nodata, ("",))


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32])
def test_invalid_olci_pixels_are_not_asked_and_the_others_move_down(kind: type) -> None:
    stored = np.array([[0, 1, 2], [3, 4, 5]], dtype=kind)
    assert classes_of(stored, OLCI_CLOUD_CODES).tolist() == [[IGNORE, 0, 1], [2, 3, 4]]
    assert OLCI_CLOUDS[1] == "cloud-ambiguous"
    assert OLCI_CLOUDS[2] == "cloud-sure"


def test_clouds_as_yes_or_no() -> None:
    assert classes_of(np.array([[0, 1, 2]]), OLCI_BINARY_CODES).tolist() == [[IGNORE, 0, 1]]


def test_clouds_of_sentinel_2_are_stored_as_class_numbers() -> None:
    assert classes_of(np.array([[0, 1, 2, 3, 99, 255]]), CLOUD_CODES).tolist() == [[0, 1, 2, 3, IGNORE, IGNORE]]


def test_eleven_codes_of_dfc2020_are_eight_classes() -> None:
    found = classes_of(np.arange(11, dtype=np.int32)[None], DFC_CODES)[0]
    assert found.tolist() == [IGNORE, 0, 1, IGNORE, 2, 3, 4, 5, IGNORE, 6, 7]
    assert DFC[found[10]] == "water"


def test_land_cover_codes_are_23_classes_and_unknown_is_one_of_them() -> None:
    codes = [0, *range(20, 101, 10), *range(111, 117), *range(121, 127), 200]
    assert list(LC100_CODES) == codes
    assert classes_of(np.array([codes], dtype=np.uint8), LC100_CODES)[0].tolist() == list(range(23))
    assert (len(LC100), LC100[0], LC100[22]) == (23, "unknown", "ocean")
    assert classes_of(np.array([[255, 10]], dtype=np.uint8), LC100_CODES).tolist() == [[IGNORE, IGNORE]]


def test_eurosat_classes_are_in_alphabetical_order() -> None:
    assert list(EUROSAT) == sorted(EUROSAT)
    assert len(EUROSAT) == 10


def test_pixels_outside_of_a_flood_map_are_not_asked() -> None:
    assert classes_of(np.array([[0, 1, 2, 3]]), FLOOD_CODES).tolist() == [[0, 1, 2, IGNORE]]


def test_pixels_that_the_mask_of_valid_ones_leaves_out_are_not_asked() -> None:
    label = _raster([[0, 1], [2, 3]], np.uint8)
    assert flooded([label, _raster([[0, 1], [1, 1]], np.uint8)]).tolist() == [[IGNORE, 1], [2, IGNORE]]


def test_a_mask_without_any_valid_pixel_says_nothing() -> None:
    label = _raster([[0, 1], [2, 3]], np.uint8)
    assert np.array_equal(flooded([label, _raster(np.zeros((2, 2)), np.uint8)]), flooded([label]))


def test_a_mask_of_another_size_is_named() -> None:
    with pytest.raises(SceneUnreadable, match=r"label\.tif"):
        flooded([_raster([[0, 1]], np.uint8), _raster([[1]], np.uint8)])


def test_absurd_numbers_and_those_the_file_calls_none_are_unknown() -> None:
    stored = [[1.5, np.nan], [3.4e38, -3.4e38], [-9999.0, 0.0]]
    found = numbers([_raster(stored, np.float32, nodata=-9999.0)])
    assert np.array_equal(found, np.array([[1.5, np.nan], [np.nan, np.nan], [np.nan, 0]], np.float32), equal_nan=True)


def test_no_biomass_is_a_number_and_an_absent_estimate_is_none() -> None:
    found = biomass([_raster([[0, 65535, 300]], np.uint16, nodata=0.0)])
    assert np.array_equal(found, np.array([[0, np.nan, 300]], np.float32), equal_nan=True)
