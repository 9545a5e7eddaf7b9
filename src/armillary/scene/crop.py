"""Crop: the part of a scene that a caller's window means, found without reading a pixel."""

import math
from collections.abc import Sequence

import numpy as np
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
        rows, cols = (slice(*s.indices(n)) for s, n in zip(span, (h, w), strict=True) if isinstance(s, slice))
        if rows.step != 1 or cols.step != 1:
            raise BadInput(f"window={span} takes every n-th pixel; give resolution= for a coarser grid")
    else:
        rows, cols = _touched(scene, span)
    rows, cols = (slice(max(s.start, 0), min(s.stop, n)) for s, n in ((rows, h), (cols, w)))
    if rows.stop <= rows.start or cols.stop <= cols.start:
        raise BadInput(f"window={span} does not touch {scene.href}, which covers {_cover(scene)}")
    return scene.crop(rows=rows, cols=cols)


def bounds_lonlat(window: Window) -> tuple[float, float, float, float]:
    """(west, south, east, north) of the outline in degrees; west > east when it crosses the dateline."""
    h, w = window.shape
    steps = np.linspace(0, 1, _EDGE)
    rim = [(r * h, c * w) for r in (0.0, 1.0) for c in steps] + [(r * h, c * w) for r in steps for c in (0.0, 1.0)]
    lon, lat = zip(*(window.lonlat(r, c) for r, c in rim), strict=True)
    middle = window.center[0]
    near = [middle + (x - middle + 180) % 360 - 180 for x in lon]
    west, east = ((x + 180) % 360 - 180 for x in (min(near), max(near)))
    return west, min(lat), east, max(lat)


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
    col, row = ~scene.window.affine @ (np.asarray(x)[held], np.asarray(y)[held])
    tiny = 1e-6  # a window equal to the scene must not gain a pixel from rounding
    return (
        slice(math.floor(row.min() + tiny), math.ceil(row.max() - tiny)),
        slice(math.floor(col.min() + tiny), math.ceil(col.max() - tiny)),
    )


def _box(span: object) -> tuple[float, float, float, float]:
    values = tuple(float(v) for v in span) if isinstance(span, Sequence) else ()
    if len(values) != 4 or not values[1] < values[3] or max(abs(values[1]), abs(values[3])) > 90:
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
