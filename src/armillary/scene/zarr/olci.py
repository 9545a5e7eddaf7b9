"""EOPF OLCI level 1: radiances in the order of the instrument, placed by a longitude and a latitude for each pixel.

Arrays of removed pixels carry the same names in a group of their own; they are told apart by their axes. The same
gridding as for SEN3 (see `nearest`): pixels flagged invalid are NaN, duplicated ones are never a source.
"""

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.errors import BadInput, EmptyScene, SceneUnreadable
from armillary.scene.access.store import Array, Store
from armillary.scene.agreement import agree
from armillary.scene.gridded.radiometry import Rule
from armillary.scene.request import Request
from armillary.scene.scene import Scene, Source
from armillary.scene.swath.grid import fitting_crs, grid_over, known_crs, spacing_m, step_of, unwrap
from armillary.scene.swath.nearest import Caps, Nearest
from armillary.scene.zarr.eopf import Discovery

RADIANCE = r"(?:.*/)?measurements/(?:.*/)?oa(\d\d)_radiance"
"""Path of one band's radiances."""

FILL = 65535.0
INVALID, DUPLICATED = 25, 23
"""Bits of `quality_flags`, where its attributes do not name them."""

REACH = 1.5
"""Farthest swath pixel that counts, in pixel spacings."""

SIZES_M = (300.0, 1200.0)
NEAR = 1.2
"""A frame whose median spacing is within this factor of a nominal size is of that size."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class StoredSwath:
    """Radiances of a frame in a Zarr store."""

    arrays: tuple[Array, ...]
    rules: tuple[Rule, ...]
    flags: Array | None
    invalid: int

    def values(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Radiances of a crop of the frame, NaN where absent or flagged invalid."""
        out = np.stack([self.rules[b].values(self.arrays[b].raw(rows, cols)) for b in bands])
        if self.flags is not None:
            out[:, _bit(self.flags.raw(rows, cols), self.invalid)] = np.nan
        return out


def open_store(store: Store, request: Request) -> Scene:
    """An OLCI frame as a lazy scene of radiances (mW m-2 sr-1 nm-1) on a map grid.

    Raises:
        SceneUnreadable: no radiance lies on rows and columns, or the frame has no longitudes and latitudes.
        BandMismatch: a band is asked that is not here.
    """
    if request.unit not in (None, "radiance", sensors["s3-olci"].unit):
        raise BadInput(f"unit={request.unit!r} was asked of {store.path}, which gives radiance; leave unit= away")
    discovery = Discovery.of(store)
    held = _radiances(store)
    found = sensors["s3-olci"].select([b for b in sensors["s3-olci"].band_names if b in held])
    sensor = agree(found, request, store.path)
    arrays = tuple(held[b] for b in sensor.band_names)
    rules, scaled = _rules(sensor, arrays)
    if not scaled:
        _LOG.warning("%s stores no scale factors: the usual ones of OLCI are taken", store.path)
    lon, lat = _places(store, arrays[0])
    flags = _flags(store, arrays[0])
    if flags is not None:
        lon[_bit(flags.raw(), _bit_of(flags, "duplicated", DUPLICATED))] = np.nan
    if not np.isfinite(lon).any():
        raise EmptyScene(f"{store.path} has not one pixel with a place; download it again")
    swath = StoredSwath(arrays, rules, flags, -1 if flags is None else _bit_of(flags, "invalid", INVALID))
    time = request.time or discovery.time
    pixels = _gridded(swath, lon, lat, sensor, request)
    crs: Source = "given" if request.crs else "read"
    return Scene(
        href=str(store.path),
        sensor=sensor,
        window=pixels.window,
        time=time,
        pixels=pixels,
        sources={
            "sensor": "read",
            "bands": "read" if request.bands is None else "given",
            "crs": crs,
            "time": "given" if request.time else "read" if time else "unknown",
            "scaling": "read" if scaled else "assumed",
        },
        facts={
            "product": discovery.name,
            "masked": "fill" if flags is None else "fill, invalid; duplicated pixels are no source",
            "gridding": f"nearest within {pixels.reach_m:.0f} m",
        },
    )


