"""Parts: the Parquet files of Major TOM (`images/part_00001.parquet`), read row by row and column by column.

A part holds some 500 products of 10 MB; a row is reached by its own bytes alone, from disk or by HTTP range requests
(fsspec), and of it only the columns that are asked for. `parquet_row` counts row groups where each holds one row, as
published, and rows in any other file. Published tables and parts do not always agree: a row that turns out to be of
another product is looked for in its part.
"""

import io
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Int

from armillary.errors import BandMismatch, SceneNotFound, SceneUnreadable, need
from armillary.scene.majortom.records import METADATA, Record, Records, plain_cell, read_metadata, scan_parts, walk_tree
from armillary.scene.majortom.sets import NO_PRODUCT, Set, column_of, find_set, set_of_columns

_OPEN_PARTS = 8
"""Parts whose footers a process keeps: half a megabyte each."""


def is_url(href: str) -> bool:
    """True for what fsspec must fetch.

    Example:
        >>> is_url("https://a.org/x.parquet"), is_url("hf://datasets/a/b"), is_url("/data/x.parquet")
        (True, True, False)
    """
    return "://" in href and not href.startswith("file://")


def open_set(href: str | os.PathLike[str], found: Set | None = None) -> Records:
    """The records of a set: its folder or its `metadata.parquet`, by path or URL, or the path of one of its parts.

    A folder without `metadata.parquet` is read as Parquet parts (in it, or in `images/`), or as a tree of files.

    Args:
        href: where it lies.
        found: the set; None finds it by name, and a part by its columns.

    Raises:
        SceneNotFound, SceneUnreadable: nothing is there, or no set of Major TOM.
        SensorUnknown: the name does not say which set it is.
    """
    text = os.fspath(href).removeprefix("file://").rstrip("/")
    if is_url(text):
        named = text.split("?", maxsplit=1)[0]
        table = named.endswith(".parquet")
        home, url = (named.rpartition("/")[0], text) if table else (text, f"{text}/{METADATA}")
        with fetch(url) as file:
            return read_metadata(file, found or find_set(home), home, url)
    path = Path(text).expanduser()
    if path.is_dir():
        return _open_folder(path, found)
    if not path.is_file():
        raise SceneNotFound(f"{path} was asked for as a set of Major TOM and nothing is there; check the path")
    if path.name == METADATA:
        return read_metadata(path, found or find_set(str(path.parent)), str(path.parent), str(path))
    return scan_parts([path], found or set_of_part(path), str(path.parent))


def set_of_part(path: Path) -> Set:
    """The set that a Parquet part is of, by its columns.

    Raises:
        SceneUnreadable: no part of Major TOM.
    """
    found = set_of_columns(_part(str(path), os.getpid(), path.stat().st_mtime).schema_arrow.names)
    if found is None:
        raise SceneUnreadable(f"{path} has no column of a set of Major TOM; give a part or a folder of Core-S2L2A, say")
    return found


def read_columns(record: Record, columns: Sequence[str], *, home: str) -> Mapping[str, bytes]:
    """Contents of some columns of one row, or of some files of one folder.

    Args:
        record: which row.
        columns: names as in the set; None of them is guessed.
        home: folder in which local copies of the parts are looked for first.

    Raises:
        BandMismatch: a column is not there, or empty in this row.
        SceneNotFound, SceneUnreadable: the file is not there or damaged, or does not hold this product.
    """
    if record.row < 0:
        return _read_files(Path(record.href), columns)
    href = locate(record.href, home)
    part = _part_of(href)
    names = part.schema_arrow.names
    absent = [c for c in columns if column_of(c, names) is None]
    if absent:
        raise BandMismatch(f"{href} has no column {', '.join(absent)}; it has {', '.join(names)}")
    ids = [c for n in ("grid_cell", "product_id") if (c := column_of(n, names)) is not None]
    wanted = {c: column_of(c, names) for c in columns}
    row = _read_row(part, href, record.row, [*ids, *wanted.values()])  # type: ignore[list-item]
    if not _is_of(row, ids, record):
        row = _read_row(part, href, _find_row(part, href, ids, record), [*ids, *wanted.values()])  # type: ignore[list-item]
    empty = [c for c, stored in wanted.items() if row[str(stored)] is None]
    if empty:
        raise BandMismatch(
            f"{', '.join(empty)} of {record.product} in {record.cell} is empty in {href}; ask for others"
        )
    return {c: _bytes(row[str(stored)]) for c, stored in wanted.items()}


