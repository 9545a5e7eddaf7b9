"""Model cards: which statistics a model uses for each sensor, and why. A model owns its statistics.

A sensor is *covered* when its pixels are normalised with numbers that the model's authors gave for that very sensor,
and *borrowed* when they gave none and those of its nearest relative are used; the card says which and why.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.earth.fleet import BENCH, FOMO, NANO, PRETRAIN, SSL4EO, sensors
from armillary.earth.lexicon import resolve
from armillary.earth.sensors import Sensor, Statistics
from armillary.errors import BadInput, BandMismatch, OutOfRange, SensorUnknown, StatisticsMissing
from armillary.sample.batch import Batch
from armillary.sample.normal import convert, guess_unit, normalise
from armillary.sample.sample import Sample


@dataclass(frozen=True)
class Entry:
    """What a model does with one sensor.

    Args:
        statistics: name of the set.
        source: sensor whose set it is; another name than the entry's own means that it is borrowed.
        why: one sentence.
    """

    statistics: str
    source: str
    why: str


@dataclass(frozen=True)
class Card:
    """What a model knows of each sensor. `print(model.card)` shows it.

    Args:
        model: what it is the card of.
        entries: sensor name -> what is used for it.
        patch_px: side of a patch, whatever the sensor; None: each sensor's own.
    """

    model: str
    entries: Mapping[str, Entry]
    patch_px: int | None = None

    def __str__(self) -> str:
        lines = [f"{self.model}: statistics per sensor"]
        for name, e in self.entries.items():
            kind = "covered" if e.source == name else f"borrowed from {e.source}"
            lines.append(f"  {name:<9} {e.statistics:<20} {kind:<25} {e.why}")
        return "\n".join(lines)

    def statistics(self, sensor: Sensor) -> Statistics:
        """The model's own set for this sensor, narrowed to the sensor's bands and in their order."""
        entry = self.entries.get(sensor.name)
        known = sensor if entry is None else sensors.get(entry.source, sensor)
        if entry is None or not set(sensor.band_names) <= set(known.band_names):
            own = ", ".join(f"stats={s.name!r}" for s in sensor.statistics)
            raise StatisticsMissing(
                f"{self.model} has no statistics for {sensor.name} ({', '.join(sensor.band_names)}); it has them for "
                f"{', '.join(self.entries)}; give stats= a Statistics or a mapping with mean and std"
                + (f", or one of the sensor's own: {own}" if own else "")
            )
        return known.select(sensor.band_names).statistic(entry.statistics)

    def batch(  # noqa: PLR0913 (the public contract)
        self,
        pixels: Float[Tensor, "b c h w"] | np.ndarray,
        sensor: str | Sensor,
        bands: Sequence[str] | None = None,
        *,
        lonlat: object = None,
        days: object = None,
        gsd_m: object = None,
        stats: str | Statistics | Mapping[str, Sequence[float]] | None = None,
        unit: str | Sequence[str] | None = None,
        patch_px: int | None = None,
    ) -> Batch:
        """Raw numbers of a sensor, normalised as the model was trained.

        Args:
            pixels: numbers as the sensor's products hold them; NaN where there is none (0, the mean, afterwards).
            sensor: a name of the fleet, or a Sensor.
            bands: names of the channels in their order, house or foreign names; None means all bands of the sensor.
            lonlat: degrees, one pair or one per item; None or NaN = unknown.
            days: since 1970-01-01, one or one per item; None or NaN = unknown.
            gsd_m: ground size of a pixel in metres, one or one per item; None = the sensor's own, NaN = unknown.
            stats: other statistics than the model's: a name of the sensor's own, a Statistics, or a mapping with
                "mean" and "std" in the sensor's unit of values.
            unit: unit of the numbers, one or one per item; None = decided per item by its range
                (`armillary.sample.normal.guess_unit`).
            patch_px: other than the sensor's own.
        """
        chosen = chosen_sensor(sensor, bands)
        x = as_float32(pixels)
        if x.ndim != 4 or x.shape[1] != len(chosen.bands):
            raise BandMismatch(
                f"{chosen.name} with {len(chosen.bands)} bands ({', '.join(chosen.band_names)}) needs pixels "
                f"[item, {len(chosen.bands)}, row, column], got shape {tuple(x.shape)}; give bands= the names of the "
                "channels that are there"
            )
        statistics = self.statistics(chosen) if stats is None else _given(stats, chosen)
        units = units_of(unit, x, chosen)
        raw = x.clone()
        for i, unit_of in enumerate(units):
            raw[i] = convert(x[i], chosen, unit_of, to=statistics.unit)
        z = torch.nan_to_num(normalise(raw, statistics), nan=0.0, posinf=0.0, neginf=0.0)
        own = chosen.patch_px if self.patch_px is None else self.patch_px
        size = own if patch_px is None else patch_px
        return with_facts(z, chosen, size, lonlat=lonlat, days=days, gsd_m=gsd_m)

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Samples of one sensor and one size as a Batch; place, time and ground size are those of each sample.

        Raises:
            BandMismatch: the samples differ in their bands or their size.
        """
        kinds = {(s.sensor.name, s.sensor.band_names, s.pixels.shape) for s in samples}
        if len(kinds) != 1:
            raise BandMismatch(
                f"{len(kinds)} kinds of samples cannot be one batch: {sorted(kinds)}; give samples of one sensor, the "
                "same bands and one size"
            )
        sensor = samples[0].sensor
        statistics = self.statistics(sensor)
        x = torch.from_numpy(np.stack([s.pixels for s in samples]))
        raw = torch.stack([convert(item, sensor, sensor.unit, to=statistics.unit) for item in x])
        z = torch.nan_to_num(normalise(raw, statistics), nan=0.0, posinf=0.0, neginf=0.0)
        placed = [s.window.crs is not None for s in samples]
        nowhere = (float("nan"), float("nan"))
        return with_facts(
            z,
            sensor,
            sensor.patch_px if self.patch_px is None else self.patch_px,
            lonlat=[s.window.center if known else nowhere for s, known in zip(samples, placed, strict=True)],
            days=[s.days for s in samples],
            gsd_m=[s.window.gsd_m if known else sensor.gsd_m for s, known in zip(samples, placed, strict=True)],
        )


