"""Recognise: which sensor a stack of planes is of, and which plane holds which band.

Band names decide first, then the names of files and folders, then the number of bands and the numbers themselves.
A guess that is not certain is "assumed" and carries a warning; several sensors that fit equally are refused with their
list.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from jaxtyping import Shaped

from armillary.earth.card import find_sensor
from armillary.earth.fleet import sensors
from armillary.earth.lexicon import guess_sensor, house_name, is_auxiliary, resolve
from armillary.earth.sensors import Sensor
from armillary.errors import BandMismatch, SensorUnknown
from armillary.scene.request import Request
from armillary.scene.scene import Source

Look = Callable[[int], Shaped[np.ndarray, " n"]]
"""A sample of the stored numbers of one plane."""

B8A_LAST = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A")
"""The order of EuroSAT and of exports that append B8A."""


@dataclass(frozen=True)
class Choice:
    """A sensor and, for each of its bands that are here, the planes that hold it: one per step of a time series."""

    sensor: Sensor
    planes: Mapping[str, tuple[int, ...]]
    sensor_source: Source
    bands_source: Source
    warning: str | None = None
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def choose(
    href: str,
    names: Sequence[str] | None,
    request: Request,
    allowed: Sequence[str],
    look: Look,
    dtypes: Sequence[str],
) -> Choice:
    """The sensor and its bands.

    Args:
        href: names the file in messages.
        names: what the file or the caller calls the planes, None when nobody says.
        request: `sensor` and `bands` of it win over everything.
        allowed: sensors that names and folders allow, empty when they say nothing.
        look: a sample of one plane's numbers.
        dtypes: of the planes.
    """
    if names is None or not any(_means(n, request.sensor) or _of_another(n, request.sensor) for n in names):
        return _by_count(href, request, allowed, look, dtypes)
    sensor, source, warning = _by_names(href, names, request, allowed)
    planes = _placed(href, sensor, names)
    if request.bands is not None:
        planes = _wanted(sensor, planes, request.bands)
    left = [n for n in dict.fromkeys(names) if not _means(n, sensor)]
    facts = {"left_out": ", ".join(left[:12])} if left else {}
    given = request.bands is not None and list(request.bands) == list(names)
    return Choice(sensor, planes, source, "given" if given else "read", warning, facts)


def _means(name: str, sensor: Sensor | None) -> bool:
    if sensor is None:
        return house_name(name) is not None
    if name.lower() in (b.lower() for b in sensor.band_names):
        return True
    return house_name(name) in sensor.band_names


def _of_another(name: str, sensor: Sensor | None) -> bool:
    """True for a band that the sensor asked for, one of the fleet, does not have, but another one does."""
    other = house_name(name) is not None or name.upper() in ("HH", "HV")
    return other and (sensor is None or sensor.name in sensors)


def _by_names(
    href: str, names: Sequence[str], request: Request, allowed: Sequence[str]
) -> tuple[Sensor, Source, str | None]:
    if request.sensor is not None:
        return request.sensor, "given", None
    known = list({house_name(n): n for n in names if house_name(n) is not None and not is_auxiliary(n)}.values())
    if not known:
        raise SensorUnknown(
            f"{href} holds {', '.join(names)}, which no sensor of the fleet has; radar has VV and VH; if the names are "
            "wrong, give sensor= and bands="
        )
    if request.bands is not None and list(request.bands) != list(names):
        known = list(request.bands)
        _refuse_names(href, known)
    fitting = [s.name for s in guess_sensor(known)]
    agreed = [n for n in fitting if n in allowed] or fitting
    if len(agreed) == 1:
        return find_sensor(agreed[0]), "read", None
    if not agreed:
        held = sorted({s.name for n in known for s in guess_sensor([n])})
        raise SensorUnknown(
            f"{href} holds bands of several sensors ({', '.join(held)}); say which one to open, for example "
            f'sensor="{held[0]}"'
        )
    houses = {house_name(n) for n in known}
    if agreed == ["s1-grd", "s1-rtc"]:
        return sensors["s1-grd"], "assumed", 'VV and VH may be GRD or RTC; taken as s1-grd, say sensor="s1-rtc" if not'
    if set(sensors["s2-l2a"].band_names) <= houses:
        return (
            sensors["s2-l2a"],
            "assumed",
            ('twelve bands without B10 are taken as s2-l2a; say sensor="s2-l1c" if they are top of atmosphere'),
        )
    raise SensorUnknown(
        f"{href} holds {', '.join(sorted(h for h in houses if h))}, which fits {' and '.join(agreed)}; "
        f'say which, for example sensor="{agreed[-1]}"'
    )


def _refuse_names(href: str, asked: Sequence[str]) -> None:
    """Names asked for that mean nothing, or one band twice."""
    strange = [n for n in asked if house_name(n) is None]
    if strange:
        raise BandMismatch(
            f"{', '.join(map(repr, strange))} was asked of {href} and no sensor of the fleet has a band of that name; "
            "correct bands=, or give sensor= too"
        )
    houses = [house_name(n) for n in asked]
    twice = [n for n, h in zip(asked, houses, strict=True) if houses.count(h) > 1]
    if twice:
        raise BandMismatch(f"{', '.join(twice)} of {href} were asked for and mean one band; name each band once")


def _placed(href: str, sensor: Sensor, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Band -> planes, in the order of the file; planes that are no band of the sensor are passed over."""
    planes: dict[str, tuple[int, ...]] = {}
    for i, name in enumerate(names):
        if _means(name, sensor):
            (house,) = resolve(sensor, [name])
            planes[house] = (*planes.get(house, ()), i)
    if not planes:
        raise BandMismatch(
            f"{href} was opened as {sensor.name}, which has {', '.join(sensor.band_names)}; it holds "
            f"{', '.join(dict.fromkeys(names))}: give another sensor=, or name its bands with bands="
        )
    return planes


