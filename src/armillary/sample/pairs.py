"""Pairs: co-located samples of a folder of tiles, cut to one rectangle of ground, as a Source.

The tiles of one place with one lock lie on one pixel grid. A *company* is what belongs together on such a grid: tiles
of different sensors whose dates agree, and tiles without a date (elevation, land cover), which agree with all. A draw
is one company, cut at the same rows and columns. What is absent is an absent key, what is unknown is NaN.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from numbers import Integral
from pathlib import Path

import numpy as np

from armillary.earth.when import utc
from armillary.errors import BadInput, OutOfRange
from armillary.sample.sample import Sample
from armillary.sample.tiles import Row, Tiles

NEAR_DAYS = 16.0
"""Samples of two sensors show the same state of the ground when taken within so many days."""

SAME_DAYS = 1 / 24
"""The two levels of Sentinel-2 belong together only as products of one overpass."""

OVERPASS = frozenset({"s2-l1c", "s2-l2a"})

ALIGN_PX = 4
"""Cuts begin at whole multiples of this, so that bands of 20 m are halved along their own pixels."""


@dataclass(frozen=True)
class Pairs:
    """Co-located samples: `Pairs(folder, split="train", side_px=64)`.

    A grid that is larger than a cut counts as several places, one per block of about `side_px`; the key of a block is
    the place, @, and its row and column (with the lock before it where a place has several grids). A grid that is
    smaller is padded with NaN.

    Args:
        folder: what `write_tiles` wrote.
        split: "train", "held-out", or None for both.
        side_px: side of every sample.
        least_px: tiles with a shorter side are left out.
        sensors: only these; none given means all.
        sources: only tiles of these source sets; none given means all.
        together: grids that never show as many sensors at once are left out.

    Raises:
        BadInput: a split that is none, no pixel to read, or a side that is no whole multiple of 4.
    """

    folder: Path
    split: str | None = "train"
    side_px: int = 64
    least_px: int = 16
    sensors: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    together: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        if not (isinstance(self.side_px, Integral) and self.side_px >= ALIGN_PX and self.side_px % ALIGN_PX == 0):
            raise BadInput(f"side_px={self.side_px} was asked for; give a whole multiple of {ALIGN_PX} pixels")
        self._tiles.__post_init__()

    def __len__(self) -> int:
        return len(self._spots)

    def key(self, place: int) -> str:
        """The name of a block of a place."""
        return self._spot(place).key

    def checksum(self) -> str:
        """One word for the tiles chosen and how they are drawn."""
        told = f"{self._tiles.checksum()} {self.side_px} {self.together}"
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def place(self, place: int) -> str:
        """The site that a block belongs to: what must not be on both sides of a split."""
        return self._spot(place).place

    def companies(self, place: int) -> tuple[tuple[Row, ...], ...]:
        """What a draw chooses from: tiles that belong together, ordered by sensor."""
        return self._spot(place).companies

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """One company of a place at random, cut at a random rectangle of its block.

        Raises:
            OutOfRange: no such place.
            SceneUnreadable: what is there cannot be read; the message names the file.
        """
        spot = self._spot(place)
        company = spot.companies[int(rng.integers(len(spot.companies)))]
        down, right = rng.random(2)
        return self._read(spot, company, down, right)

    def middle(self, place: int, company: int = 0) -> Mapping[str, Sample]:
        """One company of a place, cut at the middle of its block: for evaluation."""
        spot = self._spot(place)
        return self._read(spot, spot.companies[company], 0.5, 0.5)

    def _read(self, spot: "_Spot", company: Sequence[Row], down: float, right: float) -> Mapping[str, Sample]:
        rows = self._start(company[0].height, spot.at[0], spot.blocks[0], down)
        cols = self._start(company[0].width, spot.at[1], spot.blocks[1], right)
        return {row.sensor: _padded(self._tiles, row, (rows, cols), self.side_px) for row in company}

    def _start(self, size: int, block: int, blocks: int, share: float) -> int:
        """Where a cut begins; negative where the grid is smaller than the cut."""
        spare = size - self.side_px
        middle, reach = (spare / 2, spare / 2) if blocks == 1 else (spare * block / (blocks - 1), self.side_px / 4)
        low, high = min(spare, 0), max(spare, 0)
        start = min(max(middle + (2 * share - 1) * abs(reach), low), high)
        last = abs(spare) // ALIGN_PX
        return ALIGN_PX * min(max(round(start / ALIGN_PX), -last), last)

    def _spot(self, place: int) -> "_Spot":
        if not 0 <= place < len(self._spots):
            raise OutOfRange(f"place {place} was asked for; {self.folder} has 0 to {len(self._spots) - 1}")
        return self._spots[place]

    @cached_property
    def _tiles(self) -> Tiles:
        return Tiles(self.folder, self.split, None, self.least_px, self.sensors, self.sources)

    @cached_property
    def _spots(self) -> tuple["_Spot", ...]:
        grids: dict[tuple[str, str], list[Row]] = {}
        for row in self._tiles.rows:
            grids.setdefault((row.place, row.lock), []).append(row)
        several = {place for place, count in Counter(place for place, _ in grids).items() if count > 1}
        spots = []
        for (place, lock), rows in grids.items():
            companies = companies_of(rows)
            if len(companies[0]) >= self.together:
                spots += list(self._blocks(place, f"{place}#{lock}" if place in several else place, rows[0], companies))
        if not spots:
            found = ", ".join(sorted({row.sensor for row in self._tiles.rows}))
            raise BadInput(
                f"{self.together} sensors at one place and time were asked for, and no place in {self.folder} with "
                f"split={self.split} shows so many (it has {found}); add places that at least {self.together} saw"
            )
        return tuple(spots)

    def _blocks(self, place: str, name: str, row: Row, companies: tuple[tuple[Row, ...], ...]) -> Iterator["_Spot"]:
        blocks = (max(1, round(row.height / self.side_px)), max(1, round(row.width / self.side_px)))
        for r in range(blocks[0]):
            for c in range(blocks[1]):
                key = name if blocks == (1, 1) else f"{name}@{r}-{c}"
                yield _Spot(place, key, (r, c), blocks, companies)


@dataclass(frozen=True)
class _Spot:
    """One block of a grid."""

    place: str
    key: str
    at: tuple[int, int]
    blocks: tuple[int, int]
    companies: tuple[tuple[Row, ...], ...]


def companies_of(rows: Sequence[Row]) -> tuple[tuple[Row, ...], ...]:
    """The companies of one grid, largest first: each tile with those of other sensors that are nearest in time.

    Where tiles of several dated sensors meet, tiles that meet none are left out.
    """
    found = {tuple(_company(row, rows)): None for row in rows}
    whole = [c for c in found if not any(set(c) < set(other) for other in found)]
    dated = {c: sum(row.time is not None for row in c) for c in whole}
    most = max(dated.values())
    kept = [c for c in whole if dated[c] >= min(2, most)]
    return tuple(sorted(kept, key=lambda c: -len(c)))


def _company(anchor: Row, rows: Sequence[Row]) -> list[Row]:
    company = [anchor]
    for sensor in sorted({r.sensor for r in rows} - {anchor.sensor}):
        nearest = min((r for r in rows if r.sensor == sensor), key=lambda r: _days_between(r, anchor))
        if all(_days_between(nearest, r) <= _limit(nearest, r) for r in company):
            company.append(nearest)
    return sorted(company, key=lambda r: r.sensor)


def _limit(one: Row, other: Row) -> float:
    return SAME_DAYS if {one.sensor, other.sensor} == OVERPASS else NEAR_DAYS


def _days_between(one: Row, other: Row) -> float:
    if one.time is None or other.time is None:
        return 0.0
    return abs((_utc(one.time) - _utc(other.time)).total_seconds()) / 86400


@lru_cache(maxsize=4096)
def _utc(text: str) -> datetime:
    return utc(text)


def _padded(tiles: Tiles, row: Row, start: tuple[int, int], side: int) -> Sample:
    """A cut of a tile, with NaN where it reaches beyond."""
    inner = [slice(max(0, at), min(size, at + side)) for at, size in zip(start, (row.height, row.width), strict=True)]
    sample = tiles.read(row, rows=inner[0], cols=inner[1])
    if sample.window.shape == (side, side):
        return sample
    pixels = np.full((len(row.bands), side, side), np.nan, np.float32)
    down, right = (part.start - at for part, at in zip(inner, start, strict=True))
    h, w = sample.window.shape
    pixels[:, down : down + h, right : right + w] = sample.pixels
    window = sample.window.crop(rows=slice(-down, side - down), cols=slice(-right, side - right))
    return Sample(pixels, sample.sensor, window, sample.time)
