"""Augment: pixels and place move together; nothing is invented where nothing was measured."""

import numpy as np
import pytest
from affine import Affine

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import BadInput
from armillary.sample.atmosphere import top_of_atmosphere
from armillary.sample.augment import Augment, augment, augment_together, resize, turn
from armillary.sample.sample import Sample

PLACES = {
    "equator": ((10.0, 0.0, 500000.0, 0.0, -10.0, 5000.0), "EPSG:32632"),
    "60 north": ((10.0, 0.0, 500000.0, 0.0, -10.0, 6651411.0), "EPSG:32632"),
    "85 north": ((10.0, 0.0, 385000.0, 0.0, -10.0, 385000.0), "EPSG:3413"),
    "60 north, degrees": ((1e-4, 0.0, 24.0, 0.0, -1e-4, 60.0), "EPSG:4326"),
    "85 south, degrees": ((1e-4, 0.0, 24.0, 0.0, -1e-4, -85.0), "EPSG:4326"),
    "dateline, UTM": ((10.0, 0.0, 832000.0, 0.0, -10.0, 5000.0), "EPSG:32660"),
    "dateline, degrees": ((1e-4, 0.0, 179.995, 0.0, -1e-4, 60.0), "EPSG:4326"),
}
H, W = 90, 120
NAN, INF = float("nan"), float("inf")
MANY = Augment(scale=(0.1, 0.6), size_px=32, turn=True, aspect=(0.7, 1.4))
CROPS = Augment(scale=(0.1, 0.6), turn=True, aspect=(0.7, 1.4))


def coordinates(place="equator", shape=(H, W)):
    """A synthetic sample whose two bands hold the row and the column of each pixel's middle."""
    affine, crs = PLACES[place]
    pixels = np.stack(np.mgrid[0.5 : shape[0], 0.5 : shape[1]]).astype(np.float32)
    return Sample(pixels, sensors["s2-l2a"].select(("B02", "B03")), Window.of(shape, affine, crs))


def apart(a, b):
    return max(abs((a[0] - b[0] + 180) % 360 - 180), abs(a[1] - b[1]))


@pytest.mark.parametrize("place", PLACES)
def test_the_pixels_of_a_view_lie_where_its_window_says(place):
    sample = coordinates(place)
    for seed in range(12):
        view = augment(sample, CROPS, np.random.default_rng(seed))
        row, col = view.pixels.mean((1, 2), dtype=np.float64)
        assert apart(view.window.center, sample.window.lonlat(row, col)) < 1e-9
        r, c = view.pixels[:, 10, 20].astype(np.float64)
        assert apart(view.window.lonlat(10.5, 20.5), sample.window.lonlat(r, c)) < 1e-9


@pytest.mark.parametrize("place", PLACES)
def test_a_view_keeps_the_ground_area_and_size_of_its_middle_pixel(place):
    sample = coordinates(place)
    for seed in range(12):
        view = augment(sample, CROPS, np.random.default_rng(seed))
        row, col = view.pixels.mean((1, 2), dtype=np.float64)
        middle = Window.of((1, 1), sample.window.affine @ Affine.translation(col - 0.5, row - 0.5), sample.window.crs)
        assert view.window.pixel_km2 == pytest.approx(middle.pixel_km2, rel=1e-6)
        assert view.window.gsd_m == pytest.approx(middle.gsd_m, rel=1e-6)


@pytest.mark.parametrize("place", PLACES)
def test_a_resized_view_covers_the_same_ground(place):
    crop = coordinates(place).crop(rows=slice(7, 71), cols=slice(11, 83))
    for side in (24, 100):
        view = resize(crop, side)
        for share in ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)):
            (r, c), (h, w) = share, crop.window.shape
            assert apart(view.window.lonlat(r * side, c * side), crop.window.lonlat(r * h, c * w)) < 1e-9
        assert view.window.pixel_km2 * side**2 == pytest.approx(crop.window.pixel_km2 * 64 * 72, rel=1e-4)
        inside = view.pixels[:, 3:-3, 3:-3] - (
            np.mgrid[3.5 : side - 3, 3.5 : side - 3] * [[[64 / side]], [[72 / side]]]
        )
        np.testing.assert_allclose(inside[0], 7, atol=0.2)
        np.testing.assert_allclose(inside[1], 11, atol=0.2)


