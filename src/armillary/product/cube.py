"""Cube: the map of embeddings as a Zarr v3 group (embedding, y, x) with its CRS and transform inside.

Attributes follow the geoemb Zarr convention (v1) and GeoZarr's `proj:` and `spatial:` fields; CF's grid mapping is
there too, so that xarray with rioxarray finds the place.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from armillary.earth.window import Window
from armillary.product.cog import blocks
from armillary.product.encoding import NODATA, Encoding
from armillary.product.staging import Staging

CHUNK, SHARD = 16, 64
"""Tokens along each side of a chunk, which is read as one, and of a shard, which is one file."""
CONVENTION = {
    "name": "geoemb:",
    "uuid": "61c12cc5-0e28-4056-999a-480cf3fb7e4c",
    "schema_url": "https://raw.githubusercontent.com/geo-embeddings/embeddings-zarr-convention/refs/tags/v1/schema.json",
    "spec_url": "https://github.com/geo-embeddings/embeddings-zarr-convention/blob/v1/README.md",
}


def write_zarr(
    staging: Staging, encoding: Encoding, window: Window, path: Path, attributes: Mapping[str, object]
) -> Path:
    """Write the group.

    Args:
        staging: every row finished.
        encoding: stored type; int8 comes with an array `scale` (embedding): value = stored * scale.
        window: the place of the token grid.
        path: a folder that does not exist yet.
        attributes: of the group, besides those of the place.
    """
    (h, w), d = staging.shape, staging.width
    fill: object = NODATA if encoding.dtype == "int8" else float("nan")
    root = zarr.create_group(str(path), zarr_format=3, attributes={**attributes, **_place(window)})
    common = {"grid_mapping": "spatial_ref", "coordinates": "spatial_ref"}
    values = root.create_array(
        "embedding", shape=(d, h, w), dtype=encoding.dtype, chunks=(d, CHUNK, CHUNK), shards=(d, SHARD, SHARD),
        dimension_names=("embedding", "y", "x"), fill_value=fill,
        attributes={**common, "long_name": "embedding", **({} if encoding.scale is None else {"scale_array": "scale"})},
    )  # fmt: skip
    share = root.create_array(
        "valid_share", shape=(h, w), dtype="float32", chunks=(SHARD, SHARD), dimension_names=("y", "x"),
        fill_value=0.0, attributes={**common, "long_name": "share of valid pixels in each token", "units": "1"},
    )  # fmt: skip
    for rows, cols in blocks((h, w), SHARD):
        values[:, rows, cols] = np.moveaxis(encoding.encode(staging.read(rows, cols)), 2, 0)
        share[rows, cols] = staging.share(rows, cols)
    _coordinates(root, window, d)
    if encoding.scale is not None:
        _vector(
            root, "scale", np.array(encoding.scale, np.float32), "embedding", {"long_name": "value = stored * scale"}
        )
    with warnings.catch_warnings():  # readers look for consolidated metadata, whatever the specification says of it
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        zarr.consolidate_metadata(str(path))
    return path


def _place(window: Window) -> dict[str, object]:
    h, w = window.shape
    place: dict[str, object] = {
        "spatial:dimensions": ["y", "x"],
        "spatial:transform": list(window.affine)[:6],
        "spatial:shape": [h, w],
    }
    if window.crs is None:
        return place
    code = window.crs.epsg
    return place | ({"proj:code": f"EPSG:{code}"} if code else {"proj:wkt2": window.crs.to_wkt()})


def _coordinates(root: zarr.Group, window: Window, width: int) -> None:
    a, (h, w) = window.affine, window.shape
    crs = {"crs_wkt": window.crs.to_wkt(), "spatial_ref": window.crs.to_wkt()} if window.crs is not None else {}
    transform = " ".join(repr(float(v)) for v in a.to_gdal())
    root.create_array("spatial_ref", shape=(), dtype="int64", attributes={**crs, "GeoTransform": transform})
    _vector(root, "embedding_index", np.arange(width, dtype=np.int32), "embedding", {})
    if window.is_upright:
        _vector(root, "y", a.f + a.e * (np.arange(h) + 0.5), "y", {"standard_name": "projection_y_coordinate"})
        _vector(root, "x", a.c + a.a * (np.arange(w) + 0.5), "x", {"standard_name": "projection_x_coordinate"})


def _vector(root: zarr.Group, name: str, values: np.ndarray, dimension: str, attributes: dict[str, Any]) -> None:
    array = root.create_array(
        name, shape=values.shape, dtype=values.dtype, dimension_names=(dimension,), attributes=attributes
    )
    array[:] = values
