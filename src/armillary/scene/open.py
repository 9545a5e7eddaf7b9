"""`arm.open`: whatever the file, a lazy DataArray (band, y, x) in the sensor's physical unit.

READERS is the one table of readers, asked in order; the first that recognises a path opens it.
"""

from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlparse

import rioxarray  # noqa: F401  (gives DataArray its .rio)
import xarray as xr

from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.errors import SceneNotFound, SceneUnreadable, SensorUnknown
from armillary.scene import raster
from armillary.scene.request import Request
from armillary.scene.scene import Scene


class Reader(Protocol):
    """One format: a module of `armillary.scene` with these two functions."""

    def recognises(self, path: Path) -> bool:
        """True when this reader is the one for the path. Cheap; never raises."""

    def open_scene(self, path: Path, request: Request) -> Scene:
        """The scene, lazily."""


READERS: tuple[Reader, ...] = (raster,)
"""Most particular first: products with metadata, then folders, then single rasters."""


def open(href: str | Path, sensor: str | Sensor | None = None, **facts: object) -> xr.DataArray:
    """Open imagery of one sensor as a lazy DataArray (band, y, x) in the sensor's unit."""
    return open_scene(href, Request.of(find_sensor(sensor), facts)).array()


def open_scene(href: str | Path, request: Request) -> Scene:
    """The same as a Scene, for those who read crops themselves."""
    path = local(href)
    if not path.exists():
        raise SceneNotFound(f"{path} was asked for and nothing is there; check the spelling and the folder")
    for reader in READERS:
        if reader.recognises(path):
            return reader.open_scene(path, request)
    raise SceneUnreadable(f"{path} is of no layout that Armillary reads; see `armillary open --help` for the list")


def local(href: str | Path) -> Path:
    """The path behind a path, its text, or a file:// URL."""
    text = str(href)
    return Path(unquote(urlparse(text).path)) if text.startswith("file://") else Path(text).expanduser()


def find_sensor(sensor: str | Sensor | None) -> Sensor | None:
    """A sensor by its name, or as it is."""
