"""Harvest: where the scenes come from that a data set is built of.

The seam between building and fetching: `build` asks a `Harvest` for the scenes of a cell and of a sensor and does not
know whether they lie in a folder or are found in a catalogue and downloaded. `FolderHarvest` is the first one.
"""

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import rasterio
from rasterio.errors import RasterioError

from armillary.earth.cells import Cell, cells_in
from armillary.earth.when import iso
from armillary.errors import ArmillaryError, SceneNotFound
from armillary.scene.crop import bounds_lonlat
from armillary.scene.gridded import folder as raster_folder
from armillary.scene.gridded import raster
from armillary.scene.open import READERS, open_scene
from armillary.scene.pretrain.names import LAYERS
from armillary.scene.request import Request
from armillary.scene.scene import Scene

SENSORS = tuple(layer.sensor for layer in LAYERS.values())
"""Sensors that a data set is built of."""

COARSEST = 2.0
"""A scene whose pixels are more than so many times those of its sensor is a thumbnail, not a scene."""


@runtime_checkable
class Harvest(Protocol):
    """Scenes by cell and sensor."""

    def cells(self) -> Sequence[Cell]:
        """Cells of which there is at least one scene, ascending."""

    def scenes(self, cell: Cell, sensor: str) -> Iterator[Scene]:
        """The scenes of one sensor that touch a cell, oldest first, undated ones last."""

    def checksum(self) -> str:
        """What is harvested, in one word: another harvest, another word."""


Placed = tuple[Scene, frozenset[Cell]]
"""A scene and the cells that it touches."""


@dataclass(frozen=True)
class LeftOut:
    """A path that was passed over, and why."""

    path: Path
    why: str


@dataclass(frozen=True, eq=False)
class FolderHarvest:
    """Every scene below a folder that `arm.open` reads and that knows its place and, but for a DEM, its time.

    Args:
        folder: searched with all its folders; what is a scene as a folder (a SAFE, a Zarr) is not searched further.
    """

    folder: Path

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise SceneNotFound(f"the folder {self.folder} was asked for and is not there; check the path")

    @cached_property
    def found(self) -> tuple[tuple[Placed, ...], tuple[LeftOut, ...]]:
        """The scenes with the cells that they touch, oldest first and undated ones last; and what was left out."""
        opened = list(_scenes(self.folder))
        scenes = [found for found, _ in opened if not isinstance(found, str)]
        scenes.sort(key=lambda found: ("9" if found[0].time is None else iso(found[0].time), found[0].href))
        return tuple(scenes), tuple(LeftOut(path, why) for why, path in opened if isinstance(why, str))

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Paths that are no scene that can be used."""
        return self.found[1]

    def cells(self) -> Sequence[Cell]:
        """Cells that a scene touches."""
        return sorted({cell for _, cells in self.found[0] for cell in cells})

    def scenes(self, cell: Cell, sensor: str) -> Iterator[Scene]:
        """Scenes of a sensor that touch a cell."""
        for scene, cells in self.found[0]:
            if scene.sensor.name == sensor and cell in cells:
                yield scene

    def checksum(self) -> str:
        """A digest of names, sensors, places, times and sizes; pixels are not read."""
        digest = hashlib.sha256()
        for scene, _ in self.found[0]:
            size = os.stat(scene.href).st_size if os.path.exists(scene.href) else 0  # noqa: PTH110, PTH116
            digest.update(repr((Path(scene.href).name, scene.sensor.name, scene.window, scene.time, size)).encode())
        return digest.hexdigest()[:16]


def _scenes(folder: Path) -> Iterator[tuple[Placed | str, Path]]:
    """Every scene with its cells below a folder, or the reason why a path is none, with its path."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        known = any(reader.recognises(path) for reader in READERS)
        if path.is_dir() and (not known or _is_pile(path)):
            yield from _scenes(path)
        elif known:
            opened = _opened(path)
            if isinstance(opened, str) and path.is_dir():
                yield from _scenes(path)
            else:
                yield opened, path


def _opened(path: Path) -> Placed | str:
    """A scene with its cells, or why there is none; a place that is not on Earth is found out here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scene = open_scene(path, Request.of(None, {}))
        why = _unusable(scene)
        return why or (scene, frozenset(cells_in(*bounds_lonlat(scene.window))))
    except (ArmillaryError, OSError, RasterioError) as cause:
        return " ".join(str(cause).split())


def _unusable(scene: Scene) -> str:
    """Why a scene is of no use here; "" when it is."""
    if scene.window.crs is None:
        return "it has no CRS, so no cell of the grid is known"
    if scene.time is None and scene.sensor.name != "dem":
        return "it has no time; its name, its tags or a JSON beside it may say one"
    if scene.sensor.name not in SENSORS:
        return f"it is of {scene.sensor.name}; the data set holds {', '.join(SENSORS)}"
    pixel_m, finest_m = scene.window.gsd_m, max(scene.sensor.gsd_m, min(scene.sensor.band_gsd_m))
    if not pixel_m <= COARSEST * finest_m:
        return (
            f"its pixels are {pixel_m:.0f} m, {scene.sensor.name} has {finest_m:.0f} m; give the scene in full detail"
        )
    return ""


def _is_pile(folder: Path) -> bool:
    """Whether a folder that holds rasters holds scenes of several bands, rather than the bands of one scene."""
    if not raster_folder.recognises(folder):
        return False
    for path in (p for p in folder.iterdir() if raster.recognises(p)):
        with suppress(RasterioError), rasterio.open(path) as file:
            if file.count > 1:
                return True
    return False
