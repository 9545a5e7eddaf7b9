"""Major TOM: the world grid of about 10 km on which its data sets are cut (arXiv:2402.12095).

Rows of equal height start at the equator (`0U` north of it, `1D` south of it); each row is cut into columns of about
10 km along its lower edge, starting at longitude 0 (`0R` east of it, `1L` west of it). The id of a cell is `row_col`,
its reference point the south-west corner. Earth is a sphere of 6378.137 km here, as the grid defines it.

Two *namings* agree but for single points:

- "closed": the definition above; a cell owns its south and west edges. The cell that straddles longitude 180 in a row
  with an odd number of columns is its last R column.
- "library": the names that published files bear. A coordinate exactly on a line counts to the cell below and left of
  it, and in some rows with an even number of columns float rounding names the first column west of the dateline n/2 R
  instead of n/2 L. Published files lie between 85 degrees south and 85 north.
"""

import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from pyproj import Transformer

from armillary.earth.window import Window
from armillary.errors import BadInput, OutOfRange

Naming = Literal["closed", "library"]
EARTH_KM = 6378.137
FOOTPRINT_M, MARGIN_M, PIXEL_M = 10_680, 340, 10
"""A published 10 km product is 1068 x 1068 px of 10 m: the cell and a margin of 340 m around it."""
SNAPPED_M, LATTICE_M = 10_560, 60
"""A product of the newer sets (ids with MT10_) is 1056 x 1056 px of 10 m, its edges on whole pixels of 60 m."""
PUBLISHED_LAT = 85.0
_ID = re.compile(r"(\d+)([UD])_(\d+)([LR])")


