"""Rules: for each sensor of the fleet, how the numbers of a ready-made raster become values.

Sentinel-2 counts or reflectance, Sentinel-1 decibels, power or amplitude, OLCI counts or radiance, columns, heights:
the file's type and numbers tell, or the caller does with `unit=`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Shaped

from armillary.earth.sensors import Sensor
from armillary.errors import BadInput
from armillary.scene.gridded.clues import Clues
from armillary.scene.gridded.radiometry import Rule, Scaling, is_reflectance, s1_form, s2_shift, twice_corrected
from armillary.scene.request import Request
from armillary.scene.scene import Source

Look = Callable[[int], Shaped[np.ndarray, " n"]]

SATURATED = 65535.0
"""Sentinel-2's stored number for a saturated pixel: kept, and flagged in the facts."""

DEM_VOIDS = (-32768.0, -32767.0)
DEM_LIMITS = (-500.0, 9000.0)
"""No land lies beyond; larger numbers are marks of missing heights."""

OLCI_FILL = 65535.0
OLCI_COUNTS_FROM = 1000.0
"""No OLCI radiance reaches this; a plane that does stores counts."""

DARK_PERCENT = 3.0
"""Percentile whose fall under -0.01 means that the offset was applied twice."""

FILLS = (-9999.0, -32768.0)
"""Marks of missing numbers that files carry without saying so; no reflectance, radiance or count is near them."""

COLUMN_LIMITS = (-10.0, 10.0)
"""No gas column of the fleet reaches 1 mol m-2; numbers beyond are marks of missing ones (9.97e36, -9999)."""

UNSCALED = (1.0, 0.0)

_LINEAR = ("linear", "power")


@dataclass(frozen=True)
class Decided:
    """One rule per band and how they were found."""

    rules: tuple[Rule, ...]
    scaling: Scaling


def rules_of(
    href: str,
    sensor: Sensor,
    dtypes: Sequence[str],
    nodata: Sequence[float | None],
    request: Request,
    clues: Clues,
    look: Look,
    *,
    scaled: Sequence[tuple[float, float]] = (),
) -> Decided:
    """Rules for the bands of `sensor`, which is narrowed to the planes at hand, in their order.

    `scaled` holds the scale and offset tags of the planes. They are applied once: for Sentinel-2 and OLCI they are the
    counts' own, in place of the usual ones; for other sensors the number is what is left after them.
    """
    tags = tuple(t if t[0] else UNSCALED for t in scaled)
    if all(t == UNSCALED for t in tags):
        return _rules_of(href, sensor, dtypes, nodata, request, clues, look)
    if sensor.counts is not None:
        decided = _rules_of(href, sensor, dtypes, nodata, request, clues, look)
        return _tagged(decided, sensor, tags)
    seen = {i: np.asarray(look(i)) * s + o for i, (s, o) in enumerate(tags)} if sensor.unit == "dB" else {}
    floats = ["float32"] * len(dtypes)
    decided = _rules_of(href, sensor, floats, nodata, request, clues, lambda i: seen.get(i, look(i)))
    rules = tuple(r.after(*t) for r, t in zip(decided.rules, tags, strict=True))
    facts = {**decided.scaling.facts, "tag_scaling": f"scale and offset of the file applied: {_words(tags)}"}
    return Decided(rules, replace(decided.scaling, facts=facts))


def _rules_of(
    href: str,
    sensor: Sensor,
    dtypes: Sequence[str],
    nodata: Sequence[float | None],
    request: Request,
    clues: Clues,
    look: Look,
) -> Decided:
    """The same without tags."""
    unit = request.unit or clues.unit
    given = request.unit is not None
    masks = tuple(() if n is None or np.isnan(n) else (float(n),) for n in nodata)
    match sensor.name:
        case "s2-l1c" | "s2-l2a":
            return _optical(href, sensor, dtypes, masks, request, clues, look)
        case "s1-grd" | "s1-rtc":
            return _radar(href, sensor, dtypes, masks, unit, given, look)
        case "s3-olci":
            return _olci(href, sensor, dtypes, masks, unit, given, look)
        case "dem":
            rule = Rule(nodata=(*DEM_VOIDS, *masks[0]), limits=DEM_LIMITS)
            return Decided((rule,), Scaling("read", {"stored": "metres"}))
    if sensor.name.startswith("s5p-") and not all(d.startswith("float") for d in dtypes):
        raise BadInput(
            f"{href} holds {dtypes[0]} numbers, as quality values are stored, not columns of {sensor.unit}; "
            "open the product that they belong to"
        )
    return _plain(sensor, masks)


