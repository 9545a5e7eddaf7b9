"""From what a file stores to what it means: one Rule per band, and how to tell which rule when the file does not say.

Order is fixed: mask the raw number, then cast, then scale. A count of 0 in Sentinel-2 becomes NaN, never -0.1.

*Low* of a band is the 0.1 percentile of its counts: in a Sentinel-2 product without the +1000 of baseline >= 04.00 the
dark pixels (water, shadow, vegetation in the short-wave infrared) lie well under 900; with it, nothing does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from armillary.errors import BadInput
from armillary.scene.scene import Source

Form = Literal["affine", "power", "amplitude"]

SHIFT = -1000.0
"""What baseline >= 04.00 asks to add to a Sentinel-2 count (RADIO_ADD_OFFSET, BOA_ADD_OFFSET)."""

UNSHIFTED_LOW = 900.0
"""A low under this proves that the counts carry no +1000."""

SHIFTED_LOW = 1500.0
"""When each of the dark bands has its low between the two limits, the counts are taken as shifted."""

THIRD_PARTY = 90.0
"""Baselines from here on ("N9999") are runs of a user's own processor and prove nothing."""

DARK = ("B02", "B03", "B04", "B11", "B12")
"""Bands that are dark over water, shadow or vegetation."""


@dataclass(frozen=True)
class Rule:
    """raw -> value: (raw + shift) * scale, then the form.

    NaN where `raw` is not finite, one of `nodata` or outside `limits`.

    Args:
        nodata: raw numbers that mean nothing was measured.
        limits: smallest and largest raw number that can be true.
        form: "affine" stops there; "power" is 10 log10 and "amplitude" 20 log10 of it, with numbers <= 0 -> NaN.
        add_db: added after the logarithm.
    """

    nodata: tuple[float, ...] = ()
    limits: tuple[float, float] = (-np.inf, np.inf)
    shift: float = 0.0
    scale: float = 1.0
    form: Form = "affine"
    add_db: float = 0.0

    def values(self, raw: Shaped[np.ndarray, "*any"]) -> Float[np.ndarray, "*any"]:
        """Values in the sensor's unit, float32.

        Example:
            >>> Rule(nodata=(0,), shift=-1000, scale=1e-4).values(np.array([0, 1000, 900, 11000])).tolist()
            [nan, 0.0, -0.009999999776482582, 1.0]
        """
        held = np.isfinite(raw) if raw.dtype.kind == "f" else np.ones(raw.shape, bool)
        for number in self.nodata:
            held &= raw != number
        held &= (raw >= self.limits[0]) & (raw <= self.limits[1])
        x = np.where(held, (raw.astype(np.float64) + self.shift) * self.scale, np.nan)
        if self.form != "affine":
            factor = 10.0 if self.form == "power" else 20.0
            with np.errstate(divide="ignore", invalid="ignore"):
                x = np.where(x > 0, factor * np.log10(x) + self.add_db, np.nan)
        with np.errstate(over="ignore"):
            return x.astype(np.float32)

    def after(self, scale: float, offset: float) -> "Rule":
        """This rule for numbers that are stored as (number - offset) / scale; `nodata` stays as it is stored.

        Example:
            >>> Rule(limits=(-500, 9000)).after(0.1, 10.0).values(np.array([0, 100, 99999])).tolist()
            [10.0, 20.0, nan]
        """
        ends = sorted((end - offset) / scale for end in self.limits)
        return replace(self, shift=(offset + self.shift) / scale, scale=self.scale * scale, limits=(ends[0], ends[1]))


@dataclass(frozen=True)
class Scaling:
    """How a scene's numbers became values: the source of that fact, and words for `armillary info`."""

    source: Source
    facts: Mapping[str, str]
    warning: str | None = None


def s2_shift(given: float | None, baseline: float | None, lows: Mapping[str, float] | None) -> tuple[float, Scaling]:
    """What to add to Sentinel-2 counts before scaling.

    Args:
        given: the caller's word; it wins.
        baseline: processing baseline as a number (4.0, 5.11), None when unknown.
        lows: low of each band by canonical name, None when nothing was probed.

    The date is no test: reprocessing puts the shift on acquisitions of any year.
    """
    if given is not None:
        return given, Scaling("given", {"offset": f"{given:g}"})
    if baseline is not None and baseline < THIRD_PARTY:
        shift = SHIFT if baseline >= 4 else 0.0
        words = f"{shift:g} (baseline {baseline:05.2f})"
        return shift, Scaling("read", {"offset": words, "baseline": f"{baseline:05.2f}"}, _doubt(shift, baseline, lows))
    return _s2_shift_by_lows(lows or {})


