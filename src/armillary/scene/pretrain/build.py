"""Build: the raw layout of Copernicus-Pretrain from scenes of one's own.

Sentinel-1 and -2: up to four local patches a cell (see `patches`), each with every scene that covers it. OLCI,
Sentinel-5P and the DEM: a grid of equal degrees round the cell, 28 km from north to south and as wide in metres, NaN
where a scene does not reach; a scene that fills less than half of the middle square is passed over. Numbers are stored
as the published files store them: Sentinel-2 as counts, from 2022-01-25 on with their +1000; OLCI as counts; the others
in the unit of their sensor.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import cos, radians
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from armillary.earth.cells import Cell
from armillary.earth.sensors import Sensor
from armillary.earth.window import Window
from armillary.errors import BadInput
from armillary.scene.harvest import Harvest
from armillary.scene.onto import onto
from armillary.scene.pretrain.contents import Contents, Series, Shot
from armillary.scene.pretrain.names import LAYERS, OWN_LOCALS, Spot, count_shift, window_of
from armillary.scene.pretrain.patches import choose
from armillary.scene.pretrain.tree import entry_of, write_list
from armillary.scene.pretrain.write import aside, shot_path, write_geotiff
from armillary.scene.scene import Scene

LIST = "fnames_all.json.gz"
DONE = ".cells"
"""Hidden folder of the entries of finished cells, until the list is written."""

MOST_PATCHES = 7
"""Ids are seven digits: from OWN_LOCALS on there is room for seven patches in each cell."""


@dataclass(frozen=True)
class Recipe:
    """How to build.

    Args:
        patches: most local patches of a cell, 1 to 7.
        covered: least part of a local patch with values.
        filled: least part of the middle square of a cell with values.
    """

    patches: int = 4
    covered: float = 0.9
    filled: float = 0.5

    def __post_init__(self) -> None:
        if not 1 <= self.patches <= MOST_PATCHES:
            raise BadInput(f"{self.patches} patches a cell were asked for; give 1 to {MOST_PATCHES}")
        if not (0 < self.covered <= 1 and 0 < self.filled <= 1):
            raise BadInput(f"covered={self.covered} and filled={self.filled} are parts; give more than 0 and at most 1")


@dataclass(frozen=True)
class Built:
    """One cell: how many files it has (0: no scene fills it, it is not in the list), and how far the build is."""

    cell: Cell
    files: int
    done: int
    total: int


def build(harvest: Harvest, folder: Path, recipe: Recipe) -> Iterator[Built]:
    """Write the tree and its list; cells that were finished before are passed over.

    Raises:
        SceneUnreadable: a scene breaks off while it is read; the message names it.
        OutputRefused: the folder cannot be written.
    """
    cells = harvest.cells()
    for number, cell in enumerate(cells):
        record = folder / DONE / f"{cell.key}.json"
        if not record.is_file():
            entry = entry_of(_cell(harvest, cell, folder, recipe))
            with aside(record) as place:
                place.write_text(json.dumps(entry), encoding="utf-8")
        yield Built(cell, _count(json.loads(record.read_text(encoding="utf-8"))), number + 1, len(cells))
    entries = [json.loads((folder / DONE / f"{c.key}.json").read_text(encoding="utf-8")) for c in cells]
    write_list(folder / LIST, [e for e in entries if _count(e)])


def stored(
    key: str, values: Float[np.ndarray, "c h w"], local: Spot | None, day: str | None
) -> Shaped[np.ndarray, "c h w"]:
    """Values in the unit of their sensor as the published files store them; the inverse of `sample.raw`."""
    counts = LAYERS[key].fleet.counts
    if counts is None:
        return values.astype(np.float32)
    numbers = values / np.array(counts.scale)[:, None, None]
    if key != "s2_toa":
        return np.asarray(numbers, np.float32)
    whole = np.rint(numbers - count_shift(local, day)).clip(1, 65535)
    return np.asarray(np.where(np.isnan(values), 0, whole), np.uint16)


def wide_window(key: str, cell: Spot) -> Window:
    """The grid of a cell-wide layer: shards keep the middle square, columns go on to 28 km on the ground."""
    side = LAYERS[key].side_px
    cols = max(side, round(side / max(cos(radians(cell.lat)), 0.05)))
    return window_of(key, cell, (side, cols + (cols - side) % 2))


def _cell(harvest: Harvest, cell: Cell, folder: Path, recipe: Recipe) -> Contents:
    spot = Spot.of(cell)
    layers = dict(_local(harvest, cell, folder, recipe))
    for key, layer in LAYERS.items():
        if layer.local:
            continue
        shots = tuple(_wide(key, _usable(harvest, cell, layer.fleet), spot, folder, recipe))
        if shots:
            layers[key] = (Series(spot, shots),)
    return Contents(spot, layers)


def _local(harvest: Harvest, cell: Cell, folder: Path, recipe: Recipe) -> Iterator[tuple[str, tuple[Series, ...]]]:
    keys = [k for k, x in LAYERS.items() if x.local]
    scenes = {k: _usable(harvest, cell, LAYERS[k].fleet) for k in keys}
    windows = choose(list(chain.from_iterable(scenes[k] for k in reversed(keys))), cell, recipe.patches)
    for key in keys:
        series = []
        for number, window in enumerate(windows):
            lon, lat = window.center
            local = Spot.parse(Spot(OWN_LOCALS + cell.id * MOST_PATCHES + number, lon, lat).name)
            shots = tuple(_patch(key, scenes[key], window, (Spot.of(cell), local), folder, recipe))
            if shots:
                series.append(Series(local, shots))
        if series:
            yield key, tuple(series)


def _patch(
    key: str, scenes: Sequence[Scene], window: Window, spots: tuple[Spot, Spot], folder: Path, recipe: Recipe
) -> Iterator[Shot]:
    cell, local = spots
    seen = set()
    for scene in scenes:
        assert scene.time is not None  # noqa: S101 - a harvest has dated scenes of these sensors
        day = f"{scene.time:%Y%m%d}"
        values = onto(scene, window)
        if day in seen or np.isfinite(values).all(axis=0).mean() < recipe.covered:
            continue
        seen.add(day)
        at = shot_path(key, cell, local, day, f"{scene.time:%Y%m%dT%H%M%S}")
        write_geotiff(folder / at, stored(key, values, local, day), window, scene.sensor.band_names)
        yield Shot(day, at)


def _wide(key: str, scenes: Sequence[Scene], cell: Spot, folder: Path, recipe: Recipe) -> Iterator[Shot]:
    window, side = wide_window(key, cell), LAYERS[key].side_px
    left = (window.shape[1] - side) // 2
    by_day: dict[str | None, Float[np.ndarray, "c h w"]] = {}
    stems: dict[str | None, str] = {}
    for scene in scenes:
        day = None if scene.time is None or not LAYERS[key].steps else f"{scene.time:%Y%m%d}"
        values = onto(scene, window)
        held = by_day.get(day)
        by_day[day] = values if held is None else np.where(np.isnan(held), values, held)  # tiles of one day
        stems.setdefault(day, "" if scene.time is None else f"{scene.time:%Y%m%dT%H%M%S}")
    for day, values in by_day.items():
        if np.isfinite(values[:, :, left : left + side]).all(axis=0).mean() >= recipe.filled:
            at = shot_path(key, cell, None, day, stems[day])
            write_geotiff(folder / at, stored(key, values, None, day), window, LAYERS[key].fleet.band_names)
            yield Shot(day, at)


def _usable(harvest: Harvest, cell: Cell, sensor: Sensor) -> list[Scene]:
    """Scenes with every band of the sensor, in its order."""
    whole = [s for s in harvest.scenes(cell, sensor.name) if set(s.sensor.band_names) >= set(sensor.band_names)]
    return [s.select(sensor.band_names) for s in whole]


def _count(entry: Mapping[str, Any]) -> int:
    held = [v for k, v in entry.items() if k in LAYERS]
    return sum(sum(map(len, v.values())) if isinstance(v, dict) else len(v) for v in held)
