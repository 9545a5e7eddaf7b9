"""Drawn: synthetic numbers and places for specimens, in the units and types in which archives store them.

What is drawn is told by a *brightness* between 0 and 1 for each pixel, so that a label can be read from the pixels.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from warnings import catch_warnings, simplefilter

import numpy as np
from affine import Affine
from jaxtyping import Float, Int, Shaped
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from armillary.bench.archives.listed import PARTS
from armillary.bench.task import Part
from armillary.earth.sensors import Sensor
from armillary.errors import BadInput

Bright = Float[np.ndarray, "h w"]

_BLOCK_PX = 8
"""Side of the patches of one class in a drawn label."""

_NOISE = 0.04
"""Standard deviation that is added to a brightness."""

_FIRST = datetime(2019, 1, 3, 10, 30, 11, tzinfo=UTC)


@dataclass(frozen=True)
class Recipe:
    """How much is drawn.

    Args:
        train: items of this part.
        val: the same.
        test: the same.
        side_px: most pixels on a side; what is smaller as published keeps its own size.
        seed: another seed draws other files.
    """

    train: int = 12
    val: int = 6
    test: int = 8
    side_px: int = 48
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.test) < 1 or self.side_px < 16:
            raise BadInput(
                f"specimens of {self.train}, {self.val} and {self.test} items of {self.side_px} px were asked for; "
                "give at least one item of each part, and 16 px"
            )

    @property
    def parts(self) -> tuple[Part, ...]:
        """The part of each item."""
        wanted = (self.train, self.val, self.test)
        return tuple(part for part, count in zip(PARTS, wanted, strict=True) for _ in range(count))


@dataclass(frozen=True)
class Spot:
    """Where a drawn file lies: a CRS, and how its pixels lie in it."""

    crs: str
    affine: Affine


def patches(rng: np.random.Generator, side_px: int, count: int) -> Int[np.ndarray, "h w"]:
    """Numbers below `count` in square patches."""
    steps = -(-side_px // _BLOCK_PX)
    found: np.ndarray = rng.integers(count, size=(steps, steps)).repeat(_BLOCK_PX, 0).repeat(_BLOCK_PX, 1)
    return found[:side_px, :side_px]


def regrid(values: Shaped[np.ndarray, "h w"], side_px: int) -> Shaped[np.ndarray, "y x"]:
    """The same picture with another number of pixels, by nearest neighbours."""
    at = ((np.arange(side_px) + 0.5) * len(values) / side_px).astype(int)
    found: np.ndarray = values[at][:, at]
    return found


def counts(rng: np.random.Generator, bright: Bright, sensor: Sensor) -> Shaped[np.ndarray, "c h w"]:
    """Sentinel-2 as uint16 counts."""
    tint = 0.5 + np.arange(1, len(sensor.bands) + 1)[:, None, None] / len(sensor.bands)
    found: np.ndarray = np.clip(500 + 4000 * tint * _noisy(rng, bright, len(sensor.bands)), 1, 20000)
    return found.astype(np.uint16)


def olci(rng: np.random.Generator, bright: Bright, sensor: Sensor) -> Shaped[np.ndarray, "c h w"]:
    """Sentinel-3 OLCI as float32 counts, NaN in one corner."""
    found = np.round(3000 + 15000 * _noisy(rng, bright, len(sensor.bands))).astype(np.float32)
    found[:, :1, :2] = np.nan
    return found


def decibels(rng: np.random.Generator, bright: Bright) -> Float[np.ndarray, "2 h w"]:
    """VV and VH in dB."""
    found: np.ndarray = np.array([-18.0, -25.0])[:, None, None] + 14 * _noisy(rng, bright, 2)
    return found


def column(rng: np.random.Generator, bright: Bright, low: float, high: float) -> Float[np.ndarray, "1 h w"]:
    """A gas in mol m-2, NaN in one corner."""
    found = (low + (high - low) * _noisy(rng, bright, 1)).astype(np.float32)
    found[:, -1:, -2:] = np.nan
    return found


def spot_utm(rng: np.random.Generator, gsd_m: float) -> Spot:
    """Somewhere in Europe, in the UTM zone of the place."""
    lon, lat = _place(rng)
    crs = f"EPSG:{32601 + int((lon + 180) // 6)}"
    return _spot(crs, lon, lat, gsd_m)


def spot_of(rng: np.random.Generator, crs: str, step: float) -> Spot:
    """Somewhere in Europe, in a given CRS with pixels of `step` of its units."""
    lon, lat = _place(rng)
    return _spot(crs, lon, lat, step)


def times(rng: np.random.Generator, count: int) -> tuple[datetime, ...]:
    """Times of 2019 and 2020 in their order, months apart."""
    gaps = rng.integers(40, 90, size=count)
    return tuple(_FIRST + timedelta(days=int(d), minutes=int(d)) for d in np.cumsum(gaps))


def tif(pixels: Shaped[np.ndarray, "c h w"], spot: Spot, nodata: float | None = None) -> bytes:
    """A GeoTIFF."""
    c, h, w = pixels.shape
    with MemoryFile() as held, catch_warnings():
        simplefilter("ignore", NotGeoreferencedWarning)  # files without a place are meant
        with held.open(
            driver="GTiff",
            count=c,
            height=h,
            width=w,
            dtype=pixels.dtype,
            crs=spot.crs,
            transform=spot.affine,
            nodata=nodata,
            compress="deflate",
        ) as file:
            file.write(pixels)
        return bytes(held.read())


def _noisy(rng: np.random.Generator, bright: Bright, bands: int) -> Float[np.ndarray, "c h w"]:
    noise: np.ndarray = bright + rng.normal(0, _NOISE, size=(bands, *bright.shape))
    return noise


def _place(rng: np.random.Generator) -> tuple[float, float]:
    return float(rng.uniform(-8, 28)), float(rng.uniform(37, 58))


def _spot(crs: str, lon: float, lat: float, step: float) -> Spot:
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    left, top = (round(v / step) * step for v in (x, y))
    return Spot(crs, Affine(step, 0.0, left, 0.0, -step, top))
