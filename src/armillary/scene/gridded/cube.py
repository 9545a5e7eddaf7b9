"""Cube: NetCDF time series in the layout of openEO and GFMAP (dims t, y, x; one variable per band), one step at a time.

Conventions of the layout: variables `S2-L2A-B04`, `S1-SIGMA0-VV`, `COP-DEM` or bare `B2`, `VV`, `elevation` whose
`long_name` says the rest; integers stand for unsigned ones; 65535 is nodata; backscatter is stored as
10 ** ((dB + 83) / 20), so dB = 20 log10(DN) - 83.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from jaxtyping import Float, Shaped
from xarray.coding.times import decode_cf_datetime

from armillary.earth.card import find_sensor
from armillary.earth.lexicon import house_name, resolve
from armillary.earth.sensors import Sensor
from armillary.earth.when import utc
from armillary.earth.window import Window
from armillary.errors import BadInput, BandMismatch, SceneUnreadable, SensorUnknown
from armillary.scene.access.netcdf import NetCDF, Variable, is_netcdf, opened
from armillary.scene.gridded.clues import Clues
from armillary.scene.gridded.coarsen import coarsened
from armillary.scene.gridded.planes import warn
from armillary.scene.gridded.radiometry import Rule, Scaling
from armillary.scene.gridded.rules import rules_of
from armillary.scene.request import Request
from armillary.scene.scene import Scene, Source

NODATA = 65535.0
DB_SHIFT = -83.0

_FAMILY = {"S2-L2A": "s2-l2a", "S2-L1C": "s2-l1c", "S1-SIGMA0": "s1-grd", "S1-GAMMA0": "s1-rtc", "COP-DEM": "dem"}
"""How a variable or its long_name begins -> its sensor."""

_LEVELS = ("s2-l1c", "s2-l2a")
"""Sensors that differ only in processing level: where a variable names one, it is never the other."""

_PLAIN = {"S2": "s2-l2a", "S1": "s1-grd", "DEM": "dem"}
"""First letters of a long_name that names no level, and what the layout stores then."""


def recognises(path: Path) -> bool:
    """True for a NetCDF file with dims t, y, x and at least one band of a sensor."""
    if path.suffix.lower() not in (".nc", ".nc4", ".cdf") or not is_netcdf(path):
        return False
    try:
        with opened(path) as file:
            return {"t", "y", "x"} <= set(file.names) and bool(_bands(file)[0])
    except SceneUnreadable:
        return False


def open_scene(path: Path, request: Request) -> Scene:
    """One step of one sensor of the cube.

    Raises:
        SensorUnknown: the cube holds several sensors and none was asked for.
        BadInput: `step` or `time` lies outside the cube.
    """
    if request.min_qa is not None:
        raise BadInput(f"min_qa= is for Sentinel-5P products and {path} is a cube of bands: leave it out")
    with opened(path) as file:
        held, named = _bands(file)
        sensor, sensor_source = _sensor(path, held, named, request)
        chosen = _chosen(path, sensor, held, request)
        times = _times(file)
        step, time_source = _step(path, times, request)
        window, crs_source = _window(path, file, request)
        narrow = sensor.select(list(chosen))
        dtypes, samples = _look(file, list(chosen.values()))
        decided_rules, scaling = _rules(path, narrow, dtypes, request, samples)
    if scaling.warning:
        warn(str(path), scaling.warning)
    scene = Scene(
        href=str(path),
        sensor=narrow,
        window=window,
        time=None if sensor.name == "dem" else times[step],  # a height has no day
        pixels=CubePixels(path, tuple(chosen.values()), step, decided_rules),
        sources={
            "sensor": sensor_source,
            "bands": "read",
            "crs": crs_source,
            "time": "unknown" if sensor.name == "dem" else time_source,
            "scaling": scaling.source,
        },
        facts={"step": f"{step} of {len(times)} ({times[0]:%Y-%m-%d} to {times[-1]:%Y-%m-%d})", **scaling.facts},
    )
    return scene if request.resolution is None else coarsened(scene, request.resolution)


@dataclass(frozen=True)
class CubePixels:
    """Crops of one step of a cube; opens the file per read."""

    path: Path
    variables: tuple[str, ...]
    step: int
    rules: tuple[Rule, ...]

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """Values of these variables."""
        with opened(self.path) as file:
            planes = []
            for b in bands:
                variable = file.variable(self.variables[b])
                key = (self.step, rows, cols) if len(variable.shape) == 3 else (rows, cols)
                planes.append(self.rules[b].values(variable.raw(key)))
        return np.stack(planes)


def _bands(file: NetCDF) -> tuple[dict[str, dict[str, str]], frozenset[str]]:
    """Sensor name -> house band -> variable; and the sensors that a variable names in full, level included."""
    held: dict[str, dict[str, str]] = {}
    named: set[str] = set()
    for name in file.names:
        variable = file.variable(name)
        if len(variable.shape) < 2:
            continue
        label = str(variable.attrs.get("long_name", name))
        family = next((s for start, s in _FAMILY.items() if start in (name[: len(start)], label[: len(start)])), None)
        full = family
        family = family or _PLAIN.get(label.split("-", maxsplit=1)[0])
        bare = house_name(name) or house_name(label.rsplit("-", 1)[-1])
        family = family or ("dem" if bare == "DEM" else None)
        if bare and family and bare in find_sensor(family).band_names:
            held.setdefault(family, {})[bare] = name
            named |= {full} if full else set()
    return held, frozenset(named)


def _sensor(
    path: Path, held: Mapping[str, Mapping[str, str]], named: frozenset[str], request: Request
) -> tuple[Sensor, Source]:
    if request.sensor is not None:
        asked = request.sensor.name
        other = sorted(named & set(_LEVELS) - {asked})
        if asked in _LEVELS and asked not in held and other:
            raise SensorUnknown(
                f"{path} was opened as {asked}, and says itself that it is {other[0]}; leave sensor= out"
            )
        return request.sensor, "given"
    if len(held) == 1:
        return find_sensor(next(iter(held))), "read"
    first = next(iter(held))
    raise SensorUnknown(f'{path} holds {", ".join(held)}; say which one to open, for example sensor="{first}"')


def _chosen(path: Path, sensor: Sensor, held: Mapping[str, Mapping[str, str]], request: Request) -> dict[str, str]:
    every = {b: v for family in held.values() for b, v in family.items()}
    mine = {b: held.get(sensor.name, every)[b] for b in sensor.band_names if b in held.get(sensor.name, every)}
    if not mine:
        raise BandMismatch(f"{path} was opened as {sensor.name}; it holds {', '.join(held)}: give one of these")
    if request.bands is None:
        return mine
    asked = resolve(sensor, request.bands)
    absent = [b for b in asked if b not in mine]
    if absent:
        raise BandMismatch(f"bands {', '.join(absent)} were asked of {path}; it holds {', '.join(mine)}")
    return {b: mine[b] for b in asked}


def _times(file: NetCDF) -> list[datetime]:
    t = file.variable("t")
    stored = t.raw()
    decoded = decode_cf_datetime(stored, str(t.attrs["units"]), str(t.attrs.get("calendar", "standard")))
    return [utc(np.datetime_as_string(np.datetime64(d, "s"))) for d in np.asarray(decoded)]


def _step(path: Path, times: Sequence[datetime], request: Request) -> tuple[int, Source]:
    """The step asked for, the one nearest to the time asked for, or the first."""
    if request.step is not None:
        if not 0 <= request.step < len(times):
            raise BadInput(f"step={request.step} of {path} was asked for; it holds steps 0 to {len(times) - 1}")
        return request.step, "read"
    if request.time is not None:
        asked = request.time
        return int(np.argmin([abs((t - asked).total_seconds()) for t in times])), "read"
    if len(times) > 1:
        warn(str(path), f"a time series of {len(times)} steps; the first was taken, give step= or time= to choose")
    return 0, "read"


def _window(path: Path, file: NetCDF, request: Request) -> tuple[Window, Source]:
    x, y = (file.variable(n).raw().astype(float) for n in ("x", "y"))
    if len(x) < 2 or len(y) < 2:
        raise SceneUnreadable(f"{path} has a single row or column, from which no pixel size can be told")
    dx, dy = (x[-1] - x[0]) / (len(x) - 1), (y[-1] - y[0]) / (len(y) - 1)
    wkt = file.variable("crs").attrs.get("crs_wkt") if "crs" in file else None
    crs = request.crs or wkt
    if crs is None:
        warn(str(path), "no CRS, so no place on Earth; give crs= if you know it")
    window = Window.of((len(y), len(x)), (dx, 0.0, x[0] - dx / 2, 0.0, dy, y[0] - dy / 2), crs)
    return window, "given" if request.crs else "read" if wkt else "unknown"


def _look(file: NetCDF, variables: Sequence[str]) -> tuple[list[str], list[Shaped[np.ndarray, " _"]]]:
    """Types and stored numbers, over all steps: a dark pixel of any step tells about the offset of all."""
    dtypes, samples = [], []
    for name in variables:
        raw = _thinned(file.variable(name))
        dtypes.append(str(raw.dtype))
        samples.append(raw[raw != NODATA])
    return dtypes, samples


def _thinned(variable: Variable) -> Shaped[np.ndarray, " n"]:
    steps = tuple(slice(None, None, max(1, n // 256)) for n in variable.shape[-2:])
    return variable.raw((..., *steps)).reshape(-1)


def _rules(
    path: Path,
    sensor: Sensor,
    dtypes: Sequence[str],
    request: Request,
    samples: Sequence[Shaped[np.ndarray, " _"]],
) -> tuple[tuple[Rule, ...], Scaling]:
    if sensor.name in ("s1-grd", "s1-rtc") and request.unit is None and all(d == "uint16" for d in dtypes):
        rule = Rule(nodata=(0.0, NODATA), form="amplitude", add_db=DB_SHIFT)
        scaling = Scaling("assumed", {"stored": "counts, dB = 20 log10(DN) - 83 (the layout's convention)"})
        return (rule,) * len(dtypes), scaling
    decided = rules_of(str(path), sensor, dtypes, [NODATA] * len(dtypes), request, Clues(), lambda i: samples[i])
    return decided.rules, decided.scaling