def _wanted(sensor: Sensor, planes: Mapping[str, tuple[int, ...]], bands: Sequence[str]) -> dict[str, tuple[int, ...]]:
    asked = resolve(sensor, bands)
    absent = [b for b in asked if b not in planes]
    if absent:
        raise BandMismatch(f"bands {', '.join(absent)} were asked for; the scene holds {', '.join(planes)}")
    return {b: planes[b] for b in asked}


def _by_count(href: str, request: Request, allowed: Sequence[str], look: Look, dtypes: Sequence[str]) -> Choice:
    """No name helps: the number of planes, their type and their numbers."""
    n = len(dtypes)
    if request.bands is not None and request.sensor is None:
        raise BandMismatch(
            f"bands= names {', '.join(request.bands)}, which no sensor of the fleet has; give sensor= too"
        )
    source: Source
    if request.sensor is not None:
        sensor, source = request.sensor, "given"
        if len(sensor.band_names) != n and not _repeats(sensor, n):
            raise BandMismatch(
                f"{href} was opened as {sensor.name}, which has {len(sensor.band_names)} bands; it holds {n} and does "
                f'not name them: name them in file order, for example bands="{",".join(sensor.band_names[:n])}"'
            )
    else:
        sensor, source = _fitting(href, n, allowed, look, dtypes), "assumed"
        if allowed == [sensor.name] or tuple(allowed) == (sensor.name,):
            source = "read"
    if _repeats(sensor, n):
        return Choice(sensor, {sensor.band_names[0]: (0,)}, source, "assumed", facts={"grey": f"{n} equal channels"})
    if n == 1:
        return Choice(sensor, {sensor.band_names[0]: (0,)}, source, "read", None)
    order, why = _order(sensor, look)
    return Choice(
        sensor,
        {b: (i,) for i, b in enumerate(order)},
        source,
        "assumed",
        f"the file does not name its bands; taken as {sensor.name} in the order {' '.join(order)} ({why}); "
        "name them with bands= if that is wrong",
    )


def _repeats(sensor: Sensor, n: int) -> bool:
    """A grey picture saved as three equal channels."""
    return len(sensor.band_names) == 1 and n == 3 and sensor.name not in sensors


def _fitting(href: str, n: int, allowed: Sequence[str], look: Look, dtypes: Sequence[str]) -> Sensor:
    counts = all(d.startswith(("uint16", "int16", "int32", "uint32", "float")) for d in dtypes)
    fit = [s for s in sensors.values() if len(s.band_names) == n and counts]
    fit = [s for s in fit if s.name in allowed] if allowed else [s for s in fit if n > 2 or _radar(s, look)]
    if len(fit) > 1 and not allowed and {s.name for s in fit} == {"s1-grd", "s1-rtc"}:
        fit = fit[:1]
    if {s.name for s in fit} == {"s1-grd", "s1-rtc"}:
        fit = fit[:1]
    if len(fit) == 1:
        return fit[0]
    if len(allowed) == 1 and len(sensors[allowed[0]].band_names) != n:
        sensor = sensors[allowed[0]]
        raise BandMismatch(
            f"{href} is of {sensor.name}, which has {len(sensor.band_names)} bands; it holds {n} and does not name "
            f'them: name them in file order, for example bands="{",".join(sensor.band_names[:n])}"'
        )
    could = ", ".join(s.name for s in sensors.values() if len(s.band_names) == n) or "none has that many"
    raise SensorUnknown(
        f"{href} holds {n} {'band' if n == 1 else 'bands'} of {dtypes[0]} without names, and nothing says of which "
        f"sensor (by number: {could}); give sensor= and bands="
    )


def _radar(sensor: Sensor, look: Look) -> bool:
    """Two planes of mostly negative decibels."""
    if sensor.name not in ("s1-grd", "s1-rtc"):
        return False
    values = np.concatenate([look(0), look(1)]).astype(float)
    values = values[np.isfinite(values) & (values != 0)]
    return bool(values.size) and bool((values < 0).mean() > 0.5) and float(np.median(values)) > -40


def _order(sensor: Sensor, look: Look) -> tuple[tuple[str, ...], str]:
    """House order; 13 Sentinel-2 planes show by their darkest one, cirrus, whether B8A comes last."""
    if sensor.name != "s2-l1c":
        return sensor.band_names, "the usual order"
    medians = [float(np.median(look(i))) for i in range(len(sensor.band_names))]
    darkest = int(np.argmin(medians))
    if darkest == B8A_LAST.index("B10"):
        return B8A_LAST, f"the darkest plane, number {darkest + 1}, is B10, so B8A comes last"
    if darkest == sensor.band_names.index("B10"):
        return sensor.band_names, f"the darkest plane, number {darkest + 1}, is B10"
    return sensor.band_names, "the usual order; no plane is dark like B10, so this is unproved"
