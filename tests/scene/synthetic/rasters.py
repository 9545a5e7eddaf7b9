"""Synthetic rasters: small GeoTIFFs with exactly the flaw or the oddity that a test is about."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from affine import Affine

from armillary.scene.open import open

GRID = Affine(10, 0, 600000, 0, -10, 5300000)
RGB = ("B4", "B3", "B2")
PRODUCT = "S2A_MSIL2A_20220706T085611_N0511_T32TQT"


def write(path: Path, pixels: np.ndarray, names: tuple[str, ...] = (), **more: Any) -> Path:
    """A GeoTIFF. `scales`, `offsets` and `tags` are GDAL's; the rest goes to rasterio."""
    path.parent.mkdir(parents=True, exist_ok=True)
    c, h, w = pixels.shape
    profile = {"driver": "GTiff", "count": c, "height": h, "width": w, "dtype": pixels.dtype, "crs": "EPSG:32632"}
    scales, offsets, tags = more.pop("scales", None), more.pop("offsets", None), more.pop("tags", {})
    with rasterio.open(path, "w", **{**profile, "transform": GRID, **more}) as file:
        file.write(pixels)
        file.descriptions = names or (None,) * c
        file.update_tags(**tags)
        if scales:
            file.scales = scales
        if offsets:
            file.offsets = offsets
    return path


def counts(c: int = 3, h: int = 20, w: int = 16, seed: int = 0) -> np.ndarray:
    """Random uint16 counts from 1300 to 5000: bright enough for the +1000 of baseline 04.00."""
    return np.random.default_rng(seed).integers(1300, 5000, (c, h, w)).astype("uint16")


def quiet(*args: Any, **kwargs: Any) -> xr.DataArray:
    """`arm.open` without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return open(*args, **kwargs)
