"""Window: the place of a raster. A coordinate system, an affine and a shape that change together (odc-geo's GeoBox).

Angles are degrees, lengths metres, areas square kilometres. Longitudes come back in [-180, 180).
"""

from dataclasses import dataclass

import numpy as np
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Geod, Transformer

from armillary.errors import OutOfRange, PlaceUnknown

_EARTH = Geod(ellps="WGS84")


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
    def of(cls, shape: tuple[int, int], affine: tuple[float, ...] | Affine, crs: object | None) -> "Window":
        """From (rows, cols), a row-major affine [a, b, c, d, e, f] and anything that names a CRS."""
        return cls(GeoBox(shape, Affine(*tuple(affine)[:6]), crs))

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
        """The part that these rows and columns cover; may reach beyond the edge (negative or too large indices)."""
        row, col = int(rows.start or 0), int(cols.start or 0)
        shape = (int(rows.stop) - row, int(cols.stop) - col)
        if min(shape) <= 0:
            raise OutOfRange(f"a crop needs at least one row and one column, got {shape}; give stop > start")
        return Window(GeoBox(shape, self.affine * Affine.translation(col, row), self.crs))

    def coarsen(self, factor: int) -> "Window":
        """One pixel for each factor x factor block, from the same corner; a ragged edge is dropped."""
        h, w = self.shape
        return Window(GeoBox((h // factor, w // factor), self.affine * Affine.scale(factor), self.crs))

    def flip(self) -> "Window":
        """Columns reversed, as pixels are by a left-right flip."""
        w = self.shape[1]
        return Window(GeoBox(self.shape, self.affine * Affine.translation(w, 0) * Affine.scale(-1, 1), self.crs))

    def lonlat(self, row: float, col: float) -> tuple[float, float]:
        """Degrees (lon, lat) of a point in pixel coordinates; (0, 0) is the outer corner of the first pixel."""
        x, y = self.affine * (col, row)
        if self.crs is None:
            raise PlaceUnknown("a longitude and latitude were asked of pixels without a CRS; give crs= when opening")
        lon, lat = _to_lonlat(self.crs)(x, y)
        return (lon + 180.0) % 360.0 - 180.0, lat

    @property
    def center(self) -> tuple[float, float]:
        """Degrees (lon, lat) of the middle."""
        h, w = self.shape
        return self.lonlat(h / 2, w / 2)

    @property
    def pixel_km2(self) -> float:
        """Ground area of the middle pixel on the WGS84 ellipsoid; nan without a CRS."""
        if self.crs is None:
            return float("nan")
        h, w = self.shape
        corners = [self.lonlat(h / 2 + i, w / 2 + j) for i, j in ((-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5))]
        area, _ = _EARTH.polygon_area_perimeter(*zip(*corners, strict=True))
        return abs(area) / 1e6

    @property
    def gsd_m(self) -> float:
        """Ground size of the middle pixel: the side of a square of its area; nan without a CRS."""
        return float(np.sqrt(self.pixel_km2)) * 1000


def _to_lonlat(crs: CRS):  # noqa: ANN202
    transformer = Transformer.from_crs(crs.proj, "EPSG:4326", always_xy=True)

    def project(x: float, y: float) -> tuple[float, float]:
        lon, lat = transformer.transform(x, y)
        if not (np.isfinite(lon) and np.isfinite(lat)):
            raise OutOfRange(f"({x}, {y}) lies outside the domain of {crs}; check the affine and the CRS of the file")
        return float(lon), float(lat)

    return project
