import numpy as np
from pyproj import Geod

from armillary.earth.window import Window
from armillary.scene.swath.nearest import Caps, Nearest, nearest


class Counted:
    """A swath whose value is the flat index of the pixel."""

    def __init__(self, shape):
        self.held = np.arange(float(np.prod(shape))).reshape(shape)

    def values(self, bands, rows, cols):
        return np.repeat(self.held[None, rows, cols], len(bands), axis=0)


def swath(west=10.0, h=150, w=200):
    i, j = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
    lon = west + 0.004 * j + 0.001 * i
    return (lon + 180) % 360 - 180, 45 - 0.003 * i + 0.0005 * j


def scene(west=10.0, **changes):
    lon, lat = swath(west)
    window = Window.of((170, 260), (0.004, 0.0, west - 0.05, 0.0, -0.003, 45.1), "EPSG:4326")
    parts = {"swath": Counted(lon.shape), "lon": lon, "lat": lat, "window": window, "reach_m": 450.0} | changes
    return Nearest(caps=Caps.of(parts["lon"], parts["lat"], 320.0), **parts)


def test_each_point_gets_the_nearest_pixel_of_the_whole_swath():
    pixels = scene()
    found = pixels.read([0], slice(0, 170), slice(0, 260))[0]
    rng = np.random.default_rng(1)
    for row, col in rng.integers((0, 0), (170, 260), (40, 2)):
        lon, lat = 9.95 + 0.004 * (col + 0.5), 45.1 - 0.003 * (row + 0.5)
        n = pixels.lon.size
        apart = Geod(a=6371007.2, b=6371007.2).inv([lon] * n, [lat] * n, pixels.lon.ravel(), pixels.lat.ravel())[2]
        if apart.min() > 450:
            assert np.isnan(found[row, col])
        else:
            assert apart[int(found[row, col])] <= apart.min() + 0.01


def test_a_crop_equals_the_whole_cropped_even_where_pixels_tie():
    i, j = np.meshgrid(np.arange(40), np.arange(40), indexing="ij")
    lon, lat = 0.004 * j, 0.004 * (20.0 - i)
    window = Window.of((39, 39), (0.004, 0.0, 0.0, 0.0, -0.004, 0.08), "EPSG:4326")  # centres midway between pixels
    pixels = scene(swath=Counted(lon.shape), lon=lon, lat=lat, window=window)
    whole = pixels.read([0], slice(0, 39), slice(0, 39))
    for rows, cols in ((slice(5, 6), slice(7, 8)), (slice(10, 33), slice(2, 4))):
        np.testing.assert_array_equal(pixels.read([0], rows, cols), whole[:, rows, cols])


def test_blocks_leave_no_trace(monkeypatch):
    pixels = scene()
    whole = pixels.read([0], slice(0, 170), slice(0, 260))
    monkeypatch.setattr("armillary.scene.swath.nearest._BLOCK", 37)
    np.testing.assert_array_equal(pixels.read([0], slice(0, 170), slice(0, 260)), whole)


def test_the_antimeridian_changes_nothing():
    here, there = scene(10.0), scene(179.6)
    size = slice(0, 170), slice(0, 260)
    np.testing.assert_array_equal(here.read([0], *size), there.read([0], *size))


def test_a_pixel_without_a_place_is_no_source():
    lon, lat = swath()
    lon[70, 100] = np.nan
    index = nearest(lon, lat, np.array([10.47]), np.array([44.84]), 450.0)
    assert index[0] >= 0
    assert index[0] != 70 * 200 + 100
    assert nearest(lon * np.nan, lat, np.array([10.47]), np.array([44.84]), 450.0)[0] == -1


def test_coarse_pixels_are_means_of_their_samples():
    fine, coarse = (
        scene(),
        scene(samples=2, window=Window.of((85, 130), (0.008, 0, 9.95, 0, -0.006, 45.1), "EPSG:4326")),
    )
    one = fine.read([0], slice(0, 170), slice(0, 260))[0].astype(np.float64)
    two = coarse.read([0], slice(0, 85), slice(0, 130))[0]
    blocks = one.reshape(85, 2, 130, 2)
    whole = np.isfinite(blocks).all(axis=(1, 3))
    np.testing.assert_allclose(two[whole], blocks.mean(axis=(1, 3))[whole], rtol=1e-6)
