"""Stack: bands of several ground sizes that share their outer edge, read crop by crop onto one grid.

Ground sizes of one product are whole multiples of each other (Sentinel-2: 10, 20, 60 m). A coarser band is repeated
(each of its pixels covers ratio x ratio pixels of the grid: no value is invented); a finer band is averaged over its
valid pixels. Both are exact: a crop equals the same part of the whole, bit by bit.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from armillary.errors import OutOfRange, SceneUnreadable
from armillary.scene.gridded.radiometry import Rule


@dataclass(frozen=True, eq=False)
class Plane:
    """One band on its own grid.

    Args:
        name: where it is stored, for messages.
        shape: (rows, cols) of its own grid.
        raw: stored numbers of a crop of its own grid.
        rule: stored number -> value.
    """

    name: str
    shape: tuple[int, int]
    raw: Callable[[slice, slice], Shaped[np.ndarray, "h w"]]
    rule: Rule


@dataclass(frozen=True, eq=False)
class Stack:
    """Planes that cover the same ground, on a grid of `shape`."""

    planes: tuple[Plane, ...]
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        for plane in self.planes:
            _ratio(plane, self.shape)

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Values of the planes at these positions."""
        out = np.empty((len(bands), rows.stop - rows.start, cols.stop - cols.start), np.float32)
        for i, b in enumerate(bands):
            out[i] = _on_grid(self.planes[b], self.shape, rows, cols)
        return out


def nearest(plane: Plane, shape: tuple[int, int], rows: slice, cols: slice) -> Shaped[np.ndarray, "h w"]:
    """Stored numbers of a crop of the grid, each the one nearest: for classes and flags, which have no mean."""
    ratio = _ratio(plane, shape)
    if ratio >= 1:
        return _repeated(plane.raw, int(ratio), rows, cols)
    n = round(1 / ratio)
    fine = plane.raw(slice(rows.start * n, rows.stop * n), slice(cols.start * n, cols.stop * n))
    return fine[n // 2 :: n, n // 2 :: n]


def regrid(
    shape: tuple[int, int], affine: tuple[float, ...], gsd_m: float
) -> tuple[tuple[int, int], tuple[float, ...]]:
    """Shape and affine of the same ground in Sentinel-2 pixels of another of its three sizes.

    Raises:
        OutOfRange: the size is not 10, 20 or 60 m, or the ground holds no whole number of such pixels.
    """
    a, b, c, d, e, f = affine
    if gsd_m not in (10, 20, 60):
        raise OutOfRange(f"resolution={gsd_m:g} was asked of a Sentinel-2 product; it can be read at 10, 20 or 60 m")
    ratio = gsd_m / a
    rows, cols = shape[0] / ratio, shape[1] / ratio
    if rows % 1 or cols % 1:
        raise OutOfRange(f"{shape[0]} x {shape[1]} pixels of {a:g} m are no whole number of {gsd_m:g} m pixels")
    return (int(rows), int(cols)), (a * ratio, b, c, d, e * ratio, f)


def _on_grid(plane: Plane, shape: tuple[int, int], rows: slice, cols: slice) -> Float[np.ndarray, "h w"]:
    ratio = _ratio(plane, shape)
    if ratio >= 1:
        return plane.rule.values(_repeated(plane.raw, int(ratio), rows, cols))
    n = round(1 / ratio)
    fine = plane.rule.values(plane.raw(slice(rows.start * n, rows.stop * n), slice(cols.start * n, cols.stop * n)))
    blocks = fine.reshape(rows.stop - rows.start, n, cols.stop - cols.start, n)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a block without one valid pixel is NaN, as it should be
        mean = np.asarray(np.nanmean(blocks, axis=(1, 3), dtype=np.float64))
    return mean.astype(np.float32)


def _repeated(
    raw: Callable[[slice, slice], Shaped[np.ndarray, "h w"]], n: int, rows: slice, cols: slice
) -> Shaped[np.ndarray, "h w"]:
    """Each coarse pixel n x n times; only the coarse pixels under the crop are read."""
    if n == 1:
        return raw(rows, cols)
    coarse = raw(slice(rows.start // n, -(-rows.stop // n)), slice(cols.start // n, -(-cols.stop // n)))
    i = np.arange(rows.start, rows.stop) // n - rows.start // n
    j = np.arange(cols.start, cols.stop) // n - cols.start // n
    repeated: np.ndarray = coarse[i[:, None], j[None]]
    return repeated


def _ratio(plane: Plane, shape: tuple[int, int]) -> float:
    """Grid pixels along one side of a plane's pixel: 6, 3, 2, 1, or 1/2, 1/3, 1/6."""
    (h, w), (gh, gw) = plane.shape, shape
    for n in range(1, 64):
        if (h * n, w * n) == (gh, gw):
            return float(n)
        if (h, w) == (gh * n, gw * n):
            return 1 / n
    raise SceneUnreadable(
        f"{plane.name} has {h} x {w} pixels, which is no whole multiple of the grid of {gh} x {gw}; "
        "the file does not belong to this product or is cut: download it again"
    )
