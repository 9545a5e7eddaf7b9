"""Tiles: a small collection of real imagery on disk, kept for training, as a Source.

A folder holds `tiles.parquet`, one row per tile, and safetensors shards. A *tile* is the imagery of one sensor at one
place and time, whole; a crop of it is read without the rest. A *group* is the unit of splitting: all its tiles are
"train", or all are "held-out". Tiles of one place with the same *lock* lie on one pixel grid. Values are stored as
small integers where that loses nothing that matters: value = stored * scale, and `nodata` is the number that means
nothing was measured.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import as_file, files
from math import isfinite
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float, Shaped
from safetensors import SafetensorError, safe_open

from armillary.earth.card import find_sensor
from armillary.earth.sensors import Sensor
from armillary.earth.when import utc
from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange, SceneNotFound, SceneUnreadable
from armillary.sample.sample import Sample

TABLE = "tiles.parquet"
SPLITS = ("train", "held-out")

BEYOND = 1.8e19
"""No sensor measures so much: its square, which losses are made of, is the largest number of 32 bits."""

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("sensor", pa.string()),
        ("bands", pa.list_(pa.string())),
        ("place", pa.string()),
        ("group", pa.string()),
        ("lock", pa.string()),
        ("split", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("crs", pa.string()),
        ("affine", pa.list_(pa.float64())),
        ("time", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
        ("shard", pa.string()),
        ("dtype", pa.string()),
        ("scale", pa.float64()),
        ("nodata", pa.int32()),
        ("checksum", pa.string()),
    ]
)
"""Columns of the table; `id` is also the key in the shard."""

NULLABLE = ("crs", "time", "nodata")
"""Columns that may be null: unknown, or none."""


@dataclass(frozen=True)
class Row:
    """One tile as the table knows it; see SCHEMA."""

    id: str
    sensor: str
    bands: tuple[str, ...]
    place: str
    group: str
    lock: str
    split: str
    height: int
    width: int
    crs: str | None
    affine: tuple[float, ...]
    time: str | None
    source: str
    licence: str
    shard: str
    dtype: str
    scale: float
    nodata: int | None
    checksum: str

    @property
    def window(self) -> Window:
        """The place of the whole tile."""
        return Window.of((self.height, self.width), self.affine, self.crs)


@dataclass(frozen=True)
class Tiles:
    """The tiles of a folder as a Source: `Tiles(folder, split="train")`.

    A place that is larger than what a draw reads counts as several, one per block of about `most_px` x `most_px`: so a
    large scene is drawn as often as its content deserves, and two draws of one place show the same ground, to within
    a quarter of a block. The key of a block is the name of its place, @, and its row and column.

    Args:
        folder: what `write_tiles` wrote.
        split: "train", "held-out", or None for both.
        most_px: largest side of what a draw reads; None reads whole tiles.
        least_px: tiles with a shorter side are left out.
        sensors: only these; none given means all.
        sources: only tiles of these source sets; none given means all.

    Raises:
        BadInput: a split that is none, or no pixel to read.
    """

    folder: Path
    split: str | None = "train"
    most_px: int | None = 256
    least_px: int = 16
    sensors: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        if self.split not in (None, *SPLITS):
            raise BadInput(f"split={self.split!r} was asked for; give 'train', 'held-out', or None for both")
        if self.most_px is not None and not (isinstance(self.most_px, Integral) and self.most_px >= 1):
            raise BadInput(
                f"most_px={self.most_px} was asked for; give whole pixels, 1 or more, or None for whole tiles"
            )

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The tiles chosen, in the order of the table.

        Raises:
            SceneNotFound, SceneUnreadable: the folder holds no tiles, or a table that is none.
            BadInput: nothing is left of them.
        """
        everything = read_rows(self.folder)
        rows = tuple(filter(self._chosen, everything))
        if not rows:
            remedy = "ask for less" if any(self.split in (None, r.split) for r in everything) else "write some of it"
            raise BadInput(
                f"of {len(everything)} tiles in {self.folder} none has split={self.split}, "
                f"sensors={self.sensors or 'any'}, sources={self.sources or 'any'}; {remedy}"
            )
        return rows

    def __len__(self) -> int:
        return len(self._spots)

    def key(self, place: int) -> str:
        """The name of a place, or of one block of it."""
        return self._spot(place).key

    def checksum(self) -> str:
        """One word for the tiles chosen and how they are drawn."""
        told = [self.most_px, self.least_px, *(f"{r.id} {r.checksum}" for r in self.rows)]
        return hashlib.sha256("\n".join(map(str, told)).encode()).hexdigest()[:16]

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """One sample of each sensor of a place: of one lock where it can be, each at a random date.

        The lock is one of those with the most sensors. Larger tiles than `most_px` are cut at the same share of their
        height and width, so that tiles of one lock are cut alike.
        """
        spot = self._spot(place)
        rows = self._by_place[spot.name]
        lock = _a_lock(rows, rng)
        down, right = rng.random(2)
        drawn = {}
        for sensor in sorted({r.sensor for r in rows}):
            own = [r for r in rows if r.sensor == sensor]
            choice = [r for r in own if r.lock == lock] or own
            row = choice[int(rng.integers(len(choice)))]
            cut_rows = self._cut(row.height, spot.row, spot.blocks[0], down)
            cut_cols = self._cut(row.width, spot.col, spot.blocks[1], right)
            drawn[sensor] = self.read(row, rows=cut_rows, cols=cut_cols)
        return drawn

    def read(self, row: Row, *, rows: slice | None = None, cols: slice | None = None) -> Sample:
        """A tile, or the crop of it that lies under these rows and columns; nothing else is read.

        Raises:
            SceneUnreadable: its shard is damaged or not there, or holds what is infinite or as good as that.
        """
        rows, cols = rows or slice(0, row.height), cols or slice(0, row.width)
        stored = self._stored(row, rows, cols)
        window = row.window.crop(rows=rows, cols=cols)
        time = None if row.time is None else utc(row.time)
        values = _decode(stored, row)
        if stored.dtype.kind == "f" and (np.abs(values) >= BEYOND).any():
            raise SceneUnreadable(
                f"{row.sensor} of {row.place} ({row.id} in {self.folder / row.shard}) holds values that are infinite "
                f"or beyond {BEYOND:g}; write the tiles again, with NaN where a value is unknown"
            )
        return Sample(values, _sensor(row.sensor, row.bands), window, time)

    def verify(self) -> Iterator[Row]:
        """Every tile in turn, after its checksum was found right.

        Raises:
            SceneUnreadable: a tile's numbers are not those that were written.
        """
        for row in self.rows:
            stored = self._stored(row, slice(0, row.height), slice(0, row.width))
            if checksum_of(stored) != row.checksum:
                raise SceneUnreadable(f"{row.id} in {self.folder / row.shard} has changed; write the tiles again")
            yield row

    def _stored(self, row: Row, rows: slice, cols: slice) -> Shaped[np.ndarray, "c h w"]:
        path = self.folder / row.shard
        try:
            stored: np.ndarray = _shard(path, os.getpid(), path.stat().st_mtime_ns).get_slice(row.id)[:, rows, cols]  # type: ignore[no-untyped-call]
        except (OSError, SafetensorError) as cause:
            raise SceneUnreadable(f"{row.id} cannot be read from {path} ({cause}); write the tiles again") from cause
        return stored

    def _chosen(self, row: Row) -> bool:
        return (
            self.split in (None, row.split)
            and min(row.height, row.width) >= self.least_px
            and (not self.sensors or row.sensor in self.sensors)
            and (not self.sources or row.source in self.sources)
        )

    def _cut(self, size: int, block: int, blocks: int, share: float) -> slice:
        """Where a block of a side lies: blocks are spread evenly, and each moves by up to a quarter of itself."""
        side = size if self.most_px is None else min(size, self.most_px)
        spare = size - side
        middle, reach = (spare / 2, spare / 2) if blocks == 1 else (spare * block / (blocks - 1), side / 4)
        start = min(max(round(middle + (2 * share - 1) * reach), 0), spare)
        return slice(start, start + side)

    def _spot(self, place: int) -> "_Spot":
        if not 0 <= place < len(self._spots):
            raise OutOfRange(f"place {place} was asked for; {self.folder} has 0 to {len(self._spots) - 1}")
        return self._spots[place]

    @cached_property
    def _by_place(self) -> Mapping[str, Sequence[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.place, []).append(row)
        return found

    @cached_property
    def _spots(self) -> tuple["_Spot", ...]:
        return tuple(spot for name, rows in self._by_place.items() for spot in self._blocks(name, rows))

    def _blocks(self, name: str, rows: Sequence[Row]) -> Iterator["_Spot"]:
        h, w = max(r.height for r in rows), max(r.width for r in rows)
        down, right = (1, 1) if self.most_px is None else (max(1, round(n / self.most_px)) for n in (h, w))
        for row in range(down):
            for col in range(right):
                yield _Spot(name, row, col, (down, right))


@dataclass(frozen=True)
class _Spot:
    """One block of a place; most places have one."""

    name: str
    row: int
    col: int
    blocks: tuple[int, int]

    @property
    def key(self) -> str:
        return self.name if self.blocks == (1, 1) else f"{self.name}@{self.row}-{self.col}"


def packaged(split: str | None = "train") -> Tiles:
    """The small sample that ships with the package: four sensors, places to train on and places held out."""
    with as_file(files("armillary") / "data" / "tiles") as folder:
        return Tiles(folder, split)


def read_rows(folder: Path) -> tuple[Row, ...]:
    """Every row of a folder's table.

    Raises:
        SceneNotFound: the folder has no table.
        SceneUnreadable: the table is damaged, or is another.
        BadInput: a tile of it lacks a fact, or its affine is none.
    """
    path = folder / TABLE
    if not path.is_file():
        raise SceneNotFound(f"{folder} was asked for as a folder of tiles and has no {TABLE}; check the path")
    try:
        columns = pq.read_table(path).select(SCHEMA.names).to_pylist()
    except (OSError, KeyError, pa.ArrowException) as cause:
        raise SceneUnreadable(f"{path} is no table of tiles ({cause}); write the tiles again") from cause
    return tuple(_row_of(c, path) for c in columns)


def checksum_of(stored: Shaped[np.ndarray, "c h w"]) -> str:
    """The first 16 digits of the SHA-256 of the stored numbers."""
    return hashlib.sha256(np.ascontiguousarray(stored).tobytes()).hexdigest()[:16]


def _row_of(facts: Mapping[str, Any], path: Path) -> Row:
    odd = [f"no {field}" for field, fact in facts.items() if fact is None and field not in NULLABLE]
    if not odd and not _is_affine(facts["affine"]):
        odd = [f"affine={facts['affine']}"]
    if odd:
        raise BadInput(f"the tile {facts['id']} has {' and '.join(odd)} in {path}; write the tiles again")
    return Row(**{**facts, "bands": tuple(facts["bands"]), "affine": tuple(facts["affine"])})


def _is_affine(six: Sequence[float | None]) -> bool:
    """Six finite numbers that do not flatten the plane."""
    known = [v for v in six if v is not None and isfinite(v)]
    return len(six) == len(known) == 6 and known[0] * known[4] != known[1] * known[3]


def _a_lock(rows: Sequence[Row], rng: np.random.Generator) -> str:
    sensors: dict[str, set[str]] = {}
    for r in rows:
        sensors.setdefault(r.lock, set()).add(r.sensor)
    most = max(map(len, sensors.values()))
    best = sorted(lock for lock, found in sensors.items() if len(found) == most)
    return best[int(rng.integers(len(best)))]


def _decode(stored: Shaped[np.ndarray, "c h w"], row: Row) -> Float[np.ndarray, "c h w"]:
    values = stored.astype(np.float32) * np.float32(row.scale)
    if row.nodata is not None:
        values[stored == row.nodata] = np.nan
    return values


@lru_cache(maxsize=64)
def _shard(path: Path, process: int, changed: int) -> safe_open:  # noqa: ARG001 (what the cache is keyed by)
    """A shard, mapped into memory once per process and version: its header takes longer to read than a crop."""
    return safe_open(path, framework="numpy")


@lru_cache(maxsize=256)
def _sensor(name: str, bands: tuple[str, ...]) -> Sensor:
    return find_sensor(name).select(bands)
