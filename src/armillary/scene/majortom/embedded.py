"""Embedded: GeoTIFF and picture bytes of one record as a Scene, on its own place and in physical units.

The place is that of the GeoTIFF. Where it has none, it is the footprint of the cell: 1068 px of 10 m from the corner of
the cell (10,680 m), or 1056 px about its middle (10,560 m, the newer sets), told apart by the number of pixels.
Coarser bands are repeated onto the finest grid, exactly, as for every Scene.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Shaped, UInt8
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import MemoryFile

from armillary.earth.majortom import from_id
from armillary.earth.window import Window
from armillary.errors import SceneUnreadable
from armillary.scene.gridded.clues import Clues, read_name
from armillary.scene.gridded.folder import finest_of
from armillary.scene.gridded.rules import rules_of
from armillary.scene.gridded.stack import Plane, Stack
from armillary.scene.majortom.records import Record
from armillary.scene.majortom.sets import find_set
from armillary.scene.request import Request
from armillary.scene.scene import Scene

LOOK_PX = 64
"""Rows and columns that are looked at."""

SNAPPED_PX = (1056, 528, 352, 176)
"""Sides of the newer footprint at 10, 20, 30 and 60 m."""


@dataclass(frozen=True, eq=False)
class Embedded:
    """One raster in memory.

    Args:
        name: for messages.
        content: the bytes of the file.
        shape: (rows, cols).
        dtype: of the stored numbers.
        nodata: the stored number that means nothing.
        window: its place, None when the file has none.
    """

    name: str
    content: bytes
    shape: tuple[int, int]
    dtype: str
    nodata: float | None
    window: Window | None

    @cached_property
    def stored(self) -> Shaped[np.ndarray, "h w"]:
        """The stored numbers, decoded once: they are looked at before they are read."""
        try:
            with MemoryFile(self.content) as memory, memory.open() as file:
                numbers: np.ndarray = file.read(1)
        except RasterioError as cause:
            raise _unreadable(self.name, cause) from cause
        return numbers

    def raw(self, rows: slice, cols: slice) -> Shaped[np.ndarray, "h w"]:
        """Stored numbers of a crop."""
        return self.stored[rows, cols]

    @property
    def look(self) -> Shaped[np.ndarray, " n"]:
        """Stored numbers of about 64 x 64 pixels spread evenly: enough to tell what the numbers are."""
        h, w = self.shape
        return self.stored[:: max(1, h // LOOK_PX), :: max(1, w // LOOK_PX)].ravel()


def open_raster(content: bytes, name: str) -> Embedded:
    """The header of an embedded raster.

    Raises:
        SceneUnreadable: the bytes are no whole raster.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with MemoryFile(content) as memory, memory.open() as file:
                placed = file.crs is not None and not file.transform.is_identity
                window = Window.of(file.shape, file.transform, _crs(file.crs)) if placed else None
                return Embedded(name, content, file.shape, file.dtypes[0], file.nodata, window)
    except RasterioError as cause:
        raise _unreadable(name, cause) from cause


def picture(content: bytes, name: str) -> UInt8[np.ndarray, "h w c"]:
    """An embedded PNG or JPEG, three channels; grey is repeated.

    Raises:
        SceneUnreadable: the bytes are no whole picture.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with MemoryFile(content) as memory, memory.open() as file:
                stored: np.ndarray = file.read()
    except RasterioError as cause:
        raise _unreadable(name, cause) from cause
    if stored.dtype != np.uint8 or stored.shape[0] not in (1, 3, 4):
        raise SceneUnreadable(
            f"{name} is {stored.dtype} of {stored.shape[0]} channels, no picture; read it as a raster"
        )
    channels = np.repeat(stored, 3, axis=0) if stored.shape[0] == 1 else stored[:3]
    return np.ascontiguousarray(np.moveaxis(channels, 0, -1))


def scene_of(record: Record, contents: Mapping[str, bytes], bands: Sequence[str]) -> Scene:
    """A record as a Scene.

    Args:
        record: which product.
        contents: house name of a band -> bytes of its GeoTIFF.
        bands: which of them, in this order.

    Raises:
        SceneUnreadable: bytes that are no raster, or rasters that do not share their ground.
    """
    sensor = find_set(record.set).fleet.select(bands)
    title = f"{record.set}/{record.cell}/{record.product}"
    rasters = [open_raster(contents[b], f"{b} of {title}") for b in bands]
    grids = [r.window or footprint_of(record, r.shape) for r in rasters]
    window = finest_of(grids)
    found = read_name(record.product)
    clues = Clues(baseline=found.baseline, unit="linear" if sensor.name == "s1-rtc" else None)
    decided = rules_of(
        title,
        sensor,
        [r.dtype for r in rasters],
        [r.nodata for r in rasters],
        Request(sensor=sensor),
        _in_doubt(clues, rasters, sensor.unit),
        lambda i: rasters[i].look,
    )
    planes = tuple(Plane(r.name, r.shape, r.raw, rule) for r, rule in zip(rasters, decided.rules, strict=True))
    return Scene(
        title,
        sensor,
        window,
        record.time or found.time,
        Stack(planes, window.shape),
        {"sensor": "read", "bands": "read", "crs": "read", "time": "read", "scaling": decided.scaling.source},
        dict(decided.scaling.facts),
    )


def footprint_of(record: Record, shape: tuple[int, int]) -> Window:
    """The published footprint of a record's cell, with so many pixels to a side."""
    cell = from_id(record.cell)
    whole = cell.snapped_footprint if shape[1] in SNAPPED_PX else cell.footprint
    h, w = shape
    side = whole.shape[0] * whole.affine.a
    box = whole.affine
    return Window.of(shape, (side / w, 0.0, box.c, 0.0, -side / h, box.f), whole.crs)


def values(scene: Scene, rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
    """Every band of a crop of a scene."""
    return scene.pixels.read(range(len(scene.sensor.bands)), rows, cols)


def _in_doubt(clues: Clues, rasters: Sequence[Embedded], unit: str) -> Clues:
    """Backscatter that is decibels already is known by its negative numbers, other than the mark of no data."""
    if unit != "dB":
        return clues
    held = rasters[0].look
    held = held[np.isfinite(held) & (held != rasters[0].nodata) & (held > -32000)]
    in_db = held.size > 0 and float((held < 0).mean()) > 0.05
    return Clues(unit="dB" if in_db else "linear")


def _crs(crs: object) -> object:
    code = crs.to_epsg() if hasattr(crs, "to_epsg") else None
    return f"EPSG:{code}" if code else str(crs)


def _unreadable(name: str, cause: BaseException) -> SceneUnreadable:
    reason = (str(cause).splitlines() or [""])[0][:120]
    return SceneUnreadable(f"{name} is no whole raster ({reason}); download its part again")
