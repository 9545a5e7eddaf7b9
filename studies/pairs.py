"""Write the two folders of tiles from which the joint models learn, and tell what is in them.

    python studies/pairs.py CORPUS DATA FOLDER docs/results/generation-pairs.md

CORPUS is what studies/corpus.py wrote; its places, groups and split are kept as they are. FOLDER becomes
`physical` (all Sentinel-1, Sentinel-2 and elevation tiles in physical units, with land cover and water labels), which
`armillary.sample.pairs.Pairs` reads, and `thumbs` (OMBRIA with its flood masks), which
`armillary.sample.thumbs.Thumbs` reads.
"""

import itertools
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import rasterio
from jaxtyping import Bool, Float
from PIL import Image
from scipy import ndimage

from armillary.earth.card import find_sensor
from armillary.earth.when import utc
from armillary.sample.known_strands import ESRI_CODES, nano, thumb
from armillary.sample.pairs import Pairs
from armillary.sample.sample import Sample
from armillary.sample.strands import physical
from armillary.sample.thumbs import Thumbs
from armillary.sample.tiles import Row, Tiles
from armillary.sample.tiling import Tile, write_tiles

MARKS = ("<!-- table of {}: begin -->", "<!-- table of {}: end -->")

SENSORS = ("s1-grd", "s1-rtc", "s2-l1c", "s2-l2a", "dem")

LEFT_OUT = re.compile(r"gfmap_s1s2/polygons|treesatai")
"""Three bands of a quarter unmeasured without company; and patches smaller than a token."""

TERRAMESH_CODES = (np.nan, *ESRI_CODES)
"""TerraMesh numbers the classes of the ESRI map through: 3 is flooded vegetation, which ESRI calls 4, and so on."""

EDGE_PX = 4
"""Around the white edge of a swath so many pixels are unmeasured too: OMBRIA's Sentinel-2 begins a little later."""

WHITE = 255.0


def physical_tiles(corpus: Path, data: Path) -> Iterator[Tile]:
    """Tiles of the corpus with what the joint model needs beside: one lock per grid, dates, maps."""
    tiles = Tiles(corpus, None, None, sensors=SENSORS)
    for row in tiles.rows:
        if LEFT_OUT.search(row.place):
            continue
        if row.source == "terramesh_sites":
            yield _terramesh(tiles, row, data)
        elif row.source == "ssl4eo_s12_site" and row.sensor == "s1-grd":
            beside = _first(tiles, row.place, "s2-l2a")  # pixel by pixel as published: 2 px beside, by its corner 4
            yield _tile(replace(tiles.read(row), window=beside.window), row, lock=beside.lock)
        elif row.source == "nasaharvest_cubes":
            yield from _months(tiles, row)
        else:
            yield _tile(tiles.read(row), row)
    yield from _land_cover(tiles, data)
    yield from _water(tiles, data)


def thumb_tiles(corpus: Path, data: Path) -> Iterator[Tile]:
    """OMBRIA with flood masks; swath edges are unmeasured in all five."""
    tiles = Tiles(corpus, None, None, sources=("ombria",))
    files = {p.name[:4]: p for p in (data / "ombria").glob("*/*_mask.webp")}
    for place, group in itertools.groupby(sorted(tiles.rows, key=lambda r: r.place), key=lambda r: r.place):
        rows = list(group)
        samples = {(r.sensor, r.lock): tiles.read(r) for r in rows}
        edge = _edge(samples["ombria-s1", "pre"].pixels[0], samples["ombria-s1", "post"].pixels[0])
        mask = np.asarray(Image.open(files[place.split("/")[1]]).convert("L")) > WHITE / 2
        first = samples["ombria-s1", "post"]
        told = Sample(mask[None].astype(np.float32), find_sensor("water"), first.window, None)
        flood = replace(rows[0], sensor="water", lock="post", scale=1.0)
        for row, sample in [*((r, samples[r.sensor, r.lock]) for r in rows), (flood, told)]:
            pixels = np.where(edge, np.float32(np.nan), sample.pixels)
            yield _tile(Sample(pixels, sample.sensor, sample.window, sample.time), row)


def _tile(sample: Sample, row: Row, *, lock: str | None = None) -> Tile:
    return Tile(
        sample,
        place=row.place,
        split=row.split,
        source=row.source,
        licence=row.licence,
        group=row.group,
        lock=row.lock if lock is None else lock,
        scale=None if row.dtype == "float32" else row.scale,
    )


