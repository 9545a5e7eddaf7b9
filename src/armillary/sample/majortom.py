"""MajorTom: the cells of Major TOM as a `Source` of co-located samples.

A place is one cell; each sensor that a set gives there is one sample, on its own grid or on one grid for all. Which
products belong together is decided once (`scene.majortom.select`); pixels are read when they are drawn, and only the
columns and rows that they lie in, from disk or by HTTP range requests.

Cells are split by the hash of their id, so that a split is the same on every machine and in every year.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Shaped, UInt8

from armillary.earth import majortom
from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange, SceneNotFound
from armillary.sample.sample import Sample
from armillary.scene.majortom import thumbnail
from armillary.scene.majortom.embedded import open_raster, picture, scene_of, values
from armillary.scene.majortom.parts import columns_of, open_set, read_columns
from armillary.scene.majortom.records import Record
from armillary.scene.majortom.select import Places, Selection, match
from armillary.scene.majortom.sets import SETS, THUMBNAIL, column_of, find_set
from armillary.scene.onto import onto
from armillary.scene.scene import Scene

HELD_OUT = 0.05
"""Share of the cells that are held out: that of COP-GEN-Beta."""

ALIGN_PX = 6
"""Crops begin at whole multiples of this: pixels of 10, 20, 30 and 60 m have a corner there."""


def open_majortom(folder: str | os.PathLike[str], sets: Sequence[str] | None = None, **how: object) -> "MajorTom":
    """The sets that lie in a folder, `<folder>/Core-S2L2A` and so on.

    Args:
        folder: their folder.
        sets: which of them, in any spelling; None means all that are there.
        how: the other arguments of `MajorTom`.

    Raises:
        SceneNotFound: no set is there.
    """
    root = Path(folder)
    names = {find_set(name).name for name in sets} if sets is not None else set(SETS)
    found = tuple(str(path) for name in SETS if name in names and (path := _folder_of(root, name)) is not None)
    if not found or (sets is not None and len(found) < len(names)):
        raise SceneNotFound(f"{root} was asked for {', '.join(sorted(names))} and holds {len(found)}; check the path")
    return MajorTom(found, **how)  # type: ignore[arg-type]


@dataclass(frozen=True)
class MajorTom:
    """Cells of some sets: `MajorTom(("data/Core-S2L2A", "data/Core-S1RTC"), split="train")`.

    Args:
        sets: folders, `metadata.parquet` files, parts, or their URLs; one for each set.
        selection: which products are taken, and how they are matched.
        split: "train", "held-out", or None for both.
        share: of the cells that is held out.
        split_km: cells of one larger cell of this size stay on one side; 10 splits each cell by itself. Neighbouring
            products overlap by 680 m, so 100 is stricter.
        side_px: side of a crop in pixels of the finest sensor (10 m but for heights alone); None: whole products.
        gsd_m: one grid of this pixel size for all samples; None keeps the grid of each sensor.
        bands: sensor -> its bands that are read; all of a sensor that is not named.

    Raises:
        BadInput: a split or a size that is none.
    """

    sets: tuple[str, ...]
    selection: Selection = field(default_factory=Selection)
    split: str | None = None
    share: float | int = HELD_OUT
    split_km: int = 10
    side_px: int | None = None
    gsd_m: float | int | None = None
    bands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.split not in ("train", "held-out", None) or not 0 <= self.share <= 1:
            raise BadInput(
                f"split={self.split!r} with share={self.share} was asked for; give 'train', 'held-out' or None, and a "
                "share from 0 to 1"
            )
        if (self.side_px is not None and self.side_px < 1) or (self.gsd_m is not None and not self.gsd_m > 0):
            raise BadInput(f"side_px={self.side_px}, gsd_m={self.gsd_m} were asked for; give numbers above 0, or None")

    def __len__(self) -> int:
        return len(self._at)

    def key(self, place: int) -> str:
        """Id of the cell."""
        return self.places.cells[self._row(place)]

    def checksum(self) -> str:
        """A digest of cells and products, and of how they are read; no pixel is."""
        told = [repr((self.side_px, self.gsd_m, sorted(self.bands.items())))]
        told += [repr(self.records(place)) for place in range(len(self))]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]

    @cached_property
    def places(self) -> Places:
        """Cells of both sides of the split, and their products."""
        return match([open_set(s) for s in self.sets], self.selection)

    def records(self, place: int) -> Mapping[str, Record]:
        """Set -> the product that is read there."""
        row = self.places.rows[self._row(place)]
        return {r.set.name: r[int(i)] for r, i in zip(self.places.sets, row, strict=True) if i >= 0}

    def scenes(self, place: int) -> Mapping[str, Scene]:
        """Sensor -> its whole product, in order of the sets' table; pixels are read when they are asked for."""
        records = self.records(place)
        return {SETS[name].sensor: self._scene(records[name]) for name in SETS if name in records}

    def draw(self, place: int, rng: np.random.Generator) -> Mapping[str, Sample]:
        """One sample of each sensor there: of the same ground, a random crop of it where a side is given.

        Raises:
            OutOfRange: no such place, or a crop larger than the products.
            SceneUnreadable: what is there cannot be read; the message names file and product.
        """
        scenes = self.scenes(place)
        first = next(iter(scenes.values()))
        window = self._crop(first, rng)
        return {name: self._sample(scene, window) for name, scene in scenes.items()}

    def stored(self, place: int, set: str, column: str) -> tuple[Shaped[np.ndarray, "h w"], Window | None]:
        """Stored numbers of any column of a set there, such as `cloud_mask`, and their place."""
        record, home = self._product(place, set)
        raster = open_raster(read_columns(record, (column,), home=home)[column], f"{column} of {record.product}")
        return raster.stored, raster.window

    def thumbnail(self, place: int, set: str) -> UInt8[np.ndarray, "h w 3"]:
        """The picture of a set there: the published one, else one made from the bands by its formula."""
        record, home = self._product(place, set)
        names = columns_of(record, home=home)
        if column_of(THUMBNAIL, names) is not None:
            return picture(read_columns(record, (THUMBNAIL,), home=home)[THUMBNAIL], f"thumbnail of {record.product}")
        match record.set:
            case "Core-S2L2A" | "Core-S2L1C":
                return thumbnail.optical(np.stack([self.stored(place, set, b)[0] for b in ("B04", "B03", "B02")]))
            case "Core-S1RTC":
                return thumbnail.radar(
                    np.stack([self.stored(place, set, b)[0] for b in ("vv", "vh")]).astype(np.float32)
                )
            case "Core-DEM":
                return thumbnail.relief(self.stored(place, set, "DEM")[0])
        raise BadInput(f"a thumbnail of {record.set} was asked for; its rows hold none, and no formula makes one")

    def patches(self, place: int) -> Mapping[str, UInt8[np.ndarray, "16 256 256 3"]]:
        """Set -> the 16 pictures of it on which COP-GEN-Beta works; see `scene.majortom.thumbnail`."""
        cut = {}
        for name in (n for n in SETS if n in self.records(place)):
            whole = self.thumbnail(place, name)
            cut[name] = thumbnail.patches(thumbnail.enlarged(whole) if name == "Core-DEM" else whole)
        return cut

    @cached_property
    def _at(self) -> tuple[int, ...]:
        """Rows of the places that are on this side of the split."""
        cells = self.places.cells
        if self.split is None:
            return tuple(range(len(cells)))
        wanted = self.split == "held-out"
        return tuple(i for i, c in enumerate(cells) if is_held_out(c, self.share, self.split_km) == wanted)

    def _row(self, place: int) -> int:
        if not 0 <= place < len(self._at):
            raise OutOfRange(f"place {place} was asked for; these sets hold places 0 to {len(self._at) - 1}")
        return self._at[place]

    def _product(self, place: int, set: str) -> tuple[Record, str]:
        record = self.records(place).get(find_set(set).name)
        if record is None:
            raise BadInput(f"{set} was asked for of {self.key(place)}, which has {', '.join(self.records(place))}")
        return record, self._home(record)

    def _home(self, record: Record) -> str:
        return next(r.home for r in self.places.sets if r.set.name == record.set)

    def _scene(self, record: Record) -> Scene:
        found = SETS[record.set]
        names = self.bands.get(found.sensor, tuple(found.columns))
        home = self._home(record)
        if found.sensor not in self.bands:  # a part without some band gives those it has
            there = columns_of(record, home=home)
            names = tuple(b for b in names if column_of(found.columns[b], there) is not None) or names
        columns = {b: found.columns[b] for b in found.fleet.select(names).band_names}
        contents = read_columns(record, tuple(columns.values()), home=home)
        return scene_of(record, {b: contents[c] for b, c in columns.items()}, names)

    def _crop(self, scene: Scene, rng: np.random.Generator) -> Window:
        """The ground of a draw, in pixels of the first sensor."""
        if self.side_px is None:
            return scene.window
        side, step = self.side_px, ALIGN_PX
        h, w = scene.window.shape
        if side > min(h, w):
            raise OutOfRange(f"a crop of {side} px was asked of {scene.href}, which has {h} x {w}; ask for less")
        row, col = (int(rng.integers((n - side) // step + 1)) * step for n in (h, w))
        return scene.window.crop(rows=slice(row, row + side), cols=slice(col, col + side))

    def _sample(self, scene: Scene, window: Window) -> Sample:
        if self.gsd_m is None:
            rows, cols = _under(scene.window, window)
            pixels = values(scene, rows, cols)
            return Sample(pixels, scene.sensor, scene.window.crop(rows=rows, cols=cols), scene.time)
        grid = _resized(window, self.gsd_m)
        pixels = _named_onto(scene, grid) if scene.sensor.unit == "code" else onto(scene, grid)
        return Sample(pixels, scene.sensor, grid, scene.time)


def is_held_out(cell: str, share: float | int = HELD_OUT, split_km: int = 10) -> bool:
    """Whether a cell is held out: the hash of its id, or of the larger cell about its middle, is under the share.

    Example:
        >>> [is_held_out(c, 0.5) for c in ("433U_1027R", "0U_199R", "466U_103R")]
        [False, False, True]
    """
    name = cell
    if split_km != 10:
        lon, lat = majortom.from_id(cell).center
        name = majortom.cell(lat, lon, dist_km=split_km).id
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64 < share


def _folder_of(root: Path, name: str) -> Path | None:
    for spelling in (name, name.removeprefix("Core-")):
        if (root / spelling).is_dir():
            return root / spelling
    return None


def _resized(window: Window, gsd_m: float | int) -> Window:
    """The same ground in pixels of another size, a ragged edge dropped."""
    factor = gsd_m / abs(window.affine.a)
    shape = (max(1, int(window.shape[0] / factor + 1e-6)), max(1, int(window.shape[1] / factor + 1e-6)))
    return Window.of(shape, window.affine @ window.affine.scale(factor), window.crs)


def _under(own: Window, ground: Window) -> tuple[slice, slice]:
    """Rows and columns of a grid that lie under a ground, moved inside where it reaches a little beyond.

    Raises:
        BadInput: they lie in different UTM zones.
    """
    if own.crs != ground.crs:
        raise BadInput(
            f"products of one cell lie in {own.crs} and in {ground.crs}, so their crops share no rows and columns; "
            "give gsd_m=10 to read all on one grid, or side_px=None"
        )
    a = ~own.affine @ ground.affine
    spans = []
    for start, scale, size, have in (
        (a.f, a.e, ground.shape[0], own.shape[0]),
        (a.c, a.a, ground.shape[1], own.shape[1]),
    ):
        length = min(max(1, round(size * scale)), have)
        first = min(max(round(start), 0), have - length)
        spans.append(slice(first, first + length))
    return spans[0], spans[1]


def _named_onto(scene: Scene, grid: Window) -> Shaped[np.ndarray, "c h w"]:
    """Classes on another grid: each pixel that of the one under its middle, NaN beyond the edge."""
    if scene.window.crs != grid.crs:
        raise BadInput(f"{scene.href} lies in {scene.window.crs}, its classes cannot be put on {grid.crs}")
    a = ~scene.window.affine @ grid.affine
    rows = np.floor((np.arange(grid.shape[0]) + 0.5) * a.e + a.f).astype(int)
    cols = np.floor((np.arange(grid.shape[1]) + 0.5) * a.a + a.c).astype(int)
    h, w = scene.window.shape
    whole = values(scene, slice(0, h), slice(0, w))
    inside = ((rows >= 0) & (rows < h))[:, None] & ((cols >= 0) & (cols < w))
    picked = whole[:, rows.clip(0, h - 1)[:, None], cols.clip(0, w - 1)]
    return np.where(inside, picked, np.float32(np.nan)).astype(np.float32)