def test_four_quarter_turns_and_two_flips_are_nothing():
    sample = coordinates()
    for again in (turn(turn(sample, 3), 1), sample.flip().flip(), resize(sample, None)):
        np.testing.assert_array_equal(again.pixels, sample.pixels)
        np.testing.assert_allclose(tuple(again.window.affine), tuple(sample.window.affine), atol=1e-9)


def test_halving_is_the_mean_of_four():
    sample = coordinates(shape=(64, 64))
    sample.pixels[:] = np.random.default_rng(0).normal(size=sample.pixels.shape)
    flat = Sample(np.full_like(sample.pixels, 0.3), sample.sensor, sample.window)
    np.testing.assert_allclose(resize(flat, 32).pixels, 0.3, rtol=1e-6)
    assert resize(sample, 32).pixels.mean() == pytest.approx(sample.pixels.mean(), abs=0.01)
    assert resize(sample, 32).window.gsd_m == pytest.approx(20, rel=1e-3)


def test_nothing_measured_stays_out_of_the_averages():
    flat = coordinates(shape=(64, 64))
    flat.pixels[:] = 7.0
    flat.pixels[0, :, :20] = np.nan
    small = resize(flat, 16).pixels
    assert np.isnan(small[0, :, :4]).all()
    np.testing.assert_allclose(small[0, :, 6:], 7.0, rtol=1e-6)
    np.testing.assert_allclose(small[1], 7.0, rtol=1e-6)
    assert set(np.unique(np.isnan(small[0]).sum(1))) == {5}, "a pixel of which more than half is known has a value"


def test_decibels_are_averaged_as_power():
    radar = Sample(np.zeros((2, 64, 64), np.float32), sensors["s1-rtc"], coordinates(shape=(64, 64)).window)
    radar.pixels[:, :, ::2] = -20.0
    mean = 10 * np.log10((1 + 0.01) / 2)
    np.testing.assert_allclose(resize(radar, 8).pixels[:, 1:-1, 1:-1], mean, atol=0.02)


