"""Strands: what is known of a place as the arrays that a joint generative model takes and gives, and back again.

A *strand* is one input and output of the joint model: the 10 m bands of one product, the relief, the place, the date.
A *code* says how one strand is made of co-located samples and what its numbers mean; it loses nothing but the pixels
that it averages. Network numbers have mean 0 and deviation 1, roughly; what is unknown is NaN in an array and 0 in a
`Strands`. COP-GEN's streams (arXiv:2603.03239, section on data) are the model of this.
"""

import math
from calendar import isleap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from einops import reduce
from jaxtyping import Bool, Float
from torch import Tensor

from armillary.errors import BadInput, BandMismatch
from armillary.sample.sample import Sample

YEAR_DAYS = 365.2425
MIDDLE_YEAR, YEARS = 2020.0, 5.0
"""A year's network number is its distance from 2020 in units of five years: Sentinel has flown since 2014."""

RELIEF_M = 5.0
"""Relief is linear under this, logarithmic above: about the error of a global elevation model."""

HEIGHT_M = 100.0
"""As RELIEF_M, for the mean elevation of a place."""

FLAT = 0.05
"""Added to the deviation of a style before its logarithm, in units of the band's own: a flat picture is no -inf."""

Values = Float[np.ndarray, "c h w"]
"""Physical values, or values of either kind."""

Numbers = Float[np.ndarray, "d h w"]
"""Network numbers."""

Item = Mapping[str, Float[np.ndarray, "_ _ _"]]
"""Strand -> values of either kind; each strand has its own sizes, and an absent one is an absent key."""


