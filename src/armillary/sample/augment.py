"""Augment: random views of a place. Pixels and Window always move together, so that place and area stay exact.

A view is a random crop, resized, mirrored and turned. All sensors of a place are cut at the same ground rectangle.
Radiometric changes are augmentation, not physics to be trusted: they are off unless asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from numbers import Integral

import numpy as np
import torch
from affine import Affine
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from armillary.earth.window import Window
from armillary.errors import BadInput
from armillary.sample.atmosphere import top_of_atmosphere
from armillary.sample.sample import Sample

TRIES = 8
"""Crops looked at before the one with the most valid pixels is taken."""

_LEAST_WEIGHT = 0.5
"""A resized pixel has a value when valid pixels hold at least this share of its weight."""

_LEFT_TURN = Affine(0.0, -1.0, 0.0, 1.0, 0.0, 0.0)
"""Pixel coordinates after a quarter turn to the left -> before it, but for a shift by the width."""


@dataclass(frozen=True)
class Augment:
    """What is random about a view. `Augment(...)(samples, rng)` is `augment_together`.

    Args:
        scale: smallest and largest share of the area that a crop covers.
        size_px: side to which a crop is resized; None leaves it as it is.
        sizes_px: sensor -> another side, as pairs; for sensors of another ground size.
        flip: mirror left to right half of the time.
        turn: turn by a random number of quarters.
        aspect: smallest and largest height / width of a crop, in pixels.
        least_valid: share of valid pixels for which up to eight crops are tried.
        gain: largest relative change per band of reflectances; 0 is off.
        offset: largest shift per band of reflectances; 0 is off.
        atmosphere: how often a Sentinel-2 L2A sample is given a Rayleigh atmosphere and becomes a rough L1C sample,
            where the place has none; 0 is off. See `armillary.sample.atmosphere`.

    Raises:
        BadInput: a range that holds nothing, or a share or change that is none.
    """

    scale: tuple[float, float] = (0.25, 1.0)
    size_px: int | None = None
    sizes_px: tuple[tuple[str, int], ...] = ()
    flip: bool = True
    turn: bool = False
    aspect: tuple[float, float] = (1.0, 1.0)
    least_valid: float = 0.0
    gain: float = 0.0
    offset: float = 0.0
    atmosphere: float = 0.0

    def __post_init__(self) -> None:
        sizes = [n for n in (self.size_px, *(n for _, n in self.sizes_px)) if n is not None]
        if (
            not 0 < self.scale[0] <= self.scale[1] <= 1
            or not 0 < self.aspect[0] <= self.aspect[1] < inf
            or not all(isinstance(n, Integral) and n >= 1 for n in sizes)
        ):
            raise BadInput(
                f"scale={self.scale}, aspect={self.aspect}, sizes {sizes}: give scale as 0 < low <= high <= 1, aspect "
                "as 0 < low <= high, and sides of whole pixels, at least one"
            )
        shares = {"least_valid": self.least_valid, "atmosphere": self.atmosphere}
        changes = {"gain": self.gain, "offset": self.offset}
        odd = [f"{k}={v}" for k, v in shares.items() if not 0 <= v <= 1]
        odd += [f"{k}={v}" for k, v in changes.items() if not 0 <= v < inf]
        if odd:
            raise BadInput(
                f"{', '.join(odd)} was asked for; give least_valid and atmosphere as 0 to 1, "
                "gain and offset as 0 or more"
            )

    def __call__(self, samples: Mapping[str, Sample], rng: np.random.Generator) -> Mapping[str, Sample]:
        """The same as `augment_together`."""
        return augment_together(samples, self, rng)

    def side(self, sensor: str) -> int | None:
        """The side to which a crop of this sensor is resized."""
        return dict(self.sizes_px).get(sensor, self.size_px)


@dataclass(frozen=True)
class _Part:
    """A rectangle as shares of the height and width of a sample."""

    top: float
    bottom: float
    left: float
    right: float


def augment(sample: Sample, config: Augment, rng: np.random.Generator) -> Sample:
    """A random view of one sample. With `config.atmosphere` it may come back as a sample of Sentinel-2 L1C."""
    (view,) = augment_together({sample.sensor.name: sample}, config, rng).values()
    return view


def augment_together(samples: Mapping[str, Sample], config: Augment, rng: np.random.Generator) -> Mapping[str, Sample]:
    """Random views of all sensors of a place that show the same ground, to within a pixel of each.

    The rectangle is chosen on the sample with the most pixels. A sensor with the same CRS is cut where the rectangle
    lies on its own grid, any other at the same share of its height and width; one that the rectangle misses is absent.
    """
    if not samples:
        return {}
    main = max(samples.values(), key=lambda s: s.pixels[0].size)
    part = _choose(main, config, rng)
    mirrored = config.flip and bool(rng.random() < 0.5)
    quarters = int(rng.integers(4)) if config.turn else 0
    views = {}
    for name, sample in samples.items():
        cut = _cut(sample, _on(sample.window, main.window, part))
        if cut is None:
            continue
        view = resize(cut, config.side(name))
        view = turn(view.flip() if mirrored else view, quarters)
        views[name] = _recolour(view, config, rng)
    return _through_air(views, config, rng)


def resize(sample: Sample, side: int | None) -> Sample:
    """The same ground in side x side pixels; None returns the sample.

    Averages leave pixels without a value out, weigh neighbours as torch's antialiased bilinear filter does, and are
    taken of power where the unit is dB.
    """
    h, w = sample.window.shape
    if side is None or (h, w) == (side, side):
        return sample
    pixels = _interpolate(sample.pixels, side, in_power=sample.sensor.unit == "dB")
    affine = sample.window.affine @ Affine.scale(w / side, h / side)
    return Sample(pixels, sample.sensor, Window.of((side, side), affine, sample.window.crs), sample.time)


def turn(sample: Sample, quarters: int) -> Sample:
    """Pixels and place, turned to the left by quarters of a circle together."""
    for _ in range(quarters % 4):
        h, w = sample.window.shape
        affine = sample.window.affine @ Affine.translation(w, 0) @ _LEFT_TURN
        window = Window.of((w, h), affine, sample.window.crs)
        sample = Sample(np.ascontiguousarray(np.rot90(sample.pixels, axes=(1, 2))), sample.sensor, window, sample.time)
    return sample


def _choose(sample: Sample, config: Augment, rng: np.random.Generator) -> _Part:
    """A random rectangle, or of several the one with the most valid pixels."""
    best, share = _random_part(sample.window.shape, config, rng), -1.0
    if config.least_valid <= 0:
        return best
    part = best
    for _ in range(TRIES):
        cut = _cut(sample, part)
        valid = 0.0 if cut is None else float(np.isfinite(cut.pixels).any(axis=0).mean())
        if valid > share:
            best, share = part, valid
        if share >= config.least_valid:
            break
        part = _random_part(sample.window.shape, config, rng)
    return best


def _random_part(shape: tuple[int, int], config: Augment, rng: np.random.Generator) -> _Part:
    """A rectangle of whole pixels, as large as asked for or as fits."""
    h, w = shape
    area = rng.uniform(*config.scale) * h * w
    aspect = float(np.exp(rng.uniform(*np.log(config.aspect))))
    rows, cols = (
        int(np.clip(round(n), 1, most)) for n, most in ((np.sqrt(area * aspect), h), (np.sqrt(area / aspect), w))
    )
    top, left = int(rng.integers(h - rows + 1)), int(rng.integers(w - cols + 1))
    return _Part(top / h, (top + rows) / h, left / w, (left + cols) / w)


def _on(own: Window, other: Window, part: _Part) -> _Part:
    """A rectangle of another window on this one; the same shares where the two cannot be compared."""
    if own is other or own.crs is None or own.crs != other.crs:
        return part
    to_own = ~own.affine @ other.affine
    (h, w), (oh, ow) = own.shape, other.shape
    corners = [to_own @ (c * ow, r * oh) for r in (part.top, part.bottom) for c in (part.left, part.right)]
    cols, rows = [c / w for c, _ in corners], [r / h for _, r in corners]
    return _Part(min(rows), max(rows), min(cols), max(cols))


def _cut(sample: Sample, part: _Part) -> Sample | None:
    """The whole pixels nearest to a rectangle, at least one; None where it lies outside."""
    h, w = sample.window.shape
    spans = []
    for low, high, n in ((part.top, part.bottom, h), (part.left, part.right, w)):
        if high * n <= 0 or low * n >= n:
            return None
        start = min(max(round(low * n), 0), n - 1)
        spans.append(slice(start, max(start + 1, min(round(high * n), n))))
    return sample.crop(rows=spans[0], cols=spans[1])


def _interpolate(pixels: Float[np.ndarray, "c h w"], side: int, *, in_power: bool) -> Float[np.ndarray, "c s s"]:
    x = torch.from_numpy(np.ascontiguousarray(pixels, np.float32))
    known = torch.isfinite(x)
    value = torch.where(known, torch.pow(10.0, x / 10) if in_power else x, 0.0)
    if bool(known.all()):
        mean = _smaller(value, side)
    else:
        sums, weights = _smaller(torch.cat((value, known.to(value.dtype))), side).chunk(2)
        mean = torch.where(weights >= _LEAST_WEIGHT, sums / weights.clamp(min=_LEAST_WEIGHT), torch.nan)
    return np.asarray((10 * torch.log10(mean) if in_power else mean).numpy())


def _smaller(x: Float[Tensor, "c h w"], side: int) -> Float[Tensor, "c s s"]:
    return functional.interpolate(x[None], (side, side), mode="bilinear", antialias=True, align_corners=False)[0]


def _recolour(sample: Sample, config: Augment, rng: np.random.Generator) -> Sample:
    """Random gain and offset per band of a reflectance."""
    if sample.sensor.unit != "reflectance" or not (config.gain or config.offset):
        return sample
    c = len(sample.pixels)
    gains, offsets = rng.uniform(-1, 1, (2, c, 1, 1)).astype(np.float32)
    return replace(sample, pixels=sample.pixels * (1 + config.gain * gains) + config.offset * offsets)


def _through_air(views: Mapping[str, Sample], config: Augment, rng: np.random.Generator) -> Mapping[str, Sample]:
    if not config.atmosphere or "s2-l2a" not in views or "s2-l1c" in views or rng.random() >= config.atmosphere:
        return views
    rest = {name: view for name, view in views.items() if name != "s2-l2a"}
    return rest | {"s2-l1c": top_of_atmosphere(views["s2-l2a"], sun_deg=float(rng.uniform(20, 65)))}
