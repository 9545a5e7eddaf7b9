"""Names of Copernicus-Pretrain: layers, places and dates as its folders, members and JSON strings spell them.

A *layer* is one sensor in this data set under its own key ("s1_grd"). A *spot* is a place as it is named,
`0772176_-96.00_44.00`: an id and a centre rounded to 0.01 degrees, of a grid cell or of a *local* patch of some 2.6 km
within it (Sentinel-1 and -2 alone). A *label* names one patch of one date: "spot/local/date", "spot/date" or "spot".
(arXiv:2503.11849 and the published code; both layouts are described in docs/copernicus-pretrain.md.)
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from types import MappingProxyType

from pyproj import Transformer

from armillary.earth.cells import Cell
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.earth.window import Window
from armillary.errors import BadInput

BOX_M = 28_000.0
"""North-south size of what OLCI, Sentinel-5P and the DEM show of a cell: a buffer of 14 km round its centre."""

METRES_PER_DEGREE = 111_195.0
"""One degree of latitude on a sphere of 6,371 km: how a box in metres becomes one in degrees."""

DEM_DAY = date(2015, 1, 1)
"""The date that the data set gives to every DEM; GLO-30 itself was measured from 2010 to 2015."""

POLAR_LOCALS = range(1_200_001, 1_240_086)
"""Local ids of the polar round: harmonised Sentinel-2, and Sentinel-1 whose two channels may be HH and HV."""

OWN_LOCALS = 2_000_000
"""Local ids from here on were given by Armillary; the published ones end at 1,240,085."""

OFFSET_FROM = date(2022, 1, 25)
"""First day of Sentinel-2 processing baseline 04.00, whose counts are 1000 higher."""


@dataclass(frozen=True)
class Layer:
    """One sensor of the data set.

    Args:
        key: its name in JSON and in members, `<grid id>.<key>.pth`.
        sensor: the sensor of the fleet.
        folder: where its GeoTIFFs lie, below the root of the tree.
        side_px: nominal rows and columns.
        steps: dates that a shard holds for each patch; 0 for a layer without dates.
        local: True where a cell holds several small patches.
        dtype: of a shard's tensor.
    """

    key: str
    sensor: str
    folder: str
    side_px: int
    steps: int
    local: bool
    dtype: str = "float32"

    @property
    def axes(self) -> int:
        """How many axes a shard's tensor has."""
        return 5 if self.local else (4 if self.steps else 2)

    @property
    def bands(self) -> int:
        """How many channels."""
        return len(sensors[self.sensor].bands)

    @property
    def fleet(self) -> Sensor:
        """The sensor itself."""
        return sensors[self.sensor]


def _gas(key: str, folder: str) -> Layer:
    return Layer(f"s5p_{key}", f"s5p-{key}", f"s5p_l3_wgs/images/{folder}_column_number_density", 28, 12, local=False)


LAYERS: Mapping[str, Layer] = MappingProxyType(
    {
        x.key: x
        for x in (
            Layer("s1_grd", "s1-grd", "s1_grd_utm/images", 264, 4, local=True),
            Layer("s2_toa", "s2-l1c", "s2_toa_mix/images", 264, 4, local=True, dtype="int16"),
            Layer("s3_olci", "s3-olci", "s3_olci_wgs/images", 96, 8, local=False),
            _gas("co", "CO"),
            _gas("no2", "tropospheric_NO2"),
            _gas("o3", "O3"),
            _gas("so2", "SO2"),
            Layer("dem", "dem", "dem_grid_wgs/images", 960, 0, local=False),
        )
    }
)
"""Key -> layer, in the order in which the data set lists them."""

JSON_FOLDERS: Mapping[str, str] = MappingProxyType({"s3_olci_utm/": "s3_olci_wgs/"})
"""Folders that the published file list names, and those in which the files were released."""

_SPOT = re.compile(r"(\d{7})_(-?\d{1,3}\.\d{2})_(-?\d{1,2}\.\d{2})")
_DAY = re.compile(r"\d{8}")
_STAMP = re.compile(r"(?<!\d)(\d{8})T")
_DASHED = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


@dataclass(frozen=True, order=True)
class Spot:
    """A place as the data set names it.

    Example:
        >>> Spot.parse("0772176_-96.00_44.00")
        Spot(id=772176, lon=-96.0, lat=44.0)
        >>> Spot.of(Cell(906994)).name
        '0906994_128.50_67.25'
    """

    id: int
    lon: float
    lat: float

    @classmethod
    def parse(cls, name: str) -> "Spot":
        """From its name.

        Raises:
            BadInput: it is no such name.
        """
        found = _SPOT.fullmatch(name)
        if found is None:
            raise BadInput(f"{name!r} names no place of Copernicus-Pretrain; names look like 0772176_-96.00_44.00")
        return cls(int(found[1]), float(found[2]), float(found[3]))

    @classmethod
    def of(cls, cell: Cell) -> "Spot":
        """A cell of the grid."""
        return cls.parse(cell.folder)

    @property
    def name(self) -> str:
        """Id with seven digits, longitude and latitude with two decimals."""
        return f"{self.id:07d}_{self.lon:.2f}_{self.lat:.2f}"

    @property
    def key(self) -> str:
        """The id with seven digits."""
        return f"{self.id:07d}"


