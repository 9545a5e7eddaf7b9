"""Layers: bands that lie in GDAL rasters, read crop by crop onto one grid.

A layer coarser than the grid (20 m and 60 m bands of Sentinel-2) is repeated: each pixel of the grid takes the value of
the coarse pixel under its centre, so no value is invented and the result never depends on the crop that was asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped
from rasterio.errors import RasterioError
from rasterio.windows import Window as Part

from armillary.errors import SceneUnreadable
from armillary.scene.handles import header
from armillary.scene.radiometry import Rule


@dataclass(frozen=True)
class Layer:
    """One band of one GDAL raster.

    Args:
        href: path or /vsi path.
        index: the band's number in the file, from 1.
        shape: (rows, cols) of the file.
        rule: raw -> value.
    """

    href: str
    index: int
    shape: tuple[int, int]
    rule: Rule


@dataclass(frozen=True)
class LayerPixels:
    """Reads layers that cover the same ground onto a grid of `shape`. Safe from several threads."""

    layers: tuple[Layer, ...]
    shape: tuple[int, int]

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Values of the layers at these positions."""
        out = np.empty((len(bands), rows.stop - rows.start, cols.stop - cols.start), np.float32)
        wanted: dict[tuple[str, tuple[int, int]], list[int]] = {}
        for i, b in enumerate(bands):
            wanted.setdefault((self.layers[b].href, self.layers[b].shape), []).append(i)
        for (href, shape), places in wanted.items():
            layers = [self.layers[bands[i]] for i in places]
            out[places] = _read(href, shape, layers, self.shape, rows, cols)
        return out


def read_raw(href: str, indexes: Sequence[int], rows: slice, cols: slice) -> Shaped[np.ndarray, "c h w"]:
    """Stored numbers of a crop; a file that breaks off or is no raster is a `SceneUnreadable` that names it."""
    part = Part(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
    try:
        raw: np.ndarray = header(href, stamp=_written(href)).read(list(indexes), window=part)
    except RasterioError as cause:
        raise SceneUnreadable(
            f"rows {rows.start} to {rows.stop} of {href} were asked for and cannot be read ({_short(cause)}); "
            "the file is cut off or damaged: fetch it again"
        ) from cause
    return raw


def probe(href: str, indexes: Sequence[int], shape: tuple[int, int]) -> Shaped[np.ndarray, "c n"]:
    """A look at the stored numbers: everything of a small file, else nine blocks of 64 x 64 spread evenly over it."""
    h, w = shape
    if h * w <= 512 * 512:
        return read_raw(href, indexes, slice(0, h), slice(0, w)).reshape(len(indexes), -1)
    side_h, side_w = min(64, h), min(64, w)
    starts = [(int((h - side_h) * i / 2), int((w - side_w) * j / 2)) for i in range(3) for j in range(3)]
    blocks = [read_raw(href, indexes, slice(r, r + side_h), slice(c, c + side_w)) for r, c in starts]
    return np.concatenate([b.reshape(len(indexes), -1) for b in blocks], axis=1)


def _written(href: str) -> float:
    try:
        return Path(href).stat().st_mtime
    except OSError:
        return 0.0  # not a local file


def _short(cause: BaseException) -> str:
    root = cause.__cause__ or cause
    return str(root).split("\n")[0][:160]


def _read(
    href: str, shape: tuple[int, int], layers: Sequence[Layer], grid: tuple[int, int], rows: slice, cols: slice
) -> Float[np.ndarray, "c h w"]:
    """A crop of the grid from one file."""
    indexes = [layer.index for layer in layers]
    if shape == grid:
        raw = read_raw(href, indexes, rows, cols)
        return np.stack([layer.rule.values(r) for layer, r in zip(layers, raw, strict=True)])
    i, j = _covering(rows, shape[0], grid[0]), _covering(cols, shape[1], grid[1])
    raw = read_raw(href, indexes, slice(int(i[0]), int(i[-1]) + 1), slice(int(j[0]), int(j[-1]) + 1))
    near = raw[:, i - i[0]][:, :, j - j[0]]
    return np.stack([layer.rule.values(r) for layer, r in zip(layers, near, strict=True)])


def _covering(span: slice, coarse: int, fine: int) -> Int[np.ndarray, " n"]:
    """Which coarse pixel lies under the centre of each fine one."""
    centers = (np.arange(span.start, span.stop) + 0.5) * coarse / fine
    return np.clip(np.floor(centers).astype(np.int64), 0, coarse - 1)
