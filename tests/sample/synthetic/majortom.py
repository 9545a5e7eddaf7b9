"""Synthetic Major TOM: its sets laid out exactly as published, small, with numbers that tell where they came from."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from affine import Affine
from rasterio.io import MemoryFile

from armillary.earth.majortom import from_id

CELLS = ("433U_1027R", "466U_103R", "378D_1396R", "0U_199R")
S2_GSD = {"B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20}
S2_GSD |= {"B09": 60, "B10": 60, "B11": 20, "B12": 20, "cloud_mask": 10}
COLUMNS = {
    "Core-S2L2A": tuple(b for b in S2_GSD if b != "B10"),
    "Core-S2L1C": tuple(S2_GSD),
    "Core-S1RTC": ("vv", "vh"),
    "Core-DEM": ("DEM", "compressed"),
}
HUB = "https://huggingface.co/datasets/Major-TOM/{}/resolve/main/images/{}"


@dataclass(frozen=True)
class Product:
    """One row: a product of one cell."""

    set: str
    cell: str
    product: str
    time: datetime | None
    cloud: float = 0.0
    seed: int = 0


def level(name: str, cell: str, day: str = "20220706", tile: str = "T33NZA", seed: int = 0) -> Product:
    """A product of Sentinel-2, processed by baseline 04.00."""
    stem = name.removeprefix("Core-").replace("S2", "MSI")
    product = f"S2A_{stem}_{day}T085611_N0400_R007_{tile}_{day}T153419"
    return Product(name, cell, product, datetime.strptime(f"{day}085611", "%Y%m%d%H%M%S"), seed=seed)


def radar(cell: str, day: str = "20220708", seed: int = 0) -> Product:
    product = f"S1A_IW_GRDH_1SDV_{day}T053000_{day}T053025_044000_054000_rtc"
    return Product("Core-S1RTC", cell, product, datetime.strptime(f"{day}053000", "%Y%m%d%H%M%S"), seed=seed)


def heights(cell: str, seed: int = 0) -> Product:
    return Product("Core-DEM", cell, "id", None, seed=seed)


def company(cell: str, seed: int = 0) -> list[Product]:
    """One product of each set."""
    two = [level(n, cell, seed=seed) for n in ("Core-S2L2A", "Core-S2L1C")]
    return [*two, radar(cell, seed=seed), heights(cell, seed)]


def geotiff(pixels: np.ndarray, transform: Affine, crs: str, nodata: float | None = None) -> bytes:
    h, w = pixels.shape
    profile = {"driver": "GTiff", "dtype": pixels.dtype, "count": 1, "height": h, "width": w, "compress": "deflate"}
    with MemoryFile() as memory:
        with memory.open(**profile, crs=crs, transform=transform, nodata=nodata) as file:
            file.write(pixels, 1)
        content: bytes = memory.read()
    return content


def png(levels: np.ndarray) -> bytes:
    """uint8 (rows, columns, channels)."""
    h, w, c = levels.shape
    with MemoryFile() as memory:
        with memory.open(driver="PNG", dtype="uint8", count=c, height=h, width=w) as file:
            file.write(np.moveaxis(levels, -1, 0))
        content: bytes = memory.read()
    return content


def stored(product: Product, column: str, side: int) -> np.ndarray:
    """Numbers of one column; a function of set, cell, product, column and seed."""
    words = [sum(text.encode()) for text in (product.set, product.cell, product.product, column)]
    rng = np.random.default_rng([*words, product.seed])
    if column == "cloud_mask":
        return rng.integers(0, 4, (side, side)).astype(np.uint8)
    if column in ("vv", "vh"):
        power = rng.gamma(4, 0.02, (side, side)).astype(np.float32)
        power[0, 0] = -32768.0
        return power
    if product.set == "Core-DEM":
        return (rng.random((side, side)) * 900 - 20).astype(np.float32)
    return rng.integers(1001, 9000, (side, side)).astype(np.uint16)


def content(product: Product, column: str, unit: int, snapped: bool = False) -> bytes:
    """One embedded file; `unit` is the side of a 60 m band in pixels (178 in v1, 176 in v2)."""
    cell = from_id(product.cell)
    whole = cell.snapped_footprint if snapped else cell.footprint
    size_m = whole.shape[0] * 10
    gsd = {"DEM": 30, "compressed": 30}.get(column, S2_GSD.get(column, 10))
    if column == "thumbnail":
        side = unit * (2 if product.set == "Core-DEM" else 6)
        levels = np.random.default_rng(product.seed).integers(0, 256, (side, side, 3)).astype(np.uint8)
        return png(levels[..., :1] if product.set == "Core-DEM" else levels)
    side = unit * 60 // gsd
    pixel = size_m / side
    a = whole.affine
    nodata = -32768.0 if column in ("vv", "vh") else None
    return geotiff(stored(product, column, side), Affine(pixel, 0, a.c, 0, -pixel, a.f), str(whole.crs), nodata)


def part(path: Path, products: Sequence[Product], unit: int = 4, **how: bool) -> Path:
    """A Parquet part: one row group for each product. `reverse` turns the columns round, `text` writes times so."""
    (name,) = {p.set for p in products}
    embedded = (*COLUMNS[name], "thumbnail")
    rows = []
    for p in products:
        row: dict[str, object] = {"grid_cell": p.cell}
        if name != "Core-DEM":
            row |= {"product_id": p.product, "timestamp": str(p.time) if how.get("text") else p.time}
        rows.append(row | {c: content(p, c, unit, how.get("snapped", False)) for c in embedded})
    table = pa.Table.from_pylist(rows)
    if how.get("reverse"):
        table = table.select(table.column_names[::-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=1, compression="none")
    return path


def metadata(path: Path, products: Sequence[Product], url: str = "", **how: bool) -> Path:
    """The table of a set whose products lie in one part, in their order."""
    (name,) = {p.set for p in products}
    rows = []
    for i, p in enumerate(products):
        cell = from_id(p.cell)
        lon, lat = cell.center
        row: dict[str, object] = {"grid_cell": p.cell, "grid_row_u": cell.row, "grid_col_r": cell.col}
        if name != "Core-DEM":
            row |= {"product_id": p.product, "timestamp": str(p.time) if how.get("text") else p.time}
        if name.startswith("Core-S2"):
            row["cloud_cover"] = p.cloud
        row |= {"nodata": 0.0, "centre_lat": lat, "centre_lon": lon, "crs": f"EPSG:EPSG:{cell.epsg}"}
        rows.append(row | {"parquet_url": url or HUB.format(name, "part_00001.parquet"), "parquet_row": i})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def archive(root: Path, products: Sequence[Product], unit: int = 4, **how: bool) -> Path:
    """`<root>/<set>/metadata.parquet` and `<root>/<set>/images/part_00001.parquet` for every set."""
    for name in dict.fromkeys(p.set for p in products):
        own = [p for p in products if p.set == name]
        part(root / name / "images" / "part_00001.parquet", own, unit, **how)
        metadata(root / name / "metadata.parquet", own, **how)
    return root


def unpacked(root: Path, products: Sequence[Product], unit: int = 4) -> Path:
    """`<root>/<set>/<row>/<cell>/<product>/<band>.tif` and `thumbnail.png`."""
    for p in products:
        folder = root / p.set / p.cell.split("_")[0] / p.cell / p.product
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for column in COLUMNS[p.set]:
            (folder / f"{column}.tif").write_bytes(content(p, column, unit))
        (folder / "thumbnail.png").write_bytes(content(p, "thumbnail", unit))
    return root
