import numpy as np
import pytest

from armillary.earth.window import Window
from armillary.errors import PlaceUnknown
from armillary.product.footprint import bounds, cells, footprint


def test_an_outline_follows_the_sides_of_its_window() -> None:
    window = Window.of((100, 100), (0.01, 0.0, 10.0, 0.0, -0.01, 50.0), "EPSG:4326")
    shape = footprint(window)
    np.testing.assert_allclose(shape.bounds, (10, 49, 11, 50), atol=1e-9)
    assert shape.area == pytest.approx(1)


def test_over_the_dateline_the_parts_touch_and_the_box_turns_round() -> None:
    shape = footprint(Window.of((10, 20), (0.1, 0.0, 179.0, 0.0, -0.1, 5.0), "EPSG:4326"))
    assert shape.geom_type == "MultiPolygon"
    assert sorted(round(g.area, 6) for g in shape.geoms) == [1, 1]
    np.testing.assert_allclose(bounds(shape), (179, 4, -179, 5))


def test_around_a_pole_the_outline_reaches_it() -> None:
    shape = footprint(Window.of((100, 100), (1000.0, 0.0, -5e4, 0.0, -1000.0, 5e4), "EPSG:3031"))
    west, south, east, north = bounds(shape)
    assert (west, south, east) == (-180, -90, 180)
    assert -89.6 < north < -89.3


def test_a_window_that_ends_at_the_dateline_stays_whole() -> None:
    shape = footprint(Window.of((10, 10), (0.1, 0.0, 179.0, 0.0, -0.1, 5.0), "EPSG:4326"))
    assert shape.geom_type == "Polygon"
    np.testing.assert_allclose(bounds(shape), (179, 4, 180, 5))


def test_cells_tile_their_window() -> None:
    window = Window.of((8, 12), (0.05, 0.0, 179.7, 0.0, -0.05, 1.0), "EPSG:4326")
    shapes = cells(window, slice(0, 8), slice(0, 12))
    assert len(shapes) == 96
    assert sum(s.area for s in shapes) == pytest.approx(footprint(window).area)


def test_no_crs_no_outline() -> None:
    with pytest.raises(PlaceUnknown, match="--crs"):
        footprint(Window.of((4, 4), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), None))
