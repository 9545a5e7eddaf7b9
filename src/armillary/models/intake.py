"""Intakes: how values of a sensor become the fixed channels of a model that knows bands by position alone.

An *intake* is a table of numbers: per channel, value `low` becomes 0 and `high` becomes 1, cut off outside where the
model was trained on 8-bit pictures, and then standardised where it was trained so. What is not there (a band that a
product lacks, a pixel that was not measured) becomes `blank`, the middle of what the channel usually holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.earth.fleet import PRETRAIN, SSL4EO, sensors
from armillary.earth.sensors import Sensor, Statistics
from armillary.errors import BadInput, BandMismatch, StatisticsMissing
from armillary.models.card import as_float32, chosen_sensor, units_of, with_facts
from armillary.sample.batch import Batch
from armillary.sample.normal import convert
from armillary.sample.sample import Sample

WHITE = 0.3
"""Reflectance that true-colour pictures of Sentinel-2 show as white (counts 0 to 3000)."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green, blue from 0 to 1; DINOv2's own numbers."""

TRUE_COLOUR = ("B04", "B03", "B02")
"""Red, green, blue of Sentinel-2."""

PATCH_PX = 14

STRIDE_PX = 32
"""Pixels of the input to one of a ResNet's last map."""

EIGHT_BITS = 255
"""Steps between black and white of an 8-bit file."""


@dataclass(frozen=True)
class Intake:
    """What becomes of one sensor's values: blank where unknown, else (cut((x - low) / (high - low)) - mean) / std.

    Args:
        bands: of each channel, by the house's names.
        unit: of `low` and `high`.
        low: value that becomes 0, per channel.
        high: value that becomes 1, per channel.
        mean: of the channel then.
        std: of the channel then.
        blank: what the channel holds where nothing is known.
        cut: whether values below 0 become 0 and those above 1 become 1, as in 8-bit pictures.
        steps: values between 0 and 1 are rounded down to one of so many steps, as 8-bit files do; 0 leaves them.
        optional: bands that a product may lack.
        why: one sentence.
    """

    bands: tuple[str, ...]
    unit: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    blank: float
    cut: bool
    steps: int = 0
    optional: tuple[str, ...] = ()
    why: str = ""

    def __post_init__(self) -> None:
        c = len(self.bands)
        numbers = {"low": self.low, "high": self.high, "mean": self.mean, "std": self.std}
        wrong = [f"{k} has {len(v)}" for k, v in numbers.items() if len(v) != c]
        if wrong:
            raise BandMismatch(f"{c} channels are named, but {', '.join(wrong)}; give one number per channel")

    def channels(self, values: Float[Tensor, "b c h w"], names: Sequence[str]) -> Float[Tensor, "b k h w"]:
        """The channels of values in `unit`, whose bands are named in their order."""
        absent = [b for b in self.bands if b not in names and b not in self.optional]
        if absent:
            raise BandMismatch(
                f"the model reads {', '.join(self.bands)}; {', '.join(absent)} is not among {', '.join(names)}"
            )
        b, _, h, w = values.shape
        x = values.new_full((b, len(self.bands), h, w), torch.nan)
        for k, name in enumerate(self.bands):
            if name in names:
                x[:, k] = values[:, list(names).index(name)]
        low, high, mean, std = (
            torch.tensor(v, dtype=x.dtype, device=x.device)[:, None, None]
            for v in (self.low, self.high, self.mean, self.std)
        )
        unit = (x - low) / (high - low)
        if self.cut:
            unit = unit.clamp(0.0, 1.0)
        if self.steps:
            unit = torch.floor(unit * self.steps) / self.steps
        z = (unit - mean) / std
        return torch.where(torch.isfinite(x), z, self.blank)


