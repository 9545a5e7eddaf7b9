"""Ordinary georeferenced Zarr: one array (band, y, x), or one array (y, x) for each band, with or without time.

Written by xarray, by Armillary or by anybody who keeps CF coordinates and a `spatial_ref`. Band names come from the
coordinate of the band axis, from the attribute `band_names` or `long_name`, or from the arrays' own names.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Shaped
from xarray.coding.times import decode_cf_datetime

from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.earth.when import utc
from armillary.earth.window import Window
from armillary.errors import BadInput, SceneUnreadable
from armillary.scene.access.store import Array, Store
from armillary.scene.gridded.clues import Clues, clues_of
from armillary.scene.gridded.planes import warn
from armillary.scene.gridded.radiometry import Rule, Scaling
from armillary.scene.gridded.recognise import choose
from armillary.scene.gridded.rules import rules_of
from armillary.scene.gridded.stack import Plane, Stack
from armillary.scene.request import Request
from armillary.scene.scene import Scene, Source
from armillary.scene.zarr.eopf import Discovery, affine_of, crs_of

_Y = ("y", "lat", "latitude", "northing", "rows", "row")
_X = ("x", "lon", "longitude", "easting", "columns", "col")
_TIME = ("time", "t", "step")


@dataclass(frozen=True, eq=False)
class Layer:
    """One band of one array: `lead` indexes everything before y and x."""

    array: Array
    lead: tuple[int, ...]
    name: str | None

    def raw(self, rows: slice, cols: slice) -> Shaped[np.ndarray, "h w"]:
        """Stored numbers of a crop."""
        return self.array.raw(*self.lead, rows, cols)


def open_store(store: Store, request: Request) -> Scene:
    """Open the raster of a Zarr group.

    Raises:
        SceneUnreadable: no array has y and x as its last axes.
        SensorUnknown, BandMismatch: as for any raster.
        BadInput: `step` or `time` lies outside the series.
    """
    arrays = _rasters(store)
    step, time, time_source = _when(arrays[0], store, request)
    layers = [layer for a in arrays for layer in _layers(a, store, step)]
    look = partial(_sample, layers)
    dtypes = [layer.array.dtype.name for layer in layers]
    attrs = {**store.attrs, **store.groups.get(arrays[0].group, {}), **arrays[0].attrs}
    told = _told_sensor(attrs, request)
    names = list(request.bands or ()) if request.bands and len(request.bands) == len(layers) else _names(layers)
    asked = Request(**{**request.__dict__, "sensor": told})
    choice = choose(str(store.path), names, asked, clues_of(store.path).sensors, look, dtypes)
    places = [i[0] for i in choice.planes.values()]
    chosen, sensor = [layers[i] for i in places], choice.sensor.select(tuple(choice.planes))
    rules, scaling = _rules(chosen, sensor, attrs, request, store)
    for text in (choice.warning, scaling.warning):
        if text:
            warn(str(store.path), text)
    window, crs_source = _window(chosen[0].array, store, request)
    planes = tuple(Plane(c.array.path, window.shape, c.raw, r) for c, r in zip(chosen, rules, strict=True))
    return Scene(
        href=str(store.path),
        sensor=sensor,
        window=window,
        time=time,
        pixels=Stack(planes, window.shape),
        sources={
            "sensor": "given" if request.sensor else "read" if told else choice.sensor_source,
            "bands": choice.bands_source,
            "crs": crs_source,
            "time": time_source,
            "scaling": scaling.source,
        },
        facts={**choice.facts, **scaling.facts, **({} if step is None else {"step": str(step)})},
    )


def _rasters(store: Store) -> list[Array]:
    """Arrays with y and x last, all of the first group (the shallowest) and of the shape of its largest."""
    held = [a for a in store.arrays.values() if len(a.shape) >= 2 and _is_raster(a)]
    if not held:
        raise SceneUnreadable(
            f"{store.path} holds no array whose last axes are y and x; its arrays are "
            f"{', '.join(list(store.arrays)[:8]) or 'none'}"
        )
    group = min((a.group for a in held), key=lambda g: (g.count("/") + bool(g), g))
    mine = [a for a in held if a.group == group]
    cubes = [a for a in mine if _band_axis(a) is not None]
    largest = max(a.shape[-2] for a in mine)
    return cubes[:1] or [a for a in mine if a.shape[-2] == largest]


def _is_raster(array: Array) -> bool:
    numeric = array.dtype.kind in "iuf"
    return numeric and (
        array.dims[-2:] in [(y, x) for y in _Y for x in _X] or (not array.dims and len(array.shape) == 3)
    )


def _band_axis(array: Array) -> int | None:
    """The axis of bands: the one before y that is no time."""
    axes = [i for i in range(len(array.shape) - 2) if not array.dims or array.dims[i] not in _TIME]
    if len(axes) > 1:
        raise SceneUnreadable(f"array {array.path} has axes {', '.join(array.dims)}; one of bands was expected")
    return axes[0] if axes else None


def _layers(array: Array, store: Store, step: int | None) -> list[Layer]:
    axis = _band_axis(array)
    lead = [step or 0] * (len(array.shape) - 2)
    if axis is None:
        return [Layer(array, tuple(lead), str(array.attrs.get("band", array.name)))]
    names = _band_names(array, axis, store)
    layers = []
    for i in range(array.shape[axis]):
        lead[axis] = i
        layers.append(Layer(array, tuple(lead), names[i] if names else None))
    return layers


def _band_names(array: Array, axis: int, store: Store) -> list[str] | None:
    n = array.shape[axis]
    beside = store.beside(array, array.dims[axis]) if array.dims else None
    if beside is not None and beside.shape == (n,) and beside.dtype.kind in "UTSO":
        return [v.decode() if isinstance(v, bytes) else str(v) for v in beside.raw().tolist()]
    for key in ("band_names", "bands", "long_name"):
        held = array.attrs.get(key)
        if isinstance(held, list | tuple) and len(held) == n:
            return [str(v) for v in held]
    return None


def _names(layers: Sequence[Layer]) -> list[str] | None:
    names = [layer.name for layer in layers if layer.name is not None]
    return names if len(names) == len(layers) else None


def _told_sensor(attrs: Mapping[str, Any], request: Request) -> Sensor | None:
    return request.sensor or sensors.get(str(attrs.get("sensor")))


def _sample(layers: Sequence[Layer], at: int) -> Shaped[np.ndarray, " n"]:
    """The middle 512 x 512 of one layer."""
    h, w = layers[at].array.shape[-2:]
    rows, cols = (slice(max(0, n // 2 - 256), min(n, n // 2 + 256)) for n in (h, w))
    return layers[at].raw(rows, cols).ravel()


def _rules(
    chosen: Sequence[Layer], sensor: Sensor, attrs: Mapping[str, Any], request: Request, store: Store
) -> tuple[tuple[Rule, ...], Scaling]:
    """Attributes first; then the unit that the array states; then the rules of any raster."""
    if request.unit is None and request.offset is None:
        if all(c.array.scaling for c in chosen):
            return tuple(c.array.rule for c in chosen), Scaling("read", {"stored": "scale_factor and add_offset"})
        stated = attrs.get("unit", attrs.get("units"))
        if stated == sensor.unit and all(c.array.dtype.kind == "f" for c in chosen):
            return tuple(Rule(c.array.nodata) for c in chosen), Scaling("read", {"stored": sensor.unit})
    nodata = [next(iter(c.array.nodata), None) for c in chosen]
    look: Callable[[int], np.ndarray] = partial(_sample, chosen)
    clues: Clues = clues_of(store.path)
    found = rules_of(str(store.path), sensor, [c.array.dtype.name for c in chosen], nodata, request, clues, look)
    return found.rules, found.scaling


def _window(array: Array, store: Store, request: Request) -> tuple[Window, Source]:
    discovery = Discovery.of(store)
    crs, _ = crs_of(array, store, discovery)
    if crs is None and array.dims[-2:] in [("lat", "lon"), ("latitude", "longitude")]:
        crs = "EPSG:4326"
    source: Source = "given" if request.crs else "read" if crs else "unknown"
    if source == "unknown":
        warn(str(store.path), "no CRS, so no place on Earth; give crs= if you know it (maps are refused without one)")
    if request.resolution is not None:
        raise BadInput(f"resolution= was given for {store.path}, which has one grid of its own; leave it away")
    return Window.of((array.shape[-2], array.shape[-1]), affine_of(array, store, discovery), request.crs or crs), source


def _when(array: Array, store: Store, request: Request) -> tuple[int | None, datetime | None, Source]:
    """The step of a series, its time, and where the time comes from."""
    axes = [i for i, d in enumerate(array.dims[:-2]) if d in _TIME]
    if not axes:
        stated = array.attrs.get("time", store.attrs.get("time"))
        scalar = store.beside(array, "time")
        known = utc(stated) if stated else _times(scalar)[0] if scalar is not None else clues_of(store.path).time
        time = request.time or known
        return None, time, "given" if request.time else "read" if time else "unknown"
    n = array.shape[axes[0]]
    axis = store.beside(array, array.dims[axes[0]])
    times = None if axis is None else _times(axis)
    step = request.step
    if step is None and request.time is not None and times:
        wanted = request.time
        step = min(range(n), key=lambda i: abs((times[i] - wanted).total_seconds()))
    if step is None and n > 1:
        warn(str(store.path), f"a time series of {n} steps: step 0 was taken, give step= or time= to choose")
    step = step or 0
    if not 0 <= step < n:
        raise BadInput(f"step={step} of {store.path} was asked for, it holds steps 0 to {n - 1}")
    time = times[step] if times else request.time
    return step, time, "read" if times else "given" if request.time else "unknown"


def _times(axis: Array) -> list[datetime]:
    units, calendar = axis.attrs.get("units"), axis.attrs.get("calendar", "standard")
    raw = np.atleast_1d(axis.raw())
    held = raw if raw.dtype.kind in "MUTSO" or units is None else decode_cf_datetime(raw, str(units), str(calendar))
    return [utc(v) for v in np.asarray(held)]
