"""Crops of the corpus at native resolution, for judging reconstruction: which, where, and which patches are hidden.

All is a pure function of the tiles: the randomness of a crop comes from its sensor, place and number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from zlib import crc32

import numpy as np

from armillary.sample.sample import Sample
from armillary.sample.tiles import Row, Tiles

MASKED = 0.7
MOST_TOKENS = 14
"""Patches along a side at most: 224 px of Sentinel-1 and Sentinel-2."""

VIEWS: Mapping[str, int] = MappingProxyType({"s2_l2a_weak": 4, "ombria": 2})
"""Source set -> crops, each with a mask of its own, of one held-out place; others have `OTHER_VIEWS`."""

OTHER_VIEWS = 8
MOST_CROPS = 400
TRAIN_PATCHES = 3000
"""Hidden patches of one sensor of one set that linear baselines are fitted to, about; and crops at most."""

LIGHT = ("s2-l2a", "s2-l1c", "ombria-s2")
RADAR = ("s1-grd", "s1-rtc", "ombria-s1")
PAIRED = ("ombria", "terramesh_sites", "bigearthnet_s1s2_pairs", "sen1floods11", "sen12mscr_1pair", "worldcereal_cubes")
"""Sets with both, on one grid."""


@dataclass(frozen=True, eq=False)
class Crop:
    """A crop of whole patches.

    Args:
        sample: its pixels.
        source: the set.
        place: where it was taken.
        unit: of resampling; a cluster of s2_l2a_weak, otherwise the place.
        seed: of its mask.
    """

    sample: Sample
    source: str
    place: str
    unit: str
    seed: int

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        h, w = self.sample.window.shape
        return h // self.sample.sensor.patch_px, w // self.sample.sensor.patch_px


def crops(folder: Path, split: str, only: tuple[str, ...] = ()) -> Iterator[Crop]:
    """Every sensor of every place in turn, of some sets or all; tiles of less than 2 x 2 patches are left out."""
    tiles = Tiles(folder, split, sources=only)
    found: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in tiles.rows:
        found.setdefault((row.sensor, row.source), {}).setdefault(row.place, []).append(row)
    for (_, source), places in sorted(found.items()):
        chosen = sorted(places, key=lambda name: crc32(name.encode()))
        count = _count(source, places, split, tiles)
        for name in chosen[: max(1, count)] if split == "train" else chosen:
            views = max(1, count // len(chosen)) if split == "train" else count
            yield from _views(tiles, places[name], views)


def _count(source: str, places: Mapping[str, Sequence[Row]], split: str, tiles: Tiles) -> int:
    """Crops of a place that is held out, or of all places to learn from."""
    if split != "train":
        return VIEWS.get(source, OTHER_VIEWS)
    crop = next((c for rows in places.values() for c in _views(tiles, rows[:1], 1)), None)
    return 0 if crop is None else min(MOST_CROPS, max(1, round(TRAIN_PATCHES / (MASKED * crop.grid[0] * crop.grid[1]))))


def _views(tiles: Tiles, rows: Sequence[Row], views: int) -> Iterator[Crop]:
    for number in range(views):
        row = rows[number * max(1, len(rows) // views) % len(rows)]
        seed = crc32(f"{row.sensor} {row.place} {number}".encode())
        crop = _cut(tiles, row, seed)
        if crop is not None:
            yield crop


def _cut(tiles: Tiles, row: Row, seed: int) -> Crop | None:
    p = tiles.read(row, rows=slice(0, 1), cols=slice(0, 1)).sensor.patch_px
    spans, rng = [], np.random.default_rng(seed)
    for n in (row.height, row.width):
        side = min(n // p, MOST_TOKENS) * p
        if side < 2 * p:
            return None
        start = int(rng.integers(n - side + 1))
        spans.append(slice(start, start + side))
    sample = tiles.read(row, rows=spans[0], cols=spans[1])
    unit = row.group if row.source == "s2_l2a_weak" else row.place
    return Crop(sample, row.source, row.place, unit, seed) if sample.valid.mean() >= 0.5 else None


def pairs(folder: Path, split: str, most: int, only: tuple[str, ...] = ()) -> Iterator[tuple[Crop, Crop]]:
    """Radar and light of the same ground on one grid: up to `most` of a set."""
    held = {row.source for row in Tiles(folder, split, sources=only).rows}
    for source in (s for s in PAIRED if s in held):
        tiles = Tiles(folder, split, sources=(source,), most_px=224)
        turns = min(OTHER_VIEWS, max(1, most // len(tiles)))
        for place in range(len(tiles))[:most]:
            for turn in range(turns):
                pair = _pair(tiles, source, place, turn)
                if pair is not None:
                    yield pair


def _pair(tiles: Tiles, source: str, place: int, turn: int) -> tuple[Crop, Crop] | None:
    seed = crc32(f"{tiles.key(place)} {turn}".encode())
    drawn = tiles.draw(place, np.random.default_rng(seed))
    radar, light = (next((drawn[n] for n in names if n in drawn), None) for names in (RADAR, LIGHT))
    if radar is None or light is None or radar.window.shape != light.window.shape or min(radar.window.shape) < 32:
        return None
    name = tiles.key(place).split("@")[0]
    first, second = (Crop(_whole_patches(s), source, name, name, seed) for s in (radar, light))
    return (first, second) if min(first.sample.valid.mean(), second.sample.valid.mean()) >= 0.5 else None


def _whole_patches(sample: Sample) -> Sample:
    h, w = (n // sample.sensor.patch_px * sample.sensor.patch_px for n in sample.window.shape)
    return sample.crop(rows=slice(0, h), cols=slice(0, w))
