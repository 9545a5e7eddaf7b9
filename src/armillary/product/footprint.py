"""Footprint: where a window lies on Earth, as GeoJSON wants it: degrees, split at the dateline (RFC 7946, 3.1.9)."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import shapely
from jaxtyping import Float
from pyproj import Transformer
from pyproj.exceptions import ProjError
from shapely import MultiPolygon, Polygon
from shapely.affinity import translate

from armillary.earth.window import Window
from armillary.errors import OutOfRange, PlaceUnknown

SIDE_POINTS = 12
"""Points along each side of an outline, for sides that bend in degrees."""
_WORLD = shapely.box(-180, -90, 180, 90)

Shape: TypeAlias = Polygon | MultiPolygon


def footprint(window: Window) -> Shape:
    """The outline in degrees: a Polygon, or a MultiPolygon of parts that touch at the dateline.

    Raises:
        PlaceUnknown: the window has no CRS.
        OutOfRange: a corner lies outside the domain of the CRS.
    """
    h, w = window.shape
    t = np.linspace(0, 1, SIDE_POINTS, endpoint=False)
    row = np.concatenate([0 * t, t * h, 0 * t + h, (1 - t) * h])
    col = np.concatenate([t * w, 0 * t + w, (1 - t) * w, 0 * t])
    return _split(degrees(window, row, col))


def bounds(shape: Shape) -> tuple[float, float, float, float]:
    """(west, south, east, north); west > east when the shape crosses the dateline (RFC 7946, 5.2)."""
    west, south, east, north = shape.bounds
    if isinstance(shape, MultiPolygon) and east - west > 359.999:
        parts = [p.bounds for p in shape.geoms]
        eastern = [b for b in parts if b[2] >= 180 and b[0] > -180]
        western = [b for b in parts if b[0] <= -180 and b[2] < 180]
        if eastern and western:
            return min(b[0] for b in eastern), south, max(b[2] for b in western), north
    return west, south, east, north


def cells(window: Window, rows: slice, cols: slice) -> list[Shape]:
    """The outline of each pixel of a crop, row by row; corners only, split at the dateline."""
    h, w = rows.stop - rows.start, cols.stop - cols.start
    row, col = np.meshgrid(np.arange(rows.start, rows.stop + 1), np.arange(cols.start, cols.stop + 1), indexing="ij")
    points = degrees(window, row.ravel().astype(float), col.ravel().astype(float)).reshape(h + 1, w + 1, 2)
    rings = np.stack([points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:], points[:-1, :-1]], axis=2)
    rings = rings.reshape(h * w, 5, 2)
    plain = np.ptp(rings[:, :, 0], axis=1) < 180
    return [shapely.Polygon(r) if ok else _split(r[:-1]) for r, ok in zip(rings, plain, strict=True)]


def degrees(window: Window, row: Float[np.ndarray, " n"], col: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
    """Longitudes in [-180, 180) and latitudes of points in pixel coordinates.

    Raises:
        PlaceUnknown: no CRS, or one without a place on Earth.
        OutOfRange: a point lies outside the domain of the CRS.
    """
    if window.crs is None:
        raise PlaceUnknown("a georeferenced product was asked of pixels without a CRS; give crs= (--crs) when opening")
    a = window.affine
    x, y = a.c + a.a * col + a.b * row, a.f + a.d * col + a.e * row
    try:
        lon, lat = Transformer.from_crs(window.crs.proj, "EPSG:4326", always_xy=True).transform(x, y)
    except ProjError as cause:
        raise PlaceUnknown(
            f"{window.crs.proj.name} has no place on Earth (a local or engineering system); give crs= when opening"
        ) from cause
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()):
        raise OutOfRange(f"a corner lies outside the domain of {window.crs}; check the affine and the CRS of the file")
    return np.stack([(np.asarray(lon) + 180) % 360 - 180, np.clip(lat, -90, 90)], axis=1)


def _split(ring: Float[np.ndarray, "n 2"]) -> Shape:
    """A ring of degrees as a shape: unrolled across the dateline, closed over a pole, then cut at +-180."""
    step = (np.diff(ring[:, 0], append=ring[:1, 0]) + 180) % 360 - 180
    lon = ring[0, 0] + np.concatenate([[0.0], np.cumsum(step)])
    points: Sequence[tuple[float, float]] = list(zip(lon, [*ring[:, 1], ring[0, 1]], strict=True))
    if abs(lon[-1] - lon[0]) > 180:  # the ring goes once around a pole
        pole = 90.0 if np.mean(ring[:, 1]) > 0 else -90.0
        points = [*points, (lon[-1], pole), (lon[0], pole)]
    whole = shapely.make_valid(Polygon(points))
    parts = [translate(whole, 360 * turn).intersection(_WORLD) for turn in (-2, -1, 0, 1, 2)]
    flat = [p for part in parts for p in getattr(part, "geoms", [part]) if isinstance(p, Polygon) and p.area > 0]
    joined = shapely.union_all(flat)
    return joined if isinstance(joined, Polygon) else MultiPolygon(joined)
