"""Aired: real Sentinel-2 tiles of level 2A, seen at level 1C as well, through synthetic air.

Few places are at hand at both levels, many at one. What lies between the levels is known physics
(`armillary.sample.world.air`), so that a real surface under drawn air teaches what air does. The level 1C of such a
place is SYNTHETIC; the name of the place says so.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from armillary.earth.fleet import sensors
from armillary.sample.sample import Sample
from armillary.sample.source import Source
from armillary.sample.world.air import SCALE_HEIGHT_M, Air, to_top

MARK = "synthetic-air/"
"""Names of places begin with this."""

_SURFACE, _TOP = "s2-l2a", "s2-l1c"
_VERSION = 2
"""Another number where the same source gives other air."""


@dataclass(frozen=True)
class Aired:
    """A source whose samples of s2-l2a, where they have all bands and no s2-l1c beside them, get one.

    Args:
        source: real samples.
    """

    source: Source

    def __len__(self) -> int:
        return len(self.source)

    def key(self, place: int) -> str:
        """The real place's name, marked."""
        return MARK + self.source.key(place)

    def checksum(self) -> str:
        """One word for the tiles and the air."""
        return hashlib.sha256(f"{self.source.checksum()} air {_VERSION}".encode()).hexdigest()[:16]

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """What the source draws, and what lies above."""
        samples = self.source.draw(place, rng)
        ground = samples.get(_SURFACE)
        if ground is None or _TOP in samples or ground.sensor.band_names != sensors[_SURFACE].band_names:
            return samples
        return {**samples, _TOP: above(ground, rng)}


def above(ground: Sample, rng: np.random.Generator) -> Sample:
    """Level 1C of a sample of level 2A under air that is drawn: haze, vapour, ozone, thin cirrus, height, sun.

    Unknown pixels are unknown, and their neighbours are lit as if the mean were there.
    """
    known = np.isfinite(ground.pixels)
    means = np.nanmean(ground.pixels, axis=(1, 2), keepdims=True) if known.any() else np.float32(0)
    whole = np.where(known, ground.pixels, np.nan_to_num(means)).astype(np.float32)
    top = to_top(torch.from_numpy(whole)[None], _drawn(rng))[0].numpy()
    of = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11]  # B10 has the ground of B11
    return Sample(np.where(known[of], top, np.float32(np.nan)), sensors[_TOP], ground.window, ground.time)


def _drawn(rng: np.random.Generator) -> Air:
    """Air of one item, spread as in the synthetic world."""
    height, warm = rng.exponential(350.0), rng.normal(12.0, 10.0)
    pressure = float(np.exp(-height / SCALE_HEIGHT_M))
    values = (
        np.clip(0.12 * np.exp(0.6 * rng.normal()), 0.01, 0.8),
        0.4 + 1.4 * rng.random(),
        np.clip(0.35 * np.exp(0.062 * warm + 0.35 * rng.normal()) * pressure**4 * 1.6, 0.05, 6),
        240 + 160 * rng.random(),
        0.0005 + 0.006 * rng.random() ** 4,
        pressure,
        rng.uniform(20.0, 70.0),
    )
    return Air(*(torch.tensor([float(v)]) for v in values))