def with_facts(
    z: Float[Tensor, "b c h w"], sensor: Sensor, patch_px: int, *, lonlat: object, days: object, gsd_m: object
) -> Batch:
    """Normalised pixels of a sensor as a Batch, with what is known of each item as `Card.batch` takes it."""
    b = len(z)
    gsd = per_item(sensor.gsd_m if gsd_m is None else gsd_m, (b,), "gsd_m")
    if bool((gsd <= 0).any()):
        raise OutOfRange(f"gsd_m={gsd_m} holds a size that is not above 0; give metres, and nan where unknown")
    return Batch(
        pixels=z,
        bands=sensor.bands,
        lonlat=per_item(lonlat, (b, 2), "lonlat").to(z.device),
        days=per_item(days, (b,), "days").to(z.device),
        token_km2=((gsd * patch_px / 1000) ** 2).to(z.device, torch.float32),
        patch_px=patch_px,
    )


def chosen_sensor(sensor: str | Sensor, bands: Sequence[str] | None) -> Sensor:
    """The sensor that a caller means, narrowed to the named bands, house or foreign."""
    if isinstance(sensor, str):
        if sensor not in sensors:
            raise SensorUnknown(f"no sensor is called {sensor!r}; known are {', '.join(sensors)}")
        sensor = sensors[sensor]
    if not isinstance(sensor, Sensor):
        raise SensorUnknown(f"sensor={sensor!r} names none; give a name of the fleet or a Sensor")
    if bands is None:
        return sensor
    names = bands.split(",") if isinstance(bands, str) else tuple(bands) if isinstance(bands, Iterable) else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise BandMismatch(
            f"bands={bands!r} names no band of {sensor.name}; it has {', '.join(sensor.band_names)}; without bands= "
            "all are meant"
        )
    return sensor.select(resolve(sensor, names))


