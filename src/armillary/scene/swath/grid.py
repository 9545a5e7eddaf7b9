"""Swath: pixels in the order in which a satellite saw them, each with its own longitude and latitude.

They are laid on a regular grid whose CRS follows three rules. A place with |latitude| above POLAR_DEG gets a polar
stereographic grid. A place narrow enough for one UTM zone gets that zone. Anything wider gets longitude and latitude,
with a longitude step that makes the middle pixel square. Longitudes are unwrapped first, so that the antimeridian is
no edge: such a grid may run past 180 degrees.
"""

import math

import numpy as np
from jaxtyping import Float
from odc.geo.crs import CRS
from pyproj import Geod, Transformer

from armillary.earth.window import Window
from armillary.errors import BadInput, EmptyScene, OutOfRange

POLAR_DEG = 75.0
"""Beyond this latitude of the middle, meridians run together too fast for a grid of degrees."""

UTM_REACH_DEG = 6.0
"""Farthest longitude from a zone's meridian at which UTM lengths are within 0.6 % (k = 1.0051 at the equator)."""

DEGREE_M = 111_320.0
"""Length of one degree of latitude (mean, WGS84), metres; fixes default grid steps only."""

MOST_PX = 500_000
"""Most rows or columns of a grid: the Earth around in pixels of 80 m."""

COARSEST_M = 100_000.0
"""A pixel of this size is taken however small the swath is; one of a larger size must not dwarf the swath."""

_EARTH = Geod(ellps="WGS84")

Degrees = Float[np.ndarray, "h w"]


def unwrap(lon: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Longitudes made continuous: all within 180 degrees of their circular mean, which lies in [-180, 180)."""
    angle = np.radians(lon)
    mean = math.degrees(math.atan2(np.nanmean(np.sin(angle)), np.nanmean(np.cos(angle))))
    mean = -180.0 if mean >= 180.0 else mean
    return np.asarray(mean + (lon - mean + 180.0) % 360.0 - 180.0)


def fitting_crs(lon: Float[np.ndarray, "*shape"], lat: Float[np.ndarray, "*shape"]) -> str:
    """The CRS that the rules above choose for these points (unwrapped longitudes), as EPSG text."""
    west, east = float(np.nanmin(lon)), float(np.nanmax(lon))
    south, north = float(np.nanmin(lat)), float(np.nanmax(lat))
    middle = (south + north) / 2
    if abs(middle) > POLAR_DEG or north > 84.0 or south < -80.0:
        return "EPSG:4326" if east - west > 300.0 and north - south > 90.0 else _polar(middle)
    zone = utm(((west + east) / 2 + 180.0) % 360.0 - 180.0, middle)
    meridian = 6.0 * (int(zone[-2:]) - 1) - 177.0
    center = meridian + 360.0 * round(((west + east) / 2 - meridian) / 360.0)
    return zone if max(east - center, center - west) <= UTM_REACH_DEG else "EPSG:4326"


def utm(lon: float, lat: float) -> str:
    """The UTM zone of a point, as EPSG text; polar stereographic outside UTM's 80 S to 84 N."""
    if lat > 84.0 or lat < -80.0:
        return _polar(lat)
    zone = int((lon + 180.0) // 6.0) % 60 + 1
    return f"EPSG:{32600 + zone if lat >= 0 else 32700 + zone}"


def known_crs(name: str) -> CRS:
    """A CRS by any name the caller may use."""
    try:
        return CRS(name)
    except Exception as cause:  # pyproj and odc-geo raise several unrelated kinds
        raise BadInput(f"{name!r} names no CRS; write for example EPSG:32632") from cause


def project(
    lon: Float[np.ndarray, "*shape"], lat: Float[np.ndarray, "*shape"], crs: CRS
) -> tuple[Float[np.ndarray, "*shape"], Float[np.ndarray, "*shape"]]:
    """Unwrapped degrees to (x, y) of a CRS; the x of a geographic CRS stays unwrapped."""
    x, y = Transformer.from_crs("EPSG:4326", crs.proj, always_xy=True).transform(lon, lat)
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if crs.geographic:
        x = x + 360.0 * np.round((lon - x) / 360.0)
    return np.where(np.isfinite(x), x, np.nan), np.where(np.isfinite(y), y, np.nan)


def grid_over(lon: Degrees, lat: Degrees, crs: CRS, step: tuple[float, float], *, margin: float = 0.5) -> Window:
    """A north-up grid of (x step, y step) that covers every point, snapped to whole steps.

    `margin` in steps is added around the outermost points, because a point stands for an area.
    """
    dx, dy = step
    if not (dx > 0 and dy > 0):
        raise OutOfRange(f"a grid step must be > 0, got {dx} x {dy}; give resolution= in units of {crs}")
    x, y = project(lon, lat, crs)
    if not np.isfinite(x).any():
        raise EmptyScene(f"not one pixel of the swath has a place in {crs}; give another crs=")
    x0, x1 = (math.floor(np.nanmin(x) / dx - margin + 1e-6), math.ceil(np.nanmax(x) / dx + margin - 1e-6))
    y0, y1 = (math.floor(np.nanmin(y) / dy - margin + 1e-6), math.ceil(np.nanmax(y) / dy + margin - 1e-6))
    rows, cols = max(y1 - y0, 1), max(x1 - x0, 1)
    widest = max(float(np.nanmax(x) - np.nanmin(x)), float(np.nanmax(y) - np.nanmin(y)))
    if max(rows, cols) > MOST_PX or max(dx, dy) > max(10 * widest, COARSEST_M):
        raise OutOfRange(
            f"resolution={dx:g} would lay the swath, {widest:g} wide in units of {crs}, on {rows} x {cols} pixels; "
            "give one that suits it"
        )
    return Window.of((rows, cols), (dx, 0.0, x0 * dx, 0.0, -dy, y1 * dy), crs)


def step_of(crs: CRS, size_m: float, lat: float, resolution: float | None) -> tuple[float, float]:
    """The (x, y) step of a grid: what was asked for, else `size_m` on the ground at this latitude."""
    if resolution is not None:
        return resolution, resolution
    if not crs.geographic:
        return size_m, size_m
    dy = float(f"{size_m / DEGREE_M:.2g}")
    return float(f"{dy / max(math.cos(math.radians(lat)), 0.05):.3g}"), dy


def spacing_m(lon: Degrees, lat: Degrees) -> float:
    """Median distance in metres between neighbours in the swath, the larger of along and across track; nan for one."""
    sizes = []
    for axis in (0, 1):
        if lon.shape[axis] < 2:
            continue
        every = max(1, lon.shape[axis] // 200), max(1, lon.shape[1 - axis] // 200)
        a, b = np.moveaxis(lon, axis, 0), np.moveaxis(lat, axis, 0)
        one, two = (s[:: every[0], :: every[1]] for s in (a[:-1], a[1:]))
        uno, due = (s[:: every[0], :: every[1]] for s in (b[:-1], b[1:]))
        known = np.isfinite(one) & np.isfinite(two) & np.isfinite(uno) & np.isfinite(due)
        if known.any():
            sizes.append(float(np.median(_EARTH.inv(one[known], uno[known], two[known], due[known])[2])))
    return max(sizes, default=float("nan"))


def _polar(lat: float) -> str:
    return "EPSG:3995" if lat > 0 else "EPSG:3031"
