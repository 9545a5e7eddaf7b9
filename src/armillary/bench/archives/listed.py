"""Items that lists of an archive name: which files, which part, and what each file says.

A *shot* is one sample as files: one file with every band, or one file for each band. A *source* is one item as files.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, get_args

import numpy as np

from armillary.bench.archives.rasters import Raster, Unit, read_bands, read_raster
from armillary.bench.files import Files
from armillary.bench.task import Item, Part
from armillary.earth.sensors import Sensor
from armillary.earth.window import Window
from armillary.sample.sample import Sample

T = TypeVar("T")

PARTS: tuple[Part, ...] = get_args(Part)


@dataclass(frozen=True)
class Shot:
    """One sample as files.

    Args:
        names: of its files, in the order of the sensor's bands where there are several.
        time: that the names tell.
    """

    names: tuple[str, ...]
    time: datetime | None = None


@dataclass(frozen=True)
class Source:
    """One item as files.

    Args:
        shots: in the order of time.
        labels: files of a dense truth; none where the lists themselves tell it.
    """

    shots: tuple[Shot, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Listed:
    """Items of one sensor that lists name; see `armillary.bench.task.Items`.

    Args:
        archive: its files.
        sensor: narrowed to the stored bands in their order.
        unit: of the stored numbers.
        keys: unique.
        parts: of each item.
        source: number -> the item's files.
        known: truths that the lists tell; none for dense truths.
        label: label files -> truth; None where the lists tell it.
        groups: of each item; () where nobody tells them.
    """

    archive: Files
    sensor: Sensor
    unit: Unit
    keys: tuple[str, ...]
    parts: tuple[Part, ...]
    source: Callable[[int], Source]
    known: tuple[np.ndarray, ...] = ()
    label: Callable[[Sequence[Raster]], np.ndarray] | None = None
    groups: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.keys)

    def item(self, number: int) -> Item:
        """Read one item."""
        source = self.source(number)
        samples = tuple(self._sample(shot) for shot in source.shots)
        truth, grid = self._truth(number, source)
        return Item(self.keys[number], samples, truth, grid)

    def truth(self, number: int) -> np.ndarray:
        """Its truth alone."""
        return self._truth(number, self.source(number) if self.label else None)[0]

    def files(self, number: int) -> tuple[str, ...]:
        """Names of its files."""
        source = self.source(number)
        return (*(name for shot in source.shots for name in shot.names), *source.labels)

    def _sample(self, shot: Shot) -> Sample:
        pixels, window = read_bands(self.archive, shot.names, self.sensor, self.unit)
        return Sample(pixels, self.sensor, window, shot.time)

    def _truth(self, number: int, source: Source | None) -> tuple[np.ndarray, Window | None]:
        if self.label is None or source is None:
            return self.known[number], None
        rasters = [read_raster(self.archive, name) for name in source.labels]
        window = rasters[0].window
        return self.label(rasters), None if window.crs is None else window


def in_parts(read: Callable[[Part], Sequence[T]]) -> tuple[tuple[T, ...], tuple[Part, ...]]:
    """Entries of the three lists, one after the other, and the part of each."""
    entries: list[T] = []
    parts: list[Part] = []
    for part in PARTS:
        found = read(part)
        entries += found
        parts += [part] * len(found)
    return tuple(entries), tuple(parts)


def unique(names: Sequence[str], parts: Sequence[Part]) -> tuple[str, ...]:
    """Names as keys; one that came before says its part too, and its number where that is not enough."""
    seen: set[str] = set()
    keys = []
    for number, (name, part) in enumerate(zip(names, parts, strict=True)):
        tries = (name, f"{part}/{name}", f"{part}/{name}#{number}")
        keys.append(next(key for key in tries if key not in seen))
        seen.add(keys[-1])
    return tuple(keys)
