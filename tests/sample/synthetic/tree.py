"""Synthetic Copernicus-Pretrain in its raw layout: GeoTIFFs of odd sizes at true places, and the list of files."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import Transformer

CELL = "0906994_128.50_67.25"
LOCALS = ("1200100_128.46_67.22", "0251080_128.61_67.30")
FOLDERS = {
    "s1_grd": "s1_grd_utm/images",
    "s2_toa": "s2_toa_mix/images",
    "s3_olci": "s3_olci_wgs/images",
    "s5p_co": "s5p_l3_wgs/images/CO_column_number_density",
    "s5p_no2": "s5p_l3_wgs/images/tropospheric_NO2_column_number_density",
    "s5p_o3": "s5p_l3_wgs/images/O3_column_number_density",
    "s5p_so2": "s5p_l3_wgs/images/SO2_column_number_density",
    "dem": "dem_grid_wgs/images",
}
BANDS = {"s1_grd": 2, "s2_toa": 13, "s3_olci": 21}
SHAPES = {"s1_grd": (22, 21), "s2_toa": (22, 21), "s3_olci": (14, 36), "dem": (40, 100)}
TRUE_SHAPES = {"s1_grd": (268, 267), "s2_toa": (268, 267), "s3_olci": (67, 174), "dem": (936, 2402), "s5p": (26, 66)}
DAYS = ("20201002", "20210105", "20210330", "20210628")


def write(path: Path, pixels: np.ndarray, transform: Affine, crs: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    c, h, w = pixels.shape
    profile = {"driver": "GTiff", "dtype": pixels.dtype, "count": c, "height": h, "width": w}
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform) as file:
        file.write(pixels)
    return path


def utm(name: str, shape: tuple[int, int], east_m: float = 0.0) -> tuple[Affine, str]:
    """The 10 m grid round a named place, as Earth Engine exports it."""
    lon, lat = (float(x) for x in name.split("_")[1:])
    crs = f"EPSG:{32600 + int((lon + 180) // 6) + 1}"
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    left, top = round(x / 10) * 10 - shape[1] * 5 + east_m, round(y / 10) * 10 + shape[0] * 5
    return Affine(10, 0, left, 0, -10, top), crs


def box(name: str, shape: tuple[int, int]) -> tuple[Affine, str]:
    """A grid of equal degrees round a cell, 0.26 degrees from north to south."""
    lon, lat = (float(x) for x in name.split("_")[1:])
    step = 0.26 / shape[0]
    return Affine(step, 0, lon - shape[1] * step / 2, 0, -step, lat + shape[0] * step / 2), "EPSG:4326"


def pixels(key: str, shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = (BANDS.get(key, 1), *shape)
    if key == "s2_toa":
        return rng.integers(1, 60000, size).astype(np.uint16)
    if key == "s1_grd":
        return rng.normal(-14, 4, size).astype(np.float32)
    return (rng.random(size) * 1000 + 1).round().astype(np.float32)


def tree(
    root: Path,
    cell: str = CELL,
    locals: tuple[str, ...] = LOCALS,
    shapes: dict[str, tuple[int, int]] = SHAPES,
    days: tuple[str, ...] = DAYS,
    months: int = 3,
    skip: tuple[str, ...] = (),
) -> dict[str, Any]:
    """One cell; returns its entry of the file list, with the folder of OLCI as the published lists spell it."""
    entry: dict[str, Any] = {"grid_id_coord": cell}
    seed = 0
    for key, folder in FOLDERS.items():
        shape = shapes.get(key, shapes.get("s5p", (7, 18)))
        entry[key] = {} if key in ("s1_grd", "s2_toa") else []
        if key in skip:
            continue
        names = [f"{d}T022211_{d}T022210_T52WDV" if key == "s2_toa" else f"S_{d}T022211_X" for d in days]
        if key.startswith("s5p"):
            names = [f"2021-{m + 1:02d}-01_2021-{m + 2:02d}-01" for m in range(months)]
        for local in locals if key in ("s1_grd", "s2_toa") else ("",):
            for name in names if key != "dem" else ["dem"]:
                at = "/".join(p for p in (folder, cell, local, f"{name}.tif") if p)
                place = utm(local, shape) if local else box(cell, shape)
                write(root / at, pixels(key, shape, seed := seed + 1), *place)
                listed = at.replace("s3_olci_wgs", "s3_olci_utm")
                (entry[key].setdefault(local, []) if local else entry[key]).append(listed)
    return entry


def fnames(path: Path, *entries: dict[str, Any]) -> Path:
    """The published list: keys are ids without leading zeros."""
    with gzip.open(path, "wt", encoding="utf-8") as file:
        json.dump({str(int(e["grid_id_coord"][:7])): e for e in entries}, file)
    return path