def _radiances(store: Store) -> dict[str, Array]:
    """Band -> its array on (rows, columns)."""
    found: dict[str, Array] = {}
    for array in store.find(RADIANCE):
        m = re.fullmatch(RADIANCE, array.path)
        if m and len(array.shape) == 2 and not any("removed" in d for d in array.dims):
            found.setdefault(f"Oa{m[1]}", array)
    if not found:
        raise SceneUnreadable(f"{store.path} has no radiance on rows and columns; download it again, whole")
    shapes = {a.shape for a in found.values()}
    if len(shapes) > 1:
        raise SceneUnreadable(f"radiances of {store.path} have several shapes: {shapes}; download it again")
    return found


def _rules(sensor: Sensor, arrays: Sequence[Array]) -> tuple[tuple[Rule, ...], bool]:
    """Stored scaling; the usual factors for counts that have none."""
    usual = sensor.counts.scale if sensor.counts else (1.0,) * len(arrays)
    rules = []
    for array, factor in zip(arrays, usual, strict=True):
        whole = array.dtype.kind != "f"
        rule = array.rule if array.scaling or not whole else Rule(array.nodata, scale=factor)
        nodata = tuple(sorted({*rule.nodata, *((FILL,) if whole else ())}))
        rules.append(Rule(nodata, shift=rule.shift, scale=rule.scale))
    return tuple(rules), all(a.scaling or a.dtype.kind == "f" for a in arrays)


def _places(store: Store, array: Array) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Degrees of each pixel: beside the radiances, else any pair of the same shape."""
    found = []
    for name in ("longitude", "latitude"):
        same = [a for a in store.arrays.values() if a.name == name and a.shape == array.shape]
        beside = store.beside(array, name)
        if beside is None and not same:
            raise SceneUnreadable(f"{store.path} has no {name} of shape {array.shape}; it cannot be placed")
        found.append((beside if beside is not None else same[0]).values().astype(np.float32))
    lon, lat = found
    absent = ~np.isfinite(lon) | ~np.isfinite(lat)
    return np.where(absent, np.nan, lon), np.where(absent, np.nan, lat)


def _flags(store: Store, array: Array) -> Array | None:
    same = (a for a in store.arrays.values() if a.name == "quality_flags" and a.shape == array.shape)
    return next(same, None)


def _bit_of(flags: Array, meaning: str, usual: int) -> int:
    """Number of a bit, from `flag_meanings` and `flag_masks`."""
    meanings = flags.attrs.get("flag_meanings") or ""
    names = meanings.split() if isinstance(meanings, str) else [str(m) for m in meanings]
    masks = np.atleast_1d(flags.attrs.get("flag_masks", []))
    if meaning in names and len(masks) == len(names):
        return int(math.log2(int(masks[names.index(meaning)]) & 0xFFFFFFFF))
    return usual


def _bit(flags: np.ndarray, bit: int) -> Bool[np.ndarray, "h w"]:
    """Whether a bit is set; signed storage of bit 31 does no harm."""
    return np.asarray(((flags.astype(np.int64) & 0xFFFFFFFF) >> bit) & 1, dtype=bool)


def _gridded(
    swath: StoredSwath, lon: Float[np.ndarray, "h w"], lat: Float[np.ndarray, "h w"], sensor: Sensor, request: Request
) -> Nearest:
    whole = unwrap(lon)
    spacing = spacing_m(lon, lat)
    spacing = spacing if np.isfinite(spacing) else sensor.gsd_m
    crs = known_crs(request.crs or fitting_crs(whole, lat))
    size = next((s for s in SIZES_M if s / NEAR <= spacing <= s * NEAR), float(f"{spacing:.2g}"))
    step = step_of(crs, size, float(np.nanmean(lat)), request.resolution)
    window = grid_over(whole, lat, crs, step)
    size_m = window.gsd_m
    samples = max(1, round(size_m / max(spacing, 1.0))) if np.isfinite(size_m) else 1
    return Nearest(swath, lon, lat, Caps.of(lon, lat, spacing), window, REACH * spacing, samples)
