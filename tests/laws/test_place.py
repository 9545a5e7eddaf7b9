"""Laws 3, 7 and 8 of the facts: a crop keeps its place, importing is silent, equal values hash equally."""

import pkgutil
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import armillary.earth
from armillary.earth import cells, majortom
from armillary.earth.bands import Named, Spectral
from armillary.earth.card import card_text, parse_card
from armillary.earth.fleet import sensors
from armillary.earth.window import Window

PLACES = {
    "equator": ((10.0, 0.0, 500000.0, 0.0, -10.0, 5000.0), "EPSG:32632"),
    "60 north": ((10.0, 0.0, 500000.0, 0.0, -10.0, 6651411.0), "EPSG:32632"),
    "85 north, UTM": ((10.0, 0.0, 500000.0, 0.0, -10.0, 9438000.0), "EPSG:32632"),
    "85 north, polar": ((10.0, 0.0, 385000.0, 0.0, -10.0, 385000.0), "EPSG:3413"),
    "60 north, degrees": ((1e-4, 0.0, 24.0, 0.0, -1e-4, 60.0), "EPSG:4326"),
    "85 south, degrees": ((1e-4, 0.0, 24.0, 0.0, -1e-4, -85.0), "EPSG:4326"),
    "dateline, UTM": ((10.0, 0.0, 832000.0, 0.0, -10.0, 5000.0), "EPSG:32660"),
    "dateline, degrees": ((1e-4, 0.0, 179.995, 0.0, -1e-4, 60.0), "EPSG:4326"),
    "rotated": ((8.0, 6.0, 500000.0, 6.0, -8.0, 5200000.0), "EPSG:32632"),
}
SIZE = 264
EXACT = 1e-9  # degrees: a tenth of a millimetre


def _apart(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Largest difference in degrees, the short way around."""
    return max(abs((a[0] - b[0] + 180) % 360 - 180), abs(a[1] - b[1]))


@pytest.mark.parametrize("place", PLACES)
@given(st.integers(0, SIZE - 1), st.integers(0, SIZE - 1), st.integers(1, SIZE), st.integers(1, SIZE))
@settings(max_examples=50, deadline=None)
def test_crop_then_centre_is_exact(place, row, col, h, w):
    affine, crs = PLACES[place]
    window = Window.of((SIZE, SIZE), affine, crs)
    cropped = window.crop(rows=slice(row, row + h), cols=slice(col, col + w))
    assert _apart(cropped.center, window.lonlat(row + h / 2, col + w / 2)) < EXACT


@pytest.mark.parametrize("place", PLACES)
def test_a_crop_of_a_crop_is_the_crop(place):
    affine, crs = PLACES[place]
    window = Window.of((SIZE, SIZE), affine, crs)
    once = window.crop(rows=slice(37, 101), cols=slice(11, 43))
    twice = window.crop(rows=slice(30, 200), cols=slice(1, 200)).crop(rows=slice(7, 71), cols=slice(10, 42))
    assert once.shape == twice.shape
    assert _apart(once.center, twice.center) < EXACT


@pytest.mark.parametrize("place", PLACES)
def test_crop_and_flip_commute_on_the_ground(place):
    affine, crs = PLACES[place]
    window = Window.of((SIZE, SIZE), affine, crs)
    a = window.crop(rows=slice(0, 64), cols=slice(0, 64)).flip()
    b = window.flip().crop(rows=slice(0, 64), cols=slice(SIZE - 64, SIZE))
    assert _apart(a.lonlat(3, 5), b.lonlat(3, 5)) < EXACT


def test_a_shift_of_one_kilometre_is_one_kilometre_at_60_degrees():
    """The upstream error: a crop's offset in degrees taken ten times too large, and not divided by cos(lat)."""
    affine, crs = PLACES["60 north"]
    window = Window.of((SIZE, SIZE), affine, crs)
    near, far = (window.crop(rows=slice(0, 64), cols=slice(c, c + 64)).center for c in (0, 100))
    assert far[0] - near[0] == pytest.approx(1 / (111.32 * 0.5), rel=0.01)


UTM32 = ((10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0), "EPSG:32632")
PAIRS = [
    (Spectral(490, 65), Spectral(490.0, 65.0)),
    (Named("Ozone", tuple([0.1] * 2048)), Named("Ozone", tuple([0.1] * 2048))),
    (Window.of((4, 6), *UTM32), Window.of((4, 6), UTM32[0], 32632)),
    (cells.Cell(7), cells.Cell.at(*cells.Cell(7).lonlat)),
    (majortom.cell(41.9, 12.5), majortom.from_id("466U_103R")),
    *((s, parse_card(card_text(s))) for s in sensors.values()),
    *((s.counts, replace(s.counts)) for s in sensors.values() if s.counts is not None),
    *((t, replace(t)) for s in sensors.values() for t in s.statistics),
]


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda v: type(v).__name__)
def test_equal_values_hash_equally(a, b):
    assert a == b
    assert hash(a) == hash(b)
    assert len({a, b}) == 1


def test_different_values_differ():
    assert Spectral(490, 65) != Spectral(490, 66)
    assert Window.of((4, 6), *UTM32) != Window.of((4, 6), UTM32[0], "EPSG:32633")


PROBE = """
import builtins, importlib, pathlib, random, sys
import numpy
before = (random.getstate(), numpy.random.get_state()[1].tolist())
for name in sys.argv[1:]:
    importlib.import_module(name)
after = (random.getstate(), numpy.random.get_state()[1].tolist())
heavy = {"torch", "rasterio", "matplotlib"} & set(sys.modules)
sys.exit(0 if before == after and not heavy else f"{before == after} {heavy}")
"""


def test_importing_the_facts_is_silent_light_and_leaves_random_state_alone():
    names = [m.name for m in pkgutil.walk_packages(armillary.earth.__path__, "armillary.earth.")]
    done = subprocess.run([sys.executable, "-c", PROBE, *names], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(names) >= 9
