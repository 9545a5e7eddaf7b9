"""Tree: the raw GeoTIFF layout of Copernicus-Pretrain and its file lists.

    s1_grd_utm/images/<cell>/<local>/<name>.tif        s5p_l3_wgs/images/<column>/<cell>/2021-01-01_2021-02-01.tif
    s2_toa_mix/images/<cell>/<local>/<name>.tif        dem_grid_wgs/images/<cell>/dem.tif
    s3_olci_wgs/images/<cell>/<name>.tif

A *list* (`fnames_*.json.gz`) says which files a cell has: {"772176": {"grid_id_coord": "0772176_-96.00_44.00",
"s1_grd": {local: [paths]}, "s3_olci": [paths], ...}}. The published lists say `s3_olci_utm` where the files were
released as `s3_olci_wgs`; both are understood. Without a list the folders are walked.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from jaxtyping import Shaped
from pyproj import Geod
from rasterio.errors import RasterioError

from armillary.earth.window import Window
from armillary.errors import BadInput, SceneNotFound, SceneUnreadable
from armillary.scene.pretrain.contents import Contents, Series, Shot
from armillary.scene.pretrain.names import JSON_FOLDERS, LAYERS, Spot, day_of

LISTS = "fnames_*.json.gz"

APART = 0.1
"""Sentinel-1 and -2 of one local patch may differ by this part of its side, in place and in size."""

_EARTH = Geod(ellps="WGS84")


@dataclass(frozen=True, eq=False)
class Tree:
    """A folder of GeoTIFFs.

    Args:
        folder: its root.
        cells: ids, ascending.
        packed: of each cell, its entry of the list as compressed JSON: 18.7 million paths would not fit otherwise.
    """

    folder: Path
    cells: tuple[int, ...]
    packed: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.cells)

    def contents(self, place: int) -> Contents:
        """Patches and dates of one cell; shots are paths below the folder.

        Raises:
            SceneUnreadable: an entry of the list that names no place or no date.
        """
        entry = json.loads(zlib.decompress(self.packed[place]))
        try:
            return _contents(entry)
        except (BadInput, AttributeError, TypeError, KeyError) as cause:
            raise SceneUnreadable(
                f"the list of {self.folder} has no readable entry {self.cells[place]}: {cause}"
            ) from cause

    def path(self, at: str) -> Path:
        """Where the file of a shot is."""
        direct = self.folder / at
        for named, released in JSON_FOLDERS.items():
            if named in at and not direct.is_file():
                return self.folder / at.replace(named, released)
        return direct

    def read(self, at: str) -> tuple[Shaped[np.ndarray, "c h w"], Window]:
        """The numbers of one file as they are stored, NaN where it says there is none, and their place.

        Raises:
            SceneNotFound, SceneUnreadable: the file is absent, or no whole raster.
        """
        return read_geotiff(self.path(at))


def open_tree(folder: Path, index: Path | None = None) -> Tree:
    """A tree, from a list, the only list in the folder, or a walk.

    Raises:
        SceneNotFound: no such folder or list, or no layer in it.
        SceneUnreadable: the list is no gzipped JSON.
        BadInput: several lists are there and none was chosen.
    """
    if not folder.is_dir():
        raise SceneNotFound(f"the folder {folder} was asked for and is not there; check the path")
    lists = [index] if index is not None else sorted(folder.glob(LISTS))
    if len(lists) > 1:
        raise BadInput(f"{folder} has {', '.join(p.name for p in lists)}; say which list to read")
    entries = read_list(lists[0]) if lists else walk(folder)
    if not entries:
        raise SceneNotFound(f"{folder} holds no cell of Copernicus-Pretrain; folders would be dem_grid_wgs/images ...")
    order = sorted(entries)
    packed = tuple(zlib.compress(json.dumps(entries[i]).encode()) for i in order)
    return Tree(folder, tuple(order), packed)


def is_tree(folder: Path) -> bool:
    """Whether a folder has one of the layers' folders."""
    return any((folder / x.folder).is_dir() for x in LAYERS.values())


