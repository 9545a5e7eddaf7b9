"""SYNTHETIC EOPF Zarr products, format 2 and 3, with hand-written attributes and planted numbers. No real pixels."""

from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import zarr

S2_ID = "S2B_MSIL2A_20250430T101559_N0511_R065_T33TUH_20250430T131328"
ULX, ULY = 300000, 4600020
SIZE = {10: 12, 20: 6, 60: 2}
NATIVE = {"b02": 10, "b03": 10, "b04": 10, "b08": 10, "b05": 20, "b06": 20, "b07": 20, "b8a": 20, "b11": 20, "b12": 20}
NATIVE |= {"b01": 60, "b09": 60}
BASE = {b: 2000 + 100 * i for i, b in enumerate(sorted(NATIVE))}


def counts(band: str) -> np.ndarray:
    """A constant of the band, a ramp in the last row, 0 in the first column, 1000 and 900 planted."""
    n = SIZE[NATIVE[band]]
    dn = np.full((n, n), BASE[band], np.uint16)
    dn[-1] = BASE[band] + np.arange(n)
    if n > 3:
        dn[1, 1:3] = 1000, 900
    dn[:, 0] = 0
    return dn


def write_s2(
    path: Path, *, form: int = 2, offset: float | None = -0.1, place: str = "proj", layout: str = "groups"
) -> Path:
    """A level 2A product.

    Args:
        path: of the folder to write.
        form: Zarr format; 3 has array fill 0 everywhere, attr `fill_value` only, float32 coordinates, no `proj:*`.
        offset: `add_offset`, None leaves scaling out.
        place: "proj" on the arrays (form 2), "stac" in the item, or "tile": only the tile in the id.
        layout: "groups" (r10m ...) or "levels" (r10m/0 and a coarser r10m/1).
    """
    properties: dict[str, Any] = {
        "datetime": None,
        "start_datetime": "2025-04-30T10:15:59.024000Z",
        "platform": "sentinel-2b",
        "product:type": "S02MSIL2A",
        "eopf:baseline": "05.11",
        "processing:version": "",
        "eo:cloud_cover": 0.0038,
    }
    if place == "stac":
        properties["proj:epsg"] = 32633
    root = zarr.open_group(path, mode="w", zarr_format=form)
    root.attrs.update({"stac_discovery": {"id": S2_ID, "properties": properties}, "other_metadata": {}})
    for band, gsd in NATIVE.items():
        inner = f"measurements/reflectance/r{gsd}m" + ("/0" if layout == "levels" else "")
        add(root, inner, band, counts(band), gsd, form=form, offset=offset, place=place)
        if layout == "levels" and gsd == 10:
            add(root, inner[:-1] + "1", band, np.full((6, 6), 9, np.uint16), 20, form=form, offset=offset, place=place)
    if layout == "groups":
        trap = np.full((6, 6), 9, np.uint16)
        add(root, "measurements/reflectance/r20m", "b02", trap, 20, form=form, offset=offset, place=place)
    scl = root.create_array("conditions/mask/l2a_classification/r20m/scl", shape=(6, 6), dtype="u1", fill_value=0)
    scl[:] = np.arange(36).reshape(6, 6) % 12
    name_dims(scl, ("y", "x"), form)
    coordinates(root, "conditions/mask/l2a_classification/r20m", 20, form)
    if form == 2:
        zarr.consolidate_metadata(str(path))
    return path


def add(
    root: zarr.Group, group: str, band: str, dn: np.ndarray, gsd: int, *, form: int, offset: float | None, place: str
) -> None:
    """One raw uint16 array with its attributes, and the coordinates of its group."""
    n = dn.shape[0]
    keys = {"chunk_key_encoding": {"name": "v2", "separator": "."}} if form == 2 else {}
    array = root.create_array(f"{group}/{band}", shape=dn.shape, chunks=(n, n), dtype="u2", fill_value=0, **keys)
    array[:] = dn
    mirror: dict[str, Any] = {"eopf_is_masked": True, "eopf_target_dtype": "<f8", "fill_value": 0}
    attrs: dict[str, Any] = {"units": "digital_counts", "fill_value": 0, "valid_min": 1, "valid_max": 65535}
    if offset is not None:
        scaling = {"scale_factor": 0.0001, "add_offset": offset}
        attrs |= scaling
        mirror |= scaling
    if place == "proj" and form == 2:
        affine = [float(gsd), 0.0, float(ULX), 0.0, -float(gsd), float(ULY), 0.0, 0.0, 1.0]
        attrs |= {"proj:epsg": 32633, "proj:shape": [n, n], "proj:transform": affine}
    array.attrs.update(attrs | ({"_eopf_attrs": mirror} if form == 2 else {"eopf_is_masked": True}))
    name_dims(array, ("y", "x"), form)
    coordinates(root, group, gsd, form, n)


def coordinates(root: zarr.Group, group: str, gsd: int, form: int, n: int | None = None) -> None:
    """Pixel centres: int64 in format 2, float32 in format 3."""
    n = n or SIZE[gsd]
    for axis, first, step in (("x", ULX, gsd), ("y", ULY, -gsd)):
        if f"{group}/{axis}" in root:
            continue
        centers = (first + step * (np.arange(n) + 0.5)).astype("i8" if form == 2 else "f4")
        array = root.create_array(f"{group}/{axis}", shape=(n,), dtype=centers.dtype, fill_value=0)
        array[:] = centers
        name_dims(array, (axis,), form)


def name_dims(array: zarr.Array, dims: tuple[str, ...], form: int) -> None:
    """Axis names as each format keeps them (format 3 through its metadata document)."""
    if form == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = list(dims)
        return
    document = array.metadata.to_dict() | {"dimension_names": list(dims), "attributes": dict(array.attrs)}
    fixed = type(array.metadata).from_dict(document)
    for key, buffer in fixed.to_buffer_dict(zarr.core.buffer.default_buffer_prototype()).items():
        folder = Path(str(array.store.root)) / array.path
        (folder / key).write_bytes(buffer.to_bytes())


def zip_zarr(folder: Path, zipped: Path, *, top: bool = False) -> Path:
    """The folder as an uncompressed zip."""
    base = folder.parent if top else folder
    with ZipFile(zipped, "w", ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(base).as_posix())
    return zipped
