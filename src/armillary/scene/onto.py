"""Onto: a scene's values on another grid, as a data set needs that keeps several sensors on one."""

from math import ceil

import numpy as np
from jaxtyping import Float
from rasterio.enums import Resampling
from rasterio.warp import reproject

from armillary.earth.window import Window
from armillary.errors import BadInput, PlaceUnknown
from armillary.scene.crop import cropped
from armillary.scene.scene import Scene

ALIGNED = 1e-3
"""Grids whose corners agree to this part of a pixel are one grid: values are copied, not resampled."""

COARSER = 1.5
"""From so many source pixels to a side of a target pixel on, values are averaged instead of interpolated."""


def onto(scene: Scene, window: Window, resampling: Resampling | None = None) -> Float[np.ndarray, "c h w"]:
    """Values of a scene on the grid of a window, float32, NaN where the scene has none.

    Args:
        scene: any scene.
        window: the grid.
        resampling: None: bilinear where pixels are of a size, averages where the window's are larger. Where the grids
            are one, values are copied.

    Raises:
        PlaceUnknown: the scene or the window has no CRS.
    """
    empty = np.full((len(scene.sensor.bands), *window.shape), np.nan, np.float32)
    if scene.window.crs is None or window.crs is None:
        raise PlaceUnknown(f"{scene.href} has no CRS, or the grid that it was to be put on; give crs= when opening")
    offset = _offset(scene.window, window)
    if offset is not None:
        return _copied(scene, offset, empty)
    try:
        part = cropped(scene, _with_margin(window, scene.window.gsd_m))
    except BadInput:  # they do not touch
        return empty
    rows, cols = part.window.shape
    values = part.pixels.read(range(len(part.sensor.bands)), slice(0, rows), slice(0, cols))
    if resampling is None:
        resampling = Resampling.average if window.gsd_m / part.window.gsd_m > COARSER else Resampling.bilinear
    reproject(
        np.ascontiguousarray(values, np.float32),
        empty,
        src_transform=part.window.affine,
        src_crs=str(part.window.crs),
        dst_transform=window.affine,
        dst_crs=str(window.crs),
        src_nodata=np.nan,
        dst_nodata=np.nan,
        resampling=resampling,
    )
    return empty


def _with_margin(window: Window, gsd_m: float | int) -> Window:
    """A window and two source pixels on every side, which the interpolation at its edges needs."""
    margin = ceil(2 * gsd_m / window.gsd_m) + 1
    h, w = window.shape
    return window.crop(rows=slice(-margin, h + margin), cols=slice(-margin, w + margin))


def _offset(source: Window, target: Window) -> tuple[int, int] | None:
    """Row and column of the source at which an aligned target begins, None where they are not one grid."""
    if source.crs != target.crs:
        return None
    a = ~source.affine @ target.affine
    straight = abs(a.a - 1) < 1e-6 and abs(a.e - 1) < 1e-6 and abs(a.b) < 1e-9 and abs(a.d) < 1e-9
    whole = abs(a.c - round(a.c)) < ALIGNED and abs(a.f - round(a.f)) < ALIGNED
    return (round(a.f), round(a.c)) if straight and whole else None


def _copied(scene: Scene, offset: tuple[int, int], out: Float[np.ndarray, "c h w"]) -> Float[np.ndarray, "c h w"]:
    spans = []
    for start, size, have in zip(offset, out.shape[1:], scene.window.shape, strict=True):
        first, last = max(0, start), min(have, start + size)
        if last <= first:
            return out
        spans.append((slice(first, last), slice(first - start, last - start)))
    (rows, into_rows), (cols, into_cols) = spans
    out[:, into_rows, into_cols] = scene.pixels.read(range(len(scene.sensor.bands)), rows, cols)
    return out
