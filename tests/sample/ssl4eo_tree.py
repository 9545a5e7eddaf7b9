"""A synthetic folder of SSL4EO-S12 in the published layout, tiny."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from armillary.earth.fleet import sensors

SIDE = 8
ORIGINS = {"0000001": (500000.0, 5200000.0), "0000003": (600000.0, 5300000.0)}
"""0000002 is void, as some numbers of the data set are."""

L1C = ("20200403T100549_20200403T101937_T32TPT", "20201011T103031_20201011T103339_T32TPT")
L2A = ("20200405T100549_20200405T101937_T32TPT", "20201013T103031_20201013T103339_T32TPT")
S1 = (
    "S1B_IW_GRDH_1SDV_20200401T052000_20200401T052025_020000_025000_AAAA",
    "S1A_IW_GRDH_1SDV_20201012T052000_20201012T052025_034000_03F000_BBBB",
)
"""The first season was seen by S1B, whose names stand after those of S1A."""


def write_tree(root: Path) -> Path:
    """Two locations, two seasons of each sensor; values tell the season: 0.1 and 0.2 reflectance, -10 and -20 dB."""
    for location, origin in ORIGINS.items():
        for folder, sensor, products in (("s2c", "s2-l1c", L1C), ("s2a", "s2-l2a", L2A), ("s1", "s1-grd", S1)):
            for season, product in enumerate(products):
                for band in sensors[sensor].band_names:
                    value = -10.0 * (season + 1) if folder == "s1" else 1000 * (season + 1)
                    dtype = np.float32 if folder == "s1" else np.uint16
                    name = band if folder == "s1" or band == "B8A" else f"B{int(band[1:])}"
                    raster = np.full((1, SIDE, SIDE), value, dtype)
                    write_raster(root / folder / location / product / f"{name}.tif", raster, origin)
    return root


def write_raster(
    path: Path, values: np.ndarray, origin: tuple[float, float], *, crs: str = "EPSG:32632", nodata: float | None = None
) -> Path:
    """Values [c h w] at 10 m from a corner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    c, h, w = values.shape
    transform = Affine(10.0, 0.0, origin[0], 0.0, -10.0, origin[1])
    with rasterio.open(
        path, "w", driver="GTiff", count=c, height=h, width=w, dtype=values.dtype, crs=crs, transform=transform,
        nodata=nodata,
    ) as file:  # fmt: skip
        file.write(values)
    return path
