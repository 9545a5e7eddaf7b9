"""Rasters of an archive: stored numbers with their place, and what they mean in a sensor's unit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal
from warnings import catch_warnings, simplefilter

import numpy as np
import rasterio
from affine import Affine
from jaxtyping import Float, Shaped
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader, MemoryFile

from armillary.bench.files import Files
from armillary.earth.lexicon import house_name
from armillary.earth.sensors import Sensor
from armillary.earth.window import Window
from armillary.errors import OutOfRange, PlaceUnknown, SceneUnreadable

Unit = Literal["count", "linear", "value"]
"""What a file stores: counts of the sensor, linear backscatter, or values in the sensor's unit."""

ABSURD = 1e10
"""Numbers of this size mean that nothing is known (Copernicus-Bench, air quality)."""

_HELD = re.compile(r"'?/vsimem/[^' ]+'? |[0-9a-f-]{36}\.\w+(, band \d+)?: ")
"""What GDAL calls a file in memory, of which a reader knows nothing."""


@dataclass(frozen=True, eq=False)
class Raster:
    """A file as it is stored.

    Args:
        name: of the file.
        numbers: (bands, rows, columns).
        window: its place; without CRS where the file tells none, or one that cannot be.
        nodata: the stored number that the file says is none.
        texts: description of each band, "" where there is none.
    """

    name: str
    numbers: Shaped[np.ndarray, "c h w"]
    window: Window
    nodata: float | None
    texts: tuple[str, ...]


def read_raster(files: Files, name: str) -> Raster:
    """A GeoTIFF of an archive.

    Raises:
        SceneNotFound: it is not there.
        SceneUnreadable: it is damaged.
    """
    content = files.read(name)
    try:
        with catch_warnings():
            simplefilter("ignore", NotGeoreferencedWarning)  # a file without a place has a window without CRS
            with MemoryFile(content or b"nothing") as held, held.open() as dataset:
                return _held(name, dataset)
    except (RasterioError, ValueError, OSError) as cause:
        reason = _HELD.sub("", str(cause.__cause__ or cause).split("\n")[0])[:160]
        raise SceneUnreadable(
            f"{name} in {files.where} cannot be read ({reason}); it is cut off or damaged: download it again"
        ) from cause


def _held(name: str, dataset: DatasetReader) -> Raster:
    numbers: np.ndarray = dataset.read()
    crs = None if dataset.crs is None else str(dataset.crs.to_wkt())
    window = _window(numbers.shape[1:], dataset.transform, crs)
    texts = tuple(text or "" for text in dataset.descriptions)
    return Raster(name, numbers, window, dataset.nodata, texts)


def read_bands(
    files: Files, names: Sequence[str], sensor: Sensor, unit: Unit
) -> tuple[Float[np.ndarray, "c h w"], Window]:
    """Values of a sensor, NaN where nothing was measured, from one file or from one file for each band.

    A file that names all its bands is read by their names, any other in the order of the sensor.

    Raises:
        SceneUnreadable: a file is damaged, or its bands are not the sensor's.
    """
    rasters = [read_raster(files, name) for name in names]
    shapes = {r.numbers.shape[1:] for r in rasters}
    count = sum(len(r.numbers) for r in rasters)
    if count != len(sensor.bands) or len(shapes) != 1:
        raise SceneUnreadable(
            f"{', '.join(names)} in {files.where} hold {count} bands of the sizes {sorted(shapes)}; {sensor.name} has "
            f"{len(sensor.bands)} here ({', '.join(sensor.band_names)}): download it again"
        )
    if len(rasters) == 1:
        rasters[0] = _in_order(rasters[0], sensor)
    raw = np.concatenate([measured(r) for r in rasters])
    return to_values(raw, sensor, unit), rasters[0].window


def to_values(raw: Float[np.ndarray, "c h w"], sensor: Sensor, unit: Unit) -> Float[np.ndarray, "c h w"]:
    """Stored numbers as values in the sensor's unit; what is none becomes NaN."""
    if unit == "linear":
        return (10 * np.log10(np.where((raw > 0) & (raw < ABSURD), raw, np.nan))).astype(np.float32)
    if unit == "value" or sensor.counts is None:
        return np.where(np.isfinite(raw) & (np.abs(raw) < ABSURD), raw, np.nan).astype(np.float32)
    scale = np.asarray(sensor.counts.scale)[:, None, None]
    none = raw == sensor.counts.nodata
    if sensor.counts.nodata == 0:  # one band may see nothing (B10 over land); all of them at once may not
        none = np.broadcast_to(none.all(axis=0), raw.shape)
    values: np.ndarray = np.where(none, np.nan, (raw + sensor.counts.shift) * scale).astype(np.float32)
    return values


def measured(raster: Raster) -> Float[np.ndarray, "c h w"]:
    """Double precision, NaN where the file itself says so. A declared 0 is left to `to_values`."""
    raw = raster.numbers.astype(np.float64)
    if raster.nodata:
        raw[raw == (np.float32(raster.nodata) if raster.numbers.dtype == np.float32 else raster.nodata)] = np.nan
    return raw


def _in_order(raster: Raster, sensor: Sensor) -> Raster:
    found = [house_name(text) if text else None for text in raster.texts]
    if sorted(filter(None, found)) != sorted(sensor.band_names):
        return raster
    at = [found.index(name) for name in sensor.band_names]
    return replace(raster, numbers=raster.numbers[at], texts=tuple(raster.texts[i] for i in at))


def placeless(shape: tuple[int, ...], gsd_m: float) -> Window:
    """A window of pixels whose place is not known."""
    return Window.of((shape[0], shape[1]), (gsd_m, 0.0, 0.0, 0.0, -gsd_m, 0.0), None)


def _window(shape: tuple[int, ...], transform: Affine, crs: str | None) -> Window:
    """The place that a file tells; an affine that only counts pixels tells none, whatever CRS stands beside it."""
    size = (shape[0], shape[1])
    unit = (abs(transform.a), abs(transform.e)) == (1.0, 1.0) and (transform.b, transform.d) == (0.0, 0.0)
    if crs is None or (unit and (transform.c, transform.f) == (0.0, 0.0)):
        return Window.of(size, tuple(transform)[:6], None)
    window = Window.of(size, tuple(transform)[:6], _crs(crs))
    try:
        _ = window.center
    except (OutOfRange, PlaceUnknown):
        return Window.of(size, tuple(transform)[:6], None)
    return window


@lru_cache(maxsize=512)
def _crs(wkt: str) -> object:
    """The EPSG code where there is one: equal places then have equal windows."""
    code = rasterio.crs.CRS.from_wkt(wkt).to_epsg()
    return wkt if code is None else int(code)
