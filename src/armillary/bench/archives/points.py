"""Readers of the labelled real sets that are tables: pixels through time, features of fields, values at places.

*Flat patch*: one measured pixel, repeated to the side of a token. An encoder sees its spectrum, its date and its place
there, and no texture. *Empty patch*: NaN all over; what an encoder makes of it, it knows from the place alone.
"""

import csv
import gzip
import math
import re
from calendar import monthrange
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO, StringIO
from math import cos, radians

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from jaxtyping import Float, Num
from pyproj import Transformer

from armillary.bench.archives.dealt import Dealt, block_name, of_groups, split_rows
from armillary.bench.files import Files
from armillary.bench.task import Items, Part, Reader
from armillary.earth.sensors import Sensor
from armillary.earth.window import Window
from armillary.errors import BadInput, SceneUnreadable
from armillary.sample.sample import Sample

_TILE = re.compile(r"_T(\d{2}[A-Z]{3})_")

POINT_PX = 16
"""Side of a flat or empty patch."""

DEGREE_M = 111_195.0
"""Of latitude, on a sphere of 6371 km."""

NODATA = 65535
DB_PER_COUNT, DB_SHIFT = 20.0, 83.0
"""WorldCereal: dB = 20 log10(count) - 83."""

ANNUAL_CROPS, UNSPECIFIED_CROPS = 11, 10
"""WorldCereal land-cover codes."""

NO_RADAR_DB = -49.9
"""Presto writes about -50 dB where Sentinel-1 saw nothing."""

PRESTO_S1 = ("VV", "VH")
PRESTO_S2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
"""First channels of Presto's tables, in their order."""

MONTHS = 12
BLOCK_DEG = 2.0
WIDE_BLOCK_DEG = 10.0
"""Sides of blocks of land, for regional and for global sets."""

FIELD_BLOCK_DEG = 0.25
"""The same for fields that all lie in one country."""


@dataclass(frozen=True, eq=False)
class Points:
    """Rows of a table.

    Args:
        keys: unique names.
        lonlat: degrees.
        groups: what a split never cuts.
        values: in the sensor's unit, NaN where nothing was measured; some steps of time per row.
        times: of each step, or None.
        truths: one per row.
    """

    keys: tuple[str, ...]
    lonlat: Float[np.ndarray, "n 2"]
    groups: tuple[str, ...]
    values: Float[np.ndarray, "n t c"]
    times: Callable[[int], tuple[datetime | None, ...]]
    truths: Num[np.ndarray, " n"]

    def dealt(self, sensor: Sensor, parts: tuple[Part, ...], names: tuple[str, ...]) -> Dealt:
        """As items of flat patches.

        Args:
            sensor: of the values.
            parts: of each row.
            names: of the files that every row is read from.
        """

        def see(i: int) -> tuple[Sample, ...]:
            lon, lat = self.lonlat[i].tolist()
            window = window_at(lon, lat, sensor.gsd_m)
            flat = (np.broadcast_to(v[:, None, None], (len(v), POINT_PX, POINT_PX)) for v in self.values[i])
            return tuple(
                Sample(np.array(x, dtype=np.float32), sensor, window, t)
                for x, t in zip(flat, self.times(i), strict=True)
            )

        return Dealt(self.keys, parts, self.groups, (names,) * len(self.keys), see, lambda i: self.truths[i][...])


def window_at(lon: float, lat: float, gsd_m: float) -> Window:
    """A patch of `POINT_PX` around a place, on a grid of degrees whose pixels have that area.

    Example:
        >>> [round(x, 6) for x in window_at(5.0, 60.0, 10.0).center], round(window_at(5.0, 60.0, 10.0).gsd_m, 1)
        ([5.0, 60.0], 10.0)
    """
    dy = gsd_m / DEGREE_M
    dx = dy / max(cos(radians(lat)), 0.01)
    half = POINT_PX / 2
    return Window.of((POINT_PX, POINT_PX), (dx, 0.0, lon - half * dx, 0.0, -dy, lat + half * dy), "EPSG:4326")