def _terramesh(tiles: Tiles, row: Row, data: Path) -> Tile:
    """On one lock (corners differ by nanometres); Sentinel-2 with the date that its land-cover file states."""
    sample = tiles.read(row)
    if row.sensor.startswith("s2"):
        with rasterio.open(_lulc(row.place, data)) as file:
            sample = replace(sample, time=_time_of(file.tags()["datetime"]))
    return _tile(sample, row, lock=row.place)


def _lulc(place: str, data: Path) -> Path:
    return data / "terramesh_sites" / "LULC" / f"{place.split('/')[1]}.tif"


def _time_of(text: str) -> datetime:
    return utc(text[:19])


def _months(tiles: Tiles, row: Row) -> Iterator[Tile]:
    """Undated months in a row: the n-th of each sensor belong together, and the elevation to each."""
    sample, count = tiles.read(row), sum(r.place == row.place and r.sensor == "s2-l1c" for r in tiles.rows)
    steps = range(count) if row.sensor == "dem" else (int(row.id.split("/")[-1]),)
    for step in steps:
        yield _tile(sample, row, lock=f"{row.place}/{step}")


def _land_cover(tiles: Tiles, data: Path) -> Iterator[Tile]:
    for row in tiles.rows:
        if row.source == "terramesh_sites" and row.sensor == "s2-l2a":
            with rasterio.open(_lulc(row.place, data)) as file:
                codes = np.asarray(TERRAMESH_CODES, np.float32)[file.read()]
            sample = Sample(codes, find_sensor("land-cover"), row.window, None)
            yield _tile(sample, replace(row, scale=1.0), lock=row.place)


def _water(tiles: Tiles, data: Path) -> Iterator[Tile]:
    """Hand labels: -1 where nobody could tell."""
    for row in tiles.rows:
        if row.source == "sen1floods11" and row.sensor == "s1-grd":
            name = row.place.split("/")[1]
            with rasterio.open(data / "sen1floods11" / "Label" / f"{name}_LabelHand.tif") as file:
                told = file.read().astype(np.float32)
            sample = Sample(np.where(told < 0, np.nan, told), find_sensor("water"), row.window, None)
            yield _tile(sample, replace(row, scale=1.0))


def _first(tiles: Tiles, place: str, sensor: str) -> Row:
    return next(r for r in tiles.rows if (r.place, r.sensor) == (place, sensor))