def columns_of(record: Record, *, home: str) -> tuple[str, ...]:
    """Names of what a record's row or folder holds."""
    if record.row >= 0:
        return tuple(_part_of(locate(record.href, home)).schema_arrow.names)
    path = Path(record.href)
    return tuple(sorted(p.stem for p in path.iterdir())) if path.is_dir() else ("LULC",)


def locate(href: str, home: str) -> str:
    """Where a part really lies: a local copy below `home` wins over the URL that the table names.

    Example:
        >>> locate("https://a.org/Core-DEM/resolve/main/images/part_00001.parquet", "https://b.org/Core-DEM")
        'https://a.org/Core-DEM/resolve/main/images/part_00001.parquet'
        >>> locate("images/part_00001.parquet", "https://b.org/Core-DEM")
        'https://b.org/Core-DEM/images/part_00001.parquet'
    """
    if is_url(home):
        return href if is_url(href) else f"{home}/{href.lstrip('/')}"
    name = href.split("?", maxsplit=1)[0].rpartition("/")[2]
    for path in (Path(home) / "images" / name, Path(home) / name):
        if path.is_file():
            return str(path)
    return href if is_url(href) or Path(href).is_absolute() else str(Path(home) / href)


def fetch(url: str) -> io.IOBase:
    """A remote file, read by ranges as they are asked for.

    Raises:
        SceneNotFound, SceneUnreadable: it cannot be reached, or cannot be read by ranges.
        MissingExtra: fsspec is not installed.
    """
    fsspec = need("fsspec", "build")
    try:
        file: io.IOBase = fsspec.open(url, "rb", cache_type="none").open()
    except FileNotFoundError as cause:
        raise SceneNotFound(f"{url} was asked for and the server has nothing there; check the address") from cause
    except Exception as cause:  # fsspec's file systems raise their own, aiohttp's and OS errors alike
        raise SceneUnreadable(f"{url} cannot be reached ({_short(cause)}); try again, or download the part") from cause
    if not file.seekable():
        raise SceneUnreadable(f"{url} comes from a server without range requests; download the part and give its path")
    return file


def _open_folder(folder: Path, found: Set | None) -> Records:
    if (folder / METADATA).is_file():
        found = found or find_set(str(folder))
        records = read_metadata(folder / METADATA, found, str(folder), str(folder / METADATA))
        return _in_tree(records, folder) if _is_tree(folder) else records
    parts = sorted(folder.glob("images/*.parquet")) or sorted(folder.glob("*.parquet"))
    if parts:
        return scan_parts(parts, found or set_of_part(parts[0]), str(folder))
    records = walk_tree(folder, found or find_set(folder.name))
    if not len(records):
        raise SceneNotFound(f"{folder} holds no {METADATA}, no part_*.parquet and no <row>/<cell>/<product>/*.tif")
    return records


def _is_tree(folder: Path) -> bool:
    """True where products were unpacked into files and no part is kept."""
    return not (folder / "images").is_dir() and next(folder.glob("*/*/*/*.tif"), None) is not None


def _in_tree(records: Records, folder: Path) -> Records:
    """The rows of a table whose products were unpacked, pointing at their folders."""
    at = [folder / c.split("_")[0] / c / p for c, p in zip(records.cell, records.product, strict=True)]
    there = np.array([path.is_dir() for path in at], bool)
    kept = records.take(there)
    hrefs = np.array([str(p) for p, is_there in zip(at, there, strict=True) if is_there], object)
    return Records(**{**vars(kept), "href": hrefs, "row": np.full(len(hrefs), -1, np.int64)})


