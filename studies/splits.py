"""Write the split tables of real-mini (src/armillary/bench/data/): who teaches, who chooses, who is asked, for good.

    python studies/splits.py DATA src/armillary/bench/data

DATA holds the labelled sets. What lies together on the ground, or is nearly the same picture, is on one side. Blocks
of land: of five parts with about as many items each, one is asked, one chooses and three teach; blocks without an item
are dealt by the SHA-256 of their name, so that places that come later have their side already.
"""

import csv
import sys
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from pyproj import Transformer

from armillary.bench.archives.dealt import block_name
from armillary.bench.archives.points import BLOCK_DEG, FIELD_BLOCK_DEG, WIDE_BLOCK_DEG
from armillary.probe.splits import group_folds
from armillary.sample.array import from_array
from armillary.scene.open import open
from real_labels import CLUSTERS
from real_sets import WEAK_HELD_OUT, share_of, weak_group

FIFTH = 0.2
WEAK_VAL = 0.15
"""Share of the clusters of s2_l2a_weak that chooses settings: the first that are not held out of pretraining."""

TILE_BLOCK_DEG = 5.0
"""Blocks of Sentinel-2 tiles."""

Rows = list[dict[str, object]]
PARTS = ("test", "val", "train", "train", "train")
PAIRS = {
    "Ghana": "ghana-pakistan",
    "Pakistan": "ghana-pakistan",
    "India": "india-spain",
    "Spain": "india-spain",
    "Sri-Lanka": "srilanka-usa",
    "USA": "srilanka-usa",
}
"""Countries are asked two at a time: some have chips of one class only."""

ASKED_TILES = ("33UUP", "29SND")
"""Tiles of BigEarthNet that are asked; 29SND was held out of pretraining."""


