"""SAFE: Sentinel-2 level 1C and 2A products as ESA delivers them, folder or zip, JPEG 2000 inside.

Bands are read at their native ground size (10, 20, 60 m) and brought to one grid: that of the finest band asked for,
or `resolution=`. Coarser bands are repeated, finer ones averaged (see `stack`). Counts become reflectance by the offset
and the quantification that the product states; a count of 0 is NaN. Products of before December 2016, which hold many
granules, are refused.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Shaped

from armillary.earth.fleet import sensors
from armillary.earth.lexicon import resolve
from armillary.earth.sensors import Sensor
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch, SceneUnreadable, SensorUnknown
from armillary.scene.access import handles
from armillary.scene.access.archive import Archive, holds
from armillary.scene.gridded.radiometry import DARK, Rule, Scaling
from armillary.scene.gridded.stack import Plane, Stack, regrid
from armillary.scene.request import Request
from armillary.scene.s2.classes import classes_of
from armillary.scene.s2.msi import BAND_IDS, Product, Tile, product_of, shifts, tile_of
from armillary.scene.scene import Scene, Source

QUANTIFICATION = 10000.0
"""Counts per unit of reflectance, where a product does not tell."""

_FILE = re.compile(r"(?:^|/)(?:L2A_)?T(\d{2}[A-Z]{3})_(\d{8}T\d{6})_(B\d\d|B8A|SCL)(?:_(10|20|60)m)?\.jp2$")
_METADATA = r"MTD_MSIL(?:1C|2A)\.xml"
_OLD = r"S2[A-D]_OPER_MTD_(?:SAF)?L(?:1C|2A)_.*\.xml"
_NAME = re.compile(r"^S2[A-D]_(?:MSIL(?:1C|2A)_|OPER_PRD_MSIL)", re.IGNORECASE)
_GSD = {b: int(g) for b, g in zip(sensors["s2-l1c"].band_names, sensors["s2-l1c"].band_gsd_m, strict=True)} | {
    "SCL": 20
}


def recognises(path: Path) -> bool:
    """True for a Sentinel-2 SAFE folder or zip, also a cut one whose name still tells, and for a manifest in it."""
    if path.name.lower() == "manifest.safe":
        return holds(path.parent, f"{_METADATA}|{_OLD}")
    if re.fullmatch(_METADATA, path.name):
        return path.is_file()
    if _NAME.match(path.name) and (path.is_dir() or path.suffix.lower() == ".zip"):
        return not path.name.lower().endswith((".zarr", ".zarr.zip"))
    return holds(path, f"{_METADATA}|{_OLD}")


def open_scene(path: Path, request: Request) -> Scene:
    """Open a Sentinel-2 product; values are reflectance (1.0 = 100 %), negative ones are legal and kept.

    Args:
        path: the SAFE folder, its zip, or the MTD_MSIL*.xml or manifest.safe in the folder.
        request: `bands` are those wanted, in that order (default: all); `resolution` is 10, 20 or 60 m; `offset` wins
            over what the product states.

    Raises:
        SceneUnreadable: metadata or a band file is absent, cut or older than December 2016.
        BandMismatch: a band is asked that the product does not hold.
        MissingExtra: this GDAL reads no JPEG 2000.
    """
    handles.need_driver("JP2OpenJPEG", "a Sentinel-2 SAFE product")
    archive = Archive.open(path)
    product, tile = _metadata(archive)
    _refuse(request, archive)
    sensor, source = _sensor(product, request, archive)
    files = _files(archive, product)
    names = _bands(sensor, files, request, archive)
    planes = {b: _plane(archive, files[b], tile) for b in names}
    window, crs_source = _window(archive, tile, [planes[b] for b in names], request)
    offsets, scaling = shifts(product, names, request.offset, partial(_lows, archive, files, tile))
    if scaling.warning:
        warnings.warn(f"{archive.name}: {scaling.warning}", stacklevel=3)
    scale = 1 / (product.quantification or QUANTIFICATION)
    rules = (Rule(nodata=(0.0,), shift=s, scale=scale) for s in offsets)
    stack = Stack(
        tuple(Plane(p.name, p.shape, p.raw, r) for p, r in zip(planes.values(), rules, strict=True)), window.shape
    )
    time, time_source = _time(product, tile, request)
    return Scene(
        href=str(path),
        sensor=sensor.select(names),
        window=window,
        time=time,
        pixels=stack,
        sources={
            "sensor": source,
            "bands": "read" if request.bands is None else "given",
            "crs": crs_source,
            "time": time_source,
            "scaling": scaling.source if product.quantification else "assumed",
        },
        facts=_facts(archive, product, tile, scaling, names),
    )


def classification(path: Path, *, resolution: float = 20.0) -> xr.DataArray:
    """The scene classification of a level 2A product: uint8 (y, x), classes 0 to 11 as in `classes.CLASSES`.

    Args:
        path: as for `open_scene`.
        resolution: 10, 20 or 60 m; always the nearest class, never a mean.

    Raises:
        BandMismatch: the product has no classification (level 1C has none).
    """
    handles.need_driver("JP2OpenJPEG", "a Sentinel-2 SAFE product")
    archive = Archive.open(path)
    product, tile = _metadata(archive)
    files = _files(archive, product)
    if "SCL" not in files:
        raise BandMismatch(f"{path} has no scene classification (SCL); open a level 2A product")
    plane = _plane(archive, files["SCL"], tile)
    window, _ = _window(archive, tile, [plane], Request(resolution=resolution))
    return classes_of(plane, window, str(path))


@dataclass(frozen=True)
class _File:
    """One band's file: inner name and ground size in metres."""

    name: str
    gsd: int


