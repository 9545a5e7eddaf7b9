"""Readers of the labelled real sets that are pixels: from the files of a set to its items.

A reader is made for one split table, one fold of it, one sensor; what it gives back reads the files it is handed.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from armillary.bench.archives.corine import labels_of
from armillary.bench.archives.dealt import Dealt, Row, sides, split_rows
from armillary.bench.files import Files
from armillary.bench.task import Items, Part, Reader
from armillary.earth.sensors import Sensor
from armillary.errors import BadInput
from armillary.probe.answer import IGNORE
from armillary.sample.array import from_array
from armillary.sample.sample import Sample
from armillary.scene.open import open

EUROSAT_BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A")
"""Bands of EuroSAT as they are stored."""

UNTOLD = ("the time is unknown", "no CRS", "Dataset has no geotransform")
"""Starts of warnings about what a set leaves out of every file: the task says it once."""

MASK_MIDDLE = 127.5
"""Masks of OMBRIA are grey levels; above this is flooded."""

TILE_PX = 256
"""Side of the tiles into which a chip of Sen1Floods11 is cut."""

LEAST_KNOWN = 0.5
"""Share of labelled pixels below which a tile is not asked."""

Span = tuple[slice, slice]


def eurosat(sensor: Sensor, classes: tuple[str, ...], fold: str) -> Reader:
    """Patches in folders that name their class."""

    def read(files: Files) -> Items:
        rows = split_rows("eurosat_ms")
        names = [f"{r['key'].split('_')[0]}/{r['key']}.tif" for r in rows]
        facts: dict[str, Any] = {
            "bands": EUROSAT_BANDS,
            "offset": 0,
        }  # older than the offsets of processing baseline 04.00
        return Dealt(
            *_named(rows, sides(rows, fold)),
            tuple((n,) for n in names),
            lambda i: (_sample(files, names[i], sensor, **facts),),
            lambda i: np.array(classes.index(names[i].split("/")[0]), dtype=np.int64),
        )

    return read


def weak(sensor: Sensor, classes: tuple[str, ...]) -> Reader:
    """Patches whose class a table names."""

    def read(files: Files) -> Items:
        rows = split_rows("s2_l2a_weak")
        names = [f"jp2/{r['key']}" for r in rows]
        facts: dict[str, Any] = {"bands": sensor.band_names, "offset": 0}  # the darkest numbers of the set are near 0
        return Dealt(
            *_named(rows, sides(rows)),
            tuple((n,) for n in names),
            lambda i: (_sample(files, names[i], sensor, **facts),),
            lambda i: np.array(classes.index(rows[i]["label"]), dtype=np.int64),
        )

    return read


def ombria(sensor: Sensor, satellite: str, fold: str, *, views: tuple[str, ...] = ("pre", "post")) -> Reader:
    """Places before and after a flood, with the mask of what was flooded.

    Args:
        sensor: "ombria-s1" or "ombria-s2".
        satellite: "s1" or "s2".
        fold: the group of places that is asked.
        views: which of "pre" and "post", in the order of time.
    """

    def read(files: Files) -> Items:
        rows = split_rows("ombria")
        stems = [f"{r['folder']}/{r['key']}" for r in rows]
        names = [tuple(f"{s}_{satellite}_{v}.webp" for v in views) for s in stems]
        facts: dict[str, Any] = (
            {"bands": sensor.band_names} if satellite == "s2" else {}
        )  # radar is grey: one band, stored three times

        def tell(i: int) -> Int[np.ndarray, "h w"]:
            grey = _plane(files, f"{stems[i]}_mask.webp", "ombria-s1")
            flooded: Int[np.ndarray, "h w"] = (grey > MASK_MIDDLE).astype(np.int64)
            return flooded

        return Dealt(
            *_named(rows, sides(rows, fold)),
            tuple((*n, f"{s}_mask.webp") for n, s in zip(names, stems, strict=True)),
            lambda i: tuple(_sample(files, n, sensor, **facts) for n in names[i]),
            tell,
        )

    return read


def sen1floods11(sensor: Sensor, fold: str) -> Reader:
    """Tiles of radar chips with hand labels of water; countries are never cut. Nothing is set aside to choose."""

    def read(files: Files) -> Items:
        tiles = [
            (row, part, span)
            for row, part in zip(
                split_rows("sen1floods11"), sides(split_rows("sen1floods11"), fold, chooses=False), strict=True
            )
            for span in _spans(_water(files, row["key"]))
        ]

        def see(i: int) -> tuple[Sample, ...]:
            row, _, span = tiles[i]
            return (_sample(files, f"S1/{row['key']}_S1Hand.tif", sensor, span),)

        def tell(i: int) -> Int[np.ndarray, "h w"]:
            row, _, span = tiles[i]
            return _water(files, row["key"])[span]

        return Dealt(
            tuple(f"{row['key']} {rows.start} {cols.start}" for row, _, (rows, cols) in tiles),
            tuple(part for _, part, _ in tiles),
            tuple(row["group"] for row, _, _ in tiles),
            tuple((f"S1/{row['key']}_S1Hand.tif", f"Label/{row['key']}_LabelHand.tif") for row, _, _ in tiles),
            see,
            tell,
        )

    return read


def bigearthnet(sensor: Sensor, satellite: str) -> Reader:
    """Patches in folders of one file per band, with the labels of the first version beside them.

    Args:
        sensor: narrowed to the stored bands.
        satellite: "s1" or "s2".
    """

    def read(files: Files) -> Items:
        rows = split_rows("bigearthnet_pairs")
        folders = [f"BigEarthNet-{satellite.upper()}-Example/{r[satellite]}" for r in rows]
        bands = [[n for n in files.names(f"{f}/") if n.endswith(".tif")] for f in folders]
        told = [f"{f}/{r[satellite]}_labels_metadata.json" for f, r in zip(folders, rows, strict=True)]

        def see(i: int) -> tuple[Sample, ...]:
            if not bands[i]:
                raise BadInput(f"{files.where} holds no band of {folders[i]}; give the folder with the whole set")
            return (_of(_opened(Path(files.href(bands[i][0])).parent, sensor), sensor),)

        return Dealt(
            *_named(rows, sides(rows)),
            tuple((*b, t) for b, t in zip(bands, told, strict=True)),
            see,
            lambda i: labels_of(json.loads(files.read(told[i]))["labels"]),
        )

    return read


def _named(rows: tuple[Row, ...], parts: tuple[Part, ...]) -> tuple[tuple[str, ...], tuple[Part, ...], tuple[str, ...]]:
    """Keys, parts and groups."""
    return tuple(r["key"] for r in rows), parts, tuple(r["group"] for r in rows)


def _sample(files: Files, name: str, sensor: Sensor, span: Span | None = None, **facts: object) -> Sample:
    return _of(_opened(files.href(name), sensor, span, **facts), sensor)


def _plane(files: Files, name: str, sensor: str) -> Float[np.ndarray, "h w"]:
    """The only plane of a file of labels."""
    return np.asarray(_opened(files.href(name), sensor).values[0])


def _opened(href: str | Path, sensor: str | Sensor, span: Span | None = None, **facts: object) -> xr.DataArray:
    """As `armillary.open`, without a word about what no file of these sets tells."""
    with warnings.catch_warnings():
        for start in UNTOLD:
            warnings.filterwarnings("ignore", rf"(.*: )?{start}")
        return open(href, sensor, span, **facts).load()


def _of(array: xr.DataArray, sensor: Sensor) -> Sample:
    """A sample with exactly the sensor's bands, in its order."""
    sample = from_array(array)
    at = sample.sensor.index(sensor.band_names)
    return Sample(np.ascontiguousarray(sample.pixels[list(at)]), sensor, sample.window, sample.time)


def _water(files: Files, chip: str) -> Int[np.ndarray, "h w"]:
    """0 dry, 1 water, IGNORE where nobody labelled."""
    label = _plane(files, f"Label/{chip}_LabelHand.tif", "dem")  # plain numbers
    known = np.isfinite(label) & (label >= 0)
    return np.where(known, np.nan_to_num(label), IGNORE).astype(np.int64)


def _spans(label: Int[np.ndarray, "h w"]) -> list[Span]:
    """Tiles of a chip of which enough is labelled."""
    h, w = label.shape
    corners = [(r, c) for r in range(0, h - TILE_PX + 1, TILE_PX) for c in range(0, w - TILE_PX + 1, TILE_PX)]
    spans = [(slice(r, r + TILE_PX), slice(c, c + TILE_PX)) for r, c in corners]
    return [s for s in spans if (label[s] != IGNORE).mean() >= LEAST_KNOWN]
