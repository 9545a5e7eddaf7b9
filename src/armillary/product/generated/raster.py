"""Raster: values that come some rows at a time, as a cloud-optimised GeoTIFF that says what it is."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from jaxtyping import Shaped
from matplotlib.colors import to_rgb
from rasterio.errors import NotGeoreferencedWarning
from rasterio.shutil import copy
from rasterio.windows import Window as Cut

from armillary.earth.window import Window
from armillary.product.cog import GDAL_CACHE_MB
from armillary.product.generated.colours import LAND_COVER

BLOCK_PX = 256

Blocks = Iterable[tuple[slice, Shaped[np.ndarray, "c h w"]]]
"""Rows, and their values from the first column to the last."""


@dataclass(frozen=True)
class Kind:
    """How values are stored.

    Args:
        dtype: of what is stored.
        nodata: what means nothing; None where everything means something.
        overviews: how smaller pictures are made: "average", or "nearest" or "mode" for categories.
        colours: of codes; none for values.
    """

    dtype: str = "float32"
    nodata: float | None = float("nan")
    overviews: str = "average"
    colours: tuple[tuple[int, str], ...] = ()


VALUES = Kind()
CODES = Kind("uint8", 0.0, "mode", tuple(LAND_COVER.items()))
MASK = Kind("uint8", None, "nearest")


def write_raster(
    path: Path, window: Window, bands: Sequence[str], blocks: Blocks, kind: Kind, tags: Mapping[str, str]
) -> Path:
    """Write a raster block by block; it appears under its name when it is whole. NaN is stored as nodata.

    Args:
        path: the file.
        window: its grid; without a CRS the file has no place.
        bands: their names.
        blocks: values from top to bottom.
        kind: how they are stored.
        tags: of the file.
    """
    plain, whole = (path.with_name(f".{path.name}.{end}.tif") for end in ("plain", "part"))
    h, w = window.shape
    profile = {"driver": "GTiff", "height": h, "width": w, "count": len(bands), "dtype": kind.dtype}
    profile |= {"tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX, "bigtiff": "IF_SAFER"}
    profile |= {"nodata": kind.nodata, "interleave": "band"}
    if window.crs is not None:
        profile |= {"crs": str(window.crs), "transform": window.affine}
    elif window.affine != Affine.identity():
        profile |= {"transform": window.affine}
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE_MB, GDAL_NUM_THREADS="1"), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # the caller knows
        with rasterio.open(plain, "w", **profile) as file:
            file.descriptions = tuple(bands)
            file.update_tags(**tags)
            if kind.colours:
                file.write_colormap(1, {code: _bytes(colour) for code, colour in kind.colours})
            for rows, values in blocks:
                stored = values if kind.dtype == "float32" else np.nan_to_num(values, nan=kind.nodata or 0.0)
                file.write(stored.astype(kind.dtype), window=Cut(0, rows.start, w, rows.stop - rows.start))
        copy(
            str(plain), str(whole), driver="COG", BLOCKSIZE=BLOCK_PX, COMPRESS="DEFLATE", LEVEL=6, PREDICTOR="YES",
            OVERVIEW_RESAMPLING=kind.overviews.upper(), BIGTIFF="IF_SAFER", STATISTICS="NO",
        )  # fmt: skip
    plain.unlink()
    return whole.replace(path)


def _bytes(colour: str) -> tuple[int, int, int, int]:
    red, green, blue = (round(255 * part) for part in to_rgb(colour))
    return red, green, blue, 255