@dataclass(frozen=True)
class Cell:
    """One cell of the grid.

    Args:
        row: counted from the equator, negative south of it.
        col: counted from longitude 0, negative west of it.
        dist_km: the spacing of the grid.
        id: `row_col` as its naming writes it.

    Example:
        >>> c = from_id("433U_1027R")
        >>> str(c)
        '433U_1027R'
        >>> [round(v, 4) for v in c.southwest], [round(v, 3) for v in c.center], c.epsg
        ([118.5, 38.8922], [118.558, 38.937], 32650)
    """

    row: int
    col: int
    dist_km: float
    id: str

    def __str__(self) -> str:
        return self.id

    @property
    def southwest(self) -> tuple[float, float]:
        """(lon, lat) in degrees of the reference point."""
        return self.bounds[:2]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) in degrees; east exceeds 180 in a cell that straddles the dateline."""
        height, width = _height(self.dist_km), 360 / _columns(self.row, self.dist_km)
        west, south = self.col * width, self.row * height
        return west, max(south, -90.0), west + width, min(south + height, 90.0)

    @property
    def center(self) -> tuple[float, float]:
        """(lon, lat) in degrees of the middle, longitude in [-180, 180)."""
        west, south, east, north = self.bounds
        return ((west + east) / 2 + 180) % 360 - 180, (south + north) / 2

    @property
    def epsg(self) -> int:
        """The UTM zone of the south-west corner, with the exceptions of Norway and Svalbard."""
        lon, lat = self.southwest
        return (32600 if lat >= 0 else 32700) + _utm_zone(lon, lat)

    @cached_property
    def footprint(self) -> Window:
        """The window of the published 10 m product: 1068 x 1068 px in UTM, in most cells exactly."""
        to_utm = Transformer.from_crs("EPSG:4326", f"EPSG:{self.epsg}", always_xy=True)
        x, y = to_utm.transform(*self.southwest)
        side = FOOTPRINT_M // PIXEL_M
        left, top = x - MARGIN_M, y - MARGIN_M + FOOTPRINT_M
        return Window.of((side, side), (PIXEL_M, 0.0, left, 0.0, -PIXEL_M, top), f"EPSG:{self.epsg}")

    @cached_property
    def snapped_footprint(self) -> Window:
        """The window of the newer 10 m products: 1056 x 1056 px on the 60 m lattice of Sentinel-2, about the middle.

        The middle of the cell, in the UTM zone in which it lies, moves to the nearest point of the lattice (multiples
        of 60 m from the equator).
        """
        lon, lat = self.center
        epsg = (32600 if lat >= 0 else 32700) + _utm_zone(lon, lat)
        x, y = Transformer.from_crs("EPSG:4326", f"EPSG:{epsg}", always_xy=True).transform(lon, lat)
        y0 = 0.0 if lat >= 0 else 10_000_000 % LATTICE_M
        x, y = LATTICE_M * round(x / LATTICE_M), y0 + LATTICE_M * round((y - y0) / LATTICE_M)
        side = SNAPPED_M // PIXEL_M
        left, top = x - SNAPPED_M / 2, y + SNAPPED_M / 2
        return Window.of((side, side), (PIXEL_M, 0.0, left, 0.0, -PIXEL_M, top), f"EPSG:{epsg}")


def cell(lat: float | int, lon: float | int, naming: Naming = "closed", dist_km: float | int = 10) -> Cell:
    """The cell that holds a point.

    Args:
        lat: degrees, -90 to 90; for naming="library" only where cells are published, from -84.97 to 85.06.
        lon: degrees; any finite longitude is brought to [-180, 180).
        naming: "closed", or "library" to look published files up.
        dist_km: spacing of the grid.

    Raises:
        OutOfRange: no point on Earth, or none that the naming covers.

    Example:
        >>> cell(41.9, 12.5).id, cell(0, 0).id, cell(0, 0, naming="library").id
        ('466U_103R', '0U_0R', '1D_1L')
    """
    if not (math.isfinite(lon) and -90 <= lat <= 90):
        raise OutOfRange(f"(lat {lat}, lon {lon}) is no point on Earth; give latitude, then longitude, in degrees")
    if not dist_km > 0:
        raise OutOfRange(f"a grid spacing of {dist_km} km was asked for; give more than 0")
    lat, lon, dist_km = float(lat), float(lon), float(dist_km)
    if not -180 <= lon < 180:
        lon = (lon + 180) % 360 - 180
    match naming:
        case "closed":
            return _closed(lat, lon, dist_km)
        case "library":
            return _library(lat, lon, dist_km)
        case _:
            raise BadInput(f"naming={naming!r} was asked for; there are 'closed' and 'library'")


def from_id(id: str, dist_km: float | int = 10) -> Cell:
    """The cell of an id in either naming.

    Raises:
        BadInput: not an id of this grid.

    Example:
        >>> from_id("0U_199R").bounds[1]
        0.0
    """
    match = _ID.fullmatch(id.strip())
    if match is None:
        raise BadInput(f"{id!r} is no Major TOM cell; an id looks like 433U_1027R or 12D_3L")
    row = int(match[1]) if match[2] == "U" else -int(match[1])
    col = int(match[3]) if match[4] == "R" else -int(match[3])
    half = math.ceil(90 / _height(dist_km))
    n = _columns(row, dist_km) if -half <= row < half else 0
    if not -(n // 2) <= col <= n // 2 or n == 0 or "0D" in id.split("_") or id.endswith("_0L"):
        raise BadInput(f"{id!r} is outside the grid of {dist_km} km; its rows run from {half}D to {half - 1}U")
    if col == n // 2 and n % 2 == 0:  # the library's other name of the first column
        col = -col
    return Cell(row, col, float(dist_km), id.strip())


def cells_in(
    west: float | int, south: float | int, east: float | int, north: float | int, dist_km: float | int = 10
) -> Iterator[Cell]:
    """The cells that a box in degrees touches, row by row from the south-west; west > east crosses the dateline.

    A box edge that lies on the edge between two cells does not reach into the next one.

    Example:
        >>> [c.id for c in cells_in(-0.01, -0.01, 0.01, 0.01)]
        ['1D_1L', '1D_0R', '0U_1L', '0U_0R']
    """
    if not -90 <= south <= north <= 90:
        raise OutOfRange(f"a box from latitude {south} to {north} was asked for; give south <= north within -90 to 90")
    dist_km = float(dist_km)
    span = min(360.0, east - west if east >= west else east - west + 360)
    start = float((west + 180) % 360 - 180)
    height = _height(dist_km)
    lowest = _row_of(float(south), dist_km)
    for row in range(lowest, max(lowest, min(math.ceil(north / height) - 1, _row_of(90.0, dist_km))) + 1):
        n = _columns(row, dist_km)
        first = _lines_below(start, 360 / n)
        last = max(first, math.ceil((start + span) * n / 360) - 1)
        for col in range(first, min(last, first + n - 1) + 1):
            yield _named(row, _wrap(col, n), dist_km)


def _closed(lat: float, lon: float, dist_km: float) -> Cell:
    row = _row_of(lat, dist_km)
    n = _columns(row, dist_km)
    return _named(row, _wrap(_lines_below(lon, 360 / n), n), dist_km)


def _row_of(lat: float, dist_km: float) -> int:
    """The north pole belongs to the last row below it."""
    height = _height(dist_km)
    return min(_lines_below(lat, height), math.ceil(90 / height) - 1)


def _lines_below(value: float, step: float) -> int:
    """The k with k * step <= value < (k + 1) * step, where rounding of the quotient alone may miss by one."""
    k = math.floor(value / step)
    return k + ((k + 1) * step <= value) - (k * step > value)


def _wrap(col: int, n: int) -> int:
    """Columns run from -floor(n/2) to ceil(n/2) - 1; the cell beyond either end is the one at the other."""
    return (col + n // 2) % n - n // 2


def _library(lat: float, lon: float, dist_km: float) -> Cell:
    """A binary search, from the left and less one, among the lower edges as numpy spaces them."""
    rows = _library_rows(dist_km)
    at = bisect_left(rows, lat) - 1
    if at < 0 or lat > rows[-1] + _height(dist_km):
        raise OutOfRange(
            f"latitude {lat} was asked for; published cells cover {rows[0]:.4f} to {rows[-1] + _height(dist_km):.4f} "
            "(the lower end excluded); use naming='closed' beyond"
        )
    row = at - bisect_left(rows, 0.0)
    cols = _library_columns(row, dist_km)
    col = (bisect_left(cols, lon) - 1) % len(cols) - bisect_left(cols, 0.0)
    id = _id(row, col)
    return Cell(row, -col if 2 * col == len(cols) else col, dist_km, id)


@lru_cache(maxsize=8)
def _library_rows(dist_km: float) -> tuple[float, ...]:
    edges = _wrapped(90.0, math.ceil(math.pi * EARTH_KM / dist_km))
    return tuple(e for e in edges if abs(e) <= PUBLISHED_LAT)


@lru_cache(maxsize=64)
def _library_columns(row: int, dist_km: float) -> tuple[float, ...]:
    return _wrapped(180.0, _columns(row, dist_km))


def _wrapped(half: float, n: int) -> tuple[float, ...]:
    """Lines from -half, moved by half a turn and sorted: the arithmetic whose rounding decides published names."""
    lines: list[float] = np.sort(np.mod(np.linspace(-half, half, n + 1)[:-1], 2 * half) - half).tolist()
    return tuple(lines)


def _height(dist_km: float | int) -> float:
    """Degrees of latitude of one row."""
    return 180 / math.ceil(math.pi * EARTH_KM / dist_km)


def _columns(row: int, dist_km: float | int) -> int:
    """Cells around the Earth along the lower edge of a row."""
    lower = math.radians(max(-90.0, row * _height(dist_km)))
    return max(1, math.ceil(2 * math.pi * EARTH_KM * math.cos(lower) / dist_km))


def _named(row: int, col: int, dist_km: float) -> Cell:
    return Cell(row, col, dist_km, _id(row, col))


def _id(row: int, col: int) -> str:
    return f"{abs(row)}{'U' if row >= 0 else 'D'}_{abs(col)}{'R' if col >= 0 else 'L'}"


def _utm_zone(lon: float, lat: float) -> int:
    lon = (lon + 180) % 360 - 180
    if 56 <= lat < 64 and 3 <= lon < 12:
        return 32
    if 72 <= lat <= 84 and 0 <= lon < 42:
        return 31 if lon < 9 else 33 if lon < 21 else 35 if lon < 33 else 37
    return int((lon + 180) // 6) + 1
