"""Sentinel-5P level 3 in NetCDF: a regular grid of longitude and latitude, as HARP writes it.

Values are mol m-2 and quality was filtered by whoever gridded them. Rows of such files run south to north; here they
run north to south. The names are those of HARP and of Earth Engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from jaxtyping import Float

from armillary.earth.fleet import sensors
from armillary.earth.when import utc
from armillary.earth.window import Window
from armillary.errors import SceneUnreadable
from armillary.scene.access.netcdf import NetCDF
from armillary.scene.agreement import agree
from armillary.scene.request import Request
from armillary.scene.scene import Scene

COLUMNS = {
    "tropospheric_NO2_column_number_density": "s5p-no2",
    "NO2_column_number_density": "s5p-no2",
    "CO_column_number_density": "s5p-co",
    "O3_column_number_density": "s5p-o3",
    "SO2_column_number_density": "s5p-so2",
}
"""Variable -> sensor, in order of preference."""

UNITS = ("mol/m^2", "mol m-2", "mol/m2", "mol m^-2")

_AXES = (("latitude", "longitude"), ("lat", "lon"))


@dataclass(frozen=True, eq=False)
class Held:
    """Pixels that are in memory already: one band."""

    values: Float[np.ndarray, "h w"]

    def read(self, bands: Sequence[int], rows: slice, cols: slice) -> Float[np.ndarray, "c h w"]:
        """This crop as float32."""
        return np.repeat(self.values[None, rows, cols].astype(np.float32), len(bands), axis=0)


def column(nc: NetCDF) -> str | None:
    """The gridded column that a file holds, None when it is no such file."""
    found = next((n for n in COLUMNS if n in nc), None)
    return found if found is not None and _axes(nc) is not None else None


def scene_of(nc: NetCDF, path: Path, request: Request) -> Scene:
    """The grid as a scene; it stays on its own grid, so crs= and resolution= have nothing to choose.

    Raises:
        SceneUnreadable: its axes are not regular, or its unit is not mol m-2.
    """
    idle = ("resolution", "crs", "unit", "offset", "min_qa", "step")
    request.refuse(idle, f"{path}, which is on its own grid already")
    name, axes = column(nc), _axes(nc)
    assert name is not None  # noqa: S101 - asked before
    assert axes is not None  # noqa: S101
    variable = nc.variable(name)
    unit = str(variable.attrs.get("units", UNITS[0]))
    if unit not in UNITS:
        raise SceneUnreadable(f"{path} holds {name} in {unit}; only mol m-2 is known here")
    lat, lon = (nc.variable(n).raw().astype(np.float64) for n in axes)
    raw = variable.raw().astype(np.float64).squeeze()
    if raw.shape != (len(lat), len(lon)):
        raise SceneUnreadable(f"{path} has {name} of shape {variable.shape}; one (latitude, longitude) grid is needed")
    raw = np.where((raw == variable.number("_FillValue", np.nan)) | (np.abs(raw) > 1e30), np.nan, raw)
    dy, dx = _step(lat, axes[0], path), _step(lon, axes[1], path)
    values = raw[::-1] if dy > 0 else raw
    corner = (dx, 0.0, lon[0] - dx / 2, 0.0, -abs(dy), lat.max() + abs(dy) / 2)
    time = request.time or _time(nc)
    return Scene(
        href=str(path),
        sensor=agree(sensors[COLUMNS[name]], request, path),
        window=Window.of(values.shape, corner, "EPSG:4326"),
        time=time,
        pixels=Held(values),
        sources={
            "sensor": "read",
            "bands": "read",
            "crs": "read",
            "time": "given" if request.time else ("read" if time else "unknown"),
            "scaling": "read",
        },
        facts={"column": name, "qa_rule": "as filtered by the maker of the grid"},
    )


def _axes(nc: NetCDF) -> tuple[str, str] | None:
    for pair in _AXES:
        if all(n in nc and len(nc.variable(n).shape) == 1 and nc.variable(n).shape[0] > 1 for n in pair):
            return pair
    return None


def _step(axis: Float[np.ndarray, " n"], name: str, path: Path) -> float:
    steps = np.diff(axis)
    middle = float(np.median(steps))
    if middle == 0 or np.abs(steps - middle).max() > 1e-2 * abs(middle):
        raise SceneUnreadable(f"{path} has a {name} axis that is not regular; grid it first")
    return float((axis[-1] - axis[0]) / (len(axis) - 1))


def _time(nc: NetCDF) -> datetime | None:
    for name in ("datetime_start", "datetime", "time"):
        if name not in nc:
            continue
        unit, _, since = str(nc.variable(name).attrs.get("units", "")).partition(" since ")
        raw = nc.variable(name).raw().reshape(-1)
        if unit in {"seconds", "s", "days", "hours"} and since and raw.size and np.isfinite(float(raw[0])):
            start = utc(since.strip().removesuffix(" UTC"))
            return start + timedelta(**{"seconds" if unit == "s" else unit: float(raw.astype(np.float64).mean())})
    return None