def _metadata(archive: Archive) -> tuple[Product, Tile]:
    if archive.find(_OLD) or archive.name.upper().startswith(tuple(f"S2{s}_OPER" for s in "ABCD")):
        raise SceneUnreadable(
            f"{archive.path} is in the format of before December 2016, with many granules in one product, which is "
            "not read; take its Collection-1 reprocessing (baseline 05.00) instead"
        )
    granules = {n.split("GRANULE/")[1].split("/")[0] for n in archive.names if "GRANULE/" in n}
    if len(granules) > 1:
        raise SceneUnreadable(f"{archive.path} holds {len(granules)} granules, one was expected; open them one by one")
    name = archive.one(_METADATA, "metadata file MTD_MSIL1C.xml or MTD_MSIL2A.xml")
    product = product_of(archive.xml(name), str(archive.path))
    tiles = archive.find(r"MTD_TL\.xml")
    return product, tile_of(archive.xml(tiles[0]), str(archive.path)) if tiles else Tile()


def _refuse(request: Request, archive: Archive) -> None:
    if request.unit not in (None, "count"):
        raise BadInput(f"{archive.name} stores counts, unit={request.unit!r} was given; leave unit= away")
    if request.min_qa is not None or request.step not in (None, 0):
        raise BadInput(f"min_qa= and step= were given for {archive.name}, which has neither quality values nor steps")


def _sensor(product: Product, request: Request, archive: Archive) -> tuple[Sensor, Source]:
    found = sensors[f"s2-{product.level.lower()}"]
    given = request.sensor
    if given is None or given.name == found.name:
        return given or found, "read" if given is None else "given"
    if given.name not in sensors and set(given.band_names) <= set(BAND_IDS) and given.unit == found.unit:
        return given, "given"
    raise SensorUnknown(f"{archive.name} is {found.name}, and {given.name} was asked; leave sensor= away")


def _files(archive: Archive, product: Product) -> dict[str, _File]:
    """Band -> its file: the one of native ground size, else the finest there is."""
    listed = [n for f in product.files if (n := f + ".jp2") in archive.names]
    found: dict[str, _File] = {}
    for name in listed or archive.names:
        if m := _FILE.search(name):
            band, gsd = m[3], int(m[4] or _GSD.get(m[3], 0))
            best = found.get(band)
            if best is None or abs(gsd - _GSD[band]) < abs(best.gsd - _GSD[band]):
                found[band] = _File(name, gsd)
    return found


def _bands(sensor: Sensor, files: Mapping[str, _File], request: Request, archive: Archive) -> tuple[str, ...]:
    names = sensor.band_names if request.bands is None else resolve(sensor, request.bands)
    absent = [b for b in names if b not in files]
    if absent:
        here = [b for b in sensor.band_names if b in files]
        remedy = f"give bands={','.join(here)} to open those that are here" if here else "download it again"
        raise BandMismatch(
            f"{', '.join(absent)} of {sensor.name} was asked and {archive.path} has no such file; {remedy}"
        )
    return names