def as_float32(pixels: Tensor | np.ndarray) -> Tensor:
    """Any array of real numbers, as a float32 tensor."""
    try:
        raw = pixels if isinstance(pixels, Tensor) else torch.from_numpy(_native(np.asarray(pixels)))
    except (TypeError, ValueError) as cause:
        raise BadInput(
            f"pixels of type {type(pixels).__name__} are no array of numbers; give numpy or torch"
        ) from cause
    if raw.is_complex():
        raise BadInput("pixels are complex numbers, as single-look radar holds; give intensity or amplitude")
    return raw.to(torch.float32)


def _native(pixels: np.ndarray) -> np.ndarray:
    """Numbers of a type that torch knows, in this machine's byte order."""
    if pixels.dtype.kind not in "biufc":
        raise TypeError(pixels.dtype)
    return np.array(pixels, dtype=np.complex64 if pixels.dtype.kind == "c" else np.float32)


def _given(stats: str | Statistics | Mapping[str, Sequence[float]], sensor: Sensor) -> Statistics:
    """Statistics of the caller's choice, one mean and one deviation per channel."""
    if isinstance(stats, str):
        found = {s.name: s for s in sensor.statistics}
        if stats not in found:
            raise StatisticsMissing(
                f"{sensor.name} has no statistics called {stats!r}; it has {', '.join(found) or 'none'}"
            )
        return found[stats]
    if isinstance(stats, Mapping):
        if not {"mean", "std"} <= set(stats):
            raise BadInput(f"stats needs mean and std, got {', '.join(stats)}; give both, one number per band")
        try:
            mean, std = tuple(map(float, stats["mean"])), tuple(map(float, stats["std"]))
        except (TypeError, ValueError) as cause:
            raise BadInput(f"stats={dict(stats)} holds something else than numbers; give one per band") from cause
        stats = Statistics("given", mean, std, sensor.unit, "given by the caller")
    if not isinstance(stats, Statistics):
        raise BadInput(f"stats={stats!r} is no set; give its name, a Statistics, or a mapping with mean and std")
    if len(stats.mean) != len(sensor.bands) or len(stats.std) != len(sensor.bands):
        raise BandMismatch(
            f"stats hold {len(stats.mean)} means and {len(stats.std)} deviations for {len(sensor.bands)} bands; "
            "give one of each per channel"
        )
    if not all(s > 0 for s in stats.std):
        raise OutOfRange(
            f"stats hold the deviations {stats.std}; each must be above 0, or nothing is left to divide by"
        )
    return stats


def units_of(unit: str | Sequence[str] | None, x: Float[Tensor, "b c h w"], sensor: Sensor) -> list[str]:
    """The unit of each item's numbers: as given, or decided by its range."""
    if unit is None:
        return [guess_unit(item, sensor) for item in x]
    units = [unit] * len(x) if isinstance(unit, str) else list(unit)
    if len(units) != len(x):
        raise BadInput(f"unit has {len(units)} entries for {len(x)} items; give one, or one per item")
    return units


def per_item(value: object, shape: tuple[int, ...], name: str) -> Float[Tensor, "b ..."]:
    """None is NaN; one value counts for every item. Kept in float32, as the released models were trained."""
    if value is None:
        return torch.full(shape, torch.nan)
    try:
        given = value if isinstance(value, Tensor) else np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as cause:
        raise BadInput(
            f"{name}={value!r} holds something else than numbers; give {shape}, nan where unknown"
        ) from cause
    x = torch.as_tensor(given).to(torch.float32)
    fits = x.shape == shape or x.shape == shape[1:] or (len(shape) == 1 and x.shape == (1,))
    if not fits:
        raise BadInput(f"{name} has shape {tuple(x.shape)}; give {shape}, or {shape[1:] or 'one number'} for all items")
    return x.expand(shape).clone()


