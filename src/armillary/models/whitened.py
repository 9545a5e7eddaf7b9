"""Whitened descriptors: what can be said of pixels without learning, as a short target for an encoder to learn.

Statistics, indices, gradients and responses to random patches (`armillary.models.descriptors`), and whatever another
frozen network says, are standardised, each family given the same say, turned to their principal components and scaled
by the square root of each component's deviation, so that the strong ones count more without drowning the rest. A linear
layer on an encoder's embedding that can tell these numbers has kept what a classical feature would see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.earth.sensors import Sensor
from armillary.errors import BandMismatch, OutOfRange
from armillary.models.descriptors import RandomPatches, draw_patches, rich_statistics
from armillary.sample.sample import Sample

FEWEST = 32
"""Samples below which principal components mean nothing."""

LIMIT = 5.0
"""Standardised numbers beyond this are cut off, so that one cloud does not turn the components."""


@runtime_checkable
class Further(Protocol):
    """What else is known of samples: one vector each, NaN where nothing is."""

    @property
    def sensors(self) -> tuple[str, ...]:
        """Of which it knows something."""

    def __call__(self, samples: Sequence[Sample]) -> Float[Tensor, "b d"]:
        """The vectors."""


@dataclass(frozen=True, eq=False)
class Whitened:
    """Samples of one sensor, with one set of bands, to vectors whose variance is about 1.

    Args:
        sensor: narrowed to its bands.
        patches: random patches; None leaves them out.
        further: another teacher; None leaves it out.
        stride: every so many pixels are looked at in each direction by the statistics.
        mean: of each number.
        deviation: of each number.
        say: what each is multiplied by once standardised, so that families of numbers count alike.
        turn: from scaled numbers to the target.
    """

    sensor: Sensor
    patches: RandomPatches | None
    further: Further | None
    stride: int
    mean: Float[Tensor, " p"]
    deviation: Float[Tensor, " p"]
    say: Float[Tensor, " p"]
    turn: Float[Tensor, "p d"]

    @property
    def width(self) -> int:
        """Length of a target."""
        return int(self.turn.shape[1])

    @torch.no_grad()
    def __call__(self, samples: Sequence[Sample]) -> Float[Tensor, "b d"]:
        """Targets of samples of this sensor and of one size; what cannot be computed counts as its mean."""
        raw = torch.cat(_families(samples, self.patches, self.further, self.stride), dim=1)
        return _scaled(raw, self.mean, self.deviation, self.say) @ self.turn


@torch.no_grad()
def fit(
    samples: Sequence[Sample], *, width: int, patches: int, seed: int, stride: int = 2, further: Further | None = None
) -> Whitened:
    """A teacher for the sensor and bands of these samples, which should be crops as training sees them.

    Args:
        samples: of one sensor, one set of bands and one size.
        width: components that are kept.
        patches: random filters; 0 leaves them out.
        seed: of the filters.
        stride: every so many pixels are looked at in each direction by the statistics.
        further: another teacher, which is left out where it knows nothing of these samples.

    Raises:
        OutOfRange: too few samples.
        BandMismatch: samples of several kinds.
    """
    if len({(s.sensor, s.pixels.shape) for s in samples}) != 1 or len(samples) < FEWEST:
        kinds = sorted({(s.sensor.name, s.pixels.shape) for s in samples})
        error = OutOfRange if len(samples) < FEWEST else BandMismatch
        raise error(f"{len(samples)} samples of {kinds} were given; give at least {FEWEST} of one kind")
    sensor = samples[0].sensor
    bank = None
    if patches:
        x = _stacked(samples)
        rng, side = torch.Generator().manual_seed(seed), min(5, *x.shape[-2:])
        bank = replace(draw_patches(x, sensor, rng=rng, count=patches, sides_px=(side,)), step_px=stride + 1)
    known = further if further is not None and _knows(further, samples) else None
    chunks = [samples[i : i + 64] for i in range(0, len(samples), 64)]
    families = [torch.cat(f) for f in zip(*(_families(part, bank, known, stride) for part in chunks), strict=True)]
    raw = torch.cat(families, dim=1)
    mean = torch.nan_to_num(raw.nanmean(dim=0), nan=0.0)
    deviation = (raw - mean).square().nanmean(dim=0).sqrt().nan_to_num(nan=1.0).clamp_min(1e-6)
    say = torch.cat([torch.full((f.shape[1],), f.shape[1] ** -0.5) for f in families])
    z = _scaled(raw, mean, deviation, say)
    values, vectors = torch.linalg.eigh((z.T @ z / len(z)).double())
    kept = min(width, len(samples) - 1, z.shape[1])
    strength = values.flip(0)[:kept].clamp_min(1e-9).sqrt()
    turn = (
        vectors.flip(1)[:, :kept] / strength.sqrt() / strength.mean().sqrt()
    )  # a component of s comes out with sqrt(s)
    return Whitened(sensor, bank, known, stride, mean, deviation, say, turn.float())


def _knows(further: Further, samples: Sequence[Sample]) -> bool:
    return samples[0].sensor.name in further.sensors and bool(torch.isfinite(further(samples[:FEWEST])).any())


def _families(
    samples: Sequence[Sample], patches: RandomPatches | None, further: Further | None, stride: int
) -> list[Float[Tensor, "b _"]]:
    x = _stacked(samples)
    thin = x[..., ::stride, ::stride]
    families = [rich_statistics(thin if min(thin.shape[-2:]) >= 2 else x, samples[0].sensor)]
    families += [] if patches is None else [patches(x)]
    families += [] if further is None else [further(samples)]
    return families


def _scaled(
    raw: Float[Tensor, "b p"], mean: Float[Tensor, " p"], deviation: Float[Tensor, " p"], say: Float[Tensor, " p"]
) -> Float[Tensor, "b p"]:
    z = torch.nan_to_num((raw - mean) / deviation, nan=0.0, posinf=0.0, neginf=0.0)
    return z.clamp(-LIMIT, LIMIT) * say


def _stacked(samples: Sequence[Sample]) -> Float[Tensor, "b c h w"]:
    return torch.stack([torch.from_numpy(s.pixels) for s in samples])