def read_list(path: Path) -> dict[int, dict[str, Any]]:
    """A file list: cell id -> entry; keys with and without leading zeros.

    Raises:
        SceneNotFound, SceneUnreadable: no such file, or no list.
    """
    if not path.is_file():
        raise SceneNotFound(f"the file list {path} was asked for and is not there; check the path")
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return {int(k): v for k, v in json.load(file).items()}
    except (OSError, EOFError, ValueError, AttributeError, zlib.error) as cause:
        raise SceneUnreadable(f"{path} is no file list that can be read ({cause}); download it again") from cause


def write_list(path: Path, found: Iterable[Mapping[str, Any]]) -> Path:
    """The list of some cells from their entries, as published: keys without leading zeros; whole or not at all."""
    entries = {str(Spot.parse(e["grid_id_coord"]).id): e for e in found}
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with gzip.GzipFile(aside, "wb", mtime=0) as file:
            file.write(json.dumps(entries).encode())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path


def walk(folder: Path) -> dict[int, dict[str, Any]]:
    """What a list of this folder would say; names in order."""
    entries: dict[int, dict[str, Any]] = {}
    for key, layer in LAYERS.items():
        root = folder / layer.folder
        for cell in sorted(root.iterdir()) if root.is_dir() else ():
            spot = Spot.parse(cell.name)
            entry = entries.setdefault(spot.id, {"grid_id_coord": cell.name})
            if layer.local:
                entry[key] = {p.name: _files(folder, p) for p in sorted(cell.iterdir()) if p.is_dir()}
            else:
                entry[key] = _files(folder, cell)
    return entries


def read_geotiff(path: Path) -> tuple[Shaped[np.ndarray, "c h w"], Window]:
    """Every band of a GeoTIFF, NaN where the file says there is none, and its place.

    Raises:
        SceneNotFound, SceneUnreadable: absent, cut off, or no raster; the message names the file.
    """
    if not path.is_file():
        raise SceneNotFound(f"{path} was asked for and is not there; the list and the folder do not agree")
    try:
        with rasterio.open(path) as file:
            pixels: np.ndarray = file.read()
            window = Window.of(file.shape, file.transform, file.crs)
            nodata = file.nodata
    except (RasterioError, BadInput) as cause:
        why = str(cause).split("\n")[0][:160]
        raise SceneUnreadable(f"{path} is cut off or no raster ({why}); download or write it again") from cause
    if nodata is not None and np.isfinite(nodata):
        pixels = np.where(pixels == nodata, np.float32(np.nan), pixels.astype(np.float32))
    return pixels, window


def check_pair(first: tuple[Path, Window], second: tuple[Path, Window]) -> None:
    """Two files of one local patch cover the same ground.

    Raises:
        SceneUnreadable: they do not; the message names both and how far they are apart.
    """
    (one, a), (two, b) = first, second
    sides = [max(w.shape) * w.gsd_m for w in (a, b)]
    _, _, apart = _EARTH.inv(*a.center, *b.center)
    if apart > APART * max(sides) or abs(sides[0] - sides[1]) > APART * max(sides):
        raise SceneUnreadable(
            f"{one} and {two} are one local patch by name, but lie {apart:.0f} m apart and are {sides[0]:.0f} and "
            f"{sides[1]:.0f} m wide; remove the one that is wrong"
        )


def _files(folder: Path, where: Path) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in sorted(where.glob("*.tif")) if not p.name.startswith(".")]


def _contents(entry: Mapping[str, Any]) -> Contents:
    cell = Spot.parse(entry["grid_id_coord"])
    layers = {}
    for key, layer in LAYERS.items():
        held = entry.get(key)
        if not held:
            continue
        places = [(Spot.parse(n), paths) for n, paths in held.items()] if layer.local else [(cell, held)]
        found = tuple(Series(spot, tuple(_shots(key, paths))) for spot, paths in places if paths)
        if found:
            layers[key] = found
    return Contents(cell, layers)


def _shots(key: str, paths: Iterable[str]) -> Iterator[Shot]:
    for path in paths:
        yield Shot(day_of(key, path.rpartition("/")[2]), path.lstrip("/"))


def entry_of(contents: Contents) -> dict[str, Any]:
    """What a list says of one cell; an absent layer is an empty one."""
    entry: dict[str, Any] = {"grid_id_coord": contents.cell.name}
    for key, layer in LAYERS.items():
        many = contents.layers.get(key, ())
        by_place = {s.spot.name: [x.at for x in s.shots] for s in many}
        entry[key] = by_place if layer.local else [at for paths in by_place.values() for at in paths]
    return entry