_OWN = "the numbers the model was pretrained with"
_GAS = "as in pretraining: mol m-2 as they are, unscaled, so NO2 and SO2 lie close to 0"

copernicus_fm_card = Card(
    model="Copernicus-FM",
    entries={
        "s1-grd": Entry(PRETRAIN, "s1-grd", _OWN + "; VV and VH share one descriptor: only their sum is seen"),
        "s1-rtc": Entry(
            PRETRAIN, "s1-grd", "gamma0 in dB differs from sigma0 by the slope only; the model never saw it"
        ),
        "s2-l1c": Entry(PRETRAIN, "s2-l1c", _OWN),
        "s2-l2a": Entry(BENCH, "s2-l1c", "statistics without B10, as the authors do in Copernicus-Bench (BEN-S2)"),
        "s3-olci": Entry(PRETRAIN, "s3-olci", _OWN + ": radiance as it is; no 1e-9 on Oa01 and Oa10"),
        "s5p-co": Entry(PRETRAIN, "s5p-co", _GAS),
        "s5p-no2": Entry(PRETRAIN, "s5p-no2", _GAS),
        "s5p-o3": Entry(PRETRAIN, "s5p-o3", _GAS),
        "s5p-so2": Entry(PRETRAIN, "s5p-so2", _GAS),
        "dem": Entry(PRETRAIN, "dem", _OWN + ": metres / 10000"),
    },
)
"""Copernicus-FM's statistics, per sensor of the fleet."""

nano_card = Card(
    model="Copernicus-FM nano",
    entries={
        "s1-grd": Entry(PRETRAIN, "s1-grd", "the Copernicus-Pretrain numbers; VV and VH have kernels of their own"),
        "s1-rtc": Entry(PRETRAIN, "s1-grd", "gamma0 in dB differs from sigma0 by the slope only"),
        "s2-l1c": Entry(BENCH, "s2-l1c", "the Copernicus-Bench numbers"),
        "s2-l2a": Entry(NANO, "s2-l2a", "cloudless land, as those of level 1C are, so that both levels look alike"),
        "s3-olci": Entry(NANO, "s3-olci", "radiance, standardised"),
        "s5p-co": Entry(NANO, "s5p-co", "columns, standardised"),
        "s5p-no2": Entry(NANO, "s5p-no2", "columns, standardised"),
        "s5p-o3": Entry(NANO, "s5p-o3", "columns, standardised"),
        "s5p-so2": Entry(NANO, "s5p-so2", "columns, standardised"),
        "dem": Entry(NANO, "dem", "heights, standardised"),
        "ombria-s1": Entry("ombria-train", "ombria-s1", "grey levels, standardised"),
        "ombria-s2": Entry("ombria-train", "ombria-s2", "grey levels, standardised"),
    },
)
"""Statistics of the models that are trained here: every sensor standardised."""


_ZSCORES = "z-scores, as FoMo-Net's data sets are normalised, with the numbers of SSL4EO-S12"

fomo_card = Card(
    model="FoMo-Net",
    entries={
        "s1-grd": Entry(SSL4EO, "s1-grd", _ZSCORES),
        "s1-rtc": Entry(SSL4EO, "s1-grd", "gamma0 in dB differs from sigma0 by the slope only"),
        "s2-l1c": Entry(SSL4EO, "s2-l1c", _ZSCORES),
        "s2-l2a": Entry(SSL4EO, "s2-l2a", _ZSCORES),
        "dem": Entry(FOMO, "dem", "the numbers of TalloS, the only heights that FoMo-Net saw"),
    },
    patch_px=16,
)
"""FoMo-Net's statistics. Upstream normalises each data set by its own; these are those of places all over the Earth."""
