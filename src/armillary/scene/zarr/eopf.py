"""EOPF: what the Zarr products of ESA's new processors say about themselves (formats 2 and 3).

`stac_discovery` of the root is like a STAC item, with oddities: `datetime` may be null or the text "null", `bbox` comes
in any order, `eo:cloud_cover` may be a percentage or a fraction. Array attributes `proj:*` place an array; where they
are absent, the item, the tile in the product's name and the coordinates do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from jaxtyping import Float

from armillary.earth.when import utc
from armillary.errors import SceneUnreadable
from armillary.scene.access.store import Array, Store
from armillary.scene.gridded.clues import read_name

_NOTHING = (None, "", "null", "None", "MISSING", "NULL")


@dataclass(frozen=True)
class Discovery:
    """The root's own description.

    Args:
        name: product name, from the item's id or the file's name.
        facts: properties of the item.
        other: `other_metadata` of the root.
    """

    name: str
    facts: Mapping[str, Any]
    other: Mapping[str, Any]

    @classmethod
    def of(cls, store: Store) -> "Discovery":
        """From the attributes of the root; each part may be absent."""
        item = _mapping(store.attrs.get("stac_discovery"))
        name = str(item.get("id") or store.path.name)
        bare = re.sub(r"\.(zip|zarr|SAFE|SEN3)$", "", re.sub(r"\.zip$", "", name), flags=re.IGNORECASE)
        return cls(bare, _mapping(item.get("properties")), _mapping(store.attrs.get("other_metadata")))

    def fact(self, *names: str) -> str | None:
        """The first property of these names that says something, as text."""
        return next((str(self.facts[n]) for n in names if self.facts.get(n) not in _NOTHING), None)

    @property
    def time(self) -> datetime | None:
        """`datetime`, else `start_datetime`, else the stamp in the name."""
        found = self.fact("datetime", "start_datetime")
        return utc(found) if found else read_name(self.name).time

    @property
    def baseline(self) -> float | None:
        """Processing baseline as a number."""
        found = self.fact("eopf:baseline", "processing:version", "s2:processing_baseline")
        if found and re.fullmatch(r"\d\d?\.\d\d", found):
            return float(found)
        return read_name(self.name).baseline

    @property
    def tile(self) -> str | None:
        """MGRS tile of a Sentinel-2 product, from its name."""
        m = re.search(r"_T(\d{2}[C-HJ-NP-X][A-HJ-NP-Z]{2})(?:_|$)", self.name)
        return m[1] if m else None


def crs_of(array: Array, store: Store, discovery: Discovery) -> tuple[str | None, str]:
    """What names the CRS of an array, and where that was found ("" where nowhere)."""
    for attrs in (array.attrs, _mapping(array.attrs.get("_eopf_attrs"))):
        if found := _crs_in(attrs):
            return found, "proj attributes"
    if found := _crs_in(store.groups.get(array.group, {})) or _crs_in(store.attrs):
        return found, "proj attributes of the group"
    if found := _of_grid_mapping(array, store):
        return found, "grid mapping"
    if found := _crs_in(discovery.facts):
        return found, "stac_discovery"
    if discovery.tile:
        zone, band = int(discovery.tile[:2]), discovery.tile[2]
        return f"EPSG:{(32600 if band >= 'N' else 32700) + zone}", f"tile {discovery.tile}"
    return None, ""


def affine_of(array: Array, store: Store, discovery: Discovery) -> tuple[float, ...]:
    """Row-major affine [a, b, c, d, e, f] of an array's last two axes.

    `proj:transform`, else the coordinates of its axes (pixel centres), else `proj:bbox` of the array or the item.

    Raises:
        SceneUnreadable: none of them is there, or the coordinates are not evenly spaced.
    """
    rows, cols = array.shape[-2:]
    found = array.attrs.get("proj:transform") or _mapping(array.attrs.get("_eopf_attrs")).get("proj:transform")
    if found is not None and len(found) in (6, 9):
        return tuple(float(v) for v in found[:6])
    y, x = store.beside(array, *_axis(array, 0)), store.beside(array, *_axis(array, 1))
    if y is not None and x is not None and y.shape == (rows,) and x.shape == (cols,):
        grid = _mapping(_grid_mapping(array, store)).get("GeoTransform")
        dx, west = _steps(x, 1)
        dy, north = _steps(y, -1)
        if min(rows, cols) == 1 and isinstance(grid, str):
            c, a, b, f, d, e = (float(v) for v in grid.split())
            return a, b, c, d, e, f
        return dx, 0.0, west, 0.0, dy, north
    box = array.attrs.get("proj:bbox") or discovery.facts.get("proj:bbox")
    if box is not None and len(box) == 4:
        (west, east), (south, north) = sorted(map(float, box[::2])), sorted(map(float, box[1::2]))
        return (east - west) / cols, 0.0, west, 0.0, (south - north) / rows, north
    raise SceneUnreadable(
        f"array {array.path} of {store.path} has no proj:transform, no coordinates and no proj:bbox; it has no place"
    )


def _axis(array: Array, which: int) -> tuple[str, ...]:
    usual = (("y", "lat", "latitude"), ("x", "lon", "longitude"))[which]
    return (array.dims[-2 + which], *usual) if len(array.dims) >= 2 else usual


def _steps(axis: Array, direction: int) -> tuple[float, float]:
    """(step, outer edge of the first pixel) of a coordinate of pixel centres, snapped where it was stored coarsely."""
    centers = axis.raw().astype(np.float64)
    if centers.size == 1:
        return _lonely(axis, float(centers[0]), direction)
    step = (centers[-1] - centers[0]) / (centers.size - 1)
    rounding = np.spacing(np.abs(centers).max().astype(axis.dtype if axis.dtype.kind == "f" else np.float64))
    if step == 0 or np.abs(np.diff(centers) - step).max() > 0.01 * abs(step) + 2 * rounding:
        raise SceneUnreadable(f"the coordinate {axis.path} is not evenly spaced; the array has no affine")
    return _snapped(step, centers, float(rounding))


def _snapped(step: float, centers: Float[np.ndarray, " n"], rounding: float) -> tuple[float, float]:
    """Metres that lie within rounding of whole metres (steps) or half metres (edges) are those."""
    edge = centers[0] - step / 2
    if abs(centers).max() <= 360 or abs(step) < 1:  # degrees
        return float(step), float(edge)
    whole = round(step)
    step = whole if abs(step - whole) * (len(centers) - 1) <= max(2 * rounding, 1e-6) * 2 else step
    edge = centers[0] - step / 2
    half = round(edge * 2) / 2
    return float(step), float(half if abs(edge - half) <= max(2 * rounding, 1e-6) else edge)


def _lonely(axis: Array, center: float, direction: int) -> tuple[float, float]:
    """A single pixel tells no size; its group's name (r10m) may."""
    m = re.search(r"(?:^|/)r(\d+)m(?:/|$)", axis.group)
    size = float(m[1]) if m else 1.0
    return direction * size, center - direction * size / 2


def _crs_in(attrs: Mapping[str, Any]) -> str | None:
    code = attrs.get("proj:code")
    if code not in _NOTHING:
        return str(code)
    epsg = attrs.get("proj:epsg")
    if epsg not in _NOTHING and epsg:
        return f"EPSG:{int(str(epsg).upper().removeprefix('EPSG:'))}"
    wkt = attrs.get("proj:wkt2")
    return None if wkt in _NOTHING else str(wkt)


def _grid_mapping(array: Array, store: Store) -> Mapping[str, Any] | None:
    name = array.attrs.get("grid_mapping")
    found = store.beside(array, *([str(name)] if name else []), "spatial_ref", "crs")
    return None if found is None else found.attrs


def _of_grid_mapping(array: Array, store: Store) -> str | None:
    attrs = _grid_mapping(array, store) or {}
    return next((str(attrs[k]) for k in ("crs_wkt", "spatial_ref", "epsg_code") if attrs.get(k)), None)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
