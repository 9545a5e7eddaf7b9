"""Whitened descriptors: what can be said of pixels without learning, as a short target for an encoder to learn.

Statistics, indices, gradients and responses to random patches (`armillary.models.descriptors`) are standardised,
turned to their principal components and scaled by the square root of each component's deviation, so that the strong
ones count more without drowning the rest. A linear layer on an encoder's embedding that can tell these numbers has
kept what a classical feature would see.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
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


@dataclass(frozen=True, eq=False)
class Whitened:
    """Samples of one sensor, with one set of bands, to vectors whose variance is about 1.

    Args:
        sensor: narrowed to its bands.
        patches: random patches; None leaves them out.
        stride: every so many pixels are looked at in each direction by the statistics.
        mean: of each descriptor.
        std: the same.
        turn: from standardised descriptors to the target.
    """

    sensor: Sensor
    patches: RandomPatches | None
    stride: int
    mean: Float[Tensor, " p"]
    std: Float[Tensor, " p"]
    turn: Float[Tensor, "p d"]

    @property
    def width(self) -> int:
        """Length of a target."""
        return int(self.turn.shape[1])

    def __call__(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Raw pixels in the sensor's unit to targets; what cannot be computed counts as its mean."""
        raw = _describe(x, self.sensor, self.patches, self.stride)
        z = torch.nan_to_num((raw - self.mean) / self.std, nan=0.0, posinf=0.0, neginf=0.0)
        out: Tensor = z.clamp(-LIMIT, LIMIT) @ self.turn
        return out


def fit(samples: Sequence[Sample], *, width: int, patches: int, seed: int, stride: int = 2) -> Whitened:
    """A teacher for the sensor and bands of these samples, which should be crops as training sees them.

    Args:
        samples: of one sensor, one set of bands and one size.
        width: components that are kept.
        patches: random filters; 0 leaves them out.
        seed: of the filters.
        stride: every so many pixels are looked at in each direction by the statistics.

    Raises:
        OutOfRange: too few samples.
        BandMismatch: samples of several kinds.
    """
    if len({(s.sensor, s.pixels.shape) for s in samples}) != 1 or len(samples) < FEWEST:
        kinds = sorted({(s.sensor.name, s.pixels.shape) for s in samples})
        error = OutOfRange if len(samples) < FEWEST else BandMismatch
        raise error(f"{len(samples)} samples of {kinds} were given; give at least {FEWEST} of one kind")
    sensor = samples[0].sensor
    x = torch.from_numpy(np.stack([s.pixels for s in samples]))
    bank, side = None, min(5, *x.shape[-2:])
    if patches:
        rng = torch.Generator().manual_seed(seed)
        bank = replace(draw_patches(x, sensor, rng=rng, count=patches, sides_px=(side,)), step_px=stride + 1)
    raw = torch.cat([_describe(part, sensor, bank, stride) for part in x.split(64)])
    mean = torch.nan_to_num(raw.nanmean(dim=0), nan=0.0)
    std = (raw - mean).square().nanmean(dim=0).sqrt().nan_to_num(nan=1.0).clamp_min(1e-6)
    z = torch.nan_to_num((raw - mean) / std, nan=0.0, posinf=0.0, neginf=0.0).clamp(-LIMIT, LIMIT)
    values, vectors = torch.linalg.eigh((z.T @ z / len(z)).double())
    kept = min(width, len(samples) - 1, z.shape[1])
    deviation = values.flip(0)[:kept].clamp_min(1e-6).sqrt()
    turn = vectors.flip(1)[:, :kept] / deviation.sqrt()  # component of deviation s comes out with sqrt(s)
    return Whitened(sensor, bank, stride, mean, std, (turn / deviation.mean().sqrt()).float())


def _describe(
    x: Float[Tensor, "b c h w"], sensor: Sensor, patches: RandomPatches | None, stride: int
) -> Float[Tensor, "b p"]:
    thin = x[..., ::stride, ::stride]
    rich = rich_statistics(thin if min(thin.shape[-2:]) >= 2 else x, sensor)
    return rich if patches is None else torch.cat([rich, patches(x)], dim=1)