def _tagged(decided: Decided, sensor: Sensor, tags: Sequence[tuple[float, float]]) -> Decided:
    """Counts whose file says how they are scaled; what the caller or metadata say of the offset, or a card, wins."""
    counted = decided.scaling.facts.get("stored", "").startswith("counts")
    settled = sensor.unit == "reflectance" and decided.scaling.source in ("given", "read")
    if not counted or settled:
        facts = {**decided.scaling.facts, "tag_scaling": f"scale and offset of the file not needed: {_words(tags)}"}
        return Decided(decided.rules, replace(decided.scaling, facts=facts))
    shifted = any(o for _, o in tags)
    rules = tuple(
        replace(r, scale=s, shift=o / s if shifted else r.shift) for r, (s, o) in zip(decided.rules, tags, strict=True)
    )
    facts = {**decided.scaling.facts, "tag_scaling": f"scale and offset of the file applied: {_words(tags)}"}
    if shifted:
        facts["offset"] = ", ".join(dict.fromkeys(f"{r.shift:g}" for r in rules)) + " (offset tag of the file)"
        return Decided(rules, Scaling("read", facts))
    return Decided(rules, replace(decided.scaling, facts=facts))


def _words(tags: Sequence[tuple[float, float]]) -> str:
    return ", ".join(dict.fromkeys(f"{s:g} and {o:g}" for s, o in tags))


def lows_of(sensor: Sensor, look: Look, percent: float = 0.1) -> dict[str, float]:
    """A low percentile of each band's counts, 0 left out; nan where nothing is held."""
    lows = {}
    for i, band in enumerate(sensor.band_names):
        held = np.asarray(look(i))
        held = held[np.isfinite(held) & (held > 0)] if held.dtype.kind == "f" else held[held > 0]
        lows[band] = float(np.percentile(held, percent)) if held.size else float("nan")
    return lows


def _optical(
    href: str,
    sensor: Sensor,
    dtypes: Sequence[str],
    masks: Sequence[tuple[float, ...]],
    request: Request,
    clues: Clues,
    look: Look,
) -> Decided:
    if any(d in ("uint8", "int8") for d in dtypes):
        raise BadInput(
            f"{href} holds 8-bit grey levels, from which no reflectance can be had; open the counts, or describe the "
            "picture as a sensor of its own with a card (.yaml)"
        )
    stored, floating = request.unit, all(d.startswith("float") for d in dtypes)
    if stored is None and floating and clues.unit == "reflectance":
        facts = {"stored": "reflectance"}
        return Decided(tuple(Rule(nodata=(*FILLS, *m)) for m in masks), Scaling("read", facts))
    guessed = stored is None
    if stored is None:
        stored = "reflectance" if floating and all(is_reflectance(look(i)) for i in range(len(dtypes))) else "count"
    if stored == "reflectance":
        source: Source = "assumed" if guessed else "given"
        why = "reflectance" + (", by the range of the numbers" if guessed else "")
        return Decided(tuple(Rule(nodata=(*FILLS, *m)) for m in masks), Scaling(source, {"stored": why}))
    if stored != "count":
        raise BadInput(f'unit={stored!r} is none of {sensor.name}; its files store unit="count" or unit="reflectance"')
    known = request.offset is not None
    if clues.shift is not None and not known:
        shift, scaling = clues.shift, Scaling("read", {"offset": f"{clues.shift:g} ({clues.shift_why})"})
    else:
        shift, scaling = s2_shift(request.offset, clues.baseline, None if known else lows_of(sensor, look))
    scale = clues.scale or (1e-4 if sensor.counts is None else sensor.counts.scale[0])
    scaling = scaling if scaling.warning else replace(scaling, warning=_twice(sensor, shift, look))
    rules = tuple(Rule(nodata=tuple(sorted({0.0, *FILLS, *m})), shift=shift, scale=scale) for m in masks)
    facts = {"stored": "counts x 10000", **scaling.facts}
    if not known and any((np.asarray(look(i)) >= SATURATED).any() for i in range(len(masks))):
        facts["saturated"] = "some counts are 65535: saturated, kept"
    return Decided(rules, Scaling(scaling.source, facts, scaling.warning))


