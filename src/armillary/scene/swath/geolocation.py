"""Geolocation of a radar image: from a place on a map grid back to (line, pixel).

The annotation gives longitude, latitude and incidence on a coarse grid of lines and pixels (some 20 x 13 km), sample
centres counted from 0. Its points lie at the mean height of the terrain, so over mountains the grid is rough: a point
1 km high lies about 1.2 km nearer to the sensor. Projected to the map, x and y are each a cubic polynomial of
(line, pixel), for the curvature of the Earth, plus what it leaves at the points, bilinearly, for their heights. Both
are inverted by Newton's method on nodes NODE_PX apart, and (line, pixel) is interpolated bilinearly between nodes.
Beyond the grid the surfaces go on along their tangents.
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from jaxtyping import Float
from odc.geo.crs import CRS

from armillary.earth.window import Window
from armillary.errors import SceneUnreadable
from armillary.scene.access.archive import elements, text
from armillary.scene.swath.grid import project, unwrap

NODE_PX = 64
"""Distance of the nodes of the inverse, in pixels of the map grid."""

_ITERATIONS = 12
_POINT = ("line", "pixel", "longitude", "latitude", "incidenceAngle")

Plane = Float[np.ndarray, "h w"]


@dataclass(frozen=True, eq=False)
class TieGrid:
    """The annotation's grid. Longitudes are unwrapped, angles are degrees."""

    lines: Float[np.ndarray, " v"]
    pixels: Float[np.ndarray, " p"]
    lon: Float[np.ndarray, "v p"]
    lat: Float[np.ndarray, "v p"]
    incidence: Float[np.ndarray, "v p"]

    @classmethod
    def of(cls, root: Element) -> "TieGrid":
        """From an annotation file."""
        points = [[_number(e, n) for n in _POINT] for e in elements(root, "geolocationGridPoint")]
        if not points:
            raise SceneUnreadable("the annotation has no geolocation grid; download the product again, whole")
        table = np.array(points)
        lines, row = np.unique(table[:, 0], return_inverse=True)
        pixels, col = np.unique(table[:, 1], return_inverse=True)
        planes = np.full((3, len(lines), len(pixels)), np.nan)
        planes[:, row, col] = table[:, 2:].T
        if min(len(lines), len(pixels)) < 2 or np.isnan(planes).any():
            raise SceneUnreadable(f"the geolocation grid of {len(points)} points is no full grid; download it again")
        return cls(lines, pixels, unwrap(planes[0]), planes[1], planes[2])


