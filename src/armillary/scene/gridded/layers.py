"""Layers: bands that lie in GDAL rasters, read crop by crop onto one grid.

A layer on another grid (20 m and 60 m bands of Sentinel-2) is repeated: each pixel of the grid takes the value of the
layer's pixel on which its centre lies, NaN where there is none, so no value is invented and the result never depends on
the crop that was asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from affine import Affine
from jaxtyping import Float, Int, Shaped
from rasterio.errors import RasterioError
from rasterio.windows import Window as Part

from armillary.errors import SceneUnreadable
from armillary.scene.access.handles import header
from armillary.scene.gridded.radiometry import Rule


@dataclass(frozen=True)
class Layer:
    """One band of one GDAL raster.

    Args:
        href: path or /vsi path.
        index: the band's number in the file, from 1.
        shape: (rows, cols) of the file.
        rule: raw -> value.
        onto: (col, row) of the grid -> (col, row) of the file, None when they are the same.
    """

    href: str
    index: int
    shape: tuple[int, int]
    rule: Rule
    onto: Affine | None = None


@dataclass(frozen=True)
class LayerPixels:
    """Reads layers that cover the same ground onto a grid of `shape`. Safe from several threads."""

    layers: tuple[Layer, ...]
    shape: tuple[int, int]

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Values of the layers at these positions."""
        out = np.empty((len(bands), rows.stop - rows.start, cols.stop - cols.start), np.float32)
        wanted: dict[str, list[int]] = {}
        for i, b in enumerate(bands):
            wanted.setdefault(self.layers[b].href, []).append(i)
        for places in wanted.values():
            out[places] = _read([self.layers[bands[i]] for i in places], rows, cols)
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
    if raw.shape[1:] != (rows.stop - rows.start, cols.stop - cols.start):
        raise SceneUnreadable(
            f"rows {rows.start} to {rows.stop} of {href} were asked for and it has no such rows or columns any more; "
            "the file was replaced by another: open it again"
        )
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


def _read(layers: Sequence[Layer], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
    """A crop of the grid from layers of one file, which all lie on the same grid."""
    href, shape, onto = layers[0].href, layers[0].shape, layers[0].onto
    indexes = [layer.index for layer in layers]
    if onto is None:
        raw = read_raw(href, indexes, rows, cols)
        return np.stack([layer.rule.values(r) for layer, r in zip(layers, raw, strict=True)])
    i, j = _under(rows, onto.e, onto.f), _under(cols, onto.a, onto.c)
    k, m = np.clip(i, 0, shape[0] - 1), np.clip(j, 0, shape[1] - 1)
    top, left = int(k.min()), int(m.min())
    raw = read_raw(href, indexes, slice(top, int(k.max()) + 1), slice(left, int(m.max()) + 1))
    near = raw[:, k - top][:, :, m - left]
    values = np.stack([layer.rule.values(r) for layer, r in zip(layers, near, strict=True)])
    held: np.ndarray = np.where((i == k)[:, None] & (j == m), values, np.float32(np.nan))
    return held


def _under(span: slice, size: float, start: float) -> Int[np.ndarray, " n"]:
    """Which pixel of the file lies under the centre of each pixel of the grid."""
    centers = (np.arange(span.start, span.stop) + 0.5) * size + start
    return np.floor(centers + 1e-6).astype(np.int64)  # a centre on an edge, but for rounding, is beyond it
