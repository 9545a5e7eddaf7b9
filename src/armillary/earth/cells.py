"""The 0.25 degree grid of ERA5, on which Copernicus-Pretrain and Copernicus-Embed-025deg are laid out.

721 x 1440 *cells*, each centred on a multiple of 0.25 degrees and reaching 0.125 degrees to every side. Cell ids run
row by row from the south-west: id = row * 1440 + column, row 0 at the south pole, column 0 at longitude -180 (the grid
of arXiv:2503.11849). A cell owns its south and west edges. The cells of the first and last row touch a pole with their
centre, so half of each lies beyond it and counts for nothing.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from armillary.earth.ellipsoid import belt_km2
from armillary.errors import OutOfRange

STEP = 0.25
ROWS, COLS = 721, 1440


@dataclass(frozen=True, order=True)
class Cell:
    """One cell of the 0.25 degree grid, known by its id.

    Example:
        >>> c = Cell(772176)
        >>> c.lonlat, c.key, c.folder
        ((-96.0, 44.0), '0772176', '0772176_-96.00_44.00')
    """

    id: int

    def __post_init__(self) -> None:
        if not 0 <= self.id < ROWS * COLS:
            raise OutOfRange(
                f"cell {self.id} was asked for; ids of the 0.25 degree grid run from 0 to {ROWS * COLS - 1}"
            )

    @classmethod
    def at(cls, lon: float | int, lat: float | int) -> "Cell":
        """The cell that holds a point in degrees; any longitude, latitude in [-90, 90]."""
        if not (math.isfinite(lon) and -90 <= lat <= 90):
            raise OutOfRange(f"({lon}, {lat}) is no point on Earth; give longitude, then latitude, in degrees")
        return cls._of(_line(lat + 90), _line(lon + 180))

    @classmethod
    def _of(cls, row: int, col: int) -> "Cell":
        return cls(row * COLS + col % COLS)

    @property
    def row(self) -> int:
        """From 0 at the south pole."""
        return self.id // COLS

    @property
    def col(self) -> int:
        """From 0 at longitude -180."""
        return self.id % COLS

    @property
    def key(self) -> str:
        """The id in seven digits."""
        return f"{self.id:07d}"

    @property
    def folder(self) -> str:
        """The folder of this cell in the published archives: id_lon_lat of the centre."""
        lon, lat = self.lonlat
        return f"{self.key}_{lon:.2f}_{lat:.2f}"

    @property
    def lonlat(self) -> tuple[float, float]:
        """Degrees of the centre."""
        return self.col * STEP - 180, self.row * STEP - 90

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """(west, south, east, north) in degrees; west is -180.125 in the column that straddles the dateline."""
        lon, lat = self.lonlat
        return lon - STEP / 2, max(lat - STEP / 2, -90.0), lon + STEP / 2, min(lat + STEP / 2, 90.0)

    @property
    def area_km2(self) -> float:
        """Ground area on the WGS84 ellipsoid."""
        _, south, _, north = self.bounds
        return belt_km2(south, north, STEP)

    @property
    def neighbours(self) -> tuple["Cell", ...]:
        """The cells around this one on the lattice, from the south-west: eight, or five in the rows at the poles."""
        steps = ((r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0))
        return tuple(Cell._of(self.row + r, self.col + c) for r, c in steps if 0 <= self.row + r < ROWS)


def cells_in(west: float | int, south: float | int, east: float | int, north: float | int) -> Iterator[Cell]:
    """The cells that a box in degrees touches, row by row from the south-west; west > east crosses the dateline.

    A box edge that lies on the edge between two cells does not reach into the next one.

    Example:
        >>> [c.key for c in cells_in(179.8, 0, -179.9, 0)]
        ['0519839', '0518400']
    """
    if not -90 <= south <= north <= 90:
        raise OutOfRange(f"a box from latitude {south} to {north} was asked for; give south <= north within -90 to 90")
    span = east - west if east >= west else east - west + 360
    rows = range(_line(south + 90), max(_line(south + 90), _last(north + 90)) + 1)
    first = _line(west + 180)
    count = min(COLS, max(first, _last(west + 180 + span)) - first + 1)
    for row in rows:
        for col in range(first, first + count):
            yield Cell._of(row, col)


def _line(degrees: float | int) -> int:
    """Index of the lattice line whose cell holds a coordinate; the lower edge belongs to the cell."""
    return math.floor(degrees / STEP + 0.5)


def _last(degrees: float | int) -> int:
    """The same for an upper end of a box, which does not own the edge it lies on."""
    return math.ceil(degrees / STEP + 0.5) - 1
