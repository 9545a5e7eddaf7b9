"""Nearest: a swath laid on a grid by the swath pixel whose centre lies nearest on the sphere.

Distances are those of straight lines between points of a sphere, found with pykdtree, the tree of pyresample; of
several pixels at the same distance (to a millimetre) the first in the swath counts, so that the result does not depend
on the crop.
Beyond `reach_m` there is nothing. Where a grid pixel is larger than a swath pixel it is the mean of several such
samples. For each block of the grid only that part of the swath is read which can reach it: the swath is divided into
tiles, each with a bounding cap of the sphere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from pyproj import Transformer

from armillary.earth.window import Window
from armillary.errors import need

EARTH_M = 6_371_007.2
"""Radius of the sphere on which distance is measured: that of the WGS84 ellipsoid's area."""

_TILE = 64
_THIN = 4
_BLOCK = 256
_NEIGHBOURS = 4
_TIE_M = 1e-3

Plane = Float[np.ndarray, "h w"]


@runtime_checkable
class Swath(Protocol):
    """Pixels in the order of the instrument."""

    def values(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Physical values of a crop of the swath, NaN where invalid."""


@dataclass(frozen=True, eq=False)
class Caps:
    """Bounding caps of the tiles of a swath: unit vector of the middle, and angular radius (nan: no pixel)."""

    middle: Float[np.ndarray, "i j 3"]
    radius: Float[np.ndarray, "i j"]

    @classmethod
    def of(cls, lon: Float[np.ndarray, "h w"], lat: Float[np.ndarray, "h w"], spacing_m: float) -> "Caps":
        """The caps; NaN places are left out."""
        counts = tuple(-(-n // _TILE) for n in lon.shape)
        middle, radius = np.full((*counts, 3), np.nan), np.full(counts, np.nan)
        margin = 2 * _THIN * spacing_m / EARTH_M
        for i, j in np.ndindex(*counts):
            tile = slice(i * _TILE, (i + 1) * _TILE, _THIN), slice(j * _TILE, (j + 1) * _TILE, _THIN)
            points = _unit(lon[tile], lat[tile])
            points = points[np.isfinite(points).all(axis=-1)]
            if not len(points):  # perhaps the thinned sample missed the few that are there
                whole = slice(i * _TILE, (i + 1) * _TILE), slice(j * _TILE, (j + 1) * _TILE)
                points = _unit(lon[whole], lat[whole])
                points = points[np.isfinite(points).all(axis=-1)]
            if len(points):
                middle[i, j], radius[i, j] = _cap(points)
        return cls(middle, radius + margin)

    def part(self, points: Float[np.ndarray, "n 3"], reach_m: float) -> tuple[slice, slice] | None:
        """Rows and columns of the swath that may lie within reach of any of these points."""
        center, radius = _cap(points)
        apart = np.arccos(np.clip(self.middle @ center, -1, 1))
        rows, cols = np.nonzero(apart <= self.radius + radius + reach_m / EARTH_M)
        if not rows.size:
            return None
        return (
            slice(int(rows.min()) * _TILE, (int(rows.max()) + 1) * _TILE),
            slice(int(cols.min()) * _TILE, (int(cols.max()) + 1) * _TILE),
        )


@dataclass(frozen=True, eq=False)
class Nearest:
    """Pixels of a scene: the nearest of a swath.

    Args:
        swath: reads values.
        lon: degrees of each swath pixel, NaN for one that must not be used.
        lat: the same.
        caps: where its tiles lie.
        window: the grid; it has a CRS.
        reach_m: farthest distance of a swath pixel that counts.
        samples: samples per side of a grid pixel.
    """

    swath: Swath
    lon: Float[np.ndarray, "h w"]
    lat: Float[np.ndarray, "h w"]
    caps: Caps
    window: Window
    reach_m: float
    samples: int = 1

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Values of these bands under this crop, float32; the same whatever the crop."""
        out = np.full((len(bands), rows.stop - rows.start, cols.stop - cols.start), np.nan, np.float32)
        size = max(1, _BLOCK // self.samples)
        for r in range(rows.start, rows.stop, size):
            for c in range(cols.start, cols.stop, size):
                part = slice(r, min(r + size, rows.stop)), slice(c, min(c + size, cols.stop))
                at = tuple(slice(p.start - s.start, p.stop - s.start) for p, s in zip(part, (rows, cols), strict=True))
                out[:, at[0], at[1]] = self._block(bands, *part)
        return out

    def _block(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        n = self.samples
        shape = (len(bands), rows.stop - rows.start, cols.stop - cols.start)
        lon, lat = self._places(rows, cols)
        points = _unit(lon, lat).reshape(-1, 3)
        known = np.isfinite(points).all(axis=1)
        part = self.caps.part(points[known], self.reach_m) if known.any() else None
        if part is None:
            return np.full(shape, np.nan, np.float32)
        index = nearest(self.lon[part], self.lat[part], lon.ravel(), lat.ravel(), self.reach_m)
        if not (index >= 0).any():
            return np.full(shape, np.nan, np.float32)
        there = slice(part[0].start, min(part[0].stop, self.lon.shape[0]))
        along = slice(part[1].start, min(part[1].stop, self.lon.shape[1]))
        held = self.swath.values(bands, there, along).reshape(len(bands), -1)
        fine = np.where(index >= 0, held[:, np.maximum(index, 0)], np.nan)
        return _mean(fine.reshape(len(bands), shape[1], n, shape[2], n))

    def _places(self, rows: slice, cols: slice) -> tuple[Plane, Plane]:
        """Degrees of the samples of a block."""
        n, a, crs = self.samples, self.window.affine, self.window.crs
        assert crs is not None, "grids made here have a CRS"  # noqa: S101
        down = (np.arange(rows.start * n, rows.stop * n) + 0.5) / n
        right = (np.arange(cols.start * n, cols.stop * n) + 0.5) / n
        x, y = np.meshgrid(a.c + a.a * right, a.f + a.e * down)
        if crs.epsg != 4326:
            x, y = Transformer.from_crs(crs.proj, "EPSG:4326", always_xy=True).transform(x, y)
        good = np.isfinite(x) & np.isfinite(y) & (np.abs(y) <= 90.0)
        return (np.where(good, x, np.nan) + 180.0) % 360.0 - 180.0, np.where(good, y, np.nan)


def nearest(
    lon: Float[np.ndarray, "i j"],
    lat: Float[np.ndarray, "i j"],
    to_lon: Float[np.ndarray, " n"],
    to_lat: Float[np.ndarray, " n"],
    reach_m: float,
) -> Int[np.ndarray, " n"]:
    """Flat index into the swath of the pixel nearest to each point, -1 where none is within reach."""
    source = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
    target = np.flatnonzero(np.isfinite(to_lon) & np.isfinite(to_lat))
    found = np.full(len(to_lon), -1)
    if not (len(source) and len(target)):
        return found
    few = min(_NEIGHBOURS, len(source))
    tree = need("pykdtree.kdtree", "geo").KDTree(EARTH_M * _unit(lon.ravel()[source], lat.ravel()[source]))
    points = EARTH_M * _unit(to_lon[target], to_lat[target])
    distance, index = (a.reshape(-1, few) for a in tree.query(points, k=few, distance_upper_bound=reach_m))
    tied = (distance <= distance[:, :1] + _TIE_M) & np.isfinite(distance)
    first = np.where(tied, index.astype(np.int64), len(source)).min(axis=1)
    reached = first < len(source)
    found[target[reached]] = source[first[reached]]
    return found


def _unit(lon: np.ndarray, lat: np.ndarray) -> Float[np.ndarray, "*shape 3"]:
    a, b = np.radians(lon, dtype=np.float64), np.radians(lat, dtype=np.float64)
    return np.stack([np.cos(b) * np.cos(a), np.cos(b) * np.sin(a), np.sin(b)], axis=-1)


def _cap(points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, " 3"], float]:
    middle = points.mean(axis=0)
    middle = middle / max(float(np.linalg.norm(middle)), 1e-12)
    return middle, float(np.arccos(np.clip(points @ middle, -1, 1)).max())


def _mean(fine: Float[np.ndarray, "c h n w n"]) -> Float[np.ndarray, "c h w"]:
    """Mean of the valid samples of a grid pixel; NaN when fewer than half are valid."""
    valid = np.isfinite(fine)
    count = valid.sum(axis=(2, 4))
    total = np.where(valid, fine, 0.0).sum(axis=(2, 4))
    enough = 2 * count >= fine.shape[2] * fine.shape[4]
    return np.where(enough & (count > 0), total / np.maximum(count, 1), np.nan).astype(np.float32)
