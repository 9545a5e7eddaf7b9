"""Crop: the part of a scene that a caller's window means, found without reading a pixel."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from pyproj import Transformer

from armillary.earth.window import Window
from armillary.errors import BadInput, PlaceUnknown
from armillary.scene.scene import Scene

Span = Window | tuple[float, float, float, float] | tuple[slice, slice]
"""A Window, a box (west, south, east, north) in degrees, or (rows, cols) as slices."""

_EDGE = 21
"""Points along each side of a box: its sides are curves in another CRS."""


def cropped(scene: Scene, span: Span) -> Scene:
    """The pixels of the scene that touch the window.

    Args:
        scene: any scene.
        span: a Window (of any CRS), a box (west, south, east, north) in degrees; west > east crosses the dateline, or
            (rows, cols) as slices, where negative indices count from the end as in numpy.

    Raises:
        BadInput: the window does not touch the scene.
        PlaceUnknown: a window on Earth was asked of a scene without a CRS.
    """
    h, w = scene.window.shape
    if isinstance(span, tuple) and len(span) == 2 and all(isinstance(s, slice) for s in span):
        rows, cols = (_counted(s, n) for s, n in zip(span, (h, w), strict=True) if isinstance(s, slice))
        if rows.step != 1 or cols.step != 1:
            raise BadInput(f"window={span} takes every n-th pixel; give resolution= for a coarser grid")
    else:
        rows, cols = _touched(scene, span)
    rows, cols = (slice(max(s.start, 0), min(s.stop, n)) for s, n in ((rows, h), (cols, w)))
    if rows.stop <= rows.start or cols.stop <= cols.start:
        raise BadInput(f"window={span} does not touch {scene.href}, which covers {_cover(scene)}")
    return scene.crop(rows=rows, cols=cols)


def bounds_lonlat(window: Window) -> tuple[float, float, float, float]:
    """(west, south, east, north) of the outline in degrees; west > east when it crosses the dateline.

    All longitudes (-180 to 180) of a window that goes round the Earth; a window around a pole reaches to 90 degrees.
    """
    h, w = window.shape
    steps = np.linspace(0, 1, _EDGE)[:-1]
    rim = [(0.0, c) for c in steps] + [(r, 1.0) for r in steps] + [(1.0, 1 - c) for c in steps]
    rim += [(1 - r, 0.0) for r in steps] + [(0.0, 0.0)]
    lon, lat = np.array([window.lonlat(r * h, c * w) for r, c in rim]).T
    lon = np.unwrap(lon, period=360)
    south, north = float(lat.min()), float(lat.max())
    if abs(lon[-1] - lon[0]) > 180:  # one walk around the rim is one turn around the axis
        return -180.0, (-90.0 if south < 0 else south), 180.0, (90.0 if south >= 0 else north)
    if lon.max() - lon.min() > 360 - 1e-9:
        return -180.0, south, 180.0, north
    west, east = ((float(x) + 180) % 360 - 180 for x in (lon.min(), lon.max()))
    return west, south, (180.0 if east == -180 else east), north


def _touched(scene: Scene, span: Span) -> tuple[slice, slice]:
    crs = scene.window.crs
    if crs is None:
        raise PlaceUnknown(f"a place was asked of {scene.href}, which has no CRS; give crs=, or rows and columns")
    if isinstance(span, Window):
        if span.crs is None:
            raise PlaceUnknown("the window has no CRS; give one that has, or rows and columns as slices")
        h, w = span.shape
        corners = [span.affine @ (c * w, r * h) for c in np.linspace(0, 1, _EDGE) for r in np.linspace(0, 1, _EDGE)]
        source: object = span.crs.proj
    else:
        west, south, east, north = _box(span)
        corners = [(x, y) for x in np.linspace(west, east, _EDGE) for y in np.linspace(south, north, _EDGE)]
        source = "EPSG:4326"
    project = Transformer.from_crs(source, crs.proj, always_xy=True)
    across, down = zip(*corners, strict=True)
    x, y = project.transform(across, down)
    held = np.isfinite(x) & np.isfinite(y)
    if not held.any():
        raise BadInput(f"window={span} lies outside the domain of {crs}, the CRS of {scene.href}")
    turns = (-360.0, 0.0, 360.0) if crs.geographic else (0.0,)  # a scene may lie at 181 degrees, at -179 or at both
    found = [_covered(scene, np.asarray(x)[held] + turn, np.asarray(y)[held]) for turn in turns]
    parts = sorted((p for p in found if p[1].start < p[1].stop), key=lambda p: p[1].start)
    if not parts:
        return slice(0, 0), slice(0, 0)
    if any(left[1].stop < right[1].start for left, right in pairwise(parts)):
        raise BadInput(
            f"window={span} covers both ends of {scene.href}, which goes round the Earth, and nothing between them; "
            "ask for the two parts one by one"
        )
    return parts[0][0], slice(parts[0][1].start, max(p[1].stop for p in parts))


def _covered(scene: Scene, x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]) -> tuple[slice, slice]:
    """Rows and columns between the outermost of some places, columns cut to the scene."""
    col, row = ~scene.window.affine @ (x, y)
    tiny = 1e-6  # a window equal to the scene must not gain a pixel from rounding
    start, stop = math.floor(col.min() + tiny), math.ceil(col.max() - tiny)
    return (
        slice(math.floor(row.min() + tiny), math.ceil(row.max() - tiny)),
        slice(max(start, 0), min(stop, scene.window.shape[1])),
    )


def _counted(span: slice, n: int) -> slice:
    try:
        return slice(*span.indices(n))
    except TypeError as cause:
        raise BadInput(f"window={span} counts in parts of pixels; give whole numbers of rows and columns") from cause


def _box(span: object) -> tuple[float, float, float, float]:
    try:
        values = tuple(float(v) for v in span) if isinstance(span, Sequence | np.ndarray) else ()
    except (TypeError, ValueError):
        values = ()
    wrong = len(values) != 4 or not np.isfinite(values).all()
    if wrong or not values[1] < values[3] or max(abs(values[1]), abs(values[3])) > 90 or values[0] == values[2]:
        raise BadInput(
            f"window={span!r} is no box; give (west, south, east, north) in degrees, a Window, or two slices"
        )
    west, south, east, north = values
    return west, south, east + 360 if east < west else east, north


def _cover(scene: Scene) -> str:
    h, w = scene.window.shape
    if scene.window.crs is None:
        return f"{h} rows and {w} columns"
    west, south, east, north = bounds_lonlat(scene.window)
    return f"{west:.4f}, {south:.4f}, {east:.4f}, {north:.4f} (west, south, east, north), {h} rows and {w} columns"
