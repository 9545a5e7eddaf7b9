"""Plain encoders: what can be said of an item without a model, so that every table shows what learning adds.

`PixelStatistics` knows pixels and no place; `PlaceAndTime` knows place and time and no pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

from armillary.bench.encoders.encoder import Look, Sight
from armillary.earth.sensors import Sensor
from armillary.models.card import nano_card
from armillary.models.descriptors import rich_statistics
from armillary.sample.normal import convert, normalise
from armillary.sample.sample import Sample

MAP_SIDE = 64
"""Most blocks along a side of a map of pixel statistics."""

PLACE_SIDE = 16
"""The same of a map of places."""

LOOKED_AT = 128
"""Most rows and columns of an item that its statistics look at."""

AROUND = 5
"""Blocks along the side of the neighbourhood whose mean stands beside each block's own."""

YEAR_DAYS = 365.25


@dataclass(frozen=True)
class PixelStatistics:
    """Percentiles, indices and gradients of each item; means and deviations of blocks as a map.

    Values are those of the sensor; a map's are standardised, so that float16 holds them.
    """

    name: str = "pixels"
    digest: str = "percentiles-indices-gradients-blocks-1"
    told: tuple[str, ...] = ()

    def see(self, samples: Sequence[Sample], look: Look) -> Sight:
        """NaN where nothing was measured."""
        sensor = samples[0].sensor
        x = torch.from_numpy(np.stack([s.pixels for s in samples]).astype(np.float32))
        step = max(1, -(-max(x.shape[-2:]) // LOOKED_AT))
        vectors = rich_statistics(x[..., ::step, ::step], sensor)
        vectors = torch.where(torch.isfinite(vectors), vectors, torch.nan)
        return Sight(vectors, (_blocks(_standard(x, sensor)),) if look.maps else ())


@dataclass(frozen=True)
class PlaceAndTime:
    """Longitude, latitude, the point on the unit sphere, day and season; NaN where unknown or not told."""

    name: str = "place-time"
    digest: str = "lonlat-sphere-day-season-1"
    told: tuple[str, ...] = ("place", "time")

    def see(self, samples: Sequence[Sample], look: Look) -> Sight:
        """As a map, places of a grid over the item."""
        vectors = np.stack([_facts(s, look, 1)[:, 0, 0] for s in samples])
        maps = np.stack([_facts(s, look, PLACE_SIDE) for s in samples]) if look.maps else None
        return Sight(torch.from_numpy(vectors), () if maps is None else (torch.from_numpy(maps),))


@dataclass(frozen=True)
class Nothing:
    """Neither pixels nor place: the probe has only the truths of training items."""

    name: str = "none"
    digest: str = "nothing"
    told: tuple[str, ...] = ()

    def see(self, samples: Sequence[Sample], look: Look) -> Sight:
        """Zeros."""
        none = torch.zeros(len(samples), 1)
        return Sight(none, (none[:, :, None, None],) if look.maps else ())


def _standard(x: Float[Tensor, "b c h w"], sensor: Sensor) -> Float[Tensor, "b c h w"]:
    """In deviations from the usual mean of the sensor, where its numbers are known."""
    if sensor.name not in nano_card.entries:
        return x
    statistics = nano_card.statistics(sensor)
    raw = torch.stack([convert(item, sensor, sensor.unit, to=statistics.unit) for item in x])
    return normalise(raw, statistics)


def _blocks(z: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3*c _ _"]:
    """Mean and deviation of each block, and the mean around it, of what was measured."""
    h, w = z.shape[-2:]
    step = max(1, -(-max(h, w) // MAP_SIDE))
    size = -(-h // step), -(-w // step)
    known = torch.isfinite(z).float()
    clean = torch.where(known > 0, z, 0.0)
    share = adaptive_avg_pool2d(known, size)
    total = adaptive_avg_pool2d(clean, size)
    mean = total / share
    spread = (adaptive_avg_pool2d(clean.square(), size) / share - mean.square()).clamp_min(0).sqrt()
    around = _pooled(total) / _pooled(share)
    return torch.cat([mean, spread, around], dim=1)


def _pooled(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    return avg_pool2d(x, AROUND, stride=1, padding=AROUND // 2)


def _facts(sample: Sample, look: Look, side: int) -> Float[np.ndarray, "8 s s"]:
    out = np.full((8, side, side), np.nan, dtype=np.float32)
    h, w = sample.window.shape
    if "place" in look.knows and sample.window.crs is not None:
        for i in range(side):
            for j in range(side):
                lon, lat = sample.window.lonlat((i + 0.5) * h / side, (j + 0.5) * w / side)
                east, north = np.deg2rad(lon), np.deg2rad(lat)
                sphere = np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)
                out[:5, i, j] = lon, lat, *sphere
    if "time" in look.knows and sample.time is not None:
        season = 2 * np.pi * sample.days / YEAR_DAYS
        out[5:] = np.array([sample.days, np.sin(season), np.cos(season)])[:, None, None]
    return out
