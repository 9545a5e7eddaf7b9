import numpy as np
import pytest
import shapely

from armillary.earth.window import Window
from armillary.scene.swath.overlap import Footprints, Overlaid, corners_between, in_unit_square

WINDOW = Window.of((12, 15), (0.5, 0.0, 10.0, 0.0, -0.5, 50.0), "EPSG:4326")


def quads(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random convex four-cornered shapes over the window, turned and sheared."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, np.pi, (n, 1)) + np.radians([45, 135, 225, 315]) + rng.uniform(-0.3, 0.3, (n, 4))
    size = rng.uniform(0.1, 1.5, (n, 1))
    return rng.uniform(11, 16.5, (n, 1)) + size * np.cos(angle), rng.uniform(45, 49, (n, 1)) + size * np.sin(angle)


def test_the_area_in_the_unit_square_is_that_of_clipped_polygons():
    x, y = quads(300, 1)
    x, y = x - 13.5, y - 47.0
    truth = [
        shapely.polygons(np.stack(c, axis=1)).intersection(shapely.box(0, 0, 1, 1)).area for c in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(in_unit_square(x, y), truth, atol=1e-12)


def test_gridding_conserves_the_sum_of_value_times_area():
    x, y = quads(200, 2)
    values = np.random.default_rng(3).normal(0, 1e-4, 200)
    wide = Window.of((40, 40), (0.25, 0.0, 8.0, 0.0, -0.25, 52.0), "EPSG:4326")
    total, area = Footprints.of(x, y, values, wide, period=None).sums(wide, slice(0, 40), slice(0, 40))
    true = shapely.area(shapely.polygons(np.stack([x, y], axis=-1))) / 0.25**2
    assert area.sum() == pytest.approx(true.sum(), rel=1e-9)
    assert total.sum() == pytest.approx((true * values).sum(), rel=1e-9)


def test_a_cell_of_two_by_two_footprints_is_their_plain_mean():
    lon, lat = np.meshgrid(10 + 0.25 * np.arange(8), 50 - 0.25 * np.arange(8))
    x = lon.reshape(-1, 1) + np.array([0, 0.25, 0.25, 0])
    y = lat.reshape(-1, 1) - np.array([0, 0, 0.25, 0.25])
    values = np.arange(64.0)
    window = Window.of((4, 4), (0.5, 0.0, 10.0, 0.0, -0.5, 50.0), "EPSG:4326")
    mean = Overlaid(Footprints.of(x, y, values, window, period=None), window).read([0], slice(0, 4), slice(0, 4))[0]
    np.testing.assert_allclose(mean, values.reshape(4, 2, 4, 2).mean(axis=(1, 3)), rtol=1e-6)


def test_a_crop_equals_the_grid_cropped():
    x, y = quads(400, 4)
    pixels = Overlaid(Footprints.of(x, y, np.random.default_rng(5).normal(size=400), WINDOW, period=None), WINDOW)
    whole = pixels.read([0], slice(0, 12), slice(0, 15))
    np.testing.assert_array_equal(pixels.read([0], slice(3, 9), slice(7, 8)), whole[:, 3:9, 7:8])


def test_the_order_in_which_a_file_names_corners_is_irrelevant():
    x, y = quads(50, 6)
    values = np.arange(50.0)
    order = [2, 0, 3, 1]
    one, two = (
        Overlaid(Footprints.of(*c, values, WINDOW, period=None), WINDOW).read([0], slice(0, 12), slice(0, 15))
        for c in ((x, y), (x[:, order], y[:, order]))
    )
    np.testing.assert_array_equal(one, two)


def test_a_footprint_across_the_antimeridian_reaches_both_edges_of_the_world():
    world = Window.of((18, 36), (10.0, 0.0, -180.0, 0.0, -10.0, 90.0), "EPSG:4326")
    x, y = np.array([[175.0, -175.0, -175.0, 175.0]]), np.array([[0.0, 0.0, 10.0, 10.0]])
    footprints = Footprints.of(x, y, np.array([3.0]), world, period=360.0)
    _, area = footprints.sums(world, slice(0, 18), slice(0, 36))
    assert area[8, 35] == pytest.approx(0.5)
    assert area[8, 0] == pytest.approx(0.5)
    assert area.sum() == pytest.approx(1.0)


def test_midpoints_give_back_the_corners_of_a_regular_swath_with_ragged_edges():
    i, j = np.meshgrid(np.arange(5.0), np.arange(6.0), indexing="ij")
    lon = 10 + 0.06 * j + 0.01 * i
    lon[0, 0] = lon[4, 5] = lon[4, 4] = np.nan
    corners = corners_between(lon)
    known = np.isfinite(lon)
    truth = lon[..., None] + np.array([-0.035, 0.025, 0.035, -0.025])
    np.testing.assert_allclose(corners[known], truth[known], atol=1e-12)
