"""Write: files of the two layouts, each made aside and renamed when it is whole."""

import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from jaxtyping import Shaped
from rasterio.errors import RasterioError

from armillary.earth.window import Window
from armillary.errors import OutputRefused
from armillary.scene.pretrain.names import LAYERS, Label, Spot

SHARD = "example-{:06d}.tar"
"""The published name of a shard."""

JOURNAL = "build.json"
"""What a folder was built from and how; a run that asks for something else is refused."""


def shot_path(key: str, cell: Spot, local: Spot | None, day: str | None, stem: str = "") -> str:
    """Where the file of one shot lies below the root of a tree.

    Args:
        key: of the layer.
        cell: its cell.
        local: its local patch, for Sentinel-1 and -2.
        day: YYYYMMDD.
        stem: name that says day and time; without one, midnight of the day. Gases are named by their dates alone.

    Example:
        >>> shot_path("s5p_co", Spot.parse("0772176_-96.00_44.00"), None, "20210101")
        's5p_l3_wgs/images/CO_column_number_density/0772176_-96.00_44.00/2021-01-01_2021-02-01.tif'
    """
    layer = LAYERS[key]
    folder = f"{layer.folder}/{cell.name}" + (f"/{local.name}" if local is not None and layer.local else "")
    if not layer.steps or day is None:
        return f"{folder}/dem.tif"
    if key.startswith("s5p"):
        first = datetime.strptime(day, "%Y%m%d")
        month = (first + timedelta(days=31)).replace(day=1)
        last = month if first.day == 1 else first + timedelta(days=1)
        return f"{folder}/{first:%Y-%m-%d}_{last:%Y-%m-%d}.tif"
    return f"{folder}/{stem or f'{day}T000000'}.tif"


def write_geotiff(path: Path, pixels: Shaped[np.ndarray, "c h w"], window: Window, names: Iterable[str]) -> Path:
    """A compressed GeoTIFF of stored numbers, whole or not at all.

    Raises:
        OutputRefused: the folder may not be written, or the disk is full.
    """
    c, h, w = pixels.shape
    profile = {"driver": "GTiff", "dtype": pixels.dtype, "count": c, "height": h, "width": w, "compress": "deflate"}
    profile |= {"crs": None if window.crs is None else str(window.crs), "transform": window.affine}
    if pixels.dtype.kind == "f":
        profile["nodata"] = np.nan
    with aside(path) as place:
        try:
            with rasterio.open(place, "w", **profile) as file:
                file.write(pixels)
                file.descriptions = tuple(names)
        except RasterioError as cause:
            raise OutputRefused(f"{path} cannot be written ({str(cause).splitlines()[0]})") from cause
    return path


def write_shard(path: Path, grids: Iterable[Mapping[str, bytes]]) -> Path:
    """A tar of grids, each a mapping of member name -> content; whole or not at all, and the same to the byte."""
    with aside(path) as place, tarfile.open(place, "w", format=tarfile.USTAR_FORMAT) as archive:
        for grid in grids:
            for name in sorted(grid):
                info = tarfile.TarInfo(name)
                info.size = len(grid[name])
                archive.addfile(info, io.BytesIO(grid[name]))
    return path


def labels_json(labels: Mapping[str, Any]) -> bytes:
    """The JSON of a grid as published: every label in a list of its own."""
    return json.dumps({k: _wrapped(v) for k, v in labels.items()}).encode()


def begin(folder: Path, plan: Mapping[str, Any]) -> None:
    """Make a folder, or go on in one that was begun with the same plan; leftovers of a killed run are removed.

    Raises:
        OutputRefused: the folder holds something else, or cannot be written.
    """
    journal = folder / JOURNAL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.rglob(".*.part"):
            left.unlink()
        if not journal.exists():
            if any(p.suffix != ".lock" for p in folder.iterdir()):  # a lock says who writes here, and is no content
                raise OutputRefused(f"{folder} holds files of something else; choose a new folder")
            with aside(journal) as place:
                place.write_text(json.dumps(plan, indent=1), encoding="utf-8")
    except OSError as cause:
        if isinstance(cause, OutputRefused):
            raise
        raise OutputRefused(f"{folder} cannot be written ({cause.strerror}); choose another folder") from cause
    kept = json.loads(journal.read_text(encoding="utf-8"))
    differ = [f"{k} was {kept.get(k)!r}, now {plan.get(k)!r}" for k in {**kept, **plan} if kept.get(k) != plan.get(k)]
    if differ:
        raise OutputRefused(f"{folder} was begun otherwise ({'; '.join(differ)}); choose a new folder")


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A hidden name beside a path that takes its place when the block ends well, and is removed when it does not."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise OutputRefused(f"{path.parent} cannot be made ({cause.strerror}); choose another folder") from cause
    hidden = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield hidden
        hidden.replace(path)
    except OSError as cause:
        if isinstance(cause, OutputRefused) or cause.strerror is None:
            raise
        raise OutputRefused(f"{path} cannot be written ({cause.strerror}); choose another folder") from cause
    finally:
        hidden.unlink(missing_ok=True)


def _wrapped(value: Any) -> Any:
    return [_wrapped(v) for v in value] if isinstance(value, list) else [str(value)]


def label_of(key: str, cell: Spot, local: Spot | None, day: str | None) -> str:
    """The label of one shot."""
    return Label(cell, local if LAYERS[key].local else None, day).text