def _edge(before: Float[np.ndarray, "h w"], after: Float[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Where both Sentinel-1 composites are white in more than a speck."""
    white = ndimage.binary_opening(np.pad((before == WHITE) & (after == WHITE), 3, mode="edge"), np.ones((3, 3), bool))
    grown = ndimage.binary_dilation(white, np.ones((3, 3), bool), iterations=EDGE_PX)
    return grown[3:-3, 3:-3]


def table_of_sets(folder: Path) -> str:
    """Markdown: one line per source set, what it shows together and how often."""
    lines = [
        "| set | seen together (bands) | train: places, blocks, cuts | held out: places, blocks, cuts | licence |",
        "|---|---|---|---|---|",
    ]
    both = {split: Pairs(folder, split) for split in ("train", "held-out")}
    told: dict[tuple[str, str], dict[str, list[tuple[str, int]]]] = {}
    licences: dict[str, str] = {}
    for split, pairs in both.items():
        for i in range(len(pairs)):
            row = pairs.companies(i)[0][0]
            licences[row.source] = row.licence
            kinds = {tuple(f"{r.sensor} ({len(r.bands)})" for r in c) for c in pairs.companies(i)}
            for kind in kinds:
                dates = sum(tuple(f"{r.sensor} ({len(r.bands)})" for r in c) == kind for c in pairs.companies(i))
                entry = told.setdefault((row.source, ", ".join(kind)), {})
                entry.setdefault(split, []).append((pairs.place(i), dates))
    for (source, kind), sides in sorted(told.items()):
        cells = [_counts(sides.get(split, [])) for split in both]
        lines.append(f"| {source} | {kind} | {cells[0]} | {cells[1]} | {licences[source]} |")
    return "\n".join(lines)


def _counts(found: Sequence[tuple[str, int]]) -> str:
    if not found:
        return "—"
    return f"{len({p for p, _ in found})}, {len(found)}, {sum(n for _, n in found)}"


def table_of_pairs(folder: Path) -> str:
    """Markdown: for each two strands the places that have both, and the cuts: one per block and date."""
    codes = nano()
    found: dict[tuple[str, str, str], list[tuple[str, int]]] = {}
    for split in ("train", "held-out"):
        pairs = Pairs(folder, split)
        for i in range(len(pairs)):
            for c in range(len(pairs.companies(i))):
                names = list(physical(pairs.middle(i, c), codes))
                for one, other in itertools.combinations_with_replacement(names, 2):
                    found.setdefault((one, other, split), []).append((pairs.place(i), 1))
    names = [c.name for c in codes]
    lines = ["| strand | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for one in names:
        cells = []
        for other in names:
            pair = (one, other) if names.index(one) <= names.index(other) else (other, one)
            split = "train" if names.index(one) <= names.index(other) else "held-out"
            own = found.get((*pair, split), [])
            cells.append(f"{len({p for p, _ in own})} / {len(own)}" if own else "·")
        lines.append(f"| **{one}** | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table_of_groups(folder: Path) -> str:
    """Markdown: sites of each group and the mean and deviation of each strand."""
    names = [c.name for c in thumb()]
    lines = ["| group | sites | unmeasured | " + " | ".join(names) + " |", "|---" * (len(names) + 3) + "|"]
    everything = Thumbs(folder)
    for group in sorted({everything.group(i) for i in range(len(everything))}):
        thumbs = Thumbs(folder, (group,))
        values = {name: [] for name in names}
        for i in range(len(thumbs)):
            for name, sample in thumbs.whole(i).items():
                values[name].append(sample.pixels[:, ::4, ::4].reshape(len(sample.pixels), -1))
        joined = {name: np.concatenate(v, axis=1) for name, v in values.items()}
        cells = [", ".join(f"{np.nanmean(v):.3g} ± {np.nanstd(v):.3g}" for v in joined[name]) for name in names]
        gone = np.isnan(joined["s1-before"]).mean()
        lines.append(f"| {group} | {len(thumbs)} | {gone:.2%} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table_of_moments(folder: Path) -> str:
    """Markdown: mean, deviation and the 0.1 and 99.9 percentiles of the training cuts, strand by strand and channel."""
    pairs, codes = Pairs(folder, "train"), nano()
    rng, kept = np.random.default_rng(0), {c.name: [] for c in codes}
    for i in range(len(pairs)):
        for name, v in physical(pairs.draw(i, rng), codes).items():
            kept[name].append(v.reshape(len(v), -1)[:, :: 1 + v[0].size // 256])
    lines = ["| strand | channel: mean ± deviation (0.1 %, 99.9 %) |", "|---|---|"]
    for code in codes:
        if code.name in ("land-cover", "place", "date") or not kept[code.name]:
            continue
        joined = np.concatenate(kept[code.name], axis=1)
        cells = []
        for v in joined:
            low, high = np.nanpercentile(v, (0.1, 99.9))
            cells.append(f"{np.nanmean(v):.3g} ± {np.nanstd(v):.3g} ({low:.3g}, {high:.3g})")
        lines.append(f"| {code.name} | " + "; ".join(cells) + " |")
    return "\n".join(lines)


def put(page: Path, name: str, table: str) -> None:
    """A table between its marks on a page."""
    first, last = (m.format(name) for m in MARKS)
    before, rest = page.read_text(encoding="utf-8").split(first)
    page.write_text(f"{before}{first}\n{table}\n{last}{rest.split(last)[1]}", encoding="utf-8")


def main(corpus: Path, data: Path, folder: Path, page: Path) -> None:
    """Write what is not there yet, then the tables."""
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    for name, tiles in (("physical", physical_tiles), ("thumbs", thumb_tiles)):
        if not (folder / name).exists():
            write_tiles(folder / name, tiles(corpus, data))
    put(page, "sets", table_of_sets(folder / "physical"))
    put(page, "strand pairs", table_of_pairs(folder / "physical"))
    put(page, "moments", table_of_moments(folder / "physical"))
    put(page, "groups", table_of_groups(folder / "thumbs"))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:5]))