@dataclass(frozen=True, eq=False)
class Inverse:
    """(line, pixel) at nodes of a map grid, NODE_PX apart, from the centre of its first pixel on."""

    line: Plane
    pixel: Plane

    @classmethod
    def of(cls, tie: TieGrid, window: Window) -> "Inverse":
        """Invert the tie grid on this map grid, which has a CRS."""
        crs = window.crs
        assert crs is not None, "grids made here have a CRS"  # noqa: S101
        h, w = window.shape
        rows, cols = (np.arange(-(-n // NODE_PX) + 2) * NODE_PX - NODE_PX / 2 for n in (h, w))
        a = window.affine
        x, y = np.meshgrid(a.c + a.a * (cols + 0.5), a.f + a.e * (rows + 0.5))
        line, pixel = _newton(tie, crs, x, y)
        return cls(line, pixel)

    def at(self, rows: Float[np.ndarray, " h"], cols: Float[np.ndarray, " w"]) -> tuple[Plane, Plane]:
        """(line, pixel) at pixel centres of the map grid, given as (fractional) rows and columns."""
        return _bilinear(self.line, rows, cols), _bilinear(self.pixel, rows, cols)


@dataclass(frozen=True, eq=False)
class Surface:
    """A smooth function of (line, pixel) through the points of a tie grid."""

    tie: TieGrid
    weights: Float[np.ndarray, " _"]
    rest: Float[np.ndarray, "v p"]

    @classmethod
    def through(cls, tie: TieGrid, values: Float[np.ndarray, "v p"]) -> "Surface":
        """A cubic polynomial fitted to the values, and what is left of them."""
        line, pixel = np.meshgrid(tie.lines, tie.pixels, indexing="ij")
        terms = _terms(*_scaled(tie, line, pixel), (len(tie.lines), len(tie.pixels)))[0]
        weights = np.linalg.lstsq(terms.reshape(-1, terms.shape[-1]), values.ravel(), rcond=None)[0]
        return cls(tie, weights, values - terms @ weights)

    def tangent(self, line: Plane, pixel: Plane) -> tuple[Plane, Plane, Plane]:
        """Value and slopes along line and pixel; beyond the grid it goes on straight."""
        tie = self.tie
        near = np.clip(line, tie.lines[0], tie.lines[-1]), np.clip(pixel, tie.pixels[0], tie.pixels[-1])
        smooth, down, right = (t @ self.weights for t in _terms(*_scaled(tie, *near), self.rest.shape))
        (i, s), (j, t) = _cell(tie.lines, near[0]), _cell(tie.pixels, near[1])
        tall, wide = np.diff(tie.lines)[i], np.diff(tie.pixels)[j]
        upper = self.rest[i, j] * (1 - t) + self.rest[i, j + 1] * t
        lower = self.rest[i + 1, j] * (1 - t) + self.rest[i + 1, j + 1] * t
        left = self.rest[i, j] * (1 - s) + self.rest[i + 1, j] * s
        other = self.rest[i, j + 1] * (1 - s) + self.rest[i + 1, j + 1] * s
        down = down / np.ptp(tie.lines) + (lower - upper) / tall
        right = right / np.ptp(tie.pixels) + (other - left) / wide
        value = smooth + upper * (1 - s) + lower * s
        return value + down * (line - near[0]) + right * (pixel - near[1]), down, right


def _newton(tie: TieGrid, crs: CRS, x: Plane, y: Plane) -> tuple[Plane, Plane]:
    px, py = project(tie.lon, tie.lat, crs)
    across, along = Surface.through(tie, px), Surface.through(tie, py)
    line = np.full(x.shape, (tie.lines[0] + tie.lines[-1]) / 2)
    pixel = np.full(x.shape, (tie.pixels[0] + tie.pixels[-1]) / 2)
    for _ in range(_ITERATIONS):
        fx, xl, xp = across.tangent(line, pixel)
        fy, yl, yp = along.tangent(line, pixel)
        det = xl * yp - xp * yl
        rx, ry = x - fx, y - fy
        line, pixel = line + (yp * rx - xp * ry) / det, pixel + (xl * ry - yl * rx) / det
    return line, pixel


def _scaled(tie: TieGrid, line: Plane, pixel: Plane) -> tuple[Plane, Plane]:
    return (line - tie.lines[0]) / np.ptp(tie.lines), (pixel - tie.pixels[0]) / np.ptp(tie.pixels)


def _terms(u: Plane, v: Plane, points: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The monomials u^a v^b with a + b <= 3, as many as the points can fix, and their slopes along u and v."""
    powers = [(a, b) for a in range(min(4, points[0])) for b in range(min(4, points[1])) if a + b <= 3]
    value = np.stack([u**a * v**b for a, b in powers], axis=-1)
    down = np.stack([a * u ** max(a - 1, 0) * v**b for a, b in powers], axis=-1)
    right = np.stack([b * u**a * v ** max(b - 1, 0) for a, b in powers], axis=-1)
    return value, down, right


def _cell(knots: Float[np.ndarray, " _"], at: Plane) -> tuple[np.ndarray, np.ndarray]:
    low = np.clip(np.searchsorted(knots, at, "right") - 1, 0, len(knots) - 2)
    return low, (at - knots[low]) / np.diff(knots)[low]


def _bilinear(nodes: Float[np.ndarray, "i j"], rows: Float[np.ndarray, " h"], cols: Float[np.ndarray, " w"]) -> Plane:
    (i, s), (j, t) = _between(rows, nodes.shape[0]), _between(cols, nodes.shape[1])
    across = nodes[:, j] * (1 - t) + nodes[:, j + 1] * t
    return np.asarray(across[i] * (1 - s[:, None]) + across[i + 1] * s[:, None])


def _between(position: Float[np.ndarray, " _"], count: int) -> tuple[np.ndarray, np.ndarray]:
    scaled = (position + NODE_PX / 2) / NODE_PX
    low = np.clip(scaled.astype(int), 0, count - 2)
    return low, scaled - low


def _number(e: Element, name: str) -> float:
    found = text(e, name)
    if found is None:
        raise SceneUnreadable(f"a point of the geolocation grid has no <{name}>; download the product again, whole")
    return float(found)