def worldcereal(sensor: Sensor) -> Reader:
    """Twelve months of points of the globe: annual cropland (1) or not (0); unspecified cropland is not asked."""
    name = "wc_testdf.parquet"
    size = {b: "10m" if b in ("B02", "B03", "B04", "B08") else "20m" for b in sensor.band_names}
    kind = "SAR" if sensor.unit == "dB" else "OPTICAL"
    columns = [[f"{kind}-{b}-ts{t}-{size[b]}" for b in sensor.band_names] for t in range(MONTHS)]

    def read(files: Files) -> Items:
        table = pq.read_table(pa.BufferReader(files.read(name)))
        code = table["LANDCOVER_LABEL"].to_numpy()
        asked = code != UNSPECIFIED_CROPS
        counts = np.stack([_columns(table, some) for some in columns], axis=1)[asked]
        counts = np.where(counts == NODATA, np.float32(np.nan), counts)
        starts = [datetime.fromisoformat(str(t)[:10]) for t, yes in zip(table["start_date"], asked, strict=True) if yes]
        lonlat = _columns(table, ("lon", "lat"), np.float64)[asked]
        points = Points(
            tuple(f"{lon:.5f} {lat:.5f} {n}" for n, (lon, lat) in enumerate(lonlat)),
            lonlat,
            _blocks(lonlat, WIDE_BLOCK_DEG),
            _decibel(counts) if kind == "SAR" else counts * np.float32(1e-4),
            lambda i: tuple(_middle(starts[i], t) for t in range(MONTHS)),
            (code[asked] == ANNUAL_CROPS).astype(np.int64),
        )
        return points.dealt(sensor, of_groups(points.groups, split_rows("blocks_10deg"), name), (name,))

    return read


def presto(sensor: Sensor, name: str) -> Reader:
    """A value at places from monthly pixels of which the month is told and the year is not, so that times are unknown.

    Args:
        sensor: Sentinel-1, or Sentinel-2 level 1C with the bands of `PRESTO_S2`.
        name: "fuel_moisture" or "algae_blooms".
    """
    folder = f"data/{name}/npy"
    names = tuple(f"{folder}/{part}.npy" for part in ("latlon", "s1_s2_era5_srtm", "target"))

    def read(files: Files) -> Items:
        latlon, table, target = (_array(files, n) for n in names)
        radar, lonlat = table[..., :2], latlon[:, ::-1].astype(np.float64)
        steps = table.shape[1]
        points = Points(
            tuple(f"{n:05d}" for n in range(len(target))),
            lonlat,
            _blocks(lonlat, BLOCK_DEG),
            np.where(radar < NO_RADAR_DB, np.nan, radar) if sensor.unit == "dB" else table[..., 2:13] * 1e-4,
            lambda _: (None,) * steps,
            target.astype(np.float32),
        )
        return points.dealt(sensor, of_groups(points.groups, split_rows("blocks_2deg"), name), names)

    return read


def crops(sensor: Sensor, classes: tuple[str, ...]) -> Reader:
    """Fields with seasonal features, whose scaling nobody tells: a table for learners that need none."""
    name = "croptype_s1s2_features.csv.gz"

    def read(files: Files) -> Items:
        table = pc.read_csv(BytesIO(gzip.decompress(files.read(name))))
        lonlat = _utm(_columns(table, ("x", "y"), np.float64), "EPSG:32631")
        points = Points(
            tuple(f"{n:05d}" for n in range(len(lonlat))),
            lonlat,
            _blocks(lonlat, FIELD_BLOCK_DEG),
            _columns(table, sensor.band_names)[:, None],
            lambda _: (None,),
            np.array([classes.index(c) for c in table["label"].to_pylist()], dtype=np.int64),
        )
        return points.dealt(sensor, of_groups(points.groups, split_rows("blocks_srr2"), name), (name,))

    return read


