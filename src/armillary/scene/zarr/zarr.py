"""Zarr: Sentinel-2 products of the EOPF processors, and the door to every other Zarr that Armillary reads.

EOPF keeps Sentinel-2 bands as arrays `b02` ... `b8a` somewhere under `measurements/reflectance`, one group for each
ground size, scaled by attributes (`add_offset` -0.1 is the +1000 of baseline 04.00: nothing is subtracted again). As
for SAFE, bands are read at their native size and brought to the finest grid asked for. Sentinel-1 products are
read by `zarr_radar`, OLCI by `zarr_olci`, ordinary georeferenced arrays by `zarr_grid`.
"""

import re
import warnings
from collections.abc import Iterable, Mapping
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
from armillary.scene.access.store import Array, Store, is_zarr
from armillary.scene.gridded.radiometry import Rule, Scaling, s2_shift
from armillary.scene.gridded.stack import Plane, Stack, regrid
from armillary.scene.request import Request
from armillary.scene.s2.classes import classes_of
from armillary.scene.scene import Scene, Source
from armillary.scene.zarr import grid, olci, radar
from armillary.scene.zarr.eopf import Discovery, affine_of, crs_of

_REFLECTANCE = r"(?:.*/)?measurements/reflectance/(?:.*/)?(b\d\d|b8a)"
_CLASSES = r"(?:.*/)?conditions/mask/l2a_classification/(?:.*/)?scl"
_GSD = dict(zip(sensors["s2-l1c"].band_names, sensors["s2-l1c"].band_gsd_m, strict=True))


def recognises(path: Path) -> bool:
    """True for a Zarr group: a folder with .zgroup or zarr.json, or a zip of one."""
    return is_zarr(path)


def open_scene(path: Path, request: Request) -> Scene:
    """Open a Zarr group of one product.

    Args:
        path: the .zarr folder or .zarr.zip.
        request: for Sentinel-2, `bands` are those wanted, in that order; `resolution` is 10, 20 or 60 m.

    Raises:
        SceneUnreadable: it is no whole Zarr group, or holds no array of pixels.
        BandMismatch: a band is asked that is not here.
    """
    store = Store.open(path)
    if store.find(_REFLECTANCE):
        return _sentinel_2(store, request)
    if store.find(radar.COUNTS):
        return radar.open_store(store, request)
    if store.find(olci.RADIANCE):
        return olci.open_store(store, request)
    return grid.open_store(store, request)


def classification(path: Path, *, resolution: float = 20.0) -> xr.DataArray:
    """The scene classification of an EOPF level 2A product: uint8 (y, x), classes 0 to 11 as in `classes.CLASSES`.

    Args:
        path: as for `open_scene`.
        resolution: 10, 20 or 60 m; always the nearest class.

    Raises:
        BandMismatch: the product has none.
    """
    store = Store.open(path)
    found = store.find(_CLASSES)
    if not found:
        raise BandMismatch(f"{path} has no scene classification (scl); open a level 2A product")
    affines = {a.path: affine_of(a, store, Discovery.of(store)) for a in found}
    array = min(found, key=lambda a: (affines[a.path][0], a.path))
    window, _ = _window(array, store, Discovery.of(store), Request(resolution=resolution))
    return classes_of(_plane(array, Rule()), window, str(path))


def _sentinel_2(store: Store, request: Request) -> Scene:
    _refuse(request, store)
    discovery = Discovery.of(store)
    sensor, source = _sensor(store, discovery, request)
    arrays = _natives(store, discovery)
    names = _bands(sensor, arrays, request, store)
    held = {b: arrays[b] for b in names}
    rules, scaling = _rules(held, discovery, request)
    if scaling.warning:
        warnings.warn(f"{store.path}: {scaling.warning}", stacklevel=3)
    finest = max(held.values(), key=lambda a: a.shape[0])
    window, crs_source = _window(finest, store, discovery, request)
    _same_ground(held.values(), store, discovery)
    planes = tuple(_plane(a, r) for a, r in zip(held.values(), rules, strict=True))
    time = request.time or discovery.time
    return Scene(
        href=str(store.path),
        sensor=sensor.select(names),
        window=window,
        time=time,
        pixels=Stack(planes, window.shape),
        sources={
            "sensor": source,
            "bands": "read" if request.bands is None else "given",
            "crs": crs_source,
            "time": "given" if request.time else "read" if time else "unknown",
            "scaling": scaling.source,
        },
        facts=_facts(discovery, scaling, finest, store),
    )


def _refuse(request: Request, store: Store) -> None:
    if request.unit is not None:
        raise BadInput(f"{store.path} tells itself what it stores, unit={request.unit!r} was given; leave unit= away")
    if request.min_qa is not None or request.step not in (None, 0):
        raise BadInput(f"min_qa= and step= were given for {store.path}, which has neither quality values nor steps")


def _sensor(store: Store, discovery: Discovery, request: Request) -> tuple[Sensor, Source]:
    words = " ".join(filter(None, (discovery.fact("product:type"), discovery.fact("processing:level"), discovery.name)))
    level = next((n for n, mark in (("s2-l2a", r"L?2A"), ("s2-l1c", r"L?1C")) if re.search(mark, words)), None)
    if level is None and (store.find(_CLASSES) or store.find(r".*l2a.*")):
        level = "s2-l2a"
    if level is None and store.find(r".*/b10"):
        level = "s2-l1c"
    given = request.sensor
    if given is None and level is None:
        raise SensorUnknown(
            f'{store.path} does not tell whether it is level 1C or 2A; give sensor="s2-l1c" or "s2-l2a"'
        )
    if given is None:
        return sensors[str(level)], "read"
    if not set(given.band_names) <= set(_GSD) or given.unit != "reflectance":
        raise SensorUnknown(f"{store.path} is {level or 'Sentinel-2'}, and {given.name} was asked; leave sensor= away")
    return given, "given"