@dataclass(frozen=True)
class IntakeCard:
    """What a model with fixed channels makes of each sensor. `print(model.card)` shows it.

    Args:
        model: what it is the card of.
        entries: sensor name -> its intake.
        patch_px: side of a patch in pixels.
        side_px: side of the pictures it was trained on; it reads every multiple of `patch_px`.
    """

    model: str
    entries: Mapping[str, Intake]
    patch_px: int = PATCH_PX
    side_px: int = 224

    def __str__(self) -> str:
        side = self.side_px // self.patch_px
        head = f"{self.model}: {self.side_px} px in {side} x {side} patches of {self.patch_px} px; channels per sensor"
        return "\n".join([head, *(f"  {n:<9} {','.join(e.bands)}: {e.why}" for n, e in self.entries.items())])

    def batch(
        self,
        pixels: Float[Tensor, "b c h w"] | np.ndarray,
        sensor: str | Sensor,
        bands: Sequence[str] | None = None,
        *,
        lonlat: object = None,
        days: object = None,
        gsd_m: object = None,
        unit: str | Sequence[str] | None = None,
    ) -> Batch:
        """Raw numbers of a sensor as the model's channels; bands that it does not read are left out.

        Args:
            pixels: numbers as the sensor's products hold them; NaN where there is none.
            sensor: a name of the fleet, or a Sensor.
            bands: names of the channels of `pixels` in their order; None means all bands of the sensor.
            lonlat: as in `armillary.models.card.Card.batch`; the model does not read it, the batch carries it.
            days: likewise.
            gsd_m: likewise.
            unit: of the numbers, one or one per item; None = decided per item by its range.
        """
        given = chosen_sensor(sensor, bands)
        x = as_float32(pixels)
        if x.ndim != 4 or x.shape[1] != len(given.bands):
            raise BandMismatch(
                f"{given.name} with {len(given.bands)} bands ({', '.join(given.band_names)}) needs pixels "
                f"[item, {len(given.bands)}, row, column], got shape {tuple(x.shape)}; give bands= the names of the "
                "channels that are there"
            )
        intake = self.intake(given.name)
        values = x.clone()
        for i, unit_of in enumerate(units_of(unit, x, given)):
            values[i] = convert(x[i], given, unit_of, to=intake.unit)
        z = intake.channels(values, given.band_names)
        read = sensors[_reader(given.name, intake)].select(intake.bands)
        return with_facts(z, read, self.patch_px, lonlat=lonlat, days=days, gsd_m=gsd_m)

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Samples of one sensor, with the same bands and size, as one Batch."""
        kinds = {(s.sensor.name, s.sensor.band_names, s.pixels.shape) for s in samples}
        if len(kinds) != 1:
            raise BadInput(f"a batch holds samples of one sensor, bands and size, got {sorted(map(str, kinds))}")
        first = samples[0].sensor
        return self.batch(np.stack([s.pixels for s in samples]), first, unit=first.unit, days=[s.days for s in samples])

    def intake(self, sensor: str) -> Intake:
        """Of one sensor."""
        if sensor not in self.entries:
            raise StatisticsMissing(f"{self.model} does not read {sensor}; it reads {', '.join(self.entries)}")
        return self.entries[sensor]


def _reader(sensor: str, intake: Intake) -> str:
    """The sensor of the fleet that has all bands of the channels: level 1C where level 2A lacks B10."""
    return sensor if set(intake.bands) <= set(sensors[sensor].band_names) else "s2-l1c"


def picture(bands: tuple[str, ...], unit: str, white: float, why: str) -> Intake:
    """Three bands as ImageNet's red, green and blue: 0 is black, `white` is white."""
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    return Intake(bands, unit, (0.0,) * 3, (white,) * 3, mean, std, blank=0.0, cut=True, why=why)


def zscores(bands: tuple[str, ...], statistics: Statistics, why: str, optional: tuple[str, ...] = ()) -> Intake:
    """(x - mean) / std with a sensor's statistics, not cut."""
    high = tuple(m + s for m, s in zip(statistics.mean, statistics.std, strict=True))
    zero, one = (0.0,) * len(bands), (1.0,) * len(bands)
    return Intake(
        bands, statistics.unit, statistics.mean, high, zero, one, blank=0.0, cut=False, optional=optional, why=why
    )


def two_deviations(bands: tuple[str, ...], statistics: Statistics, why: str, optional: tuple[str, ...] = ()) -> Intake:
    """0 to 1 from two deviations under the mean to two above it, in 8 bits: clip(z / 4 + 1 / 2, 0, 1), rounded down."""
    low, high = (tuple(m + k * s for m, s in zip(statistics.mean, statistics.std, strict=True)) for k in (-2.0, 2.0))
    zero, one = (0.0,) * len(bands), (1.0,) * len(bands)
    unit = statistics.unit
    return Intake(bands, unit, low, high, zero, one, blank=0.5, cut=True, steps=EIGHT_BITS, optional=optional, why=why)


