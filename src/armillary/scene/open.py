"""`arm.open`: whatever the file, a lazy DataArray (band, y, x) in the sensor's physical unit.

READERS is the one table of readers, asked in order; the first that recognises a path opens it.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from zipfile import is_zipfile

import pystac
import rioxarray  # noqa: F401  (gives DataArray its .rio)
import xarray as xr

from armillary.earth.card import find_sensor
from armillary.earth.sensors import Sensor
from armillary.errors import BadInput, SceneNotFound, SceneUnreadable
from armillary.scene import stac
from armillary.scene.access.netcdf import opened
from armillary.scene.crop import Span, cropped
from armillary.scene.gridded import cube, folder, raster, treesatai
from armillary.scene.hrefs import gdal_name, is_remote, local
from armillary.scene.majortom import part
from armillary.scene.request import Request
from armillary.scene.s1 import grd
from armillary.scene.s2 import safe
from armillary.scene.s3 import olci
from armillary.scene.s5p import tropomi
from armillary.scene.scene import Scene
from armillary.scene.zarr import zarr

Href = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, object] | pystac.Item
"""A path, a URL, a list of single-band files of one scene, or a STAC item as a dict or pystac.Item."""


class Reader(Protocol):
    """One format: a module of `armillary.scene` with these two functions."""

    def recognises(self, path: Path) -> bool:
        """True when this reader is the one for the path. Cheap; never raises."""

    def open_scene(self, path: Path, request: Request) -> Scene:
        """The scene, lazily."""


READERS: tuple[Reader, ...] = (folder, safe, zarr, grd, olci, tropomi, stac, cube, treesatai, part, raster)
"""Most particular first: products with metadata, then folders, then single rasters."""


def open(
    href: Href, sensor: str | os.PathLike[str] | Sensor | None = None, window: Span | None = None, **facts: object
) -> xr.DataArray:
    """Imagery of one sensor as a lazy DataArray (band, y, x): float32, NaN where invalid, in the sensor's unit.

    Reflectance for Sentinel-2 (offset of the processing baseline applied), dB for Sentinel-1, radiance for OLCI,
    mol m-2 for Sentinel-5P, metres for a DEM. Values are read when they are asked for, and only
    that crop; opening takes at most a small look (nine blocks of 64 x 64) where the numbers must tell what they are.

    Args:
        href: a file or folder, file://, http(s):// or s3:// URL, a list of single-band files, or a STAC item.
        sensor: its name, a Sensor, or the path of a card, when the file cannot tell or tells wrongly.
        window: a Window, (west, south, east, north) in degrees, or (rows, cols) slices.
        facts: what the caller knows better than the file: bands, time, crs, unit, offset, min_qa, resolution, step
            (see `Request`).

    Returns:
        Attributes say sensor, unit, time and href, for each fact whether it was read, given, assumed or unknown, and
        what else is worth knowing (offset, baseline, step). `.rio` knows CRS and transform.

    Raises:
        SceneNotFound, SceneUnreadable, SensorUnknown, BandMismatch, BadInput: each one sentence.
    """
    scene = open_scene(href, Request.of(None if sensor is None else find_sensor(sensor), facts))
    return (scene if window is None else cropped(scene, window)).array()


def open_scene(href: Href, request: Request) -> Scene:
    """The same as a Scene, for those who read crops themselves."""
    if isinstance(href, pystac.Item):
        return stac.open_item(href.to_dict(transform_hrefs=False), request, home=_home(href))
    if isinstance(href, Mapping):
        return stac.open_item(href, request, home=None)
    if not isinstance(href, str | os.PathLike):
        return _open_list(_listed(href), request)
    if is_remote(text := os.fspath(href)):
        return stac.open_url(text, request) if stac.is_item_url(text) else raster.open_href(gdal_name(text), request)
    path = local(href)
    if not text or not os.path.exists(path):  # noqa: PTH110 (Path.exists raises where a name is too long)
        raise SceneNotFound(f"{text or 'an empty name'} was asked for and nothing is there; check the spelling")
    for reader in READERS:
        if reader.recognises(path):
            return reader.open_scene(path, request)
    if path.suffix.lower() in (".nc", ".nc4", ".h5", ".cdf"):
        with opened(path):  # says so where the file is cut
            pass
    if path.suffix.lower() == ".zip" and not is_zipfile(path):
        raise SceneUnreadable(f"{path} is no whole zip; download it again")
    what = "an empty folder, or one of a layout" if path.is_dir() else "a file of a format"
    raise SceneUnreadable(
        f"{path} is {what} that Armillary does not read; see `armillary open --help` for those it does"
    )


def _listed(href: object) -> Sequence[str | os.PathLike[str]]:
    given = list(href) if isinstance(href, Iterable) and not isinstance(href, bytes) else [href]
    files = [f for f in given if isinstance(f, str | os.PathLike)]
    if len(files) < len(given):
        raise BadInput(f"{href!r} names no scene; give a path, a URL, a list of files, or a STAC item")
    return files


def _open_list(files: Sequence[str | os.PathLike[str]], request: Request) -> Scene:
    paths = [local(f) for f in files]
    if not paths:
        raise BadInput("an empty list was given; give the single-band files of one scene")
    for path in paths:
        if not path.is_file():
            raise SceneNotFound(f"{path} was asked for and nothing is there; check the spelling and the folder")
    home = paths[0].parent
    return folder.open_files(paths, request, href=f"{home} ({len(paths)} files)", home=home)


def _home(item: pystac.Item) -> Path | None:
    link = item.get_self_href()
    return None if link is None or is_remote(link) else local(link).parent
