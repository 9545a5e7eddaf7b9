"""Classes: the scene classification (SCL) of Sentinel-2 level 2A. Whole numbers, always the nearest, never a mean."""

import numpy as np
import rioxarray  # noqa: F401  (gives DataArray its .rio)
import xarray as xr

from armillary.earth.window import Window
from armillary.scene.gridded.stack import Plane, nearest

CLASSES = (
    "no_data",
    "saturated_or_defective",
    "dark_or_topographic_shadow",
    "cloud_shadow",
    "vegetation",
    "not_vegetated",
    "water",
    "unclassified",
    "cloud_medium_probability",
    "cloud_high_probability",
    "thin_cirrus",
    "snow_or_ice",
)
"""What the numbers 0 to 11 mean."""


def classes_of(plane: Plane, window: Window, href: str) -> xr.DataArray:
    """A classification on a grid: uint8 (y, x) with CRS, `flag_values` and `flag_meanings`."""
    h, w = window.shape
    classes = nearest(plane, window.shape, slice(0, h), slice(0, w)).astype(np.uint8)
    a = window.affine
    coords = {"y": a.f + a.e * (np.arange(h) + 0.5), "x": a.c + a.a * (np.arange(w) + 0.5)}
    attrs = {"flag_values": list(range(len(CLASSES))), "flag_meanings": " ".join(CLASSES), "href": href}
    array = xr.DataArray(classes, coords, ("y", "x"), name="SCL", attrs=attrs).rio.write_transform(a)
    placed: xr.DataArray = array if window.crs is None else array.rio.write_crs(str(window.crs))
    return placed