def _twice(sensor: Sensor, shift: float, look: Look) -> str | None:
    """Whether more than a few red or near-infrared pixels would be negative; the darkest few may be so by right."""
    return twice_corrected(shift, {b: v for b, v in lows_of(sensor, look, DARK_PERCENT).items() if b in ("B04", "B08")})


def _radar(
    href: str,
    sensor: Sensor,
    dtypes: Sequence[str],
    masks: Sequence[tuple[float, ...]],
    unit: str | None,
    given: bool,
    look: Look,
) -> Decided:
    if unit is None and not all(d.startswith("float") for d in dtypes):
        raise BadInput(
            f"{href} holds {dtypes[0]} numbers, which are uncalibrated; open the SAFE folder that they belong to, or "
            'say unit="dB", unit="linear" or unit="amplitude"'
        )
    forms = [_form(unit) if unit else s1_form(b, look(i).astype(float)) for i, b in enumerate(sensor.band_names)]
    words = {"dB": "decibels", "power": "linear power, converted to dB", "amplitude": "amplitude, converted to dB"}
    rules = []
    for form, mask in zip(forms, masks, strict=True):
        if form == "dB":
            rules.append(Rule(nodata=mask, limits=(-200.0, 200.0)))
        else:
            rules.append(Rule(nodata=mask, form="power" if form == "power" else "amplitude"))
    source: Source = "given" if given else "read" if unit else "assumed"
    said = ", ".join(dict.fromkeys(words[f] for f in forms)) + ("" if unit else ", by the range of the numbers")
    warning = None if unit or set(forms) == {"dB"} else f"backscatter taken as {said}; give unit= to be sure"
    return Decided(tuple(rules), Scaling(source, {"stored": said}, warning))


def _form(unit: str) -> str:
    if unit in _LINEAR:
        return "power"
    if unit.lower() == "db":
        return "dB"
    if unit == "amplitude":
        return "amplitude"
    raise BadInput(f'unit={unit!r} is none of Sentinel-1; say unit="dB", unit="linear" or unit="amplitude"')


def _olci(
    href: str,
    sensor: Sensor,
    dtypes: Sequence[str],
    masks: Sequence[tuple[float, ...]],
    unit: str | None,
    given: bool,
    look: Look,
) -> Decided:
    if unit is None:
        seen = [np.asarray(look(i)) for i in range(len(dtypes))]
        largest = max(float(np.max(s, initial=0, where=np.isfinite(s) & (s != OLCI_FILL))) for s in seen)
        whole = not all(d.startswith("float") for d in dtypes)
        unit = "count" if whole or largest > OLCI_COUNTS_FROM else "radiance"
    source: Source = "given" if given else "assumed"
    if unit != "count":
        if unit not in ("radiance", sensor.unit):
            raise BadInput(f'unit={unit!r} of {href} is none of OLCI; say unit="count" or unit="radiance"')
        return Decided(tuple(Rule(nodata=(*FILLS, *m)) for m in masks), Scaling(source, {"stored": "radiance"}))
    scales = (1.0,) * len(masks) if sensor.counts is None else sensor.counts.scale
    rules = tuple(Rule(nodata=(OLCI_FILL, *m), scale=s) for m, s in zip(masks, scales, strict=True))
    warning = None if given else "counts were taken to carry the usual OLCI scale factors; give unit= to be sure"
    return Decided(rules, Scaling(source, {"stored": "counts, usual scale factors"}, warning))


def _plain(sensor: Sensor, masks: Sequence[tuple[float, ...]]) -> Decided:
    """A gas column or a user's own sensor: its card's counts, or the numbers as they are."""
    counts = sensor.counts
    if counts is None:
        limits = COLUMN_LIMITS if sensor.name.startswith("s5p-") else (-np.inf, np.inf)
        return Decided(tuple(Rule(nodata=m, limits=limits) for m in masks), Scaling("read", {"stored": sensor.unit}))
    own = () if counts.nodata is None else (counts.nodata,)
    rules = tuple(
        Rule(nodata=(*own, *m), shift=counts.shift, scale=s) for m, s in zip(masks, counts.scale, strict=True)
    )
    return Decided(rules, Scaling("given", {"stored": "as the card of the sensor says"}))
