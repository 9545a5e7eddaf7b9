"""Window: the place of a raster. A coordinate system, an affine and a shape that change together (odc-geo's GeoBox).

Angles are degrees, lengths metres, areas square kilometres. Longitudes come back in [-180, 180).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Geod, Transformer
from pyproj.exceptions import CRSError, ProjError

from armillary.earth.ellipsoid import belt_km2
from armillary.errors import BadInput, OutOfRange, PlaceUnknown

_EARTH = Geod(ellps="WGS84")
_EDGE_STEPS = 8
"""Points per side of a pixel's outline, so that an edge that bends on the ground is followed."""


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels with its place.

    Args:
        box: CRS + affine + shape. The CRS may be None: then pixels have an order but no place on Earth.

    Example:
        >>> w = Window.of((4, 6), (10.0, 0.0, 500000.0, 0.0, -10.0, 5200000.0), "EPSG:32632")
        >>> w.crop(rows=slice(1, 3), cols=slice(0, 2)).shape
        (2, 2)
    """

    box: GeoBox

    @classmethod
    def of(cls, shape: tuple[int, int], affine: tuple[float | int, ...] | Affine, crs: object | None) -> "Window":
        """From (rows, cols), a row-major affine [a, b, c, d, e, f] and anything that names a CRS.

        Raises:
            OutOfRange: no rows or columns, or an affine that flattens the plane.
            BadInput: nothing that names a CRS.
        """
        rows, cols = int(shape[0]), int(shape[1])
        if min(rows, cols) <= 0:
            raise OutOfRange(f"a window needs at least one row and one column, got {rows} x {cols}; check the file")
        six = Affine(*tuple(affine)[:6])
        if not (all(map(math.isfinite, tuple(six))) and six.determinant != 0):
            raise OutOfRange(f"the affine {tuple(six)[:6]} flattens the plane; check the geotransform of the file")
        return cls(GeoBox((rows, cols), six, None if crs is None else _read_crs(crs)))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return int(self.box.shape.y), int(self.box.shape.x)

    @property
    def affine(self) -> Affine:
        """Pixel corner (col, row) -> (x, y) in the CRS."""
        return self.box.affine

    @property
    def crs(self) -> CRS | None:
        """The coordinate system, None when unknown."""
        return self.box.crs

    @property
    def is_upright(self) -> bool:
        """True when rows run along y and columns along x (no rotation, no shear)."""
        return bool(abs(self.affine.b) < 1e-9 * abs(self.affine.a) and abs(self.affine.d) < 1e-9 * abs(self.affine.e))

    def crop(self, *, rows: slice, cols: slice) -> "Window":
        """The part that these rows and columns cover; may reach beyond the edge (negative or too large indices).

        An open end of a slice is the edge of the window; every other index is taken as it is, never from the end.
        """
        h, w = self.shape
        row, stop_row = _ends(rows, h)
        col, stop_col = _ends(cols, w)
        shape = (stop_row - row, stop_col - col)
        if min(shape) <= 0:
            raise OutOfRange(f"a crop needs at least one row and one column, got {shape}; give stop > start")
        return Window(GeoBox(shape, self.affine @ Affine.translation(col, row), self.crs))

    def coarsen(self, factor: int) -> "Window":
        """One pixel for each factor x factor block, from the same corner; a ragged edge is dropped."""
        h, w = self.shape
        if not 1 <= factor <= min(h, w):
            raise OutOfRange(f"a window of {h} x {w} cannot be coarsened by {factor}; give 1 to {min(h, w)}")
        return Window(GeoBox((h // factor, w // factor), self.affine @ Affine.scale(factor), self.crs))

    def flip(self) -> "Window":
        """Columns reversed, as pixels are by a left-right flip."""
        w = self.shape[1]
        return Window(GeoBox(self.shape, self.affine @ Affine.translation(w, 0) @ Affine.scale(-1, 1), self.crs))

    def lonlat(self, row: float | int, col: float | int) -> tuple[float, float]:
        """Degrees (lon, lat) of a point in pixel coordinates; (0, 0) is the outer corner of the first pixel.

        Raises:
            PlaceUnknown: no CRS, or one that has no place on Earth.
            OutOfRange: the point lies outside the domain of the CRS.
        """
        x, y = self.affine @ (col, row)
        if self.crs is None:
            raise PlaceUnknown("a longitude and latitude were asked of pixels without a CRS; give crs= when opening")
        return _to_lonlat(self.crs)(x, y)

    @property
    def center(self) -> tuple[float, float]:
        """Degrees (lon, lat) of the middle."""
        h, w = self.shape
        return self.lonlat(h / 2, w / 2)

    @property
    def pixel_km2(self) -> float:
        """Ground area of the middle pixel on the WGS84 ellipsoid; nan without a CRS.

        Exact for an upright geographic grid (a cell between two parallels); elsewhere the geodesic polygon through
        eight points of each side.
        """
        if self.crs is None:
            return float("nan")
        h, w = self.shape
        if self.crs.geographic and self.is_upright:
            (_, y0), (_, y1) = self.affine @ (w / 2, h / 2 - 0.5), self.affine @ (w / 2, h / 2 + 0.5)
            unit = math.degrees(self.crs.proj.axis_info[0].unit_conversion_factor)  # degrees in one unit of the CRS
            return belt_km2(y0 * unit, y1 * unit, abs(self.affine.a) * unit)
        lons, lats = zip(*(self.lonlat(r, c) for r, c in _outline(h / 2, w / 2)), strict=True)
        area, _ = _EARTH.polygon_area_perimeter(np.asarray(lons), np.asarray(lats))
        return float(abs(area) / 1e6)

    @property
    def gsd_m(self) -> float:
        """Ground size of the middle pixel: the side of a square of its area; nan without a CRS."""
        return math.sqrt(self.pixel_km2) * 1000


def _read_crs(crs: object) -> CRS:
    """Whatever names a CRS: EPSG code, authority string, WKT, PROJ text, pyproj, rasterio or odc-geo CRS."""
    try:
        return CRS(crs)
    except (CRSError, TypeError, ValueError) as cause:
        raise BadInput(f"{crs!r} names no coordinate system; give an EPSG code such as EPSG:32632, or WKT") from cause


def _ends(s: slice, n: int) -> tuple[int, int]:
    return (0 if s.start is None else int(s.start)), (n if s.stop is None else int(s.stop))


def _outline(row: float, col: float) -> Iterator[tuple[float, float]]:
    """Points around the pixel of which (row, col) is the middle."""
    corners = ((-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5))
    for (r0, c0), (r1, c1) in zip(corners, corners[1:] + corners[:1], strict=True):
        for i in range(_EDGE_STEPS):
            t = i / _EDGE_STEPS
            yield row + r0 + t * (r1 - r0), col + c0 + t * (c1 - c0)


@lru_cache(maxsize=256)
def _to_lonlat(crs: CRS) -> Callable[[float, float], tuple[float, float]]:
    """The projection from this CRS to degrees; kept, because building it costs far more than using it."""
    try:
        transformer = Transformer.from_crs(crs.proj, "EPSG:4326", always_xy=True)
    except ProjError as cause:
        raise PlaceUnknown(
            f"{crs.proj.name} has no place on Earth (a local or engineering system); give crs= when opening"
        ) from cause

    def project(x: float, y: float) -> tuple[float, float]:
        lon, lat = transformer.transform(x, y)
        if not (math.isfinite(lon) and math.isfinite(lat) and abs(lat) <= 90 + 1e-9):
            raise OutOfRange(
                f"({x}, {y}) lies outside the domain of {crs.proj.name}; check the affine and the CRS of the file"
            )
        return (float(lon) + 180.0) % 360.0 - 180.0, float(lat)

    return project
