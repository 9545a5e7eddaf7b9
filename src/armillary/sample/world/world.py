"""World: synthetic places seen by Sentinel-2 at two levels, Sentinel-1, a height model and a land-cover map, together.

A *place* is a piece of ground that never changes, a *visit* one look at it: a day, its sun, weather, air and speckle.
Everything is a pure function of (seed, place, visit), in batches and on any device, and of each step the truth is
known: the air between the two levels, the mean under the speckle, the shares of materials in a pixel.

SYNTHETIC, all of it: formulas and round numbers, no measurement. Keys of places and names of files say so, and no
product that is made of it may be shown as the Earth.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from pyproj import Transformer
from torch import Tensor

from armillary.earth.card import find_sensor
from armillary.earth.sensors import Sensor
from armillary.earth.when import from_days
from armillary.earth.window import Window
from armillary.errors import OutOfRange
from armillary.sample.sample import Sample
from armillary.sample.world.air import Air, air_of, to_top
from armillary.sample.world.backscatter import LOOKS, level_of, speckled
from armillary.sample.world.climate import Climate, Sun, climate_of, day_of, sun_at
from armillary.sample.world.cover import Cover, cover_of, vigour
from armillary.sample.world.surface import Ground, mixture, reflect, shade_of, sheen_of, weather_of
from armillary.sample.world.terrain import PIXEL_M, Terrain, terrain_of

STRANDS = ("dem", "land-cover", "s1-rtc", "s2-l1c", "s2-l2a")
"""Sensors of which a place has a sample."""

MOST_VISITS = 2**31
_VERSION = 2
"""Another number where the same seed gives other worlds."""


@dataclass(frozen=True, eq=False)
class Scenery:
    """Some places, each on one visit, and the truth about them.

    Args:
        climate: place and climate.
        terrain: heights and water.
        cover: land cover.
        days: since 1970-01-01.
        sun: where it stands.
        ground: state of the surface; its reflectance is level 2A.
        air: between the two levels.
        level: mean backscatter in dB.
        strands: sensor -> its pixels in the unit of the sensor.
    """

    climate: Climate
    terrain: Terrain
    cover: Cover
    days: Float[Tensor, " b"]
    sun: Sun
    ground: Ground
    air: Air
    level: Float[Tensor, "b 2 h w"]
    strands: Mapping[str, Float[Tensor, "b c h w"]]


@dataclass(frozen=True)
class World:
    """A synthetic world as a Source: `World(places=10_000, seed=1)`.

    Args:
        places: how many it counts; a place does not depend on this.
        seed: another seed gives another world.
        side_px: side of every sample, in pixels of 10 m.
        looks: of the radar; more means less speckle.
        shading: share of the sun's shading of slopes; with 0, optics know of the relief only what grows on it.
        strands: sensors that are drawn.

    Raises:
        OutOfRange: a size that is none, or a sensor that the world has not.
    """

    places: int = 100_000
    seed: int = 0
    side_px: int = 64
    looks: int = LOOKS
    shading: float | int = 1.0
    strands: tuple[str, ...] = STRANDS

    def __post_init__(self) -> None:
        if self.places < 1 or self.side_px < 16 or self.looks < 1 or self.seed < 0 or not 0 <= self.shading <= 1:
            raise OutOfRange(
                f"places={self.places}, side_px={self.side_px}, looks={self.looks}, seed={self.seed}, "
                f"shading={self.shading} were given; give at least 1, 16, 1 and 0, and a shading from 0 to 1"
            )
        if set(self.strands) - set(STRANDS):
            raise OutOfRange(f"strands={self.strands} were asked of a synthetic world; it has {', '.join(STRANDS)}")

    def __len__(self) -> int:
        return self.places

    def key(self, place: int) -> str:
        """The name of a place, which says that it is synthetic."""
        if not 0 <= place < self.places:
            raise OutOfRange(f"place {place} was asked for; this synthetic world has 0 to {self.places - 1}")
        return f"synthetic-{self.seed}-{place}"

    def checksum(self) -> str:
        """One word for all that the places depend on."""
        return hashlib.sha256(f"{_VERSION} {self}".encode()).hexdigest()[:16]

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """One visit to a place: a sample of each sensor, all on one grid of 10 m."""
        self.key(place)
        return self.visit(place, int(rng.integers(MOST_VISITS)))

    def visit(self, place: int, number: int) -> Mapping[str, Sample]:
        """A certain visit to a place."""
        one = self.scenery(torch.tensor([place]), torch.tensor([number]))
        window = _window(float(one.climate.lon[0]), float(one.climate.lat[0]), self.side_px)
        time = from_days(float(one.days[0]))
        return {
            name: Sample(
                one.strands[name][0].numpy(), _sensor(name), window, None if name in ("dem", "land-cover") else time
            )
            for name in self.strands
        }

    def scenery(self, places: Int[Tensor, " b"], visits: Int[Tensor, " b"]) -> Scenery:
        """Many places at once, on the device of the numbers.

        Args:
            places: which.
            visits: which visit to each, 0 to 2**31 - 1.
        """
        seed, side = self.seed, self.side_px
        climate, terrain = climate_of(seed, places), terrain_of(seed, places, side)
        cover = cover_of(seed, places, climate, terrain)
        days = day_of(seed, places, visits, climate.lat)
        sun, warm = sun_at(climate.lat, days), climate.temperature(days, terrain.height)
        snow, soil = weather_of(seed, places, visits, cover, warm)
        green = vigour(cover, climate, warm, days)
        mixed = mixture(seed, places, climate, terrain, cover, (snow, soil, green))
        sheen = sheen_of(seed, places, visits, cover, terrain.spare[:, 2])
        surface = reflect(mixed, soil, sheen, shade_of(terrain, sun, float(self.shading)))
        ground = Ground(surface, snow, green, soil)
        air = air_of(seed, places, visits, sun, (terrain.height.mean(dim=(1, 2)), warm.mean(dim=(1, 2))))
        level = level_of(seed, places, visits, cover, ground, terrain)
        strands = {
            "dem": terrain.height[:, None],
            "land-cover": cover.code[:, None].float(),
            "s1-rtc": speckled(seed, places, visits, level, self.looks),
            "s2-l1c": to_top(surface, air),
            "s2-l2a": surface,
        }
        return Scenery(climate, terrain, cover, days, sun, ground, air, level, strands)


@lru_cache(maxsize=16)
def _sensor(name: str) -> Sensor:
    return find_sensor(name)


def _window(lon: float, lat: float, side: int) -> Window:
    """A grid of 10 m about a point, in its UTM zone."""
    crs = f"EPSG:{(32600 if lat >= 0 else 32700) + int((lon + 180) // 6) % 60 + 1}"
    x, y = _to_utm(crs).transform(lon, lat)
    left, top = (round(v / PIXEL_M) * PIXEL_M for v in (x - side * PIXEL_M / 2, y + side * PIXEL_M / 2))
    return Window.of((side, side), (PIXEL_M, 0.0, left, 0.0, -PIXEL_M, top), crs)


@lru_cache(maxsize=128)
def _to_utm(crs: str) -> Transformer:
    return Transformer.from_crs("EPSG:4326", crs, always_xy=True)
