"""Handles: GDAL datasets that stay open between reads.

A JPEG 2000 file is decoded in tiles of 1024 x 1024. GDAL keeps decoded tiles only while the dataset is open, so opening
it again for each crop decodes the same tile again and again. Here each thread of each process keeps its last few
datasets open; none is ever shared. `bench/handles.py` measures what that saves.
"""

import os
import threading
from collections import OrderedDict

import numpy as np
import rasterio
from jaxtyping import Shaped
from rasterio.env import Env
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window as Part

from armillary.errors import MissingExtra, SceneUnreadable

_MOST = 32
"""Datasets that one thread keeps open: two Sentinel-2 scenes."""


class _Open(threading.local):
    def __init__(self) -> None:
        self.process = os.getpid()
        self.datasets: OrderedDict[tuple[str, float], DatasetReader] = OrderedDict()


_OPEN = _Open()


def read(href: str, band: int, rows: slice, cols: slice, *, stamp: float = 0.0) -> Shaped[np.ndarray, "h w"]:
    """Stored numbers of one band and crop.

    Args:
        href: path or /vsi path.
        band: from 1.
        rows: start and stop inside the raster.
        cols: the same.
        stamp: when the file was last written; a file that changes is opened anew.

    Raises:
        SceneUnreadable: the file is no raster, or breaks off.
    """
    try:
        dataset = _dataset(href, stamp)
        part = Part(cols.start, rows.start, cols.stop - cols.start, rows.stop - rows.start)
        raw: np.ndarray = dataset.read(band, window=part)
    except RasterioError as cause:
        raise _unreadable(href, cause) from cause
    return raw


def header(href: str, *, stamp: float = 0.0) -> DatasetReader:
    """The open dataset, for its shape, CRS and affine. Not to be closed, nor given to another thread."""
    try:
        return _dataset(href, stamp)
    except RasterioError as cause:
        raise _unreadable(href, cause) from cause


def need_driver(driver: str, why: str) -> None:
    """Refuse in one sentence when this build of GDAL lacks a driver."""
    with Env() as env:
        if driver not in env.drivers():
            raise MissingExtra(
                f"{why} needs GDAL's driver {driver}, and this GDAL {rasterio.__gdal_version__} lacks it; "
                "install rasterio from its own wheel (pip install --force-reinstall rasterio) or from conda-forge"
            )


def _dataset(href: str, stamp: float) -> DatasetReader:
    if _OPEN.process != os.getpid():  # after a fork: the parent's handles are not ours
        _OPEN.__init__()  # type: ignore[misc]
    kept = _OPEN.datasets
    key = (href, stamp)
    if key not in kept:
        kept[key] = rasterio.open(href)
        while len(kept) > _MOST:
            kept.popitem(last=False)[1].close()
    kept.move_to_end(key)
    return kept[key]


def _unreadable(href: str, cause: BaseException) -> SceneUnreadable:
    reason = str(cause.__cause__ or cause).split("\n")[0][:160]
    return SceneUnreadable(f"{href} cannot be read ({reason}); the file is cut off or damaged: download it again")
