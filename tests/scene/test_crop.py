"""Crop: a box in degrees finds the same ground whatever side of the dateline the scene counts from."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from tests.scene.synthetic.rasters import RGB, counts, quiet, write

from armillary.earth.window import Window
from armillary.errors import BadInput
from armillary.scene.crop import bounds_lonlat

Box = tuple[float, float, float, float]


def around(tmp_path: Path, west: float, step: float = 0.1) -> Path:
    """30 columns of `step` degrees from `west`."""
    return write(
        tmp_path / "x_l2a.tif", counts(3, 40, 30), RGB, crs="EPSG:4326", transform=Affine(step, 0, west, 0, -0.1, -15)
    )


@pytest.mark.parametrize("west", [178.5, -181.5])
@pytest.mark.parametrize(
    ("box", "cols"),
    [
        ((179.5, -17.0, -179.5, -16.0), slice(10, 20)),
        ((178.6, -17.0, 179.0, -16.0), slice(1, 5)),
        ((-179.9, -17.0, -179.0, -16.0), slice(16, 25)),
        ((-180.0, -17.0, 180.0, -16.0), slice(0, 30)),
    ],
)
def test_a_box_near_the_dateline_finds_its_columns(tmp_path: Path, west: float, box: Box, cols: slice) -> None:
    file = around(tmp_path, west)
    np.testing.assert_array_equal(quiet(file, window=box).values, quiet(file).values[:, 10:20, cols])


def test_a_scene_that_counts_to_360_is_found_by_western_longitudes(tmp_path: Path) -> None:
    assert quiet(around(tmp_path, 190), window=(-169.5, -17.0, -169.0, -16.0)).shape == (3, 10, 5)


def test_both_ends_of_the_world_are_no_one_rectangle(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="two parts"):
        quiet(around(tmp_path, -180, step=12), window=(170.0, -17.0, -170.0, -16.0))


@pytest.mark.parametrize(
    "window",
    [
        (10.0, 48.0, 11.0, 47.0),
        (10.0, 47.0, 10.0, 48.0),
        (float("nan"), 47.0, 11.0, 48.0),
        (10.0, 47.0, float("inf"), 48.0),
        (slice(0.5, 3), slice(0, 3)),
        (slice(None, None, 2), slice(None)),
        (slice(5, 5), slice(0, 3)),
    ],
)
def test_a_window_that_is_none_is_refused_in_one_sentence(tmp_path: Path, window: object) -> None:
    file = write(tmp_path / "x_l2a.tif", counts(), RGB)
    with pytest.raises(BadInput) as caught:
        quiet(file, window=window)
    assert "window=" in str(caught.value)


@pytest.mark.parametrize(("crs", "south", "north"), [("EPSG:3995", 88.0, 90.0), ("EPSG:3031", -90.0, -88.0)])
def test_bounds_around_a_pole_reach_it_and_go_round(crs: str, south: float, north: float) -> None:
    west, low, east, high = bounds_lonlat(Window.of((40, 30), (1e4, 0, -1.5e5, 0, -1e4, 2e5), crs))
    assert (west, east) == (-180, 180)
    assert low == pytest.approx(south, abs=0.5)
    assert high == pytest.approx(north, abs=0.5)
    assert 90 in (high, -low)


def test_bounds_of_the_whole_world_are_the_whole_world() -> None:
    assert bounds_lonlat(Window.of((40, 30), (12, 0, -180, 0, -4.5, 90), "EPSG:4326")) == (-180, -90, 180, 90)


def test_a_scene_that_ends_at_the_dateline_does_not_cross_it() -> None:
    assert bounds_lonlat(Window.of((10, 10), (1, 0, 170, 0, -1, 10), "EPSG:4326")) == pytest.approx((170, 0, 180, 10))