def test_equal_randomness_gives_equal_views():
    a, b = (augment(coordinates(), MANY, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(a.pixels, b.pixels)
    assert a.window == b.window


def test_sensors_of_a_place_show_the_same_ground():
    """A synthetic elevation of 30 m pixels on another grid of the same CRS; both hold their northing."""
    fine = coordinates(shape=(96, 96))
    fine.pixels[:] = -10 * fine.pixels[0]
    far = Window.of((50, 50), (30.0, 0.0, 500000.0 - 210, 0.0, -30.0, 5000.0 + 300), "EPSG:32632")
    height = 300 - 30 * np.mgrid[0.5:50, 0.5:50][0][None].astype(np.float32)
    both = {"s2-l2a": fine, "dem": Sample(height, sensors["dem"], far)}
    config = Augment(scale=(0.2, 0.5), size_px=24, sizes_px=(("dem", 8),))
    for seed in range(10):
        views = augment_together(both, config, np.random.default_rng(seed))
        assert [views[s].window.shape for s in both] == [(24, 24), (8, 8)]
        north = [float(views[s].pixels[0].mean()) for s in both]
        assert abs(north[0] - north[1]) <= 30
        assert apart(views["dem"].window.center, views["s2-l2a"].window.center) < 5e-4


def test_a_sensor_that_the_ground_misses_is_absent():
    near, far = coordinates(), coordinates()
    far = Sample(far.pixels, far.sensor, Window.of((H, W), (10.0, 0.0, 9e5, 0.0, -10.0, 5000.0), "EPSG:32632"))
    assert set(augment_together({"near": near, "far": far}, Augment(), np.random.default_rng(0))) == {"near"}


def test_crops_look_for_what_was_measured():
    sample = coordinates(shape=(100, 100))
    sample.pixels[:, :, 30:] = np.nan
    config = Augment(scale=(0.04, 0.04), least_valid=0.9)
    valid = [augment(sample, config, np.random.default_rng(s)).valid.mean() for s in range(40)]
    blind = [augment(sample, Augment(scale=(0.04, 0.04)), np.random.default_rng(s)).valid.mean() for s in range(40)]
    assert np.mean(valid) > 2 * np.mean(blind)


def test_colours_are_left_alone_unless_asked_for():
    sample = coordinates()
    whole = Augment(scale=(1.0, 1.0), flip=False)
    square = sample.crop(rows=slice(0, H), cols=slice(0, H))
    np.testing.assert_array_equal(augment(square, whole, np.random.default_rng(0)).pixels, square.pixels)
    changed = augment(square, Augment(scale=(1.0, 1.0), flip=False, gain=0.1), np.random.default_rng(0)).pixels
    ratio = changed / square.pixels
    assert np.ptp(ratio, axis=(1, 2)).max() < 1e-5, "one gain per band"
    assert 0.9 <= ratio.min() < ratio.max() <= 1.1


def test_air_brightens_the_blue_most_and_dims_the_rest_little():
    surface = sensors["s2-l2a"]
    flat = Sample(np.full((12, 8, 8), 0.1, np.float32), surface, coordinates(shape=(8, 8)).window)
    seen = top_of_atmosphere(flat, sun_deg=40)
    added = (seen.pixels - 0.1).mean((1, 2))
    assert seen.sensor.name == "s2-l1c"
    assert "B09" not in seen.sensor.band_names
    assert (np.diff(added) < 0).all(), "less with every longer wavelength"
    assert 0.05 < added[0] < 0.12
    assert abs(added[-1]) < 1e-3
    with pytest.raises(BadInput, match="s2-l2a and an angle"):
        top_of_atmosphere(seen, sun_deg=40)


def test_air_makes_a_top_of_atmosphere_sample_only_where_there_is_none():
    flat = Sample(np.full((12, 64, 64), 0.1, np.float32), sensors["s2-l2a"], coordinates(shape=(64, 64)).window)
    config = Augment(atmosphere=1.0)
    assert set(augment_together({"s2-l2a": flat}, config, np.random.default_rng(0))) == {"s2-l1c"}
    top = Sample(np.zeros((13, 64, 64), np.float32), sensors["s2-l1c"], flat.window)
    both = {"s2-l2a": flat, "s2-l1c": top}
    assert set(augment_together(both, config, np.random.default_rng(0))) == set(both)


@pytest.mark.parametrize(
    "wrong", [{"scale": (0.0, 1.0)}, {"scale": (0.5, 0.2)}, {"aspect": (2.0, 1.0)}, {"size_px": 0}]
)
def test_ranges_that_hold_nothing_are_refused(wrong):
    with pytest.raises(BadInput, match="0 < low <= high"):
        Augment(**wrong)


@pytest.mark.parametrize(
    "wrong", [{"scale": (NAN, 1.0)}, {"scale": (0.5, INF)}, {"aspect": (1.0, INF)}, {"aspect": (NAN, NAN)}]
)
def test_ranges_of_no_numbers_are_refused(wrong):
    with pytest.raises(BadInput, match="0 < low <= high"):
        Augment(**wrong)


@pytest.mark.parametrize(
    ("field", "value"),
    [(f, v) for f in ("least_valid", "atmosphere") for v in (-0.1, 1.1, NAN)]
    + [(f, v) for f in ("gain", "offset") for v in (-0.1, INF, NAN)],
)
def test_shares_and_changes_of_nonsense_are_refused_by_name(field, value):
    with pytest.raises(BadInput, match=f"^{field}={value} was asked for; give least_valid and atmosphere as 0 to 1"):
        Augment(**{field: value})
