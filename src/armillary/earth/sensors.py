"""Sensor: what one instrument's product holds, band by band, and how its numbers read.

A *value* is what a sensor's pixels mean in physical units (reflectance, dB, radiance, mol m-2, m); a *count* is what
a file stores. `Counts` turns the second into the first. *Statistics* are a named pair of mean and standard deviation
per band with the place they come from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from armillary.earth.bands import Band
from armillary.errors import BandMismatch

T = TypeVar("T")


@dataclass(frozen=True)
class Counts:
    """How a product stores values: value = (count + shift) * scale, after `nodata` is masked.

    Args:
        scale: one factor per band of the sensor.
        shift: added to the count before scaling (Sentinel-2 baseline >= 04.00 stores +1000, so the shift is -1000).
        nodata: the stored number that means nothing was measured, or None.
        dtype: the stored numpy dtype.
    """

    scale: tuple[float, ...]
    shift: float = 0.0
    nodata: float | None = None
    dtype: str = "uint16"


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation per band, in `unit`, under a name, with where they come from.

    `unit` is "count" (as the usual product stores it), or the sensor's own unit of values.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    unit: str
    source: str


@dataclass(frozen=True)
class Sensor:
    """One sensor's product.

    Args:
        name: the public key, as in `arm.sensors["s2-l1c"]`.
        title: what a person calls it.
        band_names: names in the house order (`B02`, `VV`, `Oa01`, `NO2`, `DEM`).
        bands: what each of them is, in the same order.
        unit: unit of the values that `arm.open` returns.
        gsd_m: ground size in metres of one pixel of the delivered grid.
        band_gsd_m: native ground size of each band.
        patch_px: side in pixels of one token at the sensor's native ground size.
        chip_px: side in pixels of the square that models see at once (the pretraining size).
        plausible: smallest and largest value that a healthy scene of this sensor may hold.
        counts: how the usual product stores values, None where it stores values as they are.
        statistics: every named set of statistics.
        note: what a user must know before trusting the numbers.
    """

    name: str
    title: str
    band_names: tuple[str, ...]
    bands: tuple[Band, ...]
    unit: str
    gsd_m: float
    band_gsd_m: tuple[float, ...]
    patch_px: int
    chip_px: int
    plausible: tuple[float, float]
    counts: Counts | None = None
    statistics: tuple[Statistics, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        c = len(self.band_names)
        lengths = {"bands": len(self.bands), "band_gsd_m": len(self.band_gsd_m)}
        lengths |= {f"statistics {s.name} mean": len(s.mean) for s in self.statistics}
        lengths |= {f"statistics {s.name} std": len(s.std) for s in self.statistics}
        if self.counts is not None:
            lengths["counts scale"] = len(self.counts.scale)
        wrong = [f"{k} has {n}" for k, n in lengths.items() if n != c]
        if wrong:
            raise BandMismatch(f"{self.name} names {c} bands, but {', '.join(wrong)}; give one entry per band")
        if len(set(self.band_names)) != c:
            raise BandMismatch(f"{self.name} names a band twice: {', '.join(self.band_names)}; band names are unique")

    @property
    def patch_km2(self) -> float:
        """Ground area of one token at the native ground size."""
        return (self.patch_px * self.gsd_m / 1000) ** 2

    def band(self, name: str) -> Band:
        """The band of that name."""
        return self.bands[self.index((name,))[0]]

    def index(self, names: Sequence[str]) -> tuple[int, ...]:
        """Positions of the named bands in this sensor's order."""
        absent = [n for n in names if n not in self.band_names]
        if absent:
            raise BandMismatch(f"{self.name} has no band {', '.join(absent)}; it has {', '.join(self.band_names)}")
        return tuple(self.band_names.index(n) for n in names)

    def select(self, names: Sequence[str]) -> "Sensor":
        """The same sensor with only these bands, in this order; statistics and scales follow."""
        at = self.index(names)

        return replace(
            self,
            band_names=_pick(self.band_names, at),
            bands=_pick(self.bands, at),
            band_gsd_m=_pick(self.band_gsd_m, at),
            counts=None if self.counts is None else replace(self.counts, scale=_pick(self.counts.scale, at)),
            statistics=tuple(replace(s, mean=_pick(s.mean, at), std=_pick(s.std, at)) for s in self.statistics),
        )

    def statistic(self, name: str) -> Statistics:
        """The named set of statistics."""
        for s in self.statistics:
            if s.name == name:
                return s
        known = ", ".join(s.name for s in self.statistics) or "none"
        raise LookupError(f"{self.name} has no statistics called {name!r}; it has {known}")


def _pick(values: tuple[T, ...], at: tuple[int, ...]) -> tuple[T, ...]:
    return tuple(values[i] for i in at)
