"""`armillary open`: a scene of any layout as one GeoTIFF in physical units, written strip by strip."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import rasterio
import xarray as xr
from cyclopts import Parameter
from rasterio.errors import RasterioError
from rasterio.windows import Window as Part
from rich.progress import track

from armillary.cli.flags import NOTHING_TOLD, Json, Told
from armillary.errors import ArmillaryError, EmptyScene, OutputRefused
from armillary.sample.array import window_of
from armillary.scene.summary import facts_of

STRIP_ROWS = 512
"""Rows in memory at a time: two rows of tiles."""


def open(
    file: str,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    told: Told = NOTHING_TOLD,
    as_json: Json = False,
) -> None:
    """Read a scene of any layout and write it as one GeoTIFF in physical units.

    GeoTIFF, COG, JP2, Sentinel-2 SAFE (folder or zip), Sentinel-1 GRD SAFE, Sentinel-3 OLCI, Sentinel-5P, EOPF Zarr,
    NetCDF cubes, STAC items, and folders of single-band files are read.

    Example: armillary open S2A_MSIL2A_20220706T085611_N0400_R007_T33NZA_20220706T153419.SAFE -o scene.tif

    Args:
        file: file, folder, URL or STAC item.
        output: the GeoTIFF to write; a file of that name is replaced when the new one is whole.
        told: what the caller knows better than the file.
        as_json: print one JSON object instead of lines.
    """
    array = told.open(file)
    write(array, output, quiet=as_json)
    if as_json:
        print(json.dumps({"output": str(output), "sensor": array.attrs["sensor"], "shape": list(array.shape)}))
    else:
        print(f"{output}: {array.attrs['sensor']}, {'x'.join(map(str, array.shape))}, {array.attrs['unit']}")


def write(array: xr.DataArray, output: Path, *, quiet: bool) -> None:
    """A tiled float32 GeoTIFF with band names, nodata NaN, and every fact as a tag; whole or not at all.

    Raises:
        OutputRefused: the folder is absent or may not be written, or the disk is full.
        EmptyScene: there is not one valid pixel; nothing is written then.
    """
    if not output.name or not os.path.isdir(output.parent) or os.path.isdir(output):  # noqa: PTH112 (never raises)
        raise OutputRefused(
            f"{output} was to be written and is no name of a file in a folder; choose a folder that is there"
        )
    aside = output.with_name(f".{output.name[:100]}.{os.getpid()}.part")
    try:
        _write(array, aside, quiet=quiet)
        aside.replace(output)
    except ArmillaryError:
        raise  # the scene, not the output, is at fault
    except (OSError, RasterioError) as cause:
        reason = str(cause).split("\n")[0]
        raise OutputRefused(f"{output} cannot be written ({reason}); choose a folder that can be written") from cause
    finally:
        aside.unlink(missing_ok=True)


def _write(array: xr.DataArray, path: Path, *, quiet: bool) -> None:
    c, h, w = array.shape
    place = window_of(array)
    profile = {"driver": "GTiff", "dtype": "float32", "count": c, "height": h, "width": w, "nodata": np.nan}
    profile |= {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "predictor": 3}
    crs = None if place.crs is None else str(place.crs)
    tags = {k: str(v) for k, v in array.attrs.items() if k in ("sensor", "unit") or str(k).endswith("_source")}
    time = {"datetime": str(array.attrs["time"])} if array.attrs["time"] else {}
    held = False
    with rasterio.open(path, "w", **profile, crs=crs, transform=place.affine, BIGTIFF="IF_SAFER") as file:
        for rows in _strips(h, quiet=quiet):
            strip = np.asarray(array[:, rows].values)
            held = held or bool(np.isfinite(strip).any())
            part = Part(0, rows.start, w, rows.stop - rows.start)
            file.write(strip, window=part)
        file.descriptions = tuple(str(b) for b in array["band"].values)
        file.update_tags(**tags, **time, **facts_of(array))
    if not held:
        raise EmptyScene(
            f"{array.attrs['href']} holds not one valid pixel here, so nothing was written; check window= and nodata"
        )


def _strips(h: int, *, quiet: bool) -> Iterator[slice]:
    starts = range(0, h, STRIP_ROWS)
    shown = starts if quiet or len(starts) < 2 else track(starts, description="writing")
    for r in shown:
        yield slice(r, min(r + STRIP_ROWS, h))
