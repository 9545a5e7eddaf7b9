"""Table: embeddings as GeoParquet 1.1, one row per token or per chip, for search and for GIS.

Columns: `id`, `geometry` (WKB in degrees, split at the dateline), `bbox` (covering struct of planar bounds),
`datetime`, `model`, `valid_share`, `embedding` (fixed-size list; the scales of int8 are in the file's metadata).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from jaxtyping import Float
from pyproj import CRS

from armillary.earth.window import Window
from armillary.product.encoding import Encoding
from armillary.product.footprint import Shape, cells, footprint
from armillary.product.staging import Staging

ROW_GROUP_BYTES = 16 * 2**20
"""Embeddings of one row group, in float32."""
_ALL_LONGITUDES = 359.9
_ARROW = {"float32": pa.float32(), "float16": pa.float16(), "int8": pa.int8()}


@dataclass(frozen=True)
class Label:
    """What every row of a file repeats."""

    model: str
    time: datetime | None


@dataclass(frozen=True, eq=False)
class _Rows:
    ids: Sequence[str]
    shapes: Sequence[Shape]
    share: Float[np.ndarray, " n"]
    values: Float[np.ndarray, "n d"]


def write_tokens(staging: Staging, encoding: Encoding, window: Window, path: Path, label: Label) -> Path:
    """One row per token that holds a valid pixel; its id is t<row>_<column>."""
    (h, w), d = staging.shape, staging.width
    step = max(1, ROW_GROUP_BYTES // (4 * d * w))

    def groups() -> Iterator[_Rows]:
        for start in range(0, h, step):
            rows, cols = slice(start, min(start + step, h)), slice(0, w)
            share = staging.share(rows, cols).ravel()
            seen = np.flatnonzero(share > 0)
            shapes = cells(window, rows, cols)
            ids = [f"t{start + i // w}_{i % w}" for i in seen]
            values = staging.read(rows, cols).reshape(-1, d)[seen]
            yield _Rows(ids, [shapes[i] for i in seen], share[seen], values)

    return _write(groups(), encoding, path, _schema(encoding, d, footprint(window)), label)


def write_chips(
    staging: Staging, encoding: Encoding, windows: Sequence[Window], tokens_per_chip: int, path: Path, label: Label
) -> Path:
    """One row per chip that holds a valid pixel: its pooled vector; its id is c<number>.

    `valid_share` is the chip's share of the scene's valid tokens that it answers for, as blended.
    """
    pooled, weight = staging.pooled()

    def groups() -> Iterator[_Rows]:
        step = max(1, ROW_GROUP_BYTES // (4 * staging.width))
        for start in range(0, len(windows), step):
            seen = [i for i in range(start, min(start + step, len(windows))) if weight[i] > 0]
            shapes = [footprint(windows[i]) for i in seen]
            yield _Rows([f"c{i}" for i in seen], shapes, weight[seen] / tokens_per_chip, pooled[seen])

    fitted = encoding.refit(pooled)
    outline = shapely.union_all([footprint(w) for w in windows])
    return _write(groups(), fitted, path, _schema(fitted, staging.width, outline), label)


def _write(groups: Iterator[_Rows], encoding: Encoding, path: Path, schema: pa.Schema, label: Label) -> Path:
    aside = path.with_name(f".{path.name}.part")
    with pq.ParquetWriter(aside, schema, compression="zstd") as writer:
        for group in groups:
            if not group.ids:
                continue
            writer.write_table(_table(group, encoding, schema, label))
    return aside.replace(path)


def _schema(encoding: Encoding, width: int, outline: Shape) -> pa.Schema:
    corner = [pa.field(n, pa.float64(), nullable=False) for n in ("xmin", "ymin", "xmax", "ymax")]
    about = {"dtype": encoding.dtype, "dimensions": width, "scale": encoding.scale}
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("geometry", pa.binary(), nullable=False),
            pa.field("bbox", pa.struct(corner), nullable=False),
            pa.field("datetime", pa.timestamp("ms", tz="UTC")),
            pa.field("model", pa.string(), nullable=False),
            pa.field("valid_share", pa.float32(), nullable=False),
            pa.field("embedding", pa.list_(_ARROW[encoding.dtype], width), nullable=False),
        ],
        metadata={"armillary": json.dumps(about), "geo": json.dumps(_geo(outline))},
    )


def _table(group: _Rows, encoding: Encoding, schema: pa.Schema, label: Label) -> pa.Table:
    n, bounds = len(group.ids), shapely.bounds(np.array(group.shapes))
    stored = np.ascontiguousarray(encoding.encode(group.values)).ravel()
    kind = schema.field("embedding").type
    columns = [
        pa.array(group.ids),
        pa.array(shapely.to_wkb(np.array(group.shapes)).tolist(), pa.binary()),
        pa.StructArray.from_arrays([pa.array(bounds[:, i]) for i in range(4)], fields=list(schema.field("bbox").type)),
        pa.array([label.time] * n, schema.field("datetime").type),
        pa.array([label.model] * n),
        pa.array(group.share.astype(np.float32)),
        pa.FixedSizeListArray.from_arrays(pa.array(stored, kind.value_type), kind.list_size).cast(kind),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _geo(outline: Shape) -> dict[str, object]:
    """The `geo` metadata of GeoParquet 1.1.0. Only where all longitudes occur can a row be split at the dateline."""
    west, south, east, north = outline.bounds
    kinds = ["MultiPolygon", "Polygon"] if east - west > _ALL_LONGITUDES else ["Polygon"]
    covering = {"bbox": {n: ["bbox", n] for n in ("xmin", "ymin", "xmax", "ymax")}}
    column = {
        "encoding": "WKB",
        "geometry_types": kinds,
        "crs": CRS("EPSG:4326").to_json_dict(),
        "edges": "planar",
        "bbox": [west, south, east, north],
        "covering": covering,
    }
    return {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
