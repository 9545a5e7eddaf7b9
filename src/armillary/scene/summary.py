"""Summary: what a model will see of a scene, in numbers, from a thinned look that never reads a large scene whole."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from armillary.earth.sensors import Sensor

LOOK_PX = 512
"""Side of the largest look, in pixels: smaller scenes are read whole, larger ones in a grid of blocks."""

_BLOCKS, _BLOCK_PX = 4, 128


@dataclass(frozen=True)
class BandSummary:
    """Values of one band in the look, in the sensor's unit; nan where none is valid."""

    name: str
    lowest: float
    median: float
    highest: float
    valid_percent: float
    implausible_percent: float


def summarise(array: xr.DataArray, sensor: Sensor) -> tuple[BandSummary, ...]:
    """Each band of a DataArray (band, y, x) as `arm.open` returns it.

    Args:
        array: at most 512 x 512 pixels of it are read.
        sensor: gives the plausible range.

    Example: see `armillary info`.
    """
    look = _look(array)
    return tuple(_band(str(n), values, sensor.plausible) for n, values in zip(array["band"].values, look, strict=True))


def complaints(bands: tuple[BandSummary, ...], sensor: Sensor) -> list[str]:
    """Sentences about what looks wrong: nothing valid, values outside the plausible range."""
    low, high = sensor.plausible
    empty = [b.name for b in bands if b.valid_percent == 0]
    odd = [f"{b.name} ({b.implausible_percent:.1f} %)" for b in bands if b.implausible_percent > 0]
    told = []
    if empty:
        told.append(f"not one valid pixel in {', '.join(empty)}; check nodata and the window")
    if odd:
        told.append(
            f"values outside {low:g} to {high:g} {sensor.unit} in {', '.join(odd)}; check sensor=, unit= and offset="
        )
    return told


def facts_of(array: xr.DataArray) -> Mapping[str, str]:
    """The attributes that are not one of the named facts, as text."""
    named = {"sensor", "unit", "time", "href", "sensor_card", "AREA_OR_POINT", "grid_mapping"}
    return {str(k): str(v) for k, v in array.attrs.items() if k not in named and not str(k).endswith("_source")}


def _look(array: xr.DataArray) -> Float[np.ndarray, "c n"]:
    c, h, w = (array.sizes[d] for d in ("band", "y", "x"))
    if h <= LOOK_PX and w <= LOOK_PX:
        return np.asarray(array.values).reshape(c, -1)
    rows, cols = _starts(h), _starts(w)
    blocks = [
        np.asarray(array.isel(y=slice(r, r + _BLOCK_PX), x=slice(k, k + _BLOCK_PX)).values).reshape(c, -1)
        for r in rows
        for k in cols
    ]
    return np.concatenate(blocks, axis=1)


def _starts(n: int) -> list[int]:
    last = max(n - _BLOCK_PX, 0)
    return sorted({round(last * i / (_BLOCKS - 1)) for i in range(_BLOCKS)})


def _band(name: str, values: Float[np.ndarray, " n"], plausible: tuple[float, float]) -> BandSummary:
    held = values[np.isfinite(values)]
    if not held.size:
        return BandSummary(name, np.nan, np.nan, np.nan, 0.0, 0.0)
    outside = float(((held < plausible[0]) | (held > plausible[1])).mean())
    return BandSummary(
        name, float(held.min()), float(np.median(held)), float(held.max()), 100 * held.size / values.size, 100 * outside
    )
