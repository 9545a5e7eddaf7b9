"""Labels of what is drawn: one row of nine numbers for each sample, as its land cover or a table says.

A draw that holds a map of land cover tells the labels of exactly what was cut: crops of a scene need not show what
the scene shows. Otherwise a table knows the place, or, where labels change with the season, what was sensed there and
when. A row of NaN says that nothing is known.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.earth.legend import CLASSES, Legend
from armillary.sample.landcover import cover_of_classes
from armillary.sample.sample import Sample
from armillary.sample.ssl4eo import Sensed
from armillary.sample.stream import Draw, place_of

COVER = "land-cover"
"""The sensor whose one band holds codes of a legend."""


UNKNOWN = (float("nan"),) * len(CLASSES)
"""The row of an item of which nothing is known."""

K = TypeVar("K")


@dataclass(frozen=True)
class LabelSource:
    """Who knows the labels.

    Args:
        table: key of an item, or its place, -> shares or ones and zeros of the nine classes.
        legend: of maps of land cover in a draw, which are asked first; None: they are not looked at.
        seasons: key of a place whose labels change -> sensor and sensing time -> the same, asked before the table; what
            is not among them has no label.
        least_valid: a map of which a smaller share is known says nothing.
    """

    table: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    legend: Legend | None = None
    seasons: Mapping[str, Mapping[Sensed, tuple[float, ...]]] = field(default_factory=dict)
    least_valid: float = 0.5

    def __bool__(self) -> bool:
        return bool(self.table) or self.legend is not None

    def knows(self, key: str) -> bool:
        """Whether the table tells of an item."""
        return key in self.table or place_of(key) in self.table

    def checksum(self) -> str:
        """One word for all that is known."""
        told: list[object] = [sorted(self.table.items()), self.least_valid]
        for key, found in sorted(self.seasons.items()):
            told += [key, sorted((sensor, time.isoformat(), row) for (sensor, time), row in found.items())]
        if self.legend is not None:
            told += [sorted(self.legend.codes.items()), self.legend.unsorted, self.legend.empty]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]

    def of(self, draw: Draw) -> Float[Tensor, "b 9"]:
        """Labels of each item of a draw."""
        maps = {} if self.legend is None else self._maps(draw)
        sensed = self._sensed(draw) if self.seasons else {}
        rows = [maps.get(i) or self._told(key, sensed.get(i, ())) for i, key in enumerate(draw.keys)]
        return torch.tensor(rows, dtype=torch.float32).reshape(len(draw), len(CLASSES))

    def _told(self, key: str, sensed: Sequence[Sensed]) -> Sequence[float]:
        seasons = self.seasons.get(key)
        if seasons is not None:
            return next((seasons[one] for one in sensed if one in seasons), UNKNOWN)
        return self.table.get(key) or self.table.get(place_of(key)) or UNKNOWN

    def _sensed(self, draw: Draw) -> dict[int, list[Sensed]]:
        """Sensor and time of each sample, by row."""
        found: dict[int, list[Sensed]] = {}
        for sensor, samples in draw.samples.items():
            for row, sample in zip(draw.rows[sensor], samples, strict=True):
                if sample.time is not None:
                    found.setdefault(row, []).append((sensor, sample.time))
        return found

    def _maps(self, draw: Draw) -> dict[int, Sequence[float]]:
        found = zip(draw.rows.get(COVER, ()), draw.samples.get(COVER, ()), strict=True)
        shares = {row: self._shares(sample) for row, sample in found}
        return {row: s for row, s in shares.items() if s is not None}

    def _shares(self, sample: Sample) -> Sequence[float] | None:
        assert self.legend is not None  # noqa: S101 (asked before)
        codes, seen = np.nan_to_num(sample.pixels[0]).astype(np.int64), np.isfinite(sample.pixels[0])
        cover = cover_of_classes(codes, self.legend, known=seen, href=f"the {COVER} of a draw")
        return cover.fractions if cover.valid >= max(self.least_valid, np.finfo(float).tiny) else None


def ones_of(classes: Mapping[K, Sequence[int]]) -> dict[K, tuple[float, ...]]:
    """A table of classes as a table of ones and zeros; places without any are left out.

    Example:
        >>> ones_of({"here": (0, 4), "there": ()})
        {'here': (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)}
    """
    return {key: tuple(float(c in found) for c in range(len(CLASSES))) for key, found in classes.items() if found}