@runtime_checkable
class Code(Protocol):
    """How one strand is made, and what its numbers mean."""

    @property
    def name(self) -> str:
        """The strand's name."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""

    def physical(self, samples: Mapping[str, Sample]) -> Values | None:
        """Values in their own unit, NaN where unknown; None where the samples do not have this strand."""

    def encode(self, values: Values) -> Numbers:
        """Physical values -> network numbers."""

    def decode(self, numbers: Numbers) -> Values:
        """Network numbers -> physical values."""


@dataclass(frozen=True)
class Bands:
    """Bands of a sensor: (value - mean) / deviation.

    Args:
        name: of the strand.
        keys: under which of these a sample may stand, the first that is there counts; a key is a sensor's name.
        bands: names of the channels, in order. Bands that a sample lacks are NaN.
        mean: of each band, in the sensor's unit.
        deviation: of each band.
        side_px: of the samples.
        step: so many pixels to a side are averaged into one.
        shifts: key -> what is added to the values of such a sample, as pairs.
    """

    name: str
    keys: tuple[str, ...]
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    side_px: int
    step: int = 1
    shifts: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not len(self.bands) == len(self.mean) == len(self.deviation) or min(self.deviation, default=0) <= 0:
            raise BadInput(f"{self.name}: give one mean and one deviation above 0 for each of {len(self.bands)} bands")
        _check_step(self.name, self.side_px, self.step)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return len(self.bands), self.side_px // self.step, self.side_px // self.step

    def physical(self, samples: Mapping[str, Sample]) -> Values | None:
        """Values of the bands, averaged; None where no sample has one of them."""
        key = next((k for k in self.keys if k in samples), None)
        if key is None:
            return None
        sample = samples[key]
        _check_side(self.name, sample, self.side_px)
        names = sample.sensor.band_names
        values = np.full((len(self.bands), *sample.window.shape), np.nan, np.float32)
        for channel, band in enumerate(self.bands):
            if band in names:
                values[channel] = sample.pixels[names.index(band)]
        if not np.isfinite(values).any():
            return None
        return _averaged(values + np.float32(dict(self.shifts).get(key, 0.0)), self.step)

    def encode(self, values: Values) -> Numbers:
        """Physical values -> network numbers."""
        numbers: Numbers = (values - self._column(self.mean)) / self._column(self.deviation)
        return numbers

    def decode(self, numbers: Numbers) -> Values:
        """Network numbers -> physical values."""
        values: Values = numbers * self._column(self.deviation) + self._column(self.mean)
        return values

    def _column(self, numbers: Sequence[float]) -> Float[np.ndarray, "c 1 1"]:
        return np.asarray(numbers, np.float32)[:, None, None]


@dataclass(frozen=True)
class Style:
    """How bright and how varied each band of a reference picture is, such as another picture of the same event.

    Physical values are the mean of each band, then the deviation of each, over the reference. Network numbers are
    those of `Bands` for the mean, and the logarithm of the deviation in units of the band's own.

    Args:
        name: of the strand, and of the sample that is the reference.
        bands: names of the bands, in order.
        mean: of each band, in the sensor's unit.
        deviation: of each band.
    """

    name: str
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return 2 * len(self.bands), 1, 1

    def physical(self, samples: Mapping[str, Sample]) -> Values | None:
        """Means and deviations; None where there is no reference, or a band of it was not measured."""
        if self.name not in samples:
            return None
        names, pixels = samples[self.name].sensor.band_names, samples[self.name].pixels
        rows = [pixels[names.index(b)] for b in self.bands if b in names]
        if len(rows) < len(self.bands) or not all(np.isfinite(r).any() for r in rows):
            return None
        found = [float(measure(r)) for measure in (np.nanmean, np.nanstd) for r in rows]
        return np.asarray(found, np.float32)[:, None, None]

    def encode(self, values: Values) -> Numbers:
        """Means and deviations -> network numbers."""
        mean, deviation = np.split(values, 2)
        own_mean, own = (np.asarray(v, np.float32)[:, None, None] for v in (self.mean, self.deviation))
        numbers: Numbers = np.concatenate([(mean - own_mean) / own, np.log(deviation / own + np.float32(FLAT))])
        return numbers

    def decode(self, numbers: Numbers) -> Values:
        """Network numbers -> means and deviations."""
        mean, deviation = np.split(numbers, 2)
        own_mean, own = (np.asarray(v, np.float32)[:, None, None] for v in (self.mean, self.deviation))
        values: Values = np.concatenate([mean * own + own_mean, (np.exp(deviation) - np.float32(FLAT)) * own])
        return values


@dataclass(frozen=True)
class Relief:
    """Elevation about its mean over the place: asinh(m / 5). Sea floor and land below the sea survive."""

    name: str
    key: str
    side_px: int
    step: int = 2

    def __post_init__(self) -> None:
        _check_step(self.name, self.side_px, self.step)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return 1, self.side_px // self.step, self.side_px // self.step

    def physical(self, samples: Mapping[str, Sample]) -> Values | None:
        """Metres about the mean."""
        heights = _heights(self.name, self.key, samples, self.side_px)
        return None if heights is None else _averaged(heights - np.nanmean(heights), self.step)

    def encode(self, values: Values) -> Numbers:
        """Metres -> network numbers."""
        return np.arcsinh(values / np.float32(RELIEF_M))

    def decode(self, numbers: Numbers) -> Values:
        """Network numbers -> metres."""
        values: Values = np.sinh(numbers) * np.float32(RELIEF_M)
        return values


@dataclass(frozen=True)
class Height:
    """Mean elevation of the place: asinh(m / 100). With the relief it makes the elevation."""

    name: str
    key: str
    side_px: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return 1, 1, 1

    def physical(self, samples: Mapping[str, Sample]) -> Values | None:
        """Metres."""
        heights = _heights(self.name, self.key, samples, self.side_px)
        return None if heights is None else np.full((1, 1, 1), np.nanmean(heights), np.float32)

    def encode(self, values: Values) -> Numbers:
        """Metres -> network numbers."""
        return np.arcsinh(values / np.float32(HEIGHT_M))

    def decode(self, numbers: Numbers) -> Values:
        """Network numbers -> metres."""
        values: Values = np.sinh(numbers) * np.float32(HEIGHT_M)
        return values


@dataclass(frozen=True)
class Categories:
    """A map of categories, one channel each: 1 where it is, -1 where it is not. The largest channel decides.

    Physical values are the codes of the map in one channel; a code that is not in the table is unknown.
    """

    name: str
    key: str
    codes: tuple[int, ...]
    side_px: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return len(self.codes), self.side_px, self.side_px

    def physical(self, samples: Mapping[str, Sample]) -> Values | None:
        """Codes, NaN where unknown; one channel."""
        if self.key not in samples:
            return None
        _check_side(self.name, samples[self.key], self.side_px)
        codes = samples[self.key].pixels[:1].astype(np.float32)
        known = np.isin(codes, self.codes)
        return np.where(known, codes, np.float32(np.nan)) if known.any() else None

    def encode(self, values: Values) -> Numbers:
        """Codes -> network numbers."""
        table = np.asarray(self.codes, np.float32)[:, None, None]
        numbers = np.where(values == table, np.float32(1), np.float32(-1))
        return np.where(np.isfinite(values), numbers, np.float32(np.nan))

    def decode(self, numbers: Numbers) -> Values:
        """Network numbers -> codes."""
        codes = np.asarray(self.codes, np.float32)[numbers.argmax(axis=0)][None]
        return np.where(np.isfinite(numbers).all(axis=0, keepdims=True), codes, np.float32(np.nan))


@dataclass(frozen=True)
class Place:
    """Where on Earth: the unit vector to it. Physical values are longitude and latitude in degrees."""

    name: str = "place"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return 3, 1, 1

    def physical(self, samples: Mapping[str, Sample]) -> Values | None:
        """Longitude and latitude of the middle, degrees."""
        window = next((s.window for s in samples.values() if s.window.crs is not None), None)
        return None if window is None else np.asarray(window.center, np.float32)[:, None, None]

    def encode(self, values: Values) -> Numbers:
        """Degrees -> network numbers; their deviation over the globe is 0.6, so they are scaled by the root of 3."""
        lon, lat = np.radians(values[0]), np.radians(values[1])
        unit = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
        numbers: Numbers = (unit * math.sqrt(3)).astype(np.float32)
        return numbers

    def decode(self, numbers: Numbers) -> Values:
        """Network numbers of any length -> degrees."""
        x, y, z = numbers
        degrees = np.degrees(np.stack([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))]))
        values: Values = degrees.astype(np.float32)
        return values


@dataclass(frozen=True)
class Date:
    """When: sine and cosine of the day of the year, and the year. Physical values are day of the year and year.

    Of several dated samples the mean date counts. The day is a share of the year, 0 to 1.
    """

    name: str = "date"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return 3, 1, 1

    def physical(self, samples: Mapping[str, Sample]) -> Values | None:
        """Share of the year that has passed, and the year."""
        times = [s.time.astimezone(UTC) for s in samples.values() if s.time is not None]
        if not times:
            return None
        first = min(times)
        mean = first + sum((t - first for t in times), timedelta()) / len(times)
        start = datetime(mean.year, 1, 1, tzinfo=UTC)
        share = (mean - start) / timedelta(days=366 if isleap(mean.year) else 365)
        return np.array([share, mean.year], np.float32)[:, None, None]

    def encode(self, values: Values) -> Numbers:
        """Share and year -> network numbers; sine and cosine scaled to a deviation of 1."""
        turn = 2 * np.pi * values[0]
        root = math.sqrt(2)
        numbers = np.stack([root * np.sin(turn), root * np.cos(turn), (values[1] - MIDDLE_YEAR) / YEARS])
        return numbers.astype(np.float32)

    def decode(self, numbers: Numbers) -> Values:
        """Network numbers -> share of the year and the nearest year."""
        share = np.arctan2(numbers[0], numbers[1]) / (2 * np.pi) % 1
        return np.stack([share, np.rint(numbers[2] * YEARS + MIDDLE_YEAR)]).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Strands:
    """A batch for the joint model.

    Args:
        x: strand -> network numbers, 0 where unknown; every strand is there.
        known: strand -> whether a number is known: only there may a loss look.
        present: whether an item has a strand at all; one column per strand, in the order of the codes.
    """

    x: Mapping[str, Float[Tensor, "b c h w"]]
    known: Mapping[str, Bool[Tensor, "b c h w"]]
    present: Bool[Tensor, "b m"]

    def to(self, device: torch.device | str) -> "Strands":
        """The same batch on another device."""
        x = {name: v.to(device) for name, v in self.x.items()}
        known = {name: v.to(device) for name, v in self.known.items()}
        return Strands(x, known, self.present.to(device))


def physical(samples: Mapping[str, Sample], codes: Sequence[Code]) -> Item:
    """Strand -> values in their own unit; an absent strand is an absent key.

    Raises:
        BandMismatch: a sample has another side than its code asks for.
    """
    found = {code.name: code.physical(samples) for code in codes}
    return {name: values for name, values in found.items() if values is not None}


def encode(values: Item, codes: Sequence[Code]) -> Item:
    """Values in their own unit -> network numbers, strand by strand."""
    return {code.name: code.encode(values[code.name]) for code in codes if code.name in values}


def decode(numbers: Item, codes: Sequence[Code]) -> Item:
    """Network numbers -> values in their own unit, strand by strand."""
    return {code.name: code.decode(numbers[code.name]) for code in codes if code.name in numbers}


def turned(numbers: Item, quarters: int, mirrored: bool) -> Item:
    """All strands turned to the left by so many quarters, then mirrored left to right or not, alike."""
    turns = {name: np.rot90(v, quarters, axes=(1, 2)) for name, v in numbers.items()}
    return {name: np.ascontiguousarray(v[:, :, ::-1] if mirrored else v) for name, v in turns.items()}


def stack(items: Sequence[Item], codes: Sequence[Code]) -> Strands:
    """A batch of network numbers.

    Raises:
        BandMismatch: an array has another shape than its code says.
    """
    x, known, present = {}, {}, torch.zeros(len(items), len(codes), dtype=torch.bool)
    for m, code in enumerate(codes):
        numbers = np.full((len(items), *code.shape), np.nan, np.float32)
        for i, item in enumerate(items):
            if code.name not in item:
                continue
            if item[code.name].shape != code.shape:
                raise BandMismatch(f"{code.name} is {item[code.name].shape}, its code asks for {code.shape}; cut it so")
            numbers[i], present[i, m] = item[code.name], True
        finite = np.isfinite(numbers)
        known[code.name] = torch.from_numpy(finite)
        x[code.name] = torch.from_numpy(np.where(finite, numbers, np.float32(0)))
    return Strands(x, known, present)


def elevation(relief: Float[np.ndarray, "1 h w"], height: Float[np.ndarray, "1 1 1"]) -> Float[np.ndarray, "1 h w"]:
    """Metres above the sea of relief about the mean and the mean.

    Example:
        >>> elevation(np.full((1, 2, 2), -3.0), np.full((1, 1, 1), 2.0)).tolist()
        [[[-1.0, -1.0], [-1.0, -1.0]]]
    """
    metres: Values = relief + height
    return metres


def _averaged(values: Values, step: int) -> Float[np.ndarray, "c h//{step} w//{step}"]:
    """Means of blocks; a block with an unknown pixel is unknown."""
    means: np.ndarray = values if step == 1 else reduce(values, "c (h p) (w q) -> c h w", "mean", p=step, q=step)
    return means


def _heights(name: str, key: str, samples: Mapping[str, Sample], side_px: int) -> Values | None:
    if key not in samples or not np.isfinite(samples[key].pixels).any():
        return None
    _check_side(name, samples[key], side_px)
    return samples[key].pixels.astype(np.float32)


def _check_side(name: str, sample: Sample, side_px: int) -> None:
    if sample.window.shape != (side_px, side_px):
        raise BandMismatch(
            f"{name} is made of {side_px} x {side_px} px, the sample is {sample.window.shape}; cut it so"
        )


def _check_step(name: str, side_px: int, step: int) -> None:
    if step < 1 or side_px % step:
        raise BadInput(f"{name}: {step} px cannot be averaged into one along {side_px} px; give a divisor")
