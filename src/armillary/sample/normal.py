"""Raw numbers to normalised ones and back: which unit they are in, and how far they lie from the mean.

*Unit decision*: numbers of one sensor circulate in more than one unit (Sentinel-2 as counts or as reflectance,
Sentinel-1 in dB or linear). Where the caller does not say, each item is judged on its own by its range, by the rule
of its sensor's kind in `guess_unit`.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.earth.sensors import Sensor, Statistics
from armillary.errors import BadInput

REFLECTANCE_LIMIT = 10.0
"""Median over pixels of the largest |band|: above it, Sentinel-2 numbers are counts (10 = 1000 % reflectance)."""

RADIANCE_LIMIT = 1000.0
"""The same for Sentinel-3 OLCI, whose radiances stay under 1000 mW m-2 sr-1 nm-1 and whose counts do not."""

LINEAR_LIMIT = 0.5
"""Sentinel-1 numbers are linear power when none is below 0 and their median is below this."""


def guess_unit(item: Float[Tensor, "c h w"], sensor: Sensor) -> str:
    """The unit of one item's numbers: "count", "linear" or the sensor's own. NaN is ignored."""
    if sensor.unit == "dB":
        found = item[torch.isfinite(item)]
        linear = found.numel() > 0 and bool(found.min() >= 0) and bool(found.median() < LINEAR_LIMIT)
        return "linear" if linear else "dB"
    limit = {"reflectance": REFLECTANCE_LIMIT, "mW m-2 sr-1 nm-1": RADIANCE_LIMIT}.get(sensor.unit)
    if limit is None or sensor.counts is None:
        return sensor.unit
    largest = item.abs().nan_to_num(0.0).amax(dim=0)
    seen = largest[torch.isfinite(item).any(dim=0)]
    return "count" if seen.numel() > 0 and bool(seen.median() > limit) else sensor.unit


def convert(item: Float[Tensor, "c h w"], sensor: Sensor, unit: str, *, to: str) -> Float[Tensor, "c h w"]:
    """Numbers of `unit` as numbers of unit `to`.

    Units: the sensor's own, "count" (for a sensor that has counts), and for radar "linear" and "amplitude"; what is
    not above 0 has no dB and becomes NaN.
    """
    if unit == to:
        return item
    value = _to_value(item, sensor, unit)
    if to == sensor.unit:
        return value
    if to == "count" and sensor.counts is not None:
        return value / _column(sensor.counts.scale, item) - sensor.counts.shift
    raise _no_way(sensor, unit, to)


def normalise(x: Float[Tensor, "b c h w"], statistics: Statistics) -> Float[Tensor, "b c h w"]:
    """(x - mean) / std per band; x is in the unit of the statistics."""
    return (x - _column(statistics.mean, x)) / _column(statistics.std, x)


def denormalise(x: Float[Tensor, "b c h w"], statistics: Statistics) -> Float[Tensor, "b c h w"]:
    """The inverse of `normalise`."""
    return x * _column(statistics.std, x) + _column(statistics.mean, x)


def _to_value(item: Float[Tensor, "c h w"], sensor: Sensor, unit: str) -> Float[Tensor, "c h w"]:
    if unit == sensor.unit:
        return item
    if unit == "count" and sensor.counts is not None:
        return (item + sensor.counts.shift) * _column(sensor.counts.scale, item)
    if unit in {"linear", "amplitude"} and sensor.unit == "dB":
        power = torch.where(item > 0, item, torch.nan)
        return (10.0 if unit == "linear" else 20.0) * torch.log10(power)
    raise _no_way(sensor, unit, sensor.unit)


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]


def _no_way(sensor: Sensor, unit: str, to: str) -> BadInput:
    known = [sensor.unit, *(["count"] if sensor.counts else []), *(["linear", "amplitude"] * (sensor.unit == "dB"))]
    return BadInput(f"{sensor.name} in {unit!r} cannot become {to!r}; give unit= one of {', '.join(known)}")
