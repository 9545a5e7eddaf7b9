"""Records: which product of which cell lies in which row of which file, as `metadata.parquet` says.

What a set's table lacks is unknown: NaN for a number, "id" for a product. Times are read from timestamps, dates and
text alike; the published spelling EPSG:EPSG:32633 is understood; ids may carry the prefix of the grid (MT10_).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float, Int, Shaped

from armillary.earth.majortom import from_id
from armillary.earth.when import find_time, from_days, parse_iso, to_days
from armillary.errors import BadInput, SceneUnreadable
from armillary.scene.majortom.sets import NO_PRODUCT, Set, column_of

METADATA = "metadata.parquet"
TIMES = ("timestamp", "product_datetime", "datetime", "time")
"""Columns that hold the time of a product, the first that is there counts."""


@dataclass(frozen=True)
class Record:
    """One product of one cell.

    Args:
        set: name of its set.
        cell: id of the cell, without the prefix of the grid.
        product: its id, "id" where the set has none.
        href: of the Parquet file, or the folder of the product, as written.
        row: position in the file, from 0; -1 in a tree of files.
        time: when it was sensed.
        crs: as "EPSG:32633", None when the table does not say.
    """

    set: str
    cell: str
    product: str
    href: str
    row: int
    time: datetime | None
    crs: str | None


@dataclass(frozen=True, eq=False)
class Records:
    """The rows of one set, column by column.

    Args:
        set: the set.
        home: path or URL of the folder in which relative names lie.
        cell: ids.
        product: ids.
        href: of the file of each.
        row: position in it.
        days: since 1970-01-01, NaN when unknown.
        cloud: percent under cloud, NaN when unknown.
        nodata: share of pixels without data, 0 to 1, NaN when unknown.
        lon: of the middle of the cell, degrees.
        lat: the same.
        crs: "EPSG:32633", "" when unknown.
    """

    set: Set
    home: str
    cell: Shaped[np.ndarray, " n"]
    product: Shaped[np.ndarray, " n"]
    href: Shaped[np.ndarray, " n"]
    row: Int[np.ndarray, " n"]
    days: Float[np.ndarray, " n"]
    cloud: Float[np.ndarray, " n"]
    nodata: Float[np.ndarray, " n"]
    lon: Float[np.ndarray, " n"]
    lat: Float[np.ndarray, " n"]
    crs: Shaped[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.cell)

    def __getitem__(self, i: int) -> Record:
        """One row."""
        days = float(self.days[i])
        return Record(
            self.set.name,
            str(self.cell[i]),
            str(self.product[i]),
            str(self.href[i]),
            int(self.row[i]),
            from_days(days) if np.isfinite(days) else None,
            str(self.crs[i]) or None,
        )

    def take(self, which: Shaped[np.ndarray, " m"]) -> "Records":
        """Some of the rows: positions, or a mask."""
        named = [f.name for f in fields(self) if f.name not in ("set", "home")]
        return replace(self, **{name: getattr(self, name)[which] for name in named})

    def unique(self) -> "Records":
        """One row per product and cell: the one that lies first in the first file. Published tables repeat some."""
        order = np.lexsort((self.row, self.href.astype(str)))
        seen: dict[tuple[str, str], int] = {}
        for i in order.tolist():
            seen.setdefault((self.cell[i], self.product[i]), i)
        return self.take(np.sort(np.fromiter(seen.values(), np.int64, len(seen))))


def read_records(table: pa.Table, found: Set, home: str, origin: str) -> Records:
    """A table of metadata.

    Args:
        table: its rows; only `grid_cell`, `parquet_url` and `parquet_row` must be there.
        found: the set that it is of.
        home: path or URL of its folder.
        origin: what to call it in messages.

    Raises:
        SceneUnreadable: a column that must be there is not, or a cell that is none.
    """
    names = table.column_names
    absent = [n for n in ("grid_cell", "parquet_url", "parquet_row") if column_of(n, names) is None]
    if absent:
        raise SceneUnreadable(
            f"{origin} lacks {', '.join(absent)}: it is no metadata of Major TOM; it has {', '.join(names[:8])}"
        )
    n = table.num_rows
    cells = _text(table, "grid_cell", "")
    cells = np.array([plain_cell(c) for c in cells], object)
    lon, lat = _numbers(table, "centre_lon"), _numbers(table, "centre_lat")
    if np.isnan(lon).any() or np.isnan(lat).any():
        centers = [_center(c, origin) for c in cells]
        lon = np.where(np.isnan(lon), [c[0] for c in centers] or lon, lon)
        lat = np.where(np.isnan(lat), [c[1] for c in centers] or lat, lat)
    products = _text(table, "product_id", NO_PRODUCT)
    return Records(
        found,
        home,
        cells,
        products,
        _text(table, "parquet_url", ""),
        _numbers(table, "parquet_row").astype(np.int64) if n else np.zeros(0, np.int64),
        _days(table, products),
        _numbers(table, "cloud_cover"),
        _numbers(table, "nodata"),
        lon,
        lat,
        np.array(
            [re.sub(r"^(EPSG:)+", "EPSG:", c.strip(), flags=re.IGNORECASE) for c in _text(table, "crs", "")], object
        ),
    )


def read_metadata(source: object, found: Set, home: str, origin: str) -> Records:
    """`metadata.parquet` from a path or an open file.

    Raises:
        SceneUnreadable: it is no whole Parquet file, or another table.
    """
    try:
        table = pq.read_table(source)
    except (OSError, pa.ArrowException) as cause:
        raise SceneUnreadable(f"{origin} is no whole Parquet table ({_short(cause)}); download it again") from cause
    return read_records(table, found, home, origin)


def scan_parts(paths: Sequence[Path], found: Set, home: str) -> Records:
    """Records of Parquet parts that have no `metadata.parquet`: what the parts themselves say.

    Raises:
        SceneUnreadable: a part is no whole Parquet file.
    """
    tables = []
    for path in paths:
        try:
            part = pq.ParquetFile(path)
            keep = ("grid_cell", "product_id", *TIMES, "cloud_cover", "nodata", "crs", "centre_lat", "centre_lon")
            names = [c for n in keep if (c := column_of(n, part.schema_arrow.names)) is not None]
            table = part.read(columns=names)
        except (OSError, pa.ArrowException) as cause:
            raise SceneUnreadable(f"{path} is no whole Parquet file ({_short(cause)}); download it again") from cause
        table = table.append_column("parquet_url", pa.array([str(path)] * table.num_rows, pa.string()))
        tables.append(table.append_column("parquet_row", pa.array(range(table.num_rows), pa.int64())))
    return read_records(pa.concat_tables(tables, promote_options="permissive"), found, home, home)


def walk_tree(root: Path, found: Set) -> Records:
    """Records of a tree of files, `<row>/<cell>/<product>/<band>.tif`, by its folders alone.

    Land cover lies flatter: `<row>/<col>/<cell>_<year>.tif`.
    """
    rows = list(_flat(root) if found.sensor == "land-cover" else _folders(root))
    columns = {
        "grid_cell": [cell for cell, _, _ in rows],
        "product_id": [product for _, product, _ in rows],
        "parquet_url": [str(path) for _, _, path in rows],
        "parquet_row": [-1] * len(rows),
    }
    kinds = (pa.string(), pa.string(), pa.string(), pa.int64())
    table = pa.table({k: pa.array(v, t) for (k, v), t in zip(columns.items(), kinds, strict=True)})
    return read_records(table, found, str(root), str(root))


def _folders(root: Path) -> Iterator[tuple[str, str, Path]]:
    for product in sorted(root.glob("*/*/*/")):
        if product.is_dir() and any(product.glob("*.tif")):
            yield product.parent.name, product.name, product


def _flat(root: Path) -> Iterator[tuple[str, str, Path]]:
    for path in sorted(root.glob("*/*/*.tif")):
        cell, _, year = path.stem.rpartition("_")
        if cell:
            yield cell, year, path


def _text(table: pa.Table, name: str, default: str) -> Shaped[np.ndarray, " n"]:
    column = column_of(name, table.column_names)
    if column is None:
        return np.full(table.num_rows, default, object)
    values = pc.fill_null(table[column].cast(pa.string()), default)
    return np.array(values.to_pylist(), object).reshape(-1)


def _numbers(table: pa.Table, name: str) -> Float[np.ndarray, " n"]:
    column = column_of(name, table.column_names)
    if column is None:
        return np.full(table.num_rows, np.nan)
    values: np.ndarray = table[column].cast(pa.float64()).to_numpy(zero_copy_only=False)
    numbers: Float[np.ndarray, " n"] = values.astype(np.float64)
    return numbers


def _days(table: pa.Table, products: Shaped[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """From the first column of time that is there, else from the names of the products."""
    column = next((c for n in TIMES if (c := column_of(n, table.column_names)) is not None), None)
    if column is None:
        return _each(products.tolist(), lambda text: find_time(text) if _stamped(text) else None)
    values = table[column]
    if pa.types.is_temporal(values.type):
        seconds = values.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).to_numpy(zero_copy_only=False)
        days: Float[np.ndarray, " n"] = seconds.astype(np.float64) / 86400e6
        return days
    return _each(_text(table, column, "").tolist(), lambda text: parse_iso(text.replace("/", "-")) or find_time(text))


def _each(texts: Sequence[str], read: Callable[[str], datetime | None]) -> Float[np.ndarray, " n"]:
    times = (read(text) for text in texts)
    return np.fromiter((np.nan if t is None else to_days(t) for t in times), np.float64, len(texts))


def _stamped(text: str) -> bool:
    return re.search(r"\d{8}T\d{6}", text) is not None


def plain_cell(cell: str) -> str:
    """The id without the grid in front of it.

    Example:
        >>> plain_cell("MT10_890D_149L")
        '890D_149L'
    """
    return re.sub(r"^MT\d+_", "", cell.strip())


def _center(cell: str, origin: str) -> tuple[float, float]:
    try:
        return from_id(cell).center
    except BadInput as cause:
        raise SceneUnreadable(f"{origin} holds the cell {cell!r}, which is none; {cause}") from cause


def _short(cause: BaseException) -> str:
    return (str(cause).splitlines() or [type(cause).__name__])[0][:160]