def reflectance(bands: tuple[str, ...], why: str, optional: tuple[str, ...] = ()) -> Intake:
    """Counts over 10,000, not cut, which is how TorchGeo feeds most weights of SSL4EO-S12; blank is 0."""
    zero, one = (0.0,) * len(bands), (1.0,) * len(bands)
    return Intake(bands, "reflectance", zero, one, zero, one, blank=0.0, cut=False, optional=optional, why=why)


def _top_and_surface(make: Callable[..., Intake], name: str = SSL4EO) -> dict[str, Intake]:
    """Thirteen channels of level 1C; of level 2A with B10 blank."""
    top, surface = sensors["s2-l1c"], sensors["s2-l2a"]
    mean, std = (
        dict(zip(top.band_names, getattr(top.statistic(name), k), strict=True))
        | dict(zip(surface.band_names, getattr(surface.statistic(SSL4EO), k), strict=True))
        for k in ("mean", "std")
    )
    filled = Statistics(SSL4EO, tuple(mean.values()), tuple(std.values()), "count", "")
    why = "never seen in training; its own statistics bring it into the same range, B10 is blank"
    return {
        "s2-l1c": make(top.band_names, top.statistic(name), "as trained"),
        "s2-l2a": make(top.band_names, filled, why, optional=("B10",)),
    }


def _radar(make: Callable[..., Intake], name: str = SSL4EO) -> dict[str, Intake]:
    """VV and VH; gamma0 with the statistics of sigma0."""
    bands, statistics = sensors["s1-grd"].band_names, sensors["s1-grd"].statistic(name)
    return {
        "s1-grd": make(bands, statistics, "as trained"),
        "s1-rtc": make(bands, statistics, "never seen in training; gamma0 differs from sigma0 by the slope"),
    }


_ZSCORED = "what upstream's distillation feeds: z-scores of Sentinel-2, of which the teacher knows nothing"

CARDS: Mapping[str, IntakeCard] = MappingProxyType(
    {
        "dinov2": IntakeCard(
            "DINOv2",
            {
                name: picture(TRUE_COLOUR, "reflectance", WHITE, f"true colour, {WHITE:g} is white; ImageNet's numbers")
                for name in ("s2-l1c", "s2-l2a")
            },
        ),
        "dinov2-zscores": IntakeCard(
            "DINOv2",
            {
                name: zscores(TRUE_COLOUR, sensors["s2-l1c"].select(TRUE_COLOUR).statistic(PRETRAIN), _ZSCORED)
                for name in ("s2-l1c", "s2-l2a")
            },
        ),
        "softcon-s2": IntakeCard("SoftCon", _top_and_surface(two_deviations)),
        "softcon-s2-zscores": IntakeCard("SoftCon", _top_and_surface(zscores, PRETRAIN)),
        "softcon-s1": IntakeCard("SoftCon", _radar(two_deviations)),
        "softcon-s1-zscores": IntakeCard("SoftCon", _radar(zscores, PRETRAIN)),
        "softcon-s2-32": IntakeCard("SoftCon", _top_and_surface(two_deviations), patch_px=STRIDE_PX),
        "softcon-s2-32-zscores": IntakeCard("SoftCon", _top_and_surface(zscores, PRETRAIN), patch_px=STRIDE_PX),
        "softcon-s1-32": IntakeCard("SoftCon", _radar(two_deviations), patch_px=STRIDE_PX),
        "softcon-s1-32-zscores": IntakeCard("SoftCon", _radar(zscores, PRETRAIN), patch_px=STRIDE_PX),
        "ssl4eo-s2-reflectance": IntakeCard(
            "SSL4EO-S12",
            {
                "s2-l1c": reflectance(sensors["s2-l1c"].band_names, "as TorchGeo feeds it"),
                "s2-l2a": reflectance(sensors["s2-l1c"].band_names, "never seen in training; B10 is 0", ("B10",)),
            },
            patch_px=STRIDE_PX,
        ),
        "s2-l2a-reflectance": IntakeCard(
            "ResNet-50",
            {
                name: reflectance(sensors["s2-l2a"].band_names, "counts over 10,000, without B10")
                for name in ("s2-l2a", "s2-l1c")
            },
            patch_px=STRIDE_PX,
        ),
    }
)
"""Name -> card. SoftCon learned from 8-bit pictures (two deviations to each side, in SSL4EO-S12's statistics). TorchGeo
feeds the same weights plain z-scores, which is another range, and in other statistics: those of DeCUR's code, which
Copernicus-Pretrain took over. The cards called "-zscores" do so too, to compare with its numbers; those called "-32"
are of convolutional models, whose last map has one pixel for 32."""