def _read_files(path: Path, columns: Sequence[str]) -> Mapping[str, bytes]:
    if path.is_file():
        return dict.fromkeys(columns, path.read_bytes())
    try:
        files = {p.stem: p for p in sorted(path.iterdir(), reverse=True) if p.suffix in (".tif", ".png", ".jpg")}
    except OSError as cause:
        raise SceneNotFound(f"{path} was asked for and cannot be listed ({cause.strerror}); check the tree") from cause
    named = {c: column_of(c, files) for c in columns}
    absent = [c for c, stem in named.items() if stem is None]
    if absent:
        raise BandMismatch(f"{path} has no {', '.join(absent)}; it has {', '.join(sorted(files))}")
    return {c: files[str(stem)].read_bytes() for c, stem in named.items()}


def _part_of(href: str) -> pq.ParquetFile:
    if is_url(href):
        return _part(href, os.getpid(), 0.0)
    try:
        return _part(href, os.getpid(), Path(href).stat().st_mtime)
    except FileNotFoundError as cause:
        raise SceneNotFound(f"{href} was asked for and nothing is there; check the folder of the set") from cause


@lru_cache(maxsize=_OPEN_PARTS)
def _part(href: str, process: int, changed: float) -> pq.ParquetFile:  # noqa: ARG001 (what the cache is keyed by)
    """An open part: its footer takes longer to fetch than a small column."""
    try:
        return pq.ParquetFile(fetch(href) if is_url(href) else href, pre_buffer=True)
    except (SceneNotFound, SceneUnreadable):
        raise
    except Exception as cause:
        raise SceneUnreadable(f"{href} is no whole Parquet file ({_short(cause)}); download it again") from cause


def _read_row(part: pq.ParquetFile, href: str, row: int, columns: Sequence[str]) -> Mapping[str, Any]:
    """Values of one row; only the bytes of its row group and columns are read."""
    ends = _ends(part)
    if not 0 <= row < (ends[-1] if len(ends) else 0):
        raise SceneUnreadable(f"row {row} was asked of {href}, which has {ends[-1] if len(ends) else 0}; fetch it anew")
    group = int(np.searchsorted(ends, row, side="right"))
    within = row - (int(ends[group - 1]) if group else 0)
    try:
        table = part.read_row_group(group, columns=list(dict.fromkeys(columns))).slice(within, 1)
    except Exception as cause:
        raise SceneUnreadable(f"row {row} of {href} cannot be read ({_short(cause)}); download it again") from cause
    return {name: table[name][0].as_py() for name in table.column_names}


def _ends(part: pq.ParquetFile) -> Int[np.ndarray, " g"]:
    """The number of rows up to and including each row group."""
    held = part.metadata
    return np.cumsum([held.row_group(g).num_rows for g in range(held.num_row_groups)], dtype=np.int64)


def _is_of(row: Mapping[str, Any], ids: Sequence[str], record: Record) -> bool:
    """Whether a row is the one that the table promised."""
    for name in ids:
        wanted = record.cell if name.lower() == "grid_cell" else record.product
        if wanted != NO_PRODUCT and row[name] is not None and plain_cell(str(row[name])) != plain_cell(wanted):
            return False
    return True


def _find_row(part: pq.ParquetFile, href: str, ids: Sequence[str], record: Record) -> int:
    """The row of a part that is of this product, when it is not where the table says."""
    table = part.read(columns=list(ids)).to_pylist()
    for i, row in enumerate(table):
        if _is_of(row, ids, record):
            return i
    raise SceneUnreadable(
        f"{href} was said to hold {record.product} of {record.cell} in row {record.row} and holds it in none; "
        "the table and the part disagree: fetch both anew, or leave this product out"
    )


def _bytes(value: Any) -> bytes:
    """The content of a cell of a table; some writers put it in a struct of bytes and path."""
    return bytes(value["bytes"] if isinstance(value, Mapping) else value)


def _short(cause: BaseException) -> str:
    return (str(cause).splitlines() or [""])[0][:160] or type(cause).__name__
