"""COG: the map of embeddings as a cloud-optimised GeoTIFF, one band per dimension.

Blocks are written one at a time and overviews are averaged here, level by level: with hundreds of bands GDAL's own
overview pass reads each block once per band. GDAL's COG driver then orders the file.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from affine import Affine
from jaxtyping import Float
from rasterio.shutil import copy
from rasterio.windows import Window as Cut

from armillary.earth.window import Window
from armillary.product.encoding import NODATA, Encoding
from armillary.product.staging import Staging

BLOCK_BYTES = 16 * 2**20
"""Aim for blocks below this in float32, all bands: the file stores the bands of a pixel together."""
GDAL_CACHE_MB = 96
SMALLEST_OVERVIEW = 16
"""A map no larger than this has no overview."""
_FLOAT_BYTES = 4
_VRT_TYPE = {"float32": "Float32", "float16": "Float32", "int8": "Int8"}

Read = Callable[[slice, slice], Float[np.ndarray, "h w d"]]


def write_cog(staging: Staging, encoding: Encoding, window: Window, path: Path, tags: Mapping[str, str]) -> Path:
    """Write the map.

    Args:
        staging: every row finished.
        encoding: stored type; float16 is stored as 16-bit floats that GDAL reads as float32.
        window: the place of the token grid.
        path: written in full before it appears under this name.
        tags: GeoTIFF metadata.
    """
    work = path.with_name(f".{path.name}.work")
    work.mkdir(exist_ok=True)
    block = block_px(staging.width)
    # GDAL writes blocks of 64 px but warns below 128, which would be 50 MB each with 768 bands
    with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE_MB, GDAL_NUM_THREADS="1", GDAL_VALIDATE_CREATION_OPTIONS="NO"):
        levels = [_level(staging.read, staging.shape, staging.width, encoding, work / "0.tif", block)]
        while max(levels[-1][1]) > (SMALLEST_OVERVIEW if len(levels) == 1 else block):
            source, shape = levels[-1]
            half = ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
            with rasterio.open(source) as file:
                read = _halved(file, encoding)
                levels.append(_level(read, half, staging.width, encoding, work / f"{len(levels)}.tif", block))
        vrt = work / "all.vrt"
        vrt.write_text(_vrt(levels, staging.width, encoding, window, tags), encoding="utf-8")
        options = {"NBITS": "16"} if encoding.dtype == "float16" else {}
        copy(
            str(vrt), str(work / "cog.tif"), driver="COG", BLOCKSIZE=block, COMPRESS="DEFLATE", LEVEL=6,
            PREDICTOR="YES", OVERVIEWS="AUTO", BIGTIFF="IF_SAFER", STATISTICS="NO", **options,
        )  # fmt: skip
    (work / "cog.tif").replace(path)
    for leftover in work.iterdir():
        leftover.unlink()
    work.rmdir()
    return path


def block_px(width: int) -> int:
    """Side of a block: 512, or the largest power of two whose block stays below BLOCK_BYTES, 64 at least."""
    side = 512
    while side > 64 and side * side * width * _FLOAT_BYTES > BLOCK_BYTES:
        side //= 2
    return side


def blocks(shape: tuple[int, int], side: int) -> Iterator[tuple[slice, slice]]:
    """Squares that cover a grid, left to right, then top to bottom."""
    for row in range(0, shape[0], side):
        for col in range(0, shape[1], side):
            yield slice(row, min(row + side, shape[0])), slice(col, min(col + side, shape[1]))


def _level(
    read: Read, shape: tuple[int, int], width: int, encoding: Encoding, path: Path, block: int
) -> tuple[Path, tuple[int, int]]:
    profile = {"driver": "GTiff", "height": shape[0], "width": shape[1], "count": width, "tiled": True}
    profile |= {"dtype": "int8" if encoding.dtype == "int8" else "float32", "interleave": "pixel"}
    profile |= {"transform": Affine.scale(2, -2)}  # any: the VRT above gives the place
    profile |= {"blockxsize": block, "blockysize": block, "bigtiff": "IF_SAFER", "nodata": _nodata(encoding)}
    with rasterio.open(path, "w", **profile) as file:
        for rows, cols in blocks(shape, block):
            stored = encoding.encode(read(rows, cols))
            stored = stored.astype(np.float32) if encoding.dtype == "float16" else stored
            cut = Cut(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
            file.write(np.ascontiguousarray(np.moveaxis(stored, 2, 0)), window=cut)
    return path, shape


def _halved(file: rasterio.DatasetReader, encoding: Encoding) -> Read:
    """Means of 2 x 2 tokens, over those that hold something."""

    def read(rows: slice, cols: slice) -> Float[np.ndarray, "h w d"]:
        h, w = rows.stop - rows.start, cols.stop - cols.start
        high, wide = min(2 * h, file.height - 2 * rows.start), min(2 * w, file.width - 2 * cols.start)
        stored = file.read(window=Cut(2 * cols.start, 2 * rows.start, wide, high))
        halved = np.empty((h, w, file.count), np.float32)
        for i in range(h):
            pair = np.full((2, 2 * w, file.count), np.nan, np.float32)
            lines = encoding.decode(np.moveaxis(stored[:, 2 * i : 2 * i + 2], 0, 2))
            pair[: lines.shape[0], :wide] = lines
            halved[i] = _halve(pair)
        return halved

    return read


def _halve(pair: Float[np.ndarray, "2 w d"]) -> Float[np.ndarray, "v d"]:
    quads = pair.reshape(2, -1, 2, pair.shape[2])
    seen = np.isfinite(quads)
    total = np.where(seen, quads, np.float32(0)).sum(axis=(0, 2))
    count = seen.sum(axis=(0, 2), dtype=np.float32)
    mean: np.ndarray = np.full_like(total, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def _nodata(encoding: Encoding) -> float:
    return float(NODATA) if encoding.dtype == "int8" else float("nan")


def _vrt(
    levels: list[tuple[Path, tuple[int, int]]],
    width: int,
    encoding: Encoding,
    window: Window,
    tags: Mapping[str, str],
) -> str:
    """One dataset over all levels, with place, names, scales and tags."""
    (_, (h, w)), kind = levels[0], _VRT_TYPE[encoding.dtype]
    transform = ", ".join(repr(float(v)) for v in window.affine.to_gdal())
    place = f"<SRS>{escape(window.crs.to_wkt())}</SRS>" if window.crs is not None else ""
    meta = "".join(f'<MDI key="{escape(k)}">{escape(v)}</MDI>' for k, v in tags.items())
    lines = [f'<VRTDataset rasterXSize="{w}" rasterYSize="{h}">{place}<GeoTransform>{transform}</GeoTransform>']
    lines.append(f"<Metadata>{meta}</Metadata>")
    for band in range(1, width + 1):
        scale = "" if encoding.scale is None else f"<Offset>0</Offset><Scale>{encoding.scale[band - 1]!r}</Scale>"
        lines.append(
            f'<VRTRasterBand dataType="{kind}" band="{band}"><Description>e{band - 1:04d}</Description>'
            f"<NoDataValue>{_nodata(encoding)}</NoDataValue>{scale}"
            f"<SimpleSource>{_named(levels[0][0], band)}</SimpleSource>"
            + "".join(f"<Overview>{_named(path, band)}</Overview>" for path, _ in levels[1:])
            + "</VRTRasterBand>"
        )
    return "\n".join([*lines, "</VRTDataset>"])


def _named(path: Path, band: int) -> str:
    name = escape(os.path.basename(path))  # noqa: PTH119 (beside the VRT)
    return f'<SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>{band}</SourceBand>'
