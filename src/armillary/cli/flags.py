"""Flags that several verbs spell the same way."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated

import xarray as xr
from cyclopts import Parameter, Token

from armillary.scene.open import open as open_scene

Json = Annotated[bool, Parameter(name="--json", negative="")]
"""Print one JSON object on stdout, for programs."""

Switch = Annotated[bool, Parameter(negative="")]
"""A flag that is only ever given to say yes."""


def _whole(_: object, tokens: Sequence[Token]) -> int:
    """A whole number, also as 8.0 or 1e3; cyclopts itself would round 1.5."""
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        number = _float(text)
    if not number.is_integer():
        raise ValueError(f"{text} is no whole number")  # cyclopts says of which option
    return int(number)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


Whole = Annotated[int, Parameter(converter=_whole)]
"""A number that is refused where it is not whole; every option that counts something is one."""


@Parameter(name="*")
@dataclass(frozen=True)
class Told:
    """What the caller knows better than the file.

    Args:
        sensor: name of the sensor or path of a card, when the file cannot tell.
        bands: names of the file's bands in its order, or those to keep, separated by commas.
        time: when it was sensed, ISO 8601, UTC; in a series, the nearest step.
        crs: coordinate system of a file that holds none.
        unit: what the stored numbers are: count, reflectance, dB, linear, amplitude.
        offset: added to Sentinel-2 counts before scaling.
        min_qa: smallest Sentinel-5P quality that is kept.
        resolution: pixel size of the output grid.
        step: position in a time series, from 0.
        window: west south east north in degrees.
    """

    sensor: str | None = None
    bands: str | None = None
    time: str | None = None
    crs: str | None = None
    unit: str | None = None
    offset: float | None = None
    min_qa: float | None = None
    resolution: float | None = None
    step: Whole | None = None
    window: Annotated[tuple[float, float, float, float] | None, Parameter(negative="")] = None

    @property
    def beside(self) -> "Told":
        """What is told of files of other sensors as well: place, time and grid, and not what the numbers are."""
        return replace(self, sensor=None, bands=None, unit=None, offset=None, min_qa=None)

    def open(self, file: str) -> xr.DataArray:
        """The scene, lazily."""
        facts = asdict(self)
        sensor, window = facts.pop("sensor"), facts.pop("window")
        return open_scene(file, sensor, window, **facts)


NOTHING_TOLD = Told()
