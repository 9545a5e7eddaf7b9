"""Writing tiles: samples into a folder that `armillary.sample.tiles.Tiles` reads."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Shaped
from safetensors.numpy import save_file

from armillary.earth.when import iso
from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange, OutputRefused
from armillary.sample.sample import Sample
from armillary.sample.tiles import SCHEMA, SPLITS, TABLE, Row, checksum_of

SHARD_BYTES = 2**25
"""A shard is closed when it holds this much: small enough to be read anew at each draw, large enough to be few."""

NOTHING = np.iinfo(np.int16).min
"""Stored where nothing was measured."""

TINIEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
"""Least and largest step that float32 holds with all its digits: tiles are read as float32."""


@dataclass(frozen=True, eq=False)
class Tile:
    """A sample on its way to disk.

    Args:
        sample: the imagery, whole.
        place: name of the site.
        split: "train" or "held-out"; the same for all tiles of a group.
        source: name of the data set it comes from.
        licence: terms of that set.
        group: unit of splitting; none given means the place.
        lock: tiles of one place with the same lock lie on one pixel grid; none given means that place, CRS, affine
            and shape decide, and that a tile without a CRS is locked to no other.
        scale: values are stored as the nearest whole multiples of this; None stores them as float32, exactly.

    Raises:
        BadInput: a scale that has no multiples: not above 0, not finite, or 0 in float32.
    """

    sample: Sample
    place: str
    split: str
    source: str
    licence: str
    group: str = ""
    lock: str = ""
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not TINIEST <= self.scale <= LARGEST:
            raise BadInput(
                f"{self.place}: values were to be stored in steps of {self.scale}; give a scale above 0 (float32 holds "
                f"{TINIEST:.3g} to {LARGEST:.3g}), or None to store them exactly"
            )


def write_tiles(folder: str | os.PathLike[str], tiles: Iterable[Tile]) -> Path:
    """Write tiles as they come, completely or not at all; returns the folder.

    Raises:
        OutputRefused: the folder is there already, or cannot be written.
        BadInput: no tile, a split that is none, or a group on both sides of the split.
        OutOfRange: a value does not fit into 16 bits at its tile's scale.
    """
    folder = Path(folder)
    if folder.exists():
        raise OutputRefused(f"{folder} is there already; choose another folder, or remove it first")
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
        rows = list(_written(aside, tiles))
        _check(rows)
        pq.write_table(pa.Table.from_pylist([_record(r) for r in rows], schema=SCHEMA), aside / TABLE)
        aside.rename(folder)
    except OSError as cause:
        raise OutputRefused(f"tiles cannot be written to {folder} ({cause.strerror}); choose another folder") from cause
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


@dataclass(eq=False)
class _Shard:
    """What has not been written yet."""

    name: str
    tensors: dict[str, Shaped[np.ndarray, "c h w"]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return sum(t.nbytes for t in self.tensors.values())


def _written(folder: Path, tiles: Iterable[Tile]) -> Iterator[Row]:
    shard, shards = _Shard("tiles-000.safetensors"), 1
    count: dict[str, int] = {}
    for tile in tiles:
        stem = f"{tile.place}/{tile.sample.sensor.name}"
        count[stem] = count.get(stem, -1) + 1
        stored, scale, nodata = _encode(tile)
        row = _row(tile, f"{stem}/{count[stem]}", shard.name, stored, scale, nodata)
        shard.tensors[row.id] = stored
        yield row
        if shard.size >= SHARD_BYTES:
            _save(shard, folder)
            shard, shards = _Shard(f"tiles-{shards:03d}.safetensors"), shards + 1
    if shard.tensors:
        _save(shard, folder)


def _save(shard: _Shard, folder: Path) -> None:
    path = folder / shard.name
    save_file(shard.tensors, path)
    path.chmod(0o644)  # safetensors keeps its files to their owner, but tiles are shared


def _row(
    tile: Tile, name: str, shard: str, stored: Shaped[np.ndarray, "c h w"], scale: float, nodata: int | None
) -> Row:
    s = tile.sample
    return Row(
        id=name,
        sensor=s.sensor.name,
        bands=s.sensor.band_names,
        place=tile.place,
        group=tile.group or tile.place,
        lock=tile.lock or _lock_of(s.window, name),
        split=tile.split,
        height=s.window.shape[0],
        width=s.window.shape[1],
        crs=_crs_text(s.window),
        affine=tuple(map(float, tuple(s.window.affine)[:6])),
        time=None if s.time is None else iso(s.time),
        source=tile.source,
        licence=tile.licence,
        shard=shard,
        dtype=str(stored.dtype),
        scale=scale,
        nodata=nodata,
        checksum=checksum_of(stored),
    )


def _encode(tile: Tile) -> tuple[Shaped[np.ndarray, "c h w"], float, int | None]:
    """Stored numbers, their scale, and the one that means nothing: 8 bit where that suffices, else 16, else floats."""
    pixels = tile.sample.pixels
    absent = ~np.isfinite(pixels)
    if tile.scale is None:
        return np.where(absent, np.float32(np.nan), pixels).astype(np.float32), 1.0, None
    values = np.where(absent, np.float32(0), pixels)
    with np.errstate(over="ignore"):  # infinite counts do not fit either
        counts = np.rint(values / tile.scale)
    low, high = float(counts.min()), float(counts.max())
    if low <= NOTHING or high > np.iinfo(np.int16).max:
        raise OutOfRange(
            f"{tile.place}: {values.min():g} to {values.max():g} does not fit 16 bits in steps of {tile.scale:g}; "
            "choose a larger scale, or None"
        )
    if not absent.any() and low >= 0 and high <= np.iinfo(np.uint8).max:
        return counts.astype(np.uint8), tile.scale, None
    return np.where(absent, NOTHING, counts).astype(np.int16), tile.scale, int(NOTHING) if absent.any() else None


def _lock_of(window: Window, name: str) -> str:
    if window.crs is None:
        return name
    grid = (_crs_text(window), window.shape, tuple(round(v, 9) for v in tuple(window.affine)[:6]))
    return hashlib.sha256(repr(grid).encode()).hexdigest()[:12]


def _crs_text(window: Window) -> str | None:
    if window.crs is None:
        return None
    code = window.crs.epsg
    return str(window.crs.proj.to_wkt()) if code is None else f"EPSG:{code}"


def _check(rows: list[Row]) -> None:
    if not rows:
        raise BadInput("no tile was given to write; give at least one")
    odd = next((r for r in rows if r.split not in SPLITS), None)
    if odd is not None:
        raise BadInput(f"{odd.id} has split={odd.split!r}; give one of {', '.join(SPLITS)}")
    for unit in ("group", "place"):
        sides: dict[str, str] = {}
        for r in rows:
            if sides.setdefault(getattr(r, unit), r.split) != r.split:
                raise BadInput(f"{unit} {getattr(r, unit)} is on both sides of the split; decide by {unit}")


def _record(row: Row) -> dict[str, object]:
    return dict(zip(SCHEMA.names, astuple(row), strict=True))
