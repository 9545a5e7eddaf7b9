"""Request: what the caller of `arm.open` already knows about a file. None means: find it out."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from armillary.earth.sensors import Sensor
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


def utc(value: object) -> datetime:
    """A timezone-aware UTC time from ISO 8601 text, a datetime or a numpy datetime64; naive times are UTC."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value)[:26].rstrip("Z"))
    except ValueError as cause:
        raise BadInput(f"{value!r} is no time; write it as ISO 8601, for example 2022-07-06T08:56:11Z") from cause
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _names(value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else list(value)  # type: ignore[call-overload]
    return tuple(str(p).strip() for p in parts)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as cause:
        raise BadInput(f"{value!r} is no number; give offset=, min_qa= and resolution= as plain numbers") from cause


_READ: dict[str, Callable[[object], Any]] = {
    "bands": _names,
    "time": utc,
    "crs": str,
    "unit": str,
    "offset": _number,
    "min_qa": _number,
    "resolution": _number,
    "step": lambda v: int(_number(v)),
}
