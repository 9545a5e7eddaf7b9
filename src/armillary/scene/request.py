"""Request: what the caller of `arm.open` already knows about a file. None means: find it out."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from armillary.earth.sensors import Sensor
from armillary.earth.when import utc
from armillary.errors import BadInput


@dataclass(frozen=True)
class Request:
    """What the caller gave. A given fact always wins over what a file says about itself.

    Args:
        sensor: the sensor, when the caller names it.
        bands: names of the file's bands in file order; foreign names are allowed.
        time: when it was sensed, timezone-aware UTC; in a time series the step nearest to it is chosen.
        crs: anything that names a CRS, for files that hold none.
        unit: what the stored numbers are: "count", "reflectance", "dB", "linear", "amplitude", or the sensor's unit.
        offset: added to Sentinel-2 counts before they are scaled (-1000 for baseline >= 04.00, 0 before).
        min_qa: smallest Sentinel-5P quality value (0 to 1) that is kept.
        resolution: pixel size of the output grid, in metres or degrees of its CRS.
        step: position in a time series, from 0.
    """

    sensor: Sensor | None = None
    bands: tuple[str, ...] | None = None
    time: datetime | None = None
    crs: str | None = None
    unit: str | None = None
    offset: float | None = None
    min_qa: float | None = None
    resolution: float | None = None
    step: int | None = None

    @classmethod
    def of(cls, sensor: Sensor | None, facts: dict[str, object]) -> "Request":
        """From the keyword arguments of `arm.open`; an unknown word is refused."""
        known = [f.name for f in fields(cls) if f.name != "sensor"]
        unknown = sorted(set(facts) - set(known))
        if unknown:
            raise BadInput(f"arm.open does not know {', '.join(unknown)}; a caller may give {', '.join(known)}")
        given = {k: v for k, v in facts.items() if v is not None}
        return cls(sensor=sensor, **{k: _READ[k](v) for k, v in given.items()})

    def refuse(self, names: Sequence[str], what: str) -> None:
        """One sentence when the caller gave a fact that changes nothing in this product.

        Args:
            names: of the facts; `step=0`, the only step there is, does no harm.
            what: the product, as in "a Sentinel-1 GRD product".
        """
        idle = [n for n in names if getattr(self, n) is not None and not (n == "step" and self.step == 0)]
        if idle:
            raise BadInput(
                f"{', '.join(f'{n}=' for n in idle)} was given for {what}, where it changes nothing: leave it out"
            )


def _names(value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    names = tuple(str(p).strip() for p in parts) if isinstance(parts, Iterable) else ()
    if not names or not all(names):
        raise BadInput(f"bands={value!r} names no band, or leaves a name empty; give names, as in bands='B04,B03,B02'")
    return names


def _number(value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise BadInput(f"{value!r} is no number; give offset=, min_qa=, resolution= and step= as plain numbers")
    return number


def _size(value: object) -> float:
    number = _number(value)
    if number <= 0:
        raise BadInput(f"resolution={value!r} is no size of a pixel; give metres or degrees above 0")
    return number


def _whole(value: object) -> int:
    number = _number(value)
    if number % 1:
        raise BadInput(f"step={value!r} is no position in a series; give a whole number from 0")
    return int(number)


_READ: dict[str, Callable[[object], Any]] = {
    "bands": _names,
    "time": utc,
    "crs": str,
    "unit": str,
    "offset": _number,
    "min_qa": _number,
    "resolution": _size,
    "step": _whole,
}