def _natives(store: Store, discovery: Discovery) -> dict[str, Array]:
    """Band -> its array: the one whose pixels are of the band's native size, else the nearest to that."""
    found: dict[str, tuple[float, Array]] = {}
    for array in store.find(_REFLECTANCE):
        band = array.name.upper()
        if band in _GSD and len(array.shape) == 2:
            off = abs(_gsd(array, store, discovery) - _GSD[band])
            if band not in found or off < found[band][0]:
                found[band] = (off, array)
    return {b: a for b, (_, a) in found.items()}


def _gsd(array: Array, store: Store, discovery: Discovery) -> float:
    """Pixel size in metres: from the group's name (r10m) where that is the array's own, else from its grid."""
    m = re.search(r"/r(\d+)m$", array.group)
    return float(m[1]) if m else affine_of(array, store, discovery)[0]


def _bands(sensor: Sensor, arrays: Mapping[str, Array], request: Request, store: Store) -> tuple[str, ...]:
    names = sensor.band_names if request.bands is None else resolve(sensor, request.bands)
    absent = [b for b in names if b not in arrays]
    if absent:
        here = ",".join(b for b in sensor.band_names if b in arrays)
        raise BandMismatch(
            f"{', '.join(absent)} of {sensor.name} was asked and {store.path} has no such array; give bands={here} to "
            "open those that are here"
        )
    return names


def _rules(held: Mapping[str, Array], discovery: Discovery, request: Request) -> tuple[tuple[Rule, ...], Scaling]:
    """Nodata and scaling of each band, decoded exactly once."""
    whole = [a for a in held.values() if a.dtype.kind != "f"]
    told = all(a.scaling is not None for a in whole)
    if request.offset is None and told:
        rules = tuple(_masked(a, a.rule) for a in held.values())
        shifts = dict.fromkeys(f"{r.shift:g}" for r in rules)
        words = f"{', '.join(shifts)} (add_offset / scale_factor)" if whole else "none: reflectance is stored"
        return rules, Scaling("read", {"offset": words})
    shift, scaling = s2_shift(request.offset, discovery.baseline, {})
    scales = [a.scaling[0] if a.scaling else 1e-4 for a in held.values()]
    rules = tuple(_masked(a, Rule(a.nodata, shift=shift, scale=s)) for a, s in zip(held.values(), scales, strict=True))
    if request.offset is not None:
        return rules, scaling
    words = f"no scale_factor is stored; counts x 10000 with offset {shift:g} are assumed; give offset= to be sure"
    return rules, Scaling("assumed", scaling.facts, scaling.warning or words)


def _masked(array: Array, rule: Rule) -> Rule:
    """A count of 0 is nodata in Sentinel-2, whether the store says so or not."""
    nodata = rule.nodata if array.dtype.kind == "f" else tuple(sorted({0.0, *rule.nodata}))
    return Rule(nodata, shift=rule.shift, scale=rule.scale)


def _window(array: Array, store: Store, discovery: Discovery, request: Request) -> tuple[Window, Source]:
    crs, _ = crs_of(array, store, discovery)
    shape, affine = (array.shape[0], array.shape[1]), affine_of(array, store, discovery)
    if request.resolution is not None:
        shape, affine = regrid(shape, affine, request.resolution)
    source: Source = "given" if request.crs else "read" if crs else "unknown"
    if source == "unknown":
        warnings.warn(f"{store.path} tells no CRS; give crs= to place it", stacklevel=4)
    return Window.of(shape, affine, request.crs or crs), source


def _same_ground(arrays: Iterable[Array], store: Store, discovery: Discovery) -> None:
    """Refuse arrays whose outer edges differ: their pixels would not lie over each other."""
    corners: dict[tuple[float, float], str] = {}
    for array in arrays:
        a = affine_of(array, store, discovery)
        corners.setdefault((a[2], a[5]), array.path)
    if len(corners) > 1:
        (one, first), (two, second) = list(corners.items())[:2]
        raise SceneUnreadable(f"{first} begins at {one} and {second} at {two}; bands of one product share a corner")


def _plane(array: Array, rule: Rule) -> Plane:
    return Plane(array.path, (array.shape[0], array.shape[1]), partial(_raw, array), rule)


def _raw(array: Array, rows: slice, cols: slice) -> Shaped[np.ndarray, "h w"]:
    return array.raw(rows, cols)


def _facts(discovery: Discovery, scaling: Scaling, array: Array, store: Store) -> dict[str, str]:
    cloud = discovery.fact("eo:cloud_cover")
    facts = {
        "product": discovery.name,
        "satellite": discovery.fact("platform"),
        "baseline": None if discovery.baseline is None else f"{discovery.baseline:05.2f}",
        "tile": discovery.tile,
        "cloud_cover": None if cloud is None else f"{cloud} (percent or fraction: the product does not tell)",
        "crs_from": crs_of(array, store, discovery)[1] or None,
        "zarr_format": str(array.stored.metadata.zarr_format),
        "upsampling": "repeated",
        **scaling.facts,
    }
    return {k: v for k, v in facts.items() if v is not None}
