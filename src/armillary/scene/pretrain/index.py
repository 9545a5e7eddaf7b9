"""Index: one Parquet row for each grid of a folder, with its place, what is there, and where every byte of it lies.

Columns: grid_id, cell, lon, lat, layout ("shards" or "tree"), sensors; `<layer>_patches` and `<layer>_dates` (real
dates, repeats not counted) for each layer; `files`, a list with for each tensor or GeoTIFF its layer, file, offset and
size in bytes, rows, columns and SHA-256 - and, of shards, what `Catalogue` holds.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from armillary.errors import SceneNotFound, SceneUnreadable
from armillary.scene.pretrain.catalogue import ENTRY, KEYS, Catalogue
from armillary.scene.pretrain.contents import Contents
from armillary.scene.pretrain.names import LAYERS

NAME = "index.parquet"

_FILE = pa.struct(
    [
        ("layer", pa.string()),
        ("file", pa.string()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("rows", pa.int32()),
        ("cols", pa.int32()),
        ("sha256", pa.string()),
        ("data", pa.int64()),
        ("crc", pa.int64()),
        ("pickle", pa.binary()),
        ("label", pa.int64()),
        ("label_size", pa.int32()),
    ]
)

SCHEMA = pa.schema(
    [
        ("grid_id", pa.int32()),
        ("cell", pa.string()),
        ("lon", pa.float64()),
        ("lat", pa.float64()),
        ("layout", pa.string()),
        ("sensors", pa.list_(pa.string())),
        *((f"{key}_{what}", pa.int32()) for key in KEYS for what in ("patches", "dates")),
        ("files", pa.list_(_FILE)),
    ]
)


def row_of(contents: Contents, layout: str, files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The row of one grid."""
    counts: dict[str, int] = {}
    for key in KEYS:
        series = contents.layers.get(key, ())
        counts |= {f"{key}_patches": len(series), f"{key}_dates": sum(len(s.shots) for s in series)}
    return {
        "grid_id": contents.cell.id,
        "cell": contents.cell.name,
        "lon": contents.cell.lon,
        "lat": contents.cell.lat,
        "layout": layout,
        "sensors": [LAYERS[key].sensor for key in KEYS if contents.layers.get(key)],
        **counts,
        "files": list(files),
    }


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """The index, whole or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        pq.write_table(pa.Table.from_pylist(list(rows), schema=SCHEMA), aside, compression="zstd")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Every row of an index.

    Raises:
        SceneNotFound, SceneUnreadable: no index, or none of this kind.
    """
    table = _table(path)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def read_catalogue(path: Path, paths: Sequence[Path]) -> Catalogue:
    """The catalogue of some shards, from the index of their folder.

    Raises:
        SceneNotFound, SceneUnreadable: no index, or one that does not know a shard, or knows it in another size.
    """
    table = _table(path)
    files = table.column("files").combine_chunks()
    flat = files.flatten()
    names = flat.field("file").to_pylist()
    numbers = {p.name: i for i, p in enumerate(paths)}
    unknown = sorted(set(numbers) - set(names))
    if unknown:
        raise SceneUnreadable(f"the index {path} does not know {', '.join(unknown)}; make it again with --index")
    cells = np.repeat(table.column("grid_id").to_numpy(), files.value_lengths().to_numpy())
    kept = np.array([n in numbers for n in names], bool)
    entries = np.zeros(int(kept.sum()), ENTRY)
    entries["cell"] = cells[kept]
    entries["shard"] = [numbers[n] for n in names if n in numbers]
    entries["layer"] = [KEYS.index(k) for k, keep in zip(flat.field("layer").to_pylist(), kept, strict=True) if keep]
    for name in ("offset", "size", "data", "label", "label_size"):
        entries[name] = flat.field(name).to_numpy(zero_copy_only=False)[kept]
    entries["crc"] = flat.field("crc").to_numpy(zero_copy_only=False)[kept].astype(np.uint32)
    pickles: dict[bytes, int] = {}
    texts = [t for t, keep in zip(flat.field("pickle").to_pylist(), kept, strict=True) if keep]
    entries["pickle"] = [-1 if t is None else pickles.setdefault(t, len(pickles)) for t in texts]
    _check_sizes(paths, entries, path)
    order = np.lexsort((entries["layer"], entries["cell"]))
    return Catalogue(tuple(paths), entries[order], tuple(pickles))


def sha256_of(path: Path, offset: int = 0, size: int | None = None) -> str:
    """The SHA-256 of a file, or of a part of it."""
    digest = hashlib.sha256()
    for chunk in _chunks(path, offset, path.stat().st_size - offset if size is None else size):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(path: Path, offset: int, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        left = size
        while left > 0 and (chunk := file.read(min(left, 1 << 22))):
            left -= len(chunk)
            yield chunk


def _table(path: Path) -> pa.Table:
    if not path.is_file():
        raise SceneNotFound(f"the index {path} was asked for and is not there; make it with `armillary build --index`")
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as cause:
        why = str(cause).split("\n")[0]
        raise SceneUnreadable(f"the index {path} is no Parquet file that can be read ({why}); make it again") from cause
    if "grid_id" not in table.column_names or "files" not in table.column_names:
        raise SceneUnreadable(f"{path} is no index of Copernicus-Pretrain; it has {', '.join(table.column_names[:8])}")
    return table


def _check_sizes(paths: Sequence[Path], entries: np.ndarray, index: Path) -> None:
    for number, path in enumerate(paths):
        if not path.is_file():
            raise SceneNotFound(f"the shard {path} was asked for and is not there; check the path")
        mine = entries[entries["shard"] == number]
        end = int((mine["offset"] + mine["size"]).max(initial=0))
        if path.stat().st_size < end:
            raise SceneUnreadable(
                f"{path} has {path.stat().st_size} bytes, the index {index} needs {end}: cut off; download it again"
            )
