"""A small synthetic model and material: three strands that are jointly normal, the exact law of which is known."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from armillary.bench.generation.cuts import Cut, Material
from armillary.bench.generation.teller import Teller
from armillary.earth.card import find_sensor
from armillary.earth.window import Window
from armillary.generate.gaussian import Gaussian
from armillary.generate.joint import Joint
from armillary.models.path import OURS
from armillary.sample.sample import Sample
from armillary.sample.strands import Bands
from armillary.sample.tiling import Tile

DAY = datetime(2022, 1, 1, tzinfo=UTC)

RHO = 0.8
SIDE = 16
NAMES = ("s1-rtc", "s2-l1c", "s2-l2a")
COVARIANCE = ((1.0, RHO, RHO), (RHO, 1.0, RHO), (RHO, RHO, 1.0))
CODES = (
    Bands("s1-rtc", ("s1-rtc",), ("VV",), (-10.0,), (3.0,), SIDE),
    Bands("s2-l1c", ("s2-l1c",), ("B02",), (0.1,), (0.05,), SIDE),
    Bands("s2-l2a", ("s2-l2a",), ("B02",), (0.1,), (0.05,), SIDE),
)
JOINT = Joint(CODES, OURS)


@dataclass(frozen=True, eq=False)
class Known(Cut):
    """A cut that need not be read."""

    values: dict = None

    @property
    def item(self):
        return self.values

    @property
    def day(self):
        return float(self.key.split()[-1])


def teller(name="exact", steps=20):
    return Teller(name, JOINT, Gaussian(COVARIANCE, OURS, strands=NAMES), "exact", steps)


def cuts(count, seed, places=4, dates=1):
    """Items drawn from the law; the places are numbered, so are their dates."""
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(np.array(COVARIANCE))
    found = []
    for i in range(count):
        for d in range(dates):
            z = np.einsum("ij,jhw->ihw", root, rng.standard_normal((3, SIDE, SIDE))).astype(np.float32)
            item = {c.name: c.decode(z[k][None]) for k, c in enumerate(CODES)}
            found.append(Known(f"b{i} {10 * d}", f"b{i}", f"p{i % places}", None, CODES, values=item))
    return tuple(found)


def material(held=8, train=12, dates=1):
    own, other = cuts(held, 1, dates=dates), cuts(train, 2)
    by_block = {}
    for cut in own:
        by_block.setdefault(cut.block, []).append(cut)
    several = {b: tuple(c) for b, c in by_block.items() if len(c) > 1}
    return Material(own, other, several, (own, other), "synthetic")


def radar_and_relief(place, split, months=1, side=64):
    """Tiles of one place, a radar picture a month and its relief; noise."""
    window = Window.of((side, side), (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0), "EPSG:32632")
    rng = np.random.default_rng(len(place))
    for name, dates in (("s1-grd", range(months)), ("dem", (None,))):
        sensor = find_sensor(name)
        for month in dates:
            pixels = rng.standard_normal((len(sensor.bands), side, side)).astype(np.float32)
            time = None if month is None else DAY + timedelta(days=30 * month)
            yield Tile(Sample(pixels, sensor, window, time), place, split, source="synthetic", licence="none")