def _doubt(shift: float, baseline: float, lows: Mapping[str, float] | None) -> str | None:
    low = _lowest(lows or {})
    if shift and low is not None and low[1] < UNSHIFTED_LOW:
        return (
            f"baseline {baseline:05.2f} promises counts shifted by +1000, but 0.1 percent of {low[0]} lies under "
            f"{low[1]:.0f}: they may have been harmonised already; give offset=0 if water turns out negative"
        )
    return None


def _lowest(lows: Mapping[str, float]) -> tuple[str, float] | None:
    dark = {b: v for b, v in lows.items() if b in DARK and np.isfinite(v)}
    return min(dark.items(), key=lambda item: item[1]) if dark else None


def _s2_shift_by_lows(lows: Mapping[str, float]) -> tuple[float, Scaling]:
    """The test on the numbers themselves, for products that do not tell their baseline."""
    cirrus = lows.get("B10", float("nan"))
    low = _lowest(lows)
    if cirrus >= UNSHIFTED_LOW:
        return SHIFT, _assumed(SHIFT, f"0.1 percentile of B10 is {cirrus:.0f}")
    if low is not None and low[1] < UNSHIFTED_LOW:
        return 0.0, _assumed(0.0, f"0.1 percentile of {low[0]} is {low[1]:.0f}")
    if np.isfinite(cirrus):
        return 0.0, _assumed(0.0, f"0.1 percentile of B10 is {cirrus:.0f}")
    if low is not None and max(v for b, v in lows.items() if b in DARK) < SHIFTED_LOW:
        seen = ", ".join(f"{b} {v:.0f}" for b, v in lows.items() if b in DARK)
        return SHIFT, _assumed(SHIFT, f"0.1 percentiles are all near 1000: {seen}")
    found = "no pixel to test" if low is None else f"the darkest 0.1 percent of {low[0]} is {low[1]:.0f}"
    return 0.0, Scaling(
        "unknown",
        {"offset": f"0, unproved: {found}"},
        f"the baseline is unknown and the counts do not tell ({found}), so offset 0 was used; give offset=-1000 for "
        "processing baseline 04.00 or later, offset=0 for earlier or harmonised data",
    )


def _assumed(shift: float, why: str) -> Scaling:
    words = f"{shift:g} assumed: {why}"
    return Scaling(
        "assumed", {"offset": words}, f"the processing baseline is unknown; offset {words}; give offset= to be sure"
    )


def is_reflectance(sample: Float[np.ndarray, "*any"]) -> bool:
    """True when floating-point Sentinel-2 numbers are reflectance already: 99 percent of them within -1 to 10."""
    held = sample[np.isfinite(sample)]
    return bool(held.size) and float(np.percentile(np.abs(held), 99)) < 10


def s1_form(polarisation: str, sample: Float[np.ndarray, "*any"]) -> Form | Literal["dB"]:
    """What unlabelled backscatter is, from its numbers.

    dB when more than 5 percent are negative. Of positive numbers, the median tells power from amplitude where only one
    of the two reads as a plausible sigma0; where both do, the caller is asked.
    """
    held = sample[np.isfinite(sample) & (sample != 0)]
    if not held.size or float((held < 0).mean()) > 0.05:
        return "dB"
    median = float(np.median(held))
    power_db = 10 * np.log10(median)
    low, high = ((-22, -4), (-18, -5)) if polarisation in ("VV", "HH") else ((-30, -8), (-26, -12))
    fits_power, fits_amplitude = low[0] <= power_db <= low[1], high[0] <= 2 * power_db <= high[1]
    if fits_power and not fits_amplitude:
        return "power"
    if fits_amplitude and not fits_power:
        return "amplitude"
    raise BadInput(
        f"the numbers of {polarisation} are positive with median {median:.3g}, which may be linear power or amplitude; "
        'say which: unit="linear", unit="amplitude" or unit="dB"'
    )


def twice_corrected(shift: float, lows: Mapping[str, float]) -> str | None:
    """A warning when a shift makes the dark pixels of a band clearly negative: it was applied before, or is none.

    Args:
        shift: added to the counts.
        lows: a low percentile of the counts of each band, before the shift.
    """
    dark = {b: v + shift for b, v in lows.items() if v + shift < UNSHIFTED_LOW + SHIFT}
    if shift >= 0 or not dark:
        return None
    band = min(dark, key=lambda b: dark[b])
    return (
        f"with offset {shift:g} dark pixels of {band} fall to {dark[band] / 1e4:.3f}: the counts seem to carry no "
        "+1000 (any more); give offset=0 if water turns out negative"
    )
