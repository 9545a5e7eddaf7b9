"""TreeSatAI time series: one HDF5 file per 60 m plot: `sen-2-data` (t, 10, 6, 6), `sen-1-asc-data`, `sen-1-des-data`.

Product names beside the data give time and processing baseline of each step. Sentinel-2 is L2A counts in the order of
`S2_BANDS`, Sentinel-1 linear power, VV before VH; ascending and descending passes are one series in time order. The
file holds no coordinates. (Ahlswede et al. 2023; the time series of Astruc et al. 2024.)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float, Shaped

from armillary.earth.sensors import Sensor
from armillary.earth.when import find_time
from armillary.earth.window import Window
from armillary.errors import BadInput, SceneUnreadable, SensorUnknown
from armillary.scene.gridded.clues import read_name
from armillary.scene.gridded.planes import warn
from armillary.scene.gridded.radiometry import Rule
from armillary.scene.gridded.rules import rules_of
from armillary.scene.request import Request
from armillary.scene.scene import Scene

S2_BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
_SERIES = {"s2-l2a": ("sen-2",), "s1-grd": ("sen-1-asc", "sen-1-des")}
_PIXEL_M = 10.0


@dataclass(frozen=True)
class Step:
    """One acquisition: which array, where in it, what it is of and when."""

    series: str
    at: int
    product: str
    time: datetime


def recognises(path: Path) -> bool:
    """True for an HDF5 file with Sentinel series and their product names."""
    if path.suffix.lower() not in (".h5", ".hdf5") or not h5py.is_hdf5(path):
        return False
    with h5py.File(path) as file:
        return any(f"{s}-data" in file and f"{s}-products" in file for names in _SERIES.values() for s in names)


def open_scene(path: Path, request: Request) -> Scene:
    """One step of one sensor; `step` counts in time order, `time` chooses the nearest.

    Raises:
        SensorUnknown: no sensor was asked for, and the file holds two.
        BadInput: the step lies outside the series.
    """
    sensor = _sensor(path, request)
    steps = _steps(path, sensor)
    at = _at(path, steps, request)
    step = steps[at]
    with h5py.File(path) as file:
        data = file[f"{step.series}-data"]
        h, w = data.shape[2:]
        planes: Shaped[np.ndarray, "c n"] = data[step.at].reshape(data.shape[1], -1)
    narrow = sensor.select(S2_BANDS) if sensor.name == "s2-l2a" else sensor
    asked = request if sensor.name == "s2-l2a" or request.unit else _linear(request)
    n = len(narrow.bands)
    decided = rules_of(
        str(path), narrow, ["float32"] * n, [None] * n, asked, read_name(step.product), lambda i: planes[i]
    )
    if decided.scaling.warning:
        warn(str(path), decided.scaling.warning)
    size = Window.of((h, w), (_PIXEL_M, 0, 0, 0, -_PIXEL_M, 0), request.crs)
    scene = Scene(
        href=str(path),
        sensor=narrow,
        window=size,
        time=step.time,
        pixels=_Pixels(path, step, decided.rules),
        sources={
            "sensor": "given",
            "bands": "assumed",
            "crs": "unknown" if request.crs is None else "given",
            "time": "read",
            "scaling": decided.scaling.source,
        },
        facts={"step": f"{at} of {len(steps)}", "product": step.product, **decided.scaling.facts},
    )
    return scene if request.bands is None else scene.select(request.bands)


@dataclass(frozen=True)
class _Pixels:
    path: Path
    step: Step
    rules: tuple[Rule, ...]

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        with h5py.File(self.path) as file:
            data = file[f"{self.step.series}-data"]
            return np.stack([self.rules[b].values(data[self.step.at, b, rows, cols]) for b in bands])


def _linear(request: Request) -> Request:
    return Request(**{**vars(request), "unit": "linear"})


def _sensor(path: Path, request: Request) -> Sensor:
    with h5py.File(path) as file:
        held = [name for name, series in _SERIES.items() if any(f"{s}-data" in file for s in series)]
    if request.sensor is not None and request.sensor.name in held:
        return request.sensor
    asked = "none was named" if request.sensor is None else f"{request.sensor.name} was asked for"
    raise SensorUnknown(f'{path} holds series of {", ".join(held)} and {asked}; give sensor="{held[0]}"')


def _steps(path: Path, sensor: Sensor) -> list[Step]:
    found = []
    with h5py.File(path) as file:
        for series in _SERIES[sensor.name]:
            for at, name in enumerate(file[f"{series}-products"].asstr()[:] if f"{series}-products" in file else ()):
                time = find_time(str(name))
                if time is None:
                    raise SceneUnreadable(f"{path}: step {at} of {series} is of {name!r}, a name without a time")
                found.append(Step(series, at, str(name), time))
    return sorted(found, key=lambda s: s.time)


def _at(path: Path, steps: Sequence[Step], request: Request) -> int:
    if request.step is None and request.time is not None:
        wanted = request.time
        return min(range(len(steps)), key=lambda i: abs((steps[i].time - wanted).total_seconds()))
    at = request.step or 0
    if not 0 <= at < len(steps):
        raise BadInput(f"step {at} was asked of {path}, which has steps 0 to {len(steps) - 1}")
    return at
