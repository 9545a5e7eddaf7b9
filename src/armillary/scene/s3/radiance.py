"""Radiance: what OLCI's stored counts, flags and angles mean. Bits are read by name, counts as unsigned."""

import math
from datetime import datetime
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from armillary.errors import SceneUnreadable
from armillary.scene.access.netcdf import NetCDF, Variable

MAX_SZA_DEG = 85.0
"""Above this solar zenith angle a reflectance is mostly air and noise."""

NO_COUNT = 65535
DEFAULT_BITS = {"invalid": 25, "duplicated": 23}
"""Bits of quality_flags (OLCI level 1) for files that lost the names of theirs."""

IRRADIANCE = (
    1532.0, 1729.0, 1913.0, 1960.0, 1943.0, 1819.0, 1669.0, 1549.0, 1513.0, 1487.0, 1420.0,
    1282.0, 1263.0, 1254.0, 1245.0, 1188.0, 971.0, 942.0, 907.0, 836.0, 708.0,
)  # fmt: skip
"""Median in-band solar irradiance of Oa01 to Oa21, mW m-2 nm-1, of Sentinel-3A on 13 March 2017."""

_IRRADIANCE_DAY = 72
_PERIHELION_DAY = 3
_ECCENTRICITY = 0.0167

Plane = Float[np.ndarray, "h w"]
Ties = Float[np.ndarray, "i j"]


def radiance(variable: Variable, at: Any) -> Plane:
    """Radiance of a crop, mW m-2 sr-1 nm-1; the fill is masked before it is scaled."""
    raw = variable.raw(at)
    if raw.dtype.kind == "f":
        return np.asarray(raw.astype(np.float64))
    counts = raw.view(np.uint16) if raw.dtype == np.int16 else raw
    values = counts * variable.number("scale_factor", 1.0) + variable.number("add_offset", 0.0)
    return np.where(counts == NO_COUNT, np.nan, values)


def flagged(variable: Variable, at: Any, name: str) -> Bool[np.ndarray, "h w"]:
    """Whether a quality flag is set; bit 31 (land) is the sign in files of signed integers and stays a bit."""
    raw = variable.raw(at)
    bits = raw.astype(np.int64) & 0xFFFFFFFF
    names = str(variable.attrs.get("flag_meanings", "")).split()
    masks = np.atleast_1d(np.asarray(variable.attrs.get("flag_masks", ()))).astype(np.int64) & 0xFFFFFFFF
    mask = int(masks[names.index(name)]) if name in names and len(masks) == len(names) else 1 << DEFAULT_BITS[name]
    return np.asarray((bits & mask) != 0)


def decoded(variable: Variable, at: Any = ...) -> Float[np.ndarray, "*shape"]:
    """Stored numbers scaled, with the fill as NaN: coordinates, angles, irradiances."""
    raw = variable.raw(at)
    values = raw.astype(np.float64) * variable.number("scale_factor", 1.0) + variable.number("add_offset", 0.0)
    fill = variable.attrs.get("_FillValue")
    return np.asarray(values if fill is None else np.where(raw == np.asarray(fill).astype(raw.dtype), np.nan, values))


def reflectance(radiance: Plane, irradiance: Plane | float, sza_deg: Plane) -> Plane:
    """Rho = pi L / (E0 cos SZA); NaN without light."""
    light = np.where(sza_deg <= MAX_SZA_DEG, np.cos(np.radians(sza_deg)), np.nan)
    return np.asarray(np.pi * radiance / (irradiance * light))


def radiance_of(reflectance: Plane, irradiance: Plane | float, sza_deg: Plane) -> Plane:
    """L = rho E0 cos SZA / pi, the inverse of `reflectance`."""
    light = np.where(sza_deg <= MAX_SZA_DEG, np.cos(np.radians(sza_deg)), np.nan)
    return np.asarray(reflectance * irradiance * light / np.pi)


def irradiance_on(time: datetime) -> tuple[float, ...]:
    """IRRADIANCE on another day of the year: scaled by the squared distance of the Sun."""
    ratio = _closeness(time.timetuple().tm_yday) / _closeness(_IRRADIANCE_DAY)
    return tuple(e * ratio for e in IRRADIANCE)


def from_ties(nc: NetCDF, name: str, rows: slice, cols: slice) -> Plane:
    """An angle known at tie points, linear between them, at the pixels of a crop (SEN3: tie_geometries.nc)."""
    variable = nc.variable(name)
    down = int(nc.attrs.get("al_subsampling_factor", 1))
    right = int(nc.attrs.get("ac_subsampling_factor", 0))
    if right < 1:
        raise SceneUnreadable(f"{nc.path} does not say how far apart its tie points lie; download it again, whole")
    h, w = variable.shape
    (i, s), (j, t) = (_between(sl, step, n) for sl, step, n in ((rows, down, h), (cols, right, w)))
    if i.max() >= h or j.max() >= w:
        raise SceneUnreadable(f"{nc.path} has {h} x {w} tie points, too few for its image; download it again, whole")
    ties = decoded(variable)
    across = ties[:, j] * (1 - t) + ties[:, np.minimum(j + 1, w - 1)] * t
    return np.asarray(across[i] * (1 - s[:, None]) + across[np.minimum(i + 1, h - 1)] * s[:, None])


def smooth(ties: tuple[Ties, Ties, Ties], to_lon: Plane, to_lat: Plane) -> Plane:
    """An angle known elsewhere, as (lon, lat, angle), carried over by a quadratic in longitude and latitude."""
    known = np.isfinite(np.stack(ties)).all(axis=0)
    lon, lat, angle = (t[known] for t in ties)
    middle = float(np.mean(lon)), float(np.mean(lat))
    fit = np.linalg.lstsq(_quadratic(lon, lat, middle), angle, rcond=None)[0]
    return np.asarray(_quadratic(to_lon, to_lat, middle) @ fit)


def _quadratic(lon: np.ndarray, lat: np.ndarray, middle: tuple[float, float]) -> np.ndarray:
    u, v = (lon - middle[0] + 180.0) % 360.0 - 180.0, lat - middle[1]
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=-1)


def _between(span: slice, step: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    position = np.arange(span.start, span.stop) / step
    low = position.astype(int)
    at_end = (low == count - 1) & (position == low)
    low = np.where(at_end & (low > 0), low - 1, low)
    return low, position - low


def _closeness(day: int) -> float:
    return (1 + _ECCENTRICITY * math.cos(2 * math.pi * (day - _PERIHELION_DAY) / 365.25)) ** 2
