"""SYNTHETIC EOPF Zarr products, format 2 and 3, with hand-written attributes and planted numbers. No real pixels."""

from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import zarr
from tests.scene.synthetic import grd

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


def put(root: zarr.Group, path: str, values: np.ndarray, dims: tuple[str, ...], form: int, **attrs: Any) -> None:
    """One array with its axis names and attributes; array fill 0 as the converters leave it in format 3."""
    array = root.create_array(path, shape=values.shape, dtype=values.dtype, fill_value=0 if form == 3 else None)
    array[:] = values
    array.attrs.update(attrs)
    name_dims(array, dims, form)


def write_s1(path: Path, pols: dict[str, np.ndarray], *, form: int = 2) -> Path:
    """A GRD product with the closed forms of the synthetic SAFE (see `grd`); no noise tables, useless azimuth_time."""
    lines, pixels = np.array(grd._GRID_LINES), np.array(grd._GRID_PIXELS)
    at = np.array([0, 20, 40, 59])
    root = zarr.open_group(path, mode="w", zarr_format=form)
    properties = {"datetime": "null", "start_datetime": "2020-04-05T17:15:00.123456Z", "sat:orbit_state": "ascending"}
    root.attrs["stac_discovery"] = {
        "id": grd.NAME,
        "properties": properties | {"sar:pixel_spacing_range": 0, "platform": "sentinel-1a"},
    }
    for pol, dn in pols.items():
        top = f"S01SIWGRD_20200405T171500_0025_A117_7F00_03B2A1_{pol}"
        put(root, f"{top}/measurements/grd", dn, ("azimuth_time", "ground_range"), form)
        put(root, f"{top}/measurements/azimuth_time", np.zeros(len(dn), "u2"), ("azimuth_time",), form)
        points = ("azimuth_time", "ground_range")
        grid = np.meshgrid(lines, pixels, indexing="ij")
        put(root, f"{top}/conditions/gcp/line", lines, points[:1], form)
        put(root, f"{top}/conditions/gcp/pixel", pixels, points[1:], form)
        put(root, f"{top}/conditions/gcp/latitude", grd.latitude(grid[0]), points, form)
        put(root, f"{top}/conditions/gcp/longitude", grd.longitude(grid[1]), points, form)
        put(root, f"{top}/conditions/gcp/incidence_angle", 30 + 0.1 * grid[1], points, form)
        table = np.stack([grd.amplitude(n, at) for n in (-5, 50)])
        put(root, f"{top}/quality/calibration/line", np.array([-5, 50]), points[:1], form)
        put(root, f"{top}/quality/calibration/pixel", np.stack([at, at]), points, form)
        put(root, f"{top}/quality/calibration/sigma_nought", table, points, form)
        put(root, f"{top}/quality/calibration/gamma", 1.1 * table, points, form)
    return path


OLCI_SHAPE = (30, 40)


def olci_places() -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of a tilted frame with a spacing near 300 m."""
    i, j = np.meshgrid(np.arange(OLCI_SHAPE[0]), np.arange(OLCI_SHAPE[1]), indexing="ij")
    return 10.0 + 0.0038 * j + 0.0004 * i, 45.0 - 0.0027 * i + 0.0003 * j


def olci_counts(band: int) -> np.ndarray:
    """Distinct for each pixel and band."""
    return (np.arange(OLCI_SHAPE[0] * OLCI_SHAPE[1]).reshape(OLCI_SHAPE) + 1000 * band).astype(np.uint16)


def write_olci(path: Path, *, form: int = 2, inner: str = "measurements") -> Path:
    """Three bands; 65535 in (0, 0), invalid in (5, 5); orphans of the same names in a group of their own."""
    lon, lat = olci_places()
    flags = np.zeros(OLCI_SHAPE, np.uint32)
    flags[5, 5] = 1 << 25
    flags[7, 7] = 1 << 31
    root = zarr.open_group(path, mode="w", zarr_format=form)
    root.attrs["stac_discovery"] = {
        "id": "S3A_OL_1_EFR____20250410T093515_20250410T093815_20250410T113515_0179_124_307_2160_ESA_O_NR_004",
        "properties": {"datetime": "2025-04-10T09:35:15.5Z"},
    }
    dims = ("rows", "columns")
    for band in (1, 2, 17):
        dn = olci_counts(band)
        dn[0, 0] = 65535
        attrs = {"scale_factor": 0.01 * band, "add_offset": 0.0, "_FillValue": 65535}
        put(root, f"{inner}/oa{band:02d}_radiance", dn, dims, form, **attrs)
        orphan = np.full((OLCI_SHAPE[0], 3), 7, np.uint16)
        put(root, f"{inner}/orphans/oa{band:02d}_radiance", orphan, ("rows", "removed_pixels"), form, **attrs)
    scaled = {"scale_factor": 1e-6, "add_offset": 0.0, "_FillValue": -2147483648}
    put(root, f"{inner}/longitude", np.round(lon * 1e6).astype(np.int32), dims, form, **scaled)
    put(root, f"{inner}/latitude", np.round(lat * 1e6).astype(np.int32), dims, form, **scaled)
    put(root, "quality/quality_flags", flags, dims, form)
    return path