def main(data: Path, folder: Path) -> None:
    """Write every table."""
    warnings.simplefilter("ignore")
    tables = {
        "eurosat_ms": eurosat(data / "eurosat_ms"),
        "s2_l2a_weak": weak(data / "s2_l2a_weak"),
        "ombria": ombria(data / "ombria"),
        "sen1floods11": floods(data / "sen1floods11"),
        "bigearthnet_pairs": pairs(data / "bigearthnet_s1s2_pairs"),
        "blocks_10deg": dealt(everywhere(data), WIDE_BLOCK_DEG, (-180, -90, 180, 90)),
        "blocks_2deg": dealt(presto(data / "presto_timeseries" / "data"), BLOCK_DEG, (-126, 24, -66, 50)),
        "blocks_srr2": dealt(fields(data / "srr2_croptype_s1s2"), FIELD_BLOCK_DEG, (2.5, 50.5, 6.5, 51.75)),
        "no2_tiles": tiles(data / "s5p" / "no2_stations"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        side = "fold" if "fold" in rows[0] else "part"
        print(f"{name}: {len(rows)} rows, {dict(sorted(Counter(str(r[side]) for r in rows).items()))}")


def eurosat(folder: Path) -> Rows:
    """Five folds of whole blocks of 2 degrees, classes spread as evenly as they go."""
    paths = sorted(folder.glob("*/*.tif"))
    lonlat = [from_array(open(p, "s2-l1c")).window.center for p in paths]
    groups = [block_name(*place, BLOCK_DEG) for place in lonlat]
    classes = np.unique([p.parent.name for p in paths], return_inverse=True)[1]
    fold = _folds(groups, classes)
    return [{"key": p.stem, "group": g, "fold": f + 1} for p, g, f in zip(paths, groups, fold, strict=True)]


def weak(folder: Path) -> Rows:
    """The tiles held out of pretraining are asked."""
    cluster = {r["file"]: r["cluster"] for r in _rows(CLUSTERS)}

    def part(name: str) -> str:
        share = share_of(weak_group(cluster[name]))
        return "test" if share < WEAK_HELD_OUT else "val" if share < WEAK_HELD_OUT + WEAK_VAL else "train"

    rows = _rows(folder / "labels.csv")
    return [{"key": r["file"], "label": r["label"], "group": cluster[r["file"]], "part": part(r["file"])} for r in rows]


def ombria(folder: Path) -> Rows:
    """One fold per group of places."""
    return [
        {"key": r["site"], "folder": r["published_split"], "group": r["group"], "fold": r["group"]}
        for r in _rows(folder / "groups.csv")
    ]


def floods(folder: Path) -> Rows:
    """One fold per pair of countries."""
    chips = [p.name.removesuffix("_LabelHand.tif") for p in sorted(folder.glob("Label/*.tif"))]
    countries = [c.rsplit("_", 1)[0] for c in chips]
    return [{"key": c, "group": g, "fold": PAIRS[g]} for c, g in zip(chips, countries, strict=True)]


def pairs(folder: Path) -> Rows:
    """Whole satellite tiles; the name of the Sentinel-1 patch tells the tile."""
    rows: Rows = []
    for path in sorted(folder.glob("BigEarthNet-S1-Example/*")):
        told = pd.read_json(path / f"{path.name}_labels_metadata.json", typ="series")
        tile = path.name.split("_")[-3]
        part = "test" if tile in ASKED_TILES else "train"
        key = "_".join(path.name.split("_")[-3:])
        rows.append({"key": key, "group": tile, "s1": path.name, "s2": told["corresponding_s2_patch"], "part": part})
    return rows


def everywhere(data: Path) -> Float[np.ndarray, "n 2"]:
    """Places of all sets that cover the globe."""
    tables = [pd.read_csv(p) for p in sorted((data / "location_benchmarks").glob("*.csv"))]
    tables.append(pd.read_parquet(data / "worldcereal_cubes" / "wc_testdf.parquet"))
    return np.concatenate([t.rename(columns=str.lower)[["lon", "lat"]].dropna().to_numpy(float) for t in tables])


def presto(folder: Path) -> Float[np.ndarray, "n 2"]:
    """Places of both sets of Presto."""
    names = ("fuel_moisture", "algae_blooms")
    return np.concatenate([np.load(folder / n / "npy" / "latlon.npy", allow_pickle=False)[:, ::-1] for n in names])


def fields(folder: Path) -> Float[np.ndarray, "n 2"]:
    """Fields of the crop table, which is in UTM zone 31."""
    table = pd.read_csv(folder / "croptype_s1s2_features.csv.gz")
    to_degrees = Transformer.from_crs("EPSG:32631", "EPSG:4326", always_xy=True)
    return np.stack(to_degrees.transform(table["x"], table["y"]), axis=1)


def tiles(folder: Path) -> Rows:
    """Sentinel-2 tiles of stations, with their middles."""
    table = pd.read_csv(folder / "samples_S2S5P_2018_2020_eea.csv")
    held = table["img_path"].str.extract(r"_T(\d{2}[A-Z]{3})_")[0]
    middle = {t: tile_middle(t) for t in sorted(set(held))}
    blocks = dealt(np.array([middle[t] for t in held]), TILE_BLOCK_DEG, (-180, -90, 180, 90))
    side = {str(r["group"]): r["part"] for r in blocks}
    return [
        {"group": t, "lon": f"{lon:.3f}", "lat": f"{lat:.3f}", "part": side[block_name(lon, lat, TILE_BLOCK_DEG)]}
        for t, (lon, lat) in middle.items()
    ]


def dealt(lonlat: Float[np.ndarray, "n 2"], side_deg: float, extent: tuple[float, float, float, float]) -> Rows:
    """The part of every block of an extent (west, south, east, north).

    Raises:
        ValueError: a place lies outside.
    """
    groups = [block_name(float(lon), float(lat), side_deg) for lon, lat in lonlat]
    side = dict(zip(groups, (PARTS[f] for f in _folds(groups)), strict=True))
    west, south, east, north = extent
    lons, lats = np.arange(west, east, side_deg), np.arange(south, north, side_deg)
    names = [block_name(float(lon), float(lat), side_deg) for lat in lats for lon in lons]
    if not set(groups) <= set(names):
        raise ValueError(f"places outside of {extent}: blocks {sorted(set(groups) - set(names))[:3]}")
    return [{"group": n, "part": side.get(n) or PARTS[int(share_of(n) / FIFTH)]} for n in names]


def tile_middle(tile: str) -> tuple[float, float]:
    """Degrees (lon, lat) of the middle of a Sentinel-2 tile from its name in the military grid.

    A tile starts at the north-west corner of its square of 100 km and is 109.8 km wide.
    """
    zone, band, column, row = int(tile[:2]), tile[2], tile[3], tile[4]
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    east = letters.index(column) % 8 + 1
    north = (letters.index(row) - (0 if zone % 2 else 5)) % 20
    south_deg = 8.0 * ("CDEFGHJKLMNPQRSTUVWX".index(band) - 10)
    hemisphere = 32600 if south_deg >= 0 else 32700
    to_metres = Transformer.from_crs("EPSG:4326", f"EPSG:{hemisphere + zone}", always_xy=True)
    least = to_metres.transform(6 * zone - 183, south_deg)[1]
    y = north * 100_000
    while y < least - 100_000:
        y += 2_000_000
    x, y = east * 100_000 + 54_900, y + 100_000 - 54_900
    lon, lat = to_metres.transform(x, y, direction="INVERSE")
    return float(lon), float(lat)


def _folds(groups: Sequence[str], y: np.ndarray | None = None) -> np.ndarray:
    """Fold of each item, five folds that never cut a group."""
    numbers = np.unique(groups, return_inverse=True)[1]
    fold = np.empty(len(groups), dtype=np.int64)
    for k, split in enumerate(group_folds(numbers, len(PARTS), np.random.default_rng(0), y=y)):
        fold[split.test] = k
    return fold


def _rows(path: Path) -> list[Mapping[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
