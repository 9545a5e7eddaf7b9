"""Strands: codes lose nothing but what they average, and say what is unknown."""

from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from armillary.earth.card import find_sensor
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch
from armillary.sample.known_strands import ESRI_CODES, GAMMA_DB, nano, thumb
from armillary.sample.sample import Sample
from armillary.sample.strands import (
    Bands,
    Categories,
    Date,
    Height,
    Place,
    Relief,
    Style,
    decode,
    elevation,
    encode,
    physical,
    stack,
    turned,
)

AFFINE = (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0)


def synthetic(sensor, values, *, crs="EPSG:32632", time=None, bands=None):
    sensor = find_sensor(sensor)
    sensor = sensor if bands is None else sensor.select(bands)
    values = np.asarray(values, np.float32)
    return Sample(values, sensor, Window.of(values.shape[1:], AFFINE, crs), time)


def everything(side=16, seed=0):
    """Synthetic samples of all sensors of nano."""
    rng = np.random.default_rng(seed)
    sizes = {"s1-rtc": 2, "s2-l1c": 13, "s2-l2a": 12, "dem": 1}
    found = {
        s: synthetic(s, rng.random((c, side, side)), time=datetime(2021, 3, 4, tzinfo=UTC)) for s, c in sizes.items()
    }
    codes = np.asarray(ESRI_CODES)[rng.integers(0, 9, (1, side, side))]
    return found | {
        "land-cover": synthetic("land-cover", codes),
        "water": synthetic("water", rng.integers(0, 2, (1, side, side))),
    }


def test_every_strand_of_nano_comes_back_from_network_numbers():
    codes = nano(16)
    values = physical(everything(), codes)
    assert list(values) == [c.name for c in codes]
    numbers = encode(values, codes)
    for code in codes:
        assert numbers[code.name].shape == code.shape
        np.testing.assert_allclose(decode(numbers, codes)[code.name], values[code.name], rtol=1e-5, atol=1e-5)


def test_an_absent_sensor_is_an_absent_strand_and_known_nowhere():
    codes = nano(16)
    samples = {"s1-rtc": everything()["s1-rtc"]}
    values = physical(samples, codes)
    assert list(values) == ["s1-rtc", "place", "date"]
    batch = stack([encode(values, codes)], codes)
    assert batch.present.tolist() == [[c.name in values for c in codes]]
    assert not any(bool(batch.known[c.name].any()) for c in codes if c.name not in values)
    assert all(batch.x[c.name].shape == (1, *c.shape) for c in codes)


def test_a_missing_band_is_unknown_and_the_others_are_not():
    code = Bands("x", ("s2-l2a",), ("B02", "B03"), (0.1, 0.1), (0.1, 0.1), 4)
    batch = stack(
        [encode(physical({"s2-l2a": synthetic("s2-l2a", np.full((1, 4, 4), 0.3), bands=("B03",))}, [code]), [code])],
        [code],
    )
    assert batch.known["x"][0, :, 0, 0].tolist() == [False, True]
    torch.testing.assert_close(batch.x["x"][0, :, 0, 0], torch.tensor([0.0, 2.0]))
    assert code.physical({"s2-l2a": synthetic("s2-l2a", np.ones((1, 4, 4)), bands=("B12",))}) is None


def test_sigma0_stands_in_for_gamma0_and_gamma0_comes_first():
    code = nano(4)[0]
    grd, rtc = synthetic("s1-grd", np.full((2, 4, 4), -10.0)), synthetic("s1-rtc", np.full((2, 4, 4), -9.0))
    np.testing.assert_allclose(code.physical({"s1-grd": grd}), -10 + GAMMA_DB, rtol=1e-6)
    np.testing.assert_allclose(code.physical({"s1-grd": grd, "s1-rtc": rtc}), -9.0)
    assert 10 * np.log10(1 / np.cos(np.radians(38.4))) == pytest.approx(GAMMA_DB, abs=0.01)


def test_averaging_is_the_mean_of_each_block_and_unknown_where_one_pixel_is():
    pixels = np.arange(16.0).reshape(1, 4, 4)
    pixels[0, 3, 3] = np.nan
    code = Bands("x", ("dem",), ("DEM",), (0.0,), (1.0,), 4, 2)
    np.testing.assert_array_equal(code.physical({"dem": synthetic("dem", pixels)}), [[[2.5, 4.5], [10.5, np.nan]]])


@pytest.mark.parametrize("level", [-412.0, 0.0, 5.0, 8000.0])
def test_relief_and_mean_make_the_elevation_below_the_sea_too(level):
    heights = level + 100 * np.random.default_rng(0).standard_normal((1, 8, 8))
    codes, samples = (Relief("dem", "dem", 8, 1), Height("dem-mean", "dem", 8)), {"dem": synthetic("dem", heights)}
    back = decode(encode(physical(samples, codes), codes), codes)
    np.testing.assert_allclose(elevation(back["dem"], back["dem-mean"]), heights, atol=1e-2)
    assert abs(float(back["dem"].mean())) < 1e-3