@dataclass(frozen=True)
class Label:
    """One patch of one date.

    Example:
        >>> label = Label.parse("0772176_-96.00_44.00/0865831_-95.92_43.96/20221121")
        >>> label.spot.id, label.local.id, label.day, label.text == str(label)
        (772176, 865831, '20221121', True)
    """

    spot: Spot
    local: Spot | None = None
    day: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Label":
        """From a string of a shard's JSON.

        Raises:
            BadInput: it is no such string.
        """
        spot, *rest = text.split("/")
        day = rest.pop() if rest and _DAY.fullmatch(rest[-1]) else None
        if len(rest) > 1:
            raise BadInput(f"{text!r} is no label of Copernicus-Pretrain; labels look like grid/local/date")
        return cls(Spot.parse(spot), Spot.parse(rest[0]) if rest else None, day)

    @property
    def text(self) -> str:
        """As the JSON writes it."""
        return "/".join([self.spot.name, *([self.local.name] if self.local else []), *([self.day] if self.day else [])])

    def __str__(self) -> str:
        return self.text


def day_of(key: str, name: str) -> str | None:
    """The date YYYYMMDD in a file's name: the first before a T, the first dashed one of a gas, none of the DEM.

    Raises:
        BadInput: there is none where one must be.

    Example:
        >>> day_of("s2_toa", "20201002T221611_20201002T221610_T60HWB.tif")
        '20201002'
        >>> day_of("s5p_co", "2021-01-01_2021-02-01.tif")
        '20210101'
    """
    if not LAYERS[key].steps:
        return None
    found = _DASHED.search(name) if key.startswith("s5p") else _STAMP.search(name)
    if found is None:
        wanted = "2021-01-01_2021-02-01.tif" if key.startswith("s5p") else "20201002T221611_....tif"
        raise BadInput(f"{name} of {key} has no date in its name; names look like {wanted}")
    return "".join(found.groups())


def time_of(key: str, day: str | None) -> datetime | None:
    """Midnight UTC of a date YYYYMMDD; of the DEM the date that the data set gives it.

    Raises:
        BadInput: no date of the calendar.
    """
    if not LAYERS[key].steps:
        return datetime(DEM_DAY.year, DEM_DAY.month, DEM_DAY.day, tzinfo=UTC)
    if day is None:
        return None
    try:
        return datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError as cause:
        raise BadInput(f"{day!r} of {key} is no date; dates look like 20210127") from cause


def count_shift(local: Spot | None, day: str | None) -> float:
    """What is added to Sentinel-2 counts of a patch before they are scaled.

    Counts from baseline 04.00 on were collected with their +1000, those of the polar round without it; the date alone
    tells, as nothing else is stored.
    """
    polar = local is not None and local.id in POLAR_LOCALS
    return -1000.0 if day is not None and not polar and day >= f"{OFFSET_FROM:%Y%m%d}" else 0.0


def window_of(key: str, spot: Spot, shape: tuple[int, int]) -> Window:
    """Where a tensor of a shard lies, as well as its name can tell: shards hold no georeference.

    Sentinel-1 and -2: UTM round the named centre, 10 m; the centre is rounded to 0.01 degrees, up to about 0.8 km off.
    The others: a grid of equal degrees round the centre of the cell, whose nominal rows span 28 km north to south;
    rows and columns of other shapes keep the nominal size of a pixel.
    """
    layer = LAYERS[key]
    rows, cols = shape
    if layer.local:
        return utm_window(spot.lon, spot.lat, shape, layer.fleet.gsd_m)
    step = BOX_M / METRES_PER_DEGREE / layer.side_px
    corner = (step, 0.0, spot.lon - cols * step / 2, 0.0, -step, spot.lat + rows * step / 2)
    return Window.of(shape, corner, "EPSG:4326")


def utm_window(lon: float | int, lat: float | int, shape: tuple[int, int], gsd_m: float | int) -> Window:
    """A north-up window of the UTM zone of a point, with the point in its middle; pixels of gsd_m metres."""
    crs = utm_of(lon, lat)
    x, y = _to(crs).transform(lon, lat)
    rows, cols = shape
    return Window.of(shape, (gsd_m, 0.0, x - cols * gsd_m / 2, 0.0, -gsd_m, y + rows * gsd_m / 2), crs)


def utm_of(lon: float | int, lat: float | int) -> str:
    """EPSG code of the UTM zone of a point, of the polar stereographic system beyond 84 and -80 degrees."""
    if not -80 <= lat <= 84:
        return "EPSG:5041" if lat > 0 else "EPSG:5042"
    zone = math.floor((lon + 180) / 6) % 60 + 1
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


@lru_cache(maxsize=128)
def _to(crs: str) -> Transformer:
    return Transformer.from_crs("EPSG:4326", crs, always_xy=True)