def _plane(archive: Archive, file: _File, tile: Tile) -> Plane:
    """A band's file. Its shape is the tile's where the metadata tell it: then no file is touched before it is read."""
    href, stamp = archive.gdal_path(file.name), archive.path.stat().st_mtime
    grid = (tile.grids or {}).get(file.gsd)
    shape = grid[0] if grid else handles.header(href, stamp=stamp).shape
    return Plane(href, shape, partial(_raw, archive, href, stamp, shape), Rule(nodata=(0.0,)))


def _raw(
    archive: Archive, href: str, stamp: float, shape: tuple[int, int], rows: slice, cols: slice
) -> Shaped[np.ndarray, "h w"]:
    held = handles.header(href, stamp=stamp).shape
    if tuple(held) != shape:
        raise SceneUnreadable(
            f"{href} has {held[0]} x {held[1]} pixels, the metadata of {archive.name} promise {shape[0]} x {shape[1]}; "
            "the file was cropped or is of another product: download it again"
        )
    return handles.read(href, 1, rows, cols, stamp=stamp)


def _window(archive: Archive, tile: Tile, planes: Sequence[Plane], request: Request) -> tuple[Window, Source]:
    """The grid asked for: `resolution`, or that of the finest plane."""
    fine = max(planes, key=lambda p: p.shape[0])
    crs, shape, affine = _place(archive, tile, fine)
    if request.resolution is not None:
        shape, affine = regrid(shape, affine, request.resolution)
    source: Source = "given" if request.crs else ("read" if crs else "unknown")
    if source == "unknown":
        warnings.warn(f"{archive.name} tells no CRS; give crs= to place it", stacklevel=4)
    return Window.of(shape, affine, request.crs or crs), source


def _place(archive: Archive, tile: Tile, plane: Plane) -> tuple[str | None, tuple[int, int], tuple[float, ...]]:
    """CRS, shape and affine of a plane: from MTD_TL.xml, else from the JPEG 2000 itself."""
    for shape, affine in (tile.grids or {}).values():
        if shape == plane.shape and tile.crs:
            return tile.crs, shape, affine
    header = handles.header(plane.name, stamp=archive.path.stat().st_mtime)
    crs = tile.crs or (str(header.crs) if header.crs else None)
    return crs, plane.shape, tuple(header.transform)[:6]


def _lows(archive: Archive, files: Mapping[str, _File], tile: Tile) -> dict[str, float]:
    """0.1 percentile of the valid counts of B10 and the dark bands, from nine blocks spread over the tile."""
    lows = {}
    for band in ("B10", *DARK):
        if band in files:
            plane = _plane(archive, files[band], tile)
            counts = np.concatenate([plane.raw(rows, cols).ravel() for rows, cols in _blocks(plane.shape)])
            if (counts > 0).any():
                lows[band] = float(np.percentile(counts[counts > 0], 0.1))
    return lows


def _blocks(shape: tuple[int, int], side: int = 256) -> list[tuple[slice, slice]]:
    h, w = shape
    if max(h, w) <= 3 * side:
        return [(slice(0, h), slice(0, w))]
    starts = [(int((h - side) * i / 2), int((w - side) * j / 2)) for i in range(3) for j in range(3)]
    return [(slice(r, r + side), slice(c, c + side)) for r, c in starts]


def _time(product: Product, tile: Tile, request: Request) -> tuple[datetime | None, Source]:
    if request.time is not None:
        return request.time, "given"
    time = tile.time or product.start
    return time, "unknown" if time is None else "read"


def _facts(archive: Archive, product: Product, tile: Tile, scaling: Scaling, names: Sequence[str]) -> dict[str, str]:
    name = re.search(r"_T(\d{2}[A-Z]{3})(?:_|$)", archive.name)
    cloud = product.cloud_percent if tile.cloud_percent is None else tile.cloud_percent
    facts = {
        "product": archive.name,
        "satellite": product.satellite,
        "baseline": None if product.baseline is None else f"{product.baseline:05.2f}",
        "tile": name[1] if name else None,
        "cloud_percent": None if cloud is None else f"{cloud:g}",
        "time_of": "tile" if tile.time else "product start",
        "upsampling": "repeated" if len({_GSD[b] for b in names}) > 1 else None,
        **scaling.facts,
    }
    return {k: v for k, v in facts.items() if v is not None}