def test_a_category_that_is_not_in_the_table_is_unknown():
    code = Categories("c", "land-cover", (1, 5), 2)
    values = code.physical({"land-cover": synthetic("land-cover", [[[1, 5], [7, np.nan]]])})
    np.testing.assert_array_equal(values, [[[1, 5], [np.nan, np.nan]]])
    numbers = code.encode(values)
    np.testing.assert_array_equal(numbers[:, 0], [[1, -1], [-1, 1]])
    assert np.isnan(numbers[:, 1]).all()
    np.testing.assert_array_equal(code.decode(numbers), values)
    assert code.physical({"land-cover": synthetic("land-cover", [[[7, 7], [7, 7]]])}) is None


@pytest.mark.parametrize("lonlat", [(0.0, 0.0), (179.9, -60.0), (-122.4, 37.8)])
def test_a_place_comes_back_from_a_vector_of_any_length(lonlat):
    values = np.asarray(lonlat, np.float32)[:, None, None]
    np.testing.assert_allclose(Place().decode(0.3 * Place().encode(values)), values, atol=1e-4)


def test_a_place_is_the_middle_of_the_window_and_absent_without_crs():
    sample = synthetic("dem", np.zeros((1, 8, 8)))
    np.testing.assert_allclose(Place().physical({"dem": sample}).ravel(), sample.window.center, rtol=1e-6)
    assert Place().physical({"dem": synthetic("dem", np.zeros((1, 8, 8)), crs=None)}) is None


def test_the_date_is_the_mean_date_and_comes_back():
    times = [datetime(2019, 12, 30, tzinfo=UTC), datetime(2020, 1, 3, tzinfo=UTC), None]
    samples = {str(i): synthetic("dem", np.zeros((1, 4, 4)), time=t) for i, t in enumerate(times)}
    values = Date().physical(samples)
    assert values.ravel().tolist() == [0.0, 2020.0]
    for share in (0.0, 0.25, 0.6, 0.999):
        told = np.array([share, 2023], np.float32)[:, None, None]
        np.testing.assert_allclose(Date().decode(Date().encode(told)), told, atol=1e-5)
    assert Date().physical({"x": synthetic("dem", np.zeros((1, 4, 4)))}) is None


def test_the_last_year_of_all_is_a_date_too():
    samples = {"x": synthetic("dem", np.zeros((1, 4, 4)), time=datetime(9999, 12, 31, 12, tzinfo=UTC))}
    np.testing.assert_allclose(Date().physical(samples)[:, 0, 0], [364.5 / 365, 9999])


def test_turning_moves_all_strands_alike_and_four_turns_are_none():
    codes = nano(16)
    numbers = encode(physical(everything(), codes), codes)
    again = numbers
    for _ in range(4):
        again = turned(again, 1, False)
    for name, before in numbers.items():
        np.testing.assert_array_equal(again[name], before)
    once = turned(numbers, 1, True)
    np.testing.assert_array_equal(once["s2-l1c-20m"], np.rot90(numbers["s2-l1c-20m"], 1, (1, 2))[:, :, ::-1])
    np.testing.assert_array_equal(once["place"], numbers["place"])


def test_thumbs_are_averaged_to_the_side_asked_for():
    assert {c.name: c.shape for c in thumb(256, 4)} == {
        "s1-before": (1, 64, 64),
        "s1-after": (1, 64, 64),
        "s2-before": (3, 64, 64),
        "s2-after": (3, 64, 64),
        "flood": (1, 64, 64),
        "s1-before-style": (2, 1, 1),
        "s1-after-style": (2, 1, 1),
        "s2-before-style": (6, 1, 1),
        "s2-after-style": (6, 1, 1),
    }


def test_a_style_is_the_mean_and_deviation_of_a_reference_and_comes_back():
    code = Style("ref", ("DEM",), (10.0,), (4.0,))
    heights = np.array([[[2.0, 6.0], [np.nan, 10.0]]], np.float32)
    values = code.physical({"ref": synthetic("dem", heights)})
    np.testing.assert_allclose(values.ravel(), [6, np.std([2, 6, 10])], rtol=1e-6)
    numbers = code.encode(values)
    np.testing.assert_allclose(numbers.ravel(), [-1, np.log(np.std([2, 6, 10]) / 4 + 0.05)], rtol=1e-6)
    np.testing.assert_allclose(code.decode(numbers), values, rtol=1e-5)
    flat = code.encode(code.physical({"ref": synthetic("dem", np.full((1, 2, 2), 7.0))}))
    assert np.isfinite(flat).all()
    assert code.physical({}) is None
    assert code.physical({"ref": synthetic("dem", np.full((1, 2, 2), np.nan))}) is None


def test_wrong_sides_and_steps_are_refused():
    with pytest.raises(BandMismatch, match="made of 8 x 8 px, the sample is"):
        Relief("dem", "dem", 8).physical({"dem": synthetic("dem", np.zeros((1, 4, 4)))})
    with pytest.raises(BadInput, match="3 px cannot be averaged into one along 8 px"):
        Relief("dem", "dem", 8, 3)
    with pytest.raises(BadInput, match="one mean and one deviation"):
        Bands("x", ("dem",), ("DEM",), (0.0, 1.0), (1.0,), 8)
    with pytest.raises(BandMismatch, match="its code asks for"):
        stack([{"place": np.zeros((2, 1, 1), np.float32)}], [Place()])