def stations(sensor: Sensor) -> Reader:
    """Mean NO2 of European stations from what a table tells of them; a station's place is its Sentinel-2 tile's.

    The tile is in the name of the scene that others paired with the station.
    """
    told = tuple(f"no2_stations/{n}.csv" for n in ("samples_S2S5P_2018_2020_eea", "local_no2_data", "local_no2_osm"))

    def read(files: Files) -> Items:
        samples, local, osm = (_rows(files, n) for n in told)
        facts = {r["AirQualityStation"]: r for r in local}
        for row in osm:
            facts[row["AirQualityStation"]] = {**facts.get(row["AirQualityStation"], {}), **row}
        rows = [r for r in samples if r["no2"] and set(sensor.band_names) <= set(facts.get(r["AirQualityStation"], ()))]
        tiles = [_tile(r["img_path"]) for r in rows]
        where = {r["group"]: (float(r["lon"]), float(r["lat"])) for r in split_rows("no2_tiles")}
        parts = of_groups(tiles, split_rows("no2_tiles"), told[0])
        names = [r["AirQualityStation"] for r in rows]
        points = Points(
            tuple(f"{name} {n}" for n, name in enumerate(names)),
            np.array([where[t] for t in tiles]),
            tuple(tiles),
            np.array([[[_number(facts[n][b]) for b in sensor.band_names]] for n in names], dtype=np.float32),
            lambda _: (None,),
            np.array([float(r["no2"]) for r in rows], dtype=np.float32),
        )
        return points.dealt(sensor, parts, told)

    return read


def places(sensor: Sensor, name: str, column: str) -> Reader:
    """A value at coordinates, behind empty patches.

    Args:
        sensor: of the patches.
        name: of the table, without ".csv".
        column: that holds the value.
    """
    file = f"{name}.csv"

    def read(files: Files) -> Items:
        rows = [{k.lower(): v for k, v in r.items()} for r in _rows(files, file)]
        values = np.array([[_number(r[k]) for k in ("lon", "lat", column.lower())] for r in rows])
        values = values[np.isfinite(values).all(axis=1)]
        lonlat = values[:, :2]
        points = Points(
            tuple(f"{lon:.5f} {lat:.5f} {n}" for n, (lon, lat) in enumerate(lonlat)),
            lonlat,
            _blocks(lonlat, WIDE_BLOCK_DEG),
            np.full((len(lonlat), 1, len(sensor.bands)), np.nan, dtype=np.float32),
            lambda _: (None,),
            values[:, 2].astype(np.float32),
        )
        return points.dealt(sensor, of_groups(points.groups, split_rows("blocks_10deg"), name), (file,))

    return read


def _blocks(lonlat: Float[np.ndarray, "n 2"], side_deg: float) -> tuple[str, ...]:
    return tuple(block_name(float(lon), float(lat), side_deg) for lon, lat in lonlat)


def _decibel(counts: Float[np.ndarray, "n t c"]) -> Float[np.ndarray, "n t c"]:
    return DB_PER_COUNT * np.log10(np.where(counts > 0, counts, np.nan)) - DB_SHIFT


def _middle(start: datetime, months: int) -> datetime:
    """Two weeks into a month of a series that starts on some day."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, monthrange(year, month + 1)[1])
    return datetime(year, month + 1, day, tzinfo=UTC) + timedelta(days=14)


def _utm(xy: Float[np.ndarray, "n 2"], crs: str) -> Float[np.ndarray, "n 2"]:
    """Degrees of places in a projected CRS."""
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(xy[:, 0], xy[:, 1])
    return np.stack([lon, lat], axis=1)


def _columns(table: pa.Table, names: Sequence[str], kind: type = np.float32) -> Float[np.ndarray, "n c"]:
    return np.stack([table[name].to_numpy().astype(kind) for name in names], axis=1)


def _rows(files: Files, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(files.read(name).decode())))


def _tile(path: str) -> str:
    """Of a scene's name.

    Raises:
        BadInput: the name has none.
    """
    found = _TILE.search(path)
    if found is None:
        raise BadInput(f"{path!r} names no Sentinel-2 tile; the table of stations is another than that of 2018 to 2020")
    return found[1]


def _number(text: str) -> float:
    return float(text) if text else math.nan


def _array(files: Files, name: str) -> np.ndarray:
    try:
        array: np.ndarray = np.load(BytesIO(files.read(name)), allow_pickle=False)
    except ValueError as cause:
        raise SceneUnreadable(f"{name} of {files.where} is no array of numbers: {cause}; fetch it again") from cause
    return array
